#include "training/fused_steps.h"

#include <cmath>

#include "training/transformer_module.h"

namespace perennial {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr size_t kLayerParameters = sizeof(LayerPointers<float>) / sizeof(float*);

template <class Float>
LayerPointers<Float> layer_pointers(Float* const* at) {
  return {at[0], at[1], at[2],  at[3],  at[4],  at[5],  at[6],  at[7],
          at[8], at[9], at[10], at[11], at[12], at[13], at[14], at[15]};
}

template <class Float>
HistoryPointers<Float> history_pointers(const std::vector<Float*>& at) {
  HistoryPointers<Float> pointers{at[0], at[1], at[2], at[3], {}, at[at.size() - 2], at[at.size() - 1]};
  for (size_t i = 4; i + 2 < at.size(); i += kLayerParameters) pointers.layers.push_back(layer_pointers(&at[i]));
  return pointers;
}

template <class Float>
ReadPointers<Float> read_pointers(const std::vector<Float*>& at) {
  return {at[0], at[1], at[2], at[3], at[4], at[5]};
}

std::vector<const float*> values_of(torch::TensorList parameters) {
  std::vector<const float*> pointers;
  for (const Tensor& parameter : parameters) {
    TORCH_CHECK(parameter.is_contiguous() && parameter.scalar_type() == torch::kFloat32,
                "parameters must be plain floats");
    pointers.push_back(parameter.data_ptr<float>());
  }
  return pointers;
}

/// Zeros for each thread, shaped as the parameters; summed into the first thread's when all are done.
class Gradients {
 public:
  /// Parameters at `left_out` have none.
  Gradients(torch::TensorList parameters, size_t threads, int64_t left_out = -1) {
    int64_t floats = 0;
    for (size_t i = 0; i < parameters.size(); ++i)
      if (static_cast<int64_t>(i) != left_out) floats += parameters[i].numel();
    all_ = torch::zeros({static_cast<int64_t>(threads), floats});
    for (size_t thread = 0; thread < threads; ++thread) {
      float* at = all_.data_ptr<float>() + static_cast<int64_t>(thread) * floats;
      pointers_.emplace_back();
      for (size_t i = 0; i < parameters.size(); ++i) {
        const bool none = static_cast<int64_t>(i) == left_out;
        pointers_.back().push_back(none ? nullptr : at);
        if (!none) at += parameters[i].numel();
      }
    }
    for (const Tensor& parameter : parameters) shapes_.push_back(parameter.sizes().vec());
  }

  [[nodiscard]] const std::vector<float*>& of(size_t thread) const { return pointers_[thread]; }

  [[nodiscard]] variable_list sums() const {
    Tensor total = all_[0];
    for (size_t thread = 1; thread < pointers_.size(); ++thread) total.add_(all_[static_cast<int64_t>(thread)]);
    variable_list sums;
    int64_t at = 0;
    for (size_t i = 0; i < shapes_.size(); ++i) {
      if (pointers_[0][i] == nullptr) {
        sums.emplace_back();
        continue;
      }
      const int64_t floats = c10::multiply_integers(shapes_[i]);
      sums.push_back(total.narrow(0, at, floats).view(shapes_[i]));
      at += floats;
    }
    return sums;
  }

 private:
  Tensor all_;
  std::vector<std::vector<float*>> pointers_;
  std::vector<std::vector<int64_t>> shapes_;
};

Tensor bytes(size_t count) { return torch::empty({static_cast<int64_t>(count)}, torch::kUInt8); }

template <class Run>
void on_threads(size_t threads, Run run) {
  at::parallel_for(0, static_cast<int64_t>(threads), 1, [&](int64_t first, int64_t end) {
    for (int64_t thread = first; thread < end; ++thread) run(static_cast<size_t>(thread));
  });
}

/// The rows of a table that a step used, as the gradient of the whole.
Tensor sparse_rows(const Tensor& rows, const Tensor& values, const Tensor& like) {
  return torch::_sparse_coo_tensor_unsafe(rows.unsqueeze(0), values, like.sizes());
}

/// Of a layer over a sequence, forward: its products with weights, and those of each token with all that it sees.
int64_t work_of(const FusedShape& shape, int64_t length) {
  const int64_t D = shape.width;
  const int64_t near = std::min<int64_t>(length, shape.window);
  const int64_t seen = near * (near + 1) / 2 + (length - near) * near;
  return length * (4 * D * D + 2 * D * shape.feed_forward) + seen * 2 * D;
}

}  // namespace

FusedSteps::FusedSteps(const FusedShape& shape, const FusedKernels& kernels)
    : shape_(shape), kernels_(kernels), rotations_(shape.head_width()) {}

/// Shares the batch's sequences out to threads by their products, and sees that the rotation tables are long enough.
void FusedSteps::prepare(const PackedBatch& batch) {
  const auto tokens = batch.items.size(0);
  const int64_t* segment = batch.segment.data_ptr<int64_t>();
  ++batches_;
  std::vector<int64_t> starts = {0};
  int64_t longest = 0;
  int64_t all = 0;  // multiplications and additions of a layer
  std::vector<int64_t> middles;
  for (int64_t t = 1; t <= tokens; ++t) {
    if (t < tokens && segment[t] == segment[t - 1]) continue;
    const int64_t length = t - starts.back();
    const int64_t work = work_of(shape_, length);
    middles.push_back(all + work / 2);
    all += work;
    longest = std::max(longest, length);
    starts.push_back(t);
  }
  starts_.assign(1, {0});
  int64_t thread = 0;
  for (size_t i = 0; i < middles.size(); ++i) {
    const int64_t its = middles[i] * at::get_num_threads() / all;
    if (its > thread && i > 0) starts_.push_back({starts[i]});
    thread = its;
    starts_.back().push_back(starts[i + 1]);
  }
  if (arenas_.size() < starts_.size()) arenas_.resize(starts_.size());
  rotations_.reach(longest);
}

struct FusedHistory : torch::autograd::Function<FusedHistory> {
  struct Call {
    FusedSteps* steps;
    const PackedBatch* batch;
    FusedDropout dropout;
    bool sparse_items;
  };

  static FusedTokens tokens_of(const FusedSteps& steps, const variable_list& tokens, size_t thread) {
    const std::vector<int64_t>& starts = steps.starts_[thread];
    return {tokens[0].data_ptr<int64_t>(),
            tokens[1].data_ptr<int64_t>(),
            tokens[2].data_ptr<int64_t>(),
            tokens[3].data_ptr<int64_t>(),
            starts.data(),
            static_cast<int64_t>(starts.size()) - 1,
            steps.rotations_.cosine(),
            steps.rotations_.sine()};
  }

  static Tensor forward(AutogradContext* context, torch::TensorList parameters, Call call) {
    FusedSteps& steps = *call.steps;
    steps.prepare(*call.batch);
    const auto weights = history_pointers<const float>(values_of(parameters));
    const Tensor packed = bytes(steps.kernels_.packed_history_bytes(steps.shape_));
    steps.kernels_.pack_history(steps.shape_, weights, packed.data_ptr());
    variable_list kept = {call.batch->items, call.batch->types, call.batch->values, call.batch->gaps, packed};
    const Tensor h = torch::empty({call.batch->items.size(0), steps.shape_.width});
    for (size_t thread = 0; thread < steps.starts_.size(); ++thread)
      kept.push_back(bytes(steps.kernels_.history_saved_bytes(steps.shape_, tokens_of(steps, kept, thread).size())));
    on_threads(steps.starts_.size(), [&](size_t thread) {
      const FusedTokens tokens = tokens_of(steps, kept, thread);
      steps.kernels_.history_forward(steps.shape_, weights, packed.data_ptr(), tokens, call.dropout,
                                     h.data_ptr<float>() + tokens.first() * steps.shape_.width,
                                     kept[5 + thread].data_ptr(), steps.arenas_[thread]);
    });
    context->saved_data["steps"] = reinterpret_cast<int64_t>(call.steps);
    context->saved_data["share"] = static_cast<double>(call.dropout.share);
    context->saved_data["batch"] = steps.batches_;
    context->saved_data["seed"] = static_cast<int64_t>(call.dropout.seed);
    context->saved_data["sparse"] = call.sparse_items;
    context->saved_data["kept"] = static_cast<int64_t>(kept.size());
    kept.insert(kept.end(), parameters.begin(), parameters.end());
    context->save_for_backward(kept);
    return h;
  }

  static variable_list backward(AutogradContext* context, variable_list outer) {
    FusedSteps& steps = *reinterpret_cast<FusedSteps*>(context->saved_data["steps"].toInt());
    TORCH_CHECK(context->saved_data["batch"].toInt() == steps.batches_, "another batch went forward since");
    const FusedDropout dropout{static_cast<float>(context->saved_data["share"].toDouble()),
                               static_cast<uint64_t>(context->saved_data["seed"].toInt())};
    const bool sparse = context->saved_data["sparse"].toBool();
    const variable_list saved = context->get_saved_variables();
    const auto parameters = torch::TensorList(saved).slice(static_cast<size_t>(context->saved_data["kept"].toInt()));
    const auto weights = history_pointers<const float>(values_of(parameters));
    const Gradients gradients(parameters, steps.starts_.size(), sparse ? 0 : -1);
    const Tensor dh = outer[0].contiguous().clone();
    on_threads(steps.starts_.size(), [&](size_t thread) {
      const FusedTokens tokens = tokens_of(steps, saved, thread);
      steps.kernels_.history_backward(steps.shape_, weights, saved[4].data_ptr(), tokens, dropout,
                                      dh.data_ptr<float>() + tokens.first() * steps.shape_.width,
                                      saved[5 + thread].data_ptr(), history_pointers<float>(gradients.of(thread)),
                                      steps.arenas_[thread]);
    });
    variable_list results = gradients.sums();
    if (sparse)
      results[0] = sparse_rows(saved[0], dh.mul_(std::sqrt(static_cast<double>(steps.shape_.width))), parameters[0]);
    results.emplace_back();  // of the call
    return results;
  }
};

struct FusedLoss : torch::autograd::Function<FusedLoss> {
  struct Call {
    FusedSteps* steps;
    const PackedBatch* batch;
    int64_t negatives;
  };

  static Tensor forward(AutogradContext* context, const Tensor& h, torch::TensorList read, const Tensor& items,
                        const Tensor& bias, Call call) {
    FusedSteps& steps = *call.steps;
    const FusedKernels& kernels = steps.kernels_;
    const PackedBatch& batch = *call.batch;
    const FusedShape& shape = steps.shape_;
    const bool sampled = call.negatives > 0;
    const Tensor sample =
        sampled ? std::get<0>(torch::randint(items.size(0), {call.negatives}, torch::kInt64).sort()) : Tensor();
    const SoftmaxItems softmax{
        items.data_ptr<float>(), bias.data_ptr<float>(), sampled ? call.negatives : items.size(0),
        sampled ? sample.data_ptr<int64_t>() : nullptr,
        sampled ? std::log(static_cast<float>(items.size(0)) / static_cast<float>(call.negatives)) : 0};
    const auto read_weights = read_pointers<const float>(values_of(read));
    const Tensor packed_read = bytes(kernels.packed_read_bytes(shape));
    const Tensor packed_items = bytes(kernels.packed_softmax_bytes(shape, softmax.count));
    kernels.pack_read(shape, read_weights, packed_read.data_ptr());

    std::vector<int64_t> tokens, targets;
    const int64_t* all_targets = batch.targets.data_ptr<int64_t>();
    for (int64_t t = 0; t < batch.targets.size(0); ++t) {
      if (all_targets[t] < 0) continue;
      tokens.push_back(t);
      targets.push_back(all_targets[t]);
    }
    const auto count = static_cast<int64_t>(tokens.size());
    const auto threads = static_cast<size_t>(std::clamp<int64_t>(count, 1, at::get_num_threads()));
    if (steps.arenas_.size() < threads) steps.arenas_.resize(threads);
    on_threads(threads, [&](size_t part) {
      kernels.pack_softmax(shape, softmax, part, threads, packed_items.data_ptr(), steps.arenas_[part]);
    });
    const Tensor dh = torch::zeros_like(h);
    const Gradients read_gradients(read, threads);
    const Tensor candidate_rows = sampled ? torch::empty({softmax.count, shape.width}) : items;
    const Tensor candidate_bias = sampled ? torch::empty({softmax.count}) : bias;
    const Gradients candidates({candidate_rows, candidate_bias}, threads);
    const Tensor of_targets = sampled ? torch::empty({count, shape.width}) : Tensor();
    const Tensor bias_of_targets = sampled ? torch::empty({count}) : Tensor();
    std::vector<double> losses(threads);
    on_threads(threads, [&](size_t thread) {
      const int64_t first = count * static_cast<int64_t>(thread) / static_cast<int64_t>(threads);
      const int64_t end = count * static_cast<int64_t>(thread + 1) / static_cast<int64_t>(threads);
      const LossRows rows{tokens.data() + first,
                          targets.data() + first,
                          end - first,
                          h.data_ptr<float>(),
                          batch.elapsed.data_ptr<int64_t>(),
                          batch.feature_ids.data_ptr<int64_t>(),
                          batch.feature_starts.data_ptr<int64_t>(),
                          h.size(0),
                          batch.feature_ids.size(0)};
      SoftmaxGradients gradients{candidates.of(thread)[0], candidates.of(thread)[1]};
      if (sampled) {
        gradients.targets = of_targets.data_ptr<float>() + first * shape.width;
        gradients.target_bias = bias_of_targets.data_ptr<float>() + first;
      }
      losses[thread] =
          kernels.next_item_loss(shape, read_weights, packed_read.data_ptr(), softmax, packed_items.data_ptr(), rows,
                                 1 / static_cast<float>(std::max<int64_t>(1, count)), dh.data_ptr<float>(),
                                 read_pointers<float>(read_gradients.of(thread)), gradients, steps.arenas_[thread]);
    });
    variable_list results = {dh};
    for (const Tensor& gradient : read_gradients.sums()) results.push_back(gradient);
    const variable_list sums = candidates.sums();
    if (sampled) {
      const Tensor ids = torch::cat({sample, torch::tensor(targets, torch::kInt64)});
      results.push_back(sparse_rows(ids, torch::cat({sums[0], of_targets}), items));
      results.push_back(torch::zeros_like(bias).index_add_(0, ids, torch::cat({sums[1], bias_of_targets})));
    } else {
      results.insert(results.end(), sums.begin(), sums.end());
    }
    context->saved_data["gradients"] = std::vector<Tensor>(results);
    double loss = 0;
    for (const double part : losses) loss += part;
    return torch::tensor(count > 0 ? loss / static_cast<double>(count) : 0.0, torch::kFloat32);
  }

  static variable_list backward(AutogradContext* context, variable_list outer) {
    variable_list results = context->saved_data["gradients"].toTensorVector();
    if (outer[0].item<float>() != 1)
      for (Tensor& gradient : results) gradient = gradient * outer[0];
    results.emplace_back();  // of the call
    return results;
  }
};

Tensor FusedSteps::history_vectors(torch::TensorList parameters, const PackedBatch& batch, FusedDropout dropout,
                                   bool sparse_items) {
  return FusedHistory::apply(parameters, FusedHistory::Call{this, &batch, dropout, sparse_items});
}

Tensor FusedSteps::next_item_loss(const Tensor& h, torch::TensorList read, const Tensor& items, const Tensor& bias,
                                  const PackedBatch& batch, int64_t negatives) {
  return FusedLoss::apply(h, read, items, bias, FusedLoss::Call{this, &batch, negatives});
}

}  // namespace perennial
