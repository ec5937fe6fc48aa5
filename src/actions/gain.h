// What acting gained: all users who may be acted on against those who are held out, whatever was done for whom; and
// how much was done. Covered by actions/gain_test.cc.
#pragma once

#include <array>
#include <map>
#include <string>
#include <unordered_map>

#include "actions/trials.h"
#include "base/interval95.h"

namespace perennial {

enum class GainMeasure : uint8_t {
  retained,   // whether active in the last 30 days, or since the beginning where that is later
  converted,  // whether there is a fact of `value`
  revenue,    // money of these, in major units
};
inline constexpr size_t kGainMeasures = 3;
const char* measure_name(GainMeasure measure);

struct MeasuredGain {
  double acted_on = 0;  // mean of the users who may be acted on
  double held_out = 0;  // and of the others
  Interval95 gain;      // adjusted by the time of the same length before
  std::string reason;   // why it can't be measured; empty: it could
};

struct GainReport {
  TimeMs since = 0;
  TimeMs at = 0;
  int64_t acted_on = 0;  // users
  int64_t held_out = 0;
  double holdout_share = 0;
  double sample_ratio_p_value = 1;  // below 0.001 none of this can be trusted
  std::array<MeasuredGain, kGainMeasures> measures;
};

/// Of an action against nothing.
struct DrawnGain {
  int64_t draws = 0;  // of either
  std::array<MeasuredGain, kGainMeasures> measures;
};

/// By all that was drawn for whom and is over at `at`, each weighted by one over its chance; what users did within the
/// action's time after the draw. Source: Hajek's ratio estimator.
DrawnGain measure_drawn(const ActionSpec& action, const Trials& trials, const Lives& lives, TimeMs at);

/// What was done with an action in a time.
struct ActionTally {
  int64_t given = 0;
  int64_t drawn = 0;  // of these, by known chances
  int64_t delivered = 0;
  int64_t failed = 0;
  double cost = 0;  // expected, in major units
};

/// By action, as a fold over the log: of what was given in [since, at], and what became of it until now.
class ActionTallies {
 public:
  ActionTallies(TimeMs since, TimeMs at) : since_(since), at_(at) {}

  /// Applies the next record of the log; all but actions and deliveries change nothing.
  void apply(const StoredRecord& record, const ActionDetails& details);

  [[nodiscard]] const std::map<std::string, ActionTally>& by_action() const { return tallies_; }

 private:
  struct Given {
    ActionTally* tally = nullptr;
    std::string outcome;  // the last
  };

  TimeMs since_;
  TimeMs at_;
  std::map<std::string, ActionTally> tallies_;
  std::unordered_map<std::string, Given> given_;  // by action id
};

/// Of everybody first seen by `at`, over (since, at]. `names` are those of the users.
GainReport measure_gain(const Lives& lives, const Dictionary& names, double holdout_share, TimeMs since, TimeMs at);

}  // namespace perennial
