// gzip request bodies, inflated within a bound: a bomb costs the bound and no more. Covered by server/http_test.cc.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace perennial {

/// The inflated bytes. resource_exhausted when there are more than `limit_bytes`; invalid_argument when it is not one
/// whole gzip stream.
Result<std::string> inflate_gzip(std::string_view bytes, size_t limit_bytes);

}  // namespace perennial
