// The histories of all users as the model reads them, folded from the log by the same code that serves, and cut so that
// nothing looks into the future: by log offset and by event time. Used by training and by evaluation.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <vector>

#include "events/roles.h"
#include "log/event_log.h"
#include "model/scorer.h"

namespace perennial {

/// A trait as a read-time feature, "trait:plan=pro", and when it was said: earlier events do not know it.
struct TraitFeature {
  std::string name;
  TimeMs time = kNoTime;
};

/// Whether an event at `time` could know a trait that was `said` then; of times not known it is taken that it could.
inline bool was_known(TimeMs said, TimeMs time) { return said == kNoTime || time == kNoTime || said <= time; }

struct UserHistory {
  UserId user = kNoId;
  std::vector<Token> tokens;         // whole, in (time, offset) order
  std::vector<TraitFeature> traits;  // by name; strings, booleans and whole numbers only
  std::vector<uint16_t> devices;     // of each token, an index in kDeviceClasses
};

struct Dataset {
  std::vector<UserHistory> users;        // those with at least one token, by user id
  int32_t items = 0;                     // item ids are the log's: [0, items)
  std::vector<std::string> item_names;   // empty for ids that the log has erased
  std::vector<std::string> event_types;  // of tokens; Token::type indexes it
  std::vector<bool> is_target;           // of each of them
  std::string roles_digest;              // of the event roles that the histories were folded with
  Offset log_offset = 0;                 // the log up to here was read
  TimeMs before_ms = 0;                  // > 0: only events before this time were read
  int64_t newest_time_ms = 0;            // of all tokens; 0 when none has a time
  int64_t events = 0;                    // tokens of all users
};

/// How many of the tokens, which rise in time, have time <= at.
size_t tokens_until(std::span<const Token> tokens, TimeMs at);

/// Reads the log up to offset `up_to`; with `before_ms` > 0 only records before that time. failed_precondition, saying
/// what to do, when that leaves no token. Of the items that the log names the first `most_items`: those that it named
/// when `up_to` was its end. Memory: 56 bytes a token.
Result<Dataset> load_dataset(LogReader& log, const EventRoles& roles, Offset up_to, TimeMs before_ms = 0,
                             int32_t most_items = std::numeric_limits<int32_t>::max());

}  // namespace perennial
