#include "recommend/recommender.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/digest.h"
#include "kernels/dense.h"
#include "model/read_features.h"
#include "recommend/explanation.h"

namespace perennial {
namespace {

constexpr double kHalfLifeMs = 30.0 * 86'400'000;
constexpr double kMostHalfLives = 900;  // so that 2^x is a double
constexpr double kUncounted = -30;      // the logit of an item of which nothing has been counted
constexpr double kMostLogCount = 80;    // so that its e^x is a float
constexpr int kMostRounds = 6;          // of looking for items that no cap holds back, each among four times as many
constexpr float kAnyReach = 1e30F;
constexpr float kLeastCount = 1e-9F;  // what has been counted at all is more
constexpr size_t kFewAllowed = 50;    // one of so many is few
constexpr size_t kMostCauses = 10;    // of an item, among the user's events

Random& thread_random() {
  thread_local Random random(random_message_id().low);
  return random;
}

std::vector<float> user_vector(const ServingModel& model, std::span<const float> h, const ReadInputs& inputs) {
  std::vector<float> u(model.ensemble().vector_width());
  model.ensemble().user_vector(h, inputs, u);
  return u;
}

Acquaintance acquaintance_of(const Profile* profile, const ItemOutcomes& outcomes) {
  Acquaintance user{.categories = std::vector<bool>(static_cast<size_t>(outcomes.categories())), .customer = false};
  if (profile == nullptr) return user;
  for (const HistoryToken& token : profile->history)
    user.categories[static_cast<size_t>(outcomes.category(token.item))] = true;
  user.customer = outcomes.is_customer(*profile);
  return user;
}

/// The profile, or an empty one, with the session's items at its end; none without a session.
std::optional<Profile> with_session(const Profile* profile, const std::vector<ItemId>& items, EventTypeId type,
                                    TimeMs now) {
  if (items.empty()) return std::nullopt;
  Profile session = profile == nullptr ? Profile() : *profile;
  const TimeMs time = session.history.empty() ? now : std::max(now, session.history.back().time);
  for (const ItemId item : items) {
    HistoryToken& token = session.history.emplace_back();
    token.item = item;
    token.time = time;
    token.type = type;
  }
  return session;
}

}  // namespace

ReadInputs Recommender::inputs_of(const ServingModel& model, const Profile& profile, const RequestContext& context,
                                  TimeMs now) {
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

MessageId new_recommendation_id(TimeMs now) { return new_slate_id(now, thread_random()); }

std::vector<SlateItem> slate_items(const Recommendation& list) {
  std::vector<SlateItem> items;
  items.reserve(list.items.size());
  for (const RecommendedItem& item : list.items) items.push_back({item.item, item.score, item.propensity, item.source});
  return items;
}

void Recommender::set_model(std::shared_ptr<const ServingModel> model) {
  const std::lock_guard lock(mutex_);
  model_ = std::move(model);
  ++model_version_;
}

std::shared_ptr<const ServingModel> Recommender::model() const {
  const std::lock_guard lock(mutex_);
  return model_;
}

std::vector<float> Recommender::popularity_weights(const State& state, const WhileStill& still) const {
  // Weights by the age at some instant, brought to that at the newest token's when that is known: one look at
  // everybody.
  TimeMs instant = kNoTime;
  TimeMs newest = kNoTime;
  std::vector<double> timed(items_.size());
  std::vector<double> timeless(items_.size());
  state.profiles().for_each(still, [&](UserId, const Profile& profile) {
    for (const HistoryToken& token : profile.history) {
      if (token.item >= timed.size()) continue;  // it came meanwhile
      if (token.time == kNoTime) {
        timeless[token.item] += 1;
        continue;
      }
      if (instant == kNoTime) instant = token.time;
      if (const double later = static_cast<double>(token.time - instant) / kHalfLifeMs; later > kMostHalfLives) {
        for (double& weight : timed) weight *= std::exp2(-later);
        instant = token.time;
      }
      newest = std::max(newest, token.time);
      timed[token.item] += std::exp2(static_cast<double>(token.time - instant) / kHalfLifeMs);
    }
  });
  const double aged = newest == kNoTime ? 1 : std::exp2(static_cast<double>(instant - newest) / kHalfLifeMs);
  std::vector<float> weights(timed.size());
  for (size_t item = 0; item < weights.size(); ++item)
    weights[item] = static_cast<float>(timed[item] * aged + timeless[item]);
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
  ++popularity_version_;
}

std::vector<ScoredItem> Recommender::Popularity::best(const Bitmap& allowed, size_t k) const {
  const auto scored = [this](size_t item) {
    return ScoredItem{static_cast<int32_t>(item), item < weights.size() ? weights[item] : 0};
  };
  std::vector<ScoredItem> best;
  const size_t most = std::min(k, allowed.count());
  if (allowed.size() > kFewAllowed * (allowed.count() + 1)) {  // walking down the order would take long
    allowed.for_each([&](size_t item) { best.push_back(scored(item)); });
    std::ranges::stable_sort(best, std::greater<>(), &ScoredItem::score);
    best.resize(most);
    return best;
  }
  for (size_t place = 0; best.size() < most; ++place) {
    const size_t item = place < order.size() ? order[place] : place;
    if (item < allowed.size() && allowed[item]) best.push_back(scored(item));
  }
  return best;
}

void Recommender::refresh_outcomes(const State& state, const OutcomeTypes& types, const WhileStill& still) {
  auto outcomes = std::make_shared<ItemOutcomes>(ItemOutcomes::learn(state, types, items_.size(), still));
  const std::lock_guard lock(mutex_);
  outcomes_ = std::move(outcomes);
  ++outcomes_version_;
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

std::vector<ItemId> Recommender::ids_of(const std::vector<std::string>& names) const {
  std::vector<ItemId> ids;
  for (const std::string& name : names)
    if (const std::optional<ItemId> id = items_.find(name)) ids.push_back(*id);
  return ids;
}

/// What neither catalogue nor request nor user have ruled out.
Bitmap Recommender::showable_items(const State& state, const Profile* profile, const RecommendRequest& request,
                                   size_t items) const {
  const Controls& controls = request.controls;
  Bitmap showable = state.catalogue().recommendable(items);
  if (controls.include) {
    Bitmap included(items);
    for (const ItemId item : ids_of(*controls.include))
      if (item < items) included.set(item, true);
    showable.and_with(included);
  }
  const auto exclude = [&](ItemId item) {
    if (item < items) showable.set(item, false);
  };
  for (const ItemId item : ids_of(controls.exclude)) exclude(item);
  for (const ItemId item : request.shown) exclude(item);
  if (profile == nullptr) return showable;
  for (const auto& [item, rejection] : profile->rejected) exclude(item);
  return showable;
}

/// What the filter and the user's own past leave of these.
void Recommender::filter(const State& state, const Profile* profile, const RecommendRequest& request, TimeMs now,
                         Bitmap& items) {
  if (const ItemFilter& filter = request.controls.filter; filter.any())
    items.and_with(fields_.select(filter, state.catalogue(), items.size()));
  if (profile == nullptr || !request.exclude_seen) return;
  const TimeMs since = request.seen_within ? now - *request.seen_within : kNoTime;
  for (const HistoryToken& token : profile->history)
    if ((token.time == kNoTime || token.time >= since) && token.item < items.size()) items.set(token.item, false);
}

Recommender::Choice Recommender::make_choice(const State& state, const Profile* profile,
                                             const RecommendRequest& request, const ServingModel* model, size_t items) {
  const bool objective = request.objective.weights.any() && request.similar_to.empty();
  Choice choice{.request = request,
                .catalogue = state.catalogue(),
                .model = model,
                .outcomes = nullptr,
                .shaped = objective || request.controls.shape(),
                .allowed = showable_items(state, profile, request, items),
                .boosted = {},
                .user = {},
                .wanted = static_cast<size_t>(std::clamp(request.count, 1, kMostListed))};
  for (const Boost& boost : request.controls.boosts)
    choice.boosted.push_back(fields_.select(boost.filter, state.catalogue(), items));
  if (!choice.shaped) return choice;
  if (!objective) {
    choice.outcomes = std::make_shared<const ItemOutcomes>();
    return choice;
  }
  {
    const std::lock_guard lock(mutex_);
    choice.outcomes = outcomes_;
  }
  choice.user = acquaintance_of(profile, *choice.outcomes);
  return choice;
}

/// In front, before the filter is asked.
void Recommender::pin(Choice& choice, Recommendation& result) const {
  for (const std::string& name : choice.request.controls.pin) {
    const ItemId item = items_.find(name).value_or(kNoId);
    if (item >= choice.allowed.size()) result.asks_popularity = true;  // it may come yet
    if (result.items.size() >= choice.wanted || item >= choice.allowed.size() || !choice.allowed[item]) continue;
    RecommendedItem& shown = result.items.emplace_back(entry(item, 0, ItemSource::pinned));
    if (choice.request.explain) shown.reasons.push_back({"pinned", "Chosen for you by hand", ""});
    choice.allowed.set(item, false);
    count_group(choice, group_of(choice, item));
    use_category(choice, item);
  }
}

/// For an objective: the list has an item of this one's category now.
void Recommender::use_category(Choice& choice, ItemId item) {
  if (choice.outcomes == nullptr) return;
  if (const auto category = static_cast<size_t>(choice.outcomes->category(item));
      category < choice.user.categories.size())
    choice.user.categories[category] = true;
}

void Recommender::count_group(Choice& choice, int32_t group) {
  if (group >= 0) ++choice.in_group[group];
}

void Recommender::fill_plain(const Source& source, Choice& choice, Recommendation& result) const {
  for (const auto& [item, score] : source.best(choice.allowed, choice.wanted - result.items.size(), 0, 0)) {
    result.items.push_back(entry(static_cast<ItemId>(item), score, source.name));
    choice.allowed.set(static_cast<size_t>(item), false);
  }
}

/// The best `count` and those that may come into their places. Of what a boost lifts the best `count` too, and of what
/// none buries: nothing has to be near the others to begin with, as long as no item passes two filters. Items of which
/// nothing has been counted have no logit: they are left for fill_plain, unless boosts or a cap may move them.
std::vector<SlateCandidate> Recommender::candidates(const Source& source, const Choice& choice, size_t count,
                                                    int round) const {
  const Controls& controls = choice.request.controls;
  const float reach = round > 0 ? kAnyReach : kReach + static_cast<float>(controls.diversity);
  std::vector<SlateCandidate> found;
  const auto add = [&](const Bitmap& allowed, size_t more) {
    const size_t before = found.size();
    for (const auto& [item, score] : source.best(allowed, count, more, reach)) {
      if (source.counts && score <= 0 && controls.most_a_category == 0 && controls.boosts.empty()) break;
      const double logit = source.counts ? std::max(std::log(double{score}), kUncounted) : score;
      const size_t place = found.size() - before;
      if (place >= count && logit < found[before + count - 1].logit - reach) break;
      found.push_back({static_cast<ItemId>(item), logit, 0});
    }
  };
  add(choice.allowed, kMoreCandidates << (2 * round));
  if (controls.boosts.empty()) return found;
  Bitmap unburied = choice.allowed;
  for (size_t i = 0; i < controls.boosts.size(); ++i) {
    if (controls.boosts[i].by < 0) {
      unburied.and_not(choice.boosted[i]);
    } else {
      Bitmap lifted = choice.allowed;
      lifted.and_with(choice.boosted[i]);
      add(lifted, 0);
    }
  }
  add(unburied, 0);
  std::ranges::sort(found, [](const SlateCandidate& a, const SlateCandidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.item < b.item;
  });
  const auto same = [](const SlateCandidate& a, const SlateCandidate& b) { return a.item == b.item; };
  found.erase(std::unique(found.begin(), found.end(), same), found.end());
  for (SlateCandidate& candidate : found)
    for (size_t i = 0; i < controls.boosts.size(); ++i)
      if (choice.boosted[i][candidate.item]) candidate.boost += controls.boosts[i].by;
  return found;
}

/// Below 0 for an item without a category.
int32_t Recommender::group_of(Choice& choice, ItemId item) {
  const Item* known = choice.catalogue.find(item);
  const std::vector<std::string> names = known == nullptr ? std::vector<std::string>() : known->categories();
  if (names.empty()) return -1;
  return choice.groups.try_emplace(names.front(), static_cast<int32_t>(choice.groups.size())).first->second;
}

/// The lines of a matrix: the candidates' vectors at length 1.
std::vector<float> Recommender::unit_vectors(const ServingModel& model, std::span<const ItemId> items) {
  const size_t width = model.ensemble().vector_width();
  std::vector<float> vectors(items.size() * width);
  for (size_t i = 0; i < items.size(); ++i)
    model.ensemble().unit_vector(items[i], std::span(vectors).subspan(i * width, width));
  return vectors;
}

/// By the model's vectors; without a model items of one category are alike.
std::function<double(size_t, size_t)> Recommender::likeness_of(Choice& choice, std::span<const ItemId> items) {
  if (choice.model != nullptr) {
    const size_t width = choice.model->ensemble().vector_width();
    return [width, vectors = unit_vectors(*choice.model, items)](size_t a, size_t b) -> double {
      return dot(vectors.data() + a * width, vectors.data() + b * width, width);
    };
  }
  std::vector<int32_t> groups;
  for (const ItemId item : items) groups.push_back(group_of(choice, item));
  return [groups = std::move(groups)](size_t a, size_t b) -> double {
    return groups[a] >= 0 && groups[a] == groups[b] ? 1 : 0;
  };
}

ListRules Recommender::list_rules(Choice& choice, const std::vector<SlateCandidate>& candidates,
                                  const Recommendation& result) {
  const Controls& controls = choice.request.controls;
  ListRules rules{.diversity = controls.diversity,
                  .likeness = {},
                  .likeness_above = {},
                  .most_a_group = static_cast<size_t>(controls.most_a_category),
                  .group = {},
                  .in_group = choice.in_group,
                  .exploration = controls.exploration,
                  .random = &thread_random()};
  if (controls.most_a_category > 0)
    for (const SlateCandidate& candidate : candidates) rules.group.push_back(group_of(choice, candidate.item));
  if (controls.diversity > 0) {
    std::vector<ItemId> items;
    items.reserve(candidates.size() + result.items.size());
    for (const SlateCandidate& candidate : candidates) items.push_back(candidate.item);
    for (const RecommendedItem& item : result.items) items.push_back(item.item);
    rules.likeness = likeness_of(choice, items);
    for (size_t i = 0; i < candidates.size(); ++i) {
      double& most = rules.likeness_above.emplace_back(0);
      for (size_t above = candidates.size(); above < items.size(); ++above)
        most = std::max(most, rules.likeness(i, above));
    }
  }
  return rules;
}

void Recommender::add_reasons(const Choice& choice, const SlateCandidate& candidate, const Placed& placed,
                              RecommendedItem& shown) const {
  const Objective& objective = choice.request.objective;
  if (placed.explored) shown.reasons.push_back({"exploration", "Something to try", ""});
  if (placed.aim)
    shown.reasons.push_back({"objective", sentence_of(*placed.aim, objective.name), aim_name(*placed.aim)});
  for (size_t i = 0; i < choice.boosted.size(); ++i) {
    const Boost& boost = choice.request.controls.boosts[i];
    if (!choice.boosted[i][candidate.item]) continue;
    shown.reasons.push_back(
        {boost.by > 0 ? "boosted" : "buried", boost.by > 0 ? "Featured" : "Shown lower", boost.why});
  }
}

/// How many candidates there were.
size_t Recommender::fill_shaped(const Source& source, Choice& choice, int round, Recommendation& result) const {
  const size_t missing = choice.wanted - result.items.size();
  const std::vector<SlateCandidate> candidates = this->candidates(source, choice, missing, round);
  const ListRules rules = list_rules(choice, candidates, result);
  const ObjectiveWeights& weights = choice.request.objective.weights;
  for (const Placed& placed : place(weights, *choice.outcomes, candidates, choice.user, missing, rules)) {
    const SlateCandidate& candidate = candidates[placed.candidate];
    const double score = candidate.logit + placed.adjustment;
    RecommendedItem& shown = result.items.emplace_back(
        entry(candidate.item, static_cast<float>(source.counts ? std::exp(std::min(score, kMostLogCount)) : score),
              placed.explored ? ItemSource::exploration : source.name));
    shown.adjustment = static_cast<float>(placed.adjustment);
    shown.propensity = static_cast<float>(placed.propensity);
    if (choice.request.explain) add_reasons(choice, candidate, placed, shown);
    choice.allowed.set(candidate.item, false);
    if (rules.most_a_group > 0) count_group(choice, rules.group[placed.candidate]);
    use_category(choice, candidate.item);
  }
  for (size_t i = 0; i < rules.group.size(); ++i)  // what a cap holds back must not hold back what stands behind it
    if (const auto full = choice.in_group.find(rules.group[i]);
        full != choice.in_group.end() && full->second >= rules.most_a_group)
      choice.allowed.set(candidates[i].item, false);
  return candidates.size();
}

void Recommender::fill(const Source& source, Choice& choice, Recommendation& result) const {
  const bool capped = choice.request.controls.most_a_category > 0;
  for (int round = 0; choice.shaped && round < kMostRounds && result.items.size() < choice.wanted; ++round)
    if (fill_shaped(source, choice, round, result) == 0 || !capped) break;
  if (!capped && result.items.size() < choice.wanted) fill_plain(source, choice, result);
}

size_t Recommender::catch_up(const State& state, UserId user) {
  const std::shared_ptr<const ServingModel> model = this->model();
  const Found<Profile> profile = state.profiles().find(user);
  return model != nullptr && profile != nullptr ? vectors_.catch_up(model, user, *profile) : 0;
}

std::optional<ListBasis> Recommender::basis_of(const State& state, std::optional<UserId> user, const Profile* profile,
                                               const RecommendRequest& request, TimeMs now) {
  if (request.explain || request.attention || request.seen_within || request.controls.exploration > 0 ||
      request.controls.include || !request.session_items.empty() || !request.shown.empty())
    return std::nullopt;
  ListBasis basis{.item_changes = item_changes_,
                  .count = request.count,
                  .exclude_seen = request.exclude_seen,
                  .similar_to = request.similar_to,
                  .weights = request.objective.weights,
                  .controls = request.controls};
  {
    const std::lock_guard lock(mutex_);
    basis.model_version = model_version_;
    if (basis.weights.any()) basis.outcomes_version = outcomes_version_;
    basis.popularity.version = popularity_version_;
  }
  basis.popularity.items = items_.size();
  if (profile == nullptr) return basis;
  basis.user = state.profiles().resolve(*user);
  basis.user_changes = changes_of(basis.user);
  if (profile->history.empty() || !request.similar_to.empty()) return basis;
  const TimeMs instant = request.context.time.value_or(now);
  basis.silence = gap_bucket(profile->history.back().time, instant);
  basis.hour = hour_of(instant);
  basis.weekday = weekday_of(instant);
  basis.device = device_class(request.context.device);
  return basis;
}

Recommendation Recommender::recommend(const State& state, std::optional<UserId> user, const RecommendRequest& request,
                                      TimeMs now) {
  const Found<Profile> profile = user ? state.profiles().find(*user) : nullptr;
  return recommend(state, user, profile.get(), request, now);
}

Recommendation Recommender::recommend(const State& state, std::optional<UserId> user, const Profile* profile,
                                      const RecommendRequest& request, TimeMs now) {
  std::shared_ptr<const ServingModel> model;
  std::shared_ptr<const Popularity> popularity;
  {
    const std::lock_guard lock(mutex_);
    model = model_;
    popularity = popularity_;
  }
  const std::optional<Profile> in_session =
      with_session(profile, ids_of(request.session_items), request.session_type, now);
  if (in_session) profile = &*in_session;
  const std::optional<ItemId> like = request.similar_to.empty() ? std::nullopt : items_.find(request.similar_to);
  const bool known_item = model != nullptr && like && *like < static_cast<ItemId>(model->config().items);
  Recommendation result;
  result.model = model != nullptr ? model->id() : "none";
  result.fallback = model == nullptr              ? "no_model"
                    : !request.similar_to.empty() ? (known_item ? "" : "unknown_item")
                    : profile == nullptr          ? "unknown_user"
                    : profile->history.empty()    ? "empty_history"
                                                  : "";
  const size_t items = std::max<size_t>(items_.size(), popularity->weights.size());
  Choice choice = make_choice(state, profile, request, model.get(), items);
  if (like && *like < items) choice.allowed.set(*like, false);
  pin(choice, result);
  filter(state, profile, request, now, choice.allowed);
  if (known_item) {
    fill({.name = ItemSource::similar,
          .counts = false,
          .best = [&](const Bitmap& allowed, size_t k, size_t more,
                      float) { return model->similar_items(*like, allowed, k + more); }},
         choice, result);
  } else if (like) {
    fill_category_of(*like, *popularity, choice, result);
  } else if (result.fallback.empty()) {
    const ReadInputs inputs = inputs_of(*model, *profile, request.context, now);
    const std::vector<float> h = in_session ? model->history_vector(*profile)
                                            : vectors_.history_vector(model, state.profiles().resolve(*user), *profile);
    const std::vector<float> u = user_vector(*model, h, inputs);
    fill({.name = ItemSource::transformer,
          .counts = false,
          .best = [&](const Bitmap& allowed, size_t k, size_t more,
                      float reach) { return model->best_items(u, allowed, k, more, reach); }},
         choice, result);
    if (request.explain)
      explain(*model, state.catalogue(), *profile, inputs, request.context.time.value_or(now), result);
    if (request.attention) add_attention(*model, *profile, result);
  }
  fill_popular(*popularity, choice, result);
  return result;
}

void Recommender::fill_popular(const Popularity& popularity, Choice& choice, Recommendation& result) const {
  const size_t before = result.items.size();
  if (before >= choice.wanted) return;
  result.asks_popularity = true;
  fill(
      {.name = ItemSource::popular,
       .counts = true,
       .best = [&](const Bitmap& allowed, size_t k, size_t more, float) { return popularity.best(allowed, k + more); }},
      choice, result);
  for (size_t i = before; choice.request.explain && i < result.items.size(); ++i)
    if (result.items[i].score > kLeastCount)
      result.items[i].reasons.push_back({"popular", "Popular in the last weeks", ""});
}

/// What is popular among the items that share a category with this one.
void Recommender::fill_category_of(ItemId item, const Popularity& popularity, Choice& choice, Recommendation& result) {
  const Item* known = choice.catalogue.find(item);
  if (known == nullptr || known->categories().empty()) return;
  Bitmap others = choice.allowed;
  const Bitmap alike =
      fields_.select({.one_of = {{"category", known->categories()}}}, choice.catalogue, choice.allowed.size());
  choice.allowed.and_with(alike);
  others.and_not(alike);
  fill_popular(popularity, choice, result);
  choice.allowed = std::move(others);  // what is left of the category did not fit, or is forbidden by a cap
}

void Recommender::add_attention(const ServingModel& model, const Profile& profile, Recommendation& result) const {
  const std::vector<float> weights = model.ensemble().attention(model.tokens_of(profile));
  for (size_t i = 0; i < weights.size(); ++i) {
    const HistoryToken& token = profile.history[profile.history.size() - weights.size() + i];
    result.attention.emplace_back(items_.name(token.item), weights[i]);
  }
}

void Recommender::explain(const ServingModel& model, const Catalogue& catalogue, const Profile& profile,
                          const ReadInputs& inputs, TimeMs instant, Recommendation& recommendation) const {
  const Removals removals(model, profile, inputs, instant);
  for (RecommendedItem& item : recommendation.items) {
    if (item.source == ItemSource::pinned) continue;
    for (const Cause& cause : removals.causes(item.item, kMostCauses)) {
      const Item* known = catalogue.find(cause.item);
      const std::string id = items_.name(cause.item);
      const std::string name = known != nullptr && !known->title().empty() ? known->title() : id;
      item.reasons.push_back({"history", fmt::format("Because of {}", name), id, cause.by});
    }
  }
}

}  // namespace perennial
