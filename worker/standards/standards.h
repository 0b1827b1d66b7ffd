#pragma once
// Values -> norms -> standards: from YAML documents to the set that holds for a branch.
//
//   values.yaml      - value: respect            norms.yaml      - norm: personal-space
//                      text: {de: ..., en: ...}                    value: respect
//                                                                  text: {de: ..., en: ...}
//   offerings.yaml   other: {opening_s: 15, closing_s: 15}
//                    offerings:
//                      - {offering: cash, opening_s: 15, closing_s: 10, text: {de: ..., en: ...}}
//   scoring.yaml     coverage_floor: 0.5         # share of the weight that needs an outcome
//                    model: hierarchical         # or flat; hierarchical if absent
//   standards/*.yaml a list of standards; config/standards/README.md shows every key
//   overlays/*.yaml  a list of what law, agreement, culture, region and branch add (overlay.h)

#include "common/base/bytes.h"
#include "common/domain/measure.h"
#include "common/settings/document.h"
#include "worker/standards/standard.h"

/// One file of the configuration folder. Its name is relative to that folder ("values.yaml",
/// "standards/timing.yaml"), tells what is in it, and stands in problems.
struct standards_file {
    const char *name;
    struct bytes text;
};

struct standards;

/// Read and check everything, trace each standard to its value, and run the examples that stand in
/// the files. What is not understood or has no effect yet is refused, never skipped.
///
/// measures    must outlive the result; NULL: they have mistakes, which were told; it fails then,
///             and does not tell once more of what needs one
/// *out        written only on success; standards_free it
/// problems    all errors of all files: file, line, column, way out
///
/// ERR_FORMAT  at least one problem was added, or there are no measures
/// ERR_NOMEM   also added
MUST_CHECK enum err standards_read(const struct standards_file *files, size_t count,
                                   const struct measures *measures, struct standards **out,
                                   struct problems *problems);
/// What a quality owner should know although it is no error, such as a value that no working
/// standard serves.
const struct problems *standards_warnings(const struct standards *standards);
void standards_free(struct standards *standards); // accepts NULL

/// How many examples a standard has, and what they were judged.
struct standards_examples {
    struct name id;
    unsigned count, verdicts[VERDICT_COUNT];
};
/// Of the standard (or version of one) at a place in the canonical order; false: no more.
bool standards_examples(const struct standards *standards, size_t place,
                        struct standards_examples *out);

/// Where and when: standards and overlays may hold at some branches, in some regions or countries,
/// from some day or until some day only.
struct standards_place {
    const char *branch, *region, *country; // country: ISO 3166-1 alpha-2
    const char *offering;                  // NULL: of no particular offering
    int32_t day; // local day such as 20261201; 0: before any day that the files name
};

/// The set that holds at a place: its active and shadow standards in canonical order, its canonical
/// JSON text and the hash of that. It owns all it points to, so it may outlive the standards.
///
/// ERR_CONFLICT  a layer loosens what a higher one set, two of one layer contradict each other, or
///               nothing could fulfil the result; told in problems with the chain
/// ERR_NOMEM     also told
MUST_CHECK enum err standards_resolve(const struct standards *standards,
                                      const struct standards_place *place,
                                      struct standard_set **out, struct problems *problems);
void standard_set_free(struct standard_set *set); // accepts NULL

/// The legal classes that may be measured and shown at a place, as bits: 1u << LEGAL_P0 ...
unsigned standards_permitted(const struct standards *standards,
                             const struct standards_place *place);

/// Why there is this standard: "standard ID: text", then "during: ..." if it looks at a span,
/// "norm ID: text" and "value ID: text", a line each.
/// language is "de" or "en". false: no such standard (out is unchanged), or out has no room.
bool standards_trace(const struct standards *standards, const char *id, size_t size,
                     const char *language, struct buffer *out);

/// Where a span of a standard begins and ends, "during: from the start of service to ...", and
/// which layer set each of its figures at a place, one line each: "bound.least: company 0.75 m
/// (standards/proxemics.yaml:22:10) > culture de.distance 0.9 m
/// (...)". false: no such standard (out is unchanged), or out has no room.
bool standards_explain(const struct standards *standards, const struct standards_place *place,
                       const char *id, size_t size, struct buffer *out);
