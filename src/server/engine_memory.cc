// The engine's part in keeping to its memory, and in snapshots: both move through all users while events go on.
#include <malloc.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "server/engine.h"

namespace perennial {
namespace {

constexpr double kSnapshotRetrySeconds = 30;
constexpr size_t kMemorySlice = 500;   // users looked at while recommendations wait: a millisecond or two
constexpr double kTrimmedSeconds = 1;  // until what the allocator gave back shows
constexpr size_t kScrubbed = 200;      // places of the file, ten times a second
constexpr double kMindSeconds = 0.1;

}  // namespace

void Engine::save_snapshot_when_due() {
  const double since = monotonic_seconds() - snapshot_tried_at_;
  if (snapshot_failed_ && since < kSnapshotRetrySeconds) return;
  const Offset behind = applied_ - snapshot_offset_;
  const bool old = since >= options_.snapshot_every_seconds && behind > 0;
  if (!snapshot_due_ && !old && behind < options_.snapshot_every_records) return;
  const Status status = save_snapshot();
  if (!status.ok()) spdlog::error("saving the snapshot: {}; a restart will replay more of the log", status.message());
}

/// For looks that take a millisecond or two: events wait for one of them, lists do not. Whoever looks at everybody
/// takes seconds: the memory is minded between.
WhileStill Engine::while_still() {
  return [this](const std::function<void()>& look) {
    {
      const auto lock = gate_.long_read();
      look();
    }
    mind_memory();
  };
}

/// Tells what may shrink how much it may hold, as what is resident and what is held are now.
void Engine::mind_memory() {
  const double now = monotonic_seconds();
  if (memory_.bytes() == SIZE_MAX || now < memory_due_at_) return;
  memory_due_at_ = now + kMindSeconds;
  const size_t resident = resident_bytes();
  memory_full_ = memory_.is_full(resident, memory_full_);
  UserStore<Profile>& profiles = state_->users();
  UserStore<Life>& lives = lives_->users();
  size_t slices = 0;
  size_t list_bytes = 0;
  {
    const auto lock = gate_.write();
    const MemoryShares held{.profiles = profiles.memory_bytes(),
                            .lives = lives.memory_bytes(),
                            .vectors = static_cast<size_t>(recommender_->vector_counts().bytes)};
    const std::optional<MemoryShares> shares =
        memory_.divide(resident, held, {profiles.in_memory(), profiles.size()}, {lives.in_memory(), lives.size()});
    if (!shares) return;
    profiles.set_budget(shares->profiles);
    lives.set_budget(shares->lives);
    recommender_->set_vector_budget(shares->vectors);
    list_bytes = shares->vectors / KeptLists::kShareOfVectors;
    slices = 2 * size_t{std::max(profiles.end(), lives.end())} / kMemorySlice + 1;  // each is looked at twice at most
  }
  lists_.set_budget(list_bytes);
  for (bool done = false; !done && slices > 0; --slices) {
    const auto lock = gate_.write();
    done = profiles.make_room(kMemorySlice);
    done &= lives.make_room(kMemorySlice);
  }
  if (!memory_.is_tight(resident)) return;
  ::malloc_trim(0);
  if (!memory_full_) memory_due_at_ = now + kTrimmedSeconds;
}

/// A little at a time: the file's places that users have left are overwritten, so that an erasure finds few.
void Engine::scrub() {
  const auto lock = gate_.write();
  state_->users().scrub(kScrubbed);
  lives_->users().scrub(kScrubbed);
}

Status Engine::users_damage() const {
  Status damage = state_->users().damage();
  return damage.ok() ? lives_->users().damage() : damage;
}

/// What is in memory is not all that the log says, so the snapshots that are there stay; but not with somebody in them
/// who was erased since.
Status Engine::give_up_snapshots(bool erased_since, Status damage) {
  snapshot_failed_ = true;
  metrics_.snapshots_failed.Increment();
  if (!erased_since) return damage;
  std::error_code error;
  for (const char* name : {"state.snapshot", "lives.snapshot"}) fs::remove(options_.data_folder / name, error);
  if (!sync_folder(options_.data_folder).ok() || error) snapshot_due_ = true;
  return damage;
}

Status Engine::save_snapshot() {
  snapshot_tried_at_ = monotonic_seconds();
  const bool erased_since = snapshot_due_.exchange(false);
  if (Status damage = users_damage(); !damage.ok()) return give_up_snapshots(erased_since, std::move(damage));
  std::optional<Offset> began_at;
  const WhileStill still = [&](const std::function<void()>& look) {
    while_still()([&] {
      if (!began_at) began_at = state_->applied();
      look();
    });
  };
  Status status = state_->save(options_.data_folder, still);
  if (status.ok()) status = lives_->save(options_.data_folder, still);
  const Offset offset = *began_at;
  snapshot_failed_ = !status.ok();
  (status.ok() ? metrics_.snapshots_saved : metrics_.snapshots_failed).Increment();
  if (status.ok()) {
    snapshot_offset_ = offset;
  } else if (erased_since) {
    snapshot_due_ = true;
  }
  return status;
}

}  // namespace perennial
