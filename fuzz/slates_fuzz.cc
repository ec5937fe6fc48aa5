// read_slates over a day's file of any bytes: what it gives is whole, and nothing is read past the end.
#include "base/temporary_folder.h"
#include "log/slate_log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perennial;
  static const TemporaryFolder folder;
  static const bool made = fs::create_directory(folder.path() / "slates");
  PERENNIAL_CHECK(made, "no folder");
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  PERENNIAL_CHECK(write_file_atomically(folder.path() / "slates" / "2026-03-01.slates", bytes).ok(), "not written");
  const auto damaged = read_slates(folder.path(), 0, 4'000'000'000'000, [](const Slate&) { return Status(); });
  PERENNIAL_CHECK(!damaged.ok() || *damaged >= 0, "{} packs", *damaged);
  return 0;
}
