#include "training/linear.h"

#include <cmath>

namespace perennial {

LinearImpl::LinearImpl(int64_t in, int64_t out, Precision precision_in, double scale) : precision(precision_in) {
  weight = register_parameter("weight", torch::randn({out, in}) * (scale / std::sqrt(static_cast<double>(in))));
  bias = register_parameter("bias", torch::zeros({out}));
}

torch::Tensor LinearImpl::forward(const torch::Tensor& x) {
  if (precision == Precision::float32) return torch::linear(x, weight, bias);
  return torch::linear(x.to(torch::kBFloat16), weight.to(torch::kBFloat16)).to(torch::kFloat32) + bias;
}

}  // namespace perennial
