// The optimiser of a module's parameters: AdamW, and Muon for the hidden matrices where it is asked for. A dense
// gradient moves all of its parameter; a sparse one moves the rows that it names and their moments, and leaves the
// others as they are. Covered by training/optimizer_test.cc.
#pragma once

#include <torch/torch.h>

#include "kernels/adamw.h"

namespace perennial {

/// The nearest orthogonal matrix to `matrix` (rows, columns), by five steps of Newton and Schulz: singular values of
/// 0.7 to 1.2. Source: Jordan and others, Muon: an optimizer for hidden layers in neural networks.
torch::Tensor orthogonalised(const torch::Tensor& matrix);

class Optimizer {
 public:
  /// The moments start at zero. With `muon_rate` above 0 the matrices of the layers (named layer_...weight, of two
  /// dimensions) move by it along their orthogonalised momentum, whatever the size of their gradient.
  Optimizer(const torch::OrderedDict<std::string, torch::Tensor>& parameters, AdamWStep options, double muon_rate = 0);

  /// One step along the parameters' gradients, which are dropped, at `rate` times the learning rate. A parameter
  /// without one moves as along zeros; a hidden matrix of Muon stays where it is.
  void step(double rate = 1);

  void save(torch::serialize::OutputArchive& archive) const;
  /// Throws c10::Error when the archive is of other parameters.
  void load(torch::serialize::InputArchive& archive);

 private:
  struct Slot {
    std::string name;
    torch::Tensor parameter, mean, square;  // square: undefined for Muon
  };

  void move_orthogonally(double rate, Slot& slot, const torch::Tensor& gradient) const;

  static void move_all(const AdamWStep& step, Slot& slot, const torch::Tensor& gradient);
  static void move_rows(const AdamWStep& step, Slot& slot, const torch::Tensor& gradient);

  AdamWStep options_;
  double muon_rate_;
  std::vector<Slot> slots_;
};

/// The exponential average of a module's parameters over its last steps: what is validated and kept, since the last
/// steps alone are noise around it. Source: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging.
class WeightAverage {
 public:
  explicit WeightAverage(const torch::OrderedDict<std::string, torch::Tensor>& parameters);

  /// After a step: takes up the parameters, over about `horizon` steps and never over more than half of those made; 0
  /// keeps the last ones alone. Beyond a horizon of 16 some steps are left out, of eight in a row at most seven.
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
