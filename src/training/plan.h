// What `train` chooses for itself: the model's shape and the run's length, by the data, the time and the memory that it
// may take. Every rule is one line of plan.cc, its reason beside it; the measurements behind them stand in decision
// 0004. Covered by training/plan_test.cc.
#pragma once

#include "training/trainer.h"

namespace perennial {

struct DataShape {
  int64_t users = 0, tokens = 0, items = 0;
  int64_t long_history = 0;  // tokens of the user at the 95th percentile
};
DataShape shape_of(const Dataset& dataset);

/// Fills in the options that are 0: width, layers, heads, window, feed-forward, members, tokens a step, learning rate,
/// epochs, dropout, weight decay and Muon's rate below 0, and where items start;
/// of these it takes a smaller step, then one member, then a narrower model, until `memory_limit_bytes` (0: none) hold
/// it; items that nobody said start near their neighbours do where that fits too. resource_exhausted, with what it
/// would take, when nothing does; invalid_argument when width and heads do not fit, or when the model reads more of a
/// user than serving keeps.
Status plan_training(const DataShape& data, TrainerOptions& options);

/// What a run that has time for `fitting` epochs in all makes of it: a member that learned to its end is worth more
/// than two that did not, so members come once each has all its epochs.
struct RunLength {
  int64_t members, epochs;  // at least 1 each; epochs of each member

  bool operator==(const RunLength&) const = default;
};
RunLength run_length(double fitting, int64_t most_epochs, int64_t most_members);

/// Where a run stands after an epoch.
struct RunPosition {
  int64_t member = 0;  // that is trained
  int64_t epoch = 0;   // whole ones that it has
  bool member_is_over = false;
};

/// What becomes of the plan (epochs 0: there is none yet) when `fitting` more epochs have time: a member is shortened
/// to them, and when it is over as many are begun as can be finished.
RunLength replanned(RunLength planned, RunPosition at, double fitting, int64_t most_epochs, int64_t most_members);

/// About what training takes: the program, data, parameters with their moments, one step's activations.
int64_t memory_bytes(const DataShape& data, const TrainerOptions& options);

}  // namespace perennial
