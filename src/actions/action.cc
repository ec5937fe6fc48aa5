#include "actions/action.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/json.h"
#include "base/text.h"
#include "base/time_zone.h"
#include "forecast/questions.h"

namespace perennial {
namespace {

constexpr std::string_view kActions = "actions.";
constexpr std::string_view kArbiter = "arbiter.";
constexpr std::string_view kJourneys = "journeys.";
constexpr size_t kMostActions = 1'000;
constexpr double kMostMoney = 1e9;
constexpr int kItems = 5, kMostItems = 50;  // of a slate
constexpr double kLeastDeviation = 1e-6;
constexpr int kMinutesOfDay = 24 * 60;
constexpr const char* kKinds[] = {"message", "offer", "discount", "invite", "slate"};

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

Result<double> money_of(std::string_view text) {
  const Result<double> number = parse_number(text);
  if (!number.ok() || !(*number >= 0) || *number > kMostMoney)
    return invalid_argument("want a number from 0 to {:.0f}, got '{}'", kMostMoney, text);
  return *number;
}

/// "2 per 7d".
Result<Frequency> frequency_of(std::string_view text) {
  const size_t per = text.find(" per ");
  const Result<int64_t> most = parse_integer(trim(text.substr(0, per)));
  if (per == std::string_view::npos || !most.ok() || *most < 1 || *most > 1'000)
    return invalid_argument("want a number from 1 to 1,000 per a period, such as '2 per 7d', got '{}'", text);
  PERENNIAL_TRY_ASSIGN(const TimeMs window, parse_period(trim(text.substr(per + 5))));
  return Frequency{*most, window};
}

/// "500 per 30d" of money, "20000 actions per 1d".
Result<BudgetRule> budget_of(std::string_view text) {
  const size_t per = text.find(" per ");
  std::string_view amount = trim(text.substr(0, per));
  BudgetRule rule;
  if (amount.ends_with(" actions")) {
    rule.counts = true;
    amount = trim(amount.substr(0, amount.size() - 8));
  }
  const Result<double> limit = money_of(amount);
  if (per == std::string_view::npos || !limit.ok())
    return invalid_argument(
        "want money or a number of actions per a period, such as '500 per 30d' or '20000 actions per "
        "1d', got '{}'",
        text);
  rule.limit = *limit;
  PERENNIAL_TRY_ASSIGN(rule.window_ms, parse_period(trim(text.substr(per + 5))));
  return rule;
}

/// "21:00".
std::optional<int> minute_of(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const Result<int64_t> hour = parse_integer(text.substr(0, colon)), minute = parse_integer(text.substr(colon + 1));
  if (!hour.ok() || !minute.ok() || *hour < 0 || *hour > 24 || *minute < 0 || *minute > 59) return std::nullopt;
  const auto of_day = static_cast<int>(*hour * 60 + *minute);
  return of_day <= kMinutesOfDay ? std::optional(of_day % kMinutesOfDay) : std::nullopt;
}

/// "21:00-08:00".
Result<QuietHours> quiet_hours_of(std::string_view text) {
  const size_t dash = text.find('-');
  const auto from = minute_of(trim(text.substr(0, dash)));
  const auto until = dash == std::string_view::npos ? std::nullopt : minute_of(trim(text.substr(dash + 1)));
  if (!from || !until || *from == *until)
    return invalid_argument("want two times of the day that differ, such as '21:00-08:00', got '{}'", text);
  return QuietHours{{}, *from, *until};
}

/// "value" or "sum(value)".
Result<Goal> goal_of(std::string_view text, const Definition& definition) {
  Goal goal;
  std::string_view name = trim(text);
  goal.money = name.starts_with("sum(") && name.ends_with(")");
  if (goal.money) name = trim(name.substr(4, name.size() - 5));
  const std::optional<uint8_t> signal = definition.find_signal(name);
  if (!signal) {
    std::vector<std::string> names;
    for (const Signal& known : definition.signals) names.push_back(known.name);
    return invalid_argument("'{}' is no signal: did you mean '{}'? 'sum(...)' of one stands for its money", name,
                            nearest_name(name, names));
  }
  goal.signal = *signal;
  return goal;
}

/// "email", "!email", "country = DE", "plan != club", "age >= 18", "age < 30".
Result<TraitCondition> trait_condition_of(std::string_view text) {
  struct Operator {
    std::string_view sign;
    TraitCondition::Is is;
  };
  constexpr Operator kOperators[] = {{"!=", TraitCondition::Is::different},
                                     {">=", TraitCondition::Is::at_least},
                                     {"<", TraitCondition::Is::below},
                                     {"=", TraitCondition::Is::equal}};
  TraitCondition condition;
  for (const auto& [sign, is] : kOperators) {
    const size_t at = text.find(sign);
    if (at == std::string_view::npos || at == 0) continue;
    condition.trait = std::string(trim(text.substr(0, at)));
    condition.value = std::string(trim(text.substr(at + sign.size())));
    condition.is = is;
    const bool ordered = is == TraitCondition::Is::at_least || is == TraitCondition::Is::below;
    const Result<double> number = parse_number(condition.value);
    const bool torn = condition.trait.find_first_of("!<>=") != std::string::npos || condition.value.starts_with('=');
    if (condition.trait.empty() || condition.value.empty() || (ordered && !number.ok()) || torn)
      return invalid_argument("want a trait, '{}' and {}, got '{}'", sign, ordered ? "a number" : "a value", text);
    if (ordered) condition.number = *number;
    return condition;
  }
  const bool unknown = text.starts_with('!');
  condition.trait = std::string(trim(unknown ? text.substr(1) : text));
  condition.is = unknown ? TraitCondition::Is::unknown : TraitCondition::Is::known;
  if (condition.trait.empty() || condition.trait.find_first_of("!<>=") != std::string::npos)
    return invalid_argument("want a trait, alone, with '!' before it, or with =, !=, >= or < and a value, got '{}'",
                            text);
  return condition;
}

/// "buy_30d >= 0.2", "churn < 0.5".
Result<ForecastCondition> forecast_condition_of(std::string_view text, const Definition& definition) {
  const size_t at = std::min(text.find(">="), text.find('<'));
  if (at == std::string_view::npos)
    return invalid_argument("want a forecast and a bound, such as 'churn >= 0.3' or 'buy_30d < 0.5', got '{}'", text);
  ForecastCondition condition;
  condition.at_least = text[at] == '>';
  condition.question = std::string(trim(text.substr(0, at)));
  const std::string_view bound = trim(text.substr(at + (condition.at_least ? 2 : 1)));
  std::vector<std::string> names;
  for (const Question& question : questions_of(definition)) names.push_back(question.name);
  if (std::ranges::find(names, condition.question) == names.end())
    return invalid_argument("'{}' is no forecast: did you mean '{}'?", condition.question,
                            nearest_name(condition.question, names));
  const Result<double> number = parse_number(bound);
  if (!number.ok()) return invalid_argument("want a number behind '{}', got '{}'", condition.question, bound);
  condition.bound = *number;
  return condition;
}

/// Names of stages or overlays, separated by commas, as a set.
template <size_t N, typename NameOf>
Status read_set(std::string_view text, const NameOf& name_of, std::array<bool, N>& set) {
  set.fill(false);
  std::vector<std::string> known;
  for (size_t i = 0; i < N; ++i) known.emplace_back(name_of(i));
  for (const std::string& name : split_at_commas(text)) {
    const auto found = std::ranges::find(known, name);
    if (found == known.end()) return invalid_argument("'{}' is not one of {}", name, fmt::join(known, ", "));
    set[static_cast<size_t>(found - known.begin())] = true;
  }
  return std::ranges::count(set, true) > 0 ? Status() : invalid_argument("want some of {}", fmt::join(known, ", "));
}

template <typename T, typename Read>
Status read_list(std::string_view text, const Read& read, std::vector<T>& list) {
  for (const std::string& part : split_at_commas(text)) {
    PERENNIAL_TRY_ASSIGN(T one, read(part));
    list.push_back(std::move(one));
  }
  return {};
}

struct Key {
  const char* name;
  std::function<Status(ActionSpec&, const std::string&, const Definition&)> set;
};

Key amount_key(const char* name, double ActionSpec::*member) {
  return {name, [member](ActionSpec& action, const std::string& text, const Definition&) -> Status {
            PERENNIAL_TRY_ASSIGN(action.*member, money_of(text));
            return {};
          }};
}

Key date_key(const char* name, TimeMs ActionSpec::*member) {
  return {name, [member](ActionSpec& action, const std::string& text, const Definition&) -> Status {
            PERENNIAL_TRY_ASSIGN(action.*member, parse_iso8601(text));
            return {};
          }};
}

const std::vector<Key>& keys() {
  static const std::vector<Key> all = {
      {"kind",
       [](ActionSpec& action, const std::string& text, const Definition&) -> Status {
         const auto* const found = std::ranges::find(kKinds, text);
         if (found == std::end(kKinds))
           return invalid_argument("want one of {}, got '{}'", fmt::join(kKinds, ", "), text);
         action.kind = static_cast<ActionKind>(found - std::begin(kKinds));
         return {};
       }},
      {"channel",
       [](ActionSpec& action, const std::string& text, const Definition&) -> Status {
         if (!is_name(text)) return invalid_argument("want small letters, digits, _ and -, got '{}'", text);
         action.channel = text;
         return {};
       }},
      amount_key("cost", &ActionSpec::cost),
      amount_key("cost_of_goal", &ActionSpec::cost_of_goal),
      {"goal",
       [](ActionSpec& action, const std::string& text, const Definition& definition) -> Status {
         PERENNIAL_TRY_ASSIGN(const Goal goal, goal_of(text, definition));
         action.goal.signal = goal.signal;
         action.goal.money = goal.money;
         return {};
       }},
      {"within",
       [](ActionSpec& action, const std::string& text, const Definition&) -> Status {
         PERENNIAL_TRY_ASSIGN(action.goal.within_ms, parse_period(text));
         return {};
       }},
      {"worth",
       [](ActionSpec& action, const std::string& text, const Definition&) -> Status {
         PERENNIAL_TRY_ASSIGN(action.goal.worth, money_of(text));
         return {};
       }},
      {"stages",
       [](ActionSpec& action, const std::string& text, const Definition&) {
         return read_set(
             text, [](size_t i) { return stage_name(static_cast<Stage>(i)); }, action.stages);
       }},
      {"overlays",
       [](ActionSpec& action, const std::string& text, const Definition&) {
         return read_set(
             text, [](size_t i) { return overlay_name(static_cast<Overlay>(i)); }, action.overlays);
       }},
      {"traits", [](ActionSpec& action, const std::string& text,
                    const Definition&) { return read_list(text, trait_condition_of, action.traits); }},
      {"forecasts",
       [](ActionSpec& action, const std::string& text, const Definition& definition) {
         return read_list(
             text, [&](std::string_view part) { return forecast_condition_of(part, definition); }, action.forecasts);
       }},
      date_key("from", &ActionSpec::from),
      date_key("until", &ActionSpec::until),
      {"repeat",
       [](ActionSpec& action, const std::string& text, const Definition&) -> Status {
         PERENNIAL_TRY_ASSIGN(action.repeat, frequency_of(text));
         return {};
       }},
      {"expected_effect",
       [](ActionSpec& action, const std::string& text, const Definition&) -> Status {
         PERENNIAL_TRY_ASSIGN(action.expected.mean, parse_number(text));
         return std::abs(action.expected.mean) <= kMostMoney ? Status()
                                                             : invalid_argument("want a number, got '{}'", text);
       }},
      {"expected_deviation",
       [](ActionSpec& action, const std::string& text, const Definition&) -> Status {
         PERENNIAL_TRY_ASSIGN(action.expected.deviation, money_of(text));
         return action.expected.deviation >= kLeastDeviation
                    ? Status()
                    : invalid_argument("want a number of at least {}, got '{}'", kLeastDeviation, text);
       }},
      {"items",
       [](ActionSpec& action, const std::string& text, const Definition&) -> Status {
         PERENNIAL_TRY_ASSIGN(const int64_t items, parse_integer(text));
         if (items < 1 || items > kMostItems)
           return invalid_argument("want a number from 1 to {}, got {}", kMostItems, items);
         action.items = static_cast<int>(items);
         return {};
       }},
      {"payload",
       [](ActionSpec& action, const std::string& text, const Definition&) -> Status {
         PERENNIAL_TRY_ASSIGN(const json::value payload, parse_json(text));
         if (!payload.is_object()) return invalid_argument("want a JSON object, got '{:.40}'", text);
         action.payload = json::serialize(payload);
         return {};
       }},
  };
  return all;
}

/// Before its keys are read.
ActionSpec blank(std::string_view name) {
  ActionSpec action;
  action.name = std::string(name);
  action.stages.fill(true);
  action.overlays.fill(true);
  action.goal.within_ms = 14 * kMsOfDay;
  action.repeat = {1, 30 * kMsOfDay};
  action.expected.deviation = 0;
  return action;
}

Status finish(ActionSpec& action) {
  const std::string key = std::string(kActions) + action.name;
  if (action.channel.empty())
    return invalid_argument("{}.channel is missing: what the action is sent through, such as \"email\"", key);
  if (action.goal.worth == 0)
    return invalid_argument(
        "{}.worth is missing: what one user who reaches the goal is worth, in money; for goals like \"sum(value)\", "
        "what "
        "one unit of it is",
        key);
  if (!action.goal.money && std::abs(action.expected.mean) > 1)
    return invalid_argument("{}.expected_effect is on a chance: want a number from -1 to 1, such as 0.05 for 5 %", key);
  if (action.goal.money && action.cost_of_goal > 1)
    return invalid_argument("{}.cost_of_goal is a share of the money where that is the goal: want a number from 0 to 1",
                            key);
  const bool is_slate = action.kind == ActionKind::slate;
  if (!is_slate && action.items > 0)
    return invalid_argument("{}.items: only a slate has items, write {}.kind = \"slate\"", key, key);
  if (is_slate && action.items == 0) action.items = kItems;
  if (action.from >= action.until) return invalid_argument("{}.until is not after its 'from'", key);
  // As much as would make it worth its while, either way; of a chance at most a tenth.
  if (action.expected.deviation == 0) action.expected.deviation = action.goal.money ? 10 / action.goal.worth : 0.05;
  return {};
}

/// "stage activation", "overlay churned", "signal abandoned", "forecast churn >= 0.3".
Result<Trigger> trigger_of(std::string_view text, const Definition& definition) {
  const size_t blank = text.find(' ');
  const std::string_view kind = text.substr(0, blank);
  const std::string_view what = blank == std::string_view::npos ? "" : trim(text.substr(blank));
  if (kind == "stage")
    for (size_t i = 0; i < kStages; ++i)
      if (what == stage_name(static_cast<Stage>(i))) return Trigger(static_cast<Stage>(i));
  if (kind == "overlay")
    for (size_t i = 1; i < kOverlays; ++i)
      if (what == overlay_name(static_cast<Overlay>(i))) return Trigger(static_cast<Overlay>(i));
  if (kind == "signal")
    if (const std::optional<uint8_t> signal = definition.find_signal(what)) return Trigger(*signal);
  if (kind == "forecast") {
    PERENNIAL_TRY_ASSIGN(ForecastCondition condition, forecast_condition_of(what, definition));
    return Trigger(std::move(condition));
  }
  return invalid_argument(
      "want a stage, an overlay, a signal of [lifecycle] or a forecast, such as 'stage activation', 'overlay churned', "
      "'signal value' or 'forecast churn >= 0.3', got '{}'",
      text);
}

/// "letter, wait 3d, discount".
Status read_steps(std::string_view text, const ActionRules& rules, Journey& journey) {
  JourneyStep next;
  for (const std::string& part : split_at_commas(text)) {
    if (part.starts_with("wait ")) {
      PERENNIAL_TRY_ASSIGN(const TimeMs wait, parse_period(trim(std::string_view(part).substr(5))));
      next.wait_ms += wait;
      continue;
    }
    const std::optional<uint16_t> action = rules.find(part);
    if (!action) {
      std::vector<std::string> names;
      for (const ActionSpec& known : rules.actions) names.push_back(known.name);
      return invalid_argument("'{}' is neither an action nor 'wait' and a period: did you mean '{}'?", part,
                              nearest_name(part, names));
    }
    next.action = *action;
    journey.steps.push_back(std::exchange(next, {}));
  }
  if (journey.steps.empty())
    return invalid_argument("want actions, with waits between, such as 'letter, wait 3d, offer'");
  return next.wait_ms == 0 ? Status() : invalid_argument("a wait at the end waits for nothing");
}

Status read_exits(std::string_view text, const Definition& definition, Journey& journey) {
  for (const std::string& name : split_at_commas(text)) {
    const std::optional<uint8_t> signal = definition.find_signal(name);
    if (!signal) return invalid_argument("'{}' is no signal of [lifecycle]", name);
    journey.exits.push_back(*signal);
  }
  return {};
}

Status read_journeys(const ActionTexts& texts, const Definition& definition, ActionRules& rules) {
  std::map<std::string, Journey> journeys;
  std::map<std::string, bool> triggered;
  for (const auto& [key, text] : texts) {
    if (!key.starts_with(kJourneys)) continue;
    const std::string_view rest = std::string_view(key).substr(kJourneys.size());
    const size_t point = rest.find('.');
    const std::string name(rest.substr(0, point));
    const std::string_view field = point == std::string_view::npos ? "" : rest.substr(point + 1);
    if (!is_name(name)) return invalid_argument("{}: a journey's name is of small letters, digits, _ and -", key);
    Journey& journey = journeys[name];
    journey.name = name;
    if (journey.patience_ms == 0) journey.patience_ms = 3 * kMsOfDay;
    Status read;
    if (field == "trigger") {
      Result<Trigger> trigger = trigger_of(trim(text), definition);
      read = trigger.status();
      if (trigger.ok()) journey.trigger = *std::move(trigger);
      triggered[name] = true;
    } else if (field == "steps") {
      read = read_steps(text, rules, journey);
    } else if (field == "exit") {
      read = read_exits(text, definition, journey);
    } else if (field == "patience") {
      const Result<TimeMs> patience = parse_period(trim(text));
      read = patience.status();
      if (patience.ok()) journey.patience_ms = *patience;
    } else {
      const std::vector<std::string> known = {"trigger", "steps", "exit", "patience"};
      read = invalid_argument("a journey has no '{}': did you mean '{}'?", field, nearest_name(field, known));
    }
    PERENNIAL_TRY(read.with_context(key));
  }
  for (auto& [name, journey] : journeys) {
    if (!triggered[name]) return invalid_argument("journeys.{}.trigger is missing: when it begins", name);
    if (journey.steps.empty()) return invalid_argument("journeys.{}.steps is missing: what it is made of", name);
    if (std::holds_alternative<ForecastCondition>(journey.trigger) && journey.steps[0].wait_ms > 0)
      return invalid_argument("journeys.{}.steps: a journey that a forecast begins can't begin with a wait", name);
    rules.journeys.push_back(std::move(journey));
  }
  return {};
}

/// Sets `actions` to those that the scope names.
Status resolve(const std::string& key, std::string_view scope, const std::vector<ActionSpec>& actions, ActionSet& set) {
  std::vector<std::string> names = {"all"};
  for (size_t i = 0; i < actions.size(); ++i) {
    const ActionSpec& action = actions[i];
    names.push_back(action.channel);
    names.push_back(action.name);
    if (scope == "all" || scope == action.channel || scope == action.name) set.push_back(static_cast<uint16_t>(i));
  }
  if (!set.empty() || scope == "all") return {};
  return invalid_argument("{}: '{}' is neither 'all' nor a channel nor an action: did you mean '{}'?", key, scope,
                          nearest_name(scope, names));
}

}  // namespace

const char* kind_name(ActionKind kind) { return kKinds[static_cast<size_t>(kind)]; }

std::optional<uint16_t> ActionRules::find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(actions, name, {}, &ActionSpec::name);
  if (found == actions.end() || found->name != name) return std::nullopt;
  return static_cast<uint16_t>(found - actions.begin());
}

TimeMs experiment_length(const ActionRules& rules) {
  TimeMs longest = 0;
  for (const ActionSpec& action : rules.actions) longest = std::max(longest, action.goal.within_ms);
  return longest;
}

TimeMs longest_window(const ActionRules& rules) {
  TimeMs longest = 0;
  for (const ActionSpec& action : rules.actions) longest = std::max(longest, action.repeat.window_ms);
  for (const Cap& cap : rules.caps) longest = std::max(longest, cap.frequency.window_ms);
  for (const BudgetRule& budget : rules.budgets) longest = std::max(longest, budget.window_ms);
  for (const Journey& journey : rules.journeys) longest = std::max(longest, journey.length_ms());
  return longest;
}

Result<ActionRules> make_action_rules(const ActionTexts& texts, ActionRules defaults, const Definition& definition) {
  ActionRules rules = std::move(defaults);
  if (!is_time_zone(rules.time_zone))
    return invalid_argument("arbiter.time_zone: '{}' is no time zone: write one such as Europe/Berlin",
                            rules.time_zone);
  std::vector<std::string> known;
  for (const Key& key : keys()) known.emplace_back(key.name);
  std::map<std::string, ActionSpec> actions;
  for (const auto& [key, text] : texts) {
    if (!key.starts_with(kActions)) continue;
    const std::string_view rest = std::string_view(key).substr(kActions.size());
    const size_t point = rest.find('.');
    const std::string name(rest.substr(0, point));
    if (!is_name(name) || name == "all")
      return invalid_argument(
          "{}: '{}' can't be the name of an action: want small letters, digits, _ and -, and not "
          "'all'",
          key, name);
    const std::string_view field = point == std::string_view::npos ? "" : rest.substr(point + 1);
    const auto found = std::ranges::find(keys(), field, &Key::name);
    if (found == keys().end())
      return invalid_argument("{}: an action has no '{}': did you mean '{}'?", key, field, nearest_name(field, known));
    const auto made = actions.try_emplace(name, blank(name)).first;
    PERENNIAL_TRY(found->set(made->second, text, definition).with_context(key));
  }
  if (actions.size() > kMostActions)
    return invalid_argument("actions: {} of them, want at most {}", actions.size(), kMostActions);
  for (auto& [name, action] : actions) {
    PERENNIAL_TRY(finish(action));
    rules.actions.push_back(std::move(action));
  }
  for (const ActionSpec& action : rules.actions)
    if (actions.contains(action.channel))
      return invalid_argument("actions.{}.channel: '{}' is the name of an action too: limits could not tell them apart",
                              action.name, action.channel);
  PERENNIAL_TRY(read_journeys(texts, definition, rules));
  for (const auto& [key, text] : texts) {
    if (!key.starts_with(kArbiter)) continue;
    const std::string_view rest = std::string_view(key).substr(kArbiter.size());
    const size_t point = rest.find('.');
    const std::string_view table = rest.substr(0, point);
    const std::string scope(point == std::string_view::npos ? "" : rest.substr(point + 1));
    ActionSet set;
    PERENNIAL_TRY(resolve(key, scope, rules.actions, set));
    if (table == "caps") {
      const Result<Frequency> frequency = frequency_of(text);
      if (!frequency.ok()) return frequency.status().with_context(key);
      rules.caps.push_back({scope, set, *frequency});
    } else if (table == "budgets") {
      Result<BudgetRule> budget = budget_of(text);
      if (!budget.ok()) return budget.status().with_context(key);
      budget->scope = scope;
      budget->actions = set;
      rules.budgets.push_back(*std::move(budget));
    } else if (table == "quiet_hours") {
      Result<QuietHours> hours = quiet_hours_of(text);
      if (!hours.ok()) return hours.status().with_context(key);
      hours->actions = set;
      rules.quiet_hours.push_back(*std::move(hours));
    } else if (table == "consent") {
      if (trim(text).empty()) return invalid_argument("{}: want the name of a trait that must be true", key);
      rules.consents.push_back({set, std::string(trim(text))});
    } else {
      const std::vector<std::string> tables = {"caps", "budgets", "quiet_hours", "consent"};
      return invalid_argument("{}: the arbiter has no '{}': did you mean '{}'?", key, table,
                              nearest_name(table, tables));
    }
  }
  return rules;
}

}  // namespace perennial
