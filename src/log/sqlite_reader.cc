#include "log/sqlite_reader.h"

#include <algorithm>
#include <future>

#include "base/check.h"
#include "log/log_schema.h"
#include "log/record_codec.h"

namespace perennial {
namespace {

constexpr int64_t kPageRecords = 20'000;  // about 10 ms of reading: a checkpoint waits no longer for a replay
constexpr size_t kPageBytes = 32 << 20;
constexpr std::string_view kReadable = "kind IS NOT NULL AND kind <> 6";  // neither erased nor a slate of earlier logs

/// Adds the rows, at least one if there is any, until their JSON comes to `limit_bytes`.
Status collect(Statement& rows, std::vector<StoredRecord>& records, size_t limit_bytes = SIZE_MAX) {
  for (size_t bytes = 0; bytes < limit_bytes;) {
    PERENNIAL_TRY_ASSIGN(const bool more, rows.step());
    if (!more) return {};
    PERENNIAL_TRY(read_record(rows, records.emplace_back()));
    bytes += json_bytes(records.back().payload);
  }
  return {};
}

}  // namespace

struct SqliteReader::Connection {
  Database database;
  Statement page;
  Statement one;
  Statement chain_end;
  Statement link;

  static Result<std::unique_ptr<Connection>> open(const fs::path& data_folder, const std::string& vfs) {
    PERENNIAL_TRY_ASSIGN(Database database, open_for_reading(data_folder, vfs));
    PERENNIAL_TRY_ASSIGN(
        Statement page, database.prepare(fmt::format("SELECT {} FROM records WHERE offset > ?1 AND offset <= ?2 AND {} "
                                                     "ORDER BY offset LIMIT ?3",
                                                     kRecordColumns, kReadable)));
    PERENNIAL_TRY_ASSIGN(Statement one, database.prepare(fmt::format("SELECT {} FROM records WHERE offset = ?1 AND {}",
                                                                     kRecordColumns, kReadable)));
    PERENNIAL_TRY_ASSIGN(Statement chain_end, database.prepare("SELECT last FROM chains WHERE user = ?1"));
    PERENNIAL_TRY_ASSIGN(Statement link, database.prepare("SELECT user, previous FROM records WHERE offset = ?1"));
    return std::make_unique<Connection>(
        Connection{std::move(database), std::move(page), std::move(one), std::move(chain_end), std::move(link)});
  }
};

/// A connection for one thread, given back at the end of the scope.
class SqliteReader::Lease {
 public:
  Lease(SqliteReader& owner, std::unique_ptr<Connection> connection)
      : owner_(&owner), connection_(std::move(connection)) {}
  Lease(Lease&&) = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease() {
    if (connection_ == nullptr) return;
    const std::lock_guard lock(owner_->mutex_);
    owner_->idle_.push_back(std::move(connection_));
  }

  Connection& operator*() const { return *connection_; }
  Connection* operator->() const { return connection_.get(); }

 private:
  SqliteReader* owner_;
  std::unique_ptr<Connection> connection_;
};

SqliteReader::SqliteReader(fs::path data_folder, std::string vfs, Names& names, const std::atomic<Offset>& visible_end)
    : data_folder_(std::move(data_folder)), vfs_(std::move(vfs)), names_(names), visible_end_(&visible_end) {}

SqliteReader::SqliteReader(fs::path data_folder, std::unique_ptr<Names> names)
    : data_folder_(std::move(data_folder)), own_names_(std::move(names)), names_(*own_names_), visible_end_(nullptr) {}

SqliteReader::~SqliteReader() = default;

Result<std::unique_ptr<SqliteReader>> SqliteReader::open(const fs::path& data_folder) {
  std::unique_ptr<SqliteReader> reader(new SqliteReader(data_folder, std::make_unique<Names>()));
  PERENNIAL_TRY(reader->end().status());
  return reader;
}

Result<SqliteReader::Lease> SqliteReader::lease() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Connection> connection = std::move(idle_.back());
      idle_.pop_back();
      return Lease(*this, std::move(connection));
    }
  }
  PERENNIAL_TRY_ASSIGN(std::unique_ptr<Connection> connection, Connection::open(data_folder_, vfs_));
  return Lease(*this, std::move(connection));
}

Status SqliteReader::refresh_names(Connection& connection) {
  return visible_end_ == nullptr ? names_.refresh(connection.database) : Status();
}

Offset SqliteReader::visible(Offset up_to) const {
  return visible_end_ == nullptr ? up_to : std::min(up_to, visible_end_->load());
}

Result<Offset> SqliteReader::end() {
  if (visible_end_ != nullptr) return visible_end_->load();
  PERENNIAL_TRY_ASSIGN(const Lease connection, lease());
  PERENNIAL_TRY_ASSIGN(Transaction transaction, Transaction::begin(connection->database, Transaction::Kind::read));
  PERENNIAL_TRY(refresh_names(*connection));
  return connection->database.query_integer("SELECT max(offset) FROM records");
}

Result<std::vector<StoredRecord>> SqliteReader::read_page(Offset after, Offset up_to) {
  PERENNIAL_TRY_ASSIGN(const Lease connection, lease());
  PERENNIAL_TRY_ASSIGN(Transaction transaction, Transaction::begin(connection->database, Transaction::Kind::read));
  PERENNIAL_TRY(refresh_names(*connection));
  connection->page.bind(1, after);
  connection->page.bind(2, visible(up_to));
  connection->page.bind(3, kPageRecords);
  std::vector<StoredRecord> records;
  records.reserve(static_cast<size_t>(std::min(kPageRecords, up_to - after)));
  const Status status = collect(connection->page, records, kPageBytes);
  connection->page.reset();
  if (!status.ok()) return status;
  return records;
}

Status SqliteReader::replay_pages(Offset after, Offset up_to, const PageVisitor& visit) {
  PERENNIAL_TRY_ASSIGN(const Offset last, end());
  up_to = std::min(up_to, last);  // beside a writer it would never end
  if (after >= up_to) return {};
  Result<std::vector<StoredRecord>> page = read_page(after, up_to);
  while (page.ok() && !page->empty()) {
    const std::vector<StoredRecord> records = std::move(page).value();
    after = records.back().offset;
    std::future<Result<std::vector<StoredRecord>>> next;  // read while these are visited
    if (after < up_to) next = std::async(std::launch::async, [&] { return read_page(after, up_to); });
    PERENNIAL_TRY(visit(records));
    if (!next.valid()) return {};
    page = next.get();
  }
  return page.status();
}

Result<Offset> SqliteReader::newest_of_user(UserId user) {
  PERENNIAL_TRY_ASSIGN(const Lease connection, lease());
  connection->chain_end.bind(1, static_cast<int64_t>(user));
  PERENNIAL_TRY_ASSIGN(const bool found, connection->chain_end.step());
  const Offset last = found && !connection->chain_end.is_null(0) ? connection->chain_end.integer(0) : 0;
  connection->chain_end.reset();
  return last;
}

/// Adds up to one page of the user's offsets, newest first, from `at` on; `at` is 0 at the chain's start.
Status SqliteReader::walk_chain(UserId user, Offset& at, std::vector<Offset>& offsets) {
  PERENNIAL_TRY_ASSIGN(const Lease connection, lease());
  PERENNIAL_TRY_ASSIGN(Transaction transaction, Transaction::begin(connection->database, Transaction::Kind::read));
  Statement& link = connection->link;
  const Offset end = visible(std::numeric_limits<Offset>::max());
  for (int64_t i = 0; i < kPageRecords && at != 0; ++i) {
    link.bind(1, at);
    PERENNIAL_TRY_ASSIGN(const bool found, link.step());
    const bool erased = !found || link.is_null(0);  // since the last page
    const bool ours = !erased && link.integer(0) == static_cast<int64_t>(user);
    const Offset previous = ours && !link.is_null(1) ? link.integer(1) : 0;
    if (found) link.reset();
    if ((!erased && !ours) || previous >= at)
      return data_loss("record {} is not in the chain of user {} that leads to it: restore a backup", at, user);
    if (ours && at <= end) offsets.push_back(at);
    at = previous;
  }
  return {};
}

/// The records at the front of `offsets`, which it moves on; those erased since are left out.
Result<std::vector<StoredRecord>> SqliteReader::take_offsets(std::span<const Offset>& offsets) {
  PERENNIAL_TRY_ASSIGN(const Lease connection, lease());
  PERENNIAL_TRY_ASSIGN(Transaction transaction, Transaction::begin(connection->database, Transaction::Kind::read));
  PERENNIAL_TRY(refresh_names(*connection));
  std::vector<StoredRecord> records;
  size_t bytes = 0;
  for (int64_t i = 0; i < kPageRecords && !offsets.empty() && bytes < kPageBytes; ++i) {
    connection->one.bind(1, offsets.front());
    const size_t before = records.size();
    const Status status = collect(connection->one, records);
    connection->one.reset();
    if (!status.ok()) return status;
    if (records.size() > before) bytes += json_bytes(records.back().payload);
    offsets = offsets.subspan(1);
  }
  return records;
}

Result<std::vector<StoredRecord>> SqliteReader::read_page_of(RecordKind kind, Offset after, Offset up_to) {
  PERENNIAL_TRY_ASSIGN(const Lease connection, lease());
  PERENNIAL_TRY_ASSIGN(Transaction transaction, Transaction::begin(connection->database, Transaction::Kind::read));
  PERENNIAL_TRY(refresh_names(*connection));
  PERENNIAL_TRY_ASSIGN(Statement rows, connection->database.prepare(
                                           fmt::format("SELECT {} FROM records WHERE kind = ?1 AND kind > 1 "
                                                       "AND offset > ?2 AND offset <= ?3 ORDER BY offset LIMIT ?4",
                                                       kRecordColumns)));
  rows.bind(1, static_cast<int64_t>(kind));
  rows.bind(2, after);
  rows.bind(3, visible(up_to));
  rows.bind(4, kPageRecords);
  std::vector<StoredRecord> records;
  PERENNIAL_TRY(collect(rows, records, kPageBytes));
  return records;
}

/// A page of each kind at a time, merged by offset.
Status SqliteReader::replay_kinds(std::span<const RecordKind> kinds, Offset after, Offset up_to, const Visitor& visit) {
  struct Stream {
    RecordKind kind;
    std::vector<StoredRecord> page;
    size_t at = 0;
    [[nodiscard]] bool ended() const { return at == page.size(); }
  };
  PERENNIAL_TRY_ASSIGN(const Offset last, end());
  up_to = std::min(up_to, last);
  std::vector<Stream> streams;
  for (const RecordKind kind : kinds) {
    PERENNIAL_CHECK(kind != RecordKind::event, "events have no index by kind");
    PERENNIAL_TRY_ASSIGN(std::vector<StoredRecord> page, read_page_of(kind, after, up_to));
    streams.push_back({kind, std::move(page)});
  }
  while (true) {
    Stream* next = nullptr;
    for (Stream& stream : streams)
      if (!stream.ended() && (next == nullptr || stream.page[stream.at].offset < next->page[next->at].offset))
        next = &stream;
    if (next == nullptr) return {};
    PERENNIAL_TRY(visit(next->page[next->at]));
    const Offset visited = next->page[next->at].offset;
    if (++next->at < next->page.size()) continue;
    PERENNIAL_TRY_ASSIGN(next->page, read_page_of(next->kind, visited, up_to));
    next->at = 0;
  }
}

Status SqliteReader::replay_user(UserId user, const Visitor& visit) {
  PERENNIAL_TRY_ASSIGN(Offset at, newest_of_user(user));
  std::vector<Offset> offsets;
  while (at != 0) PERENNIAL_TRY(walk_chain(user, at, offsets));
  std::reverse(offsets.begin(), offsets.end());
  std::span<const Offset> rest = offsets;
  while (!rest.empty()) {
    PERENNIAL_TRY_ASSIGN(const std::vector<StoredRecord> records, take_offsets(rest));
    for (const StoredRecord& record : records) PERENNIAL_TRY(visit(record));
  }
  return {};
}

Result<std::vector<StoredRecord>> SqliteReader::newest(RecordKind kind, int64_t limit) {
  PERENNIAL_TRY_ASSIGN(const Lease connection, lease());
  PERENNIAL_TRY_ASSIGN(Transaction transaction, Transaction::begin(connection->database, Transaction::Kind::read));
  PERENNIAL_TRY(refresh_names(*connection));
  const char* indexed = kind == RecordKind::event ? "" : "AND kind > 1";
  PERENNIAL_TRY_ASSIGN(Statement rows,
                       connection->database.prepare(fmt::format(
                           "SELECT {} FROM records WHERE kind = ?1 {} AND offset <= ?2 ORDER BY offset DESC LIMIT ?3",
                           kRecordColumns, indexed)));
  rows.bind(1, static_cast<int64_t>(kind));
  rows.bind(2, visible(std::numeric_limits<Offset>::max()));
  rows.bind(3, std::max<int64_t>(limit, 0));
  std::vector<StoredRecord> records;
  PERENNIAL_TRY(collect(rows, records));
  return records;
}

Result<std::vector<ImportProgress>> SqliteReader::imports() {
  PERENNIAL_TRY_ASSIGN(const Lease connection, lease());
  PERENNIAL_TRY_ASSIGN(Statement rows,
                       connection->database.prepare("SELECT digest, name, rows_read, rows_kept, finished FROM imports "
                                                    "ORDER BY updated, digest"));
  std::vector<ImportProgress> imports;
  while (true) {
    PERENNIAL_TRY_ASSIGN(const bool more, rows.step());
    if (!more) return imports;
    imports.push_back({std::string(rows.bytes(0)), std::string(rows.bytes(1)), rows.integer(2), rows.integer(3),
                       rows.integer(4) != 0});
  }
}

}  // namespace perennial
