// For tests: the smallest model that serves.
#pragma once

#include <string>
#include <vector>

#include "base/safetensors.h"
#include "model/model_folder.h"

namespace perennial {

/// A model of one layer whose weights are all zero but for the items' biases, made current: it ranks by them.
inline Status publish_bias_model(const fs::path& data_folder, const std::string& id,
                                 const std::vector<std::string>& items, const std::vector<float>& biases) {
  ModelConfig config;
  config.id = id;
  config.items = static_cast<int32_t>(items.size());
  config.width = 2;
  config.layers = 1;
  config.heads = 1;
  config.window = 2;
  config.feed_forward = 1;
  config.event_types = {"Product Viewed"};
  SafetensorsFile weights;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    size_t count = 1;
    for (const int64_t extent : shape) count *= static_cast<size_t>(extent);
    weights.tensors[name] = {std::move(shape), std::vector<float>(count, 0.0F)};
  };
  const auto add_linear = [&](const std::string& name, int64_t in, int64_t out) {
    add(name + ".weight", {out, in});
    add(name + ".bias", {out});
  };
  add("items.weight", {config.items, 2});
  weights.tensors["item_bias"] = {{config.items}, biases};
  add("types.weight", {1, 2});
  add("values.weight", {ModelConfig::kValueBuckets, 2});
  for (const char* name : {"gaps.weight", "elapsed.weight"}) add(name, {ModelConfig::kGapBuckets, 2});
  add("features", {0, 2});
  for (const char* name : {"layer_0.attention_norm", "layer_0.feed_forward_norm", "final_norm"}) {
    add(std::string(name) + ".weight", {2});
    add(std::string(name) + ".bias", {2});
  }
  for (const char* name : {"layer_0.query", "layer_0.key", "layer_0.value", "layer_0.out", "mix_in", "mix_out"})
    add_linear(name, 2, 2);
  add_linear("layer_0.up", 2, 1);
  add_linear("layer_0.down", 1, 2);
  return save_model(data_folder, config, weights, items, "");
}

}  // namespace perennial
