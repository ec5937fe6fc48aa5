// The product-limit estimate of Kaplan and Meier (1958) of the time until something happens, where it did not happen to
// everybody yet. Covered by insight/survival_test.cc.
#pragma once

#include <cstddef>
#include <limits>
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
  /// An estimate that rests on fewer who are still watched is none.
  static constexpr ptrdiff_t kFewestWatched = 5;

  explicit Survival(std::vector<Watched> watched);

  /// Share to whom it happens within the duration; none when not known(duration_ms), or of nobody. Of equal durations
  /// what happened comes before what was no longer watched.
  [[nodiscard]] std::optional<double> happened_within(TimeMs duration_ms) const;

  /// The shortest duration within which it happens to at least `share` (above 0, at most 1); none when that is not
  /// reached, or not known there.
  [[nodiscard]] std::optional<TimeMs> quantile(double share) const;

 private:
  struct Step {
    TimeMs duration_ms;
    double remaining;  // after it
  };

  /// Whether all were watched for that long, or until it happened to them; or else at least kFewestWatched still are.
  [[nodiscard]] bool known(TimeMs duration_ms) const;

  std::vector<TimeMs> durations_;  // rising
  std::vector<Step> steps_;
  TimeMs first_lost_ms_ = std::numeric_limits<TimeMs>::max();  // the shortest of those to whom it did not happen
};

}  // namespace perennial
