#include "worker/standards/during_text.h"

#include "worker/standards/figure_text.h"

#include <math.h>

/// German in the dative, behind `von`, `bis zu`, `vor` and `nach`.
static const struct tongue {
    const char *phases[PHASE_SPAN], *instants[ANCHOR_ENDED + 1];
    const char *from, *to, *to_moved, *before, *after, *first, *last, *any, * or ;
} german =
    {
        .phases = {"beim Warten", "zu Beginn der Bedienung", "während der Bedienung",
                   "am Ende der Bedienung"},
        .instants = {"der Ankunft des Kunden", "dem Aufruf", "dem Beginn der Bedienung", NULL,
                     "dem Ende"},
        .from = "von ",
        .to = " bis zu ",
        .to_moved = " bis ",
        .before = " vor ",
        .after = " nach ",
        .first = "dem ersten Ereignis ",
        .last = "dem letzten Ereignis ",
        .any = "von ",
        .or = " oder ",
},
  english = {
      .phases = {"while waiting", "at the beginning of the service", "during service",
                 "at the end of the service"},
      .instants = {"the client's arrival", "the call", "the start of service", NULL, "the end"},
      .from = "from ",
      .to = " to ",
      .to_moved = " to ",
      .before = " before ",
      .after = " after ",
      .first = "the first ",
      .last = "the last ",
      .any = "event of ",
      .or = " or ",
};

static void put_event(struct buffer *out, const struct anchor *anchor,
                      const struct tongue *tongue) {
    const char *measure = anchor->measure.id.text;
    figure_text_words(out, anchor->last ? tongue->last : tongue->first);
    for (size_t i = 0; i < anchor->label_count; i++) {
        if (i > 0) figure_text_words(out, tongue->or);
        figure_text_words(out, anchor->labels[i].text);
    }
    figure_text_words(out, anchor->label_count > 0 ? " (" : tongue->any);
    figure_text_words(out, measure);
    if (anchor->label_count > 0) figure_text_words(out, ")");
}

/// The anchor, and how far from it the span begins or ends.
static void put_anchor(struct buffer *out, const struct anchor *anchor, const struct tongue *tongue,
                       const char *language) {
    if (anchor->offset_ms != 0) {
        figure_text_put(out, fabs(anchor->offset_ms / 1000.0), "s", language);
        figure_text_words(out, anchor->offset_ms < 0 ? tongue->before : tongue->after);
    }
    if (anchor->kind == ANCHOR_EVENT)
        put_event(out, anchor, tongue);
    else
        figure_text_words(out, tongue->instants[anchor->kind]);
}

void during_text_put(struct buffer *out, const struct during *during, const char *language) {
    const struct tongue *tongue = strcmp(language, "de") == 0 ? &german : &english;
    if (during->phase != PHASE_SPAN) {
        figure_text_words(out, tongue->phases[during->phase]);
        return;
    }
    figure_text_words(out, tongue->from);
    put_anchor(out, &during->from, tongue, language);
    figure_text_words(out, during->to.offset_ms == 0 ? tongue->to : tongue->to_moved);
    put_anchor(out, &during->to, tongue, language);
}
