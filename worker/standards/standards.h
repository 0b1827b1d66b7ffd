#pragma once
// Values -> norms -> standards: from YAML files to the set that holds for a branch.

#include "common/base/bytes.h"
#include "common/domain/measure.h"
#include "worker/standards/standard.h"

struct problems; // common/settings/document.h

/// One file of the configuration folder; its name is relative to it and says what is in it:
/// values.yaml, norms.yaml, offerings.yaml, scoring.yaml, standards/*.yaml.
struct standards_file {
    const char *name;
    struct bytes text;
};

struct standards;

/// Read and check everything, run the examples in the files, and trace each standard to its value.
/// All errors (file, line, column, way out) and warnings of all files are in problems.
///
/// measures    must outlive the result
/// *out        written only on success; standards_free it
///
/// ERR_FORMAT  at least one error is in problems
/// ERR_NOMEM
MUST_CHECK enum err standards_read(const struct standards_file *files, size_t count,
                                   const struct measures *measures, struct standards **out,
                                   struct problems *problems);
void standards_free(struct standards *standards); // accepts NULL

/// Where a branch is: standards may apply to some branches, regions or countries only.
struct standards_place {
    const char *branch, *region, *country;
};

/// The set that holds for a branch. It owns all it points to, so it may outlive the standards.
///
/// ERR_NOMEM, ERR_FULL (more than STANDARDS_MAX)
MUST_CHECK enum err standards_resolve(const struct standards *standards,
                                      const struct standards_place *place,
                                      struct standard_set **out);
void standard_set_free(struct standard_set *set); // accepts NULL

/// "standard -> norm -> value" with the German or English texts, one line each, for people.
/// false: no such standard, or out of memory.
MUST_CHECK bool standards_trace(const struct standards *standards, const char *id, size_t size,
                                const char *language, struct buffer *out);
