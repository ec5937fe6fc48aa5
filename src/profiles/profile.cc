#include "profiles/profile.h"

#include <algorithm>
#include <cctype>

namespace perennial {
namespace {

struct DeviceWord {
  std::string_view word;  // found anywhere in the lower-case text; the first match decides
  uint16_t device;
};
constexpr std::array<DeviceWord, 16> kDeviceWords = {{{"ipad", 3},
                                                      {"tablet", 3},
                                                      {"tv", 4},
                                                      {"roku", 4},
                                                      {"console", 4},
                                                      {"mobile", 2},
                                                      {"phone", 2},
                                                      {"android", 2},
                                                      {"ios", 2},
                                                      {"desktop", 1},
                                                      {"laptop", 1},
                                                      {"computer", 1},
                                                      {"mac", 1},
                                                      {"windows", 1},
                                                      {"linux", 1},
                                                      {"web", 1}}};
constexpr uint16_t kOther = 5;

}  // namespace

uint16_t device_class(std::string_view device) {
  if (device.empty()) return 0;
  std::string lower(device);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const DeviceWord& known : kDeviceWords)
    if (lower.find(known.word) != std::string::npos) return known.device;
  return kOther;
}

}  // namespace perennial
