// How good are the forecasts that a shop's own log gives, and which family does the exam choose for each question?
// ./dev bench forecast_quality FOLDER: on both years of the data of bench/online_retail.h, under the e-commerce preset.
// A sale is a visit and a purchase; a cancellation is a `value` fact of negative money at its own time, as a log has
// it.
#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "forecast/forecasts.h"
#include "online_retail.h"

namespace perennial {
namespace {

using namespace online_retail;  // a program of its own

/// Keeps what the subjects point to.
struct Shop {
  Definition definition = preset("e-commerce").value();
  std::map<std::string, UserFacts> facts;
  std::vector<Subject> subjects;
};

TimeMs time_of(double day) { return date("2009-12-01") + static_cast<TimeMs>(day * kMsOfOneDay); }

Shop shop_of(const std::vector<Row>& rows) {
  Shop shop;
  const uint8_t value = *shop.definition.find_signal("value");
  std::map<std::string, TimeMs> first_seen;
  Offset offset = 0;
  for (const Row& row : rows) {
    UserFacts& facts = shop.facts[row.customer];
    const TimeMs time = time_of(row.day);
    if (row.quantity > 0) facts.add(shop.definition.activity, time, ++offset, 0);
    facts.add(value, time, ++offset, std::llround(100 * row.price * row.quantity));
    first_seen.emplace(row.customer, time);
  }
  UserId user = 0;
  for (const auto& [name, facts] : shop.facts) shop.subjects.push_back({user++, first_seen[name], &facts});
  return shop;
}

void print(const Candidate& candidate) {
  if (!candidate.reason.empty()) {
    fmt::print("  {:<22}{}\n", candidate.family, candidate.reason);
  } else if (candidate.amount) {
    const AmountQuality& quality = *candidate.amount;
    fmt::print("  {:<22}MAE {:.1f} ({:.1f} to {:.1f})  mean {:.1f}  bias {:.1f}  Gini {:.3f}\n", candidate.family,
               quality.mean_absolute_error.value, quality.mean_absolute_error.low, quality.mean_absolute_error.high,
               quality.mean_outcome, quality.mean_bias, quality.gini.value_or(0));
  } else {
    const ProbabilityQuality& quality = *candidate.probability;
    const Interval95 slope = quality.calibration_slope.value_or(Interval95());
    fmt::print(
        "  {:<22}AUC {:.4f}  Brier skill {:.3f} ({:.3f} to {:.3f})  slope {:.2f} ({:.2f} to {:.2f})  lift {:.2f}\n",
        candidate.family, quality.auc, quality.brier_skill.value, quality.brier_skill.low, quality.brier_skill.high,
        slope.value, slope.low, slope.high, quality.lift_at_10_percent);
  }
}

int run(const std::string& folder) {
  const auto rows = read_both_years(folder);
  if (!rows) {
    fmt::print(stderr, "cannot read the two files of {}: see the first lines of bench/online_retail.h\n", folder);
    return 2;
  }
  const Shop shop = shop_of(*rows);
  const double started = monotonic_seconds();
  const Forecasts forecasts = Forecasts::fit(shop.definition, shop.subjects, time_of(2 * kYear));
  fmt::print("{} users, fitted in {:.1f} s; best first\n", shop.subjects.size(), monotonic_seconds() - started);
  for (const QuestionForecast& forecast : forecasts.questions()) {
    fmt::print("{}  {}\n", forecast.question.name, forecast.reason);
    for (const Candidate& candidate : forecast.candidates) print(candidate);
  }
  return 0;
}

}  // namespace
}  // namespace perennial

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "say where the data are: ./dev bench forecast_quality FOLDER\n");
    return 2;
  }
  return perennial::run(argv[1]);
}
