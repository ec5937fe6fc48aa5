// The engine's part in lifecycle: stages and forecasts of users, reports, and time that moves users by itself.
#include "base/text.h"
#include "forecast/transformer_forecast.h"
#include "server/engine.h"

namespace perennial {
namespace {

constexpr double kStagesEverySeconds = 5;
constexpr size_t kStagesSlice = 10'000;  // users looked at while recommendations wait: a few milliseconds
constexpr int64_t kMostReportedUsers = 10'000;

}  // namespace

Result<LifeStory> Engine::life_story(const std::string& user_id, TimeMs at) {
  Life copy;  // a bot's story may take seconds to tell
  std::string name;
  {
    const auto lock = gate_.read();
    const std::optional<UserId> id = log_->users().find(user_id);
    const Found<Life> life = id ? lives_->find(*id) : nullptr;
    if (life == nullptr) return not_found("no events or traits of the user '{}' are known", user_id);
    copy = *life;
    name = log_->users().name(lives_->root_of(*id));
  }
  LifeStory story = story_of(options_.stages, copy, std::move(name), at);
  PERENNIAL_TRY(name_causes(story, *log_));
  return story;
}

Result<UserForecasts> Engine::forecasts(const std::string& user_id) const {
  const std::shared_ptr<const Forecasts> forecasts = forecast_watch_.current();
  if (forecasts == nullptr)
    return failed_precondition("no forecasts have been fitted: run 'perennial lifecycle forecast --fit'");
  const std::shared_ptr<const ServingModel> model = recommender_->model();
  const TimeMs now = clock_.now_ms();
  const auto lock = gate_.read();
  const std::optional<UserId> id = log_->users().find(user_id);
  const Found<Life> life = id ? lives_->find(*id) : nullptr;
  if (life == nullptr) return not_found("no events or traits of the user '{}' are known", user_id);
  const Subject subject{lives_->root_of(*id), life->first_seen, &life->facts};
  std::optional<HeadForecast> head;
  const RawForecast raw = [&](const Question& question, std::string_view family) -> std::optional<double> {
    if (family != kTransformerFamily) return std::nullopt;
    if (!head) head = head_forecast(model.get(), subject, now);
    return head ? answer_of(*head, *model->config().forecasts, question) : std::nullopt;
  };
  return forecasts_of(*forecasts, lives_->definition(), subject, log_->users().name(subject.user), now, raw);
}

/// What the model's head says of the user; nullopt when it has none for these stages.
std::optional<HeadForecast> Engine::head_forecast(const ServingModel* model, const Subject& subject, TimeMs now) const {
  const Definition& definition = lives_->definition();
  if (model == nullptr || !model->config().forecasts || !check_head(*model->config().forecasts, definition).ok())
    return std::nullopt;
  const Found<Profile> profile = state_->profiles().find(subject.user);
  const std::vector<Token> tokens = profile == nullptr ? std::vector<Token>() : model->tokens_of(*profile);
  return model->ensemble().forecast(model->ensemble().history_vector(tokens),
                                    HeadFeatures(definition).of(definition, subject, now));
}

Result<NextBestActions> Engine::next_best_actions(const std::string& user_id) const {
  if (arbiter_ == nullptr)
    return failed_precondition("no action is declared: write one into the configuration, under [actions.NAME]");
  return arbiter_->next_best(user_id);
}

Result<Table> Engine::lifecycle_report(const std::string& name, const std::map<std::string, std::string>& options,
                                       TimeMs at) const {
  const NamedReport* report = find_report(name);
  if (report != nullptr && report->reads_log)
    return invalid_argument("the report {} reads the whole log: ask 'perennial lifecycle report {}'", name, name);
  if (const auto limit = options.find("limit"); limit != options.end()) {
    const Result<int64_t> rows = parse_integer(limit->second);
    if (rows.ok() && *rows > kMostReportedUsers)
      return invalid_argument("'limit' may be at most {} here; ask 'perennial lifecycle {}' for more",
                              kMostReportedUsers, name);
  }
  const auto lock = gate_.long_read();
  return make_report(name, options, {*lives_, log_->users(), nullptr, currency_, at});
}

Result<Table> Engine::feedback(const FeedbackOptions& options) const {
  return feedback_report(options_.data_folder, *log_, options);
}

StageCounts Engine::count_stages_at(TimeMs at) const {
  const auto lock = gate_.long_read();
  return count_stages(*lives_, at);
}

/// By the best classical family; nullopt when nothing is known of it.
std::optional<double> Engine::churn_probability(const Subject& subject, TimeMs now) const {
  const std::shared_ptr<const Forecasts> forecasts = forecast_watch_.current();
  if (forecasts == nullptr) return std::nullopt;
  const Result<Prediction> prediction = forecasts->predict("churn", subject, now);
  return prediction.ok() ? std::optional(prediction->value) : std::nullopt;
}

void Engine::tell_stages() {
  StageCounts counts;
  StageMoves moves;
  {
    const auto lock = gate_.read();
    counts = stages_->counts();
    moves = stages_->moves();
  }
  const std::lock_guard lock(metrics_mutex_);
  for (size_t from = 0; from < kStages; ++from) {
    metrics_.stage_users(stage_name(static_cast<Stage>(from)),
                         static_cast<double>(counts.in(static_cast<Stage>(from))));
    for (size_t to = 0; to < kStages; ++to) {
      const int64_t more = moves[from][to] - moves_told_[from][to];
      if (more > 0)
        metrics_.stage_moved(stage_name(static_cast<Stage>(from)), stage_name(static_cast<Stage>(to)),
                             static_cast<double>(more));
      moves_told_[from][to] = std::max(moves[from][to], moves_told_[from][to]);
    }
  }
  for (size_t overlay = 1; overlay < kOverlays; ++overlay) {
    int64_t users = 0;
    for (const auto& of_stage : counts.users) users += of_stage[overlay];
    metrics_.overlay_users(overlay_name(static_cast<Overlay>(overlay)), static_cast<double>(users));
  }
}

void Engine::advance_stages_when_due() {
  if (monotonic_seconds() < stages_due_at_) return;
  stages_due_at_ = monotonic_seconds() + kStagesEverySeconds;
  bool more = true;
  while (more) {
    const auto lock = gate_.write();
    more = stages_->advance(clock_.now_ms(), kStagesSlice);
  }
}

}  // namespace perennial
