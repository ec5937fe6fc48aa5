// Members together against each of them alone.
#include "model/ensemble.h"

#include <gtest/gtest.h>

#include "model/random_weights.h"

namespace perennial {
namespace {

constexpr uint64_t kSeeds[] = {3, 4, 5};

ModelConfig config_of(int32_t members) {
  ModelConfig config = small_config();
  config.members = members;
  return config;
}

SafetensorsFile weights_of(const ModelConfig& config) {
  SafetensorsFile all;
  for (int32_t member = 0; member < config.members; ++member)
    for (auto& [name, tensor] : random_weights(config, kSeeds[member]).tensors)
      all.tensors.emplace(member_prefix(member) + name, tensor);
  return all;
}

std::vector<std::unique_ptr<Transformer>> members_alone(const ModelConfig& config) {
  std::vector<std::unique_ptr<Transformer>> members;
  for (int32_t member = 0; member < config.members; ++member)
    members.push_back(Transformer::create(config, random_weights(config, kSeeds[member])).value());
  return members;
}

const std::vector<Token> kHistory = {
    {.item = 3, .type = 0, .value = 4, .time_ms = 1'000'000},
    {.item = 7, .type = 1, .time_ms = 1'060'000},
    {.item = -1, .type = 0, .time_ms = 1'070'000},
    {.item = 19, .type = 0, .value = 1, .time_ms = 9'000'000},
};

TEST(Ensemble, ScoresAreTheMeanOfTheMembersAndVectorsTheirsEndToEnd) {
  for (const int32_t count : {1, 3}) {
    SCOPED_TRACE(count);
    const ModelConfig config = config_of(count);
    const auto ensemble = Ensemble::create(config, weights_of(config));
    ASSERT_TRUE(ensemble.ok()) << ensemble.status().message();
    const auto members = members_alone(config);
    const size_t D = static_cast<size_t>(config.width);
    ASSERT_EQ((*ensemble)->vector_width(), members.size() * D);

    Ensemble::Cache cache = (*ensemble)->new_cache();
    for (const Token& token : kHistory) (*ensemble)->append(cache, token);
    const std::vector<float> h = (*ensemble)->history_vector(kHistory);
    ASSERT_EQ(h.size(), members.size() * D);
    const ReadInputs inputs{.elapsed_ms = 60'000, .features = {0}};
    std::vector<float> u(h.size());
    (*ensemble)->user_vector(h, inputs, u);
    std::vector<float> scores(20), by_history(20), empty(20);
    (*ensemble)->score_items(u, scores);
    const Ensemble::JoinedItems joined = (*ensemble)->joined_items();
    for (int32_t item = 0; item < 20; ++item) {
      const auto at = static_cast<size_t>(item);
      EXPECT_EQ((*ensemble)->score_item(u, item), scores[at]) << item;
      const int32_t two[] = {item, 0};
      float some[2] = {};
      (*ensemble)->score_some(u, two, some);
      EXPECT_EQ(some[0], scores[at]) << item;
      EXPECT_EQ(some[1], scores[0]) << item;
      double sum = joined.biases[at];
      for (size_t d = 0; d < u.size(); ++d) sum += static_cast<double>(joined.vectors[at * u.size() + d]) * u[d];
      EXPECT_NEAR(sum, scores[at], 1e-5) << item;
    }
    const Ensemble::Cache read = (*ensemble)->read(kHistory);
    for (size_t d = 0; d < h.size(); ++d) EXPECT_NEAR(read.history_vector()[d], h[d], 2e-5) << d;
    (*ensemble)->score(kHistory, by_history);
    (*ensemble)->score({}, empty);

    std::vector<double> want(20), want_by_history(20), want_empty(20);
    for (size_t m = 0; m < members.size(); ++m) {
      const std::vector<float> own_h = members[m]->history_vector(kHistory);
      std::vector<float> own_u(D), own(20);
      members[m]->user_vector(own_h, inputs, own_u);
      for (size_t d = 0; d < D; ++d) {
        EXPECT_NEAR(cache.history_vector()[m * D + d], own_h[d], 1e-5);
        EXPECT_EQ(h[m * D + d], own_h[d]);
        EXPECT_EQ(u[m * D + d], own_u[d]);
      }
      const auto add_to = [&](std::vector<double>& sums) {
        for (size_t i = 0; i < sums.size(); ++i) sums[i] += own[i] / static_cast<double>(members.size());
      };
      members[m]->score_items(own_u, own);
      add_to(want);
      members[m]->score(kHistory, own);
      add_to(want_by_history);
      members[m]->score({}, own);
      add_to(want_empty);
    }
    for (size_t i = 0; i < want.size(); ++i) {
      EXPECT_NEAR(scores[i], want[i], 1e-5);
      EXPECT_NEAR(by_history[i], want_by_history[i], 1e-5);
      EXPECT_NEAR(empty[i], want_empty[i], 1e-5);
    }
  }
}

TEST(Ensemble, ForecastsAreTheMeanOfTheMembers) {
  ModelConfig config = config_of(3);
  EXPECT_FALSE(Ensemble::create(config, weights_of(config)).value()->forecast({}, {}).has_value()) << "without a head";
  config.forecasts = ForecastHeadConfig{.features = {"age", "orders"},
                                        .hazard_days = {7, 30},
                                        .outcomes = {"upgrade_90d"},
                                        .spend = "spend",
                                        .definition_digest = "d"};
  const auto ensemble = Ensemble::create(config, weights_of(config));
  ASSERT_TRUE(ensemble.ok()) << ensemble.status().message();
  const std::vector<double> features = {12, 3};
  for (const auto& history : {kHistory, std::vector<Token>()}) {
    HeadForecast want{.survival = {0, 0}, .outcomes = {0}};
    for (const auto& member : members_alone(config)) {
      const HeadForecast own = member->forecast_head()->read(member->history_vector(history), features);
      for (size_t i = 0; i < 2; ++i) want.survival[i] += own.survival[i] / 3;
      want.outcomes[0] += own.outcomes[0] / 3;
      want.spend += own.spend / 3;
      want.spends += own.spends / 3;
    }
    const auto forecast = (*ensemble)->forecast((*ensemble)->history_vector(history), features);
    ASSERT_TRUE(forecast.has_value());
    for (size_t i = 0; i < 2; ++i) EXPECT_NEAR(forecast->survival[i], want.survival[i], 1e-9);
    EXPECT_NEAR(forecast->outcomes[0], want.outcomes[0], 1e-9);
    EXPECT_NEAR(forecast->spend, want.spend, 1e-9 * want.spend);
    EXPECT_NEAR(forecast->spends, want.spends, 1e-9);
  }
}

TEST(Ensemble, AMemberWithoutItsTensorsIsRefusedAndNamed) {
  const ModelConfig config = config_of(3);
  SafetensorsFile weights = weights_of(config);
  weights.tensors.erase("member_2.mix_in.bias");
  const auto made = Ensemble::create(config, weights);
  EXPECT_EQ(made.status().code(), Code::data_loss);
  EXPECT_NE(made.status().message().find("member 3 of 3"), std::string::npos) << made.status().message();
  EXPECT_NE(made.status().message().find("mix_in.bias"), std::string::npos) << made.status().message();
}

TEST(Ensemble, TheNumberOfMembersOutlivesTheConfigAndOlderOnesHaveOne) {
  ModelConfig config = config_of(3);
  config.id = "x";
  EXPECT_EQ(parse_model_config(to_json(config))->members, 3);
  std::string older = to_json(config);
  older.erase(older.find("\"members\":3,"), 12);
  EXPECT_EQ(parse_model_config(older)->members, 1);
}

}  // namespace
}  // namespace perennial
