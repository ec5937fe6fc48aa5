#include "recommend/explanation.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/temporary_folder.h"
#include "model/random_weights.h"

namespace perennial {
namespace {

constexpr TimeMs kNow = 1'700'000'000'000;
constexpr int kItems = 30;

/// A random model of two layers that look back over four tokens each.
class ExplanationTest : public ::testing::Test {
 protected:
  ExplanationTest() {
    types_.add("view");
    ModelConfig config;
    config.id = "random";
    config.width = 16;
    config.heads = 2;
    config.layers = 2;
    config.window = 4;
    config.feed_forward = 32;
    config.items = kItems;
    config.event_types = {"view"};
    std::vector<std::string> names;
    for (int item = 0; item < kItems; ++item) names.push_back(fmt::format("item-{}", items_.add(std::to_string(item))));
    StoredModel stored;
    stored.ensemble = Ensemble::create(config, random_weights(config, 3)).value();
    for (int item = 0; item < kItems; ++item) stored.item_names.push_back(std::to_string(item));
    model_ = ServingModel::create(std::move(stored), items_, types_).value();
  }

  static Profile profile_of(const std::vector<ItemId>& items) {
    Profile profile;
    for (const ItemId item : items) {
      HistoryToken& token = profile.history.emplace_back();
      token.item = item;
      token.type = 0;
      token.time = kNow - 1'000'000 * static_cast<TimeMs>(items.size() - profile.history.size() + 1);
    }
    return profile;
  }

  [[nodiscard]] float score(const Profile& profile, ItemId item) const {
    ReadInputs inputs;
    if (!profile.history.empty()) inputs.elapsed_ms = kNow - profile.history.back().time;
    std::vector<float> u(model_->ensemble().vector_width());
    model_->ensemble().user_vector(model_->history_vector(profile), inputs, u);
    return model_->ensemble().score_item(u, static_cast<int32_t>(item));
  }

  /// By ranking anew without each item, one after the other.
  [[nodiscard]] std::map<ItemId, float> slowly(const Profile& profile, ItemId item) const {
    std::map<ItemId, float> causes;
    for (const HistoryToken& token : profile.history) {
      const ItemId cause = token.item;
      const float by = score(profile, item) - score(without_items(profile, std::span(&cause, 1)), item);
      if (by > 0 && cause != item) causes[cause] = by;
    }
    return causes;
  }

  Dictionary items_, types_;
  std::shared_ptr<const ServingModel> model_;
};

TEST_F(ExplanationTest, CausesAreWhatRankingAnewWithoutEachItemFinds) {
  Random random(4);
  for (int round = 0; round < 40; ++round) {
    std::vector<ItemId> items;
    const size_t length = 1 + random.below(7);  // all of it can matter: 2 x (4 - 1) + 2
    for (size_t i = 0; i < length; ++i) items.push_back(static_cast<ItemId>(random.below(6)));
    const Profile profile = profile_of(items);
    const Removals removals(*model_, profile, {.elapsed_ms = 1'000'000, .features = {}}, kNow);
    for (ItemId item = 0; item < kItems; item += 3) {
      const std::map<ItemId, float> want = slowly(profile, item);
      const std::vector<Cause> got = removals.causes(item, 100);
      float last = INFINITY;
      for (const Cause& cause : got) {
        ASSERT_TRUE(want.contains(cause.item) || cause.by < 1e-3F);
        ASSERT_NEAR(cause.by, want.contains(cause.item) ? want.at(cause.item) : 0, 1e-3F);
        ASSERT_LE(cause.by, last);
        last = cause.by;
      }
      for (const auto& [cause, by] : want)
        ASSERT_TRUE(by < 1e-3F || std::ranges::find(got, cause, &Cause::item) != got.end());
      ASSERT_EQ(removals.causes(item, 2).size(), std::min<size_t>(2, got.size()));
    }
  }
}

TEST_F(ExplanationTest, OfLongHistoriesTheNewestEventsAreTakenAway) {
  std::vector<ItemId> items;
  for (int i = 0; i < 100; ++i) items.push_back(static_cast<ItemId>(i % 7 == 0 ? 1 : i % kItems));
  const Profile profile = profile_of(items);
  const Removals removals(*model_, profile, {}, kNow);
  size_t checked = 0;
  for (const Cause& cause : removals.causes(5, 100)) {
    Profile rest = profile;
    size_t place = 0;
    std::erase_if(rest.history,
                  [&](const HistoryToken& token) { return place++ >= 100 - 48 && token.item == cause.item; });
    EXPECT_NEAR(cause.by, score(profile, 5) - score(rest, 5), 1e-3);
    ++checked;
  }
  EXPECT_GT(checked, 0U);
}

TEST_F(ExplanationTest, AttentionIsAShareOfTheWindow) {
  const Profile profile = profile_of({1, 2, 3, 4, 5, 6});
  const std::vector<float> weights = model_->ensemble().attention(model_->tokens_of(profile));
  ASSERT_EQ(weights.size(), 4U);
  float sum = 0;
  for (const float weight : weights) sum += weight;
  EXPECT_NEAR(sum, 1, 1e-5);
  EXPECT_EQ(model_->ensemble().attention(model_->tokens_of(profile_of({1}))), std::vector<float>{1});
  EXPECT_TRUE(model_->ensemble().attention({}).empty());
}

}  // namespace
}  // namespace perennial
