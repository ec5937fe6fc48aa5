#include "events/action_details.h"

#include <algorithm>

#include "base/json.h"

namespace perennial {
namespace {

constexpr double kMostCost = 1e9;

}  // namespace

ActionDetails action_details(const StoredRecord& record) {
  ActionDetails found;
  const auto* action = std::get_if<Action>(&record.payload);
  if (action == nullptr || action->details.empty()) return found;
  const Result<json::object> details = parse_json_object(action->details);
  if (!details.ok()) return found;
  const json::value* cost = details->if_contains(kCost);
  if (cost != nullptr && cost->is_number())
    found.cost = static_cast<float>(std::clamp(cost->to_number<double>(), 0.0, kMostCost));
  const json::value* deliver = details->if_contains(kDeliverable);
  found.deliver = deliver != nullptr && deliver->is_bool() && deliver->get_bool();
  const json::value* chances = details->if_contains(kChances);
  if (chances == nullptr || !chances->is_object()) return found;
  for (const auto& [name, chance] : chances->get_object())
    if (chance.is_number()) found.chances.emplace_back(name, chance.to_number<float>());
  return found;
}

}  // namespace perennial
