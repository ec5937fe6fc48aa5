#include "training/optimizer.h"

#include <algorithm>
#include <cmath>

namespace perennial {
namespace {

constexpr int64_t kFloatsOfAThread = 1 << 16;
constexpr int64_t kMostBetween = 8;  // steps, of which a long average takes up the last: neighbours hardly differ

constexpr double kMomentum = 0.95;

bool is_hidden_matrix(const std::string& name, const torch::Tensor& parameter) {
  return name.starts_with("layer_") && parameter.dim() == 2;
}

}  // namespace

torch::Tensor orthogonalised(const torch::Tensor& matrix) {
  const bool tall = matrix.size(0) > matrix.size(1);
  torch::Tensor x = tall ? matrix.t() : matrix;
  x = x / (x.norm() + 1e-7);
  for (int i = 0; i < 5; ++i) {
    const torch::Tensor a = torch::matmul(x, x.t());
    const torch::Tensor b = a * -4.7750 + torch::matmul(a, a) * 2.0315;
    x = x * 3.4445 + torch::matmul(b, x);
  }
  return tall ? x.t() : x;
}

Optimizer::Optimizer(const torch::OrderedDict<std::string, torch::Tensor>& parameters, AdamWStep options,
                     double muon_rate)
    : options_(options), muon_rate_(muon_rate) {
  options_.step = 0;
  for (const auto& parameter : parameters) {
    const torch::Tensor zeros = torch::zeros_like(parameter.value().detach());
    const bool muon = muon_rate > 0 && is_hidden_matrix(parameter.key(), parameter.value());
    slots_.push_back({parameter.key(), parameter.value(), zeros, muon ? torch::Tensor() : zeros.clone()});
  }
}

void Optimizer::step(double rate) {
  const torch::NoGradGuard no_grad;
  ++options_.step;
  AdamWStep step = options_;
  step.learning_rate *= static_cast<float>(rate);
  std::vector<Slot*> matrices;
  for (Slot& slot : slots_) {
    torch::Tensor& gradient = slot.parameter.mutable_grad();
    if (!slot.square.defined()) {
      matrices.push_back(&slot);
      continue;
    }
    if (gradient.defined() && gradient.is_sparse())
      move_rows(step, slot, gradient.coalesce());
    else
      move_all(step, slot, gradient.defined() ? gradient.contiguous() : torch::zeros_like(slot.parameter));
    gradient.reset();
  }
  const auto count = static_cast<int64_t>(matrices.size());
  at::parallel_for(0, count, 1, [&](int64_t first, int64_t end) {  // each is too small for two threads
    const torch::NoGradGuard none_here_either;
    for (int64_t i = first; i < end; ++i) {
      torch::Tensor& gradient = matrices[static_cast<size_t>(i)]->parameter.mutable_grad();
      move_orthogonally(rate * muon_rate_, *matrices[static_cast<size_t>(i)], gradient);
      gradient.reset();
    }
  });
}

void Optimizer::move_all(const AdamWStep& step, Slot& slot, const torch::Tensor& gradient) {
  at::parallel_for(0, slot.parameter.numel(), kFloatsOfAThread, [&](int64_t first, int64_t end) {
    adamw(step, gradient.data_ptr<float>() + first, slot.parameter.data_ptr<float>() + first,
          slot.mean.data_ptr<float>() + first, slot.square.data_ptr<float>() + first, static_cast<size_t>(end - first));
  });
}

void Optimizer::move_rows(const AdamWStep& step, Slot& slot, const torch::Tensor& gradient) {
  const torch::Tensor rows = gradient.indices()[0].contiguous();
  const torch::Tensor values = gradient.values().contiguous();
  const int64_t width = slot.parameter.size(1);
  at::parallel_for(0, rows.size(0), std::max<int64_t>(1, kFloatsOfAThread / width), [&](int64_t first, int64_t end) {
    for (int64_t i = first; i < end; ++i) {
      const int64_t at = rows.data_ptr<int64_t>()[i] * width;
      adamw(step, values.data_ptr<float>() + i * width, slot.parameter.data_ptr<float>() + at,
            slot.mean.data_ptr<float>() + at, slot.square.data_ptr<float>() + at, static_cast<size_t>(width));
    }
  });
}

void Optimizer::move_orthogonally(double rate, Slot& slot, const torch::Tensor& gradient) const {
  if (!gradient.defined()) return;
  slot.mean.lerp_(gradient, 1 - kMomentum);
  const torch::Tensor ahead = torch::lerp(gradient, slot.mean, kMomentum);
  const double rows = static_cast<double>(gradient.size(0));
  const double columns = static_cast<double>(gradient.size(1));
  const double scale = std::sqrt(std::max(1.0, rows / columns));
  slot.parameter.mul_(1 - rate * options_.weight_decay).add_(orthogonalised(ahead), -rate * scale);
}

void Optimizer::save(torch::serialize::OutputArchive& archive) const {
  archive.write("step", c10::IValue(options_.step));
  for (const Slot& slot : slots_) {
    archive.write(slot.name + ".mean", slot.mean, /*is_buffer=*/true);
    if (slot.square.defined()) archive.write(slot.name + ".square", slot.square, /*is_buffer=*/true);
  }
}

void Optimizer::load(torch::serialize::InputArchive& archive) {
  c10::IValue step;
  archive.read("step", step);
  std::vector<Slot> read = slots_;
  for (Slot& slot : read) {
    const auto read_moment = [&](const char* name, torch::Tensor& moment) {
      torch::Tensor values;
      archive.read(slot.name + name, values, /*is_buffer=*/true);
      TORCH_CHECK(values.sizes() == slot.parameter.sizes(), "moments of ", slot.name, " have another shape");
      moment = values;
    };
    read_moment(".mean", slot.mean);
    if (slot.square.defined()) read_moment(".square", slot.square);
  }
  options_.step = step.toInt();
  slots_ = std::move(read);
}

WeightAverage::WeightAverage(const torch::OrderedDict<std::string, torch::Tensor>& parameters)
    : parameters_(parameters) {
  for (const auto& parameter : parameters_) values_[parameter.key()] = parameter.value().detach().clone();
}

void WeightAverage::update(double horizon) {
  const torch::NoGradGuard no_grad;
  ++steps_;
  const int64_t every = std::clamp<int64_t>(static_cast<int64_t>(horizon / kMostBetween), 1, kMostBetween);
  if (steps_ > kMostBetween && steps_ % every != 0) return;
  const double taken = std::min(horizon, static_cast<double>(steps_) / 2) / static_cast<double>(every);
  const double share = 1 / std::max(1.0, taken);
  for (const auto& parameter : parameters_) values_[parameter.key()].lerp_(parameter.value(), share);
}

void WeightAverage::save(torch::serialize::OutputArchive& archive) const {
  archive.write("averaged_steps", c10::IValue(steps_));
  for (const auto& [name, value] : values_) archive.write(name + ".average", value, /*is_buffer=*/true);
}

void WeightAverage::load(torch::serialize::InputArchive& archive) {
  c10::IValue steps;
  archive.read("averaged_steps", steps);
  for (auto& [name, value] : values_) {
    torch::Tensor read;
    archive.read(name + ".average", read, /*is_buffer=*/true);
    TORCH_CHECK(read.sizes() == value.sizes(), "the average of ", name, " has another shape");
    value = read;
  }
  steps_ = steps.toInt();
}

}  // namespace perennial
