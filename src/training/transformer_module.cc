#include "training/transformer_module.h"

#include <cmath>

#include "model/transformer.h"
#include "training/softmax_loss.h"

namespace perennial {
namespace {

using torch::Tensor;
using torch::indexing::Slice;

constexpr double kRotaryBase = 10'000;
constexpr double kInitialDeviation = 0.02;
constexpr int64_t kBlock = 64;  // queries of one attention block

int64_t blocks_back(int64_t window) { return (window - 1 + kBlock - 1) / kBlock; }

/// x (N, ...) with zero rows up to a multiple of the block.
Tensor pad_rows(const Tensor& x, int64_t front, int64_t back) {
  if (front == 0 && back == 0) return x;
  std::vector<int64_t> padding(static_cast<size_t>(2 * (x.dim() - 1)), 0);
  padding.insert(padding.end(), {front, back});
  return torch::constant_pad_nd(x, padding, 0);
}

/// (rows, H, d) -> (blocks, H, keys of a block, d): each block sees itself and `back` blocks before it.
Tensor banded(const Tensor& x, int64_t back) {
  return pad_rows(x, back * kBlock, 0).unfold(0, (back + 1) * kBlock, kBlock).permute({0, 1, 3, 2});
}

/// (blocks, 1, kBlock, keys): 0 where the query may look, -inf elsewhere.
Tensor attention_mask(const Tensor& segment, int64_t window, int64_t back) {
  const int64_t blocks = segment.size(0) / kBlock;
  const Tensor queries = segment.view({blocks, kBlock, 1});
  const Tensor keys =
      torch::constant_pad_nd(segment, {back * kBlock, 0}, -2).unfold(0, (back + 1) * kBlock, kBlock).unsqueeze(1);
  const Tensor distance =
      torch::arange(kBlock).unsqueeze(1) + back * kBlock - torch::arange((back + 1) * kBlock).unsqueeze(0);
  const Tensor visible = (queries == keys) & ((distance >= 0) & (distance < window)).unsqueeze(0);
  return torch::zeros(visible.sizes()).masked_fill_(visible.logical_not(), -INFINITY).unsqueeze(1);
}

/// x (N, H, d), cosine and sine (N, 1, d/2): the first half of each head's width is paired with the second.
Tensor rotary(const Tensor& x, const Tensor& cosine, const Tensor& sine) {
  const auto halves = x.chunk(2, -1);
  return torch::cat({halves[0] * cosine - halves[1] * sine, halves[0] * sine + halves[1] * cosine}, -1);
}

}  // namespace

TransformerModuleImpl::TransformerModuleImpl(const ModelConfig& config, Precision precision, double dropout,
                                             const FusedKernels* kernels)
    : config_(config), precision_(precision), dropout_(dropout) {
  const int64_t D = config.width;
  const auto table = [&](const char* name, int64_t rows) {
    auto embedding = register_module(name, torch::nn::Embedding(std::max<int64_t>(rows, 1), D));
    torch::NoGradGuard no_grad;
    embedding->weight.normal_(0, kInitialDeviation);
    return embedding;
  };
  items_ = table("items", config.items);
  types_ = table("types", config.types());
  values_ = table("values", ModelConfig::kValueBuckets);
  gaps_ = table("gaps", ModelConfig::kGapBuckets);
  elapsed_ = table("elapsed", ModelConfig::kGapBuckets);
  features_ = register_parameter("features", torch::zeros({static_cast<int64_t>(config.features.size()), D}));
  item_bias_ = register_parameter("item_bias", torch::zeros({config.items}));
  const double residual_scale = 1 / std::sqrt(2.0 * config.layers);
  for (int32_t i = 0; i < config.layers; ++i) {
    auto parts = register_module(fmt::format("layer_{}", i), std::make_shared<torch::nn::Module>());
    Layer layer;
    layer.attention_norm =
        parts->register_module("attention_norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({D})));
    layer.query = parts->register_module("query", Linear(D, D, precision));
    layer.key = parts->register_module("key", Linear(D, D, precision));
    layer.value = parts->register_module("value", Linear(D, D, precision));
    layer.out = parts->register_module("out", Linear(D, D, precision, residual_scale));
    layer.feed_forward_norm =
        parts->register_module("feed_forward_norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({D})));
    layer.up = parts->register_module("up", Linear(D, config.feed_forward, precision));
    layer.down = parts->register_module("down", Linear(config.feed_forward, D, precision, residual_scale));
    layers_.push_back(layer);
  }
  final_norm_ = register_module("final_norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({D})));
  mix_in_ = register_module("mix_in", Linear(D, D, precision));
  mix_out_ = register_module("mix_out", Linear(D, D, precision, 0));
  if (config.forecasts)
    forecast_ = register_module("forecast", ForecastModule(*config.forecasts, D, std::max(1, config.types())));
  const FusedShape shape = fused_shape(config);
  if (kernels != nullptr && shape.supported()) fused_ = std::make_unique<FusedSteps>(shape, *kernels);
}

void TransformerModuleImpl::point_items(const Tensor& directions) {
  const torch::NoGradGuard no_grad;
  const double length = kInitialDeviation * std::sqrt(static_cast<double>(config_.width));
  const Tensor known = directions.norm(2, 1, true) > 0;
  items_->weight.copy_(torch::where(known, directions * length, items_->weight));
}

std::vector<Tensor> TransformerModuleImpl::history_parameters() const {
  std::vector<Tensor> parameters = {items_->weight, types_->weight, values_->weight, gaps_->weight};
  for (const Layer& layer : layers_)
    for (const Tensor& parameter :
         {layer.attention_norm->weight, layer.attention_norm->bias, layer.query->weight, layer.query->bias,
          layer.key->weight, layer.key->bias, layer.value->weight, layer.value->bias, layer.out->weight,
          layer.out->bias, layer.feed_forward_norm->weight, layer.feed_forward_norm->bias, layer.up->weight,
          layer.up->bias, layer.down->weight, layer.down->bias})
      parameters.push_back(parameter);
  parameters.insert(parameters.end(), {final_norm_->weight, final_norm_->bias});
  return parameters;
}

std::vector<Tensor> TransformerModuleImpl::read_parameters() const {
  return {elapsed_->weight, features_, mix_in_->weight, mix_in_->bias, mix_out_->weight, mix_out_->bias};
}

Tensor TransformerModuleImpl::drop(const Tensor& x) {
  return is_training() && dropout_ > 0 ? torch::dropout(x, dropout_, true) : x;
}

Tensor TransformerModuleImpl::attention(Layer& layer, const Tensor& normed, const Tensor& mask, const Tensor& cosine,
                                        const Tensor& sine) {
  const int64_t rows = normed.size(0);
  const int64_t back = blocks_back(config_.window);
  const auto heads = [&](const Tensor& x) { return x.view({rows, config_.heads, config_.head_width()}); };
  const Tensor query =
      rotary(heads(layer.query(normed)), cosine, sine) / std::sqrt(static_cast<double>(config_.head_width()));
  const Tensor key = banded(rotary(heads(layer.key(normed)), cosine, sine), back);
  const Tensor value = banded(heads(layer.value(normed)), back);
  const Tensor scores = torch::matmul(query.view({-1, kBlock, config_.heads, config_.head_width()}).transpose(1, 2),
                                      key.transpose(-1, -2));
  const Tensor mixed = torch::matmul(torch::softmax(scores + mask, -1), value);
  return layer.out(mixed.transpose(1, 2).reshape({rows, config_.width}));
}

Tensor TransformerModuleImpl::history_vectors(const PackedBatch& batch, bool sparse_items) {
  if (!fused_) return composed_history(batch);
  const bool drops = is_training() && dropout_ > 0;
  const FusedDropout dropout{
      drops ? static_cast<float>(dropout_) : 0,
      drops ? static_cast<uint64_t>(torch::randint(INT64_MAX, {1}, torch::kInt64).item<int64_t>()) : 0};
  return fused_->history_vectors(history_parameters(), batch, dropout, sparse_items);
}

Tensor TransformerModuleImpl::composed_history(const PackedBatch& batch) {
  const int64_t tokens = batch.items.size(0);
  const int64_t padding = (kBlock - tokens % kBlock) % kBlock;
  Tensor x = items_(batch.items) * std::sqrt(static_cast<double>(config_.width)) + types_(batch.types) +
             values_(batch.values) + gaps_(batch.gaps);
  x = drop(pad_rows(x, 0, padding));
  const Tensor mask = attention_mask(torch::constant_pad_nd(batch.segment, {0, padding}, -1), config_.window,
                                     blocks_back(config_.window));
  const int64_t pairs = config_.head_width() / 2;
  const Tensor frequency = torch::pow(kRotaryBase, -torch::arange(pairs, torch::kFloat64) / pairs);
  const Tensor angle = (torch::arange(tokens + padding, torch::kFloat64).unsqueeze(1) * frequency).unsqueeze(1);
  const Tensor cosine = torch::cos(angle).to(torch::kFloat32);
  const Tensor sine = torch::sin(angle).to(torch::kFloat32);
  for (Layer& layer : layers_) {
    x = x + drop(attention(layer, layer.attention_norm(x), mask, cosine, sine));
    x = x + drop(layer.down(torch::gelu(layer.up(layer.feed_forward_norm(x)))));
  }
  return final_norm_(x).index({Slice(0, tokens)});
}

Tensor TransformerModuleImpl::user_vectors(const Tensor& h, const PackedBatch& batch, const Tensor& rows) {
  Tensor u = h;
  const Tensor elapsed = batch.elapsed.index_select(0, rows);
  u = u + elapsed_(elapsed) * (elapsed > 0).unsqueeze(1);  // bucket 0 is "unknown" and adds nothing
  if (batch.feature_ids.size(0) > 0) {
    const Tensor sums = std::get<0>(torch::embedding_bag(features_, batch.feature_ids, batch.feature_starts));
    u = u + sums.index_select(0, rows);
  }
  return u + mix_out_(torch::silu(mix_in_(u)));
}

TransformerModuleImpl::Loss TransformerModuleImpl::loss(const PackedBatch& batch, int64_t shared_negatives) {
  const bool sampled = shared_negatives > 0 && shared_negatives < config_.items;
  const Tensor h = history_vectors(batch, sampled);
  Loss loss{fused_ ? fused_->next_item_loss(h, read_parameters(), items_->weight, item_bias_, batch,
                                            sampled ? shared_negatives : 0)
                   : composed_loss(h, batch, sampled ? shared_negatives : 0),
            {}};
  if (forecast_.is_empty()) return loss;
  loss.forecast = forecast_->next_type_loss(h, batch.next_types);
  if (batch.queries.size() > 0) loss.forecast = loss.forecast + forecast_->loss(h, batch.queries);
  return loss;
}

Tensor TransformerModuleImpl::composed_loss(const Tensor& h, const PackedBatch& batch, int64_t shared_negatives) {
  const Tensor rows = torch::nonzero(batch.targets >= 0).squeeze(1);
  if (rows.size(0) == 0) return torch::zeros({});
  const Tensor targets = batch.targets.index_select(0, rows);
  const Tensor u = user_vectors(h.index_select(0, rows), batch, rows);
  if (shared_negatives > 0)
    return sampled_softmax_loss(u, items_->weight, item_bias_, targets, shared_negatives, precision_);
  return full_softmax_loss(u, items_->weight, item_bias_, targets, precision_);
}

SafetensorsFile TransformerModuleImpl::export_weights(const std::map<std::string, Tensor>& instead) const {
  SafetensorsFile file;
  const auto add = [&file](const std::string& name, const Tensor& source) {
    const Tensor values = source.detach().to(torch::kCPU, torch::kFloat32).contiguous();
    FloatTensor& tensor = file.tensors[name];
    tensor.shape = values.sizes().vec();
    tensor.values.assign(values.data_ptr<float>(), values.data_ptr<float>() + values.numel());
  };
  for (const auto& parameter : named_parameters()) {
    const auto other = instead.find(parameter.key());
    add(parameter.key(), other == instead.end() ? parameter.value() : other->second);
  }
  for (const auto& buffer : named_buffers()) add(buffer.key(), buffer.value());
  return file;
}

}  // namespace perennial
