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

}  // namespace perennial
