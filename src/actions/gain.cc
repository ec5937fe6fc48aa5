#include "actions/gain.h"

#include <algorithm>
#include <cmath>

#include "experiments/assignment.h"
#include "experiments/difference.h"

namespace perennial {
namespace {

constexpr TimeMs kRetainedWithin = 30 * kMsOfDay;
constexpr const char* kNames[kGainMeasures] = {"retained", "converted", "revenue"};

using Measures = std::array<double, kGainMeasures>;

/// Of the facts in (from, until].
Measures measures_of(const Definition& definition, const UserFacts& facts, TimeMs from, TimeMs until) {
  Measures measures{};
  const auto between = [&](uint8_t signal, TimeMs after) {
    const std::span<const Fact> of = facts.of(signal);
    return std::pair{count_until(of, after), count_until(of, until)};
  };
  const auto [seen_from, seen] = between(definition.activity, std::max(from, until - kRetainedWithin));
  measures[static_cast<size_t>(GainMeasure::retained)] = seen > seen_from ? 1 : 0;
  if (const std::optional<uint8_t> value = definition.find_signal("value")) {
    const auto [begin, end] = between(*value, from);
    measures[static_cast<size_t>(GainMeasure::converted)] = end > begin ? 1 : 0;
    measures[static_cast<size_t>(GainMeasure::revenue)] =
        static_cast<double>(money_between(facts.of(*value), begin, end)) / static_cast<double>(definition.minor_units);
  }
  return measures;
}

constexpr int64_t kFewestDraws = 30;  // of an arm

/// Of those dealt the arm: mean and the variance of it.
struct ArmMean {
  int64_t users = 0;
  double mean = 0;
  double variance = 0;
};

ArmMean mean_of_arm(const Trial& trial, uint16_t arm) {
  ArmMean found;
  double weights = 0;
  const auto each = [&](const auto& add) {
    for (size_t i = 0; i < trial.dealt.size(); ++i) {
      const auto row = static_cast<Eigen::Index>(i);
      if (trial.dealt[i] == arm) add(1 / trial.chances(row, arm), trial.outcomes[row]);
    }
  };
  each([&](double weight, double outcome) {
    ++found.users;
    weights += weight;
    found.mean += weight * outcome;
  });
  if (found.users == 0) return found;
  found.mean /= weights;
  each([&](double weight, double outcome) {
    const double error = weight / weights * (outcome - found.mean);
    found.variance += error * error;
  });
  return found;
}

}  // namespace

DrawnGain measure_drawn(const ActionSpec& action, const Trials& trials, const Lives& lives, TimeMs at) {
  const Definition& definition = lives.definition();
  const uint8_t value = definition.find_signal("value").value_or(definition.activity);
  DrawnGain drawn;
  for (size_t m = 0; m < kGainMeasures; ++m) {
    const auto measure = static_cast<GainMeasure>(m);
    ActionSpec asked = action;
    asked.goal.signal = measure == GainMeasure::retained ? definition.activity : value;
    asked.goal.money = measure == GainMeasure::revenue;
    const Trial trial = trials.of(asked, lives, at);
    const ArmMean with = mean_of_arm(trial, 1), without = mean_of_arm(trial, 0);
    MeasuredGain& measured = drawn.measures[m];
    drawn.draws = with.users + without.users;
    measured.acted_on = with.mean;
    measured.held_out = without.mean;
    if (std::min(with.users, without.users) < kFewestDraws)
      measured.reason = fmt::format("not measurable: {} draws of it and {} of nothing are over, want {}", with.users,
                                    without.users, kFewestDraws);
    const double gain = with.mean - without.mean, half = kNormal95 * std::sqrt(with.variance + without.variance);
    measured.gain = {gain, gain - half, gain + half};
  }
  return drawn;
}

const char* measure_name(GainMeasure measure) { return kNames[static_cast<size_t>(measure)]; }

void ActionTallies::apply(const StoredRecord& record, const ActionDetails& details) {
  if (const auto* action = std::get_if<Action>(&record.payload)) {
    if (action->name == kNoAction || record.time == kNoTime || record.time < since_ || record.time > at_) return;
    ActionTally& tally = tallies_[action->name];
    if (!given_.try_emplace(action->action_id, Given{&tally, ""}).second) return;
    ++tally.given;
    tally.drawn += details.chances.empty() ? 0 : 1;
    tally.cost += static_cast<double>(details.cost);
  } else if (const auto* delivery = std::get_if<Delivery>(&record.payload)) {
    const auto found = given_.find(delivery->action_id);
    if (found == given_.end()) return;
    auto& [tally, outcome] = found->second;
    const bool ends = delivery->outcome == kDelivered || delivery->outcome == kDeliveryFailed;
    if (outcome == kDelivered || delivery->outcome == outcome) return;  // whatever is said afterwards
    if (!ends && delivery->outcome != kSentAgain) return;
    tally->failed -= outcome == kDeliveryFailed ? 1 : 0;
    tally->delivered += delivery->outcome == kDelivered ? 1 : 0;
    tally->failed += delivery->outcome == kDeliveryFailed ? 1 : 0;
    outcome = delivery->outcome;
  }
}

GainReport measure_gain(const Lives& lives, const Dictionary& names, double holdout_share, TimeMs since, TimeMs at) {
  GainReport report{.since = since, .at = at, .holdout_share = holdout_share, .measures = {}};
  struct Arms {
    ArmSums acted_on, held_out;
  };
  std::array<Arms, kGainMeasures> arms;
  const Definition& definition = lives.definition();
  lives.for_each([&](UserId user, const Life& life) {
    if (life.first_seen == kNoTime || life.first_seen > at) return;
    const Measures now = measures_of(definition, life.facts, since, at);
    const Measures before = measures_of(definition, life.facts, since - (at - since), since);
    const bool out = is_held_out(kActionHoldout, holdout_share, names.name(user));
    ++(out ? report.held_out : report.acted_on);
    for (size_t m = 0; m < kGainMeasures; ++m) (out ? arms[m].held_out : arms[m].acted_on).add(now[m], before[m]);
  });
  report.sample_ratio_p_value = sample_ratio_p_value(report.held_out, report.acted_on, holdout_share);
  for (size_t m = 0; m < kGainMeasures; ++m) {
    MeasuredGain& measured = report.measures[m];
    measured.acted_on = arms[m].acted_on.mean();
    measured.held_out = arms[m].held_out.mean();
    if (const Result<Interval95> gain = difference(arms[m].acted_on, arms[m].held_out); gain.ok())
      measured.gain = *gain;
    else
      measured.reason = gain.status().message();
  }
  return report;
}

}  // namespace perennial
