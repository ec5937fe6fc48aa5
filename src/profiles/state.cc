#include "profiles/state.h"

#include "base/bytes.h"
#include "base/digest.h"

namespace perennial {
namespace {

constexpr std::string_view kMagic = "perennial state snapshot 2\n";

fs::path snapshot_path(const fs::path& data_folder) { return data_folder / "state.snapshot"; }

}  // namespace

State::State(EventRoles roles, const Dictionary& event_types, size_t history_limit)
    : fingerprint_(fmt::format("history {} roles {}", history_limit, roles.fingerprint())),
      profiles_(std::move(roles), event_types, history_limit) {}

HistoryChange State::apply(const StoredRecord& record) {
  PERENNIAL_CHECK(record.offset > applied_, "record {} after {}: the log's order is broken", record.offset, applied_);
  const HistoryChange change = profiles_.apply(record);
  catalogue_.apply(record);
  applied_ = record.offset;
  applied_message_ = record.message_id;
  return change;
}

Status State::catch_up(LogReader& log, Offset up_to) {
  return log.replay(applied_, up_to, [this](const StoredRecord& record) {
    apply(record);
    return Status();
  });
}

std::string State::serialize() const {
  std::string profiles;
  std::string catalogue;
  profiles_.serialize(profiles);
  catalogue_.serialize(catalogue);
  std::string out(kMagic);
  put_text(out, fingerprint_);
  put(out, applied_);
  put(out, applied_message_);
  put_text(out, profiles);
  put_text(out, catalogue);
  seal(out);
  return out;
}

Status State::save(const fs::path& data_folder, std::string_view snapshot) {
  return write_file_atomically(snapshot_path(data_folder), snapshot);
}

Status State::load(const fs::path& data_folder) {
  PERENNIAL_TRY_ASSIGN(const std::string bytes, read_file(snapshot_path(data_folder)));
  const Status status = parse(bytes);
  if (status.ok()) return status;
  clear();
  return status.with_context(snapshot_path(data_folder).string());
}

Status State::check_log(LogReader& log) {
  const Status known = check_is_in_log(log, applied_, applied_message_);
  if (!known.ok()) clear();
  return known;
}

void State::clear() {
  profiles_.clear();
  catalogue_ = Catalogue();
  applied_ = 0;
  applied_message_ = {};
}

Status State::parse(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return data_loss("not a state snapshot of this version");
  PERENNIAL_TRY_ASSIGN(const std::string_view body, unsealed(bytes));
  if (body.size() < kMagic.size()) return data_loss("not a state snapshot of this version");
  ByteReader in(body.substr(kMagic.size()));
  if (in.get_text() != fingerprint_)
    return failed_precondition("the snapshot was made with other event roles or another history length");
  const auto applied = in.get<Offset>();
  const auto applied_message = in.get<MessageId>();
  PERENNIAL_TRY(profiles_.parse(in.get_text()));
  PERENNIAL_TRY(catalogue_.parse(in.get_text()));
  applied_ = applied;
  applied_message_ = applied_message;
  return {};
}

}  // namespace perennial
