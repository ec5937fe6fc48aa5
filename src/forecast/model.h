// A family of models that can answer questions, and one of its models fitted for one question. Families compete; how:
// forecast/chooser.h. Covered by forecast/classical_test.cc.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "forecast/questions.h"

namespace perennial {

/// The users asked at an instant, and what came of it.
struct Asked {
  TimeMs at = 0;
  std::vector<Subject> subjects;
  std::vector<double> answers;  // as many, or none when the horizon is not over
};

/// What a model is fitted to. Answers reach to asked.at + horizon; of facts, a model looks at those up to asked.at
/// only.
struct Lesson {
  const Definition& definition;
  const Question& question;
  std::span<const Subject> everybody;  // also those who are not asked
  const Asked& asked;
};

/// Fitted for one question. Thread rule: immutable.
class Model {
 public:
  virtual ~Model() = default;

  /// A probability, or money in major units; raw, that is before recalibration. Looks at no fact later than `now`.
  [[nodiscard]] virtual double forecast(const Definition& definition, const Subject& subject, TimeMs now) const = 0;

  [[nodiscard]] virtual json::object to_json() const = 0;
};

struct Family {
  std::string_view name;
  bool (*suits)(const Question& question);
  /// Fails, saying why, when the lesson is too small or one-sided.
  Result<std::unique_ptr<Model>> (*fit)(const Lesson& lesson);
  /// From Model::to_json. invalid_argument for what cannot be.
  Result<std::unique_ptr<Model>> (*read)(const Definition& definition, const Question& question,
                                         const json::object& object);
};

/// Of probabilities: rfm_logistic, and for returns, purchases and churn mbg_nbd and mbg_logistic, the first two in one.
/// Of money: two_part, mbg_nbd_gamma_gamma, and mbg_two_part, both in one.
std::span<const Family> classical_families();

/// nullptr for a name that no classical family has.
const Family* find_family(std::string_view name);

}  // namespace perennial
