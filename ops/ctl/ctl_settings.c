#include "ops/ctl/ctl.h"

const struct setting ctl_settings[] = {
    SETTING_PATH(struct ctl_settings, config_dir, "config",
                 "Folder of measures, branches, values, norms and standards."),
    SETTING_PATH(struct ctl_settings, keys_dir, "keys",
                 "Folder in which keys are made, unless --dir says another."),
    SETTING_PATH(struct ctl_settings, decisions_dir, "decisions",
                 "Folder of the decisions of people, a file a branch; the office gateways read "
                 "there. Keep it: it is the only copy beside their spools."),
    SETTING_ONE_OR_MORE(struct ctl_settings, control_endpoint, "ipc:///run/tresen/control",
                        "The broker's control endpoint; of several brokers a list with that of "
                        "each, so that status, gateways, wait, rebuild and audit know of all "
                        "gateways."),
    SETTING_PATH(struct ctl_settings, redis_path, "",
                 "Unix socket of Redis; empty: redis_host and redis_port."),
    SETTING_TEXT(struct ctl_settings, redis_host, "127.0.0.1",
                 "Name or address of Redis, where redis_path is empty."),
    SETTING_U64(struct ctl_settings, redis_port, 6379, 1, 65535,
                "Port of Redis, where redis_path is empty."),
    SETTING_TEXT(struct ctl_settings, redis_user, "",
                 "User in Redis' access list; empty: the default user."),
    SETTING_PATH(struct ctl_settings, redis_password_file, "",
                 "File whose first line is the password for Redis; empty: none is sent."),
    SETTING_U64(struct ctl_settings, answer_ms, 3000, 100, 60000,
                "Milliseconds to wait for an answer of the broker or of Redis."),
    SETTING_U64(struct ctl_settings, retention_days, 90, 1, 3650,
                "Days after which seal removes what is known of single encounters: what law or "
                "agreement allow at most. Sums stay."),
    SETTING_U64(struct ctl_settings, spool_days, 7, 1, 3650,
                "Days that every gateway's spool goes back (its spool_retention_ms): rebuild empties "
                "no older ones."),
    SETTINGS_END};
