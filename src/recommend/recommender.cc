#include "recommend/recommender.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/digest.h"
#include "model/read_features.h"

namespace perennial {
namespace {

constexpr double kHalfLifeMs = 30.0 * 86'400'000;
constexpr size_t kExplainedEvents = 10;  // the newest distinct items of the history are tried as reasons

const Profile* profile_of(const State& state, std::optional<UserId> user) {
  return user ? state.profiles().find(*user) : nullptr;
}

/// Items that may be shown: allowed by the catalogue, not rejected by the user and, on wish, not in the history.
Bitmap allowed_items(const State& state, const Profile* profile, bool exclude_seen, size_t count) {
  Bitmap allowed = state.catalogue().recommendable(count);
  if (profile == nullptr) return allowed;
  const auto exclude = [&](ItemId item) {
    if (item < count) allowed.set(item, false);
  };
  for (const auto& [item, rejection] : profile->rejected) exclude(item);
  if (exclude_seen)
    for (const HistoryToken& token : profile->history) exclude(token.item);
  return allowed;
}

ReadInputs read_inputs(const ServingModel& model, const Profile& profile, const RequestContext& context, TimeMs now) {
  ReadInputs inputs;
  const TimeMs last = profile.history.back().time;
  const TimeMs instant = context.time.value_or(now);  // in UTC, like the events that training reads
  if (last != kNoTime) inputs.elapsed_ms = std::max<TimeMs>(0, instant - last);
  for (const auto& [key, trait] : profile.traits)
    if (const std::string name = trait_feature(key, trait.value); !name.empty())
      model.features().add(name, inputs.features);
  if (const uint16_t device = device_class(context.device); device != 0)
    model.features().add(device_feature(kDeviceClasses.at(device)), inputs.features);
  model.features().add(hour_feature(hour_of(instant)), inputs.features);
  model.features().add(weekday_feature(weekday_of(instant)), inputs.features);
  return inputs;
}

std::vector<float> user_vector(const ServingModel& model, std::span<const float> h, const ReadInputs& inputs) {
  std::vector<float> u(model.ensemble().vector_width());
  model.ensemble().user_vector(h, inputs, u);
  return u;
}

/// The newest distinct items of a history, newest first.
std::vector<ItemId> newest_items(const Profile& profile, size_t count) {
  std::vector<ItemId> items;
  for (auto token = profile.history.rbegin(); token != profile.history.rend() && items.size() < count; ++token)
    if (std::find(items.begin(), items.end(), token->item) == items.end()) items.push_back(token->item);
  return items;
}

Acquaintance acquaintance_of(const Profile* profile, const ItemOutcomes& outcomes) {
  Acquaintance user{.categories = std::vector<bool>(static_cast<size_t>(outcomes.categories())), .customer = false};
  if (profile == nullptr) return user;
  for (const HistoryToken& token : profile->history)
    user.categories[static_cast<size_t>(outcomes.category(token.item))] = true;
  user.customer = outcomes.is_customer(*profile);
  return user;
}

Profile without_item(const Profile& profile, ItemId item) {
  Profile rest;
  for (const HistoryToken& token : profile.history)
    if (token.item != item) rest.history.push_back(token);
  return rest;
}

}  // namespace

void Recommender::set_model(std::shared_ptr<const ServingModel> model) {
  const std::lock_guard lock(mutex_);
  model_ = std::move(model);
}

std::shared_ptr<const ServingModel> Recommender::model() const {
  const std::lock_guard lock(mutex_);
  return model_;
}

std::vector<float> Recommender::popularity_weights(const State& state) const {
  TimeMs newest = kNoTime;
  state.profiles().for_each([&](UserId, const Profile& profile) {
    if (!profile.history.empty()) newest = std::max(newest, profile.history.back().time);
  });
  std::vector<float> weights(items_.size());
  state.profiles().for_each([&](UserId, const Profile& profile) {
    for (const HistoryToken& token : profile.history) {
      const double age_ms = token.time == kNoTime ? 0 : static_cast<double>(newest - token.time);
      weights[token.item] += static_cast<float>(std::exp2(-age_ms / kHalfLifeMs));
    }
  });
  return weights;
}

void Recommender::set_popularity(std::vector<float> weights) {
  auto popularity = std::make_shared<Popularity>(Popularity{std::move(weights), {}});
  std::vector<ItemId>& order = popularity->order;
  order.resize(popularity->weights.size());
  std::iota(order.begin(), order.end(), ItemId{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](ItemId item) { return popularity->weights[item]; });
  const std::lock_guard lock(mutex_);
  popularity_ = std::move(popularity);
}

std::vector<ScoredItem> Recommender::Popularity::best(const Bitmap& allowed, size_t k) const {
  std::vector<ScoredItem> best;
  for (size_t place = 0; place < allowed.size() && best.size() < k; ++place) {
    const ItemId item = place < order.size() ? order[place] : static_cast<ItemId>(place);
    if (allowed[item]) best.push_back({static_cast<int32_t>(item), item < weights.size() ? weights[item] : 0});
  }
  return best;
}

void Recommender::refresh_outcomes(const State& state, const OutcomeTypes& types) {
  auto outcomes = std::make_shared<ItemOutcomes>(ItemOutcomes::learn(state, types, items_.size()));
  const std::lock_guard lock(mutex_);
  outcomes_ = std::move(outcomes);
}

RecommendedItem Recommender::entry(ItemId item, float score, ItemSource source) const {
  return {.item = item,
          .item_id = items_.name(item),
          .score = score,
          .adjustment = 0,
          .propensity = 1,
          .source = source,
          .reasons = {}};
}

Recommender::Choice Recommender::make_choice(const State& state, const Profile* profile,
                                             const RecommendRequest& request, size_t items) const {
  Choice choice{.request = request,
                .outcomes = nullptr,
                .allowed = allowed_items(state, profile, request.exclude_seen, items),
                .user = {},
                .wanted = static_cast<size_t>(std::clamp(request.count, 1, 500))};
  if (!request.objective.weights.any()) return choice;
  {
    const std::lock_guard lock(mutex_);
    choice.outcomes = outcomes_;
  }
  choice.user = acquaintance_of(profile, *choice.outcomes);
  return choice;
}

void Recommender::fill_plain(const Source& source, Choice& choice, Recommendation& result) const {
  for (const auto& [item, score] : source.best(choice.allowed, choice.wanted - result.items.size(), 0, 0)) {
    result.items.push_back(entry(static_cast<ItemId>(item), score, source.name));
    choice.allowed.set(static_cast<size_t>(item), false);
  }
}

/// Items of which nothing has been counted have no logit: they are left for fill_plain.
void Recommender::fill_by_objective(const Source& source, Choice& choice, Recommendation& result) const {
  const Objective& objective = choice.request.objective;
  const size_t missing = choice.wanted - result.items.size();
  std::vector<SlateCandidate> candidates;
  for (const auto& [item, score] : source.best(choice.allowed, missing, kMoreCandidates, kReach)) {
    if (source.counts && score <= 0) break;
    const double logit = source.counts ? std::log(double{score}) : score;
    if (candidates.size() >= missing && logit < candidates[missing - 1].logit - kReach) break;
    candidates.push_back({static_cast<ItemId>(item), logit});
  }
  for (const Placed& placed : place(objective.weights, *choice.outcomes, candidates, choice.user, missing)) {
    const auto [item, logit] = candidates[placed.candidate];
    const double score = logit + placed.adjustment;
    RecommendedItem& shown = result.items.emplace_back(
        entry(item, static_cast<float>(source.counts ? std::exp(score) : score), source.name));
    shown.adjustment = static_cast<float>(placed.adjustment);
    if (choice.request.explain && placed.aim)
      shown.reasons.push_back({"objective", sentence_of(*placed.aim, objective.name), aim_name(*placed.aim)});
    choice.allowed.set(item, false);
    choice.user.categories[static_cast<size_t>(choice.outcomes->category(item))] = true;
  }
}

void Recommender::fill(const Source& source, Choice& choice, Recommendation& result) const {
  if (choice.outcomes != nullptr) fill_by_objective(source, choice, result);
  fill_plain(source, choice, result);
}

size_t Recommender::catch_up(const State& state, UserId user) {
  const std::shared_ptr<const ServingModel> model = this->model();
  const Profile* profile = state.profiles().find(user);
  return model != nullptr && profile != nullptr ? vectors_.catch_up(model, user, *profile) : 0;
}

Recommendation Recommender::recommend(const State& state, std::optional<UserId> user, const RecommendRequest& request,
                                      TimeMs now) {
  std::shared_ptr<const ServingModel> model;
  std::shared_ptr<const Popularity> popularity;
  {
    const std::lock_guard lock(mutex_);
    model = model_;
    popularity = popularity_;
  }
  const Profile* profile = profile_of(state, user);
  Recommendation result;
  thread_local Random random(random_message_id().low);
  result.id = new_slate_id(now, random);
  result.model = model != nullptr ? model->id() : "none";
  result.fallback = model == nullptr           ? "no_model"
                    : profile == nullptr       ? "unknown_user"
                    : profile->history.empty() ? "empty_history"
                                               : "";
  Choice choice = make_choice(state, profile, request, std::max<size_t>(items_.size(), popularity->weights.size()));
  if (result.fallback.empty()) {
    const ReadInputs inputs = read_inputs(*model, *profile, request.context, now);
    const std::vector<float> h = vectors_.history_vector(model, state.profiles().resolve(*user), *profile);
    const std::vector<float> u = user_vector(*model, h, inputs);
    fill({.name = ItemSource::transformer,
          .counts = false,
          .best = [&](const Bitmap& allowed, size_t k, size_t more,
                      float reach) { return model->best_items(u, allowed, k, more, reach); }},
         choice, result);
    if (request.explain) explain(*model, state.catalogue(), *profile, inputs, result);
  }
  const size_t by_model = result.items.size();
  if (by_model < choice.wanted) {
    fill({.name = ItemSource::popular,
          .counts = true,
          .best = [&](const Bitmap& allowed, size_t k, size_t more,
                      float) { return popularity->best(allowed, k + more); }},
         choice, result);
    for (size_t i = by_model; request.explain && i < result.items.size(); ++i)
      if (result.items[i].score > 0) result.items[i].reasons.push_back({"popular", "Popular in the last weeks", ""});
  }
  return result;
}

void Recommender::explain(const ServingModel& model, const Catalogue& catalogue, const Profile& profile,
                          const ReadInputs& inputs, Recommendation& recommendation) const {
  const std::vector<ItemId> causes = newest_items(profile, kExplainedEvents);
  std::vector<std::vector<float>> without;  // user vectors
  for (const ItemId cause : causes)
    without.push_back(user_vector(model, model.history_vector(without_item(profile, cause)), inputs));
  for (RecommendedItem& item : recommendation.items) {
    float largest = 0;
    std::optional<ItemId> strongest;
    for (size_t i = 0; i < causes.size(); ++i) {
      const float score_without = model.ensemble().score_item(without[i], static_cast<int32_t>(item.item));
      const float drop = item.score - item.adjustment - score_without;
      if (causes[i] != item.item && drop > largest) {
        largest = drop;
        strongest = causes[i];
      }
    }
    if (!strongest) continue;
    const Item* known = catalogue.find(*strongest);
    const std::string name = known != nullptr && !known->title().empty() ? known->title() : items_.name(*strongest);
    item.reasons.push_back({"history", fmt::format("Because of {}", name), items_.name(*strongest)});
  }
}

}  // namespace perennial
