#pragma once
// tresenctl: one command a file; what they share.

#include "common/base/bytes.h"
#include "common/settings/settings.h"

#include <hiredis/hiredis.h>
#include <jansson.h>

struct ctl_settings {
    char config_dir[PATH_SIZE], keys_dir[PATH_SIZE];
    struct setting_texts control_endpoint;
    char decisions_dir[PATH_SIZE];
    char redis_path[PATH_SIZE], redis_host[256], redis_user[64], redis_password_file[PATH_SIZE];
    uint64_t redis_port, answer_ms, retention_days, spool_days;
};
extern const struct setting ctl_settings[];

/// The command line, read.
struct ctl {
    struct ctl_settings settings;
    bool json;             // --json
    bool published;        // --published
    const char *day;       // --day, or NULL
    const char *from;      // --from, or NULL
    const char *dir;       // --dir, or NULL
    const char *lang;      // --lang, or NULL
    const char *wait_s;    // --seconds, or NULL
    const char *recording; // --recording, or NULL
    const char *reason;    // --reason, or NULL
    const char *by;        // --by, or NULL
    int count;             // arguments of the command
    char **arguments;
};

enum { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

struct ctl_command {
    const char *words;     // "standards list": one word or two
    const char *arguments; // "BRANCH [--day DAY]"
    const char *summary;
    int least, most; // arguments
    int (*run)(struct ctl *ctl);
};
extern const struct ctl_command ctl_commands[]; // ended by NULL words

/// "tresenctl: sentence" on stderr; returns CTL_FAILED.
int ctl_fail(const char *format, ...) PRINTF_LIKE(1, 2);
/// The number of --seconds; without it more than there will ever be. false: it is none, told.
bool ctl_seconds(const struct ctl *ctl, double *seconds);
/// Print a JSON document with a newline and release it; CTL_OK, or why it was not.
int ctl_print_json(json_t *json);

int ctl_status(struct ctl *ctl);
int ctl_gateways(struct ctl *ctl);
int ctl_tap(struct ctl *ctl);
int ctl_wait(struct ctl *ctl);
int ctl_drain(struct ctl *ctl);
int ctl_doctor(struct ctl *ctl);
int ctl_scorecard(struct ctl *ctl);
int ctl_explain(struct ctl *ctl);
int ctl_confirm(struct ctl *ctl);
int ctl_excuse(struct ctl *ctl);
int ctl_dispute(struct ctl *ctl);
int ctl_withdraw(struct ctl *ctl);
int ctl_audit(struct ctl *ctl);
int ctl_dead_list(struct ctl *ctl);
int ctl_dead_show(struct ctl *ctl);
int ctl_dead_replay(struct ctl *ctl);
int ctl_dead_drop(struct ctl *ctl);
int ctl_seal(struct ctl *ctl);
int ctl_rebuild(struct ctl *ctl);
int ctl_keys_new(struct ctl *ctl);
int ctl_standards_check(struct ctl *ctl);
int ctl_standards_list(struct ctl *ctl);
int ctl_standards_explain(struct ctl *ctl);
int ctl_standards_trace(struct ctl *ctl);
int ctl_standards_test(struct ctl *ctl);
int ctl_standards_diff(struct ctl *ctl);
int ctl_standards_notice(struct ctl *ctl);
int ctl_standards_try(struct ctl *ctl);
int ctl_standards_publish(struct ctl *ctl);
int ctl_standards_published(struct ctl *ctl);
int ctl_standards_phrases(struct ctl *ctl);
