#include "model/transformer.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "base/fetch.h"
#include "kernels/dense.h"

namespace perennial {
namespace {

constexpr double kRotaryBase = 10'000;

/// std::complex's own looks after infinities.
std::complex<double> product(std::complex<double> a, std::complex<double> b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

/// Copies named tensors out of a file, checking shapes and that every value is finite.
class WeightReader {
 public:
  explicit WeightReader(const SafetensorsFile& file) : file_(file) {}

  template <class Floats>
  Status read(const std::string& name, std::vector<int64_t> shape, Floats& out) {
    PERENNIAL_TRY_ASSIGN(const FloatTensor* tensor, file_.find(name, shape));
    for (const float value : tensor->values)
      if (!std::isfinite(value)) return data_loss("checkpoint tensor '{}' holds a value that is not finite", name);
    out.assign(tensor->values.begin(), tensor->values.end());
    return {};
  }

  /// libtorch keeps (out, in); inference wants (in, out).
  Status read_transposed(const std::string& name, int64_t in, int64_t out, std::vector<float>& transposed) {
    std::vector<float> weights;
    PERENNIAL_TRY(read(name, {out, in}, weights));
    transposed.resize(weights.size());
    for (int64_t row = 0; row < out; ++row)
      for (int64_t column = 0; column < in; ++column)
        transposed[static_cast<size_t>(column * out + row)] = weights[static_cast<size_t>(row * in + column)];
    return {};
  }

 private:
  const SafetensorsFile& file_;
};

}  // namespace

class Transformer::Scratch {
 public:
  explicit Scratch(const ModelConfig& config)
      : block_(std::make_unique_for_overwrite<float[]>(7 * static_cast<size_t>(config.width) + config.feed_forward +
                                                       config.window + config.head_width())) {
    float* free = block_.get();
    for (float** part : {&x, &normed, &query, &key, &value, &mixed, &added})
      *part = std::exchange(free, free + config.width);
    hidden = std::exchange(free, free + config.feed_forward);
    weights = std::exchange(free, free + config.window);
    cosine = std::exchange(free, free + config.head_width() / 2);
    sine = free;
  }
  float *x, *normed, *query, *key, *value, *mixed, *added;  // (D)
  float *hidden, *weights;                                  // (feed_forward), (W)
  float *cosine, *sine;                                     // (D / H / 2), of the token's position

 private:
  std::unique_ptr<float[]> block_;
};

void Transformer::Linear::apply(const float* x, float* y) const {
  matvec(x, weights.data(), bias.data(), y, weights.size() / bias.size(), bias.size());
}

void Transformer::Norm::apply(const float* x, float* y) const {
  layer_norm(x, gain.data(), bias.data(), y, gain.size());
}

Transformer::Layout::Layout(const ModelConfig& config) {
  const auto aligned = [](size_t size) { return (size + 63) / 64 * 64; };
  const auto width = static_cast<size_t>(config.width);
  const auto window = static_cast<size_t>(config.window);
  rotations = aligned(width * sizeof(float));
  layers = rotations + aligned(static_cast<size_t>(config.head_width() / 2) * sizeof(std::complex<double>));
  layer_bytes = aligned(2 * window * (width * sizeof(int16_t) + sizeof(float)));
  bytes = layers + static_cast<size_t>(config.layers) * layer_bytes;
}

Transformer::Transformer(ModelConfig config)
    : config_(std::move(config)), layout_(config_), rotations_(config_.head_width()) {
  const int32_t pairs = config_.head_width() / 2;
  for (int32_t i = 0; i < pairs; ++i)
    turns_.push_back(std::polar(1.0, std::pow(kRotaryBase, -static_cast<double>(i) / pairs)));
}

Result<std::unique_ptr<Transformer>> Transformer::create(ModelConfig config, const SafetensorsFile& weights) {
  std::unique_ptr<Transformer> model(new Transformer(std::move(config)));
  PERENNIAL_TRY(model->load(weights));
  return model;
}

Status Transformer::load(const SafetensorsFile& file) {
  WeightReader reader(file);
  const int64_t D = config_.width;
  const auto read_norm = [&](const std::string& name, Norm& norm) -> Status {
    PERENNIAL_TRY(reader.read(name + ".weight", {D}, norm.gain));
    return reader.read(name + ".bias", {D}, norm.bias);
  };
  const auto read_linear = [&](const std::string& name, int64_t in, int64_t out, Linear& linear) -> Status {
    PERENNIAL_TRY(reader.read_transposed(name + ".weight", in, out, linear.weights));
    return reader.read(name + ".bias", {out}, linear.bias);
  };
  PERENNIAL_TRY(reader.read("items.weight", {config_.items, D}, items_));
  PERENNIAL_TRY(reader.read("item_bias", {config_.items}, item_bias_));
  PERENNIAL_TRY(reader.read("types.weight", {config_.types(), D}, types_));
  PERENNIAL_TRY(reader.read("values.weight", {ModelConfig::kValueBuckets, D}, values_));
  PERENNIAL_TRY(reader.read("gaps.weight", {ModelConfig::kGapBuckets, D}, gaps_));
  PERENNIAL_TRY(reader.read("elapsed.weight", {ModelConfig::kGapBuckets, D}, elapsed_));
  PERENNIAL_TRY(reader.read("features", {static_cast<int64_t>(config_.features.size()), D}, features_));
  layers_.resize(static_cast<size_t>(config_.layers));
  for (size_t i = 0; i < layers_.size(); ++i) {
    const std::string prefix = fmt::format("layer_{}.", i);
    Layer& layer = layers_[i];
    PERENNIAL_TRY(read_norm(prefix + "attention_norm", layer.attention_norm));
    PERENNIAL_TRY(read_linear(prefix + "query", D, D, layer.query));
    PERENNIAL_TRY(read_linear(prefix + "key", D, D, layer.key));
    PERENNIAL_TRY(read_linear(prefix + "value", D, D, layer.value));
    PERENNIAL_TRY(read_linear(prefix + "out", D, D, layer.out));
    PERENNIAL_TRY(read_norm(prefix + "feed_forward_norm", layer.feed_forward_norm));
    PERENNIAL_TRY(read_linear(prefix + "up", D, config_.feed_forward, layer.up));
    PERENNIAL_TRY(read_linear(prefix + "down", config_.feed_forward, D, layer.down));
  }
  PERENNIAL_TRY(read_norm("final_norm", final_norm_));
  PERENNIAL_TRY(read_linear("mix_in", D, D, mix_in_));
  PERENNIAL_TRY(read_linear("mix_out", D, D, mix_out_));
  PERENNIAL_TRY(prepare_whole_histories(file));
  if (!config_.forecasts) return {};
  PERENNIAL_TRY_ASSIGN(forecast_head_,
                       ForecastHead::create(*config_.forecasts, config_.width, std::max(1, config_.types()), file));
  return {};
}

size_t Transformer::cache_bytes() const { return layout_.bytes; }

Transformer::Cache Transformer::new_cache() const {
  Cache cache;
  cache.block_.resize(layout_.bytes / sizeof(Cache::Line));
  cache.width_ = static_cast<size_t>(config_.width);
  std::fill_n(rotations_of(cache), turns_.size(), 1.0);
  return cache;
}

float* Transformer::history_vector_of(Cache& cache) const { return reinterpret_cast<float*>(cache.block_.data()); }

std::complex<double>* Transformer::rotations_of(Cache& cache) const {
  return reinterpret_cast<std::complex<double>*>(cache.block_.data() + layout_.rotations / sizeof(Cache::Line));
}

Transformer::LayerCache Transformer::layer_of(Cache& cache, size_t layer) const {
  const size_t W = config_.window;
  const size_t numbers = W * static_cast<size_t>(config_.width);
  auto* const keys = reinterpret_cast<int16_t*>(cache.block_.data() +
                                                (layout_.layers + layer * layout_.layer_bytes) / sizeof(Cache::Line));
  auto* const key_scales = reinterpret_cast<float*>(keys + 2 * numbers);
  return {keys, keys + numbers, key_scales, key_scales + W};
}

void Transformer::embed(const Token& token, int64_t last_time_ms, float* x) const {
  const size_t D = config_.width;
  const auto add = [&](std::span<const float> table, int32_t row, float scale) {
    axpy(scale, table.data() + static_cast<size_t>(row) * D, x, D);
  };
  std::fill_n(x, D, 0.0F);
  if (token.item >= 0 && token.item < config_.items) add(items_, token.item, std::sqrt(static_cast<float>(D)));
  if (token.type >= 0 && token.type < config_.types()) add(types_, token.type, 1);
  add(values_, value_bucket(token.value), 1);
  add(gaps_, gap_bucket(last_time_ms, token.time_ms), 1);
}

void Transformer::rotate(float* vector, const Scratch& scratch) const {
  const size_t pairs = turns_.size();
  for (float* head = vector; head != vector + config_.width; head += 2 * pairs)
    for (size_t i = 0; i < pairs; ++i) {
      const float a = head[i];
      const float b = head[i + pairs];
      head[i] = a * scratch.cosine[i] - b * scratch.sine[i];
      head[i + pairs] = a * scratch.sine[i] + b * scratch.cosine[i];
    }
}

/// Asks for what attend() will read of the cache, if there is such a layer. Inlined for the reason that fetch() is.
[[gnu::always_inline]] inline void Transformer::fetch_layer(const Cache& cache, size_t layer) const {
  if (layer < layers_.size())
    fetch(cache.block_.data() + (layout_.layers + layer * layout_.layer_bytes) / sizeof(Cache::Line),
          layout_.layer_bytes);
}

/// Adds the mean of the heads' weights (W), by slot, unless `attention` is null.
void Transformer::attend(const Layer& layer, Cache& cache, size_t layer_index, Scratch& scratch,
                         float* attention) const {
  const size_t D = config_.width;
  const size_t W = config_.window;
  const size_t head_width = config_.head_width();
  const auto [keys, values, key_scales, value_scales] = layer_of(cache, layer_index);
  const size_t slot = static_cast<size_t>(cache.tokens_) % W;
  layer.query.apply(scratch.normed, scratch.query);
  layer.key.apply(scratch.normed, scratch.key);
  layer.value.apply(scratch.normed, scratch.value);
  rotate(scratch.query, scratch);
  rotate(scratch.key, scratch);
  key_scales[slot] = to_int16(scratch.key, keys + slot, W, D);
  value_scales[slot] = to_int16(scratch.value, values + slot * D, 1, D);
  // Slots of the window in ring order: any order gives the same softmax, and all are full once W tokens have come.
  const size_t visible = std::min(W, static_cast<size_t>(cache.tokens_) + 1);
  const float scale = 1.0F / std::sqrt(static_cast<float>(head_width));
  for (size_t d = 0; d < D; ++d) scratch.query[d] *= scale;
  for (size_t head = 0; head < D; head += head_width) {
    score_columns(scratch.query + head, keys + head * W, W, scratch.weights, head_width, visible);
    for (size_t at = 0; at < visible; ++at) scratch.weights[at] *= key_scales[at];
    softmax(scratch.weights, visible);
    if (attention != nullptr) axpy(1 / static_cast<float>(config_.heads), scratch.weights, attention, visible);
    for (size_t at = 0; at < visible; ++at) scratch.weights[at] *= value_scales[at];
    mix_rows(scratch.weights, values + head, D, scratch.mixed + head, visible, head_width);
  }
}

void Transformer::append(Cache& cache, const Token& token) const { append(cache, token, nullptr); }

std::vector<float> Transformer::attention(std::span<const Token> history) const {
  if (history.empty()) return {};
  Cache cache = read(history.first(history.size() - 1));
  const auto W = static_cast<size_t>(config_.window);
  std::vector<float> by_slot(W);
  append(cache, history.back(), by_slot.data());
  std::vector<float> weights;
  const auto tokens = static_cast<size_t>(cache.tokens_);
  for (size_t token = tokens - std::min(W, tokens); token < tokens; ++token) weights.push_back(by_slot[token % W]);
  return weights;
}

void Transformer::append(Cache& cache, const Token& token, float* attention) const {
  const size_t D = config_.width;
  PERENNIAL_CHECK(cache.block_.size() * sizeof(Cache::Line) == layout_.bytes, "a cache of {} bytes, not {}",
                  cache.block_.size() * sizeof(Cache::Line), layout_.bytes);
  fetch_layer(cache, 0);
  Scratch scratch(config_);
  for (size_t i = 0; i < turns_.size(); ++i) {
    std::complex<double>& rotation = rotations_of(cache)[i];
    scratch.cosine[i] = static_cast<float>(rotation.real());
    scratch.sine[i] = static_cast<float>(rotation.imag());
    rotation = product(rotation, turns_[i]);
  }
  embed(token, cache.last_time_ms_, scratch.x);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    layer.attention_norm.apply(scratch.x, scratch.normed);
    attend(layer, cache, i, scratch, i + 1 == layers_.size() ? attention : nullptr);
    fetch_layer(cache, i + 1);
    layer.out.apply(scratch.mixed, scratch.added);
    axpy(1, scratch.added, scratch.x, D);
    layer.feed_forward_norm.apply(scratch.x, scratch.normed);
    layer.up.apply(scratch.normed, scratch.hidden);
    gelu(scratch.hidden, config_.feed_forward);
    layer.down.apply(scratch.hidden, scratch.added);
    axpy(1, scratch.added, scratch.x, D);
  }
  final_norm_.apply(scratch.x, history_vector_of(cache));
  ++cache.tokens_;
  cache.last_time_ms_ = token.time_ms;
}

void Transformer::user_vector(std::span<const float> h, const ReadInputs& inputs, std::span<float> u) const {
  const size_t D = config_.width;
  std::vector<float> hidden(D);
  std::vector<float> added(D);
  std::copy(h.begin(), h.end(), u.begin());
  if (inputs.elapsed_ms)
    axpy(1, elapsed_.data() + static_cast<size_t>(gap_bucket(0, *inputs.elapsed_ms)) * D, u.data(), D);
  for (const int32_t feature : inputs.features) {
    PERENNIAL_CHECK(feature >= 0 && static_cast<size_t>(feature) < config_.features.size(), "feature {}", feature);
    axpy(1, features_.data() + static_cast<size_t>(feature) * D, u.data(), D);
  }
  mix_in_.apply(u.data(), hidden.data());
  silu(hidden.data(), D);
  mix_out_.apply(hidden.data(), added.data());
  axpy(1, added.data(), u.data(), D);
}

void Transformer::score_items(std::span<const float> u, std::span<float> scores) const {
  PERENNIAL_CHECK(scores.size() == static_cast<size_t>(config_.items), "{} scores for {} items", scores.size(),
                  config_.items);
  score_rows(items_.data(), item_bias_.data(), u.data(), scores.data(), scores.size(), config_.width);
}

float Transformer::score_item(std::span<const float> u, int32_t item) const {
  float score = 0;
  score_some(u, {&item, 1}, {&score, 1});
  return score;
}

void Transformer::score_some(std::span<const float> u, std::span<const int32_t> items, std::span<float> scores) const {
  for (const int32_t item : items)
    PERENNIAL_CHECK(item >= 0 && item < config_.items, "item {} of {}", item, config_.items);
  score_some_rows(items_.data(), item_bias_.data(), u.data(), items.data(), scores.data(), items.size(), config_.width);
}

void Transformer::score(std::span<const Token> history, std::span<float> scores) const {
  if (history.empty()) {
    std::copy(item_bias_.begin(), item_bias_.end(), scores.begin());
    return;
  }
  std::vector<float> u(config_.width);
  user_vector(history_vector(history), {}, u);
  score_items(u, scores);
}

Status Transformer::prepare_whole_histories(const SafetensorsFile& file) {
  shape_ = fused_shape(config_);
  if (!shape_.supported()) return {};
  PERENNIAL_TRY_ASSIGN(kernels_, fused_kernels(Precision::float32));
  pointers_ = {items_.data(),           types_.data(),          values_.data(), gaps_.data(), {},
               final_norm_.gain.data(), final_norm_.bias.data()};
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto weights = [&](const char* name) {  // as the file has them, (out, in); only packing reads them
      return file.tensors.at(fmt::format("layer_{}.{}.weight", i, name)).values.data();
    };
    const Layer& layer = layers_[i];
    pointers_.layers.push_back({layer.attention_norm.gain.data(), layer.attention_norm.bias.data(), weights("query"),
                                layer.query.bias.data(), weights("key"), layer.key.bias.data(), weights("value"),
                                layer.value.bias.data(), weights("out"), layer.out.bias.data(),
                                layer.feed_forward_norm.gain.data(), layer.feed_forward_norm.bias.data(), weights("up"),
                                layer.up.bias.data(), weights("down"), layer.down.bias.data()});
  }
  packed_.resize(kernels_->packed_history_bytes(shape_));
  kernels_->pack_history(shape_, pointers_, packed_.data());
  for (auto& layer : pointers_.layers)
    layer.query = layer.key = layer.value = layer.out = layer.up = layer.down = nullptr;
  rotations_.reach(config_.history_tokens());
  return {};
}

bool Transformer::takes_whole(std::span<const Token> history) const {
  return kernels_ != nullptr && std::all_of(history.begin(), history.end(), [&](const Token& token) {
           return token.item >= 0 && token.item < config_.items && token.type >= 0 && token.type < config_.types();
         });
}

/// h after the last token, which stands until this thread's next call. Fills in the cache, a new one, unless it is
/// null.
std::span<const float> Transformer::read_whole(std::span<const Token> history, Cache* cache) const {
  struct Memory {
    Arena kept, scratch;
    std::vector<int64_t> rows;
  };
  thread_local Memory memory;  // some megabytes that would cost more to map anew than they take to fill
  const size_t n = history.size();
  memory.rows.resize(4 * n);
  int64_t* items = memory.rows.data();
  int64_t* types = items + n;
  int64_t* values = types + n;
  int64_t* gaps = values + n;
  for (size_t i = 0; i < n; ++i) {
    items[i] = history[i].item;
    types[i] = history[i].type;
    values[i] = value_bucket(history[i].value);
    gaps[i] = i == 0 ? 0 : gap_bucket(history[i - 1].time_ms, history[i].time_ms);
  }
  const int64_t starts[] = {0, static_cast<int64_t>(n)};
  const FusedTokens tokens{items, types, values, gaps, starts, 1, rotations_.cosine(), rotations_.sine()};
  memory.kept.reset();
  auto* h = static_cast<float*>(memory.kept.take(n * static_cast<size_t>(config_.width) * sizeof(float)));
  void* saved = memory.kept.take(kernels_->history_saved_bytes(shape_, tokens.size()));
  kernels_->history_forward(shape_, pointers_, packed_.data(), tokens, {}, h, saved, memory.scratch);
  const size_t D = config_.width;
  const std::span<const float> last{h + (n - 1) * D, D};
  if (cache == nullptr) return last;
  const size_t W = config_.window;
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const auto [keys, row_values, stride] =
        kernels_->saved_keys_and_values(shape_, tokens.size(), saved, static_cast<int64_t>(layer));
    const LayerCache its = layer_of(*cache, layer);
    for (size_t t = n - std::min(n, W); t < n; ++t) {
      const size_t slot = t % W;
      const float* key = keys + static_cast<int64_t>(t) * stride;
      const float* value = row_values + static_cast<int64_t>(t) * stride;
      its.key_scales[slot] = to_int16(key, its.keys + slot, W, D);
      its.value_scales[slot] = to_int16(value, its.values + slot * D, 1, D);
    }
  }
  std::ranges::copy(last, history_vector_of(*cache));
  cache->tokens_ = static_cast<int64_t>(n);
  cache->last_time_ms_ = history.back().time_ms;
  for (size_t i = 0; i < turns_.size(); ++i)
    rotations_of(*cache)[i] = std::polar(1.0, static_cast<double>(n) * std::arg(turns_[i]));
  return last;
}

std::span<const Token> Transformer::end_that_matters(std::span<const Token> history) const {
  return history.last(std::min(history.size(), static_cast<size_t>(config_.history_tokens())));
}

std::vector<float> Transformer::history_vector(std::span<const Token> history) const {
  if (history.empty()) return {};
  if (const auto end = end_that_matters(history); takes_whole(end)) {
    const std::span<const float> h = read_whole(end, nullptr);
    return {h.begin(), h.end()};
  }
  const Cache cache = read(history);
  return {cache.history_vector().begin(), cache.history_vector().end()};
}

Transformer::Cache Transformer::read(std::span<const Token> history) const {
  history = end_that_matters(history);
  Cache cache = new_cache();
  if (!history.empty() && takes_whole(history))
    read_whole(history, &cache);
  else
    for (const Token& token : history) append(cache, token);
  return cache;
}

}  // namespace perennial
