// Does MBG/NBD (x Gamma-Gamma) forecast customers better than "as before" and than regression on RFM?
// ./dev bench customer_value FOLDER: on the data of bench/online_retail.h. Learns from 2009-12-01 to 2010-11-30, asks
// for the 6 and the 12 months after. All that is learned comes from the first 12 months.
//
// A cancellation (negative quantity) takes away the latest earlier row of the same customer, product, price and
// quantity of the same period (the year learned from, or the months asked for), so that no period knows another's;
// cancellations without such a row are left out. Purchases: distinct days with a row left. Spend: price x quantity of
// these rows.
#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "forecast/bootstrap.h"
#include "forecast/customer_value.h"
#include "forecast/quality.h"
#include "forecast/two_part.h"
#include "online_retail.h"

namespace perennial {
namespace {

// ------------------------------------------------------------------------------------------------------- forecasts

using namespace online_retail;  // a program of its own

constexpr int kHalfYear = 182;

/// Days known before `now`.
CustomerPast past_of(const Days& days, int now) {
  const Period known = sum_of(days, 0, now);
  const int first = days.begin()->first;
  const int last = std::prev(days.lower_bound(now))->first;
  return {{known.purchases - 1, static_cast<double>(last - first), static_cast<double>(now - first)},
          {known.purchases, known.money / known.purchases}};
}

/// Recency, frequency, money, age.
Eigen::MatrixXd features_of(const std::vector<CustomerPast>& pasts) {
  Eigen::MatrixXd features(pasts.size(), 4);
  for (size_t i = 0; i < pasts.size(); ++i) {
    const auto& [history, spend] = pasts[i];
    features.row(static_cast<Eigen::Index>(i)) << std::log1p(history.age - history.recency),
        std::log1p(history.repeats), std::log(spend.mean), std::log1p(history.age);
  }
  return features;
}

std::vector<double> row_of(const Eigen::MatrixXd& features, Eigen::Index i) {
  const Eigen::VectorXd row = features.row(i);
  return {row.begin(), row.end()};
}

/// The same, and what MBG/NBD says of a purchase within half a year.
Eigen::MatrixXd features_with_mbg(const std::vector<CustomerPast>& pasts, const MbgNbd& model) {
  Eigen::MatrixXd features(pasts.size(), 5);
  features.leftCols(4) = features_of(pasts);
  for (size_t i = 0; i < pasts.size(); ++i)
    features(static_cast<Eigen::Index>(i), 4) =
        logit(probability_of_purchase_within(model, pasts[i].history, kHalfYear));
  return features;
}

/// Ordinary least squares, kept at 0 or above.
std::vector<double> least_squares(const Eigen::MatrixXd& learned, const Eigen::VectorXd& outcomes,
                                  const Eigen::MatrixXd& asked) {
  Eigen::MatrixXd design(learned.rows(), learned.cols() + 1);
  design << Eigen::VectorXd::Ones(learned.rows()), learned;
  const Eigen::VectorXd line = (design.transpose() * design).ldlt().solve(design.transpose() * outcomes);
  std::vector<double> forecasts;
  for (Eigen::Index i = 0; i < asked.rows(); ++i)
    forecasts.push_back(std::max(0.0, line[0] + asked.row(i).dot(line.tail(learned.cols()))));
  return forecasts;
}

struct Forecast {
  std::string name;
  std::vector<double> values;
};

void print(const char* what, const std::vector<Forecast>& forecasts, const std::vector<double>& outcomes) {
  fmt::print("\n{:<46}{:>9}{:>22}{:>10}{:>8}{:>24}\n", what, "MAE", "95 %", "bias", "Gini", "MAE above the first");
  for (const Forecast& forecast : forecasts) {
    const AmountQuality quality = measure_amounts(forecast.values, outcomes).value();
    const Interval95& error = quality.mean_absolute_error;
    const Interval95 above = loss_difference(forecast.values, forecasts[0].values, outcomes, Loss::absolute);
    fmt::print("{:<46}{:>9.3f}{:>22}{:>10.3f}{:>8.3f}{:>24}\n", forecast.name, error.value,
               fmt::format("{:.3f} to {:.3f}", error.low, error.high), quality.mean_bias, quality.gini.value_or(0),
               fmt::format("{:.3f} to {:.3f}", above.low, above.high));
  }
}

/// Customers and what is known of them.
struct Customers {
  std::vector<const Days*> days;
  std::vector<std::string> names;
  std::vector<CustomerPast> pasts;
};

Customers known_at(const std::map<std::string, Days>& all, int now) {
  Customers customers;
  for (const auto& [name, days] : all) {
    if (days.begin()->first >= now) continue;
    customers.names.push_back(name);
    customers.days.push_back(&days);
    customers.pasts.push_back(past_of(days, now));
  }
  return customers;
}

ValueModel fit_value_model(const Customers& customers) {
  std::vector<PurchaseHistory> histories;
  std::vector<Spend> spends;
  for (const CustomerPast& past : customers.pasts) {
    histories.push_back(past.history);
    spends.push_back(past.spend);
  }
  MbgNbdOptions options;
  options.prior_deviation = 3;  // half a year alone does not determine b
  return {fit_mbg_nbd(histories, options).value().model, fit_gamma_gamma(spends).value().model};
}

/// What came of customers in a period.
struct Came {
  std::vector<double> purchases, money, any;
};

Came came_of(const Customers& customers, const std::map<std::string, Days>& later, int from, int until) {
  Came came;
  for (const std::string& name : customers.names) {
    const auto days = later.find(name);
    const Period period = days == later.end() ? Period() : sum_of(days->second, from, until);
    came.purchases.push_back(period.purchases);
    came.money.push_back(period.money);
    came.any.push_back(period.purchases > 0 ? 1 : 0);
  }
  return came;
}

Eigen::VectorXd as_vector(const std::vector<double>& values) {
  return Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
}

template <typename Function>
Forecast each(std::string name, size_t count, const Function& function) {
  Forecast forecast{std::move(name), {}};
  for (size_t i = 0; i < count; ++i) forecast.values.push_back(function(i));
  return forecast;
}

struct Study {
  std::map<std::string, Days> year;  // learned from
  Customers asked;                   // at the end of the year
  Eigen::MatrixXd features;
  Customers earlier;  // half a year before, with what came of them
  Eigen::MatrixXd earlier_features;
  Came earlier_came;
  ValueModel model;
  ValueModel earlier_model;
};

std::vector<Forecast> forecast(const Study& study, int days, bool money) {
  const std::vector<double>& learned = money ? study.earlier_came.money : study.earlier_came.purchases;
  const double scale = static_cast<double>(days) / kHalfYear;
  const size_t count = study.asked.pasts.size();
  const TwoPart regression = fit_two_part(study.earlier_features, as_vector(learned)).value();
  const std::vector<double> line = least_squares(study.earlier_features, as_vector(learned), study.features);
  const auto features = [&](size_t i) { return row_of(study.features, static_cast<Eigen::Index>(i)); };
  return {
      each("as in the last period of equal length", count,
           [&](size_t i) {
             const Period period = sum_of(*study.asked.days[i], kYear - days, kYear);
             return money ? period.money : period.purchases;
           }),
      each("RFM least squares, mean", count, [&](size_t i) { return scale * line[i]; }),
      each("RFM two-part regression, mean", count, [&](size_t i) { return scale * regression.expected(features(i)); }),
      each("RFM two-part regression, median", count, [&](size_t i) { return scale * regression.median(features(i)); }),
      each(money ? "MBG/NBD x Gamma-Gamma, mean" : "MBG/NBD, mean", count,
           [&](size_t i) {
             const CustomerPast& past = study.asked.pasts[i];
             return money ? *expected_money(study.model, past, days)
                          : expected_purchases(study.model.purchases, past.history, days);
           }),
      each(money ? "MBG/NBD x Gamma-Gamma, median" : "MBG/NBD, median", count, [&](size_t i) {
        const CustomerPast& past = study.asked.pasts[i];
        return money ? median_money(study.model, past, days)
                     : median_purchases(study.model.purchases, past.history, days);
      })};
}

/// 95 % interval of AUC(a) - AUC(b), users drawn 1,000 times.
Interval95 auc_difference(const Forecast& a, const Forecast& b, const std::vector<double>& any) {
  const auto difference = [](const auto& of_a, const auto& of_b, const auto& outcomes) {
    return area_under_curve(of_a, outcomes).value() - area_under_curve(of_b, outcomes).value();
  };
  Random random(kQualitySeed);
  std::vector<double> drawn;
  std::vector<double> of_a(any.size()), of_b(any.size()), outcomes(any.size());
  for (int sample = 0; sample < kBootstrapSamples; ++sample) {
    for (size_t i = 0; i < any.size(); ++i) {
      const size_t user = random.below(any.size());
      of_a[i] = a.values[user];
      of_b[i] = b.values[user];
      outcomes[i] = any[user];
    }
    drawn.push_back(difference(of_a, of_b, outcomes));
  }
  std::sort(drawn.begin(), drawn.end());
  return {difference(a.values, b.values, any), quantile(drawn, 0.025), quantile(drawn, 0.975)};
}

/// The regressions answer for half a year whatever is asked: of a longer time only their order means something.
std::vector<Forecast> forecast_any(const Study& study, int days) {
  const size_t count = study.asked.pasts.size();
  const Eigen::VectorXd learned = as_vector(study.earlier_came.any);
  const Logistic rfm = fit_logistic(study.earlier_features, learned).value();
  const Eigen::MatrixXd with_mbg = features_with_mbg(study.asked.pasts, study.model.purchases);
  const Logistic both =
      fit_logistic(features_with_mbg(study.earlier.pasts, study.earlier_model.purchases), learned).value();
  return {each("RFM logistic", count,
               [&](size_t i) { return rfm.probability(row_of(study.features, static_cast<Eigen::Index>(i))); }),
          each("as often as in the last period (order only)", count,
               [&](size_t i) {
                 return sum_of(*study.asked.days[i], kYear - days, kYear).purchases / static_cast<double>(kYear);
               }),
          each("MBG/NBD", count,
               [&](size_t i) {
                 return probability_of_purchase_within(study.model.purchases, study.asked.pasts[i].history, days);
               }),
          each("RFM logistic with MBG/NBD as a feature", count,
               [&](size_t i) { return both.probability(row_of(with_mbg, static_cast<Eigen::Index>(i))); })};
}

void print_any(const std::vector<Forecast>& forecasts, const std::vector<double>& any) {
  fmt::print("\n{:<46}{:>9}{:>26}{:>10}{:>24}\n", "buys at all", "AUC", "AUC above RFM logistic", "Brier",
             "calibration slope");
  for (const Forecast& forecast : forecasts) {
    const ProbabilityQuality quality = measure_probabilities(forecast.values, any).value();
    const Interval95 slope = quality.calibration_slope.value_or(Interval95());
    const Interval95 above = auc_difference(forecast, forecasts[0], any);
    fmt::print("{:<46}{:>9.4f}{:>26}{:>10.4f}{:>24}\n", forecast.name, quality.auc,
               fmt::format("{:.4f} to {:.4f}", above.low, above.high), quality.brier,
               fmt::format("{:.2f} ({:.2f} to {:.2f})", slope.value, slope.low, slope.high));
  }
}

int run(const std::string& folder) {
  const auto rows = read_both_years(folder);
  if (!rows) {
    fmt::print(stderr, "cannot read the two files of {}: see the first lines of bench/online_retail.h\n", folder);
    return 2;
  }
  Study study;
  study.year = by_customer(sales(*rows, 0, kYear));
  study.asked = known_at(study.year, kYear);
  study.features = features_of(study.asked.pasts);
  // A cancellation of the second half must not take a purchase from the first: nobody knew of it then.
  study.earlier = known_at(by_customer(sales(*rows, 0, kYear - kHalfYear)), kYear - kHalfYear);
  study.earlier_features = features_of(study.earlier.pasts);
  study.earlier_came =
      came_of(study.earlier, by_customer(sales(*rows, kYear - kHalfYear, kYear)), kYear - kHalfYear, kYear);
  study.model = fit_value_model(study.asked);
  study.earlier_model = fit_value_model(study.earlier);
  const auto& [purchases, spends] = study.model;
  fmt::print(
      "{} customers; MBG/NBD r {:.3f} alpha {:.1f} days a {:.3f} b {:.3f}; Gamma-Gamma p {:.2f} q {:.2f} v {:.1f}\n",
      study.asked.names.size(), purchases.r, purchases.alpha, purchases.a, purchases.b, spends.p, spends.q, spends.v);
  for (const int days : {kHalfYear, kYear}) {
    const Came came = came_of(study.asked, by_customer(sales(*rows, kYear, kYear + days)), kYear, kYear + days);
    fmt::print("\n==== the {} days after 2010-12-01\n", days);
    print("purchases (distinct days)", forecast(study, days, false), came.purchases);
    print("spend (pounds)", forecast(study, days, true), came.money);
    print_any(forecast_any(study, days), came.any);
  }
  return 0;
}

}  // namespace
}  // namespace perennial

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "say where the data are: ./dev bench customer_value FOLDER\n");
    return 2;
  }
  return perennial::run(argv[1]);
}
