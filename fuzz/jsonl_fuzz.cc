// JSON lines: Segment's messages and flat ones.
#include "file_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perennial;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const FileContent content : {FileContent::detect, FileContent::items, FileContent::users})
    check_rows_of(bytes, {.layout = Layout::jsonl, .content = content, .line_limit_bytes = 1000});
  return 0;
}
