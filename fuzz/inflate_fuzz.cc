// inflate_gzip: a bomb gives no more than the bound, rubbish a reason.
#include "base/check.h"
#include "server/inflate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perennial;
  constexpr size_t kLimit = 100'000;
  const auto inflated = inflate_gzip({reinterpret_cast<const char*>(data), size}, kLimit);
  PERENNIAL_CHECK(!inflated.ok() || inflated->size() <= kLimit, "{} bytes", inflated->size());
  PERENNIAL_CHECK(inflated.ok() || !inflated.status().message().empty(), "a failure without words");
  return 0;
}
