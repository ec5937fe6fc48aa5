// A user's events as stages see them, by signal. There is one of every visitor, so it is small: all signals lie in one
// block, each with some room to grow. Covered by lifecycle/user_facts_test.cc against a plain list.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fetch.h"
#include "events/ids.h"

namespace perennial {

/// One event of one signal, 24 bytes. Order: (time, offset).
struct Fact {
  TimeMs time = 0;
  Offset offset = 0;
  int64_t total_minor = 0;  // money of this and all earlier facts of the signal, in minor units, modulo 2^64
};

/// Money of the facts [begin, end) of a signal, minor units: right when it fits into 64 bits itself.
int64_t money_between(std::span<const Fact> facts, size_t begin, size_t end);

/// How many facts have time <= now.
size_t count_until(std::span<const Fact> facts, TimeMs now);

/// Events without a time are in no window: they are no facts.
class UserFacts {
 public:
  UserFacts() = default;
  UserFacts(const UserFacts& other);
  UserFacts(UserFacts&&) = default;
  UserFacts& operator=(UserFacts other) noexcept;
  ~UserFacts() = default;

  /// Inserts in order, also a late one. `time` must not be kNoTime. O(log facts) amortised for the newest of its
  /// signal.
  void add(uint8_t signal, TimeMs time, Offset offset, int64_t amount_minor);

  /// Adds money to the last fact of that instant before `offset`: a further line of the same event. A fact of its own
  /// when there is none.
  void add_line(uint8_t signal, TimeMs time, Offset offset, int64_t amount_minor);

  /// Takes the fact out again, if it is there.
  void remove(uint8_t signal, TimeMs time, Offset offset);

  /// Takes in the facts of a user that turned out to be this one.
  void merge(const UserFacts& other);

  /// By time, then offset. Good until the next change.
  [[nodiscard]] std::span<const Fact> of(uint8_t signal) const;
  [[nodiscard]] bool empty() const { return block_ == nullptr; }

  /// Brings the beginning near: in most users that is all.
  [[gnu::always_inline]] void fetch() const { perennial::fetch(block_.get(), 256); }

  /// Equal facts give equal bytes, in whatever order they came.
  void encode(std::string& out) const;

  /// Replaces; false for bytes that are cut short or not of this form.
  bool decode(ByteReader& in);

  /// Of memory, beside the object's own.
  [[nodiscard]] size_t bytes() const {
    return block_ == nullptr ? 0 : block_bytes(header().ranges, header().room) + 16;
  }

 private:
  // The block: a Header, `ranges` Ranges, then the facts with each range's room behind them.
  struct Header {
    uint32_t ranges;
    uint32_t room;  // facts that there is room for, in all ranges
  };
  struct Range {
    uint64_t signal : 8;
    uint64_t size : 28;
    uint64_t capacity : 28;
  };
  struct View {  // of one range
    Range* range;
    Fact* facts;
  };
  static size_t block_bytes(size_t ranges, size_t room);

  [[nodiscard]] Header& header() const;  // of a block that is there
  [[nodiscard]] std::span<Range> ranges() const;
  [[nodiscard]] Fact* facts() const;
  [[nodiscard]] View view(uint8_t signal) const;  // null when the signal has none
  void grow(uint8_t signal);
  static void add_money(Fact* from, Fact* end, int64_t amount_minor);

  std::unique_ptr<std::byte[]> block_;
};

}  // namespace perennial
