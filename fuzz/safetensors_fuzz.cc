// parse_safetensors: what it accepts comes back the same from its own bytes.
#include "base/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perennial;
  const auto file = parse_safetensors({reinterpret_cast<const char*>(data), size});
  if (!file.ok()) return 0;
  const std::string bytes = serialize_safetensors(*file);
  const auto again = parse_safetensors(bytes);
  PERENNIAL_CHECK(again.ok(), "own bytes are refused: {}", again.status().message());
  PERENNIAL_CHECK(serialize_safetensors(*again) == bytes, "own bytes change");
  return 0;
}
