#include "lifecycle/user_facts.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.h"

namespace perennial {
namespace {

constexpr uint64_t kMostFacts = (1U << 28) - 1;  // of a signal

bool before(const Fact& a, const Fact& b) { return a.time != b.time ? a.time < b.time : a.offset < b.offset; }

// Totals wrap: what is asked for is always a difference of two.
int64_t plus(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }
int64_t minus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

/// What the allocator gives anyway: blocks of few different sizes are found again quickly.
size_t rounded_up(size_t bytes) { return (bytes + 8 + 63) / 64 * 64 - 8; }

}  // namespace

int64_t money_between(std::span<const Fact> facts, size_t begin, size_t end) {
  if (end <= begin) return 0;
  return minus(facts[end - 1].total_minor, begin == 0 ? 0 : facts[begin - 1].total_minor);
}

size_t count_until(std::span<const Fact> facts, TimeMs now) {
  return static_cast<size_t>(std::upper_bound(facts.begin(), facts.end(), now,
                                              [](TimeMs time, const Fact& fact) { return time < fact.time; }) -
                             facts.begin());
}

UserFacts::UserFacts(const UserFacts& other) {
  if (other.block_ == nullptr) return;
  const size_t bytes = block_bytes(other.header().ranges, other.header().room);
  block_.reset(new std::byte[bytes]);
  std::memcpy(block_.get(), other.block_.get(), bytes);
}

UserFacts& UserFacts::operator=(UserFacts other) noexcept {
  block_ = std::move(other.block_);
  return *this;
}

size_t UserFacts::block_bytes(size_t ranges, size_t room) {
  return sizeof(Header) + ranges * sizeof(Range) + room * sizeof(Fact);
}

UserFacts::Header& UserFacts::header() const { return *reinterpret_cast<Header*>(block_.get()); }

std::span<UserFacts::Range> UserFacts::ranges() const {
  if (block_ == nullptr) return {};
  return {reinterpret_cast<Range*>(block_.get() + sizeof(Header)), header().ranges};
}

Fact* UserFacts::facts() const { return reinterpret_cast<Fact*>(ranges().data() + ranges().size()); }

UserFacts::View UserFacts::view(uint8_t signal) const {
  size_t begin = 0;
  for (Range& range : ranges()) {
    if (range.signal == signal) return {&range, facts() + begin};
    begin += range.capacity;
  }
  return {nullptr, nullptr};
}

void UserFacts::add(uint8_t signal, TimeMs time, Offset offset, int64_t amount_minor) {
  PERENNIAL_CHECK(time != kNoTime, "a fact needs a time, record {} has none", offset);
  if (const Range* known = view(signal).range; known == nullptr || known->size == known->capacity) grow(signal);
  const auto [range, first] = view(signal);
  Fact* const end = first + range->size;
  const Fact fact{time, offset, 0};
  Fact* place = end == first || before(*(end - 1), fact) ? end : std::upper_bound(first, end, fact, before);
  std::move_backward(place, end, end + 1);
  *place = fact;
  place->total_minor = place == first ? 0 : (place - 1)->total_minor;
  ++range->size;
  add_money(place, end + 1, amount_minor);
}

void UserFacts::add_line(uint8_t signal, TimeMs time, Offset offset, int64_t amount_minor) {
  const auto [range, first] = view(signal);
  if (range != nullptr) {
    Fact* const end = first + range->size;
    Fact* const after = std::lower_bound(first, end, Fact{time, offset, 0}, before);
    if (after != first && (after - 1)->time == time) return add_money(after - 1, end, amount_minor);
  }
  add(signal, time, offset, amount_minor);
}

void UserFacts::add_money(Fact* from, Fact* end, int64_t amount_minor) {
  for (; from != end; ++from) from->total_minor = plus(from->total_minor, amount_minor);
}

void UserFacts::remove(uint8_t signal, TimeMs time, Offset offset) {
  const auto [range, first] = view(signal);
  if (range == nullptr) return;
  Fact* const end = first + range->size;
  Fact* place = std::find_if(first, end, [&](const Fact& fact) { return fact.time == time && fact.offset == offset; });
  if (place == end) return;
  const auto index = static_cast<size_t>(place - first);
  const int64_t amount = money_between({first, end}, index, index + 1);
  for (Fact* later = place + 1; later != end; ++later) later->total_minor = minus(later->total_minor, amount);
  std::move(place + 1, end, place);
  --range->size;
  if (std::all_of(ranges().begin(), ranges().end(), [](const Range& each) { return each.size == 0; })) block_.reset();
}

void UserFacts::merge(const UserFacts& other) {
  UserFacts both;  // in order, so that each fact is the newest of its signal when it comes
  const auto add_range = [&](uint8_t signal) {
    const std::span<const Fact> mine = of(signal);
    const std::span<const Fact> others = other.of(signal);
    for (size_t i = 0, j = 0; i < mine.size() || j < others.size();) {
      const bool take_mine = j == others.size() || (i < mine.size() && before(mine[i], others[j]));
      const std::span<const Fact> from = take_mine ? mine : others;
      const size_t at = take_mine ? i++ : j++;
      both.add(signal, from[at].time, from[at].offset, money_between(from, at, at + 1));
    }
  };
  for (const Range& range : ranges()) add_range(range.signal);
  for (const Range& range : other.ranges())
    if (view(range.signal).range == nullptr) add_range(range.signal);
  *this = std::move(both);
}

std::span<const Fact> UserFacts::of(uint8_t signal) const {
  const auto [range, first] = view(signal);
  return range == nullptr ? std::span<const Fact>() : std::span<const Fact>(first, range->size);
}

/// Room for one more fact of the signal. A range of n facts grows O(log n) times, so that what others cost by moving
/// stays small however long they are.
void UserFacts::grow(uint8_t signal) {
  const std::span<Range> old = ranges();
  const size_t room = block_ == nullptr ? 0 : header().room;
  const auto at = static_cast<size_t>(view(signal).range == nullptr ? old.size() : view(signal).range - old.data());
  const size_t count = std::max(old.size(), at + 1);
  const size_t least = at == old.size() ? 1 : std::max<size_t>(1, old[at].capacity / 2);
  const size_t more = (rounded_up(block_bytes(count, room + least)) - block_bytes(count, room)) / sizeof(Fact);

  UserFacts grown;
  grown.block_.reset(new std::byte[block_bytes(count, room + more)]);
  grown.header() = {static_cast<uint32_t>(count), static_cast<uint32_t>(room + more)};
  const std::span<Range> ranges = grown.ranges();
  std::copy(old.begin(), old.end(), ranges.begin());
  if (at == old.size()) ranges[at] = {signal, 0, 0};
  PERENNIAL_CHECK(ranges[at].capacity + more <= kMostFacts, "{} facts of one user", ranges[at].size + 0U);
  ranges[at].capacity += more;
  const Fact* from = facts();
  Fact* to = grown.facts();
  for (size_t i = 0; i < old.size(); ++i) {
    std::copy_n(from, old[i].size, to);
    from += old[i].capacity;
    to += ranges[i].capacity;
  }
  block_ = std::move(grown.block_);
}

void UserFacts::encode(std::string& out) const {
  std::vector<uint8_t> signals;
  for (const Range& range : ranges())
    if (range.size > 0) signals.push_back(static_cast<uint8_t>(range.signal));
  std::sort(signals.begin(), signals.end());
  put(out, static_cast<uint8_t>(signals.size()));
  for (const uint8_t signal : signals) {
    const std::span<const Fact> all = of(signal);
    put(out, signal);
    put_varint(out, all.size());
    TimeMs time = 0;
    Offset offset = 0;
    int64_t total = 0;
    for (const Fact& fact : all) {
      put_step(out, fact.time, time);
      put_step(out, fact.offset, offset);
      put_step(out, fact.total_minor, total);
    }
  }
}

bool UserFacts::decode(ByteReader& in) {
  block_.reset();
  std::vector<Range> ranges(in.get<uint8_t>());
  std::vector<Fact> facts;
  for (Range& range : ranges) {
    range.signal = in.get<uint8_t>();
    range.size = range.capacity = in.get_varint_count(3) & kMostFacts;
    Fact fact;
    for (uint64_t i = 0; i < range.size; ++i) {
      in.get_step(fact.time);
      in.get_step(fact.offset);
      in.get_step(fact.total_minor);
      facts.push_back(fact);
    }
    if (range.size == 0 || !in.ok()) return false;
  }
  if (ranges.empty() || !in.ok()) return in.ok();
  block_.reset(new std::byte[block_bytes(ranges.size(), facts.size())]);
  header() = {static_cast<uint32_t>(ranges.size()), static_cast<uint32_t>(facts.size())};
  std::copy(ranges.begin(), ranges.end(), this->ranges().begin());
  std::copy(facts.begin(), facts.end(), this->facts());
  return true;
}

}  // namespace perennial
