// A training run as it stands between two steps, on disk as `<data>/training.state`: what Ctrl-C saves and `train`
// takes up.
#pragma once

#include <optional>

#include "base/files.h"
#include "training/optimizer.h"
#include "training/transformer_module.h"

namespace perennial {

struct TrainingProgress {
  int64_t member = 0;          // of the model's members that which is trained
  size_t curve_of_member = 0;  // where its lines begin in `curve`
  int64_t step = 0;            // over all epochs of the member; seeds the step's random numbers
  int64_t epoch = 0;           // whole epochs done
  int64_t step_in_epoch = 0;
  int64_t planned_epochs = 0;   // 0: as the options say; a time budget's after the first
  int64_t planned_members = 0;  // the same
  double seconds = 0;           // over all calls and members
  int64_t best_epoch = 0;
  double best_ndcg = 0;
  double loss_sum = 0;      // of the running epoch
  int64_t predictions = 0;  // of the running epoch
  int64_t tokens = 0;       // of all members
  std::string curve;        // JSON lines, one an epoch
};

class TrainingState {
 public:
  TrainingState(const ModelConfig& config, Precision precision, double dropout, double learning_rate,
                double weight_decay, double muon_rate, const FusedKernels* kernels);

  /// Atomic. `fingerprint` names the run: settings and data.
  Status save(const fs::path& data_folder, const std::string& fingerprint);

  /// Takes up the state of the same run, if there is one. failed_precondition when it is of another run. A state that
  /// cannot be read is renamed to `training.state.old` with a notice on standard error, and this object is left as it
  /// was; failed_precondition when it can, but does not fit this program.
  Status resume(const fs::path& data_folder, const std::string& fingerprint);

  /// The model of an interrupted run, whose log offset and items tell what it looked at: going on reads the same data
  /// though the log has grown.
  static std::optional<ModelConfig> interrupted(const fs::path& data_folder);

  static Status remove(const fs::path& data_folder);

  TransformerModule module;
  Optimizer optimizer;
  WeightAverage average;
  TrainingProgress progress;
  SafetensorsFile best;      // weights of the member's best epoch; empty before the first
  SafetensorsFile finished;  // of the members before it, named as in the model's file

 private:
  Status load(const fs::path& path, const std::string& fingerprint);
};

}  // namespace perennial
