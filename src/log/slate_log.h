// The slates that were served, beside the log of events: they are many, short-lived and never replayed, so they have
// files and a retention of their own. One file a UTC day, packs of slates one after the other: docs/formats/slates.md.
// What is in memory when the machine dies is lost: usually a second or two of slates, and no event.
// Covered by log/slate_log_test.cc.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "events/slate.h"
#include "log/recent_slates.h"

namespace perennial {

/// A slate whose texts and items are somebody else's.
struct SlateRef {
  MessageId id;
  TimeMs time = 0;
  MessageId after{};
  std::string_view user, surface, model, policy, stage, context;
  std::span<const SlateItem> items;
};

inline SlateRef ref_of(const Slate& slate) {
  return {slate.id,    slate.time,   slate.after, slate.user,    slate.surface,
          slate.model, slate.policy, slate.stage, slate.context, slate.items};
}

struct SlateLogOptions {
  int64_t keep_days = 90;             // a day's file goes when its last moment is so long ago
  size_t recent = 20'000;             // kept in memory, at most 1 KB each on average
  size_t waiting_bytes = 64 << 20;    // for the disk; more are dropped
  double write_after_seconds = 0.2;   // gathered for so long
  double expire_every_seconds = 600;  // looks for files that are too old
};

/// Reads the slates served in [from, to), in no strict order, at most `to` - `from` + a day of files; the visitor's
/// first failure ends it. Packs that are damaged are left out: how many is returned. Beside a running server too.
Result<int64_t> read_slates(const fs::path& data_folder, TimeMs from, TimeMs to,
                            const std::function<Status(const Slate&)>& visit);

/// Slates as the files have them: one after the other, each behind its length.
struct EncodedSlates {
  std::string bytes;
  size_t count = 0;
};

/// Thread rule: any thread. One a data directory: the owner holds the log's lock.
class SlateLog {
 public:
  /// Told of what was written, or could not be, from another thread.
  using Written = std::function<void(size_t slates, const Status& status)>;
  using Done = std::function<void(const Result<int64_t>& slates)>;

  static Result<std::unique_ptr<SlateLog>> open(const fs::path& data_folder, const SlateLogOptions& options,
                                                const Clock& clock, Written written);

  /// Writes what waits.
  ~SlateLog();

  /// Remembers the slate and queues it for the disk. Never waits for that.
  void add(const SlateRef& slate);

  /// One of the newest, from memory.
  [[nodiscard]] std::optional<Slate> recent(const MessageId& id) const;

  /// Any that is kept; not_found else. Reads the disk.
  [[nodiscard]] Result<Slate> find(const MessageId& id) const;

  /// Forgets the slates served to these external ids since `since`: those in memory at once, those on the disk before
  /// `done` is called, from another thread, with their number.
  void erase(std::vector<std::string> users, TimeMs since, Done done);

 private:
  struct Pack {  // of one day
    int64_t day = 0;
    TimeMs first = 0, last = 0;
    EncodedSlates slates;
  };
  struct Erasure {
    std::vector<std::string> users;
    TimeMs since;
    Done done;
    int64_t slates;  // forgotten already
  };

  SlateLog(fs::path folder, const SlateLogOptions& options, const Clock& clock, Written written);

  Status remember_newest();
  void run();
  void write_waiting();
  Status append(const Pack& pack);
  void sync(bool now);
  Result<int64_t> erase_on_disk(const Erasure& erasure);
  void expire();

  const fs::path folder_;
  const SlateLogOptions options_;
  const Clock& clock_;
  const Written written_;

  std::vector<int64_t> whole_days_;  // whose files are known to end with a whole pack; these three: thread_'s
  std::set<fs::path> unsynced_;
  double synced_at_ = 0;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  RecentSlates recent_;
  std::vector<Pack> waiting_;
  size_t waiting_bytes_ = 0;
  size_t lost_ = 0;  // for which there was no room
  std::vector<Erasure> erasures_;
  bool stop_ = false;

  std::thread thread_;
};

}  // namespace perennial
