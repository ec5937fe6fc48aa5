#include "actions/trials.h"

#include <algorithm>
#include <optional>

#include "actions/trait_features.h"
#include "actions/users.h"
#include "base/json.h"

namespace perennial {
namespace {

constexpr uint64_t kSeed = 42;
constexpr UserId kUsersAtOnce = 2'000;
constexpr size_t kDrawsAtOnce = 200;
constexpr double kLeastChance = 1e-3;

/// Of the facts in (from, from + within].
double outcome_of(const Goal& goal, const Definition& definition, const UserFacts& facts, TimeMs from) {
  const std::span<const Fact> of = facts.of(goal.signal);
  const size_t begin = count_until(of, from), end = count_until(of, from + goal.within_ms);
  if (!goal.money) return end > begin ? 1 : 0;
  return static_cast<double>(money_between(of, begin, end)) / static_cast<double>(definition.minor_units);
}

/// The mean outcome of users who were there before, over the goal's time up to now.
double outcome_so_far(const Goal& goal, const Lives& lives, TimeMs now, const WhileStill& still) {
  double sum = 0, users = 0;
  const TimeMs from = now - goal.within_ms;
  const auto look = [&](UserId, const Life& life) {
    if (life.first_seen == kNoTime || life.first_seen > from) return;
    sum += outcome_of(goal, lives.definition(), life.facts, from);
    ++users;
  };
  UserId end = 1;
  for (UserId first = 0; first < end; first += kUsersAtOnce)
    still([&] {
      end = lives.end();
      lives.for_each(first, std::min(first + kUsersAtOnce, end), look);
    });
  return users > 0 ? sum / users : 0;
}

}  // namespace

const char* name_of(uint16_t action, const ActionRules& rules) {
  return action == kDoNothing ? kNoAction : rules.actions[action].name.c_str();
}

Record action_record(const Decision& decision, const ActionRules& rules, const std::string& user, TimeMs planned,
                     TimeMs at) {
  Record record;
  const std::string name = name_of(decision.action, rules);
  record.message_id = message_id_of(fmt::format("action\n{}\n{}\n{}", user, planned, name));
  record.time = at;
  record.user = user;
  record.of_known_user = true;
  json::object details = {{"gain", decision.gain}, {kCost, decision.cost}};
  if (decision.action != kDoNothing) details[kDeliverable] = true;
  if (!decision.chances.empty()) {
    json::object chances;
    for (const auto& [action, chance] : decision.chances) chances[name_of(action, rules)] = chance;
    details[kChances] = std::move(chances);
  }
  record.payload = Action{.action_id = to_hex(record.message_id),
                          .name = name,
                          .channel = decision.action == kDoNothing ? "" : rules.actions[decision.action].channel,
                          .propensity = static_cast<float>(decision.chance),
                          .details = json::serialize(details)};
  return record;
}

void Trials::apply(const StoredRecord& record, const ActionDetails& details) {
  if (const auto* action = std::get_if<Action>(&record.payload)) {
    if (details.chances.empty() || record.time == kNoTime) return;
    Draw draw{record.user, record.time, add_name(action->name), {}};
    for (const auto& [name, chance] : details.chances) draw.chances.emplace_back(add_name(name), chance);
    draws_.push_back(std::move(draw));
    while (draws_.front().time < record.time - keep_ms_) draws_.pop_front();
  } else if (std::holds_alternative<IdentityMerge>(record.payload)) {
    identities_.merge(record.user, record.into);
  } else if (std::holds_alternative<Erasure>(record.payload)) {
    const UserId erased = identities_.resolve(record.user);
    std::erase_if(draws_, [&](const Draw& draw) { return identities_.resolve(draw.user) == erased; });
    identities_.forget(record.user);
  }
}

std::vector<Trials::Row> Trials::rows_of(const ActionSpec& action, TimeMs now) const {
  const auto id_of = [&](const std::string& name) {
    const auto found = names_.find(name);
    return found == names_.end() ? UINT32_MAX : found->second;
  };
  const uint32_t wanted = id_of(action.name), nothing = id_of(kNoAction);
  std::vector<Row> rows;
  for (const Draw& draw : draws_) {
    if (draw.time + action.goal.within_ms > now) continue;
    Row row{.user = draw.user, .time = draw.time};
    row.arm = draw.drawn == nothing ? 0 : draw.drawn == wanted ? 1 : 2;
    for (const auto& [name, chance] : draw.chances) {
      if (name == nothing) row.of_nothing = chance;
      if (name == wanted) row.of_action = chance;
    }
    // Chances from elsewhere may be rounded; one so small would count as a thousand users. Not by what came up: that
    // would choose who is in the trial.
    const double sum = std::max(1.0, row.of_nothing + row.of_action);
    row.of_nothing /= sum, row.of_action /= sum;
    const bool others = row.arm != 2 || row.of_nothing + row.of_action < 1;
    if (std::min(row.of_nothing, row.of_action) >= kLeastChance && others) rows.push_back(row);
  }
  return rows;
}

Trial Trials::of(const ActionSpec& action, const Lives& lives, TimeMs now, const WhileStill& still,
                 const MoreFeatures& more) const {
  std::vector<Row> rows;
  still([&] { rows = rows_of(action, now); });
  const Definition& definition = lives.definition();
  const Features features(definition, goal_question(action.goal, definition));
  const auto count = static_cast<Eigen::Index>(rows.size());
  const auto columns = static_cast<Eigen::Index>(features.names().size() + more.count);
  Trial trial{Eigen::MatrixXd(count, columns), {}, Eigen::MatrixXd(count, 3), Eigen::VectorXd(count)};
  Eigen::Index next = 0;
  const auto look = [&](const Row& row) {
    const Found<Life> life = lives.find(row.user);
    if (life == nullptr) return;
    std::vector<double> of = features.of(definition, {row.user, life->first_seen, &life->facts}, row.time);
    if (more.count > 0) more.add(row.user, row.time, of);
    trial.features.row(next) = Eigen::Map<const Eigen::RowVectorXd>(of.data(), columns);
    trial.chances.row(next) << row.of_nothing, row.of_action, std::max(0.0, 1 - row.of_nothing - row.of_action);
    trial.dealt.push_back(row.arm);
    trial.outcomes[next++] = outcome_of(action.goal, definition, life->facts, row.time);
  };
  for (size_t first = 0; first < rows.size(); first += kDrawsAtOnce)
    still([&] {
      for (size_t i = first; i < std::min(first + kDrawsAtOnce, rows.size()); ++i) look(rows[i]);
    });
  trial.features.conservativeResize(next, Eigen::NoChange);
  trial.chances.conservativeResize(next, Eigen::NoChange);
  trial.outcomes.conservativeResize(next);
  return trial;
}

MoreFeatures trait_features(const ActionRules& rules, const Profiles& profiles) {
  return {kFeaturesOfTrait * rules.effect_traits.size(),
          [&rules, &profiles](UserId user, TimeMs, std::vector<double>& features) {
            const Found<Profile> profile = profiles.find(user);
            const auto trait = [&](std::string_view name) {
              return profile == nullptr ? nullptr : trait_of(*profile, name);
            };
            add_trait_features(rules.effect_traits, trait, features);
          }};
}

uint32_t Trials::add_name(std::string_view name) {
  return names_.emplace(name, static_cast<uint32_t>(names_.size())).first->second;
}

Result<Effects> learn_action_effects(const ActionRules& rules, const Trials& trials, const Lives& lives, TimeMs now,
                                     const WhileStill& still, const MoreFeatures& more,
                                     const std::stop_token& stopped) {
  Effects effects;
  for (const ActionSpec& action : rules.actions) {
    if (stopped.stop_requested()) return Status(Code::cancelled, "stopping: what actions do is not learned");
    EffectPrior prior = action.expected;
    prior.untreated = outcome_so_far(action.goal, lives, now, still);
    Result<ActionEffect> effect = learn_effect(trials.of(action, lives, now, still, more), 0, prior, kSeed);
    if (!effect.ok()) return effect.status().with_context(action.name);
    effects.push_back(*std::move(effect));
  }
  return effects;
}

}  // namespace perennial
