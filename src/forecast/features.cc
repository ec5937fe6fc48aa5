#include "forecast/features.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "forecast/occasions.h"

namespace perennial {
namespace {

constexpr TimeMs kAlways = std::numeric_limits<TimeMs>::min();
constexpr std::array<int, 4> kWindowsDays = {7, 30, 90, 365};

double days(TimeMs time) { return std::max(0.0, static_cast<double>(time) / static_cast<double>(kMsOfDay)); }

void add_names_of_signal(const std::string& signal, std::vector<std::string>& names) {
  for (const char* name : {"none", "log_recency", "log_age", "log_days", "log_gap", "log_overdue"})
    names.push_back(signal + "." + name);
  for (const int window : kWindowsDays) names.push_back(fmt::format("{}.log_count_{}d", signal, window));
  for (const char* name : {"log_count", "log_money_90d", "log_money"}) names.push_back(signal + "." + name);
}

/// As many as add_names_of_signal names, in its order.
void add_signal(std::span<const Fact> facts, TimeMs now, double age_days, int64_t minor_units,
                std::vector<double>& features) {
  const auto log_money = [&](TimeMs after) {
    const int64_t money_minor = money_between(facts, count_until(facts, after), count_until(facts, now));
    const double money = static_cast<double>(money_minor) / static_cast<double>(minor_units);
    return std::log1p(std::max(0.0, money));
  };
  const auto log_count = [&](TimeMs after) {
    return std::log1p(static_cast<double>(count_until(facts, now) - count_until(facts, after)));
  };
  const size_t known = count_until(facts, now);
  const double recency = known == 0 ? age_days : days(now - facts[known - 1].time);
  const double age = known == 0 ? 0 : days(now - facts.front().time);
  const double occasions = known == 0 ? 0 : history_at(facts, now)->repeats + 1;
  const double gap = occasions > 1 ? (age - recency) / (occasions - 1) : age_days;
  features.insert(features.end(), {known == 0 ? 1.0 : 0.0, std::log1p(recency), std::log1p(age), std::log1p(occasions),
                                   std::log1p(gap), std::log1p(recency) - std::log1p(gap)});
  for (const int window : kWindowsDays) features.push_back(log_count(now - window * kMsOfDay));
  features.insert(features.end(), {log_count(kAlways), log_money(now - 90 * kMsOfDay), log_money(kAlways)});
}

}  // namespace

Features::Features(const Definition& definition, const Question& question) {
  signals_.push_back(definition.activity);
  const auto add = [&](uint8_t signal) {
    if (std::find(signals_.begin(), signals_.end(), signal) == signals_.end()) signals_.push_back(signal);
  };
  if (const auto value = definition.find_signal("value")) add(*value);
  add(signal_of(question, definition));
  names_ = {"log_age"};
  for (size_t stage = 1; stage < kStages; ++stage) names_.emplace_back(stage_name(static_cast<Stage>(stage)));
  for (size_t overlay = 1; overlay < kOverlays; ++overlay)
    names_.emplace_back(overlay_name(static_cast<Overlay>(overlay)));
  for (const uint8_t signal : signals_) add_names_of_signal(definition.signals[signal].name, names_);
}

std::vector<double> Features::of(const Definition& definition, const Subject& subject, TimeMs now) const {
  const double age_days = subject.first_seen == kNoTime ? 0 : days(now - subject.first_seen);
  const Standing standing = standing_at(definition, *subject.facts, now);
  std::vector<double> features = {std::log1p(age_days)};
  features.reserve(names_.size());
  for (size_t stage = 1; stage < kStages; ++stage) features.push_back(standing.stage == static_cast<Stage>(stage));
  for (size_t overlay = 1; overlay < kOverlays; ++overlay)
    features.push_back(standing.overlay == static_cast<Overlay>(overlay));
  for (const uint8_t signal : signals_)
    add_signal(subject.facts->of(signal), now, age_days, definition.minor_units, features);
  return features;
}

}  // namespace perennial
