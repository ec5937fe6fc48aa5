#include "log/repeat_window.h"

#include <algorithm>

#include "base/random.h"

namespace perennial {
namespace {
constexpr size_t kFirstSlots = 64;
}

RepeatWindow::RepeatWindow(int64_t window) : window_(static_cast<size_t>(std::clamp<int64_t>(window, 0, kEmpty - 1))) {
  slots_.assign(kFirstSlots, kEmpty);
}

size_t RepeatWindow::home(const MessageId& id) const { return mix64(id.high ^ mix64(id.low)) & (slots_.size() - 1); }

/// The slot that holds the id, or the empty one where it would go.
size_t RepeatWindow::find_slot(const MessageId& id) const {
  size_t slot = home(id);
  while (slots_[slot] != kEmpty && ring_[slots_[slot]] != id) slot = next(slot);
  return slot;
}

bool RepeatWindow::contains(const MessageId& id) const { return slots_[find_slot(id)] != kEmpty; }

void RepeatWindow::add(const MessageId& id) {
  if (window_ == 0 || contains(id)) return;
  size_t place = ring_.size();
  if (place < window_) {
    if ((ring_.size() + 1) * 4 > slots_.size() * 3) grow();
    ring_.push_back(id);
  } else {
    place = oldest_;
    remove(ring_[place]);
    ring_[place] = id;
    oldest_ = (oldest_ + 1) % window_;
  }
  slots_[find_slot(id)] = static_cast<uint32_t>(place);
}

void RepeatWindow::remove(const MessageId& id) {
  size_t hole = find_slot(id);
  for (size_t slot = next(hole); slots_[slot] != kEmpty; slot = next(slot)) {
    const size_t wanted = home(ring_[slots_[slot]]);
    const size_t mask = slots_.size() - 1;
    if (((slot - wanted) & mask) < ((slot - hole) & mask)) continue;
    slots_[hole] = slots_[slot];
    hole = slot;
  }
  slots_[hole] = kEmpty;
}

void RepeatWindow::grow() {
  slots_.assign(slots_.size() * 2, kEmpty);
  for (size_t place = 0; place < ring_.size(); ++place) slots_[find_slot(ring_[place])] = static_cast<uint32_t>(place);
}

void RepeatWindow::clear() {
  ring_.clear();
  oldest_ = 0;
  slots_.assign(std::min(slots_.size(), size_t{1} << 12), kEmpty);
}

}  // namespace perennial
