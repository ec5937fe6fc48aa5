// MovieLens' tables and sequence lines, each input by each layout and content.
#include "file_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perennial;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const Layout layout : {Layout::double_colon, Layout::tab, Layout::sequence})
    for (const FileContent content : {FileContent::events, FileContent::items, FileContent::users})
      check_rows_of(bytes, {.layout = layout, .content = content, .line_limit_bytes = 100});
  return 0;
}
