#include "training/softmax_loss.h"

#include <cmath>

namespace perennial {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kTileRows = 512;  // a tile's logits stay in the caches: 512 x 3,416 floats are 7 MB

/// Of operands that may be rounded; the result never is.
Tensor product(const Tensor& a, const Tensor& b, torch::ScalarType type) { return torch::matmul(a, b).to(type); }

/// Cross-entropy where logits are u items^T + bias + offset, and column `target_columns` of each row is right. The
/// gradient is computed with the value, tile by tile, and only scaled in backward.
class TiledCrossEntropy : public torch::autograd::Function<TiledCrossEntropy> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& u, const Tensor& items, const Tensor& bias,
                        const Tensor& targets, bool bfloat16) {
    const auto type = bfloat16 ? torch::kBFloat16 : u.scalar_type();
    const int64_t rows = u.size(0);
    const Tensor items_cast = items.to(type);
    const Tensor u_cast = u.to(type);
    Tensor gradient_u = torch::empty_like(u);
    Tensor gradient_items = torch::zeros_like(items);
    Tensor gradient_bias = torch::zeros_like(bias);
    double loss = 0;
    for (int64_t start = 0; start < rows; start += kTileRows) {
      const int64_t count = std::min(kTileRows, rows - start);
      const Tensor tile = u_cast.narrow(0, start, count);
      const Tensor target = targets.narrow(0, start, count).unsqueeze(1);
      Tensor logits = product(tile, items_cast.t(), u.scalar_type()).add_(bias);
      Tensor log_probability = torch::log_softmax(logits, 1);
      loss -= log_probability.gather(1, target).sum(torch::kFloat64).item<double>();
      Tensor gradient = log_probability.exp_();
      gradient.scatter_add_(1, target, torch::full({count, 1}, -1.0, gradient.options()));
      gradient.div_(static_cast<double>(rows));
      gradient_bias += gradient.sum(0);
      const Tensor gradient_cast = gradient.to(type);
      gradient_u.narrow(0, start, count).copy_(torch::matmul(gradient_cast, items_cast));
      gradient_items += product(gradient_cast.t(), tile, u.scalar_type());
    }
    context->save_for_backward({gradient_u, gradient_items, gradient_bias});
    return torch::tensor(rows > 0 ? loss / static_cast<double>(rows) : 0.0, u.scalar_type());
  }

  static variable_list backward(AutogradContext* context, variable_list outer) {
    const auto saved = context->get_saved_variables();
    return {saved[0] * outer[0], saved[1] * outer[0], saved[2] * outer[0], Tensor(), Tensor()};
  }
};

}  // namespace

Tensor full_softmax_loss(const Tensor& u, const Tensor& items, const Tensor& bias, const Tensor& targets,
                         Precision precision) {
  return TiledCrossEntropy::apply(u, items, bias, targets, precision == Precision::bfloat16);
}

Tensor sampled_softmax_loss(const Tensor& u, const Tensor& items, const Tensor& bias, const Tensor& targets,
                            int64_t negatives, Precision precision) {
  const int64_t V = items.size(0);
  const Tensor drawn = torch::randint(V, {negatives}, torch::kInt64);
  const auto type = precision == Precision::bfloat16 ? torch::kBFloat16 : u.scalar_type();
  const Tensor right = (u * items.index_select(0, targets)).sum(1, true) + bias.index_select(0, targets).unsqueeze(1);
  const Tensor wrong = product(u.to(type), items.index_select(0, drawn).to(type).t(), u.scalar_type()) +
                       bias.index_select(0, drawn) + std::log(static_cast<double>(V) / static_cast<double>(negatives));
  const Tensor masked = wrong.masked_fill(drawn.unsqueeze(0) == targets.unsqueeze(1), -INFINITY);
  return (torch::logsumexp(torch::cat({right, masked}, 1), 1) - right.squeeze(1)).mean();
}

}  // namespace perennial
