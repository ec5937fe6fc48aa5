// What to do for a user next, and what could not be handed over.
#include "base/text.h"
#include "server/api.h"
#include "server/api_fields.h"
#include "server/list_text.h"

namespace perennial {
namespace {

json::object to_json(const AdvisedAction& advised, const ActionRules& rules) {
  const Weighed& weighed = advised.weighed;
  const ActionSpec& spec = rules.actions[weighed.action];
  json::object action = {{"action", spec.name},
                         {"kind", kind_name(spec.kind)},
                         {"channel", spec.channel},
                         {"gain", weighed.gain.value},
                         {"gain_low", weighed.gain.low},
                         {"gain_high", weighed.gain.high},
                         {"gain_after_prices", weighed.priced},
                         {"cost", weighed.cost},
                         {"reason", advised.reason},
                         {"suppressed_by", nullptr}};
  if (weighed.suppression != Suppression::none) action["suppressed_by"] = suppression_name(weighed.suppression);
  if (advised.slate) action["recommendation_id"] = to_hex(advised.slate->id);
  return action;
}

/// An action, or an item of one with what its list says of it.
json::object to_json(const NextStep& step, const AdvisedAction& advised, const json::array& items,
                     const ActionRules& rules) {
  const ActionSpec& spec = rules.actions[advised.weighed.action];
  json::object told = {{"type", step.item ? "item" : "action"},
                       {"action", spec.name},
                       {"channel", spec.channel},
                       {"gain", step.gain.value},
                       {"gain_low", step.gain.low},
                       {"gain_high", step.gain.high}};
  if (step.item) {
    told["item"] = items.at(*step.item);
    told["recommendation_id"] = to_hex(advised.slate->id);
    const std::vector<Reason>& reasons = advised.slate->recommendation().items[*step.item].reasons;
    told["reason"] = reasons.empty() ? "" : reasons.front().text;
  } else {
    told["reason"] = advised.reason;
  }
  return told;
}

json::object to_json(const DeadLetter& letter, const std::string& user_id) {
  return {{"action_id", letter.outgoing.action_id},
          {"user_id", user_id},
          {"action", letter.outgoing.name},
          {"channel", letter.outgoing.channel},
          {"decided_at", format_iso8601(letter.outgoing.decided)},
          {"failed_at", format_iso8601(letter.failed)},
          {"reason", letter.reason}};
}

}  // namespace

void Api::get_next_best_action(const Call& call, Reply reply) {
  const auto parameters = parse_query(call.request.query);
  if (!parameters.ok()) return reply(problem(parameters.status()));
  for (const auto& [name, value] : *parameters)
    if (name != "user_id")
      return reply(problem(invalid_argument("unknown parameter '{:.40}': there is 'user_id'", name)));
  const auto user = parameters->find("user_id");
  if (user == parameters->end() || user->second.empty())
    return reply(problem(invalid_argument("'user_id' is missing: whose next best action it is")));
  const Result<NextBestActions> found = engine_.next_best_actions(user->second);
  if (!found.ok()) return reply(problem(found.status()));
  const ActionRules& rules = engine_.arbiter()->rules();
  json::array actions, ranked;
  std::vector<json::array> items;  // by action
  for (const AdvisedAction& advised : found->actions) {
    actions.push_back(to_json(advised, rules));
    items.push_back(advised.slate ? items_of(*advised.slate) : json::array());
  }
  for (const NextStep& step : found->steps)
    ranked.push_back(to_json(step, found->actions[step.action], items[step.action], rules));
  reply(json_response(json::object{{"user_id", found->user_id},
                                   {"at", format_iso8601(found->at)},
                                   {"currency", engine_.currency()},
                                   {"ranked", std::move(ranked)},
                                   {"actions", std::move(actions)}}));
}

void Api::get_dead_letters(const Call& /*call*/, Reply reply) {
  json::array letters;
  if (const Arbiter* arbiter = engine_.arbiter())
    for (const DeadLetter& letter : arbiter->dead_letters())
      letters.push_back(to_json(letter, engine_.user_name(letter.outgoing.user)));
  reply(json_response(json::object{{"dead_letters", std::move(letters)}}));
}

void Api::post_send_again(const Call& call, Reply reply) {
  const std::string& id = call.parameters[0];
  const std::vector<DeadLetter> letters =
      engine_.arbiter() == nullptr ? std::vector<DeadLetter>() : engine_.arbiter()->dead_letters();
  const auto found = std::ranges::find(letters, id, [](const DeadLetter& letter) { return letter.outgoing.action_id; });
  if (found == letters.end()) return reply(problem(not_found("no dead letter has the action id '{:.64}'", id)));
  Record record{random_message_id(),         engine_.clock().now_ms(), engine_.user_name(found->outgoing.user), {}, {},
                Delivery{id, kSentAgain, ""}};
  record.of_known_user = true;
  engine_.post({std::move(record)}, [id, reply = std::move(reply)](const Result<AppendOutcome>& outcome) {
    reply(outcome.ok() ? json_response(json::object{{"action_id", id}, {"sent_again", true}})
                       : problem(outcome.status()));
  });
}

}  // namespace perennial
