// What the stages of a user's life mean: which events count as which signal, and which counts make a stage. Declared in
// the configuration, checked here. Decision: docs/decisions/0003-a-stage-is-a-function-of-facts-and-time.md.
// Covered by lifecycle/definition_test.cc.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace perennial {

/// In rising order. Everybody who is known is at least in acquisition.
enum class Stage : uint8_t { acquisition, activation, retention, expansion, advocacy };
inline constexpr size_t kStages = 5;
const char* stage_name(Stage stage);

/// Some event types that mean the same, such as value = Order Completed. At most 32 in a definition.
struct Signal {
  std::string name;  // small letters, digits and _
  std::vector<std::string> event_types;
};

enum class Measure : uint8_t { count, days, weeks, months, sum };  // events, distinct UTC periods with one, money

/// `measure(signal) >= at_least` over the last `window_ms` (0: ever); with `growth`, that divided by its mean over the
/// three windows before.
struct Condition {
  Measure measure = Measure::count;
  uint8_t signal = 0;  // index in Definition::signals
  bool growth = false;
  double at_least = 1;  // of sum: major units of money
  TimeMs window_ms = 0;
};

/// Holds when all conditions of one of the alternatives hold.
struct StageRule {
  std::vector<std::vector<Condition>> alternatives;
  std::string text;  // as it was written, for people
};

struct Definition {
  std::vector<Signal> signals;
  std::array<StageRule, kStages> rules;         // that of acquisition is empty
  uint8_t activity = 0;                         // the signal whose silence counts
  TimeMs at_risk_after_ms = 0;                  // of silence
  TimeMs churned_after_ms = 0;                  // of silence; more than at_risk_after_ms
  TimeMs won_back_for_ms = 0;                   // after the return of a churned user; at most churned_after_ms
  int64_t minor_units = 100;                    // of one major unit of the shop's currency
  std::vector<std::string> inviter_properties;  // of an invited user's event: who invited; credited as `referral`

  [[nodiscard]] std::optional<uint8_t> find_signal(std::string_view name) const;
};

/// `text` is like "value >= 2 within 90d and weeks(active) >= 3 within 60d or sum(value) >= 200". `and` binds closer
/// than `or`. Durations are a number and h, d, w or y (365 days). invalid_argument, with the place, for what is not of
/// this form, and for a signal that `signals` does not have.
Result<StageRule> parse_rule(std::string_view text, const std::vector<Signal>& signals);

/// "36h", "90d", "2w", "1y" as milliseconds, more than 0.
Result<TimeMs> parse_period(std::string_view text);

/// invalid_argument, with the way out, when names are taken twice, a signal has no event types, a stage has no rule, or
/// the silences do not rise.
Status check(const Definition& definition);

/// A definition as the configuration says it: a preset and what differs from it.
struct DefinitionText {
  std::string preset = "e-commerce";
  std::map<std::string, std::string> signals;  // event types, separated by commas, of a new or of the preset's signal
  std::map<std::string, std::string> stages;   // rule by stage name
  std::string at_risk_after;                   // a period, or empty: as the preset says
  std::string churned_after;
  std::string won_back_for;
  std::string inviter_properties;  // separated by commas, or empty: as the preset says
  std::string currency = "USD";    // of the sums in rules
};

/// Checked: check() and that no stage is empty because a higher one takes all its users. invalid_argument starts with
/// the key, then tells the place in it and the way out.
Result<Definition> make_definition(const DefinitionText& text);

/// e-commerce, content, social, ads or saas: works on Segment's event names as they are. invalid_argument, listing
/// them, for another name.
Result<Definition> preset(std::string_view name);

}  // namespace perennial
