// The families that take a signal's days for purchases: MBG/NBD, and with Gamma-Gamma for money. Users without such a
// day have no history; of them the mean answer of those like them is forecast. Covered by forecast/classical_test.cc.
#pragma once

#include "forecast/model.h"

namespace perennial {

bool suits_mbg_nbd(const Question& question);
Result<std::unique_ptr<Model>> fit_mbg_nbd_model(const Lesson& lesson);
Result<std::unique_ptr<Model>> read_mbg_nbd_model(const Definition& definition, const Question& question,
                                                  const json::object& object);

bool suits_mbg_nbd_gamma_gamma(const Question& question);
Result<std::unique_ptr<Model>> fit_mbg_nbd_gamma_gamma_model(const Lesson& lesson);
Result<std::unique_ptr<Model>> read_mbg_nbd_gamma_gamma_model(const Definition& definition, const Question& question,
                                                              const json::object& object);

}  // namespace perennial
