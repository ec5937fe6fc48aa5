// The training run: epochs over packed batches, validation by the serving code, early stopping, checkpoints that resume
// to the bit.
#pragma once

#include "base/files.h"
#include "evaluation/split.h"
#include "training/batches.h"

namespace perennial {

struct TrainerOptions {
  ModelConfig model;  // shape, 0: chosen (training/plan.h); items, event types, features, holdout come from the data
  int64_t max_epochs = 0;                     // over which the learning rate rises and falls; 0: chosen
  double budget_seconds = 0;                  // > 0: as many epochs and members, up to those, as the first shows to fit
  std::optional<double> started;              // monotonic; where the budget and the report begin; absent: the training
  int64_t history_limit = 1'024;              // tokens that serving keeps: a chosen window reads no more
  int64_t memory_limit_bytes = 0;             // > 0: the shape and the step are chosen to fit
  int64_t patience = 10;                      // validations without a better NDCG@10 before the end
  double learning_rate = 0;                   // 0: chosen
  double weight_decay = -1;                   // below 0: chosen
  std::optional<bool> start_near_neighbours;  // items' vectors (training/neighbours.h), else at random; absent: chosen
  double muon_rate = -1;                // at which the layers' matrices move by Muon; 0: by AdamW; below 0: chosen
  double dropout = -1;                  // below 0: chosen
  int64_t batch_tokens = 0;             // 0: chosen
  int64_t full_softmax_items = 20'000;  // above so many items, `shared_negatives` stand for all
  int64_t shared_negatives = 4'096;
  int64_t validation_users = 2'000;  // at most, chosen by the seed
  uint64_t seed = 42;
  int threads = 0;  // 0: all cores
  Precision precision = best_precision();
  NumberType weights = NumberType::float32;  // of the model's file
  std::optional<ForecastSource> forecast;    // of what the forecast head learns; none: a model without
  double forecast_weight = 0.1;              // of its loss beside the next item's
  double cooldown = 0.4;                     // share of max_epochs over which the learning rate falls to nothing
  double average_epochs = 2;                 // over which the weights that are validated and kept are averaged; 0: none
  int64_t save_seconds = 120;                // how often a resumable state is written
  bool fresh = false;                        // drop the state of an interrupted run
  int64_t stop_after_steps = 0;              // > 0: save and end there, as Ctrl-C does; for tests
};

struct TrainingReport {
  std::string model_id;  // empty when stopped before the end: run again to go on
  int64_t members = 1;
  int64_t member = 1;  // the one that was trained last; of it:
  int64_t epochs = 0;
  int64_t best_epoch = 0;
  double validation_ndcg = 0;    // of all members, when there is a model
  int64_t validation_users = 0;  // 0: not validated
  int64_t parameters = 0;        // of all members
  int64_t tokens = 0;            // trained on, all epochs
  double seconds = 0;            // since TrainerOptions::started
};

/// Trains on the dataset under the holdout and writes `models/<id>/` {config.json, model.safetensors, items.txt,
/// learning_curve.jsonl}, then points `models/current` at it. A state left by an interrupted run of the same settings
/// on the same data is taken up; failed_precondition, saying how to go on, when it is of another run, when another
/// process trains here, or when the loss is no number any more. The same seed, data, threads and precision give the
/// same model. A stop request saves and returns a report without a model id.
Result<TrainingReport> train(const fs::path& data_folder, const Dataset& dataset, const Holdout& holdout,
                             TrainerOptions options);

}  // namespace perennial
