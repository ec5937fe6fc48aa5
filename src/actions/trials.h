// What was drawn for users by known chances, as a fold over the log, and the trial of an action that this makes: what
// its effect is learned from. Covered by actions/trials_test.cc.
// Thread rule: many readers or one writer; the owner locks.
#pragma once

#include <deque>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "actions/planner.h"
#include "lifecycle/lives.h"
#include "profiles/profiles.h"

namespace perennial {

/// Of an action, or of kDoNothing.
const char* name_of(uint16_t action, const ActionRules& rules);

/// The record of a decision: `details` holds gain, cost, that it is to be delivered and, of one that was drawn, the
/// chances of all arms by name. `planned` is the plan's time, `at` the decision's. The same decision of a plan gives
/// the same message id, so that it is logged once.
Record action_record(const Decision& decision, const ActionRules& rules, const std::string& user, TimeMs planned,
                     TimeMs at);

/// Features of users beside those of a goal.
struct MoreFeatures {
  size_t count = 0;
  std::function<void(UserId user, TimeMs time, std::vector<double>& features)> add;  // appends so many
};

/// The rules' effect_traits, as they are now, whatever the time.
MoreFeatures trait_features(const ActionRules& rules, const Profiles& profiles);

class Trials {
 public:
  /// Draws older than this before the newest are forgotten.
  explicit Trials(TimeMs keep_ms = 365 * kMsOfDay) : keep_ms_(keep_ms) {}

  /// Applies the next record of the log; all but actions that were drawn, merges and erasures change nothing.
  void apply(const StoredRecord& record) { apply(record, action_details(record)); }
  void apply(const StoredRecord& record, const ActionDetails& details);

  /// Of draws whose goal's time is over at `now`, in which the action or nothing could come up: arm 1 is the action,
  /// arm 2 any other. Features are as they were at the draw, those of the goal and `more`. Looks at lives and at this
  /// within `still` only, a millisecond at a time.
  [[nodiscard]] Trial of(const ActionSpec& action, const Lives& lives, TimeMs now, const WhileStill& still = at_once,
                         const MoreFeatures& more = {}) const;

  [[nodiscard]] size_t size() const { return draws_.size(); }

 private:
  struct Draw {
    UserId user = kNoId;
    TimeMs time = 0;
    uint32_t drawn = 0;                               // name
    std::vector<std::pair<uint32_t, float>> chances;  // by name
  };
  struct Row {  // of an action's trial
    UserId user = kNoId;
    TimeMs time = 0;
    uint16_t arm = 0;
    double of_nothing = 0;  // chances
    double of_action = 0;
  };
  uint32_t add_name(std::string_view name);
  [[nodiscard]] std::vector<Row> rows_of(const ActionSpec& action, TimeMs now) const;

  TimeMs keep_ms_;
  std::deque<Draw> draws_;  // in the log's order
  Identities identities_;
  std::unordered_map<std::string, uint32_t> names_;
};

/// Effects of all actions of the rules: learned from the trials where there are any, else as expected. The goals' rate
/// among those who were there before counts as the outcome without an action until it is known better. `still` and
/// `more` as in Trials::of. cancelled when it is stopped, which is looked at between actions.
Result<Effects> learn_action_effects(const ActionRules& rules, const Trials& trials, const Lives& lives, TimeMs now,
                                     const WhileStill& still = at_once, const MoreFeatures& more = {},
                                     const std::stop_token& stopped = {});

}  // namespace perennial
