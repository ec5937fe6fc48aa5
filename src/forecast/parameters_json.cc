#include "forecast/parameters_json.h"

#include <cmath>
#include <limits>

namespace perennial {
namespace {

json::array as_array(std::span<const double> values) { return json::array(values.begin(), values.end()); }

}  // namespace

Result<double> read_number(const json::object& object, std::string_view name) {
  if (find_field(object, name) == nullptr) return invalid_argument("{}: missing", name);
  return number_field(object, name, 0);
}

Result<double> read_positive(const json::object& object, std::string_view name) {
  PERENNIAL_TRY_ASSIGN(const double number, read_number(object, name));
  if (!(number > 0)) return invalid_argument("{}: want a number above 0, got {}", name, number);
  return number;
}

Result<json::object> read_object(const json::object& object, std::string_view name) {
  const json::value* field = find_field(object, name);
  if (field == nullptr || !field->is_object()) return invalid_argument("{}: want an object", name);
  return field->get_object();
}

Result<std::vector<double>> read_numbers(const json::object& object, std::string_view name, size_t size) {
  const json::value* field = find_field(object, name);
  if (field == nullptr || !field->is_array() || field->get_array().size() != size)
    return invalid_argument("{}: want a list of {} numbers", name, size);
  std::vector<double> numbers;
  for (const json::value& value : field->get_array()) {
    const double number = value.is_number() ? value.to_number<double>() : std::numeric_limits<double>::quiet_NaN();
    if (!std::isfinite(number)) return invalid_argument("{}: not all are finite numbers", name);
    numbers.push_back(number);
  }
  return numbers;
}

json::object as_json(const MbgNbd& model) {
  return {{"r", model.r}, {"alpha", model.alpha}, {"a", model.a}, {"b", model.b}};
}

json::object as_json(const GammaGamma& model) { return {{"p", model.p}, {"q", model.q}, {"v", model.v}}; }

json::object as_json(const Logistic& model) {
  return {{"intercept", model.intercept},
          {"coefficients", as_array(model.coefficients)},
          {"standard_errors", as_array(model.standard_errors)}};
}

json::object as_json(const TwoPart& model) {
  return {
      {"spends", as_json(model.spends)}, {"intercept", model.intercept}, {"coefficients", as_array(model.coefficients)},
      {"smearing", model.smearing},      {"deviation", model.deviation}, {"most_log_money", model.most_log_money}};
}

json::array as_json(const Interval95& interval) { return {interval.value, interval.low, interval.high}; }

Result<MbgNbd> read_mbg_nbd(const json::object& object) {
  MbgNbd model;
  PERENNIAL_TRY_ASSIGN(model.r, read_positive(object, "r"));
  PERENNIAL_TRY_ASSIGN(model.alpha, read_positive(object, "alpha"));
  PERENNIAL_TRY_ASSIGN(model.a, read_positive(object, "a"));
  PERENNIAL_TRY_ASSIGN(model.b, read_positive(object, "b"));
  return model;
}

Result<GammaGamma> read_gamma_gamma(const json::object& object) {
  GammaGamma model;
  PERENNIAL_TRY_ASSIGN(model.p, read_positive(object, "p"));
  PERENNIAL_TRY_ASSIGN(model.q, read_positive(object, "q"));
  PERENNIAL_TRY_ASSIGN(model.v, read_positive(object, "v"));
  return model;
}

Result<Logistic> read_logistic(const json::object& object, size_t features) {
  Logistic model;
  PERENNIAL_TRY_ASSIGN(model.intercept, read_number(object, "intercept"));
  PERENNIAL_TRY_ASSIGN(model.coefficients, read_numbers(object, "coefficients", features));
  PERENNIAL_TRY_ASSIGN(model.standard_errors, read_numbers(object, "standard_errors", features));
  return model;
}

Result<TwoPart> read_two_part(const json::object& object, size_t features) {
  TwoPart model;
  PERENNIAL_TRY_ASSIGN(const json::object spends, read_object(object, "spends"));
  PERENNIAL_TRY_ASSIGN(model.spends, read_logistic(spends, features));
  PERENNIAL_TRY_ASSIGN(model.intercept, read_number(object, "intercept"));
  PERENNIAL_TRY_ASSIGN(model.coefficients, read_numbers(object, "coefficients", features));
  PERENNIAL_TRY_ASSIGN(model.smearing, read_positive(object, "smearing"));
  PERENNIAL_TRY_ASSIGN(model.deviation, read_number(object, "deviation"));
  PERENNIAL_TRY_ASSIGN(model.most_log_money, read_number(object, "most_log_money"));
  return model;
}

Result<Interval95> read_interval(const json::object& object, std::string_view name) {
  PERENNIAL_TRY_ASSIGN(const std::vector<double> numbers, read_numbers(object, name, 3));
  return Interval95{numbers[0], numbers[1], numbers[2]};
}

}  // namespace perennial
