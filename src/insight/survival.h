// The product-limit estimate of Kaplan and Meier (1958) of the time until something happens, where it did not happen to
// everybody yet. Covered by insight/survival_test.cc.
#pragma once

#include <optional>
#include <vector>

#include "base/clock.h"

namespace perennial {

/// How long somebody was watched: until it happened, or until now.
struct Watched {
  TimeMs duration_ms = 0;
  bool happened = false;
};

class Survival {
 public:
  explicit Survival(std::vector<Watched> watched);

  /// Share to whom it happens within the duration; none when nobody was watched that long and it is not everybody yet.
  /// Of equal durations what happened comes before what was no longer watched.
  [[nodiscard]] std::optional<double> happened_within(TimeMs duration_ms) const;

  /// The shortest duration within which it happens to at least `share` (above 0, at most 1); none when it is not
  /// reached while anybody was watched.
  [[nodiscard]] std::optional<TimeMs> quantile(double share) const;

 private:
  struct Step {
    TimeMs duration_ms;
    double remaining;  // after it
  };
  std::vector<Step> steps_;
  TimeMs longest_ms_ = -1;
};

}  // namespace perennial
