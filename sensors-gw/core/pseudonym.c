#include "sensors-gw/core/pseudonym.h"

#include <sodium/crypto_generichash.h>

// 10 bytes are 16 digits of 5 bits: two of a million employees get the same one once in 2 * 10^12.
enum { DIGEST_SIZE = 10 };
_Static_assert((int)PSEUDONYM_SIZE <= (int)EMPLOYEE_MAX, "a pseudonym is an employee");
_Static_assert(PSEUDONYM_KEY_SIZE >= crypto_generichash_KEYBYTES_MIN &&
                   PSEUDONYM_KEY_SIZE <= crypto_generichash_KEYBYTES_MAX,
               "a key of BLAKE2b");

void pseudonym_make(const struct pseudonyms *pseudonyms, const char *name, size_t size,
                    int64_t at_ms, char pseudonym[EMPLOYEE_MAX + 1]) {
    static const size_t period_sizes[] = {
        [PSEUDONYM_DAY] = 10, [PSEUDONYM_MONTH] = 7, [PSEUDONYM_YEAR] = 4};
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    pseudonym[0] = 0;
    if (!size) return;

    char day[DAY_TEXT_SIZE]; // 2026-11-23: a month and a year are its beginning
    time_day_text(pseudonyms->zone, at_ms, day);

    uint8_t digest[crypto_generichash_BYTES_MIN];
    crypto_generichash_state state;
    crypto_generichash_init(&state, pseudonyms->key, sizeof pseudonyms->key, sizeof digest);
    crypto_generichash_update(&state, (const uint8_t *)day, period_sizes[pseudonyms->period]);
    crypto_generichash_update(&state, (const uint8_t *)"", 1); // ends the period
    crypto_generichash_update(&state, (const uint8_t *)name, size);
    crypto_generichash_final(&state, digest, sizeof digest);
    _Static_assert(sizeof digest >= DIGEST_SIZE, "enough digits");

    for (size_t i = 0; i < PSEUDONYM_SIZE; i++) {
        size_t bit = i * 5, byte = bit / 8;
        uint32_t pair = (uint32_t)digest[byte] << 8 | digest[byte + 1];
        pseudonym[i] = digits[pair >> (11 - bit % 8) & 31];
    }
    pseudonym[PSEUDONYM_SIZE] = 0;
}
