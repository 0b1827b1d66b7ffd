#pragma once
// What the parts of the store model share; only store_model*.c reads it. Calls answer NULL, or why
// they failed.
//
//   store_model.c         a branch in memory, configure, ask
//   store_model_ingest.c  what gateways bring
//   store_model_settle.c  what is judged
//   store_model_days.c    days that are sealed or emptied

#include "tests/simulation/store_model.h"

#define NONE (-1)
#define NEVER (INT64_C(1) << 53)

enum { MINUTE = 60000, TICK = 1000, TICK_MAX = 60000 };
enum status { OK, UNCONFIGURED, UNFIT, LATER, FENCED, STALE };
enum outcome_code { OUTCOME_IS_NORMAL = 1, OUTCOME_IS_TIMEOUT = 5 };

bool model_same_text(const struct model_text *a, const struct model_text *b);
struct model_text model_read_text(struct reader *in);
void model_put_text(struct buffer *out, const struct model_text *text);
int64_t model_read_time(struct reader *in);
void model_read_raw(struct reader *in, void *to, size_t size);
bool model_at_end(const struct reader *in);
int64_t model_floor_minute(int64_t at);
size_t model_counter_at(const struct model *m, const struct model_text *id);
bool model_leased(const struct model_encounter *e);
int64_t model_begin_of(const struct model_encounter *e);
int64_t model_end_of(const struct model_encounter *e);
bool model_alive(const struct model_encounter *e);
bool model_holds_back(const struct model *m, const struct model_gateway *g);
int64_t model_slowest(const struct model *m, size_t counter);
void model_touch(struct model *m, struct model_encounter *e, int64_t now);
struct model_encounter *model_find_encounter(struct model *m, const struct model_text *id);
void model_bound_length(const struct model *m, struct model_encounter *e);
void model_move_on(struct model *m, struct model_encounter *e, int64_t now);
void model_advance(struct model *m, int64_t now);
void model_write_branch(struct model *m);
void model_put_head(const struct model *m, enum status status, int64_t now, struct buffer *out);
void model_begin_spool(struct model *m, struct model_gateway *g); // it tells all once more
void model_put_position(const struct model_gateway *g, struct buffer *out);
const char *model_ingest(struct model *m, struct reader *in, int64_t now, struct buffer *out);
const char *model_take(struct model *m, struct reader *in, int64_t now, struct buffer *out);
const char *model_give_back(struct model *m, struct reader *in, int64_t now, struct buffer *out);
const char *model_settle(struct model *m, struct reader *in, int64_t now, struct buffer *out);
const char *model_seal(struct model *m, struct reader *in, int64_t now, struct buffer *out);
const char *model_rebuild(struct model *m, struct reader *in, int64_t now, struct buffer *out);
void model_forget_lease(struct model *m, const uint8_t lease[8]); // it was perhaps taken alone
void model_forget_tries(struct model *m, struct model_encounter *e);
void model_tidy_decisions(struct model *m);
/// cells += sign * the encounter's contribution. false: it is malformed.
bool model_add_to_cells(struct model *m, const struct model_encounter *e, int64_t sign);
