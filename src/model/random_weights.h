// For tests: a small shape, and weights in which every number matters.
#pragma once

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "base/safetensors.h"
#include "model/config.h"

namespace perennial {

inline ModelConfig small_config() {
  ModelConfig config;
  config.items = 20;
  config.width = 8;
  config.layers = 2;
  config.heads = 2;
  config.window = 4;
  config.feed_forward = 12;
  config.event_types = {"view", "order"};
  config.features = {"device:mobile"};
  return config;
}

/// Every tensor that a Transformer of that shape wants.
inline SafetensorsFile random_weights(const ModelConfig& config, uint64_t seed) {
  Random random(seed);
  SafetensorsFile file;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    FloatTensor& tensor = file.tensors[name];
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    tensor.shape = std::move(shape);
    for (int64_t i = 0; i < count; ++i) tensor.values.push_back(static_cast<float>(0.4 * random.normal()));
  };
  const int64_t D = config.width;
  const auto linear = [&](const std::string& name, int64_t in, int64_t out) {
    add(name + ".weight", {out, in});
    add(name + ".bias", {out});
  };
  const auto norm = [&](const std::string& name) {
    add(name + ".weight", {D});
    add(name + ".bias", {D});
  };
  add("items.weight", {config.items, D});
  add("item_bias", {config.items});
  add("types.weight", {config.types(), D});
  add("values.weight", {ModelConfig::kValueBuckets, D});
  add("gaps.weight", {ModelConfig::kGapBuckets, D});
  add("elapsed.weight", {ModelConfig::kGapBuckets, D});
  add("features", {static_cast<int64_t>(config.features.size()), D});
  for (int i = 0; i < config.layers; ++i) {
    const std::string prefix = fmt::format("layer_{}.", i);
    norm(prefix + "attention_norm");
    norm(prefix + "feed_forward_norm");
    for (const char* name : {"query", "key", "value", "out"}) linear(prefix + name, D, D);
    linear(prefix + "up", D, config.feed_forward);
    linear(prefix + "down", config.feed_forward, D);
  }
  norm("final_norm");
  linear("mix_in", D, D);
  linear("mix_out", D, D);
  if (!config.forecasts) return file;
  const auto F = static_cast<int64_t>(config.forecasts->features.size());
  add("forecast.mean", {F});
  add("forecast.scale", {F});
  for (float& scale : file.tensors["forecast.scale"].values) scale = 1 + std::abs(scale);
  linear("forecast.in", D + F, ForecastHeadConfig::kHidden);
  linear("forecast.out", ForecastHeadConfig::kHidden, config.forecasts->outputs());
  add("forecast.wide", {config.forecasts->outputs(), F});
  linear("forecast.next_type", D, std::max(1, config.types()));
  return file;
}

}  // namespace perennial
