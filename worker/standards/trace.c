#include "worker/standards/during_text.h"
#include "worker/standards/figure_text.h"
#include "worker/standards/sentence.h"

#include <string.h>

static void line(struct buffer *out, const char *what, const char *id, const struct words *text,
                 const char *language) {
    const char *pieces[] = {what, id, ": ", strcmp(language, "de") == 0 ? text->de : text->en,
                            "\n"};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        buffer_put(out, pieces[i], strlen(pieces[i]));
}

bool standards_trace(const struct standards *standards, const char *id, size_t size,
                     const char *language, struct buffer *out) {
    for (size_t i = 0; i < standards->rule_count; i++) {
        const struct rule *rule = &standards->rules[i];
        const struct standard *standard = &rule->standard;
        if (strlen(standard->id.text) != size || memcmp(standard->id.text, id, size) != 0) continue;
        const struct statement *norm = statements_find(&standards->norms, &standard->norm);
        const struct statement *value = statements_find(&standards->values, &standard->value);
        figure_text_words(out, "standard ");
        figure_text_words(out, standard->id.text);
        figure_text_words(out, ": ");
        sentence_put(out, strcmp(language, "de") == 0 ? rule->text.de : rule->text.en, standard,
                     language);
        figure_text_words(out, "\n");
        if (standard->checks.count == 0 && standard->during.phase == PHASE_SPAN) {
            figure_text_words(out, "during: ");
            during_text_put(out, &standard->during, language);
            figure_text_words(out, "\n");
        }
        line(out, "norm ", norm->id.text, &norm->text, language);
        line(out, "value ", value->id.text, &value->text, language);
        return !out->failed;
    }
    return false;
}
