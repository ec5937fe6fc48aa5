// CSV of events, items and users, with a line limit low enough to be met.
#include "file_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perennial;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const FileContent content : {FileContent::detect, FileContent::events, FileContent::items, FileContent::users})
    check_rows_of(bytes, {.layout = Layout::csv, .content = content, .line_limit_bytes = 200});
  return 0;
}
