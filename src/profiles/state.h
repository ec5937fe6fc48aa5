// Everything that is folded from the log, at one offset, and its snapshots.
#pragma once

#include "base/block_file.h"
#include "log/event_log.h"
#include "profiles/catalogue.h"
#include "profiles/profiles.h"
#include "profiles/snapshot.h"

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

  /// From now on users that do not fit into the budget go to a file in the folder: UserStore.
  Status spill_to(const fs::path& folder) { return profiles_.store().spill_to(folder); }
  void set_budget(size_t bytes) { profiles_.store().set_budget(bytes); }
  [[nodiscard]] UserStore<Profile>& users() { return profiles_.store(); }

  /// Writes the state as it is when this begins, atomically, to `state.snapshot` in the data directory: equal states,
  /// equal bytes. Looks at the state within `still` only: once at the catalogue and all merges, then at users a
  /// millisecond at a time, and takes them as they were however they change between. Fails when users are damaged
  /// (UserStore).
  Status save(const fs::path& data_folder, const WhileStill& still);

  /// Loads it. failed_precondition when it was made with other roles or a shorter history; data_loss when its bytes are
  /// not whole; not_found when there is none. In each case the state is empty and a replay from 0 gives the same.
  Status load(const fs::path& data_folder);

  /// failed_precondition when the last record applied is not in the log: the state is of another one, and is emptied.
  Status check_log(LogReader& log);

 private:
  Status read(BlockReader& blocks);
  void clear();

  std::string fingerprint_;
  Profiles profiles_;
  Catalogue catalogue_;
  Offset applied_ = 0;
  MessageId applied_message_;
};

}  // namespace perennial
