#include "training/optimizer.h"

#include <fmt/format.h>

namespace perennial {
namespace {

constexpr int64_t kFloatsOfAThread = 1 << 16;
constexpr int64_t kAveragedSteps = 8;  // neighbouring steps hardly differ: every so many is taken up

}  // namespace

Optimizer::Optimizer(const torch::OrderedDict<std::string, torch::Tensor>& parameters, AdamWStep options)
    : options_(options) {
  options_.step = 0;
  for (const auto& parameter : parameters)
    slots_.push_back({parameter.key(), parameter.value(), torch::zeros_like(parameter.value().detach()),
                      torch::zeros_like(parameter.value().detach())});
}

void Optimizer::step() {
  const torch::NoGradGuard no_grad;
  ++options_.step;
  for (Slot& slot : slots_) {
    torch::Tensor& gradient = slot.parameter.mutable_grad();
    if (gradient.defined() && gradient.is_sparse())
      move_rows(slot, gradient.coalesce());
    else
      move_all(slot, gradient.defined() ? gradient.contiguous() : torch::zeros_like(slot.parameter));
    gradient.reset();
  }
}

void Optimizer::move_all(Slot& slot, const torch::Tensor& gradient) const {
  at::parallel_for(0, slot.parameter.numel(), kFloatsOfAThread, [&](int64_t first, int64_t end) {
    adamw(options_, gradient.data_ptr<float>() + first, slot.parameter.data_ptr<float>() + first,
          slot.mean.data_ptr<float>() + first, slot.square.data_ptr<float>() + first, static_cast<size_t>(end - first));
  });
}

void Optimizer::move_rows(Slot& slot, const torch::Tensor& gradient) const {
  const torch::Tensor rows = gradient.indices()[0].contiguous();
  const torch::Tensor values = gradient.values().contiguous();
  const int64_t width = slot.parameter.size(1);
  at::parallel_for(0, rows.size(0), std::max<int64_t>(1, kFloatsOfAThread / width), [&](int64_t first, int64_t end) {
    for (int64_t i = first; i < end; ++i) {
      const int64_t at = rows.data_ptr<int64_t>()[i] * width;
      adamw(options_, values.data_ptr<float>() + i * width, slot.parameter.data_ptr<float>() + at,
            slot.mean.data_ptr<float>() + at, slot.square.data_ptr<float>() + at, static_cast<size_t>(width));
    }
  });
}

void Optimizer::save(torch::serialize::OutputArchive& archive) const {
  archive.write("step", c10::IValue(options_.step));
  for (const Slot& slot : slots_) {
    archive.write(slot.name + ".mean", slot.mean, /*is_buffer=*/true);
    archive.write(slot.name + ".square", slot.square, /*is_buffer=*/true);
  }
}

void Optimizer::load(torch::serialize::InputArchive& archive) {
  c10::IValue step;
  archive.read("step", step);
  std::vector<Slot> read = slots_;
  for (Slot& slot : read) {
    torch::Tensor mean, square;
    archive.read(slot.name + ".mean", mean, /*is_buffer=*/true);
    archive.read(slot.name + ".square", square, /*is_buffer=*/true);
    TORCH_CHECK(mean.sizes() == slot.parameter.sizes() && square.sizes() == slot.parameter.sizes(), "moments of ",
                slot.name, " have another shape");
    slot.mean = mean;
    slot.square = square;
  }
  options_.step = step.toInt();
  slots_ = std::move(read);
}

WeightAverage::WeightAverage(const torch::OrderedDict<std::string, torch::Tensor>& parameters) : parameters_(parameters) {
  for (const auto& parameter : parameters_) values_[parameter.key()] = parameter.value().detach().clone();
}

void WeightAverage::update(double horizon) {
  const torch::NoGradGuard no_grad;
  if (++steps_ % kAveragedSteps != 0 && horizon > kAveragedSteps) return;
  const double taken = std::min(horizon, static_cast<double>(steps_) / 2) / kAveragedSteps;
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
