#include "log/checkpointer.h"

#include <chrono>

namespace perennial {
namespace {

constexpr int kBusyTimeoutMs = 50;  // a truncation holds up the writer while it waits for readers
constexpr std::chrono::milliseconds kRetry{200};
constexpr int kAttemptsAtClose = 10;

}  // namespace

Checkpointer::Checkpointer(Database database, int64_t limit_bytes)
    : database_(std::move(database)), limit_bytes_(limit_bytes) {
  sqlite3_busy_timeout(database_.get(), kBusyTimeoutMs);
  thread_ = std::thread([this] { run(); });
}

Checkpointer::~Checkpointer() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
  for (int attempt = 0; attempt < kAttemptsAtClose; ++attempt) {
    const int code = sqlite3_wal_checkpoint_v2(database_.get(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    if ((code & 0xFF) != SQLITE_BUSY) return;
  }
}

void Checkpointer::wal_is(int64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    wal_bytes_ = bytes;
    if (bytes <= limit_bytes_) return;
  }
  changed_.notify_all();
}

void Checkpointer::request_truncate() {
  {
    const std::lock_guard lock(mutex_);
    truncate_ = true;
  }
  changed_.notify_all();
}

bool Checkpointer::checkpoint(int mode) {
  return sqlite3_wal_checkpoint_v2(database_.get(), "main", mode, nullptr, nullptr) == SQLITE_OK;
}

/// PASSIVE copies what it can and holds up no one, but a busy writer always stays ahead of it. When that lets the WAL
/// grow too far, RESTART holds the writer for the little that is left, and the WAL begins anew.
void Checkpointer::make_room(int64_t wal_bytes) {
  checkpoint(SQLITE_CHECKPOINT_PASSIVE);
  if (wal_bytes > 2 * limit_bytes_) checkpoint(SQLITE_CHECKPOINT_RESTART);
}

void Checkpointer::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stop_ || truncate_ || wal_bytes_ > limit_bytes_; });
    if (stop_) return;
    const bool truncate = std::exchange(truncate_, false);
    const int64_t wal_bytes = std::exchange(wal_bytes_, 0);
    lock.unlock();
    if (!truncate) make_room(wal_bytes);
    const bool failed = truncate && !checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
    lock.lock();
    if (!failed) continue;
    truncate_ = true;
    changed_.wait_for(lock, kRetry, [&] { return stop_; });
  }
}

}  // namespace perennial
