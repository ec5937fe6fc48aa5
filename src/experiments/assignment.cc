#include "experiments/assignment.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/random.h"

namespace perennial {

uint64_t stable_hash(std::string_view purpose, std::string_view text) {
  uint64_t hash = 0;
  for (const std::string_view part : {purpose, text}) {
    hash = mix64(hash ^ part.size());
    for (size_t at = 0; at < part.size(); at += sizeof(uint64_t)) {
      uint64_t word = 0;
      std::memcpy(&word, part.data() + at, std::min(sizeof word, part.size() - at));
      hash = mix64(hash ^ word);
    }
  }
  return hash;
}

double share_of(std::string_view purpose, std::string_view id) {
  return static_cast<double>(stable_hash(purpose, id) >> 11) * 0x1.0p-53;
}

bool is_held_out(std::string_view purpose, double share, std::string_view id) {
  return !id.empty() && share_of(purpose, id) < share;
}

double sample_ratio_p_value(int64_t held_out, int64_t others, double share) {
  const auto users = static_cast<double>(held_out + others);
  const double variance = users * share * (1 - share);
  if (variance <= 0) return 1;
  return std::erfc(std::abs(static_cast<double>(held_out) - users * share) / std::sqrt(2 * variance));
}

}  // namespace perennial
