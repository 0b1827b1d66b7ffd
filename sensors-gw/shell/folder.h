#pragma once
// The folder of a file that is about to be made.

#include "common/base/err.h"

/// Make the folder that path lies in (mode 0700) if it is not there; its own parent must be.
MUST_CHECK enum err folder_of_file_make(const char *path, struct problem *problem);
