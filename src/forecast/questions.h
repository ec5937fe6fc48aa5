// What is forecast about a user: each question with its horizon, whom it is asked of at an instant, and its answer once
// the horizon is over, as pure functions of the definition, the user's facts and the instant.
// Covered by forecast/questions_test.cc.
#pragma once

#include <string>
#include <vector>

#include "events/ids.h"
#include "lifecycle/lives.h"

namespace perennial {

inline constexpr TimeMs kMsOfDay = 86'400'000;

/// Where the same facts answer several questions, these differ by their horizon only.
enum class Outcome : uint8_t {
  activates,  // reaches activation or a higher stage
  returns,    // a fact of the definition's activity
  buys,       // a fact of signal `value`
  spends,     // money of the facts of signal `value`, in major units; negative when refunds exceed it
  churns,     // no fact of the definition's activity
  upgrades,   // a fact of signal `upgrade`
  refers,     // a fact of signal `referral`
};

enum class OutcomeKind : uint8_t { probability, money };

struct Question {
  std::string name;  // "return_7d"
  Outcome outcome = Outcome::returns;
  TimeMs horizon_ms = 0;

  [[nodiscard]] OutcomeKind kind() const {
    return outcome == Outcome::spends ? OutcomeKind::money : OutcomeKind::probability;
  }
  [[nodiscard]] double horizon_days() const { return static_cast<double>(horizon_ms) / static_cast<double>(kMsOfDay); }
};

/// activate_30d, return_7d, return_30d, buy_30d, spend_90d, churn, upgrade_90d, refer_90d, in this order; without those
/// whose signal the definition lacks.
std::vector<Question> questions_of(const Definition& definition);

/// The signal whose facts answer the question; the activity signal for `activates`, which asks the rules.
uint8_t signal_of(const Question& question, const Definition& definition);

/// A user as forecasts see it. Borrows the facts.
struct Subject {
  UserId user = kNoId;
  TimeMs first_seen = kNoTime;
  const UserFacts* facts = nullptr;
};

/// By rising id.
std::vector<Subject> subjects_of(const Lives& lives);

/// Whether the question makes sense of the user at `now`: first seen by then, and
///   activates: in acquisition;  churns: has been active, and not silent for churned_after;  upgrades: never before.
/// Looks at no fact later than `now`.
bool is_asked(const Question& question, const Definition& definition, const Subject& subject, TimeMs now);

/// The answer from the facts in (now, now + horizon]: 0 or 1, or money.
double answer(const Question& question, const Definition& definition, const UserFacts& facts, TimeMs now);

}  // namespace perennial
