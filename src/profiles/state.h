// Everything that is folded from the log, at one offset, and its snapshots.
#pragma once

#include "base/files.h"
#include "log/event_log.h"
#include "profiles/catalogue.h"
#include "profiles/profiles.h"

namespace perennial {

class State {
 public:
  State(EventRoles roles, const Dictionary& event_types, size_t history_limit);

  /// What it tells: Profiles::apply.
  HistoryChange apply(const StoredRecord& record);

  /// Applies the log's records after applied() up to `up_to`.
  Status catch_up(LogReader& log, Offset up_to);

  [[nodiscard]] const Profiles& profiles() const { return profiles_; }
  [[nodiscard]] const Catalogue& catalogue() const { return catalogue_; }
  [[nodiscard]] Offset applied() const { return applied_; }

  [[nodiscard]] std::string serialize() const;

  /// Writes the snapshot, serialize()'s bytes, atomically: `state.snapshot` in the data directory. Apart from
  /// serialize(), so that who holds a lock for that need not hold it for the disk.
  static Status save(const fs::path& data_folder, std::string_view snapshot);

  /// Loads it. failed_precondition when it was made with other roles or a shorter history; data_loss when its bytes are
  /// not whole; not_found when there is none. In each case the state is empty and a replay from 0 gives the same.
  Status load(const fs::path& data_folder);

  /// failed_precondition when the last record applied is not in the log: the state is of another one, and is emptied.
  Status check_log(LogReader& log);

 private:
  Status parse(std::string_view bytes);
  void clear();

  std::string fingerprint_;
  Profiles profiles_;
  Catalogue catalogue_;
  Offset applied_ = 0;
  MessageId applied_message_;
};

}  // namespace perennial
