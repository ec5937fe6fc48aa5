#include "log/repeat_window.h"

#include <algorithm>

#include "base/random.h"

namespace perennial {
namespace {
constexpr size_t kFirstSlots = 64;
}

RepeatWindow::RepeatWindow(int64_t window)
    : window_(static_cast<size_t>(std::clamp<int64_t>(window, 0, kEmpty - 1))), slots_(kFirstSlots) {}

uint32_t RepeatWindow::tag_of(const MessageId& id) { return static_cast<uint32_t>(mix64(id.high ^ mix64(id.low))); }

/// The slot that holds the id, or the empty one where it would go.
size_t RepeatWindow::find_slot(const MessageId& id, uint32_t tag) const {
  size_t slot = home(tag);
  while (slots_[slot].place != kEmpty && (slots_[slot].tag != tag || ring_[slots_[slot].place] != id))
    slot = next(slot);
  return slot;
}

bool RepeatWindow::contains(const MessageId& id) const { return slots_[find_slot(id, tag_of(id))].place != kEmpty; }

void RepeatWindow::prefetch(const MessageId& id, size_t others) const {
  __builtin_prefetch(&slots_[home(tag_of(id))]);
  if (ring_.size() < window_ || window_ == 0) return;
  __builtin_prefetch(&slots_[home(tag_of(ring_[(oldest_ + others) % window_]))]);  // which will give way
}

bool RepeatWindow::add(const MessageId& id) {
  if (window_ == 0) return true;
  if ((ring_.size() + 1) * 4 > slots_.size() * 3) grow();
  const uint32_t tag = tag_of(id);
  size_t slot = find_slot(id, tag);
  if (slots_[slot].place != kEmpty) return false;
  size_t place = ring_.size();
  ++added_;
  if (place < window_) {
    ring_.push_back(id);
  } else {
    place = oldest_;
    replaced_.push_back(ring_[place]);
    remove(ring_[place]);
    slot = find_slot(id, tag);  // the removal may have made a nearer one free
    ring_[place] = id;
    oldest_ = (oldest_ + 1) % window_;
  }
  slots_[slot] = {tag, static_cast<uint32_t>(place)};
  return true;
}

/// Moves back those that stand behind the hole for want of a nearer slot.
void RepeatWindow::remove(const MessageId& id) {
  const size_t mask = slots_.size() - 1;
  size_t hole = find_slot(id, tag_of(id));
  for (size_t slot = next(hole); slots_[slot].place != kEmpty; slot = next(slot)) {
    const size_t wanted = home(slots_[slot].tag);
    if (((slot - wanted) & mask) < ((slot - hole) & mask)) continue;
    slots_[hole] = slots_[slot];
    hole = slot;
  }
  slots_[hole] = {};
}

void RepeatWindow::grow() {
  slots_.assign(slots_.size() * 2, {});
  for (size_t place = 0; place < ring_.size(); ++place) {
    const uint32_t tag = tag_of(ring_[place]);
    slots_[find_slot(ring_[place], tag)] = {tag, static_cast<uint32_t>(place)};
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
    const uint32_t tag = tag_of(ring_[oldest_]);
    slots_[find_slot(ring_[oldest_], tag)] = {tag, static_cast<uint32_t>(oldest_)};
  }
}

}  // namespace perennial
