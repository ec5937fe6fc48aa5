#include "forecast/model.h"

#include <algorithm>
#include <array>

#include "forecast/purchase_models.h"
#include "forecast/regression_models.h"

namespace perennial {
namespace {

constexpr std::array kFamilies = {
    Family{"rfm_logistic", suits_rfm_logistic, fit_rfm_logistic_model, read_rfm_logistic_model},
    Family{"mbg_nbd", suits_mbg_nbd, fit_mbg_nbd_model, read_mbg_nbd_model},
    Family{"mbg_logistic", suits_mbg_nbd, fit_mbg_logistic_model, read_mbg_logistic_model},
    Family{"two_part", suits_two_part, fit_two_part_model, read_two_part_model},
    Family{"mbg_nbd_gamma_gamma", suits_mbg_nbd_gamma_gamma, fit_mbg_nbd_gamma_gamma_model,
           read_mbg_nbd_gamma_gamma_model},
    Family{"mbg_two_part", suits_two_part, fit_mbg_two_part_model, read_mbg_two_part_model}};

}  // namespace

std::span<const Family> classical_families() { return kFamilies; }

const Family* find_family(std::string_view name) {
  const auto* found =
      std::find_if(kFamilies.begin(), kFamilies.end(), [&](const Family& family) { return family.name == name; });
  return found == kFamilies.end() ? nullptr : found;
}

}  // namespace perennial
