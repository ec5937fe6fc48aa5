// The families that regress answers on the features of a user, alone or with what MBG/NBD says as one feature more.
// Covered by forecast/classical_test.cc.
#pragma once

#include "forecast/model.h"

namespace perennial {

bool suits_rfm_logistic(const Question& question);
Result<std::unique_ptr<Model>> fit_rfm_logistic_model(const Lesson& lesson);
Result<std::unique_ptr<Model>> read_rfm_logistic_model(const Definition& definition, const Question& question,
                                                       const json::object& object);

Result<std::unique_ptr<Model>> fit_mbg_logistic_model(const Lesson& lesson);
Result<std::unique_ptr<Model>> read_mbg_logistic_model(const Definition& definition, const Question& question,
                                                       const json::object& object);

bool suits_two_part(const Question& question);
Result<std::unique_ptr<Model>> fit_two_part_model(const Lesson& lesson);
Result<std::unique_ptr<Model>> read_two_part_model(const Definition& definition, const Question& question,
                                                   const json::object& object);

Result<std::unique_ptr<Model>> fit_mbg_two_part_model(const Lesson& lesson);
Result<std::unique_ptr<Model>> read_mbg_two_part_model(const Definition& definition, const Question& question,
                                                       const json::object& object);

}  // namespace perennial
