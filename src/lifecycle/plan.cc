#include "lifecycle/plan.h"

#include <algorithm>

#include "base/text.h"
#include "events/roles.h"

namespace perennial {
namespace {

json::object to_json(const Standing& standing) {
  return {{"stage", stage_name(standing.stage)}, {"overlay", overlay_name(standing.overlay)}};
}

}  // namespace

Plan compare(const Lives& now, const Lives& then, TimeMs at, size_t most_movers) {
  Plan plan;
  plan.at = at;
  now.for_each([&](UserId user, const Life& life) {
    const Found<Life> same = then.find(user);
    if (life.first_seen == kNoTime || life.first_seen > at || same == nullptr) return;
    const Standing from = standing_at(now.definition(), life.facts, at);
    const Standing to = standing_at(then.definition(), same->facts, at);
    ++plan.now.of(from);
    ++plan.then.of(to);
    ++plan.moves[static_cast<size_t>(from.stage)][static_cast<size_t>(to.stage)];
    if (from == to) return;
    ++(from.stage == to.stage ? plan.other_overlay : plan.other_stage);
    if (plan.movers.size() < most_movers) plan.movers.push_back({user, from, to});
  });
  return plan;
}

Status check_event_types(const std::map<std::string, std::string>& signals, const Dictionary& event_types) {
  std::vector<std::string> known;
  for (uint32_t id = 0; id < event_types.size(); ++id) known.push_back(event_types.name(id));
  for (const auto& [signal, types] : signals) {
    for (const std::string& type : split_at_commas(types)) {
      const std::string comparable = comparable_type(type);
      const auto same = [&](const std::string& each) { return comparable_type(each) == comparable; };
      if (std::any_of(known.begin(), known.end(), same)) continue;
      const std::string nearest = nearest_name(type, known);
      return invalid_argument(
          "lifecycle.signals.{}: the log has no event of type '{}'{}: mend it, or say --allow-unknown-events if it is "
          "yet "
          "to come",
          signal, type, nearest.empty() ? "" : fmt::format(" (the nearest is '{}')", nearest));
    }
  }
  return {};
}

json::object to_json(const Plan& plan, const Dictionary& users) {
  json::array moves;
  for (size_t from = 0; from < kStages; ++from)
    for (size_t to = 0; to < kStages; ++to)
      if (from != to && plan.moves[from][to] > 0)
        moves.push_back(json::object{{"from", stage_name(static_cast<Stage>(from))},
                                     {"to", stage_name(static_cast<Stage>(to))},
                                     {"users", plan.moves[from][to]}});
  json::array movers;
  for (const Mover& mover : plan.movers)
    movers.push_back(
        json::object{{"user_id", users.name(mover.user)}, {"from", to_json(mover.from)}, {"to", to_json(mover.to)}});
  return {{"at", format_iso8601(plan.at)},
          {"users", plan.now.all()},
          {"other_stage", plan.other_stage},
          {"other_overlay", plan.other_overlay},
          {"now", perennial::to_json(plan.now, plan.at).at("stages")},
          {"then", perennial::to_json(plan.then, plan.at).at("stages")},
          {"moves", std::move(moves)},
          {"movers", std::move(movers)}};
}

}  // namespace perennial
