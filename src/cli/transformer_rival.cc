#include "cli/transformer_rival.h"

#include <algorithm>

#include "base/progress.h"
#include "base/text.h"
#include "evaluation/model_scorer.h"

namespace perennial {
namespace {

const UserHistory* find_history(const Dataset& dataset, UserId user) {
  const auto found = std::lower_bound(dataset.users.begin(), dataset.users.end(), user,
                                      [](const UserHistory& history, UserId id) { return history.user < id; });
  return found == dataset.users.end() || found->user != user ? nullptr : &*found;
}

}  // namespace

Result<TransformerRival> TransformerRival::create(const fs::path& data_folder, const Settings& settings,
                                                  const Definition& definition, LogReader& log) {
  PERENNIAL_TRY_ASSIGN(const std::string id, current_model_id(data_folder));
  PERENNIAL_TRY_ASSIGN(StoredModel model, load_model(data_folder, id));
  const ModelConfig& config = model.ensemble->config();
  if (!config.forecasts)
    return failed_precondition("model {} forecasts nothing: train with --holdout time or none", config.id);
  PERENNIAL_TRY(check_head(*config.forecasts, definition).with_context(fmt::format("model {}", config.id)));
  PERENNIAL_TRY_ASSIGN(Dataset dataset, load_dataset(log, settings.roles, std::numeric_limits<Offset>::max(), 0));
  if (dataset.roles_digest != config.holdout.roles_digest)
    return failed_precondition("model {} was trained under other event roles: run 'train' again", config.id);
  PERENNIAL_TRY(check_same_items(model, dataset));
  return TransformerRival(std::move(model), std::move(dataset), definition);
}

TransformerRival::TransformerRival(StoredModel model, Dataset dataset, const Definition& definition)
    : model_(std::move(model)), dataset_(std::move(dataset)), definition_(definition), features_(definition) {
  // Items and types that came after the training are unknown to the model.
  const ModelConfig& config = model_.ensemble->config();
  std::vector<int32_t> type_of;
  for (const std::string& type : dataset_.event_types) {
    const auto found = std::find(config.event_types.begin(), config.event_types.end(), type);
    type_of.push_back(found == config.event_types.end() ? -1
                                                        : static_cast<int32_t>(found - config.event_types.begin()));
  }
  for (UserHistory& history : dataset_.users)
    for (Token& token : history.tokens) {
      token.type = type_of[static_cast<size_t>(token.type)];
      if (token.item >= config.items) token.item = -1;
    }
}

void TransformerRival::prepare(const std::vector<TimeMs>& instants) {
  if (instants.empty()) return;
  Progress progress("reading histories", static_cast<int64_t>(dataset_.users.size()), "users");
  int64_t done = 0;
  for (const UserHistory& history : dataset_.users) {
    if (instants.size() == 1) {  // read at once, not token by token
      const std::span<const Token> known(history.tokens.data(), tokens_until(history.tokens, instants.front()));
      if (!known.empty()) vectors_[{instants.front(), history.user}] = model_.ensemble->history_vector(known);
      progress.update(++done);
      continue;
    }
    Ensemble::Cache cache = model_.ensemble->new_cache();
    size_t read = 0;
    for (const TimeMs instant : instants) {
      for (const size_t end = tokens_until(history.tokens, instant); read < end; ++read)
        model_.ensemble->append(cache, history.tokens[read]);
      if (read > 0)
        vectors_[{instant, history.user}].assign(cache.history_vector().begin(), cache.history_vector().end());
    }
    progress.update(++done);
  }
}

std::optional<double> TransformerRival::forecast(const Question& question, const Subject& subject, TimeMs now) {
  const ForecastHeadConfig& config = *model_.ensemble->config().forecasts;
  if (last_asked_ == std::pair(now, subject.user)) return answer_of(last_, config, question);
  std::vector<float> h;
  if (const auto known = vectors_.find({now, subject.user}); known != vectors_.end())
    h = known->second;
  else if (const UserHistory* history = find_history(dataset_, subject.user))
    h = model_.ensemble->history_vector(std::span(history->tokens).first(tokens_until(history->tokens, now)));
  last_ = *model_.ensemble->forecast(h, features_.of(definition_, subject, now));
  last_asked_ = {now, subject.user};
  return answer_of(last_, config, question);
}

std::vector<Rival> TransformerRival::rivals(const Exam& exam) {
  if (newest_seen() > exam.second.at) {
    if (!std::exchange(told_, true))
      fmt::print(stderr,
                 "note: model {} has looked at events up to {:.10} and cannot be examined on what it knows; train with "
                 "--before {:.10} to compare\n",
                 model_.ensemble->config().id, format_iso8601(newest_seen()), format_iso8601(exam.second.at));
    return {};
  }
  Rival rival{std::string(kTransformerFamily), {}, {}};
  const auto forecasts = [&](const Asked& asked, std::vector<double>& raw) {
    for (const Subject& subject : asked.subjects) {
      const std::optional<double> value = forecast(exam.question, subject, asked.at);
      if (!value) return false;
      raw.push_back(*value);
    }
    return true;
  };
  if (!forecasts(exam.first, rival.at_first) || !forecasts(exam.second, rival.at_second)) return {};
  return {std::move(rival)};
}

}  // namespace perennial
