#pragma once
// Whether what the files say reaches any branch: a name that no branch has is a mistake, and so is
// a standard that can be judged nowhere.

#include "worker/standards/standards.h"

/// places   of all branches, without offerings and days
/// false    reported: a branch or region that there is not; a working standard that holds at no
///          branch; an agreement that permits only what the law forbids wherever it holds
bool standards_reach(const struct standards *standards, const struct standards_place *places,
                     size_t count, struct problems *problems);
