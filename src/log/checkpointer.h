// Moves the write-ahead log into the database on a thread of its own, so that no append waits for it.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "log/sqlite.h"

namespace perennial {

/// Thread rule: any thread.
class Checkpointer {
 public:
  /// `database` is a writing connection of its own.
  Checkpointer(Database database, int64_t limit_bytes);

  /// Ends the thread after a last truncation, which readers may prevent: the next opening does it then.
  ~Checkpointer();

  /// How large the WAL is; over the limit it is checkpointed soon.
  void wal_is(int64_t bytes);

  /// Empties the WAL, so that nothing erased stays in it; tried again while readers prevent it.
  void request_truncate();

 private:
  void run();
  bool checkpoint(int mode);
  void make_room(int64_t wal_bytes);

  Database database_;
  const int64_t limit_bytes_;

  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t wal_bytes_ = 0;
  bool truncate_ = false;
  bool stop_ = false;

  std::thread thread_;
};

}  // namespace perennial
