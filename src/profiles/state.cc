#include "profiles/state.h"

#include "base/bytes.h"

namespace perennial {
namespace {

constexpr std::string_view kMagic = "perennial state snapshot 3\n";

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

Status State::save(const fs::path& data_folder, const WhileStill& still) {
  return save_snapshot(snapshot_path(data_folder), kMagic, profiles_.store(), still,
                       [this](const BlockSink& put_block) {
                         std::string head;
                         put_text(head, fingerprint_);
                         put(head, applied_);
                         put(head, applied_message_);
                         put_block(std::move(head));
                         std::string identities;
                         profiles_.identities().serialize(identities);
                         put_block(std::move(identities));
                         std::string catalogue;
                         catalogue_.serialize(catalogue);
                         put_block(std::move(catalogue));
                       });
}

Status State::load(const fs::path& data_folder) {
  PERENNIAL_TRY_ASSIGN(BlockReader blocks, BlockReader::open(snapshot_path(data_folder), kMagic));
  const Status status = read(blocks);
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

Status State::read(BlockReader& blocks) {
  PERENNIAL_TRY_ASSIGN(std::string_view block, blocks.next());
  ByteReader head(block);
  if (head.get_text() != fingerprint_)
    return failed_precondition("the snapshot was made with other event roles or another history length");
  const auto applied = head.get<Offset>();
  const auto applied_message = head.get<MessageId>();
  PERENNIAL_TRY_ASSIGN(block, blocks.next());
  ByteReader identities(block);
  profiles_.identities().parse(identities);
  if (!head.ok() || !head.at_end() || !identities.ok() || !identities.at_end())
    return data_loss("the beginning of the snapshot is not of this format");
  PERENNIAL_TRY_ASSIGN(block, blocks.next());
  PERENNIAL_TRY(catalogue_.parse(block));
  PERENNIAL_TRY(read_users(blocks, profiles_.store()));
  applied_ = applied;
  applied_message_ = applied_message;
  return {};
}

}  // namespace perennial
