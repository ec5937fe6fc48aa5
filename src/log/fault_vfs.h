// A disk that fails, for tests only (no program links it): an SQLite VFS over the system's one that keeps unsynced
// writes in memory. At a power cut each file is left with a random part of them, torn between sectors; and writes can
// be made to fail. Covered by fault_vfs_test.cc.
#pragma once

#include <sqlite3.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/random.h"

namespace perennial {

/// Thread rule: any thread. Connections through it must be closed before it goes.
class FaultVfs {
 public:
  explicit FaultVfs(uint64_t seed);
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;
  ~FaultVfs();

  /// For SqliteLogOptions::vfs.
  [[nodiscard]] const std::string& name() const { return name_; }

  /// The power goes at the n-th write, truncation or sync from now; afterwards nothing works any more.
  void cut_power_after(int64_t operations);
  void cut_power_now();

  /// From the n-th write, truncation or sync from now on, `count` of them fail with `code`. A failing write may put
  /// down a part of its bytes.
  void fail_after(int64_t operations, int code, int64_t count);
  [[nodiscard]] int64_t failures() const;

 private:
  struct Write {
    int64_t offset;
    std::string bytes;
    bool truncate;  // to `offset`
  };
  struct File {
    std::string path;
    std::string content;  // as the program sees it
    std::string durable;  // as the disk holds it
    std::vector<Write> unsynced;
    bool journal = false;   // SQLite syncs the folder when it first syncs a new one
    bool in_folder = true;  // the folder that names it is on disk
  };
  struct Handle;
  struct Methods;
  friend struct Methods;

  std::shared_ptr<File> file_at(const std::string& path);
  int before_operation(int failure_code);
  void cut();
  std::string after_cut(const File& file);
  int write(File& file, std::string_view bytes, int64_t offset);
  int truncate(File& file, int64_t size);
  int sync(File& file);
  void sync_folder();
  int remove(const char* path, bool synced);

  const std::string name_;
  sqlite3_vfs* real_;
  sqlite3_vfs vfs_;

  mutable std::mutex mutex_;
  Random random_;
  std::map<std::string, std::shared_ptr<File>> files_;
  std::vector<std::shared_ptr<File>> removed_;  // not yet for good: the folder was not synced
  int64_t cut_in_ = INT64_MAX;
  int64_t fail_in_ = INT64_MAX;
  int64_t fail_count_ = 0;
  int64_t failures_ = 0;
  int fail_code_ = SQLITE_OK;
  bool cut_ = false;
};

}  // namespace perennial
