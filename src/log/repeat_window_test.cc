#include "log/repeat_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/random.h"

namespace perennial {
namespace {

TEST(RepeatWindow, AgreesWithADequeUnderRandomAdds) {
  for (const int64_t window : {0, 1, 2, 7, 100, 1000}) {
    RepeatWindow ids(window);
    std::deque<MessageId> model;
    Random random(static_cast<uint64_t>(window));
    for (int i = 0; i < 5000; ++i) {
      const MessageId id{random.below(3), random.below(static_cast<uint64_t>(window) + 50)};
      const bool known = std::find(model.begin(), model.end(), id) != model.end();
      ASSERT_EQ(ids.contains(id), known) << "window " << window << " step " << i;
      ids.add(id);
      if (known || window == 0) continue;
      model.push_back(id);
      if (static_cast<int64_t>(model.size()) > window) model.pop_front();
    }
    std::vector<MessageId> in_order;
    ids.for_each([&](const MessageId& id) { in_order.push_back(id); });
    EXPECT_TRUE(std::equal(model.begin(), model.end(), in_order.begin(), in_order.end())) << "window " << window;
  }
}

TEST(RepeatWindow, ClearForgetsAll) {
  RepeatWindow ids(1 << 20);
  for (uint64_t i = 0; i < 10'000; ++i) ids.add({i, ~i});
  ids.clear();
  EXPECT_EQ(ids.size(), 0U);
  for (uint64_t i = 0; i < 10'000; ++i) ASSERT_FALSE(ids.contains({i, ~i})) << i;
  ids.add({5, 6});
  EXPECT_TRUE(ids.contains({5, 6}));
}

}  // namespace
}  // namespace perennial
