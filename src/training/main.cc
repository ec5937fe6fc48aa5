// perennial-train: the training process. Apart from `perennial`, so that serving never loads libtorch.
#include <sched.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "base/exit_code.h"
#include "base/json.h"
#include "base/stop_signal.h"
#include "base/text.h"
#include "lifecycle/configured.h"
#include "log/sqlite_log.h"
#include "settings/settings.h"
#include "training/trainer.h"
#include "training/training_state.h"

namespace perennial {
namespace {

struct Flags {
  std::string data = "perennial-data";
  std::string config;
  std::string before;
  std::string budget;
  std::string memory;
  std::string preset;
  std::string start;
  bool json = false;
  bool fresh = false;
  std::map<std::string, std::string> settings;  // as environment variables: flags win over them
};

void add_flags(CLI::App& app, Flags& flags) {
  app.add_option("--data", flags.data, "data directory")->capture_default_str();
  app.add_option("--config", flags.config, "configuration file (TOML)");
  app.add_option("--before", flags.before,
                 "train on events before this time only (2026-03-01 or 2026-03-01T10:00:00Z)");
  app.add_option("--budget", flags.budget, "time that training may take: 90s, 10m, 2h");
  app.add_option("--memory", flags.memory, "memory that it may take: 800M, 4G");
  app.add_option("--preset", flags.preset, "seed: the classic shape of 6 layers, 8 heads, width 128")
      ->check(CLI::IsMember({"seed"}));
  app.add_option("--start", flags.start,
                 "where items' vectors start: near their neighbours, or random; chosen by the data when not said")
      ->check(CLI::IsMember({"neighbours", "random"}));
  app.add_flag("--json", flags.json, "print the report as JSON on standard output");
  app.add_flag("--fresh", flags.fresh, "drop the state of an interrupted run");
  const auto setting = [&](const char* flag, const char* variable, const char* meaning) {
    app.add_option_function<std::string>(
        flag, [&flags, variable](const std::string& text) { flags.settings[variable] = text; }, meaning);
  };
  setting("--holdout", "PERENNIAL_TRAIN_HOLDOUT", "what training may not see: leave-one-out (default), time, none");
  setting("--width", "PERENNIAL_TRAIN_WIDTH", "numbers a vector");
  setting("--layers", "PERENNIAL_TRAIN_LAYERS", "Transformer blocks");
  setting("--heads", "PERENNIAL_TRAIN_HEADS", "attention heads");
  setting("--window", "PERENNIAL_TRAIN_WINDOW", "tokens that attention looks back over in each layer");
  setting("--members", "PERENNIAL_TRAIN_MEMBERS",
          "models of this shape, trained one after the other, that rank together");
  setting("--max-epochs", "PERENNIAL_TRAIN_MAX_EPOCHS", "passes over the data at most");
  setting("--patience", "PERENNIAL_TRAIN_PATIENCE", "epochs without a better validation before the end");
  setting("--learning-rate", "PERENNIAL_TRAIN_LEARNING_RATE", "of AdamW");
  setting("--weight-decay", "PERENNIAL_TRAIN_WEIGHT_DECAY", "of AdamW");
  setting("--muon-rate", "PERENNIAL_TRAIN_MUON_RATE",
          "of Muon, for the layers' matrices; 0: AdamW for all; below 0: chosen");
  setting("--dropout", "PERENNIAL_TRAIN_DROPOUT", "share of activations dropped");
  setting("--forecast-weight", "PERENNIAL_TRAIN_FORECAST_WEIGHT",
          "of the loss of users' futures beside that of the next item; 0: do not learn them");
  setting("--cooldown", "PERENNIAL_TRAIN_COOLDOWN",
          "share of the epochs over which the learning rate falls to nothing");
  setting("--average-epochs", "PERENNIAL_TRAIN_AVERAGE_EPOCHS",
          "passes over which the weights that are kept are averaged; 0: the last ones");
  setting("--batch-tokens", "PERENNIAL_TRAIN_BATCH_TOKENS", "tokens a step; 0 chooses by the data's size");
  setting("--threads", "PERENNIAL_TRAIN_THREADS", "threads; 0 takes every core");
  setting("--weights", "PERENNIAL_TRAIN_WEIGHTS",
          "numbers of the model's file: float32, or bfloat16 in half the bytes");
  setting("--seed", "PERENNIAL_TRAIN_SEED", "seed of every random number");
  app.footer(
      "Example:\n  perennial train --data shop --holdout leave-one-out\n\n"
      "The default holdout keeps each user's last two events from training, one to choose the settings and one to "
      "measure, so that\n"
      "every model carries an honest figure and files without times work too. 'none' trains on everything.\n"
      "Ctrl-C saves; the same command goes on. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 stopped and saved, 4 not "
      "possible in this state.");
}

Result<Settings> settings_of(Flags flags) {
  if (flags.preset == "seed")  // what other flags say wins
    flags.settings.insert(
        {{"PERENNIAL_TRAIN_WIDTH", "128"}, {"PERENNIAL_TRAIN_LAYERS", "6"}, {"PERENNIAL_TRAIN_HEADS", "8"}});
  for (const auto& [variable, text] : flags.settings) ::setenv(variable.c_str(), text.c_str(), 1);
  return load_settings(flags.config, flags.data);
}

TrainerOptions trainer_options(const Settings& settings) {
  TrainerOptions options;
  options.model.width = static_cast<int32_t>(settings.width);
  options.model.layers = static_cast<int32_t>(settings.layers);
  options.model.heads = static_cast<int32_t>(settings.heads);
  options.model.window = static_cast<int32_t>(settings.window);
  options.model.members = static_cast<int32_t>(settings.members);
  options.model.feed_forward = 0;
  options.max_epochs = settings.max_epochs;
  options.patience = settings.patience;
  options.learning_rate = settings.learning_rate;
  options.weight_decay = settings.weight_decay;
  options.muon_rate = settings.muon_rate;
  options.dropout = settings.dropout;
  options.forecast_weight = settings.forecast_weight;
  options.history_limit = settings.history_limit;
  options.average_epochs = settings.average_epochs;
  options.cooldown = settings.cooldown;
  options.batch_tokens = settings.batch_tokens;
  options.weights = settings.weights == "bfloat16" ? NumberType::bfloat16 : NumberType::float32;
  options.threads = static_cast<int>(settings.train_threads);
  options.seed = static_cast<uint64_t>(settings.seed);
  return options;
}

Status apply_limits(const Flags& flags, TrainerOptions& options) {
  constexpr double kSeconds[] = {1, 60, 3'600};
  if (!flags.budget.empty()) {
    PERENNIAL_TRY_ASSIGN(options.budget_seconds, parse_amount("--budget", flags.budget, "smh", kSeconds));
  }
  if (!flags.memory.empty()) {
    PERENNIAL_TRY_ASSIGN(options.memory_limit_bytes, parse_bytes("--memory", flags.memory));
  }
  return {};
}

/// Empty: the model learns to forecast.
std::string why_no_forecasts(const Settings& settings, const Holdout& holdout, const Dataset& dataset) {
  if (settings.forecast_weight <= 0) return "train.forecast_weight is 0";
  if (dataset.newest_time_ms <= 0) return "the events have no times";
  if (holdout.kind == Holdout::Kind::leave_one_out)
    return "under leave-one-out each user's last events are hidden, and whether they came is the question; train with "
           "--holdout time or none";
  return {};
}

/// A server beside must not wait for the hours that this takes: what else wants a core gets it at once.
void yield_to_others() {
  const sched_param none{};
  if (::sched_setscheduler(0, SCHED_IDLE, &none) != 0) (void)::nice(19);
}

Result<TrainingReport> run(const Flags& flags) {
  const double started = monotonic_seconds();
  PERENNIAL_TRY_ASSIGN(const Settings settings, settings_of(flags));
  PERENNIAL_TRY_ASSIGN(const Holdout::Kind kind, parse_holdout(settings.holdout));
  TrainerOptions options = trainer_options(settings);
  options.started = started;  // reading the log is of the budget too
  PERENNIAL_TRY(apply_limits(flags, options));
  if (!flags.start.empty()) options.start_near_neighbours = flags.start == "neighbours";
  options.fresh = flags.fresh;
  TimeMs before = 0;
  if (!flags.before.empty()) {
    PERENNIAL_TRY_ASSIGN(before, parse_timestamp(flags.before));
    if (before <= 0) return invalid_argument("--before must be after 1970-01-01");
  }
  const std::optional<ModelConfig> interrupted = flags.fresh ? std::nullopt : TrainingState::interrupted(flags.data);
  const Offset up_to = interrupted ? interrupted->holdout.log_offset : std::numeric_limits<Offset>::max();
  const int32_t items = interrupted ? interrupted->items : std::numeric_limits<int32_t>::max();
  PERENNIAL_TRY_ASSIGN(const auto log, open_log_for_reading(flags.data));
  PERENNIAL_TRY_ASSIGN(const Dataset dataset, load_dataset(*log, settings.roles, up_to, before, items));
  PERENNIAL_TRY_ASSIGN(const Holdout holdout, make_holdout(kind, dataset));
  fmt::print(stderr, "Training on {} events of {} users and {} items, holdout {}.\n", with_commas(dataset.events),
             with_commas(static_cast<int64_t>(dataset.users.size())), with_commas(dataset.items), holdout_name(kind));
  std::optional<Lives> lives;
  if (const std::string reason = why_no_forecasts(settings, holdout, dataset); reason.empty()) {
    PERENNIAL_TRY_ASSIGN(Definition definition, stage_definition(settings));
    lives.emplace(std::move(definition), log->event_types(), log->users());
    PERENNIAL_TRY(log->replay(0, dataset.log_offset, [&](const StoredRecord& record) {
      if (before <= 0 || record.time < before) lives->apply(record);  // as the dataset does
      return Status();
    }));
    const TimeMs until = kind == Holdout::Kind::time ? holdout.validate_from_ms - 1 : dataset.newest_time_ms;
    options.forecast = ForecastSource{&lives->definition(), &*lives, until};
  } else {
    fmt::print(stderr, "Without forecasts of users' futures: {}.\n", reason);
  }
  return train(flags.data, dataset, holdout, std::move(options));
}

void print_report(const TrainingReport& report, bool as_json) {
  if (as_json) {
    const json::object object = {{"model", report.model_id},
                                 {"epochs", report.epochs},
                                 {"best_epoch", report.best_epoch},
                                 {"members", report.members},
                                 {"validation_ndcg@10", report.validation_ndcg},
                                 {"parameters", report.parameters},
                                 {"tokens", report.tokens},
                                 {"seconds", report.seconds},
                                 {"finished", !report.model_id.empty()}};
    fmt::print("{}\n", json::serialize(object));
    return;
  }
  if (report.model_id.empty()) {
    const std::string of = report.members == 1 ? "" : fmt::format(" of member {} of {}", report.member, report.members);
    fmt::print("Stopped after {} epochs{}; the state is saved. The same command goes on.\n", report.epochs, of);
    return;
  }
  const std::string quality = report.validation_users == 0
                                  ? "not validated (no user has a validation event)"
                                  : fmt::format("validation NDCG@10 {:.4f}", report.validation_ndcg);
  const std::string reached = report.members == 1 ? fmt::format("epoch {} of {}", report.best_epoch, report.epochs)
                                                  : fmt::format("{} members together", report.members);
  fmt::print("Model {}: {} parameters, {}, {}, in {}.\n", report.model_id, with_commas(report.parameters), quality,
             reached, format_duration(report.seconds));
}

}  // namespace
}  // namespace perennial

int main(int argc, char** argv) {
  using namespace perennial;
  install_stop_signals();
  yield_to_others();
  CLI::App app("Trains the behaviour Transformer on the log of a data directory.", "perennial train");
  Flags flags;
  add_flags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitDone : kExitUsage;
  }
  Result<TrainingReport> report = internal_error("not run");
  try {
    report = run(flags);
  } catch (const std::exception& error) {
    report = internal_error("unexpected: {}", error.what());
  }
  if (!report.ok()) {
    fmt::print(stderr, "perennial train: {}\n", report.status().message());
    return exit_code_of(report.status());
  }
  print_report(*report, flags.json);
  return report->model_id.empty() ? kExitStopped : kExitDone;
}
