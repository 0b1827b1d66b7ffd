#pragma once
// CURVE keys as files of Z85 text in one folder, keys_dir:
//   gateway.BRANCH.NAME.pub, worker.NAME.pub, broker.pub    public, one a peer
//   the same names with .key                                secret, mode 0600, only where it is
//   used

#include "common/base/err.h"
#include "common/domain/ids.h"

#include <stdbool.h>

enum {
    KEY_TEXT_SIZE = 41,                             // 40 characters of Z85 and a zero byte
    KEY_NAME_SIZE = sizeof "gateway.." + 2 * ID_MAX // the longest name of a peer
};

/// What a key stands for. Its name ("gateway.musterstadt.desk") is the User-Id of its connection.
enum peer_kind { PEER_BROKER, PEER_WORKER, PEER_GATEWAY };
struct peer {
    enum peer_kind kind;
    struct id branch; // gateway only
    struct id name;   // gateway and worker
};
/// false: not a name of that form.
bool peer_parse(const char *name, size_t size, struct peer *peer);
void peer_name(const struct peer *peer, char text[KEY_NAME_SIZE]);

/// Read keys_dir/NAME.pub.
MUST_CHECK enum err key_read_public(const char *folder, const char *name, char key[KEY_TEXT_SIZE],
                                    struct problem *problem);
/// Read keys_dir/NAME.key and work out its public half.
/// ERR_REFUSED: others than the owner may read or write it
MUST_CHECK enum err key_read_secret(const char *folder, const char *name,
                                    char secret[KEY_TEXT_SIZE], char public_key[KEY_TEXT_SIZE],
                                    struct problem *problem);
/// Make a new pair, NAME.key and NAME.pub. ERR_CONFLICT: one of them is there already, nothing
/// changed.
MUST_CHECK enum err key_make(const char *folder, const char *name, char public_key[KEY_TEXT_SIZE],
                             struct problem *problem);

enum { KEYS_MAX = 65536 };

/// The public keys of a folder: who may connect. Sorted by key.
struct key_table {
    size_t count;
    struct key_entry {
        char key[KEY_TEXT_SIZE];
        char name[KEY_NAME_SIZE];
    } * items;
};

/// Reads all *.pub. ERR_CONFLICT: two peers have one key; ERR_FORMAT: a file is no key, or its name
/// no peer's.
MUST_CHECK enum err keys_load(const char *folder, struct key_table *table, struct problem *problem);
void keys_free(struct key_table *table);
/// The peer's name, or NULL: unknown.
const char *keys_find(const struct key_table *table, const char *key);
