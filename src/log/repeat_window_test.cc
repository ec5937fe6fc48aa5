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
      ASSERT_EQ(ids.add(id), !known);
      if (known || window == 0) continue;
      model.push_back(id);
      if (static_cast<int64_t>(model.size()) > window) model.pop_front();
    }
    std::vector<MessageId> in_order;
    ids.for_each([&](const MessageId& id) { in_order.push_back(id); });
    EXPECT_TRUE(std::equal(model.begin(), model.end(), in_order.begin(), in_order.end())) << "window " << window;
  }
}

TEST(RepeatWindow, WhatWasAddedCanBeTakenBack) {
  for (const int64_t window : {0, 1, 5, 100}) {
    Random random(static_cast<uint64_t>(window) + 9);
    RepeatWindow ids(window);
    RepeatWindow kept(window);
    for (int round = 0; round < 300; ++round) {
      const bool keeps = random.chance(0.5);
      ids.begin();
      for (uint64_t i = random.below(static_cast<uint64_t>(2 * window + 3)); i > 0; --i) {
        const MessageId id{0, random.below(static_cast<uint64_t>(3 * window + 10))};
        ids.add(id);
        if (keeps) kept.add(id);
      }
      if (!keeps) ids.rollback();
      std::vector<MessageId> left, right;
      ids.for_each([&](const MessageId& id) { left.push_back(id); });
      kept.for_each([&](const MessageId& id) { right.push_back(id); });
      ASSERT_EQ(left, right) << "window " << window << " round " << round;
      for (const MessageId& id : left) ASSERT_TRUE(ids.contains(id));
    }
  }
}

}  // namespace
}  // namespace perennial
