#include "forecast/regression_models.h"

#include "forecast/features.h"
#include "forecast/parameters_json.h"

namespace perennial {
namespace {

Eigen::VectorXd answers_of(const Lesson& lesson) {
  return Eigen::Map<const Eigen::VectorXd>(lesson.asked.answers.data(),
                                           static_cast<Eigen::Index>(lesson.asked.answers.size()));
}

double value_at(const Logistic& model, std::span<const double> features) { return model.probability(features); }
double value_at(const TwoPart& model, std::span<const double> features) { return model.expected(features); }

/// `Regression` is Logistic or TwoPart.
template <typename Regression>
class RegressionModel final : public Model {
 public:
  RegressionModel(Features features, Regression regression)
      : features_(std::move(features)), regression_(std::move(regression)) {}

  [[nodiscard]] double forecast(const Definition& definition, const Subject& subject, TimeMs now) const override {
    return value_at(regression_, features_.of(definition, subject, now));
  }

  [[nodiscard]] json::object to_json() const override {
    json::array names;
    for (const std::string& name : features_.names()) names.emplace_back(name);
    return {{"features", std::move(names)}, {"regression", as_json(regression_)}};
  }

 private:
  Features features_;
  Regression regression_;
};

/// The names must be those of this program, in order: coefficients mean nothing for other features.
Status check_names(const Features& features, const json::object& object) {
  const json::value* names = find_field(object, "features");
  json::array wanted;
  for (const std::string& name : features.names()) wanted.emplace_back(name);
  if (names != nullptr && *names == wanted) return {};
  return invalid_argument("features: not those that this version computes: forecast anew");
}

}  // namespace

bool suits_rfm_logistic(const Question& question) { return question.kind() == OutcomeKind::probability; }

Result<std::unique_ptr<Model>> fit_rfm_logistic_model(const Lesson& lesson) {
  Features features(lesson.definition, lesson.question);
  const Eigen::MatrixXd rows = features.matrix(lesson.definition, lesson.asked.subjects, lesson.asked.at);
  PERENNIAL_TRY_ASSIGN(Logistic logistic, fit_logistic(rows, answers_of(lesson)));
  return std::unique_ptr<Model>(std::make_unique<RegressionModel<Logistic>>(std::move(features), std::move(logistic)));
}

Result<std::unique_ptr<Model>> read_rfm_logistic_model(const Definition& definition, const Question& question,
                                                       const json::object& object) {
  Features features(definition, question);
  PERENNIAL_TRY(check_names(features, object));
  PERENNIAL_TRY_ASSIGN(const json::object regression, read_object(object, "regression"));
  PERENNIAL_TRY_ASSIGN(Logistic logistic, read_logistic(regression, features.names().size()));
  return std::unique_ptr<Model>(std::make_unique<RegressionModel<Logistic>>(std::move(features), std::move(logistic)));
}

bool suits_two_part(const Question& question) { return question.kind() == OutcomeKind::money; }

Result<std::unique_ptr<Model>> fit_two_part_model(const Lesson& lesson) {
  Features features(lesson.definition, lesson.question);
  const Eigen::MatrixXd rows = features.matrix(lesson.definition, lesson.asked.subjects, lesson.asked.at);
  PERENNIAL_TRY_ASSIGN(TwoPart two_part, fit_two_part(rows, answers_of(lesson)));
  return std::unique_ptr<Model>(std::make_unique<RegressionModel<TwoPart>>(std::move(features), std::move(two_part)));
}

Result<std::unique_ptr<Model>> read_two_part_model(const Definition& definition, const Question& question,
                                                   const json::object& object) {
  Features features(definition, question);
  PERENNIAL_TRY(check_names(features, object));
  PERENNIAL_TRY_ASSIGN(const json::object regression, read_object(object, "regression"));
  PERENNIAL_TRY_ASSIGN(TwoPart two_part, read_two_part(regression, features.names().size()));
  return std::unique_ptr<Model>(std::make_unique<RegressionModel<TwoPart>>(std::move(features), std::move(two_part)));
}

}  // namespace perennial
