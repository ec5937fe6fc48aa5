#include "training/plan.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "training/neighbours.h"

namespace perennial {
namespace {

constexpr int32_t kWidth = 64;
constexpr int32_t kNarrowWidth = 32;
constexpr int64_t kWideData = 100'000;    // tokens from which the full width pays
constexpr int64_t kLittleData = 250'000;  // tokens up to which several members cost minutes, and gain most
constexpr int32_t kMembers = 4;
constexpr int64_t kSparseItems = 30;  // tokens an item below which the model needs holding back
constexpr int64_t kLongestWindow = 200;
constexpr int64_t kShortestWindow = 16;
constexpr int64_t kTokensOfARun = 28'000'000;
constexpr double kMuonRate = 0.02;
constexpr double kLearningRate = 4e-3;  // at width 64 and two layers
constexpr int64_t kFewestEpochs = 8;
constexpr int64_t kMostEpochs = 40;
// Sparse data is learned by heart after some 2,000 steps; fewer tokens than Beauty's take more epochs to make them.
constexpr int64_t kMostSparseSteps = 2'700;
constexpr int64_t kFewestSparseEpochs = 14;
constexpr int64_t kManyReadings = 5'000;  // of an item in a run: then training finds its neighbours itself
constexpr int64_t kSmallestStep = 1'024;

int64_t parameters(const DataShape& data, const ModelConfig& model) {
  const int64_t D = model.width;
  const int64_t layer = 4 * D * D + 2 * D * model.feed_forward;
  return data.items * (D + 1) + model.layers * layer + 2 * D * D;
}

}  // namespace

DataShape shape_of(const Dataset& dataset) {
  DataShape shape{
      .users = static_cast<int64_t>(dataset.users.size()), .tokens = dataset.events, .items = dataset.items};
  std::vector<int64_t> lengths;
  for (const UserHistory& user : dataset.users) lengths.push_back(static_cast<int64_t>(user.tokens.size()));
  if (lengths.empty()) return shape;
  const auto at = lengths.begin() + static_cast<ptrdiff_t>(lengths.size() * 95 / 100);
  std::nth_element(lengths.begin(), at, lengths.end());
  shape.long_history = *at;
  return shape;
}

int64_t memory_bytes(const DataShape& data, const TrainerOptions& options) {
  constexpr int64_t kProgram = 110 << 20;  // with libtorch, before it reads anything
  constexpr int64_t kOfAToken = 64;        // the dataset's
  constexpr int64_t kOfAUser = 400;        // vectors, traits, names
  constexpr int64_t kOfAFact = 2 * 24;     // for the forecast head: an event is one of a signal's or two
  constexpr int64_t kOfALife = 400;        // a user there
  // Value, two moments, average; while the next member is made also the one before and its best; while one learns the
  // gradient, best and newest, and the best's bytes while all is saved.
  constexpr int64_t kOfAFloatAtFirst = 4 * 4;
  const int64_t of_a_float_between = options.model.members > 1 ? 4 * 9 : 0;
  constexpr int64_t kOfAFloat = 4 * (7 + 1);
  constexpr int64_t kOfAFloatOfAMember = 4 * 3;  // a finished one's: its tensors, its network, its bytes in the file
  const ModelConfig& model = options.model;
  const int64_t D = model.width;
  const bool sampled = data.items > options.full_softmax_items;
  const int64_t candidates = sampled ? options.shared_negatives : data.items;
  const int64_t looked_back = int64_t{model.layers} * (model.window - 1);
  const int64_t step_tokens = std::max(options.batch_tokens, std::min(data.tokens, 2 * looked_back));
  const int64_t activations = step_tokens * (model.layers * (8 * D + 4 * model.feed_forward) + 10 * D) * 4;
  const int64_t softmax = options.threads * (candidates * (252 * 4 + D * 12) + 4 * parameters(data, model));
  const int64_t members = parameters(data, model) * kOfAFloatOfAMember * (model.members - 1);
  const int64_t neighbours =
      options.start_near_neighbours.value_or(false) ? neighbour_bytes(data.tokens, data.items, D) : 0;
  const int64_t start = parameters(data, model) * kOfAFloatAtFirst + neighbours;
  const int64_t between = parameters(data, model) * of_a_float_between;
  const int64_t step = parameters(data, model) * kOfAFloat + activations + softmax;
  const int64_t forecasts =
      options.forecast ? data.tokens * kOfAFact + data.users * kOfALife + query_bytes(data.users) : 0;
  return kProgram + data.tokens * kOfAToken + data.users * kOfAUser + forecasts + members +
         std::max({start, between, step});
}

namespace {

/// The heads of a width that nobody chose: as near to 32 wide as halves of them can be rotated.
int32_t heads_for(int32_t width) {
  for (int32_t heads = std::max(1, width / 32); heads > 1; --heads)
    if (width % (2 * heads) == 0) return heads;
  return 1;
}

/// Of which all that the model reads of a user is kept.
int64_t longest_window(int64_t history_limit, int64_t layers) {
  return std::max<int64_t>(1, (history_limit - 2) / layers + 1);
}

Status check_shape(const ModelConfig& model, int64_t history_limit) {
  if (model.width < 8 || model.width % (2 * model.heads) != 0)
    return invalid_argument("train.width {} must be at least 8 and a multiple of twice train.heads {}", model.width,
                            model.heads);
  if (model.history_tokens() > history_limit)
    return invalid_argument(
        "a window of {} over {} layers reads {} events of a user, of whom serving keeps {}: take a window of at most "
        "{}, or raise profiles.history_limit",
        model.window, model.layers, model.history_tokens(), history_limit, longest_window(history_limit, model.layers));
  return {};
}

}  // namespace

Status plan_training(const DataShape& data, TrainerOptions& options) {
  ModelConfig& model = options.model;
  const TrainerOptions said = options;
  const auto shape = [&](int32_t width) {
    if (said.model.width == 0) model.width = width;
    if (said.model.heads == 0) model.heads = heads_for(model.width);
    if (said.model.feed_forward == 0) model.feed_forward = 4 * model.width;
  };
  shape(data.tokens >= kWideData ? kWidth : kNarrowWidth);
  if (model.layers == 0) model.layers = 2;
  if (model.members == 0) model.members = data.tokens <= kLittleData ? kMembers : 1;
  const bool sparse = data.tokens < kSparseItems * data.items;
  if (options.dropout < 0) options.dropout = sparse ? 0.4 : 0.2;
  if (options.weight_decay < 0) options.weight_decay = sparse ? 0.1 : 0.01;
  if (options.muon_rate < 0) options.muon_rate = sparse ? 0 : kMuonRate;
  // Beyond most histories' lengths a window costs memory in serving and nothing in training.
  if (model.window == 0) {
    const int64_t wanted = std::clamp((data.long_history + 7) / 8 * 8, kShortestWindow, kLongestWindow);
    model.window = static_cast<int32_t>(std::min(wanted, longest_window(options.history_limit, model.layers)));
  }
  // Some 250 steps an epoch: fewer learn less from it, more are too short for two threads.
  if (options.batch_tokens == 0) options.batch_tokens = std::clamp<int64_t>(data.tokens / 250, kSmallestStep, 8'192);
  // Wide and deep models move further for the same rate.
  if (options.learning_rate == 0)
    options.learning_rate = kLearningRate * std::min(1.0, 64.0 / model.width) * std::min(1.0, 2.0 / model.layers);
  const auto too_much = [&] {
    return options.memory_limit_bytes > 0 && memory_bytes(data, options) > options.memory_limit_bytes;
  };
  while (said.batch_tokens == 0 && too_much() && options.batch_tokens > kSmallestStep)
    options.batch_tokens = std::max(kSmallestStep, options.batch_tokens / 2);
  if (said.model.members == 0 && too_much()) model.members = 1;
  if (too_much() && kNarrowWidth % (2 * std::max(1, said.model.heads)) == 0) shape(kNarrowWidth);
  PERENNIAL_TRY(check_shape(model, options.history_limit));
  if (options.max_epochs == 0) {
    const int64_t tokens = std::max<int64_t>(1, data.tokens);
    const int64_t most =
        sparse ? std::clamp(kMostSparseSteps * options.batch_tokens / tokens, kFewestSparseEpochs, kMostEpochs)
               : kMostEpochs;
    options.max_epochs = std::clamp(kTokensOfARun / tokens, kFewestEpochs, most);
  }
  if (!options.start_near_neighbours) {  // in a budget, which may end the run early, the sooner is the better
    options.start_near_neighbours =
        options.budget_seconds > 0 || options.max_epochs * data.tokens < kManyReadings * data.items;
    if (too_much()) options.start_near_neighbours = false;
  }
  if (!too_much()) return {};
  return resource_exhausted(
      "training on {} events of {} users and {} items takes about {} MiB, more than --memory allows",
      with_commas(data.tokens), with_commas(data.users), with_commas(data.items),
      with_commas(memory_bytes(data, options) >> 20));
}

RunLength replanned(RunLength planned, RunPosition at, double fitting, int64_t most_epochs, int64_t most_members) {
  fitting = std::max(0.0, fitting);
  if (planned.epochs == 0) return run_length(static_cast<double>(at.epoch) + fitting, most_epochs, most_members);
  if (at.member_is_over) {
    const auto more = static_cast<int64_t>(fitting / static_cast<double>(planned.epochs));
    planned.members = at.member + 1 + std::min(more, most_members - at.member - 1);
  } else if (static_cast<double>(at.epoch) + fitting < static_cast<double>(planned.epochs)) {
    planned.epochs = at.epoch + static_cast<int64_t>(fitting);
  }
  return planned;
}

RunLength run_length(double fitting, int64_t most_epochs, int64_t most_members) {
  const auto epochs = static_cast<double>(most_epochs);
  const double members = std::floor(std::clamp(fitting / epochs, 1.0, static_cast<double>(most_members)));
  return {static_cast<int64_t>(members), static_cast<int64_t>(std::clamp(fitting / members, 1.0, epochs))};
}

}  // namespace perennial
