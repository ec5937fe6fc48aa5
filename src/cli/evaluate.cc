// perennial evaluate: how good the ranking is on what training did not see, beside the simple baselines.
#include <limits>
#include <set>

#include "base/json.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "evaluation/model_scorer.h"
#include "evaluation/split.h"
#include "log/sqlite_log.h"
#include "model/baselines.h"

namespace perennial {
namespace {

struct EvaluateFlags {
  std::vector<std::string> models;
  std::string protocol;
  std::string part = "test";
  std::string inputs = "history";
  std::string from;
  std::string to;
  int k = 10;
  bool one_by_one = false;
  bool include_seen = false;
  bool no_baselines = false;
};

struct Question {
  Holdout holdout;
  Dataset dataset;
  RankingCases cases;
  std::string protocol;
  Inputs inputs = Inputs::history;
  std::vector<std::vector<int32_t>> training;  // for the baselines
};

struct Answer {
  std::vector<RankingReport> reports;
  std::vector<std::string> notes;
};

Result<CaseOptions> case_options(const EvaluateFlags& flags) {
  CaseOptions options;
  options.exclude_seen = !flags.include_seen;
  options.one_by_one = flags.one_by_one;
  PERENNIAL_TRY_ASSIGN(options.inputs, parse_inputs(flags.inputs));
  if (!flags.from.empty()) {
    PERENNIAL_TRY_ASSIGN(options.from_ms, parse_timestamp(flags.from));
    if (options.from_ms <= 0) return invalid_argument("--from must be after 1970-01-01");
  }
  if (!flags.to.empty()) {
    if (flags.from.empty()) return invalid_argument("--to needs --from");
    PERENNIAL_TRY_ASSIGN(options.to_ms, parse_timestamp(flags.to));
  }
  return options;
}

/// What a model that knows everything before `time_ms` could have been trained on.
std::vector<std::vector<int32_t>> sequences_before(const Dataset& dataset, int64_t time_ms) {
  std::vector<std::vector<int32_t>> sequences;
  for (const UserHistory& user : dataset.users) {
    std::vector<int32_t>& items = sequences.emplace_back();
    for (const Token& token : user.tokens)
      if (token.time_ms < time_ms) items.push_back(token.item);
  }
  return sequences;
}

Result<Question> make_question(const EvaluateFlags& flags, const std::vector<StoredModel>& models,
                               const Settings& settings, LogReader& log) {
  PERENNIAL_TRY_ASSIGN(const CaseOptions options, case_options(flags));
  Question question;
  question.inputs = options.inputs;
  question.holdout = models.front().ensemble->config().holdout;
  Holdout::Kind kind = question.holdout.kind;
  if (!flags.protocol.empty()) {
    PERENNIAL_TRY_ASSIGN(kind, parse_holdout(flags.protocol));
  }
  for (const StoredModel& model : models) {
    const ModelConfig& config = model.ensemble->config();
    PERENNIAL_TRY(check_unseen(config.holdout, kind, options).with_context(fmt::format("model {}", config.id)));
    if (options.from_ms == 0 && !(config.holdout == question.holdout))
      return failed_precondition(
          "models {} and {} were trained on different parts of the log: compare them on later events with --from",
          models.front().ensemble->config().id, config.id);
  }
  const bool later = options.from_ms > 0;
  const Offset up_to = later ? std::numeric_limits<Offset>::max() : question.holdout.log_offset;
  const int32_t most_items = later ? std::numeric_limits<int32_t>::max() : models.front().ensemble->config().items;
  const TimeMs before =
      later ? (options.to_ms == std::numeric_limits<int64_t>::max() ? 0 : options.to_ms) : question.holdout.before_ms;
  PERENNIAL_TRY_ASSIGN(question.dataset, load_dataset(log, settings.roles, up_to, before, most_items));
  if (!later && question.dataset.roles_digest != question.holdout.roles_digest)
    return failed_precondition(
        "the event roles have changed since the model was trained, so other events would be held out: run 'train' "
        "again");
  question.cases =
      make_cases(question.holdout, question.dataset, flags.part == "test" ? Part::test : Part::validation, options);
  question.protocol = later ? "from " + flags.from : holdout_name(kind);
  question.training = later ? sequences_before(question.dataset, options.from_ms)
                            : training_sequences(question.holdout, question.dataset);
  if (question.cases.cases.empty())
    return failed_precondition("no user has an event to ask for under the protocol '{}'", question.protocol);
  return question;
}

RankingReport rank(const Scorer& scorer, const Question& question, int k) {
  Progress progress("evaluating " + scorer.name(), static_cast<int64_t>(question.cases.cases.size()), "questions");
  RankingOptions options{.cutoffs = {k}, .user_of_case = question.cases.user_index};
  options.progress = [&](int64_t done) { progress.update(done); };
  return evaluate_ranking(scorer, question.cases.cases, question.dataset.items, options);
}

void add_baselines(const Question& question, int k, Answer& answer) {
  const int32_t items = question.dataset.items;
  answer.reports.push_back(rank(*fit_popularity(question.training, items), question, k));
  answer.reports.push_back(rank(*fit_markov(question.training, items), question, k));
  answer.reports.push_back(rank(*fit_item_knn(question.training, items), question, k));
  const Result<std::unique_ptr<Scorer>> ease = fit_ease(question.training, items);
  if (ease.ok())
    answer.reports.push_back(rank(**ease, question, k));
  else
    answer.notes.push_back("ease skipped: " + ease.status().message());
}

size_t distinct_users(const Question& question) {
  return std::set<size_t>(question.cases.user_index.begin(), question.cases.user_index.end()).size();
}

struct Comparison {
  std::string model, against;
  Estimate gain;  // of the metric, paired by user
};

/// Of each other model with the first, and of the first with the best baseline, on the same questions.
std::vector<Comparison> comparisons(const Question& question, const Answer& answer, const std::string& metric,
                                    size_t models) {
  std::vector<Comparison> found;
  const auto compare = [&](const RankingReport& model, const RankingReport& against) {
    found.push_back({model.model, against.model,
                     paired_difference(model.per_case.at(metric), against.per_case.at(metric), 1000, 42,
                                       question.cases.user_index)});
  };
  for (size_t i = 1; i < models; ++i) compare(answer.reports[i], answer.reports.front());
  const auto best = std::max_element(
      answer.reports.begin() + static_cast<ptrdiff_t>(models), answer.reports.end(),
      [&](const auto& a, const auto& b) { return a.metrics.at(metric).value < b.metrics.at(metric).value; });
  if (best != answer.reports.end()) compare(answer.reports.front(), *best);
  return found;
}

void print_json(const Question& question, const Answer& answer, const std::vector<Comparison>& compared,
                const EvaluateFlags& flags) {
  json::array rows, comparisons;
  for (const RankingReport& report : answer.reports) {
    json::object row = {{"model", report.model}};
    for (const auto& [name, estimate] : report.metrics) {
      row[name] = estimate.value;
      if (estimate.high > estimate.low) row[name + "_interval"] = {estimate.low, estimate.high};
    }
    rows.push_back(std::move(row));
  }
  for (const Comparison& one : compared)
    comparisons.push_back(json::object{{"model", one.model},
                                       {"against", one.against},
                                       {fmt::format("ndcg@{}", flags.k), one.gain.value},
                                       {"interval", {one.gain.low, one.gain.high}}});
  const json::object object = {{"protocol", question.protocol},
                               {"part", flags.part},
                               {"inputs", flags.inputs},
                               {"k", flags.k},
                               {"users", distinct_users(question)},
                               {"questions", question.cases.cases.size()},
                               {"items", question.dataset.items},
                               {"exclude_seen", !flags.include_seen},
                               {"dropped_repeats", question.cases.dropped_repeats},
                               {"notes", json::value_from(answer.notes)},
                               {"rows", rows},
                               {"comparisons", comparisons}};
  fmt::print("{}\n", json::serialize(object));
}

const char* what_is_told(Inputs inputs) {
  switch (inputs) {
    case Inputs::history:
      return "";
    case Inputs::traits:
      return "; the model knows the user's traits";
    case Inputs::request:
      return "; the model knows the user's traits, and when and on which device the next event comes";
  }
  return "";
}

void print_table(const Question& question, const Answer& answer, const std::vector<Comparison>& compared,
                 const EvaluateFlags& flags) {
  fmt::print("\nProtocol {}, {} part: {} {}, all {} items ranked{}{}.\n\n", question.protocol, flags.part,
             with_commas(static_cast<int64_t>(question.cases.cases.size())),
             flags.one_by_one ? "events, one by one" : "users", with_commas(question.dataset.items),
             flags.include_seen ? "" : ", items of the user's history left out", what_is_told(question.inputs));
  const std::vector<std::string> names = {"hr", "ndcg", "mrr", "map", "precision", "recall", "f1", "coverage"};
  fmt::print("{:24}", "model");
  for (const std::string& name : names) fmt::print("{:>14}", fmt::format("{}@{}", name, flags.k));
  fmt::print("   ndcg 95 % interval\n");
  for (const RankingReport& report : answer.reports) {
    fmt::print("{:24}", report.model);
    for (const std::string& name : names)
      fmt::print("{:>14.4f}", report.metrics.at(fmt::format("{}@{}", name, flags.k)).value);
    const Estimate& ndcg = report.metrics.at(fmt::format("ndcg@{}", flags.k));
    fmt::print("   {:.4f} to {:.4f}\n", ndcg.low, ndcg.high);
  }
  for (const std::string& note : answer.notes) fmt::print("{}\n", note);
  for (const Comparison& one : compared)
    fmt::print("{} against {}: ndcg@{} {:+.4f}, 95 % interval {:+.4f} to {:+.4f}, paired by user.\n", one.model,
               one.against, flags.k, one.gain.value, one.gain.low, one.gain.high);
  if (question.cases.dropped_repeats > 0)
    fmt::print(
        "{} events repeat an item that the user had seen; they are not asked for (--include-seen asks for them).\n",
        with_commas(question.cases.dropped_repeats));
}

Status run(const CommandLine& line, EvaluateFlags flags) {
  if (flags.k < 1) return invalid_argument("-k must be at least 1");
  if (flags.part != "test" && flags.part != "validation") return invalid_argument("--part must be test or validation");
  PERENNIAL_TRY_ASSIGN(const Settings settings, line.settings());
  PERENNIAL_TRY_ASSIGN(const auto log, open_log_for_reading(line.data));
  if (flags.models.empty()) {
    PERENNIAL_TRY_ASSIGN(std::string current, current_model_id(line.data));
    flags.models.push_back(std::move(current));
  }
  std::vector<StoredModel> models;
  for (const std::string& id : flags.models) {
    PERENNIAL_TRY_ASSIGN(StoredModel model, load_model(line.data, id));
    models.push_back(std::move(model));
  }
  PERENNIAL_TRY_ASSIGN(const Question question, make_question(flags, models, settings, *log));
  Answer answer;
  for (const StoredModel& model : models) {
    const std::string name = models.size() == 1 ? "transformer" : model.ensemble->config().id;
    PERENNIAL_TRY_ASSIGN(const auto scorer, make_model_scorer(model, question.dataset, name));
    answer.reports.push_back(rank(*scorer, question, flags.k));
  }
  if (!flags.no_baselines) add_baselines(question, flags.k, answer);
  const auto compared = comparisons(question, answer, fmt::format("ndcg@{}", flags.k), models.size());
  if (line.json)
    print_json(question, answer, compared, flags);
  else
    print_table(question, answer, compared, flags);
  return {};
}

}  // namespace

void add_evaluate_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<EvaluateFlags>();
  CLI::App* command = add_command(
      app, line, "evaluate", "Measure the ranking on what training did not see, beside the baselines",
      "perennial evaluate --data shop --protocol leave-one-out --json\n"
      "  perennial evaluate --data shop --from 2026-03-01 --model 20260301-101500-a1b2c3 --model "
      "20260201-101200-d4e5f6\n\n"
      "Every item of the catalogue is ranked; ties count against the model. A protocol whose answers the model\n"
      "has seen is refused.",
      [&line, flags] { return run(line, *flags); });
  command->add_option("--protocol", flags->protocol, "leave-one-out or time (default: the model's holdout)");
  command->add_option("--from", flags->from, "ask for all events from this time on instead");
  command->add_option("--to", flags->to, "up to this time");
  command->add_flag("--one-by-one", flags->one_by_one,
                    "a question an event, given all before it, instead of one a user");
  command->add_option("--model", flags->models, "model id, may be repeated (default: the current one)");
  command->add_option("--part", flags->part, "test or validation")->capture_default_str();
  command
      ->add_option("--inputs", flags->inputs,
                   "what the model is told: history, traits (those of the user too), or request (all that serving "
                   "knows: also the time and device of the next event)")
      ->capture_default_str();
  command->add_option("-k", flags->k, "length of the list")->capture_default_str();
  command->add_flag("--include-seen", flags->include_seen, "rank items of the user's history too");
  command->add_flag("--no-baselines", flags->no_baselines, "only the models");
  command->add_flag("--json", line.json, "print as JSON");
}

}  // namespace perennial
