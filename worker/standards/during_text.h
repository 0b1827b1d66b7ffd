#pragma once
// When a standard looks, as people say it.

#include "worker/standards/standard.h"

#include "common/base/bytes.h"

/// "from the start of service to the first account_talk (audio.phrase)", in German ("de") or
/// English ("en").
void during_text_put(struct buffer *out, const struct during *during, const char *language);
