// Reading the log's file: pages of records in short transactions, on a small pool of connections.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "log/event_log.h"
#include "log/names.h"
#include "log/sqlite.h"

namespace perennial {

class SqliteReader final : public LogReader {
 public:
  /// Beside a writer of another process, or none. Names are taken from the file as they are needed.
  static Result<std::unique_ptr<SqliteReader>> open(const fs::path& data_folder);

  /// For the writer's own process: nothing beyond `visible_end` is shown, and the writer keeps `names` up to that.
  SqliteReader(fs::path data_folder, std::string vfs, Names& names, const std::atomic<Offset>& visible_end);
  ~SqliteReader() override;

  Result<Offset> end() override;
  Status replay_pages(Offset after, Offset up_to, const PageVisitor& visit) override;
  Status replay_kinds(std::span<const RecordKind> kinds, Offset after, Offset up_to, const Visitor& visit) override;
  Status replay_user(UserId user, const Visitor& visit) override;
  Result<std::vector<StoredRecord>> newest(RecordKind kind, int64_t limit) override;
  Result<std::vector<ImportProgress>> imports() override;
  const Dictionary& users() override { return names_.users; }
  const Dictionary& items() override { return names_.items; }
  const Dictionary& event_types() override { return names_.event_types; }

 private:
  struct Connection;
  class Lease;

  SqliteReader(fs::path data_folder, std::unique_ptr<Names> names);

  Result<Lease> lease();
  Status refresh_names(Connection& connection);
  [[nodiscard]] Offset visible(Offset up_to) const;
  Result<std::vector<StoredRecord>> read_page_of(RecordKind kind, Offset after, Offset up_to);
  Result<std::vector<StoredRecord>> read_page(Offset after, Offset up_to);
  Result<std::vector<StoredRecord>> take_offsets(std::span<const Offset>& offsets);
  Result<Offset> newest_of_user(UserId user);
  Status walk_chain(UserId user, Offset& at, std::vector<Offset>& offsets);

  const fs::path data_folder_;
  const std::string vfs_;
  std::unique_ptr<Names> own_names_;
  Names& names_;
  const std::atomic<Offset>* visible_end_;  // null: the file's end

  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace perennial
