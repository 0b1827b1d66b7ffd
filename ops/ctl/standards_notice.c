// tresenctl standards notice: what is measured and judged in a branch, for those who work there.

#include "ops/ctl/notice_json.h"
#include "worker/standards/during_text.h"
#include "worker/standards/figure_text.h"

#include <string.h>

enum { FIGURE_SIZE = 128, DURING_SIZE = 1024 };

/// The sentences around the standards' own, in one language.
struct phrases {
    const char *title, *judged, *trial, *idle, *norm, *value, *bound, *least, *most, *watched,
        *clock, *when, *several, *evidence, *attribution, *none, *kept, *spooled, *settled, *never,
        *origin;
    const char *dimensions[DIMENSION_COUNT], *attributions[ATTRIBUTION_COUNT];
    const char *idle_reasons[REASON_COUNT];
};

static const struct phrases german = {
    .title = "Was in der Filiale %s gemessen und beurteilt wird",
    .judged = "Beurteilt wird",
    .trial = "Erprobt wird: beurteilt, aber nicht gezählt",
    .idle = "Nicht beurteilt wird hier",
    .norm = "Norm",
    .value = "Wert",
    .bound = "Grenze",
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
};

static const struct phrases english = {
    .title = "What is measured and judged in the branch %s",
    .judged = "Judged are",
    .trial = "On trial are: judged, but not counted",
    .idle = "Not judged here are",
    .norm = "Norm",
    .value = "Value",
    .bound = "Bound",
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

static void print_end(const char *word, int64_t steps, const struct standard *standard,
                      const char *language) {
    struct buffer figure;
    buffer_init(&figure, FIGURE_SIZE);
    figure_text_put(&figure, (double)steps * standard->step, standard->unit, language);
    printf(" %s %.*s", word, (int)figure.size, (const char *)figure.data);
    buffer_fini(&figure);
}

static void print_bound(const struct phrases *phrases, const struct standard *standard,
                        const char *language) {
    printf("  - %s:", phrases->bound);
    if (standard->bound.least != BOUND_OPEN_LEAST)
        print_end(phrases->least, standard->bound.least, standard, language);
    if (standard->bound.most != BOUND_OPEN_MOST)
        print_end(phrases->most, standard->bound.most, standard, language);
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

static void print_measured(const struct phrases *phrases, const struct standard *standard,
                           const char *language) {
    if (standard->checks.count == 0) print_during(phrases, standard, language);
    if (standard->checks.count > 0) {
        printf("  - %s: %s\n", phrases->watched, phrases->several);
    } else if (standard->statistic == STATISTIC_DURATION) {
        print_bound(phrases, standard, language);
        printf("  - %s: %s\n", phrases->watched, phrases->clock);
    } else {
        print_bound(phrases, standard, language);
        printf("  - %s: %s (%s)\n", phrases->watched, standard->measure.id.text,
               statistic_names[standard->statistic]);
        printf("  - ");
        printf(phrases->evidence, standard->least_coverage_millionths / 1e4);
        putchar('\n');
    }
}

/// How the sentence reads for offerings that have figures of their own.
static void print_variants(const char *language, const json_t *set, const json_t *item) {
    const json_t *variant, *offering;
    size_t i, k;
    json_array_foreach(json_object_get(item, "variants"), i, variant) {
        if (!json_object_get(variant, "text")) continue;
        json_array_foreach(json_object_get(variant, "offerings"), k, offering)
            printf("  - %s: %s\n", statement(set, "offerings", offering, language),
                   text_of(variant, language));
    }
}

static void print_standard(const struct phrases *phrases, const char *language, const json_t *set,
                           const json_t *item, const struct standard *standard) {
    printf("- %s\n", text_of(item, language));
    print_variants(language, set, item);
    printf("  - %s: %s\n", phrases->norm,
           statement(set, "norms", json_object_get(item, "norm"), language));
    printf("  - %s: %s\n", phrases->value,
           statement(set, "values", json_object_get(item, "value"), language));
    print_measured(phrases, standard, language);
    printf("  - %s: %s\n", phrases->attribution, phrases->attributions[standard->attribution]);
}

/// What is judged and has this status, by dimension.
static void print_judged(const struct phrases *phrases, const char *language, const json_t *text,
                         const struct standard_set *set, const char *title,
                         enum standard_status status) {
    bool titled = false;
    for (int d = 0; d < DIMENSION_COUNT; d++) {
        bool headed = false;
        for (size_t i = 0; i < set->count; i++) {
            const struct standard *standard = &set->items[i];
            if ((int)standard->dimension != d || !standard->permitted || standard->status != status)
                continue;
            if (!titled) printf("\n## %s\n", title);
            if (!headed) printf("\n### %s\n\n", phrases->dimensions[d]);
            titled = headed = true;
            print_standard(phrases, language, text,
                           json_array_get(json_object_get(text, "standards"), i), standard);
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
    print_judged(phrases, notice->language, text, notice->set, phrases->judged, STATUS_ACTIVE);
    print_judged(phrases, notice->language, text, notice->set, phrases->trial, STATUS_SHADOW);
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
