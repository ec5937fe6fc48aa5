#include "lifecycle/definition.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/text.h"
#include "lifecycle/currencies.h"

namespace perennial {
namespace {

constexpr size_t kMostSignals = 32;
constexpr double kMostCounted = 1e9;
constexpr TimeMs kHourMs = 3'600'000;
constexpr TimeMs kDayMs = 24 * kHourMs;
constexpr double kLongestPeriodMs = 100.0 * 365 * kDayMs;

struct NamedMeasure {
  const char* name;
  Measure measure;
};
constexpr NamedMeasure kMeasures[] = {
    {"days", Measure::days}, {"weeks", Measure::weeks}, {"months", Measure::months}, {"sum", Measure::sum}};

bool is_name_character(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

std::string list_of(const std::vector<Signal>& signals) {
  std::string list;
  for (const Signal& signal : signals) list.append(list.empty() ? "" : ", ").append(signal.name);
  return list.empty() ? "none" : list;
}

std::optional<size_t> find_stage(std::string_view name) {
  for (size_t stage = 0; stage < kStages; ++stage)
    if (name == stage_name(static_cast<Stage>(stage))) return stage;
  return std::nullopt;
}

/// Recursive descent over the text of a rule.
class RuleParser {
 public:
  RuleParser(std::string_view text, const std::vector<Signal>& signals) : text_(text), signals_(signals) {}

  Result<StageRule> parse() {
    StageRule rule;
    rule.text = std::string(trim(text_));
    do {
      std::vector<Condition>& all = rule.alternatives.emplace_back();
      do {
        PERENNIAL_TRY_ASSIGN(const Condition condition, parse_condition());
        all.push_back(condition);
      } while (take_word("and"));
    } while (take_word("or"));
    skip_blanks();
    if (at_ < text_.size()) return unexpected("'and', 'or' or the end");
    return rule;
  }

 private:
  Result<Condition> parse_condition() {
    Condition condition;
    condition.growth = take_word("growth");
    if (condition.growth) PERENNIAL_TRY(expect("("));
    PERENNIAL_TRY(parse_measure(condition));
    if (condition.growth) PERENNIAL_TRY(expect(")"));
    PERENNIAL_TRY(expect(">="));
    PERENNIAL_TRY(parse_number(condition));
    if (take_word(condition.growth ? "over" : "within")) {
      PERENNIAL_TRY_ASSIGN(condition.window_ms, parse_window());
    } else if (condition.growth) {
      return unexpected("'over' and a period, such as over 90d");
    }
    return condition;
  }

  Status parse_measure(Condition& condition) {
    std::string_view word = take_name();
    for (const NamedMeasure& named : kMeasures) {
      if (word != named.name || !take("(")) continue;
      condition.measure = named.measure;
      PERENNIAL_TRY(parse_signal(take_name(), condition));
      return expect(")");
    }
    return parse_signal(word, condition);
  }

  Status parse_signal(std::string_view name, Condition& condition) {
    if (name.empty()) return unexpected("a signal");
    const auto found =
        std::find_if(signals_.begin(), signals_.end(), [&](const Signal& signal) { return signal.name == name; });
    if (found == signals_.end() && find_stage(name))
      return invalid_argument(
          "'{}' at character {} is a stage: a rule counts signals, so that no stage waits for itself", name,
          at_ - name.size() + 1);
    if (found == signals_.end())
      return invalid_argument("'{}' at character {} is no signal: there are {}", name, at_ - name.size() + 1,
                              list_of(signals_));
    condition.signal = static_cast<uint8_t>(found - signals_.begin());
    return {};
  }

  Status parse_number(Condition& condition) {
    skip_blanks();
    const size_t end = std::min(text_.find_first_not_of("0123456789.", at_), text_.size());
    const Result<double> number = perennial::parse_number(text_.substr(at_, end - at_));
    if (!number.ok() || *number <= 0) return unexpected("a number above 0");
    const bool whole = condition.growth || condition.measure == Measure::sum;
    if (!whole && (*number != std::floor(*number) || *number > kMostCounted))
      return unexpected(fmt::format("a whole number up to {:.0f}", kMostCounted));
    condition.at_least = *number;
    at_ = end;
    return {};
  }

  Result<TimeMs> parse_window() {
    skip_blanks();
    const size_t end = std::min(text_.find_first_of(" \t)", at_), text_.size());
    const Result<TimeMs> period = parse_period(text_.substr(at_, end - at_));
    if (!period.ok()) return unexpected("a period such as 36h, 90d, 2w or 1y");
    at_ = end;
    return period;
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }

  bool take(std::string_view mark) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(mark)) return false;
    at_ += mark.size();
    return true;
  }

  bool take_word(std::string_view word) {
    skip_blanks();
    const std::string_view rest = text_.substr(at_);
    if (!rest.starts_with(word)) return false;
    if (rest.size() > word.size() && is_name_character(rest[word.size()])) return false;
    at_ += word.size();
    return true;
  }

  std::string_view take_name() {
    skip_blanks();
    const size_t from = at_;
    while (at_ < text_.size() && is_name_character(text_[at_])) ++at_;
    return text_.substr(from, at_ - from);
  }

  Status expect(std::string_view mark) { return take(mark) ? Status() : unexpected(fmt::format("'{}'", mark)); }

  Status unexpected(std::string_view wanted) {
    skip_blanks();
    const std::string_view rest = text_.substr(at_);
    return invalid_argument("want {} at character {}, got {}", wanted, at_ + 1,
                            rest.empty() ? "the end" : fmt::format("'{:.20}'", rest));
  }

  std::string_view text_;
  const std::vector<Signal>& signals_;
  size_t at_ = 0;
};

struct PresetText {
  const char* name;
  std::vector<Signal> signals;
  const char* activation;
  const char* retention;
  const char* expansion;
  const char* advocacy;
  const char* at_risk_after;
  const char* churned_after;
  const char* won_back_for;
};

const std::vector<std::string> kUpgrades = {"Subscription Upgraded", "Trial Converted", "Subscription Started"};
const std::vector<std::string> kReferrals = {"Invite Accepted", "Referral Completed"};
const std::vector<std::string> kInviterProperties = {"invited_by", "referred_by", "inviter_id", "referrer_id"};

const std::vector<PresetText>& presets() {
  static const std::vector<PresetText> all = {
      {"e-commerce",
       {{"active", {"Product Viewed", "Product Clicked", "Product Added", "Checkout Started", "Order Completed"}},
        {"value", {"Order Completed", "purchase"}},
        {"upgrade", kUpgrades},
        {"referral", kReferrals},
        {"review", {"Product Reviewed"}},
        {"share", {"Product Shared"}}},
       "value >= 1",
       "value >= 2 within 1y",
       "growth(sum(value)) >= 1.5 over 90d and value >= 2 within 90d or upgrade >= 1 within 1y",
       "referral >= 1 within 1y or review >= 3 within 1y or share >= 5 within 180d",
       "60d",
       "120d",
       "60d"},
      {"content",
       {{"active", {"Video Playback Started", "Video Content Started", "Product Viewed", "play", "listen", "view"}},
        {"value", {"Video Playback Completed", "Video Content Completed", "play", "listen"}},
        {"upgrade", kUpgrades},
        {"referral", kReferrals},
        {"share", {"Product Shared", "share"}}},
       "value >= 3 within 7d",
       "weeks(value) >= 3 within 28d",
       "growth(value) >= 1.5 over 28d or upgrade >= 1 within 1y",
       "referral >= 1 within 1y or share >= 5 within 90d",
       "14d",
       "45d",
       "30d"},
      {"social",
       {{"active", {"view", "click", "like", "post", "comment", "share", "follow"}},
        {"value", {"post", "comment", "like", "share", "follow"}},
        {"upgrade", kUpgrades},
        {"referral", kReferrals},
        {"share", {"share"}}},
       "value >= 3 within 7d",
       "days(value) >= 8 within 28d",
       "growth(value) >= 1.5 over 28d or upgrade >= 1 within 1y",
       "referral >= 1 within 1y or share >= 10 within 28d",
       "7d",
       "30d",
       "14d"},
      {"ads",
       {{"active", {"impression", "click", "Promotion Viewed", "Promotion Clicked", "Order Completed"}},
        {"value", {"Order Completed", "Signed Up", "purchase"}},
        {"click", {"click", "Promotion Clicked"}},
        {"upgrade", kUpgrades},
        {"referral", kReferrals}},
       "click >= 2 within 30d or value >= 1",
       "value >= 1 within 90d",
       "value >= 3 within 90d or upgrade >= 1 within 1y",
       "referral >= 1 within 1y",
       "30d",
       "90d",
       "30d"},
      {"saas",
       {{"active", {"Signed In", "Page Viewed", "Screen Viewed", "page", "screen"}},
        {"value", {"Subscription Started", "Subscription Renewed", "Payment Succeeded", "Invoice Paid"}},
        {"upgrade", {"Subscription Upgraded", "Account Added User"}},
        {"referral", kReferrals},
        {"review", {"Product Reviewed"}}},
       "days(active) >= 3 within 14d or value >= 1",
       "weeks(active) >= 4 within 42d and value >= 1",
       "upgrade >= 1 within 180d or growth(sum(value)) >= 1.3 over 90d",
       "referral >= 1 within 1y or review >= 1 within 1y",
       "14d",
       "45d",
       "30d"}};
  return all;
}

void set_signal(Definition& definition, const std::string& name, std::string_view types) {
  Signal signal{name, split_at_commas(types)};
  if (const std::optional<uint8_t> known = definition.find_signal(name))
    definition.signals[*known] = std::move(signal);
  else
    definition.signals.push_back(std::move(signal));
}

/// Whether a user for whom `a` holds is one for whom `b` holds.
bool implies(const Condition& a, const Condition& b) {
  if (a.measure != b.measure || a.signal != b.signal || a.growth != b.growth || a.at_least < b.at_least) return false;
  if (a.window_ms == b.window_ms) return true;
  if (a.growth || a.measure == Measure::sum) return false;  // money may be given back
  return b.window_ms == 0 || (a.window_ms != 0 && a.window_ms < b.window_ms);
}

bool implies(const std::vector<Condition>& a, const std::vector<Condition>& b) {
  return std::all_of(b.begin(), b.end(), [&](const Condition& wanted) {
    return std::any_of(a.begin(), a.end(), [&](const Condition& given) { return implies(given, wanted); });
  });
}

bool implies(const StageRule& a, const StageRule& b) {
  return std::all_of(a.alternatives.begin(), a.alternatives.end(), [&](const std::vector<Condition>& each) {
    return std::any_of(b.alternatives.begin(), b.alternatives.end(),
                       [&](const std::vector<Condition>& wanted) { return implies(each, wanted); });
  });
}

/// A stage is empty when whoever fulfils its rule fulfils that of a higher one.
Status check_no_stage_is_empty(const Definition& definition) {
  for (size_t lower = 1; lower < kStages; ++lower)
    for (size_t higher = lower + 1; higher < kStages; ++higher)
      if (implies(definition.rules[lower], definition.rules[higher]))
        return invalid_argument(
            "lifecycle.stages.{}: nobody would ever be in it, because whoever fulfils '{}' fulfils that of {} as well: "
            "'{}'",
            stage_name(static_cast<Stage>(lower)), definition.rules[lower].text, stage_name(static_cast<Stage>(higher)),
            definition.rules[higher].text);
  return {};
}

}  // namespace

const char* stage_name(Stage stage) {
  constexpr const char* kNames[kStages] = {"acquisition", "activation", "retention", "expansion", "advocacy"};
  return kNames[static_cast<size_t>(stage)];
}

std::optional<uint8_t> Definition::find_signal(std::string_view name) const {
  for (size_t i = 0; i < signals.size(); ++i)
    if (signals[i].name == name) return static_cast<uint8_t>(i);
  return std::nullopt;
}

Result<StageRule> parse_rule(std::string_view text, const std::vector<Signal>& signals) {
  return RuleParser(text, signals).parse();
}

Result<TimeMs> parse_period(std::string_view text) {
  text = trim(text);
  const auto bad = [&] { return invalid_argument("'{:.40}' is no period: want 36h, 90d, 2w or 1y", text); };
  if (text.size() < 2) return bad();
  TimeMs unit = 0;
  switch (text.back()) {
    case 'h':
      unit = kHourMs;
      break;
    case 'd':
      unit = kDayMs;
      break;
    case 'w':
      unit = 7 * kDayMs;
      break;
    case 'y':
      unit = 365 * kDayMs;
      break;
    default:
      return bad();
  }
  const Result<double> number = parse_number(text.substr(0, text.size() - 1));
  const double length = number.ok() ? *number * static_cast<double>(unit) : 0;
  if (length < 1 || length > kLongestPeriodMs) return bad();
  return static_cast<TimeMs>(std::llround(length));
}

Status check(const Definition& definition) {
  if (definition.signals.empty())
    return invalid_argument("lifecycle.signals: there is none: name one and its event types");
  if (definition.signals.size() > kMostSignals)
    return invalid_argument("lifecycle.signals: {} of them, at most {} are allowed", definition.signals.size(),
                            kMostSignals);
  std::set<std::string_view> names;
  for (const Signal& signal : definition.signals) {
    if (signal.name.empty() || !std::all_of(signal.name.begin(), signal.name.end(), is_name_character))
      return invalid_argument("lifecycle.signals.{:.40}: names are of small letters, digits and _", signal.name);
    if (!names.insert(signal.name).second)
      return invalid_argument("lifecycle.signals.{}: it is there twice", signal.name);
    if (signal.event_types.empty())
      return invalid_argument("lifecycle.signals.{}: it has no event types: list some, or leave it out", signal.name);
  }
  for (size_t stage = 1; stage < kStages; ++stage)
    if (definition.rules[stage].alternatives.empty())
      return invalid_argument("lifecycle.stages.{}: it has no rule, so nobody would ever be in it",
                              stage_name(static_cast<Stage>(stage)));
  if (definition.activity >= definition.signals.size())
    return invalid_argument("lifecycle: the signal whose silence counts is not among the {}",
                            definition.signals.size());
  if (definition.at_risk_after_ms <= 0) return invalid_argument("lifecycle.at_risk_after: it must be above 0");
  if (definition.won_back_for_ms <= 0) return invalid_argument("lifecycle.won_back_for: it must be above 0");
  if (definition.churned_after_ms <= definition.at_risk_after_ms)
    return invalid_argument(
        "lifecycle.churned_after: it must be longer than at_risk_after, or nobody would be at risk");
  if (definition.won_back_for_ms > definition.churned_after_ms)
    return invalid_argument(
        "lifecycle.won_back_for: it must not be longer than churned_after, or the two would overlap");
  return {};
}

Result<Definition> make_definition(const DefinitionText& text) {
  Result<Definition> made = preset(text.preset);
  if (!made.ok()) return made.status().with_context("lifecycle.preset");
  Definition definition = std::move(made).value();
  for (const auto& [name, types] : text.signals) set_signal(definition, name, types);
  for (const auto& [name, rule] : text.stages) {
    const std::optional<size_t> stage = find_stage(name);
    if (!stage || *stage == 0)
      return invalid_argument("lifecycle.stages.{}: want activation, retention, expansion or advocacy", name);
    definition.rules[*stage].text = rule;
  }
  for (size_t stage = 1; stage < kStages; ++stage) {  // all: a signal may have another place now
    Result<StageRule> rule = parse_rule(definition.rules[stage].text, definition.signals);
    const std::string key = fmt::format("lifecycle.stages.{}", stage_name(static_cast<Stage>(stage)));
    if (!rule.ok()) return rule.status().with_context(key);
    definition.rules[stage] = std::move(rule).value();
  }
  const auto set_period = [](const char* key, const std::string& period, TimeMs& out) -> Status {
    if (period.empty()) return {};
    const Result<TimeMs> parsed = parse_period(period);
    if (!parsed.ok()) return parsed.status().with_context(key);
    out = *parsed;
    return {};
  };
  PERENNIAL_TRY(set_period("lifecycle.at_risk_after", text.at_risk_after, definition.at_risk_after_ms));
  PERENNIAL_TRY(set_period("lifecycle.churned_after", text.churned_after, definition.churned_after_ms));
  PERENNIAL_TRY(set_period("lifecycle.won_back_for", text.won_back_for, definition.won_back_for_ms));
  if (!text.inviter_properties.empty()) definition.inviter_properties = split_at_commas(text.inviter_properties);
  use_currency(definition, text.currency);
  PERENNIAL_TRY(check(definition));
  PERENNIAL_TRY(check_no_stage_is_empty(definition));
  return definition;
}

Result<Definition> preset(std::string_view name) {
  std::string known;
  for (const PresetText& text : presets()) {
    known.append(known.empty() ? "" : ", ").append(text.name);
    if (name != text.name) continue;
    Definition definition;
    definition.signals = text.signals;
    definition.inviter_properties = kInviterProperties;
    const char* const rules[] = {text.activation, text.retention, text.expansion, text.advocacy};
    for (size_t stage = 1; stage < kStages; ++stage) {
      PERENNIAL_TRY_ASSIGN(definition.rules[stage], parse_rule(rules[stage - 1], definition.signals));
    }
    definition.activity = *definition.find_signal("active");
    PERENNIAL_TRY_ASSIGN(definition.at_risk_after_ms, parse_period(text.at_risk_after));
    PERENNIAL_TRY_ASSIGN(definition.churned_after_ms, parse_period(text.churned_after));
    PERENNIAL_TRY_ASSIGN(definition.won_back_for_ms, parse_period(text.won_back_for));
    PERENNIAL_TRY(check(definition));
    return definition;
  }
  return invalid_argument("'{:.40}' is no preset: there are {}", name, known);
}

}  // namespace perennial
