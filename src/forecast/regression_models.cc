#include "forecast/regression_models.h"

#include <algorithm>
#include <cmath>

#include "forecast/features.h"
#include "forecast/parameters_json.h"
#include "forecast/purchase_models.h"

namespace perennial {
namespace {

/// What the two regressions differ in.
double value_at(const Logistic& model, std::span<const double> features) { return model.probability(features); }
double value_at(const TwoPart& model, std::span<const double> features) { return model.expected(features); }
Status fit_to(const Eigen::MatrixXd& rows, const Eigen::VectorXd& answers, Logistic& model) {
  PERENNIAL_TRY_ASSIGN(model, fit_logistic(rows, answers));
  return {};
}
Status fit_to(const Eigen::MatrixXd& rows, const Eigen::VectorXd& answers, TwoPart& model) {
  PERENNIAL_TRY_ASSIGN(model, fit_two_part(rows, answers));
  return {};
}
Status read_from(const json::object& object, size_t features, Logistic& model) {
  PERENNIAL_TRY_ASSIGN(model, read_logistic(object, features));
  return {};
}
Status read_from(const json::object& object, size_t features, TwoPart& model) {
  PERENNIAL_TRY_ASSIGN(model, read_two_part(object, features));
  return {};
}

/// The features of a user, and if there is an inner model, its forecast on a scale that fits a line.
class Inputs {
 public:
  Inputs(Features features, std::unique_ptr<Model> inner, OutcomeKind kind)
      : features_(std::move(features)), inner_(std::move(inner)), kind_(kind) {}

  [[nodiscard]] const Model* inner() const { return inner_.get(); }
  [[nodiscard]] size_t size() const { return features_.names().size() + (inner_ ? 1 : 0); }

  [[nodiscard]] json::array names() const {
    json::array names;
    for (const std::string& name : features_.names()) names.emplace_back(name);
    if (inner_) names.emplace_back("mbg_nbd");
    return names;
  }

  [[nodiscard]] std::vector<double> of(const Definition& definition, const Subject& subject, TimeMs now) const {
    std::vector<double> row = features_.of(definition, subject, now);
    if (!inner_) return row;
    const double forecast = inner_->forecast(definition, subject, now);
    row.push_back(kind_ == OutcomeKind::probability ? logit(forecast) : std::log1p(std::max(0.0, forecast)));
    return row;
  }

 private:
  Features features_;
  std::unique_ptr<Model> inner_;
  OutcomeKind kind_;
};

/// `Regression` is Logistic or TwoPart.
template <typename Regression>
class RegressionModel final : public Model {
 public:
  RegressionModel(Inputs inputs, Regression regression)
      : inputs_(std::move(inputs)), regression_(std::move(regression)) {}

  [[nodiscard]] double forecast(const Definition& definition, const Subject& subject, TimeMs now) const override {
    return value_at(regression_, inputs_.of(definition, subject, now));
  }

  [[nodiscard]] json::object to_json() const override {
    json::object object = {{"features", inputs_.names()}, {"regression", as_json(regression_)}};
    if (inputs_.inner() != nullptr) object["mbg_nbd"] = inputs_.inner()->to_json();
    return object;
  }

 private:
  Inputs inputs_;
  Regression regression_;
};

template <typename Regression>
Result<std::unique_ptr<Model>> fit(const Lesson& lesson, std::unique_ptr<Model> inner) {
  Inputs inputs(Features(lesson.definition, lesson.question), std::move(inner), lesson.question.kind());
  const Asked& asked = lesson.asked;
  Eigen::MatrixXd rows(asked.subjects.size(), inputs.size());
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    const std::vector<double> row = inputs.of(lesson.definition, asked.subjects[static_cast<size_t>(i)], asked.at);
    rows.row(i) = Eigen::Map<const Eigen::RowVectorXd>(row.data(), rows.cols());
  }
  const Eigen::Map<const Eigen::VectorXd> answers(asked.answers.data(), rows.rows());
  Regression regression;
  PERENNIAL_TRY(fit_to(rows, answers, regression));
  return std::unique_ptr<Model>(
      std::make_unique<RegressionModel<Regression>>(std::move(inputs), std::move(regression)));
}

template <typename Regression>
Result<std::unique_ptr<Model>> read(const Definition& definition, const Question& question, const json::object& object,
                                    std::unique_ptr<Model> inner) {
  Inputs inputs(Features(definition, question), std::move(inner), question.kind());
  // Coefficients mean nothing for other features.
  const json::value* names = find_field(object, "features");
  if (names == nullptr || *names != inputs.names())
    return invalid_argument("features: not those that this version computes: forecast anew");
  PERENNIAL_TRY_ASSIGN(const json::object regression_object, read_object(object, "regression"));
  Regression regression;
  PERENNIAL_TRY(read_from(regression_object, inputs.size(), regression));
  return std::unique_ptr<Model>(
      std::make_unique<RegressionModel<Regression>>(std::move(inputs), std::move(regression)));
}

}  // namespace

bool suits_rfm_logistic(const Question& question) { return question.kind() == OutcomeKind::probability; }

Result<std::unique_ptr<Model>> fit_rfm_logistic_model(const Lesson& lesson) { return fit<Logistic>(lesson, nullptr); }

Result<std::unique_ptr<Model>> read_rfm_logistic_model(const Definition& definition, const Question& question,
                                                       const json::object& object) {
  return read<Logistic>(definition, question, object, nullptr);
}

Result<std::unique_ptr<Model>> fit_mbg_logistic_model(const Lesson& lesson) {
  PERENNIAL_TRY_ASSIGN(std::unique_ptr<Model> inner, fit_mbg_nbd_model(lesson));
  return fit<Logistic>(lesson, std::move(inner));
}

Result<std::unique_ptr<Model>> read_mbg_logistic_model(const Definition& definition, const Question& question,
                                                       const json::object& object) {
  PERENNIAL_TRY_ASSIGN(const json::object inner_object, read_object(object, "mbg_nbd"));
  PERENNIAL_TRY_ASSIGN(std::unique_ptr<Model> inner, read_mbg_nbd_model(definition, question, inner_object));
  return read<Logistic>(definition, question, object, std::move(inner));
}

bool suits_two_part(const Question& question) { return question.kind() == OutcomeKind::money; }

Result<std::unique_ptr<Model>> fit_two_part_model(const Lesson& lesson) { return fit<TwoPart>(lesson, nullptr); }

Result<std::unique_ptr<Model>> read_two_part_model(const Definition& definition, const Question& question,
                                                   const json::object& object) {
  return read<TwoPart>(definition, question, object, nullptr);
}

Result<std::unique_ptr<Model>> fit_mbg_two_part_model(const Lesson& lesson) {
  PERENNIAL_TRY_ASSIGN(std::unique_ptr<Model> inner, fit_mbg_nbd_gamma_gamma_model(lesson));
  return fit<TwoPart>(lesson, std::move(inner));
}

Result<std::unique_ptr<Model>> read_mbg_two_part_model(const Definition& definition, const Question& question,
                                                       const json::object& object) {
  PERENNIAL_TRY_ASSIGN(const json::object inner_object, read_object(object, "mbg_nbd"));
  PERENNIAL_TRY_ASSIGN(std::unique_ptr<Model> inner,
                       read_mbg_nbd_gamma_gamma_model(definition, question, inner_object));
  return read<TwoPart>(definition, question, object, std::move(inner));
}

}  // namespace perennial
