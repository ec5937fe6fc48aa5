#include "profiles/state.h"

#include "base/digest.h"
#include "profiles/bytes.h"

namespace perennial {
namespace {

constexpr std::string_view kMagic = "perennial state snapshot 2\n";
constexpr size_t kDigestBytes = 32;

fs::path snapshot_path(const fs::path& data_folder) { return data_folder / "state.snapshot"; }

std::string_view as_text(const Sha256& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

}  // namespace

State::State(EventRoles roles, const Dictionary& event_types, size_t history_limit)
    : fingerprint_(fmt::format("history {} roles {}", history_limit, roles.fingerprint())),
      profiles_(std::move(roles), event_types, history_limit) {}

void State::apply(const StoredRecord& record) {
  PERENNIAL_CHECK(record.offset > applied_, "record {} after {}: the log's order is broken", record.offset, applied_);
  profiles_.apply(record);
  catalogue_.apply(record);
  applied_ = record.offset;
  applied_message_ = record.message_id;
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
  out += as_text(sha256(out));
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
  if (applied_ == 0) return {};
  bool same = false;
  const Status read = log.replay(applied_ - 1, applied_, [&](const StoredRecord& record) {
    same = record.message_id == applied_message_;
    return Status();
  });
  if (read.ok() && same) return {};
  const Offset applied = applied_;
  clear();
  PERENNIAL_TRY(read);
  return failed_precondition("the state snapshot is of another log: its last record, {}, is not in this one", applied);
}

void State::clear() {
  profiles_.clear();
  catalogue_ = Catalogue();
  applied_ = 0;
  applied_message_ = {};
}

Status State::parse(std::string_view bytes) {
  if (bytes.size() < kMagic.size() + kDigestBytes || !bytes.starts_with(kMagic))
    return data_loss("not a state snapshot of this version");
  const std::string_view body = bytes.substr(0, bytes.size() - kDigestBytes);
  if (as_text(sha256(body)) != bytes.substr(body.size()))
    return data_loss("the snapshot's bytes are not those written");
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
