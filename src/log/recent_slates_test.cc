#include "log/recent_slates.h"

#include <gtest/gtest.h>

#include <deque>
#include <utility>

#include "base/random.h"

namespace perennial {
namespace {

/// Beside a queue that is searched from end to end.
TEST(RecentSlates, HoldsTheNewestByNumberAndByBytesButForWhatWasForgotten) {
  constexpr size_t kMost = 50;
  constexpr size_t kMostBytes = 20'000;
  RecentSlates recent(kMost, kMostBytes);
  std::deque<std::pair<MessageId, std::string>> plain;  // empty text: forgotten before its turn
  Random random(1);
  const auto bytes = [&] {
    size_t sum = 0;
    for (const auto& [id, text] : plain) sum += text.size();
    return sum;
  };
  for (int step = 0; step < 5000; ++step) {
    if (random.chance(0.1)) {
      const std::string user(1, static_cast<char>('a' + random.below(5)));
      recent.forget_if([&](std::string_view text) { return text.starts_with(user); });
      for (auto& [id, text] : plain)
        if (text.starts_with(user)) text.clear();
    }
    const MessageId id{random.next(), random.next()};
    const std::string text(random.chance(0.02) ? 6000 : 1 + random.below(600),
                           static_cast<char>('a' + random.below(5)));
    recent.add(id, text);
    recent.add(id, "not twice");
    plain.emplace_back(id, text);
    while (plain.size() > kMost || bytes() > kMostBytes) plain.pop_front();
    for (const auto& [known, kept] : plain) ASSERT_EQ(recent.find(known).value_or(""), kept) << "step " << step;
    ASSERT_FALSE(recent.find({1, random.next()}).has_value());
    ASSERT_LE(recent.capacity(), 3 * kMostBytes) << "also after large ones";
  }
}

}  // namespace
}  // namespace perennial
