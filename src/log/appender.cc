#include "log/appender.h"

#include <algorithm>

#include "log/log_schema.h"

namespace perennial {
namespace {

constexpr uint32_t kIdLimit = kNoId - 1;
constexpr uint32_t kEventTypeLimit = kNoEventType;
constexpr int kRowsAtOnce = 8;
constexpr size_t kAhead = 16;  // records that memory is asked for together

StoredRecord stored_of(const RowPlace& place, const MessageId& message_id, TimeMs time, Payload payload) {
  return {place.offset, message_id, time, place.user, place.into, place.item, place.type, std::move(payload)};
}

}  // namespace

Appender::Appender(Database database, Names& names, int64_t repeat_window)
    : database_(std::move(database)),
      names_(names),
      repeats_(repeat_window),
      users_(names.users),
      items_(names.items),
      event_types_(names.event_types) {}

Result<std::unique_ptr<Appender>> Appender::open(Database database, Names& names, int64_t repeat_window) {
  std::unique_ptr<Appender> appender(new Appender(std::move(database), names, repeat_window));
  PERENNIAL_TRY(appender->load());
  PERENNIAL_TRY(appender->load_repeats(repeat_window));
  PERENNIAL_TRY(appender->prepare());
  return appender;
}

Status Appender::load() {
  PERENNIAL_TRY(names_.refresh(database_));
  PERENNIAL_TRY_ASSIGN(end_, database_.query_integer("SELECT max(offset) FROM records"));
  PERENNIAL_TRY(load_chains());
  PERENNIAL_TRY(load_imports());
  discard();
  return {};
}

Status Appender::load_chains() {
  chains_.assign(names_.users.size(), 0);
  PERENNIAL_TRY_ASSIGN(Statement rows, database_.prepare("SELECT user, last FROM chains"));
  while (true) {
    PERENNIAL_TRY_ASSIGN(const bool more, rows.step());
    if (!more) return {};
    const int64_t user = rows.integer(0);
    if (user < 0 || user >= static_cast<int64_t>(chains_.size()))
      return data_loss("the log's table 'chains' names user {}, who has no row in 'users': restore a backup", user);
    chains_[static_cast<size_t>(user)] = rows.integer(1);
  }
}

Status Appender::load_repeats(int64_t repeat_window) {
  PERENNIAL_TRY_ASSIGN(Statement rows, database_.prepare("SELECT message FROM records WHERE message IS NOT NULL "
                                                         "ORDER BY offset DESC LIMIT ?1"));
  rows.bind(1, repeat_window);
  std::vector<MessageId> newest_first;
  while (true) {
    PERENNIAL_TRY_ASSIGN(const bool more, rows.step());
    if (!more) break;
    newest_first.push_back(message_of_bytes(rows.bytes(0)));
  }
  for (auto id = newest_first.rbegin(); id != newest_first.rend(); ++id) repeats_.add(*id);
  repeats_.begin();  // a transaction that fails takes back its own, not these
  return {};
}

Status Appender::load_imports() {
  PERENNIAL_TRY_ASSIGN(Statement rows,
                       database_.prepare("SELECT digest, name, rows_read, rows_kept, finished FROM imports"));
  while (true) {
    PERENNIAL_TRY_ASSIGN(const bool more, rows.step());
    if (!more) return {};
    const std::string digest(rows.bytes(0));
    imports_[digest] = {digest, std::string(rows.bytes(1)), rows.integer(2), rows.integer(3), rows.integer(4) != 0};
  }
}

Status Appender::prepare() {
  PERENNIAL_TRY_ASSIGN(Statement rows, database_.prepare(insert_rows_sql(kRowsAtOnce)));
  PERENNIAL_TRY_ASSIGN(Statement row, database_.prepare(insert_rows_sql(1)));
  PERENNIAL_TRY_ASSIGN(Statement user, database_.prepare("INSERT INTO users(id, name) VALUES(?,?)"));
  PERENNIAL_TRY_ASSIGN(Statement item, database_.prepare("INSERT INTO items(id, name) VALUES(?,?)"));
  PERENNIAL_TRY_ASSIGN(Statement event_type, database_.prepare("INSERT INTO event_types(id, name) VALUES(?,?)"));
  PERENNIAL_TRY_ASSIGN(Statement chain, database_.prepare("INSERT INTO chains(user, last) VALUES(?,?) "
                                                          "ON CONFLICT(user) DO UPDATE SET last = excluded.last"));
  PERENNIAL_TRY_ASSIGN(
      Statement progress,
      database_.prepare("INSERT OR REPLACE INTO imports(digest, name, rows_read, rows_kept, finished, updated) "
                        "VALUES(?,?,?,?,?,?)"));
  PERENNIAL_TRY_ASSIGN(Eraser eraser, Eraser::prepare(database_));
  statements_ = std::make_unique<Statements>(Statements{std::move(rows), std::move(row), std::move(user),
                                                        std::move(item), std::move(event_type), std::move(chain),
                                                        std::move(progress), std::move(eraser)});
  return {};
}

const ImportProgress* Appender::progress(const std::string& file_digest) const {
  const auto found = imports_.find(file_digest);
  return found == imports_.end() ? nullptr : &found->second;
}

Status Appender::commit(std::span<Batch* const> batches, std::vector<StoredRecord>& stored) {
  const Status status = put_batches(batches);
  if (status.ok()) {
    apply(stored);
  } else {
    repeats_.rollback();
    for (auto old = old_chains_.rbegin(); old != old_chains_.rend(); ++old) chains_[old->first] = old->second;
  }
  discard();
  return status;
}

Status Appender::put_batches(std::span<Batch* const> batches) {
  PERENNIAL_TRY_ASSIGN(Transaction transaction, Transaction::begin(database_, Transaction::Kind::write));
  for (Batch* batch : batches) PERENNIAL_TRY(put_batch(*batch));
  PERENNIAL_TRY(insert_waiting());
  PERENNIAL_TRY(put_chains());
  return transaction.commit();
}

Status Appender::put_batch(Batch& batch) {
  batch.outcome = {};
  for (size_t i = 0; i < batch.records.size(); ++i) {
    if (i % kAhead == 0) warm_up(batch, i);
    PERENNIAL_TRY(put_record(batch, i));
  }
  if (batch.outcome.appended == 0) batch.outcome.last_offset = last_offset_;
  return batch.progress.has_value() ? put_progress(*batch.progress) : Status();
}

Status Appender::put_record(Batch& batch, size_t index) {
  Record& record = batch.records[index];
  AppendOutcome& outcome = batch.outcome;
  const bool erasure = std::holds_alternative<Erasure>(record.payload);  // one of nobody is no record
  const bool known = erasure ? repeats_.contains(record.message_id) : !repeats_.add(record.message_id);
  if (known && !joins_again(record)) {
    ++outcome.repeated;
    return {};
  }
  if (erasure) return put_erasure(record, outcome);
  if (record.of_known_user && !users_.find(record.user)) return {};
  PERENNIAL_TRY_ASSIGN(const RowPlace place, place_of(record, batch.known[index], batch.erasures));
  PERENNIAL_TRY(insert(record, place, &record));
  ++outcome.appended;
  outcome.last_offset = last_offset_;
  return {};
}

/// A merge that an erasure has taken back is no repeat when one of its users has come back. When neither has, it is a
/// late repeat, and would only bring back the names.
bool Appender::joins_again(const Record& record) const {
  const auto* merge = std::get_if<IdentityMerge>(&record.payload);
  return merge != nullptr && users_.find(record.user).has_value() != users_.find(merge->into).has_value();
}

Status Appender::put_erasure(Record& record, AppendOutcome& outcome) {
  const std::optional<uint32_t> user = users_.find(record.user);
  if (!user.has_value()) return {};
  PERENNIAL_TRY(insert_waiting());
  PERENNIAL_TRY_ASSIGN(const std::vector<UserId> identities,
                       statements_->eraser.erase(*user, [&](UserId id) -> Result<Offset> { return chain_end(id); }));
  for (size_t i = 0; i < identities.size(); ++i) {
    const UserId identity = identities[i];
    users_.erase(identity);
    move_chain(identity, 0);
    erased_at_[identity] = last_offset_ + 1;
    RowPlace place;
    place.user = identity;
    Record erasure;
    erasure.message_id = i == 0 ? record.message_id : derive_message_id(record.message_id, i);
    erasure.time = record.time;
    erasure.payload = Erasure();
    repeats_.add(erasure.message_id);
    PERENNIAL_TRY(insert(erasure, place, nullptr));
    PERENNIAL_TRY(insert_waiting());  // while this record lives
    ++outcome.appended;
  }
  outcome.last_offset = last_offset_;
  return {};
}

/// Gives the row its offset and its place in the user's chain, and puts it into the table.
Status Appender::insert(const Record& record, RowPlace place, Record* source) {
  place.offset = last_offset_ + 1;
  if (place.user != kNoId) place.previous = chain_end(place.user);
  waiting_.push_back({place, &record, message_bytes(record.message_id), encode_body(record.payload)});
  if (waiting_.size() == kRowsAtOnce) PERENNIAL_TRY(insert_waiting());
  last_offset_ = place.offset;
  if (place.user != kNoId) move_chain(place.user, place.offset);
  rows_.push_back({place, source, record.message_id, record.time});
  return {};
}

Result<RowPlace> Appender::place_of(const Record& record, const KnownIds& known, uint64_t erasures) {
  RowPlace place;
  if (!record.user.empty()) {
    const auto user = users_.find(record.user, known.user, erasures);
    PERENNIAL_TRY_ASSIGN(place.user, id_of(record.user, user, users_, kIdLimit, statements_->insert_user, "users"));
  }
  if (const auto* merge = std::get_if<IdentityMerge>(&record.payload)) {
    const auto into = users_.find(merge->into);
    PERENNIAL_TRY_ASSIGN(place.into, id_of(merge->into, into, users_, kIdLimit, statements_->insert_user, "users"));
  }
  if (!record.item.empty()) {
    const auto item = known.item != kNoId ? known.item : items_.find(record.item);
    PERENNIAL_TRY_ASSIGN(place.item, id_of(record.item, item, items_, kIdLimit, statements_->insert_item, "items"));
  }
  if (!record.type.empty()) {
    const auto known_type = known.type != kNoId ? known.type : event_types_.find(record.type);
    PERENNIAL_TRY_ASSIGN(const uint32_t type, id_of(record.type, known_type, event_types_, kEventTypeLimit,
                                                    statements_->insert_event_type, "event types"));
    place.type = static_cast<EventTypeId>(type);
  }
  return place;
}

/// The name's id: the one that is known, or a new one.
Result<uint32_t> Appender::id_of(std::string_view name, std::optional<uint32_t> known, PendingNames& names,
                                 uint32_t limit, Statement& insert, const char* what) {
  if (known) return *known;
  const uint32_t id = names.next_id();
  if (id >= limit)
    return invalid_argument("the log has {} {} already, no more fit, '{:.60}' is new: send fewer different ones", limit,
                            what, name);
  insert.bind(1, static_cast<int64_t>(id));
  insert.bind_text(2, name);
  PERENNIAL_TRY(insert.run());
  return names.add(name);
}

Status Appender::insert_waiting() {
  const bool full = waiting_.size() == kRowsAtOnce;
  Statement& insert = full ? statements_->insert_rows : statements_->insert_row;
  int row = 0;
  for (const WaitingRow& waiting : waiting_) {
    const std::string_view message(waiting.message.data(), waiting.message.size());
    bind_record(insert, row, waiting.place, *waiting.record, message, waiting.body);
    if (full && ++row < kRowsAtOnce) continue;
    PERENNIAL_TRY(insert.run());
  }
  waiting_.clear();
  return {};
}

void Appender::move_chain(UserId user, Offset end) {
  if (user >= chains_.size()) chains_.resize(user + size_t{1}, 0);
  if (chains_[user] <= end_) old_chains_.emplace_back(user, chains_[user]);  // else this transaction did already
  chains_[user] = end;
}

/// Asks the memory for what the next records will look at: it is waited for once, and not between two rows of SQLite.
void Appender::warm_up(const Batch& batch, size_t first) const {
  for (size_t i = first; i < std::min(first + kAhead, batch.records.size()); ++i) {
    repeats_.prefetch(batch.records[i].message_id, i - first);
    if (const UserId user = batch.known[i].user; user < chains_.size()) __builtin_prefetch(&chains_[user]);
  }
}

Status Appender::put_progress(const ImportProgress& progress) {
  const auto pending = new_imports_.find(progress.file_digest);
  const ImportProgress* known = pending == new_imports_.end() ? this->progress(progress.file_digest) : &pending->second;
  if (known != nullptr && known->rows_kept > 0 && known->rows_read > progress.rows_read)
    return failed_precondition(
        "another import of {} has come to row {} already, this one to row {}: let that one finish", progress.file_name,
        known->rows_read, progress.rows_read);
  Statement& put = statements_->put_progress;
  put.bind_text(1, progress.file_digest);
  put.bind_text(2, progress.file_name);
  put.bind(3, progress.rows_read);
  put.bind(4, progress.rows_kept);
  put.bind(5, int64_t{progress.finished});
  put.bind(6, SystemClock().now_ms());
  PERENNIAL_TRY(put.run());
  new_imports_[progress.file_digest] = progress;
  return {};
}

Status Appender::put_chains() {
  std::vector<UserId> users;
  for (const auto& [user, old] : old_chains_) users.push_back(user);
  std::ranges::sort(users);  // neighbours in the table: pages are found once
  for (const UserId user : users) {
    statements_->put_chain.bind(1, static_cast<int64_t>(user));
    statements_->put_chain.bind(2, chains_[user]);
    PERENNIAL_TRY(statements_->put_chain.run());
  }
  return {};
}

/// The transaction is on disk: now memory follows.
void Appender::apply(std::vector<StoredRecord>& stored) {
  stored.clear();
  stored.reserve(rows_.size());
  for (const PendingRow& row : rows_) {
    const auto erased = erased_at_.find(row.place.user);
    if (erased != erased_at_.end() && row.place.offset < erased->second) continue;
    stored.push_back(stored_of(row.place, row.message_id, row.time,
                               row.record == nullptr ? Payload(Erasure()) : std::move(row.record->payload)));
  }
  users_.apply();
  items_.apply();
  event_types_.apply();
  for (auto& [digest, progress] : new_imports_) imports_[digest] = progress;
  end_ = last_offset_;
}

void Appender::discard() {
  users_.clear();
  items_.clear();
  event_types_.clear();
  repeats_.begin();
  old_chains_.clear();
  new_imports_.clear();
  erased_at_.clear();
  rows_.clear();
  waiting_.clear();
  last_offset_ = end_;
}

}  // namespace perennial
