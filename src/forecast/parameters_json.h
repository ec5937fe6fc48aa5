// Parameters of fitted models as JSON and back. Reading refuses what no fit could have written.
#pragma once

#include <string_view>

#include "base/json.h"
#include "forecast/gamma_gamma.h"
#include "forecast/logistic.h"
#include "forecast/mbg_nbd.h"
#include "forecast/two_part.h"

namespace perennial {

/// A field that must be there and finite.
Result<double> read_number(const json::object& object, std::string_view name);
/// The same, and above 0.
Result<double> read_positive(const json::object& object, std::string_view name);
Result<json::object> read_object(const json::object& object, std::string_view name);
/// Finite numbers, exactly `size`.
Result<std::vector<double>> read_numbers(const json::object& object, std::string_view name, size_t size);

json::object as_json(const MbgNbd& model);
json::object as_json(const GammaGamma& model);
json::object as_json(const Logistic& model);
json::object as_json(const TwoPart& model);
json::array as_json(const Interval95& interval);  // [value, low, high]

Result<MbgNbd> read_mbg_nbd(const json::object& object);
Result<GammaGamma> read_gamma_gamma(const json::object& object);
Result<Logistic> read_logistic(const json::object& object, size_t features);
Result<TwoPart> read_two_part(const json::object& object, size_t features);
Result<Interval95> read_interval(const json::object& object, std::string_view name);

}  // namespace perennial
