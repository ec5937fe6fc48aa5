// A profile and a life as snapshots hold them: what is accepted, written again, is read as the same.
#include "lifecycle/lives.h"
#include "profiles/profile.h"

namespace perennial {
namespace {

template <typename T>
void round_trip(std::string_view bytes) {
  using Codec = UserCodec<T>;
  T read;
  ByteReader in(bytes);
  if (!Codec::decode(in, read)) return;
  std::string once;
  Codec::encode(read, once);
  T again;
  ByteReader second(once);
  PERENNIAL_CHECK(Codec::decode(second, again) && second.at_end(), "what was written is not read");
  std::string twice;
  Codec::encode(again, twice);
  PERENNIAL_CHECK(once == twice, "what was read is another");
}

}  // namespace
}  // namespace perennial

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  perennial::round_trip<perennial::Profile>(bytes);
  perennial::round_trip<perennial::Life>(bytes);
  return 0;
}
