// The message ids of the newest records, so that a repeat is recognised: a ring, and a hash table of places in it.
// 16 bytes an id in the ring and 11 to 22 in the table. Thread rule: one thread at a time. Covered by
// repeat_window_test.cc.
#pragma once

#include <cstdint>
#include <vector>

#include "base/digest.h"

namespace perennial {

class RepeatWindow {
 public:
  /// Remembers the newest `window` ids; the memory grows with what is added, up to that.
  explicit RepeatWindow(int64_t window);

  [[nodiscard]] bool contains(const MessageId& id) const;

  /// The id is the newest now, the oldest is forgotten when the window is full. False, and nothing is done, for an id
  /// that is there.
  bool add(const MessageId& id);

  /// From now on rollback() takes back what is added, and what gave way to it comes back.
  void begin();
  void rollback();

  /// Asks the memory for where add() will look when `others` were added before.
  void prefetch(const MessageId& id, size_t others) const;

  /// Oldest first.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (size_t i = 0; i < ring_.size(); ++i) visit(ring_[(oldest_ + i) % ring_.size()]);
  }

  [[nodiscard]] size_t size() const { return ring_.size(); }

 private:
  static constexpr uint32_t kEmpty = 0xFFFFFFFF;

  /// The tag, a hash, says where the id wants to stand, and spares a look into the ring for most that are not the one
  /// sought.
  struct Slot {
    uint32_t tag = 0;
    uint32_t place = kEmpty;
  };

  [[nodiscard]] static uint32_t tag_of(const MessageId& id);
  [[nodiscard]] size_t home(uint32_t tag) const { return tag & (slots_.size() - 1); }
  [[nodiscard]] size_t next(size_t slot) const { return (slot + 1) & (slots_.size() - 1); }
  [[nodiscard]] size_t find_slot(const MessageId& id, uint32_t tag) const;
  void remove(const MessageId& id);
  void grow();

  size_t window_;
  size_t oldest_ = 0;
  std::vector<MessageId> ring_;
  size_t added_ = 0;                 // since begin()
  std::vector<MessageId> replaced_;  // by the last ones of these
  std::vector<Slot> slots_;          // open addressing, linear; at most 3/4 full, a power of two long
};

}  // namespace perennial
