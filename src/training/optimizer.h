// AdamW over a module's parameters. A dense gradient moves all of its parameter; a sparse one moves the rows that it
// names and their moments, and leaves the others as they are. Covered by training/optimizer_test.cc.
#pragma once

#include <torch/torch.h>

#include "kernels/adamw.h"

namespace perennial {

class Optimizer {
 public:
  /// The moments start at zero.
  Optimizer(const torch::OrderedDict<std::string, torch::Tensor>& parameters, AdamWStep options);

  /// One step along the parameters' gradients, which are dropped. A parameter without one moves by its moments alone.
  void step();

  void save(torch::serialize::OutputArchive& archive) const;
  /// Throws c10::Error when the archive is of other parameters.
  void load(torch::serialize::InputArchive& archive);

 private:
  struct Slot {
    std::string name;
    torch::Tensor parameter, mean, square;
  };

  void move_all(Slot& slot, const torch::Tensor& gradient) const;
  void move_rows(Slot& slot, const torch::Tensor& gradient) const;

  AdamWStep options_;
  std::vector<Slot> slots_;
};

/// The exponential average of a module's parameters over its last steps: what is validated and kept, since the last steps
/// alone are noise around it. Source: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging.
class WeightAverage {
 public:
  explicit WeightAverage(const torch::OrderedDict<std::string, torch::Tensor>& parameters);

  /// After a step: takes up the parameters, over about `horizon` steps and never over more than half of those made. A
  /// horizon of at most 8 keeps the last parameters alone.
  void update(double horizon);

  /// By the parameter's name.
  [[nodiscard]] const std::map<std::string, torch::Tensor>& values() const { return values_; }

  void save(torch::serialize::OutputArchive& archive) const;
  /// Throws c10::Error when the archive is of other parameters.
  void load(torch::serialize::InputArchive& archive);

 private:
  torch::OrderedDict<std::string, torch::Tensor> parameters_;
  std::map<std::string, torch::Tensor> values_;
  int64_t steps_ = 0;
};

}  // namespace perennial
