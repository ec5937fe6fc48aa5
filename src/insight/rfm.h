// RFM: who bought lately, often and for how much, in fifths of the buyers, with a name for each corner.
// Covered by insight/rfm_test.cc.
#pragma once

#include <array>
#include <string>

#include "insight/population.h"
#include "insight/table.h"

namespace perennial {

enum class RfmSegment : uint8_t {
  champions,
  loyal,
  potential_loyal,
  fresh,
  promising,
  need_attention,
  about_to_sleep,
  slipping,
  cannot_lose,
  hibernating
};
inline constexpr size_t kRfmSegments = 10;
/// "champions", "potential loyal", ...
const char* rfm_segment_name(RfmSegment segment);

/// From 1, the worst fifth, to 5.
struct RfmScores {
  int recency = 1;
  int frequency = 1;
  int money = 1;
};

/// By the square of recency and of the mean of frequency and money, rounded up from the half.
RfmSegment rfm_segment(const RfmScores& scores);

/// 1 + floor(5 x values that are lower / all values), for each value: equal values have equal scores.
std::vector<int> fifths(const std::vector<int64_t>& values);

struct RfmOptions {
  std::string signal = "value";
  TimeMs window_ms = 0;  // buyers of this long before now; 0: of all time
};

/// A row a segment: buyers, their money, means. Where no money is known, frequency stands for it. Fails for an unknown
/// signal.
Result<Table> rfm(const Lives& lives, const RfmOptions& options, const std::string& currency, TimeMs now);

}  // namespace perennial
