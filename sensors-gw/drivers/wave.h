#pragma once
// Where the sound begins in a stream of RIFF WAVE: chunks of id, size and content, padded to even.
// What the header says is libsndfile's to understand; here, only when it is whole. Pure.

#include "common/base/bytes.h"

/// No header is longer.
enum { WAVE_HEADER_MAX = 65536 };

/// *offset: where the sound begins; *size: its bytes, UINT64_MAX if the header does not know: 0, or
/// 2 GiB and more.
///
/// ERR_AGAIN   so far it is one, but not whole
/// ERR_FORMAT  it is none, or none in so many bytes
MUST_CHECK enum err wave_header(struct bytes stream, size_t *offset, uint64_t *size);
