// The forward pass against a second one, written from the formulas in transformer.h in double over the whole history at
// once, without a cache; and what create() must refuse.
#include "model/transformer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/random_weights.h"

namespace perennial {
namespace {

using Row = std::vector<double>;

/// The formulas, plainly.
class Reference {
 public:
  Reference(const ModelConfig& config, const SafetensorsFile& file) : config_(config), file_(file) {}

  Row history_vector(const std::vector<Token>& history) const {
    std::vector<Row> x;
    for (size_t t = 0; t < history.size(); ++t) x.push_back(embed(history, t));
    for (int layer = 0; layer < config_.layers; ++layer) {
      const std::string prefix = fmt::format("layer_{}.", layer);
      std::vector<Row> query, key, value;
      for (size_t t = 0; t < x.size(); ++t) {
        const Row normed = norm(prefix + "attention_norm", x[t]);
        query.push_back(rotate(linear(prefix + "query", normed), t));
        key.push_back(rotate(linear(prefix + "key", normed), t));
        value.push_back(linear(prefix + "value", normed));
      }
      for (size_t t = 0; t < x.size(); ++t) {
        add(x[t], linear(prefix + "out", attend(query[t], key, value, t)));
        Row hidden = linear(prefix + "up", norm(prefix + "feed_forward_norm", x[t]));
        for (double& h : hidden) h *= 0.5 * std::erfc(-h / std::sqrt(2.0));
        add(x[t], linear(prefix + "down", hidden));
      }
    }
    return norm("final_norm", x.back());
  }

  Row user_vector(Row u, std::optional<int64_t> elapsed_ms, bool mobile) const {
    if (elapsed_ms) add(u, row("elapsed.weight", gap_bucket(0, *elapsed_ms)));
    if (mobile) add(u, row("features", 0));
    Row hidden = linear("mix_in", u);
    for (double& h : hidden) h /= 1 + std::exp(-h);
    add(u, linear("mix_out", hidden));
    return u;
  }

  double score(const Row& u, int32_t item) const {
    double sum = file_.tensors.at("item_bias").values[static_cast<size_t>(item)];
    const Row vector = row("items.weight", item);
    for (size_t d = 0; d < u.size(); ++d) sum += u[d] * vector[d];
    return sum;
  }

 private:
  static void add(Row& x, const Row& y) {
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }
  Row row(const std::string& name, int32_t index) const {
    const FloatTensor& tensor = file_.tensors.at(name);
    const auto width = static_cast<size_t>(tensor.shape[1]);
    const auto begin = tensor.values.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(index) * width);
    return Row(begin, begin + static_cast<ptrdiff_t>(width));
  }
  Row linear(const std::string& name, const Row& x) const {
    const std::vector<float>& bias = file_.tensors.at(name + ".bias").values;
    Row y(bias.begin(), bias.end());
    for (size_t o = 0; o < y.size(); ++o) {
      const Row weights = row(name + ".weight", static_cast<int32_t>(o));
      for (size_t i = 0; i < x.size(); ++i) y[o] += weights[i] * x[i];
    }
    return y;
  }
  Row norm(const std::string& name, const Row& x) const {
    double mean = 0;
    double variance = 0;
    for (const double value : x) mean += value / static_cast<double>(x.size());
    for (const double value : x) variance += (value - mean) * (value - mean) / static_cast<double>(x.size());
    Row y(x.size());
    for (size_t i = 0; i < x.size(); ++i)
      y[i] = (x[i] - mean) / std::sqrt(variance + 1e-5) * file_.tensors.at(name + ".weight").values[i] +
             file_.tensors.at(name + ".bias").values[i];
    return y;
  }
  Row embed(const std::vector<Token>& history, size_t t) const {
    const Token& token = history[t];
    Row x(static_cast<size_t>(config_.width), 0.0);
    if (token.item >= 0) {
      x = row("items.weight", token.item);
      for (double& value : x) value *= std::sqrt(static_cast<double>(config_.width));
    }
    if (token.type >= 0) add(x, row("types.weight", token.type));
    add(x, row("values.weight", std::isnan(token.value) ? 0 : 1 + static_cast<int32_t>(token.value)));
    add(x, row("gaps.weight", t == 0 ? 0 : gap_bucket(history[t - 1].time_ms, token.time_ms)));
    return x;
  }
  Row rotate(Row x, size_t position) const {
    const int32_t pairs = config_.head_width() / 2;
    for (int32_t head = 0; head < config_.heads; ++head)
      for (int32_t i = 0; i < pairs; ++i) {
        const double angle = static_cast<double>(position) * std::pow(10'000.0, -static_cast<double>(i) / pairs);
        double& a = x[static_cast<size_t>(head * 2 * pairs + i)];
        double& b = x[static_cast<size_t>(head * 2 * pairs + i + pairs)];
        const Row turned = {a * std::cos(angle) - b * std::sin(angle), a * std::sin(angle) + b * std::cos(angle)};
        a = turned[0];
        b = turned[1];
      }
    return x;
  }
  Row attend(const Row& query, const std::vector<Row>& key, const std::vector<Row>& value, size_t t) const {
    Row mixed(query.size(), 0.0);
    const auto width = static_cast<size_t>(config_.head_width());
    const size_t first = t + 1 > static_cast<size_t>(config_.window) ? t + 1 - static_cast<size_t>(config_.window) : 0;
    for (size_t head = 0; head < query.size(); head += width) {
      Row weights;
      double sum = 0;
      for (size_t s = first; s <= t; ++s) {
        double product = 0;
        for (size_t d = 0; d < width; ++d) product += query[head + d] * key[s][head + d];
        weights.push_back(std::exp(product / std::sqrt(static_cast<double>(width))));
        sum += weights.back();
      }
      for (size_t s = first; s <= t; ++s)
        for (size_t d = 0; d < width; ++d) mixed[head + d] += weights[s - first] / sum * value[s][head + d];
    }
    return mixed;
  }

  const ModelConfig& config_;
  const SafetensorsFile& file_;
};

std::vector<Token> random_history(Random& random, size_t length, int32_t items) {
  std::vector<Token> history;
  int64_t time = 1'700'000'000'000;
  for (size_t i = 0; i < length; ++i) {
    time += static_cast<int64_t>(random.below(500'000'000));
    Token token;
    token.item = random.chance(0.9) ? static_cast<int32_t>(random.below(static_cast<uint64_t>(items))) : -1;
    token.type = static_cast<int32_t>(random.below(3)) - 1;
    if (random.chance(0.5)) token.value = static_cast<float>(random.below(6));
    if (random.chance(0.8)) token.time_ms = time;
    history.push_back(token);
  }
  return history;
}

TEST(Transformer, AppendingTokensEqualsTheFormulasForEveryLength) {
  const ModelConfig config = small_config();
  const SafetensorsFile weights = random_weights(config, 1);
  const auto model = Transformer::create(config, weights);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const Reference reference(config, weights);
  Random random(2);
  const std::vector<Token> history = random_history(random, 15, config.items);
  Transformer::Cache cache = (*model)->new_cache();
  for (size_t length = 1; length <= history.size(); ++length) {
    (*model)->append(cache, history[length - 1]);
    const Row want = reference.history_vector({history.begin(), history.begin() + static_cast<ptrdiff_t>(length)});
    for (size_t d = 0; d < want.size(); ++d)
      ASSERT_NEAR(cache.history_vector()[d], want[d], 2e-5) << length << " " << d;
  }
  EXPECT_EQ(cache.tokens(), 15);
}

TEST(Transformer, WholeHistoriesEqualTheFormulasAndAppendingForEveryLength) {
  ModelConfig config = small_config();
  config.width = 32;
  config.feed_forward = 48;
  config.window = 19;
  config.layers = 3;  // reads the last 56
  const SafetensorsFile weights = random_weights(config, 11);
  const auto model = Transformer::create(config, weights);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const Reference reference(config, weights);
  Random random(12);
  std::vector<Token> history = random_history(random, 90, config.items);
  for (const bool unknown_items : {false, true}) {
    for (Token& token : history) {
      if (unknown_items && random.chance(0.1)) token.item = -1;
      if (!unknown_items) token.item = std::max(0, token.item);
      if (!unknown_items) token.type = std::max(0, token.type);
    }
    Transformer::Cache cache = (*model)->new_cache();
    for (size_t length = 1; length <= history.size(); ++length) {
      (*model)->append(cache, history[length - 1]);
      const std::vector<float> got = (*model)->history_vector(std::span(history).first(length));
      const bool expensive = length % 7 > 1;
      const Row want =
          expensive ? Row()
                    : reference.history_vector({history.begin(), history.begin() + static_cast<ptrdiff_t>(length)});
      for (size_t d = 0; d < got.size(); ++d) {
        ASSERT_NEAR(got[d], cache.history_vector()[d], 5e-5) << length << " " << d;
        ASSERT_NEAR(got[d], expensive ? got[d] : want[d], 5e-5) << length << " " << d;
      }
    }
  }
}

TEST(Transformer, ACacheReadAtOnceGoesOnLikeOneThatWasAppendedTo) {
  ModelConfig config = small_config();
  config.width = 32;
  config.feed_forward = 48;
  config.window = 19;
  config.layers = 3;
  const auto model = Transformer::create(config, random_weights(config, 21));
  ASSERT_TRUE(model.ok()) << model.status().message();
  Random random(22);
  std::vector<Token> history = random_history(random, 90, config.items);
  for (const bool unknown_items : {false, true}) {
    for (Token& token : history) {
      if (!unknown_items) token.item = std::max(0, token.item);
      if (unknown_items && random.chance(0.1)) token.item = -1;
      token.type = std::max(0, token.type);
    }
    for (const size_t length : {0, 1, 2, 18, 19, 20, 37, 55, 56, 57, 70}) {
      Transformer::Cache appended = (*model)->new_cache();
      for (size_t t = 0; t < length; ++t) (*model)->append(appended, history[t]);
      Transformer::Cache read = (*model)->read(std::span(history).first(length));
      for (size_t t = length; t < history.size(); ++t) {
        (*model)->append(appended, history[t]);
        (*model)->append(read, history[t]);
        for (size_t d = 0; d < 32; ++d)
          ASSERT_NEAR(read.history_vector()[d], appended.history_vector()[d], 5e-5) << length << " " << t << " " << d;
      }
    }
  }
}

TEST(Transformer, ReadTimeInputsAndScoresEqualTheFormulas) {
  const ModelConfig config = small_config();
  const SafetensorsFile weights = random_weights(config, 3);
  const auto model = Transformer::create(config, weights);
  ASSERT_TRUE(model.ok());
  const Reference reference(config, weights);
  Random random(4);
  const std::vector<Token> history = random_history(random, 3, config.items);
  Transformer::Cache cache = (*model)->new_cache();
  for (const Token& token : history) (*model)->append(cache, token);
  std::vector<float> u(static_cast<size_t>(config.width));
  std::vector<float> scores(static_cast<size_t>(config.items));
  (*model)->user_vector(cache.history_vector(), {.elapsed_ms = 3'600'000, .features = {0}}, u);
  (*model)->score_items(u, scores);
  const Row want = reference.user_vector(reference.history_vector(history), 3'600'000, true);
  for (int32_t item = 0; item < config.items; ++item)
    EXPECT_NEAR(scores[static_cast<size_t>(item)], reference.score(want, item), 1e-4) << item;
}

TEST(Transformer, RefusesMissingMisshapenAndNonFiniteTensorsByName) {
  const ModelConfig config = small_config();
  for (const char* name : {"items.weight", "layer_1.up.weight", "mix_out.bias"}) {
    SafetensorsFile missing = random_weights(config, 5);
    missing.tensors.erase(name);
    const auto without = Transformer::create(config, missing);
    EXPECT_EQ(without.status().code(), Code::data_loss);
    EXPECT_NE(without.status().message().find(name), std::string::npos);
    for (const float bad : {NAN, INFINITY}) {
      SafetensorsFile poisoned = random_weights(config, 5);
      poisoned.tensors[name].values.back() = bad;
      EXPECT_EQ(Transformer::create(config, poisoned).status().code(), Code::data_loss) << name << " " << bad;
    }
  }
  ModelConfig wider = config;
  wider.items = 21;
  EXPECT_EQ(Transformer::create(wider, random_weights(config, 5)).status().code(), Code::data_loss);
}

TEST(ModelConfig, SurvivesItsJson) {
  ModelConfig config = small_config();
  config.id = "m1";
  config.holdout = {.kind = Holdout::Kind::time,
                    .log_offset = 77,
                    .roles_digest = "r",
                    .before_ms = 5,
                    .newest_time_ms = 4,
                    .validate_from_ms = 2,
                    .test_from_ms = 3};
  const auto parsed = parse_model_config(to_json(config));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(to_json(*parsed), to_json(config));
  EXPECT_EQ(parsed->holdout, config.holdout);
}

TEST(ModelConfig, GapBucketsAreLogarithmicAndKnowTheUnknown) {
  constexpr int64_t kUnknown = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(gap_bucket(kUnknown, 5), 0);
  EXPECT_EQ(gap_bucket(5, kUnknown), 0);
  EXPECT_EQ(gap_bucket(0, 999), 1);
  EXPECT_EQ(gap_bucket(0, 1'000), 2);
  EXPECT_EQ(gap_bucket(0, 3'000), 3);
  EXPECT_EQ(gap_bucket(5'000, 0), 1) << "a gap below zero counts as none";
  EXPECT_EQ(gap_bucket(0, std::numeric_limits<int64_t>::max()), ModelConfig::kGapBuckets - 1);
}

}  // namespace
}  // namespace perennial
