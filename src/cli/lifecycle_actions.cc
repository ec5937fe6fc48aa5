// perennial lifecycle actions: what the arbiter would do now, for everybody or for one user. Nothing is sent.
#include <thread>

#include "actions/configured.h"
#include "actions/preview.h"
#include "actions/trials.h"
#include "actions/users.h"
#include "base/text.h"
#include "cli/fold_state.h"
#include "cli/lifecycle_data.h"
#include "forecast/forecasts_file.h"

namespace perennial {
namespace {

constexpr TimeMs kPreviewEvery = kMsOfDay / 3;  // so that one is not in the quiet hours
constexpr TimeMs kTrialsKept = 365 * kMsOfDay;

/// What the arbiter goes by, as of the instant.
struct ActionData {
  LifecycleData life;
  Settings settings;
  ActionRules rules;
  State state;
  Contacts contacts;
  Trials trials;
  std::optional<Forecasts> forecasts;
  Effects effects;
};

bool asks_forecasts(const ActionRules& rules) {
  return std::ranges::any_of(rules.actions, [](const ActionSpec& action) { return !action.forecasts.empty(); });
}

/// `contacts_until`: those of later are not looked at; kNoTime: the instant asked about.
Result<std::unique_ptr<ActionData>> read_actions(const CommandLine& line, const std::string& at,
                                                 TimeMs contacts_until = kNoTime) {
  PERENNIAL_TRY_ASSIGN(Settings settings, line.settings());
  PERENNIAL_TRY_ASSIGN(LifecycleData life, read_lifecycle(line, at));
  PERENNIAL_TRY_ASSIGN(ActionRules rules, action_rules(settings, life.lives.definition()));
  if (rules.actions.empty())
    return failed_precondition(
        "no action is declared: write one into the configuration, such as\n\n"
        "  [actions.welcome]\n  channel = \"email\"\n  cost = 0.02\n  goal = \"value\"\n  worth = 10\n"
        "  stages = \"acquisition\"");
  State state(settings.roles, life.log->event_types(), static_cast<size_t>(settings.history_limit));
  PERENNIAL_TRY(fold_state(line.data, *life.log, state));
  const TimeMs window = longest_window(rules), now = life.now;
  auto data = std::make_unique<ActionData>(ActionData{std::move(life),
                                                      std::move(settings),
                                                      std::move(rules),
                                                      std::move(state),
                                                      Contacts(window),
                                                      Trials(kTrialsKept),
                                                      {},
                                                      {}});
  PERENNIAL_TRY(data->life.log->replay(0, data->life.lives.applied(), [&](const StoredRecord& record) -> Status {
    if (record.time == kNoTime || record.time <= (contacts_until == kNoTime ? now : contacts_until))
      data->contacts.apply(record);
    if (record.time == kNoTime || record.time <= now) data->trials.apply(record);
    return {};
  }));
  if (asks_forecasts(data->rules)) {
    Result<Forecasts> forecasts = load_forecasts(line.data, data->life.lives.definition());
    if (!forecasts.ok())
      return forecasts.status().with_context(
          "an action asks for forecasts, and there are none yet: 'perennial lifecycle forecast --fit' makes them");
    data->forecasts = *std::move(forecasts);
  }
  PERENNIAL_TRY_ASSIGN(data->effects, learn_action_effects(data->rules, data->trials, data->life.lives, now));
  return data;
}

std::string money(double value) { return fmt::format("{:.2f}", value); }

std::string interval(const Interval95& of) {
  return fmt::format("{} [{}, {}]", money(of.value), money(of.low), money(of.high));
}

/// "0.012 [0.004, 0.020]", and where from.
std::string effect_text(const ActionEffect& effect) {
  const double error = kNormal95 * std::sqrt(effect.level_variance);
  const std::string value =
      fmt::format("{:+.4f} [{:+.4f}, {:+.4f}]", effect.level, effect.level - error, effect.level + error);
  if (effect.treated_users == 0) return value + " as expected";
  return fmt::format("{} {}{}", value, learner_name(effect.learner), effect.level + error < 0 ? ", HARMFUL" : "");
}

void print_plan(const ActionPlan& plan, const ActionData& data) {
  std::vector<int64_t> chosen(data.rules.actions.size()), drawn(data.rules.actions.size());
  int64_t experiments = 0, served = 0;
  std::vector<double> gain(data.rules.actions.size());
  for (const Decision& decision : plan.decisions) {
    experiments += decision.chances.empty() ? 0 : 1;
    if (decision.action == kDoNothing) continue;
    ++(decision.chances.empty() ? chosen : drawn)[decision.action];
    if (decision.chances.empty()) gain[decision.action] += decision.gain;
    ++served;
  }
  fmt::print("At {}, of {} users {} would get an action; {} are held out and never get one.\n", format_iso8601(plan.at),
             with_commas(plan.users), with_commas(served), with_commas(plan.held_out));
  fmt::print("For {} it would be drawn, to learn what actions do. Expected of the others: {} {}",
             with_commas(experiments), money(plan.gain), data.life.currency);
  if (plan.bound > 0) fmt::print(", {:.2f} % below what no choice could pass", 100 * (1 - plan.gain / plan.bound));
  fmt::print(".\n\n");

  fmt::print("{:20} {:10} {:>9} {:>9} {:>11}  {}\n", "action", "channel", "chosen", "drawn", "gain",
             "effect on its goal, on average");
  for (size_t a = 0; a < data.rules.actions.size(); ++a) {
    const ActionSpec& action = data.rules.actions[a];
    fmt::print("{:20} {:10} {:>9} {:>9} {:>11}  {}\n", action.name, action.channel, with_commas(chosen[a]),
               with_commas(drawn[a]), money(gain[a]), effect_text(data.effects[a]));
  }
  fmt::print("\nWho did not get it, by what stood against it first\n");
  for (size_t a = 0; a < data.rules.actions.size(); ++a) {
    std::string reasons;
    for (size_t s = 1; s < kSuppressions; ++s)
      if (const int64_t users = plan.suppressed[a][s]; users > 0)
        reasons += fmt::format("  {} {}", suppression_name(static_cast<Suppression>(s)), with_commas(users));
    fmt::print("{:20}{}\n", data.rules.actions[a].name, reasons.empty() ? "  nobody" : reasons);
  }
  if (plan.budgets.empty()) return;
  fmt::print("\n{:20} {:>14} {:>14}  {}\n", "budget", "left", "used", "one more unit of it would bring");
  for (size_t b = 0; b < plan.budgets.size(); ++b) {
    const BudgetRule& rule = data.rules.budgets[b];
    fmt::print("{:20} {:>14} {:>14}  {}\n", rule.scope + (rule.counts ? ", actions" : ", " + data.life.currency),
               rule.counts ? with_commas(static_cast<int64_t>(plan.budgets[b].left)) : money(plan.budgets[b].left),
               rule.counts ? with_commas(static_cast<int64_t>(plan.budgets[b].used)) : money(plan.budgets[b].used),
               plan.budgets[b].price > 0 ? money(plan.budgets[b].price) + " " + data.life.currency
                                         : "nothing: there is enough");
  }
}

json::object to_json(const ActionPlan& plan, const ActionData& data) {
  json::array actions, budgets, decisions;
  for (size_t a = 0; a < data.rules.actions.size(); ++a) {
    const ActionEffect& effect = data.effects[a];
    json::object suppressed;
    for (size_t s = 1; s < kSuppressions; ++s)
      suppressed[suppression_name(static_cast<Suppression>(s))] = plan.suppressed[a][s];
    actions.push_back({{"name", data.rules.actions[a].name},
                       {"channel", data.rules.actions[a].channel},
                       {"effect", effect.level},
                       {"effect_standard_error", std::sqrt(effect.level_variance)},
                       {"learner", learner_name(effect.learner)},
                       {"treated_users", effect.treated_users},
                       {"untreated_users", effect.untreated_users},
                       {"qini", effect.quality.qini.value},
                       {"qini_low", effect.quality.qini.low},
                       {"qini_high", effect.quality.qini.high},
                       {"suppressed", std::move(suppressed)}});
  }
  for (size_t b = 0; b < plan.budgets.size(); ++b)
    budgets.push_back({{"scope", data.rules.budgets[b].scope},
                       {"counts_actions", data.rules.budgets[b].counts},
                       {"left", plan.budgets[b].left},
                       {"used", plan.budgets[b].used},
                       {"price", plan.budgets[b].price}});
  for (const Decision& decision : plan.decisions)
    decisions.push_back(
        {{"user_id", data.life.log->users().name(decision.user)},
         {"action", decision.action == kDoNothing ? kNoAction : data.rules.actions[decision.action].name},
         {"gain", decision.gain},
         {"cost", decision.cost},
         {"drawn", !decision.chances.empty()},
         {"propensity", decision.chance}});
  return {{"at", format_iso8601(plan.at)},
          {"users", plan.users},
          {"held_out", plan.held_out},
          {"gain", plan.gain},
          {"bound", plan.bound},
          {"currency", data.life.currency},
          {"actions", std::move(actions)},
          {"budgets", std::move(budgets)},
          {"decisions", std::move(decisions)}};
}

/// Why it would not be done.
std::string reason_text(const Weighed& weighed) {
  switch (weighed.suppression) {
    case Suppression::none:
      return "";
    case Suppression::holdout:
      return "in the control group";
    case Suppression::experiment:
      return "in an experiment";
    case Suppression::expired:
      return "not at this time";
    case Suppression::journey:
      return "not due in its journey";
    case Suppression::stage:
      return "not for this stage";
    case Suppression::trait:
      return "not for these traits";
    case Suppression::forecast:
      return "the forecasts are not within its bounds";
    case Suppression::consent:
      return "no consent";
    case Suppression::repeat:
      return "had it lately";
    case Suppression::cap:
      return "had enough lately";
    case Suppression::quiet_hours:
      return "quiet hours";
    case Suppression::no_gain:
      return "doing nothing brings more";
    case Suppression::outdone:
      return "another action brings more";
    case Suppression::budget:
      return "others gain more from the budget";
  }
  return "";
}

void print_user(const std::vector<Weighed>& weighed, const ActionData& data, const std::string& user) {
  fmt::print("{} at {}: what could be done, the best first. Gain in {}, [95 %].\n\n", printable(user),
             format_iso8601(data.life.now), data.life.currency);
  fmt::print("{:20} {:10} {:28} {:>10} {:>9}  {}\n", "action", "channel", "expected gain", "at prices", "cost", "");
  for (const Weighed& one : weighed) {
    const ActionSpec& action = data.rules.actions[one.action];
    fmt::print("{:20} {:10} {:28} {:>10} {:>9}  {}\n", action.name, action.channel, interval(one.gain),
               money(one.priced), money(one.cost), reason_text(one));
  }
  fmt::print(
      "\nat prices: less what it takes from budgets that others could use, at what one unit of these would bring.\n");
}

json::array to_json(const std::vector<Weighed>& weighed, const ActionRules& rules) {
  json::array list;
  for (const Weighed& one : weighed)
    list.push_back(
        {{"action", rules.actions[one.action].name},
         {"channel", rules.actions[one.action].channel},
         {"gain", one.gain.value},
         {"gain_low", one.gain.low},
         {"gain_high", one.gain.high},
         {"gain_after_prices", one.priced},
         {"cost", one.cost},
         {"suppressed_by", one.suppression == Suppression::none ? json::value(nullptr)
                                                                : json::value(suppression_name(one.suppression))}});
  return list;
}

void print_preview(const Preview& made, const ActionData& data, TimeMs since, int64_t limit) {
  std::vector<std::set<UserId>> users(data.rules.actions.size());
  std::vector<int64_t> times(data.rules.actions.size());
  for (const WouldHaveGot& got : made.given) {
    users[got.action].insert(got.user);
    ++times[got.action];
  }
  fmt::print(
      "From {} to {}, {} plans: what would have been done. Facts of the time, traits and effects of now. Expected: "
      "{} {}.\n\n{:20} {:10} {:>9} {:>9}\n",
      format_iso8601(since), format_iso8601(data.life.now), made.plans, money(made.gain), data.life.currency, "action",
      "channel", "times", "users");
  for (size_t a = 0; a < data.rules.actions.size(); ++a)
    fmt::print("{:20} {:10} {:>9} {:>9}\n", data.rules.actions[a].name, data.rules.actions[a].channel,
               with_commas(times[a]), with_commas(static_cast<int64_t>(users[a].size())));
  fmt::print("\n");
  for (const WouldHaveGot& got : made.given) {
    if (limit-- <= 0) break;
    fmt::print("{}  {:20} {}\n", format_iso8601(got.time), data.rules.actions[got.action].name,
               printable(data.life.log->users().name(got.user)));
  }
}

json::object to_json(const Preview& made, const ActionData& data, TimeMs since) {
  json::array given;
  for (const WouldHaveGot& got : made.given)
    given.push_back({{"time", format_iso8601(got.time)},
                     {"user_id", data.life.log->users().name(got.user)},
                     {"action", data.rules.actions[got.action].name}});
  return {{"since", format_iso8601(since)},
          {"at", format_iso8601(data.life.now)},
          {"plans", made.plans},
          {"gain", made.gain},
          {"currency", data.life.currency},
          {"given", std::move(given)}};
}

/// What journeys and limits would have made of the past.
Status preview_actions(const CommandLine& line, const LifecycleFlags& flags, const std::string& since_text) {
  PERENNIAL_TRY_ASSIGN(const TimeMs since, instant_of(since_text, kNoTime));
  PERENNIAL_TRY_ASSIGN(const std::unique_ptr<ActionData> data, read_actions(line, flags.at, since));
  if (since >= data->life.now)
    return invalid_argument("--since {} is not before {}", format_iso8601(since), format_iso8601(data->life.now));
  PERENNIAL_TRY_ASSIGN(
      const Preview made,
      preview(data->rules, data->effects, data->life.lives, data->state.profiles(),
              data->forecasts ? &*data->forecasts : nullptr, data->life.log->users(), data->contacts, since,
              data->life.now, kPreviewEvery, static_cast<int>(std::thread::hardware_concurrency())));
  if (line.json)
    fmt::print("{}\n", json::serialize(to_json(made, *data, since)));
  else
    print_preview(made, *data, since, flags.limit);
  return {};
}

Status actions(const CommandLine& line, const LifecycleFlags& flags) {
  PERENNIAL_TRY_ASSIGN(const std::unique_ptr<ActionData> data, read_actions(line, flags.at));
  const LifecycleData& life = data->life;
  const ActionUsers users(life.lives, data->state.profiles(), data->forecasts ? &*data->forecasts : nullptr,
                          data->contacts, life.log->users(), life.now);
  const Planner planner(data->rules, data->effects, data->contacts, life.lives.definition(), life.now);
  PERENNIAL_TRY_ASSIGN(const ActionPlan plan,
                       planner.plan([&](const auto& visit) { users.each(0, life.lives.end(), visit); },
                                    static_cast<int>(std::thread::hardware_concurrency())));
  if (flags.user.empty()) {
    if (line.json)
      fmt::print("{}\n", json::serialize(to_json(plan, *data)));
    else
      print_plan(plan, *data);
    return {};
  }
  std::vector<double> prices;
  for (const BudgetState& budget : plan.budgets) prices.push_back(budget.price);
  std::vector<Weighed> weighed;
  const std::optional<UserId> id = life.log->users().find(flags.user);
  if (!id || !users.one(*id, [&](const PlannedUser& user) { weighed = planner.weigh(user, prices); }))
    return not_found("nothing is known of the user '{}' in {} at {}", flags.user, line.data, format_iso8601(life.now));
  if (line.json)
    fmt::print("{}\n", json::serialize(json::object{{"user_id", flags.user},
                                                    {"at", format_iso8601(life.now)},
                                                    {"currency", life.currency},
                                                    {"actions", to_json(weighed, data->rules)}}));
  else
    print_user(weighed, *data, flags.user);
  return {};
}

}  // namespace

void add_lifecycle_actions_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<LifecycleFlags>();
  const auto since = std::make_shared<std::string>();
  CLI::App* command = add_command(
      app, line, "actions", "What the arbiter would do now, for whom, and what that should gain",
      "perennial lifecycle actions --data shop --at 2026-03-01\n"
      "  perennial lifecycle actions --data shop user-42\n"
      "  perennial lifecycle actions --data shop --since 2026-02-01\n\n"
      "Actions and their limits are declared under [actions.NAME] and [arbiter]. Nothing is sent.",
      [&line, flags, since] { return since->empty() ? actions(line, *flags) : preview_actions(line, *flags, *since); });
  CLI::Option* user = command->add_option("user", flags->user, "user id; without one the plan for everybody");
  command
      ->add_option("--since", *since,
                   "preview: what would have been done from this time on, by plans eight hours apart")
      ->excludes(user);
  command->add_option("--limit", flags->limit, "of a preview: how many are named")->capture_default_str();
  add_output_flags(*command, line, *flags, false);
}

}  // namespace perennial
