// A model over a log that has grown: what it is told of a moment reaches it, and what it does not know ranks last.
#include "evaluation/model_scorer.h"

#include <gtest/gtest.h>

#include "model/random_weights.h"

namespace perennial {
namespace {

class ModelScorerTest : public testing::Test {
 protected:
  ModelScorerTest() {
    ModelConfig config = small_config();
    model_.ensemble = Ensemble::create(config, random_weights(config, 5)).value();
    for (int32_t item = 0; item < config.items; ++item) model_.item_names.push_back(fmt::format("item-{}", item));
    dataset_.item_names = model_.item_names;
    dataset_.item_names.emplace_back("new");
    dataset_.items = config.items + 1;
    dataset_.event_types = {"order", "gift", "view"};  // the model calls view 0, order 1
  }

  std::vector<float> scores_at(const RequestMoment& moment) const {
    std::vector<float> scores(static_cast<size_t>(dataset_.items));
    make_model_scorer(model_, dataset_, "m").value()->score_at(history_, moment, scores);
    return scores;
  }

  std::vector<float> expected(const ReadInputs& inputs) const {
    const std::vector<Token> history = {{.item = 3, .type = 0, .time_ms = 1'000'000},
                                        {.item = 7, .type = -1, .time_ms = 1'500'000},
                                        {.item = -1, .type = 1, .time_ms = 2'000'000}};
    std::vector<float> u(model_.ensemble->vector_width()), scores(20);
    model_.ensemble->user_vector(model_.ensemble->history_vector(history), inputs, u);
    model_.ensemble->score_items(u, scores);
    scores.push_back(std::numeric_limits<float>::lowest());
    return scores;
  }

  StoredModel model_;
  Dataset dataset_;
  std::vector<Token> history_ = {{.item = 3, .type = 2, .time_ms = 1'000'000},
                                 {.item = 7, .type = 1, .time_ms = 1'500'000},
                                 {.item = 20, .type = 0, .time_ms = 2'000'000}};
};

TEST_F(ModelScorerTest, TypesAndItemsAreJoinedByName) { EXPECT_EQ(scores_at({}), expected({})); }

TEST_F(ModelScorerTest, WhatIsKnownOfTheMomentReachesTheModel) {
  EXPECT_EQ(scores_at({.time_ms = 2'090'000, .features = {"trait:unknown=1", "device:mobile"}}),
            expected({.elapsed_ms = 90'000, .features = {0}}));
  EXPECT_NE(scores_at({.time_ms = 2'090'000, .features = {}}), expected({})) << "the elapsed time matters";
  EXPECT_EQ(scores_at({.time_ms = 1'999'999, .features = {}}), expected({.elapsed_ms = 0})) << "never before the last";
  history_.back().time_ms = kNoTime;
  EXPECT_EQ(scores_at({.time_ms = 2'090'000, .features = {}}), scores_at({})) << "since when is not known";
}

TEST_F(ModelScorerTest, AnEmptyHistoryScoresTheItemBiases) {
  history_.clear();
  std::vector<float> biases(20);
  model_.ensemble->score({}, biases);
  biases.push_back(std::numeric_limits<float>::lowest());
  EXPECT_EQ(scores_at({.time_ms = 5, .features = {"device:mobile"}}), biases);
}

TEST_F(ModelScorerTest, AModelOfAnotherLogIsRefused) {
  dataset_.item_names[4] = "another";
  EXPECT_FALSE(make_model_scorer(model_, dataset_, "m").ok());
}

}  // namespace
}  // namespace perennial
