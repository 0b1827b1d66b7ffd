// tresenctl confirm | excuse | dispute | withdraw [BRANCH] ENCOUNTER STANDARD --reason TEXT
//
// A decision is taken when it is in the office's file, on the disk: the office's gateway reads the
// file and sends it like any other gateway, so that a store that fell back decides the same again.

#include "common/io/clock.h"
#include "common/registry/branches.h"
#include "common/settings/file.h"
#include "ops/ctl/card.h"
#include "worker/core/settle.h"
#include "worker/store/decisions.h"
#include "worker/store/record.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 10000, LOOK_MS = 100 };

/// "KIND BRANCH ENCOUNTER STANDARD", by whom and why. false: said why not.
static bool read_words(const struct ctl *ctl, enum decision_kind kind, struct decision *decision) {
    char *const *words = ctl->arguments + ctl->count - 2;
    const struct passwd *user = ctl->by ? NULL : getpwuid(getuid());
    const char *by = ctl->by ? ctl->by : user ? user->pw_name : "";
    *decision = (struct decision){.kind = kind, .decided_ms = clock_utc_ms()};
    if (!name_set(&decision->encounter, words[0], strlen(words[0])) ||
        !name_set(&decision->standard, words[1], strlen(words[1]))) {
        ctl_fail("%s, %s: not the names of an encounter and a standard", words[0], words[1]);
        return false;
    }
    if (!name_set(&decision->by, by, strlen(by))) {
        ctl_fail("--by %s: who decides is a name of A-Z, a-z, 0-9 and _.:-, at most 64", by);
        return false;
    }
    if (!ctl->reason || !decision_reason_valid(ctl->reason, strlen(ctl->reason))) {
        ctl_fail("--reason: say why, in 1 to 200 bytes on one line");
        return false;
    }
    memcpy(decision->reason, ctl->reason, strlen(ctl->reason));
    return true;
}

/// Whether the branch has an office whose gateway could bring decisions. false: said why not.
static bool has_office(const struct ctl *ctl, const char *branch_name) {
    static struct problems problems;
    struct branches branches = {0};
    struct id id = {0};
    char folder[PATH_SIZE];
    bool has = false;
    if (!path_join(ctl->settings.config_dir, "branches", folder, sizeof folder, &problems) ||
        !branches_load(folder, &branches, &problems)) {
        problems_print(&problems, stderr);
        return false;
    }
    const struct branch *branch =
        id_set(&id, branch_name, strlen(branch_name)) ? branches_find(&branches, &id) : NULL;
    for (size_t i = 0; branch && i < branch->gateway_count; i++)
        has |= branch->gateways[i].office;
    if (!has)
        ctl_fail("branch %s has no office: add '- gateway: office' with 'office: true' to the "
                 "gateways in %s/%s.yaml, and start it",
                 branch_name, folder, branch_name);
    branches_free(&branches);
    return has;
}

/// Whether the kept verdicts have the standard, and with an outcome. false: said why not.
static bool can_be_decided(struct bytes verdicts, const struct decision *decision) {
    struct reader reader = reader_of(verdicts);
    struct verdicts_head head;
    static struct verdict_entry entry;
    if (verdicts.size == 0) return true; // it is not judged yet: the decision waits for that
    enum err err = verdicts_read(&reader, &head);
    for (size_t i = 0; !err && i < head.count; i++) {
        err = verdicts_next(&reader, &entry);
        if (err || !name_equal(&entry.standard, &decision->standard)) continue;
        enum verdict verdict =
            entry.judgement.decided ? entry.judgement.found.verdict : entry.judgement.verdict;
        bool outcome =
            verdict == VERDICT_MET || verdict == VERDICT_PARTLY_MET || verdict == VERDICT_NOT_MET;
        if (!outcome)
            ctl_fail("%s is %s there: only what is met, partly_met or not_met can be decided about",
                     decision->standard.text, verdict_name(verdict));
        return outcome;
    }
    ctl_fail("encounter %s was not judged by a standard %s; see tresenctl explain %s",
             decision->encounter.text, decision->standard.text, decision->encounter.text);
    return false;
}

/// Where and when the encounter was. false: said why not.
static bool look_up(struct store_link *link, const char *branch, struct decision *decision) {
    struct record record;
    redisReply *reply =
        store_key_ask(link, "HMGET % record verdicts", branch, "e:%s", decision->encounter.text);
    if (!reply) return false;
    struct bytes bytes = reply->elements == 2 ? reply_bytes(reply->element[0]) : (struct bytes){0};
    bool known = bytes.size > 0 && record_read(bytes, &record) == ERR_NONE;
    if (!known)
        ctl_fail("branch %s has no encounter %s, or has sealed its day: it is too late then",
                 branch, decision->encounter.text);
    bool can = known && can_be_decided(reply_bytes(reply->element[1]), decision);
    if (can) {
        decision->counter = record.encounter.counter;
        decision->began_ms = encounter_begin_ms(&record.encounter);
    }
    freeReplyObject(reply);
    return can;
}

static int64_t stored_kind_ms(struct store_link *link, const char *branch,
                              const struct decision *decision) {
    static struct decision decisions[DECISIONS_MAX];
    size_t count = 0;
    int64_t at_ms = TIME_NONE;
    redisReply *reply =
        store_key_ask(link, "HGET % decisions", branch, "e:%s", decision->encounter.text);
    if (reply && !decisions_read(reply_bytes(reply), decisions, &count))
        for (size_t i = 0; i < count; i++)
            if (name_equal(&decisions[i].standard, &decision->standard) &&
                decisions[i].kind == decision->kind)
                at_ms = decisions[i].decided_ms;
    if (reply) freeReplyObject(reply);
    return at_ms;
}

/// Make the folder if need be, durably.
static bool make_folder(const char *folder) {
    if (mkdir(folder, 0750) && errno != EEXIST) return false;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    return synced;
}

/// The line behind all others, on the disk. A line torn by a crash ends before it.
static bool append(const char *path, const char *line) {
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) return false;
    char last = '\n', text[2048];
    bool locked = flock(fd, LOCK_EX) == 0;
    off_t size = lseek(fd, 0, SEEK_END);
    if (size > 0 && pread(fd, &last, 1, size - 1) != 1) size = -1;
    int length = snprintf(text, sizeof text, "%s%s\n", last == '\n' ? "" : "\n", line);
    bool fits = length > 0 && (size_t)length < sizeof text;
    bool ready = locked && size >= 0;
    if (ready) errno = fits ? ENOSPC : EMSGSIZE; // a short write sets nothing
    bool written = ready && fits && write(fd, text, (size_t)length) == length &&
                   fsync(fd) == 0;
    int saved = errno;
    close(fd);
    errno = saved;
    return written;
}

static json_t *decision_json(const char *branch, const struct decision *decision) {
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:I, s:s, s:s, s:s}", "encounter",
                     decision->encounter.text, "counter", decision->counter.text, "began",
                     (json_int_t)decision->began_ms, "standard", decision->standard.text,
                     "decision", decision_kind_name(decision->kind), "decided",
                     (json_int_t)decision->decided_ms, "by", decision->by.text, "why",
                     decision->reason, "branch", branch);
}

static bool take(const struct ctl *ctl, const char *branch, const json_t *json, char *path,
                 size_t size) {
    const char *folder = ctl->settings.decisions_dir;
    snprintf(path, size, "%s/%s.jsonl", folder, branch);
    char *line = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
    bool taken = line && make_folder(folder) && append(path, line) && make_folder(folder);
    free(line);
    if (!taken) ctl_fail("%s: %s; nothing was decided", path, strerror(errno));
    return taken;
}

/// Until the store has it.
static bool applied(const struct ctl *ctl, struct store_link *link, const char *branch,
                    const struct decision *decision) {
    double seconds = WAIT_MS / 1000.0;
    if (ctl->wait_s && !ctl_seconds(ctl, &seconds)) return false;
    for (double waited = 0;; waited += LOOK_MS / 1000.0) {
        if (stored_kind_ms(link, branch, decision) >= decision->decided_ms) return true;
        if (waited >= seconds) return false;
        usleep(LOOK_MS * 1000);
    }
}

static int decide_in(struct ctl *ctl, struct store_link *link, const char *branch,
                     struct decision *decision) {
    char path[2 * PATH_SIZE];
    if (!has_office(ctl, branch) || !look_up(link, branch, decision)) return CTL_FAILED;
    int64_t before_ms = stored_kind_ms(link, branch, decision);
    if (before_ms >= decision->decided_ms)
        decision->decided_ms = before_ms + 1; // a clock went back
    json_t *json = decision_json(branch, decision);
    if (!take(ctl, branch, json, path, sizeof path)) {
        json_decref(json);
        return CTL_FAILED;
    }
    bool is_applied = applied(ctl, link, branch, decision);
    if (ctl->json) {
        json_object_set_new(json, "applied", json_boolean(is_applied));
        return ctl_print_json(json);
    }
    json_decref(json);
    printf("%s %s of encounter %s, by %s: %s\n", decision_kind_name(decision->kind),
           decision->standard.text, decision->encounter.text, decision->by.text,
           is_applied ? "applied" : "taken, but not applied yet");
    if (!is_applied)
        printf("It is kept in %s, and is sent as soon as the office gateway of %s runs and reaches "
               "the system.\n",
               path, branch);
    return CTL_OK;
}

static int decide(struct ctl *ctl, enum decision_kind kind) {
    struct decision decision;
    if (!read_words(ctl, kind, &decision)) return CTL_FAILED;
    struct store_link *link = store_link_open(ctl);
    if (!link) return CTL_FAILED;
    char *found = ctl->count == 2 ? find_branch(ctl, link, decision.encounter.text) : NULL;
    const char *branch = ctl->count == 3 ? ctl->arguments[0] : found;
    int status = branch ? decide_in(ctl, link, branch, &decision) : CTL_FAILED;
    free(found);
    store_link_close(link);
    return status;
}

int ctl_confirm(struct ctl *ctl) {
    return decide(ctl, DECISION_CONFIRM);
}
int ctl_excuse(struct ctl *ctl) {
    return decide(ctl, DECISION_EXCUSE);
}
int ctl_dispute(struct ctl *ctl) {
    return decide(ctl, DECISION_DISPUTE);
}
int ctl_withdraw(struct ctl *ctl) {
    return decide(ctl, DECISION_WITHDRAW);
}
