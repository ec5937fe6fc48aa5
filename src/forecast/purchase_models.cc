#include "forecast/purchase_models.h"

#include "forecast/customer_value.h"
#include "forecast/occasions.h"
#include "forecast/parameters_json.h"

namespace perennial {
namespace {

// Weak: it only keeps what the data leave open from running off.
constexpr double kPriorDeviation = 3;

/// The mean answer of those asked who have no history. Of probabilities half a user more on either side, so that none
/// is certain.
double mean_of_strangers(const Lesson& lesson) {
  const uint8_t signal = signal_of(lesson.question, lesson.definition);
  const double added = lesson.question.kind() == OutcomeKind::probability ? 0.5 : 0;
  double sum = added;
  double users = 2 * added;
  for (size_t i = 0; i < lesson.asked.subjects.size(); ++i) {
    if (history_at(lesson.asked.subjects[i].facts->of(signal), lesson.asked.at)) continue;
    sum += lesson.asked.answers[i];
    ++users;
  }
  return users > 0 ? sum / users : 0;
}

Result<MbgNbd> fit_visits(const Lesson& lesson) {
  MbgNbdOptions options;
  options.prior_deviation = kPriorDeviation;
  const std::vector<PurchaseHistory> histories =
      histories_at(lesson.everybody, signal_of(lesson.question, lesson.definition), lesson.asked.at);
  PERENNIAL_TRY_ASSIGN(const MbgNbdFit fit, fit_mbg_nbd(histories, options));
  return fit.model;
}

class MbgNbdModel final : public Model {
 public:
  MbgNbdModel(Question question, uint8_t signal, const MbgNbd& visits, double strangers)
      : question_(std::move(question)), signal_(signal), visits_(visits), strangers_(strangers) {}

  [[nodiscard]] double forecast(const Definition&, const Subject& subject, TimeMs now) const override {
    const auto history = history_at(subject.facts->of(signal_), now);
    if (!history) return strangers_;
    const double comes = probability_of_purchase_within(visits_, *history, question_.horizon_days());
    return question_.outcome == Outcome::churns ? 1 - comes : comes;
  }

  [[nodiscard]] json::object to_json() const override {
    return {{"visits", as_json(visits_)}, {"strangers", strangers_}};
  }

 private:
  Question question_;
  uint8_t signal_;
  MbgNbd visits_;
  double strangers_;
};

class SpendModel final : public Model {
 public:
  SpendModel(Question question, uint8_t signal, const ValueModel& value, double strangers)
      : question_(std::move(question)), signal_(signal), value_(value), strangers_(strangers) {}

  [[nodiscard]] double forecast(const Definition& definition, const Subject& subject, TimeMs now) const override {
    const std::span<const Fact> facts = subject.facts->of(signal_);
    const auto history = history_at(facts, now);
    const Spend spend = spend_at(facts, now, definition.minor_units);
    if (!history || spend.transactions == 0) return strangers_;
    return expected_money(value_, {*history, spend}, question_.horizon_days()).value_or(strangers_);
  }

  [[nodiscard]] json::object to_json() const override {
    return {{"visits", as_json(value_.purchases)}, {"spends", as_json(value_.spends)}, {"strangers", strangers_}};
  }

 private:
  Question question_;
  uint8_t signal_;
  ValueModel value_;
  double strangers_;
};

Result<GammaGamma> fit_spends(const Lesson& lesson) {
  const uint8_t signal = signal_of(lesson.question, lesson.definition);
  std::vector<Spend> spends;
  for (const Subject& subject : lesson.everybody) {
    const Spend spend = spend_at(subject.facts->of(signal), lesson.asked.at, lesson.definition.minor_units);
    if (spend.transactions > 0) spends.push_back(spend);
  }
  GammaGammaOptions options;
  options.prior_deviation = kPriorDeviation;
  PERENNIAL_TRY_ASSIGN(const GammaGammaFit fit, fit_gamma_gamma(spends, options));
  return fit.model;
}

}  // namespace

bool suits_mbg_nbd(const Question& question) {
  return question.outcome == Outcome::returns || question.outcome == Outcome::buys ||
         question.outcome == Outcome::churns;
}

Result<std::unique_ptr<Model>> fit_mbg_nbd_model(const Lesson& lesson) {
  PERENNIAL_TRY_ASSIGN(const MbgNbd visits, fit_visits(lesson));
  return std::unique_ptr<Model>(std::make_unique<MbgNbdModel>(
      lesson.question, signal_of(lesson.question, lesson.definition), visits, mean_of_strangers(lesson)));
}

Result<std::unique_ptr<Model>> read_mbg_nbd_model(const Definition& definition, const Question& question,
                                                  const json::object& object) {
  PERENNIAL_TRY_ASSIGN(const json::object visits_object, read_object(object, "visits"));
  PERENNIAL_TRY_ASSIGN(const MbgNbd visits, read_mbg_nbd(visits_object));
  PERENNIAL_TRY_ASSIGN(const double strangers, read_number(object, "strangers"));
  if (strangers < 0 || strangers > 1) return invalid_argument("strangers: {} is no probability", strangers);
  return std::unique_ptr<Model>(
      std::make_unique<MbgNbdModel>(question, signal_of(question, definition), visits, strangers));
}

bool suits_mbg_nbd_gamma_gamma(const Question& question) { return question.outcome == Outcome::spends; }

Result<std::unique_ptr<Model>> fit_mbg_nbd_gamma_gamma_model(const Lesson& lesson) {
  PERENNIAL_TRY_ASSIGN(const MbgNbd visits, fit_visits(lesson));
  PERENNIAL_TRY_ASSIGN(const GammaGamma spends, fit_spends(lesson));
  return std::unique_ptr<Model>(std::make_unique<SpendModel>(lesson.question,
                                                             signal_of(lesson.question, lesson.definition),
                                                             ValueModel{visits, spends}, mean_of_strangers(lesson)));
}

Result<std::unique_ptr<Model>> read_mbg_nbd_gamma_gamma_model(const Definition& definition, const Question& question,
                                                              const json::object& object) {
  PERENNIAL_TRY_ASSIGN(const json::object visits_object, read_object(object, "visits"));
  PERENNIAL_TRY_ASSIGN(const json::object spends_object, read_object(object, "spends"));
  PERENNIAL_TRY_ASSIGN(const MbgNbd visits, read_mbg_nbd(visits_object));
  PERENNIAL_TRY_ASSIGN(const GammaGamma spends, read_gamma_gamma(spends_object));
  PERENNIAL_TRY_ASSIGN(const double strangers, read_number(object, "strangers"));
  return std::unique_ptr<Model>(
      std::make_unique<SpendModel>(question, signal_of(question, definition), ValueModel{visits, spends}, strangers));
}

}  // namespace perennial
