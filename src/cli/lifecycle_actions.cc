// perennial lifecycle actions: what the arbiter would do now, for everybody or for one user. Nothing is sent.
#include "actions/advice.h"
#include "actions/configured.h"
#include "actions/preview.h"
#include "actions/trials.h"
#include "actions/users.h"
#include "base/cores.h"
#include "base/text.h"
#include "cli/fold_state.h"
#include "cli/lifecycle_data.h"
#include "cli/open_recommender.h"
#include "forecast/forecasts_file.h"
#include "server/arbiter.h"
#include "server/list_rules_file.h"

namespace perennial {
namespace {

constexpr TimeMs kPreviewEvery = kMsOfDay / 3;  // so that one is not in the quiet hours

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

/// `contacts_until`: those of later are not looked at; kNoTime: the instant asked about. failed_precondition when an
/// action asks for forecasts and there are none, or none is declared.
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
  auto data = std::make_unique<ActionData>(ActionData{
      std::move(life), std::move(settings), std::move(rules), std::move(state), Contacts(window), Trials(), {}, {}});
  const Offset end = data->life.lives.applied();
  PERENNIAL_TRY(data->life.log->replay_kinds(kActionRecords, 0, end, [&](const StoredRecord& record) -> Status {
    const ActionDetails details = action_details(record);
    if (record.time == kNoTime || record.time <= (contacts_until == kNoTime ? now : contacts_until))
      data->contacts.apply(record, details);
    if (record.time == kNoTime || record.time <= now) data->trials.apply(record, details);
    return {};
  }));
  if (asks_forecasts(data->rules)) {
    Result<Forecasts> forecasts = load_forecasts(line.data, data->life.lives.definition());
    if (!forecasts.ok())
      return forecasts.status().with_context(
          "an action asks for forecasts, and there are none yet: 'perennial lifecycle forecast --fit' makes them");
    data->forecasts = *std::move(forecasts);
  }
  PERENNIAL_TRY_ASSIGN(data->effects, learn_action_effects(data->rules, data->trials, data->life.lives, now, at_once,
                                                           trait_features(data->rules, data->state.profiles())));
  return data;
}

std::string money(double value) { return fmt::format("{:.2f}", value); }

std::string interval(const Interval95& of) {
  return fmt::format("{} [{}, {}]", money(of.value), money(of.low), money(of.high));
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
               with_commas(drawn[a]), money(gain[a]), mean_effect_text(data.effects[a]));
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
  for (const Decision& decision : plan.decisions) {
    json::object chances;
    for (const auto& [action, chance] : decision.chances) chances[name_of(action, data.rules)] = chance;
    decisions.push_back({{"user_id", data.life.log->users().name(decision.user)},
                         {"action", name_of(decision.action, data.rules)},
                         {"gain", decision.gain},
                         {"cost", decision.cost},
                         {"drawn", !decision.chances.empty()},
                         {"propensity", decision.chance},
                         {"chances", std::move(chances)}});
  }
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

/// What to do next for one user, and the items of the slates among it.
struct UserAdvice {
  std::vector<Weighed> weighed;
  std::vector<Recommendation> slates;  // of each; empty for what is no slate, or may not be shown
  std::vector<NextStep> steps;

  [[nodiscard]] const RecommendedItem* item_of(const NextStep& step) const {
    return step.item ? &slates[step.action].items[*step.item] : nullptr;
  }
};

/// Without `shows_items` slates stand there as actions: what they would have shown at a time gone by is not known.
Result<UserAdvice> advise(const CommandLine& line, const ActionData& data, const ActionUsers& users,
                          const Planner& planner, const ActionPlan& plan, const std::string& user_id,
                          bool shows_items) {
  UserAdvice advice;
  std::vector<double> prices;
  for (const BudgetState& budget : plan.budgets) prices.push_back(budget.price);
  const std::optional<UserId> id = data.life.log->users().find(user_id);
  Stage stage{};
  const auto look = [&](const PlannedUser& user) {
    advice.weighed = planner.weigh(user, prices);
    stage = user.view.standing.stage;
  };
  if (!id || !users.one(*id, look))
    return not_found("nothing is known of the user '{}' in {} at {}", user_id, line.data,
                     format_iso8601(data.life.now));
  const auto is_shown = [&](const Weighed& one) {
    return shows_items && one.suppression == Suppression::none && data.rules.actions[one.action].items > 0;
  };
  std::unique_ptr<Recommender> recommender;
  ListRulesFile list_rules(line.data);
  if (std::ranges::any_of(advice.weighed, is_shown)) {
    PERENNIAL_TRY_ASSIGN(recommender, open_recommender(line.data, *data.life.log, data.state,
                                                       static_cast<size_t>(data.settings.history_limit)));
    if (const std::optional<Status> read = list_rules.poll()) PERENNIAL_TRY(*read);
  }
  std::vector<std::optional<size_t>> sizes;
  for (const Weighed& one : advice.weighed) {
    Recommendation& slate = advice.slates.emplace_back();
    sizes.emplace_back();
    if (!is_shown(one)) continue;
    RecommendRequest request = slate_request(data.rules.actions[one.action], user_id);
    list_rules.apply(request.surface, stage, request.controls);
    slate = recommender->recommend(data.state, id, request, data.life.now);
    sizes.back() = slate.items.size();
  }
  advice.steps = next_steps(advice.weighed, sizes);
  return advice;
}

std::string reason_of(const Weighed& one, const ActionData& data) {
  return effect_reason(one, data.rules.actions[one.action], data.effects[one.action], data.life.lives.definition());
}

void print_user(const UserAdvice& advice, const ActionData& data, const std::string& user) {
  fmt::print("{} at {}: what to do next, the best first. Gain in {}, [95 %].\n\n", printable(user),
             format_iso8601(data.life.now), data.life.currency);
  const char* const row = "{:32.32} {:10} {:24} {:>10}  {}\n";
  fmt::print(fmt::runtime(row), "action or item", "channel", "expected gain", "at prices", "");
  for (const NextStep& step : advice.steps) {
    const Weighed& one = advice.weighed[step.action];
    const ActionSpec& action = data.rules.actions[one.action];
    if (const RecommendedItem* item = advice.item_of(step)) {
      const Item* known = data.state.catalogue().find(item->item);
      const std::string title = known != nullptr && !known->title().empty() ? known->title() : item->item_id;
      fmt::print(fmt::runtime(row), action.name + ": " + printable(title), action.channel, interval(step.gain), "",
                 item->reasons.empty() ? "" : item->reasons.front().text);
    } else {
      fmt::print(fmt::runtime(row), action.name, action.channel, interval(step.gain), money(one.priced),
                 reason_of(one, data));
    }
  }
  if (advice.steps.empty()) fmt::print("nothing\n");
  fmt::print("\nNot now\n");
  for (const Weighed& one : advice.weighed)
    if (one.suppression != Suppression::none) {
      const ActionSpec& action = data.rules.actions[one.action];
      fmt::print(fmt::runtime(row), action.name, action.channel, interval(one.gain), money(one.priced),
                 reason_text(one));
    }
  fmt::print(
      "\nat prices: less what it takes from budgets that others could use, at what one unit of these would bring.\n");
}

json::object to_json(const UserAdvice& advice, const ActionData& data) {
  json::array ranked, actions;
  for (const NextStep& step : advice.steps) {
    const Weighed& one = advice.weighed[step.action];
    json::object told = {{"type", step.item ? "item" : "action"},
                         {"action", data.rules.actions[one.action].name},
                         {"channel", data.rules.actions[one.action].channel},
                         {"gain", step.gain.value},
                         {"gain_low", step.gain.low},
                         {"gain_high", step.gain.high}};
    const RecommendedItem* item = advice.item_of(step);
    if (item != nullptr) told["item"] = json::object{{"item_id", item->item_id}};
    told["reason"] = item == nullptr ? reason_of(one, data) : item->reasons.empty() ? "" : item->reasons.front().text;
    ranked.push_back(std::move(told));
  }
  for (const Weighed& one : advice.weighed)
    actions.push_back(
        {{"action", data.rules.actions[one.action].name},
         {"channel", data.rules.actions[one.action].channel},
         {"gain", one.gain.value},
         {"gain_low", one.gain.low},
         {"gain_high", one.gain.high},
         {"gain_after_prices", one.priced},
         {"cost", one.cost},
         {"reason", reason_of(one, data)},
         {"suppressed_by", one.suppression == Suppression::none ? json::value(nullptr)
                                                                : json::value(suppression_name(one.suppression))}});
  return {{"ranked", std::move(ranked)}, {"actions", std::move(actions)}};
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
  PERENNIAL_TRY_ASSIGN(const Preview made,
                       preview(data->rules, data->effects, data->life.lives, data->state.profiles(),
                               data->forecasts ? &*data->forecasts : nullptr, data->life.log->users(), data->contacts,
                               since, data->life.now, kPreviewEvery, usable_cores()));
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
  PERENNIAL_TRY_ASSIGN(
      const ActionPlan plan,
      planner.plan([&](const auto& visit) { users.each(0, life.lives.end(), visit); }, usable_cores()));
  if (flags.user.empty()) {
    if (line.json)
      fmt::print("{}\n", json::serialize(to_json(plan, *data)));
    else
      print_plan(plan, *data);
    return {};
  }
  PERENNIAL_TRY_ASSIGN(const UserAdvice advice,
                       advise(line, *data, users, planner, plan, flags.user, flags.at.empty()));
  if (!line.json) {
    print_user(advice, *data, flags.user);
    return {};
  }
  json::object told = to_json(advice, *data);
  told["user_id"] = flags.user;
  told["at"] = format_iso8601(life.now);
  told["currency"] = life.currency;
  fmt::print("{}\n", json::serialize(told));
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
