#include "sensors-gw/shell/gateway_settings.h"

#include "sensors-gw/drivers/registry.h"

#include <stdlib.h>
#include <string.h>

static const char *const when_full_names[] = {"wait", "drop_oldest", "drop_newest", NULL};
static const char *const legal_names[] = {"P0", "P1", "P2", "P3", "P4", "P5", NULL};
static const char *const period_names[] = {"day", "month", "year", NULL};

#define ROW(kind, ...) SETTING_##kind(struct gateway_settings, __VA_ARGS__)
const struct setting gateway_settings[] = {
    ROW(ID, branch, NULL, "The branch it stands in; config_dir/branches names it."),
    ROW(ID, gateway, NULL, "Its own name in that branch."),
    ROW(PATH, config_dir, "config", "Folder of measures.yaml and branches/."),
    ROW(TEXTS, brokers, true,
        "Endpoints of the brokers, e.g. [\"tcp://broker:7400\"]; the next one is tried when one "
        "cannot be reached for as long as answer_timeout_ms."),
    ROW(PATH, keys_dir, "keys",
        "Folder of gateway.BRANCH.NAME.key and broker.pub, which are looked at again at SIGHUP and "
        "when a broker refuses them; not read when insecure."),
    ROW(BOOL, insecure, false,
        "Speak without CURVE: anybody may pretend to be this gateway. For trials on one machine."),
    ROW(PATH, spool, "gateway.spool", "The file of the spool; made when it is not there."),
    ROW(U64, spool_bytes_max, UINT64_C(1) << 30, UINT64_C(1) << 20, UINT64_C(1) << 40,
        "Bytes of batches kept: more bridges longer outages, and heals a store that fell back "
        "further."),
    ROW(U64, spool_retention_ms, UINT64_C(604800000), 1000, UINT64_C(31536000000),
        "Milliseconds of its own running time that an applied batch is kept, so that a store that "
        "fell back can be brought forward: longer heals more, shorter keeps less about people."),
    ROW(BOOL, spool_full_sync, true,
        "Wait for the disk at each commit: false is faster, and a loss of power may lose what was "
        "spooled last."),
    ROW(CHOICE, spool_when_full, WHEN_FULL_WAIT, when_full_names,
        "Without room for unapplied batches: wait stops reading (recordings, pipes). For sensors "
        "that cannot wait: drop_oldest keeps what came last, drop_newest what came first; what is "
        "dropped is counted and reported as a gap."),
    ROW(U64, held_max, 4096, 2, 1000000,
        "Unapplied batches after which drivers are not read on (with spool_when_full: wait): lower "
        "keeps a recording from being spooled far ahead of the store."),
    ROW(U64, batch_observations, 256, 1, BATCH_OBSERVATIONS_MAX,
        "Observations a batch at most: more costs less each, less is applied sooner."),
    ROW(U64, batch_bytes, 64 * 1024, 8192, BATCH_BODY_MAX, "Bytes of a batch's body at most."),
    ROW(U64, batch_linger_ms, 200, 1, 60000,
        "Milliseconds an unfinished batch waits for more: longer makes fuller batches, later."),
    ROW(U64, idle_batch_ms, 5000, 100, 600000,
        "With nothing to report, a batch with the watermark alone is spooled so often: shorter "
        "settles encounters sooner."),
    ROW(U64, commit_batches, 256, 1, 4096,
        "Batches written to the spool in one go at most: more is faster, each go costs one sync."),
    ROW(U64, clock_error_ms, 50, 0, 60000,
        "How wrong this gateway's clock may be; stated in each batch, widens the guard band."),
    ROW(CHOICE, legal_most, LEGAL_P2, legal_names,
        "Measures of a higher legal class are refused here already and counted."),
    ROW(PATH, pseudonym_key, "pseudonym.key",
        "File of the key that turns employees into pseudonyms; made at the first start. It never "
        "leaves this machine; the gateways of a branch that name employees share it."),
    ROW(CHOICE, pseudonym_period, PSEUDONYM_MONTH, period_names,
        "How long an employee keeps a pseudonym: longer shows more about one person."),
    ROW(U64, window_most, 256, 1, 4096, "Batches sent and unanswered at most."),
    ROW(U64, answer_timeout_ms, 10000, 100, 600000,
        "Milliseconds without an answer after which the gateway asks where the store stands."),
    ROW(U64, idle_ask_ms, 10000, 100, 3600000,
        "An idle gateway asks so often: shorter notices a store that fell back sooner."),
    ROW(U64, refused_wait_ms, 30000, 100, 3600000, "Pause after a refusal."),
    ROW(U64, backoff_most_ms, 60000, 100, 3600000, "Pauses between tries double up to this."),
    ROW(BOOL, exit_at_end, false,
        "Exit when all drivers have ended and the store has applied everything; otherwise stay, to "
        "heal a store that falls back."),
    ROW(TEXT, presence_measure, "",
        "Without a queue system: the measure of a distance, such as distance.client, by which "
        "somebody at a counter becomes an encounter; empty: others tell of encounters."),
    ROW(DOUBLE, presence_enter_m, 1.5, 0.1, 100,
        "Metres nearer than which somebody comes: lower leaves out who passes by."),
    ROW(U64, presence_enter_ms, 3000, 0, 600000,
        "Milliseconds that they stay before it is an encounter, which began when they came."),
    ROW(DOUBLE, presence_leave_m, 2.5, 0.1, 100,
        "Metres beyond which they have left, not below presence_enter_m: higher lets them step "
        "back."),
    ROW(U64, presence_leave_ms, 10000, 1000, 3600000,
        "Milliseconds after which whoever left, or is not seen, has gone, as of when they were "
        "seen last: longer bridges more, and makes one encounter of two that follow sooner."),
    ROW(DOUBLE, presence_confidence, 0.5, 0, 1, "Samples less sure than this are not looked at."),
    ROW(TEXT, presence_offering, "",
        "The offering of these encounters, by which standards apply to them; empty: none."),
    ROW(TREE, drivers, true, "List of drivers: each entry has `driver:` and that one's settings."),
    SETTINGS_END};

/// What stands in every entry besides the driver's own settings.
struct entry_settings {
    char driver[SETTING_TEXT_SIZE], name[ID_MAX + 1];
};
static const struct setting entry_rows[] = {
    SETTING_TEXT(struct entry_settings, driver, NULL, "Which driver; see the list."),
    SETTING_TEXT(struct entry_settings, name, "",
                 "Its name in logs, and the one its place in a recording is kept under; default: "
                 "the driver's."),
    SETTINGS_END};

static const struct driver *driver_named(const struct node *entry, struct problems *problems) {
    const char *text;
    const struct node *node = node_need(entry, "driver", problems);
    if (!node_text(node, 1, SETTING_TEXT_SIZE - 1, &text, problems)) return NULL;
    const struct driver *driver = driver_find(text, strlen(text));
    if (driver) return driver;
    const char *names[DRIVERS_MAX + 1] = {0};
    for (size_t i = 0; i < DRIVERS_MAX && driver_at(i); i++)
        names[i] = driver_at(i)->name;
    const char *near = nearest_name(text, names);
    node_problem(node, problems, ERR_MISSING, "there is no driver '%s'; %s%s", text,
                 near ? "perhaps " : "--help lists them", near ? near : "");
    return NULL;
}

static bool entry_name_taken(const struct driver_entries *entries, const struct id *name) {
    for (size_t i = 0; i < entries->count; i++)
        if (id_equal(&entries->items[i].name, name)) return true;
    return false;
}

static bool entry_read(const struct node *node, struct driver_entries *entries,
                       struct problems *problems) {
    if (!node_any_map(node, problems)) return false;
    const struct driver *driver = driver_named(node, problems);
    if (!driver) return false;
    struct driver_entry *entry = &entries->items[entries->count];
    *entry = (struct driver_entry){.driver = driver};
    entry->settings = calloc(1, driver->settings_size ? driver->settings_size : 1);
    if (!entry->settings) {
        node_problem(node, problems, ERR_NOMEM, "out of memory");
        return false;
    }

    struct entry_settings common;
    const struct settings_table tables[] = {{entry_rows, &common},
                                            {driver->settings, entry->settings}};
    bool read = settings_read(node, tables, 2, problems);
    const char *name = common.name[0] ? common.name : driver->name;
    if (!id_set(&entry->name, name, strlen(name))) {
        node_problem(node, problems, ERR_FORMAT, "name: '%s' is not [a-z0-9-]{1,32}", name);
        read = false;
    } else if (entry_name_taken(entries, &entry->name)) {
        node_problem(node, problems, ERR_CONFLICT,
                     "two drivers are named '%s'; give one of them another `name:`", name);
        read = false;
    }
    entries->count++; // even if not well read: its settings must be freed
    return read;
}

bool driver_entries_read(const struct node *drivers, struct driver_entries *entries,
                         struct problems *problems) {
    *entries = (struct driver_entries){0};
    if (!node_list(drivers, 1, DRIVERS_MAX, problems)) return false;
    bool read = true;
    for (const struct node *node = drivers->first; node; node = node->next)
        read = entry_read(node, entries, problems) && read;
    return read;
}

void driver_entries_free(struct driver_entries *entries) {
    for (size_t i = 0; i < entries->count; i++)
        free(entries->items[i].settings);
    entries->count = 0;
}

const struct command_short driver_shorts[] = {
    {"--driver", "NAME", "drivers=[{driver: %s}]",
     "short for a file with this one driver; its settings are drivers.0.KEY"},
    {0}};

void driver_entries_help(FILE *out, bool yaml) {
    const struct driver *driver;
    for (size_t i = 0; (driver = driver_at(i)); i++) {
        if (yaml) {
            fprintf(out, "# %s\n# - driver: %s\n", driver->text, driver->name);
            continue;
        }
        fprintf(out, "\nDriver %s: %s\n", driver->name, driver->text);
        settings_help(driver->settings, out);
    }
}
