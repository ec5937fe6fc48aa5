#include "model/model_folder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/temporary_folder.h"
#include "model/random_weights.h"

namespace perennial {
namespace {

TEST(ModelFolder, AModelInHalvesScoresAlmostAsItself) {
  const TemporaryFolder folder;
  ModelConfig config = small_config();
  std::vector<std::string> names;
  for (int item = 0; item < config.items; ++item) names.push_back(fmt::format("item-{}", item));
  const std::vector<Token> history = {{.item = 3, .time_ms = 1'000'000}, {.item = 7, .time_ms = 2'000'000}};
  std::map<NumberType, std::vector<float>> scores;
  std::map<NumberType, uintmax_t> sizes;
  for (const NumberType type : {NumberType::float32, NumberType::bfloat16}) {
    config.id = type == NumberType::float32 ? "whole" : "halves";
    ASSERT_TRUE(save_model(folder.path(), config, random_weights(config, 1), names, "", type).ok());
    const Result<StoredModel> model = load_model(folder.path(), config.id);
    ASSERT_TRUE(model.ok()) << model.status().message();
    const std::vector<float> h = model->ensemble->history_vector(history);
    std::vector<float> u(h.size());
    model->ensemble->user_vector(h, {}, u);
    scores[type].resize(static_cast<size_t>(config.items));
    model->ensemble->score_items(u, scores[type]);
    sizes[type] = fs::file_size(folder.path() / "models" / config.id / "model.safetensors");
  }
  EXPECT_LT(sizes[NumberType::bfloat16], sizes[NumberType::float32] * 3 / 4);
  float most = 0;
  float moved = 0;
  for (size_t item = 0; item < names.size(); ++item) {
    most = std::max(most, std::abs(scores[NumberType::float32][item]));
    moved = std::max(moved, std::abs(scores[NumberType::float32][item] - scores[NumberType::bfloat16][item]));
  }
  EXPECT_GT(moved, 0);
  EXPECT_LT(moved, most / 20);
}

}  // namespace
}  // namespace perennial
