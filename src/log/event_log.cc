#include "log/event_log.h"

namespace perennial {

Status LogReader::replay(Offset after, Offset up_to, const Visitor& visit) {
  return replay_pages(after, up_to, [&](std::span<const StoredRecord> records) -> Status {
    for (const StoredRecord& record : records) PERENNIAL_TRY(visit(record));
    return {};
  });
}

Status check_is_in_log(LogReader& log, Offset offset, const MessageId& message) {
  if (offset == 0) return {};
  bool same = false;
  PERENNIAL_TRY(log.replay(offset - 1, offset, [&](const StoredRecord& record) {
    same = record.message_id == message;
    return Status();
  }));
  if (same) return {};
  return failed_precondition("the snapshot is of another log: its last record, {}, is not in this one", offset);
}

}  // namespace perennial
