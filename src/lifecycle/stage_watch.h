// Where every user stands now, kept up to date by events and by time alone, with counts for gauges. A wheel of days and
// minutes holds a timer for each user: nobody is looked at before something can have changed. Covered by
// lifecycle/stage_watch_test.cc. Thread rule: many readers or one writer; the owner locks.
#pragma once

#include <array>
#include <map>
#include <vector>

#include "base/fetch.h"
#include "lifecycle/stage_counts.h"

namespace perennial {

/// How often users went from one stage to another.
using StageMoves = std::array<std::array<int64_t, kStages>, kStages>;

class StageWatch {
 public:
  /// Looks at everybody, and counts no moves for that. `lives` is borrowed.
  StageWatch(const Lives& lives, TimeMs now);

  /// The users' facts have changed: looks at them again, as of `now`.
  void touched(std::span<const UserId> users, TimeMs now);

  /// Brings near what touched() needs for the users of records soon after `at`, as Lives::look_ahead() does.
  [[gnu::always_inline]] void look_ahead(size_t at, std::span<const StoredRecord> records) const {
    if (at + kAhead < records.size()) fetch(records[at + kAhead].user);
  }

  /// Looks at those whom time may have moved, at most at about `most`; true when there are more. A change is seen
  /// within a minute after its instant.
  bool advance(TimeMs now, size_t most = std::numeric_limits<size_t>::max());

  /// Of the users known, whatever the time they were first seen.
  [[nodiscard]] const StageCounts& counts() const { return counts_; }
  [[nodiscard]] const StageMoves& moves() const { return moves_; }

 private:
  struct Watched {
    uint32_t change_minute = kNever;  // when time alone may change its standing
    uint32_t due_minute = kNever;     // its place in the wheel, not later than that; others there are stale
    Standing standing;
    bool known = false;
  };
  static constexpr uint32_t kDayMinutes = 24 * 60;
  static constexpr uint32_t kNever = 0xFFFF'FFFF;
  static constexpr size_t kAhead = 12;  // users

  [[gnu::always_inline]] void fetch(UserId user) const {
    if (user < watched_.size()) perennial::fetch(&watched_[user], sizeof(Watched));
  }
  void look_at(UserId user, TimeMs now);
  void schedule(UserId user, Watched& watched);
  void put_on_wheel(UserId user, uint32_t minute);
  void enter_minute(uint32_t minute);
  void ring(UserId user, uint32_t minute, TimeMs now);

  const Lives& lives_;
  std::vector<Watched> watched_;                          // by user id
  uint32_t minute_;                                       // since 1970: all before it is done
  std::array<std::vector<UserId>, kDayMinutes> minutes_;  // of the day of minute_
  std::map<uint32_t, std::vector<UserId>> days_;          // later ones, by day since 1970
  StageCounts counts_;
  StageMoves moves_{};
};

}  // namespace perennial
