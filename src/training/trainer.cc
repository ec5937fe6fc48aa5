#include "training/trainer.h"

#include <cmath>
#include <ctime>
#include <limits>

#include "base/cores.h"
#include "base/digest.h"
#include "base/progress.h"
#include "base/stop_signal.h"
#include "base/text.h"
#include "model/model_folder.h"
#include "training/freed_memory.h"
#include "training/learning_curve.h"
#include "training/neighbours.h"
#include "training/plan.h"
#include "training/training_state.h"

namespace perennial {
namespace {

std::string new_model_id() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &utc);
  return fmt::format("{}-{}", text, random_hex(3));
}

/// What must be equal for an interrupted run to be taken up: the settings and the data.
std::string run_fingerprint(const Dataset& dataset, const TrainerOptions& options, const FusedKernels& kernels) {
  const json::object object = {{"config", to_json(options.model)},
                               {"max_epochs", options.max_epochs},
                               {"budget_seconds", options.budget_seconds},
                               {"patience", options.patience},
                               {"learning_rate", options.learning_rate},
                               {"weight_decay", options.weight_decay},
                               {"muon_rate", options.muon_rate},
                               {"dropout", options.dropout},
                               {"start_near_neighbours", options.start_near_neighbours.value()},
                               {"batch_tokens", options.batch_tokens},
                               {"full_softmax_items", options.full_softmax_items},
                               {"shared_negatives", options.shared_negatives},
                               {"validation_users", options.validation_users},
                               {"seed", options.seed},
                               {"precision", static_cast<int>(options.precision)},
                               {"forecast_weight", options.forecast ? options.forecast_weight : 0},
                               {"average_epochs", options.average_epochs},
                               {"cooldown", options.cooldown},
                               {"threads", options.threads},
                               {"kernels", kernels.name()},
                               {"users", dataset.users.size()},
                               {"events", dataset.events},
                               {"item_names", to_hex(sha256(fmt::format("{}", fmt::join(dataset.item_names, "\n"))))}};
  return json::serialize(object);
}

std::vector<RankingCase> validation_cases(const Holdout& holdout, const Dataset& dataset,
                                          const TrainerOptions& options) {
  RankingCases all = make_cases(holdout, dataset, Part::validation);
  Random random(mix64(options.seed ^ 0x76616c6964ULL));
  random.shuffle(std::span(all.cases));
  if (static_cast<int64_t>(all.cases.size()) > options.validation_users)
    all.cases.resize(static_cast<size_t>(options.validation_users));
  all.cases.shrink_to_fit();
  return std::move(all.cases);
}

class Run {
 public:
  Run(const fs::path& data_folder, const Dataset& dataset, const Holdout& holdout, TrainerOptions options,
      const FusedKernels* kernels)
      : data_folder_(data_folder),
        options_(std::move(options)),
        kernels_(kernels),
        dataset_(dataset),
        lengths_(lengths(holdout, dataset)),
        queries_(queries_of(options_, dataset, lengths_)),
        batches_(dataset, lengths_, options_.model, {.tokens = options_.batch_tokens}, queries_ ? &*queries_ : nullptr),
        validation_(validation_cases(holdout, dataset, options_)),
        state_(new_state(0)),
        started_(options_.started.value_or(monotonic_seconds())) {}

  Result<TrainingReport> train() {
    tell_plan();
    tell_slow_shape();
    const std::string fingerprint = run_fingerprint(dataset_, options_, *kernels_);
    PERENNIAL_TRY(state_.resume(data_folder_, fingerprint));
    if (state_.progress.member == 0 && state_.progress.step == 0) start_near_neighbours();
    if (validation_.empty())
      std::fprintf(stderr,
                   "No user has a validation event: training runs for %ld epochs at most, without early stopping.\n",
                   static_cast<long>(planned_epochs()));
    while (!is_finished() && !stopping()) {
      const double began = monotonic_seconds();
      const bool from_its_start = state_.progress.step_in_epoch == 0;
      PERENNIAL_TRY_ASSIGN(const bool whole_epoch, run_epoch(fingerprint));
      if (!whole_epoch) break;
      PERENNIAL_TRY(finish_epoch());
      if (from_its_start) {
        timed_seconds_ += monotonic_seconds() - began;
        ++timed_epochs_;
      }
      count_time();
      plan_rest();
      if (is_finished()) finish_member();
      PERENNIAL_TRY(state_.save(data_folder_, fingerprint));
    }
    if (!is_finished()) {
      count_time();
      PERENNIAL_TRY(state_.save(data_folder_, fingerprint));
      return make_report();
    }
    PERENNIAL_TRY_ASSIGN(const double together, judge_together());
    TrainingReport report = make_report();
    report.validation_ndcg = together;
    PERENNIAL_TRY(write_model(report));
    report.model_id = options_.model.id;
    return report;
  }

 private:
  static std::vector<size_t> lengths(const Holdout& holdout, const Dataset& dataset) {
    std::vector<size_t> lengths;
    for (const UserHistory& user : dataset.users) lengths.push_back(training_tokens(holdout, user));
    return lengths;
  }

  static std::optional<QueryMaker> queries_of(const TrainerOptions& options, const Dataset& dataset,
                                              const std::vector<size_t>& lengths) {
    if (!options.model.forecasts) return std::nullopt;
    return QueryMaker(*options.forecast, dataset, lengths, *options.model.forecasts, options.seed);
  }

  /// Each member draws other random numbers, and those of a run with the next seed are others still: runs of several
  /// seeds share no member.
  [[nodiscard]] uint64_t seed_of(int64_t member) const {
    return member == 0 ? options_.seed : mix64(mix64(options_.seed) + static_cast<uint64_t>(member));
  }
  [[nodiscard]] uint64_t seed() const { return seed_of(state_.progress.member); }

  /// Of a member that nothing was trained of yet.
  TrainingState new_state(int64_t member) const {
    torch::manual_seed(seed_of(member));
    TrainingState state(options_.model, options_.precision, options_.dropout, options_.learning_rate,
                        options_.weight_decay, options_.muon_rate, kernels_);
    if (queries_) {
      const auto [mean, scale] = queries_->scaling();
      state.module->forecast()->set_scaling(mean, scale);
    }
    return state;
  }

  /// Of the member that is to be trained now.
  void start_near_neighbours() {
    if (options_.start_near_neighbours.value())
      state_.module->point_items(neighbour_directions(dataset_, lengths_, options_.model.width));
  }

  [[nodiscard]] int64_t members() const {
    return state_.progress.planned_members > 0 ? state_.progress.planned_members : options_.model.members;
  }

  /// Keeps the member's best, and begins the next, if there is one.
  void finish_member() {
    const TrainingProgress& done = state_.progress;
    fmt::print(stderr, "{}", draw_learning_curve(std::string_view(done.curve).substr(done.curve_of_member)));
    if (done.member + 1 == members()) return;
    TrainingState next = new_state(done.member + 1);
    next.progress.member = done.member + 1;
    next.progress.curve_of_member = done.curve.size();
    next.progress.planned_epochs = done.planned_epochs;
    next.progress.planned_members = done.planned_members;
    next.progress.seconds = done.seconds;
    next.progress.tokens = done.tokens;
    next.progress.curve = done.curve;
    next.finished = model_so_far();
    state_ = std::move(next);
    start_near_neighbours();
    fmt::print(stderr, "Member {} of {}.\n", state_.progress.member + 1, members());
  }

  /// The finished members and the best of the one that is trained.
  SafetensorsFile model_so_far() {
    SafetensorsFile all = std::move(state_.finished);
    for (auto& [name, tensor] : state_.best.tensors)
      all.tensors.emplace(member_prefix(state_.progress.member) + name, std::move(tensor));
    return all;
  }

  [[nodiscard]] Result<double> validate(const SafetensorsFile& weights, int32_t members) const {
    ModelConfig config = options_.model;
    config.members = members;
    PERENNIAL_TRY_ASSIGN(const auto model, Ensemble::create(std::move(config), weights));
    if (validation_.empty()) return 0.0;
    const RankingReport report =
        evaluate_ranking(*model, validation_, options_.model.items,
                         {.cutoffs = {10}, .bootstrap_samples = 0, .threads = options_.threads});
    return report.metrics.at("ndcg@10").value;
  }

  /// The model of all members, and what it reaches.
  Result<double> judge_together() {
    options_.model.members = static_cast<int32_t>(members());
    model_ = model_so_far();
    if (members() == 1 && !validation_.empty()) return state_.progress.best_ndcg;
    return validate(model_, options_.model.members);
  }

  void tell_plan() const {
    const ModelConfig& model = options_.model;
    const std::string loss =
        negatives() > 0 ? fmt::format("{} shared negatives", with_commas(negatives())) : std::string("full softmax");
    fmt::print(stderr,
               "Width {}, {} layers, {} heads, window {}, {}{}{}; {} epochs at most, {} tokens a step; about {} MiB.\n",
               model.width, model.layers, model.heads, model.window, loss,
               model.members == 1 ? "" : fmt::format(", {} members", model.members),
               options_.start_near_neighbours.value() ? ", items start near their neighbours" : "", planned_epochs(),
               with_commas(options_.batch_tokens), with_commas(memory_bytes(shape_of(dataset_), options_) >> 20));
  }

  void tell_slow_shape() const {
    if (fused_shape(options_.model).supported()) return;
    fmt::print(stderr,
               "Slow: the fast kernels want heads of a multiple of 16 numbers, not {} (--width {} / --heads {}).\n",
               options_.model.head_width(), options_.model.width, options_.model.heads);
  }

  int64_t planned_epochs() const {
    return state_.progress.planned_epochs > 0 ? state_.progress.planned_epochs : options_.max_epochs;
  }

  void count_time() {
    const double now = monotonic_seconds();
    state_.progress.seconds += now - counted_until_;
    counted_until_ = now;
  }

  /// Within the budget, after an epoch. Epochs that began in this call tell how long one takes.
  void plan_rest() {
    TrainingProgress& progress = state_.progress;
    if (options_.budget_seconds <= 0) return;
    constexpr double kForTheEnd = 0.03;  // judging, writing
    const double left = (1 - kForTheEnd) * options_.budget_seconds - progress.seconds;
    if (timed_epochs_ == 0 && left > 0) return;
    const double epoch_seconds = timed_epochs_ == 0 ? 0 : timed_seconds_ / static_cast<double>(timed_epochs_);
    const double fitting = left > 0 ? left / epoch_seconds : 0;
    const RunLength before{progress.planned_members, progress.planned_epochs};
    const RunLength plan = replanned(before, {progress.member, progress.epoch, is_finished()}, fitting,
                                     options_.max_epochs, options_.model.members);
    progress.planned_members = plan.members;
    progress.planned_epochs = plan.epochs;
    if (plan == before) return;
    const std::string of =
        options_.model.members == 1 ? "" : fmt::format(" of each of {} members", progress.planned_members);
    fmt::print(stderr, "An epoch takes {}: {} epochs{} are in the budget.{}\n", format_duration(epoch_seconds),
               progress.planned_epochs, of, left > 0 ? "" : " It is over.");
  }

  /// The member.
  bool is_finished() const {
    const TrainingProgress& progress = state_.progress;
    return progress.epoch >= planned_epochs() ||
           (!validation_.empty() && progress.epoch > 0 && progress.epoch - progress.best_epoch >= options_.patience);
  }

  bool stopping() const {
    return stop_requested() || (options_.stop_after_steps > 0 && steps_here_ >= options_.stop_after_steps);
  }

  int64_t negatives() const {
    return options_.model.items > options_.full_softmax_items ? options_.shared_negatives : 0;
  }

  /// The share of the learning rate at this step: rising at first, then whole, and falling to nothing over the last
  /// `cooldown` of the planned epochs.
  double rate() const {
    constexpr double kWarmUpSteps = 100;
    const double done = static_cast<double>(state_.progress.step);
    const double epochs = static_cast<double>(state_.progress.epoch) +
                          static_cast<double>(state_.progress.step_in_epoch) / steps_an_epoch_;
    const auto planned = static_cast<double>(planned_epochs());
    const double left = (planned - epochs) / std::max(1e-9, options_.cooldown * planned);
    return std::clamp(left, 0.0, 1.0) * std::min(1.0, (done + 1) / kWarmUpSteps);
  }

  /// Trains the rest of the current epoch. False when a stop was asked for.
  Result<bool> run_epoch(const std::string& fingerprint) {
    TrainingProgress& progress = state_.progress;
    const auto epoch = batches_.epoch(mix64(seed()) + static_cast<uint64_t>(progress.epoch));
    steps_an_epoch_ = static_cast<double>(epoch.size());
    int64_t all_tokens = 0;
    for (const BatchMaker::Batch& batch : epoch) all_tokens += tokens_of(batch);
    Progress bar(fmt::format("epoch {:3}", progress.epoch + 1), all_tokens, "tokens");
    int64_t tokens = 0;
    while (progress.step_in_epoch < static_cast<int64_t>(epoch.size())) {
      if (stopping()) return false;
      const uint64_t step_seed = mix64(seed() ^ mix64(static_cast<uint64_t>(progress.step)));
      tokens += train_step(epoch[static_cast<size_t>(progress.step_in_epoch)], step_seed);
      if (!std::isfinite(progress.loss_sum))
        return failed_precondition(
            "training diverged in epoch {}: run it again with --fresh and a lower --learning-rate than {}",
            progress.epoch + 1, options_.learning_rate);
      bar.update(tokens, fmt::format("loss {:.4f}", progress.loss_sum / static_cast<double>(std::max<int64_t>(
                                                                            1, progress.predictions))));
      if (monotonic_seconds() - saved_at_ > static_cast<double>(options_.save_seconds)) {
        count_time();
        PERENNIAL_TRY(state_.save(data_folder_, fingerprint));
        saved_at_ = monotonic_seconds();
      }
    }
    epoch_rate_ = static_cast<double>(tokens) / std::max(1e-9, monotonic_seconds() - epoch_started_);
    return true;
  }

  static int64_t tokens_of(const BatchMaker::Batch& batch) {
    int64_t tokens = 0;
    for (const HistoryPiece& piece : batch) tokens += piece.learned();
    return tokens;
  }

  int64_t train_step(const BatchMaker::Batch& pieces, uint64_t seed) {
    TrainingProgress& progress = state_.progress;
    if (progress.step_in_epoch == 0 || steps_here_ == 0) epoch_started_ = monotonic_seconds();
    torch::manual_seed(seed);
    Random random(seed);
    const PackedBatch batch = batches_.make(pieces, random);
    if (batch.predictions > 0 || batch.queries.size() > 0) {
      const TransformerModuleImpl::Loss loss = state_.module->loss(batch, negatives());
      torch::Tensor total = loss.next_item;
      if (loss.forecast.defined()) total = total + options_.forecast_weight * loss.forecast;
      if (!std::isfinite(total.item<double>())) {
        progress.loss_sum = std::numeric_limits<double>::quiet_NaN();
        return 0;
      }
      total.backward();
      state_.optimizer.step(rate());
      state_.average.update(options_.average_epochs * steps_an_epoch_);
      progress.loss_sum += loss.next_item.item<double>() * static_cast<double>(batch.predictions);
      progress.predictions += batch.predictions;
    }
    progress.tokens += tokens_of(pieces);
    ++progress.step_in_epoch;
    ++progress.step;
    ++steps_here_;
    return tokens_of(pieces);
  }

  Status finish_epoch() {
    TrainingProgress& progress = state_.progress;
    if (progress.predictions == 0)  // else random weights would be served
      return failed_precondition(
          "there is nothing to learn from: of no user are there two events in a row, before those held out, of which "
          "the second is of a target type and of another item; import more, or train with --holdout none");
    ++progress.epoch;
    const SafetensorsFile weights = state_.module->export_weights(state_.average.values());
    PERENNIAL_TRY_ASSIGN(const double ndcg, validate(weights, 1));
    const double loss = progress.loss_sum / static_cast<double>(std::max<int64_t>(1, progress.predictions));
    // As long as nothing is found, the last is the one that learned most.
    if (progress.epoch == 1 || ndcg > progress.best_ndcg || progress.best_ndcg == 0) {
      progress.best_ndcg = ndcg;
      progress.best_epoch = progress.epoch;
      state_.best = weights;
    }
    const int64_t since_best = progress.epoch - progress.best_epoch;
    fmt::print(
        stderr, "epoch {:3}  loss {:.4f}  validation NDCG@10 {:.4f}{}  {} tokens/s\n", progress.epoch, loss, ndcg,
        since_best == 0 ? "  best" : fmt::format("  ({} of {} without a better one)", since_best, options_.patience),
        with_commas(static_cast<int64_t>(epoch_rate_)));
    progress.curve +=
        fmt::format("{{\"member\":{},\"epoch\":{},\"loss\":{:.6f},\"validation_ndcg@10\":{:.6f},\"tokens\":{}}}\n",
                    progress.member + 1, progress.epoch, loss, ndcg, progress.tokens);
    progress.step_in_epoch = 0;
    progress.loss_sum = 0;
    progress.predictions = 0;
    return {};
  }

  TrainingReport make_report() const {
    TrainingReport report;
    report.members = members();
    report.member = state_.progress.member + 1;
    report.epochs = state_.progress.epoch;
    report.best_epoch = state_.progress.best_epoch;
    report.validation_ndcg = state_.progress.best_ndcg;
    report.validation_users = static_cast<int64_t>(validation_.size());
    report.tokens = state_.progress.tokens;
    report.seconds = monotonic_seconds() - started_;
    for (const auto& parameter : state_.module->parameters()) report.parameters += parameter.numel();
    report.parameters *= report.members;
    return report;
  }

  Status write_model(const TrainingReport& report) {
    options_.model.id = new_model_id();
    options_.model.training = {{"seed", options_.seed},
                               {"epochs", report.epochs},
                               {"best_epoch", report.best_epoch},
                               {"validation_ndcg@10", report.validation_ndcg},
                               {"validation_users", validation_.size()},
                               {"learning_rate", options_.learning_rate},
                               {"weight_decay", options_.weight_decay},
                               {"muon_rate", options_.muon_rate},
                               {"dropout", options_.dropout},
                               {"start_near_neighbours", options_.start_near_neighbours.value()},
                               {"batch_tokens", options_.batch_tokens},
                               {"average_epochs", options_.average_epochs},
                               {"shared_negatives", negatives()},
                               {"forecast_queries", queries_ ? queries_->size() : 0},
                               {"forecast_weight", queries_ ? options_.forecast_weight : 0},
                               {"tokens", report.tokens},
                               {"users", dataset_.users.size()},
                               {"events", dataset_.events},
                               {"trained_at_ms", SystemClock().now_ms()},
                               {"precision", options_.precision == Precision::bfloat16 ? "bfloat16" : "float32"}};
    PERENNIAL_TRY(
        save_model(data_folder_, options_.model, model_, dataset_.item_names, state_.progress.curve, options_.weights));
    return TrainingState::remove(data_folder_);
  }

  fs::path data_folder_;
  TrainerOptions options_;
  const FusedKernels* kernels_;
  const Dataset& dataset_;
  const std::vector<size_t> lengths_;  // of each user's history, what may be read
  std::optional<QueryMaker> queries_;
  BatchMaker batches_;
  std::vector<RankingCase> validation_;
  TrainingState state_;
  SafetensorsFile model_;  // of all members, at the end
  int64_t steps_here_ = 0;
  double steps_an_epoch_ = 1;
  double saved_at_ = monotonic_seconds();
  double started_;
  double counted_until_ = started_;
  double epoch_started_ = monotonic_seconds();
  double timed_seconds_ = 0;  // of epochs that this call trained whole
  int64_t timed_epochs_ = 0;
  double epoch_rate_ = 0;
};

Status fill_in(TrainerOptions& options, const Dataset& dataset, const Holdout& holdout) {
  constexpr int64_t kLeastUsersOfTrait = 20;
  options.model.items = dataset.items;
  options.model.event_types = dataset.event_types;
  options.model.features = feature_vocabulary(dataset, kLeastUsersOfTrait);
  options.model.holdout = holdout;
  if (options.forecast) options.model.forecasts = head_config(*options.forecast->definition);
  if (options.threads <= 0) options.threads = usable_cores();
  return plan_training(shape_of(dataset), options);
}

}  // namespace

Result<TrainingReport> train(const fs::path& data_folder, const Dataset& dataset, const Holdout& holdout,
                             TrainerOptions options) {
  PERENNIAL_TRY_ASSIGN(const FileLock lock, FileLock::acquire(data_folder / "training.lock",
                                                              "one training at a time over a data directory"));
  if (options.fresh) PERENNIAL_TRY(TrainingState::remove(data_folder));
  PERENNIAL_TRY_ASSIGN(const FusedKernels* kernels, fused_kernels(options.precision));
  PERENNIAL_TRY(fill_in(options, dataset, holdout));
  keep_freed_memory();
  torch::set_num_threads(options.threads);
  try {
    return Run(data_folder, dataset, holdout, std::move(options), kernels).train();
  } catch (const c10::Error& error) {
    const std::string_view what = error.what_without_backtrace();
    if (what.find("DefaultCPUAllocator") == std::string_view::npos) return internal_error("libtorch: {}", what);
  } catch (const std::bad_alloc&) {
  }
  return resource_exhausted("not enough memory to train: use a smaller --batch-tokens or --width");
}

}  // namespace perennial
