#include "log/repeat_window.h"

#include <algorithm>

#include "base/random.h"

namespace perennial {
namespace {
constexpr size_t kFirstSlots = 64;
}

RepeatWindow::RepeatWindow(int64_t window)
    : window_(static_cast<size_t>(std::clamp<int64_t>(window, 0, kEmpty - 1))), slots_(kFirstSlots) {}

uint64_t RepeatWindow::hash(const MessageId& id) { return mix64(id.high ^ mix64(id.low)); }

/// The slot that holds the id, or the empty one where it would go.
size_t RepeatWindow::find_slot(const MessageId& id, uint64_t hash) const {
  const auto tag = static_cast<uint32_t>(hash >> 32);
  size_t slot = hash & (slots_.size() - 1);
  while (slots_[slot].place != kEmpty && (slots_[slot].tag != tag || ring_[slots_[slot].place] != id))
    slot = next(slot);
  return slot;
}

void RepeatWindow::put(size_t slot, uint64_t hash, size_t place) {
  slots_[slot] = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(place)};
}

bool RepeatWindow::contains(const MessageId& id) const { return slots_[find_slot(id, hash(id))].place != kEmpty; }

void RepeatWindow::add(const MessageId& id) {
  if (window_ == 0) return;
  if ((ring_.size() + 1) * 4 > slots_.size() * 3) grow();
  const uint64_t id_hash = hash(id);
  size_t slot = find_slot(id, id_hash);
  if (slots_[slot].place != kEmpty) return;
  size_t place = ring_.size();
  ++added_;
  if (place < window_) {
    ring_.push_back(id);
  } else {
    place = oldest_;
    replaced_.push_back(ring_[place]);
    remove(ring_[place]);
    slot = find_slot(id, id_hash);  // the removal may have made a nearer one free
    ring_[place] = id;
    oldest_ = (oldest_ + 1) % window_;
  }
  put(slot, id_hash, place);
}

/// Moves back those that stand behind the hole for want of a nearer slot.
void RepeatWindow::remove(const MessageId& id) {
  const size_t mask = slots_.size() - 1;
  size_t hole = find_slot(id, hash(id));
  for (size_t slot = next(hole); slots_[slot].place != kEmpty; slot = next(slot)) {
    const size_t wanted = hash(ring_[slots_[slot].place]) & mask;
    if (((slot - wanted) & mask) < ((slot - hole) & mask)) continue;
    slots_[hole] = slots_[slot];
    hole = slot;
  }
  slots_[hole] = {};
}

void RepeatWindow::grow() {
  slots_.assign(slots_.size() * 2, {});
  for (size_t place = 0; place < ring_.size(); ++place) {
    const uint64_t id_hash = hash(ring_[place]);
    put(find_slot(ring_[place], id_hash), id_hash, place);
  }
}

void RepeatWindow::begin() {
  added_ = 0;
  replaced_.clear();
}

void RepeatWindow::rollback() {
  for (; added_ > 0; --added_) {
    if (replaced_.empty()) {
      remove(ring_.back());
      ring_.pop_back();
      continue;
    }
    oldest_ = (oldest_ + window_ - 1) % window_;
    remove(ring_[oldest_]);
    ring_[oldest_] = replaced_.back();
    replaced_.pop_back();
    const uint64_t id_hash = hash(ring_[oldest_]);
    put(find_slot(ring_[oldest_], id_hash), id_hash, oldest_);
  }
}

}  // namespace perennial
