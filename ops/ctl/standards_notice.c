// tresenctl standards notice: what is measured and judged in a branch, for those who work there.

#include "ops/ctl/notice_json.h"
#include "worker/standards/during_text.h"
#include "worker/standards/figure_text.h"

#include <string.h>

enum { FIGURE_SIZE = 128, DURING_SIZE = 1024 };

/// The sentences around the standards' own, in one language.
struct phrases {
    const char *title, *judged, *trial, *idle, *norm, *value, *bound, *band, *least, *most,
        *watched, *clock, *when, *several, *evidence, *attribution, *none, *kept, *spooled,
        *settled, *never, *origin;
    const char *dimensions[DIMENSION_COUNT], *attributions[ATTRIBUTION_COUNT];
    const char *idle_reasons[REASON_COUNT], *statistics[STATISTIC_COUNT];
};

static const struct phrases german = {
    .title = "Was in der Filiale %s gemessen und beurteilt wird",
    .judged = "Beurteilt wird",
    .trial = "Erprobt wird: beurteilt, aber nicht gezählt",
    .idle = "Nicht beurteilt wird hier",
    .norm = "Norm",
    .value = "Wert",
    .bound = "Grenze",
    .band = "Bereich",
    .least = "mindestens",
    .most = "höchstens",
    .watched = "Gemessen durch",
    .clock = "die Zeiten des Vorgangs selbst, ohne Sensor",
    .when = "Wann",
    .several = "mehrere Prüfungen zusammen",
    .evidence = "Beurteilt nur, wenn der Sensor mindestens %.0f %% der Zeit beobachtet hat",
    .attribution = "Beeinflussbar durch",
    .none = "nichts",
    .kept = "Wie lange etwas aufbewahrt wird",
    .spooled =
        "Messwerte: %llu Tage im Gerät der Filiale; sonst, bis der Vorgang abgeschlossen ist",
    .settled = "Einzelne Vorgänge und ihre Beurteilung: %llu Tage; danach bleiben nur Summen",
    .never = "Bilder und Tonaufnahmen: gar nicht",
    .origin = "Stand",
    .dimensions = {"Mimik und Gestik", "Wortwahl", "Abstand", "Erscheinung", "Zeit", "Sicherheit"},
    .attributions = {"Mitarbeiter", "Team", "Organisation und Technik", "Kunden"},
    .idle_reasons = {[REASON_AGREEMENT] = "keine Vereinbarung erlaubt es",
                     [REASON_FORBIDDEN] = "es ist verboten",
                     [REASON_SUSPENDED] = "es ist zurzeit ausgesetzt"},
    .statistics = {"Dauer", "Mittel", "kleinster Wert", "größter Wert", "Quantil",
                   "Anteil der Zeit im Bereich", "längste Zeit außerhalb des Bereichs", "Anzahl",
                   "Anzahl je Minute", "Zeit bis zum ersten Mal",
                   "Zeit vom letzten Mal bis zum Ende"},
};

static const struct phrases english = {
    .title = "What is measured and judged in the branch %s",
    .judged = "Judged are",
    .trial = "On trial are: judged, but not counted",
    .idle = "Not judged here are",
    .norm = "Norm",
    .value = "Value",
    .bound = "Bound",
    .band = "Band",
    .least = "at least",
    .most = "at most",
    .watched = "Measured by",
    .clock = "the encounter's own times, without a sensor",
    .when = "When",
    .several = "several checks together",
    .evidence = "Judged only if the sensor watched at least %.0f %% of the time",
    .attribution = "Can be influenced by",
    .none = "nothing",
    .kept = "How long it is kept",
    .spooled =
        "Measured values: %llu days in the branch's device; elsewhere until the encounter is "
        "final",
    .settled = "Single encounters and how they were judged: %llu days; then only sums stay",
    .never = "Pictures and sound: not at all",
    .origin = "As of",
    .dimensions = {"Expression", "Wording", "Distance", "Appearance", "Time", "Safety"},
    .attributions = {"employees", "the team", "organisation and machines", "clients"},
    .idle_reasons = {[REASON_AGREEMENT] = "no agreement permits it",
                     [REASON_FORBIDDEN] = "it is forbidden",
                     [REASON_SUSPENDED] = "it is suspended for a while"},
    .statistics = {"duration", "mean", "least value", "greatest value", "quantile",
                   "share of the time in the band", "longest time outside the band", "count",
                   "count a minute", "time until the first", "time from the last to the end"},
};

/// Whose notice is printed.
struct page {
    const struct phrases *phrases;
    const char *language;
    const struct measure_catalogue *measures;
    const json_t *set;
};

static const char *text_of(const json_t *item, const char *language) {
    const char *text = json_string_value(json_object_get(json_object_get(item, "text"), language));
    return text ? text : "";
}

/// The text of the norm or value (`list`) with this id.
static const char *statement(const json_t *set, const char *list, const json_t *id,
                             const char *language) {
    const json_t *item;
    size_t i;
    json_array_foreach(json_object_get(set, list), i, item) {
        if (json_equal(json_object_get(item, "id"), id)) return text_of(item, language);
    }
    return "";
}

static void print_end(const char *word, double value, const char *unit, const char *language) {
    struct buffer figure;
    buffer_init(&figure, FIGURE_SIZE);
    figure_text_put(&figure, value, unit, language);
    printf(" %s %.*s", word, (int)figure.size, (const char *)figure.data);
    buffer_fini(&figure);
}

/// "Bound: at least 0.45 metres"; nothing where both ends are open.
static void print_bounds(const struct page *page, const char *what, struct bounds bounds,
                         double step, const char *unit) {
    bool least = bounds.least != BOUND_OPEN_LEAST, most = bounds.most != BOUND_OPEN_MOST;
    if (!least && !most) return;
    printf("  - %s:", what);
    if (least) print_end(page->phrases->least, (double)bounds.least * step, unit, page->language);
    if (least && most) putchar(',');
    if (most) print_end(page->phrases->most, (double)bounds.most * step, unit, page->language);
    putchar('\n');
}

static void print_during(const struct phrases *phrases, const struct standard *standard,
                         const char *language) {
    struct buffer text;
    buffer_init(&text, DURING_SIZE);
    during_text_put(&text, &standard->during, language);
    printf("  - %s: %.*s\n", phrases->when, (int)text.size, (const char *)text.data);
    buffer_fini(&text);
}

/// "Distance between employee and client (distance.client: LABELS)".
static void print_measure(const struct page *page, const struct measure *measure,
                          const struct name *labels, size_t label_count) {
    const struct measure_catalogue *all = page->measures;
    const struct measure *found =
        measures_find(&all->measures, measure->id.text, strlen(measure->id.text));
    const struct measure_text *text = found ? &all->texts[found - all->measures.items] : NULL;
    if (text) printf("%s (", strcmp(page->language, "de") == 0 ? text->de : text->en);
    printf("%s", measure->id.text);
    for (size_t i = 0; i < label_count; i++)
        printf("%s%s", i == 0 ? ": " : ", ", labels[i].text);
    if (text) putchar(')');
}

static bool listed(const struct standard *standard, size_t before, const struct measure *measure) {
    const struct measure *other;
    for (size_t at = 0; at < before && (other = standard_next_measure(standard, &at)) != NULL;)
        if (at <= before && other->key == measure->key) return true;
    return false;
}

/// Of several checks: each measure once.
static void print_measures(const struct page *page, const struct standard *standard) {
    const struct measure *measure;
    bool first = true;
    for (size_t at = 0, before = 0; (measure = standard_next_measure(standard, &at)); before = at) {
        if (listed(standard, before, measure)) continue;
        printf("%s ", first ? ":" : ";");
        print_measure(page, measure, NULL, 0);
        first = false;
    }
    if (first) printf(": %s", page->phrases->clock);
    putchar('\n');
}

static void print_measured(const struct page *page, const struct standard *standard) {
    const struct phrases *phrases = page->phrases;
    if (standard->checks.count > 0) {
        printf("  - %s: %s", phrases->watched, phrases->several);
        print_measures(page, standard);
        return;
    }
    print_during(phrases, standard, page->language);
    print_bounds(page, phrases->bound, standard->bound, standard->step, standard->unit);
    if (standard->statistic == STATISTIC_DURATION) {
        printf("  - %s: %s\n", phrases->watched, phrases->clock);
        return;
    }
    print_bounds(page, phrases->band, standard->band, standard->measure.resolution,
                 standard->measure.unit);
    printf("  - %s: ", phrases->watched);
    print_measure(page, &standard->measure, standard->labels, standard->label_count);
    printf(", %s", phrases->statistics[standard->statistic]);
    if (standard->statistic == STATISTIC_QUANTILE) printf(" %u %%", standard->percent);
    printf("\n  - ");
    printf(phrases->evidence, standard->least_coverage_millionths / 1e4);
    putchar('\n');
}

/// How the sentence reads for offerings that have figures of their own.
static void print_variants(const struct page *page, const json_t *item) {
    const json_t *variant, *offering;
    size_t i, k;
    json_array_foreach(json_object_get(item, "variants"), i, variant) {
        if (!json_object_get(variant, "text")) continue;
        json_array_foreach(json_object_get(variant, "offerings"), k, offering)
            printf("  - %s: %s\n", statement(page->set, "offerings", offering, page->language),
                   text_of(variant, page->language));
    }
}

static void print_standard(const struct page *page, const json_t *item,
                           const struct standard *standard) {
    const struct phrases *phrases = page->phrases;
    printf("- %s\n", text_of(item, page->language));
    print_variants(page, item);
    printf("  - %s: %s\n", phrases->norm,
           statement(page->set, "norms", json_object_get(item, "norm"), page->language));
    printf("  - %s: %s\n", phrases->value,
           statement(page->set, "values", json_object_get(item, "value"), page->language));
    print_measured(page, standard);
    printf("  - %s: %s\n", phrases->attribution, phrases->attributions[standard->attribution]);
}

/// What is judged and has this status, by dimension.
static void print_judged(const struct page *page, const struct standard_set *set, const char *title,
                         enum standard_status status) {
    bool titled = false;
    for (int d = 0; d < DIMENSION_COUNT; d++) {
        bool headed = false;
        for (size_t i = 0; i < set->count; i++) {
            const struct standard *standard = &set->items[i];
            if ((int)standard->dimension != d || !standard->permitted || standard->status != status)
                continue;
            if (!titled) printf("\n## %s\n", title);
            if (!headed) printf("\n### %s\n\n", page->phrases->dimensions[d]);
            titled = headed = true;
            print_standard(page, json_array_get(json_object_get(page->set, "standards"), i),
                           standard);
        }
    }
}

static void print_idle(const struct phrases *phrases, const char *language, const json_t *items,
                       const struct standard_set *set) {
    size_t idle = 0;
    printf("\n## %s\n\n", phrases->idle);
    for (size_t i = 0; i < set->count; i++) {
        const struct standard *standard = &set->items[i];
        if (standard->permitted) continue;
        printf("- %s (%s)\n", text_of(json_array_get(items, i), language),
               phrases->idle_reasons[standard->barred_by]);
        idle++;
    }
    if (idle == 0) printf("- %s\n", phrases->none);
}

static void print_kept(const struct phrases *phrases, const struct ctl_settings *settings) {
    printf("\n## %s\n\n- ", phrases->kept);
    printf(phrases->spooled, (unsigned long long)settings->spool_days);
    printf("\n- ");
    printf(phrases->settled, (unsigned long long)settings->retention_days);
    printf("\n- %s\n", phrases->never);
}

static void print_notice(const struct phrases *phrases, const struct notice *notice) {
    json_t *text = json_loadb(notice->set->json, notice->set->json_size, 0, NULL);
    printf("# ");
    printf(phrases->title, notice->branch);
    putchar('\n');
    struct page page = {phrases, notice->language, &notice->shown->catalogue.measures, text};
    print_judged(&page, notice->set, phrases->judged, STATUS_ACTIVE);
    print_judged(&page, notice->set, phrases->trial, STATUS_SHADOW);
    print_idle(phrases, notice->language, json_object_get(text, "standards"), notice->set);
    print_kept(phrases, notice->settings);
    printf("\n%s %s: ", phrases->origin, notice->day);
    shown_print(notice->shown, stdout);
    putchar('\n');
    json_decref(text);
}

int ctl_standards_notice(struct ctl *ctl) {
    struct shown shown;
    const char *language = sets_language(ctl), *branch = ctl->arguments[0];
    size_t at;
    int32_t day;
    if (!language) return CTL_FAILED;
    bool done = shown_open(ctl, branch, SHOWN_IN_FORCE, &shown) &&
                sets_branch(&shown.catalogue, branch, &at) &&
                sets_day(ctl, &shown.catalogue.branches.items[at], &day);
    if (done) {
        struct notice notice = {.shown = &shown,
                                .settings = &ctl->settings,
                                .branch = branch,
                                .language = language,
                                .set = standards_plan_at(&shown.catalogue.plans[at], day)};
        day_text(day, notice.day);
        if (ctl->json)
            ctl_print_json(notice_json(&notice));
        else
            print_notice(strcmp(language, "de") == 0 ? &german : &english, &notice);
    }
    shown_close(&shown);
    return done ? CTL_OK : CTL_FAILED;
}
