// A number with its 95 % interval.
#pragma once

namespace perennial {

struct Interval95 {
  double value = 0;
  double low = 0;
  double high = 0;

  [[nodiscard]] bool covers(double truth) const { return low <= truth && truth <= high; }
};

inline constexpr double kNormal95 = 1.959963984540054;  // a normal variable is within +- this many deviations

}  // namespace perennial
