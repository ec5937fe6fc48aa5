// Detection, and gzip.
#include "file_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  perennial::check_rows_of({reinterpret_cast<const char*>(data), size}, {.line_limit_bytes = 1000});
  return 0;
}
