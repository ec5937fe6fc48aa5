#include "training/batches.h"

#include <algorithm>
#include <map>

#include "model/read_features.h"

namespace perennial {
namespace {

constexpr size_t kMostTraitFeatures = 512;

torch::Tensor to_tensor(const std::vector<int64_t>& values) { return torch::tensor(values, torch::kInt64); }

}  // namespace

std::vector<std::string> feature_vocabulary(const Dataset& dataset, int64_t least_users) {
  std::map<std::string, int64_t> users_with;
  for (const UserHistory& user : dataset.users)
    for (const TraitFeature& trait : user.traits) ++users_with[trait.name];
  std::vector<std::pair<int64_t, std::string>> frequent;
  for (const auto& [trait, count] : users_with)
    if (count >= least_users) frequent.emplace_back(-count, trait);
  std::sort(frequent.begin(), frequent.end());
  frequent.resize(std::min(frequent.size(), kMostTraitFeatures));
  std::vector<std::string> features;
  for (auto& [count, trait] : frequent) features.push_back(std::move(trait));
  for (const std::string_view device : kDeviceClasses)
    if (!device.empty()) features.push_back(device_feature(device));
  if (dataset.newest_time_ms > 0) {
    for (int hour = 0; hour < 24; ++hour) features.push_back(hour_feature(hour));
    for (int weekday = 0; weekday < 7; ++weekday) features.push_back(weekday_feature(weekday));
  }
  std::sort(features.begin(), features.end());
  return features;
}

BatchMaker::BatchMaker(const Dataset& dataset, std::vector<size_t> lengths, const ModelConfig& config,
                       BatchOptions options, const QueryMaker* queries)
    : dataset_(dataset),
      lengths_(std::move(lengths)),
      looks_back_(int64_t{config.layers} * (config.window - 1)),
      options_(options),
      queries_(queries),
      trait_ids_(dataset.users.size()) {
  const FeatureIds features(config.features);
  for (size_t user = 0; user < dataset.users.size(); ++user)
    for (const TraitFeature& trait : dataset.users[user].traits)
      if (const int64_t id = features.of(trait.name); id >= 0) trait_ids_[user].emplace_back(trait.time, id);
  for (const std::string_view device : kDeviceClasses) device_ids_.push_back(features.of(device_feature(device)));
  first_hour_ = features.of(hour_feature(0));
  first_weekday_ = features.of(weekday_feature(0));
}

BatchMaker::Batch BatchMaker::pieces_of(size_t user) const {
  Batch pieces;
  const int64_t tokens = tokens_of(user);
  // Two halves of a step are work for two threads.
  const int64_t longest = tokens <= options_.tokens ? tokens : std::max(options_.tokens / 2, 2 * looks_back_);
  for (int64_t first = 0; first < tokens; first = pieces.back().end) {
    const int64_t begin = std::max<int64_t>(0, first - looks_back_);
    const int64_t end = std::min(tokens, begin + longest);
    pieces.push_back({static_cast<uint32_t>(user), static_cast<uint32_t>(begin), static_cast<uint32_t>(first),
                      static_cast<uint32_t>(end)});
  }
  return pieces;
}

std::vector<BatchMaker::Batch> BatchMaker::epoch(uint64_t seed) const {
  Batch pieces;
  for (size_t user = 0; user < lengths_.size(); ++user)
    for (const HistoryPiece& piece : pieces_of(user)) pieces.push_back(piece);
  Random(seed).shuffle(std::span(pieces));
  std::vector<Batch> batches;
  int64_t tokens = options_.tokens;
  for (const HistoryPiece& piece : pieces) {
    const int64_t length = piece.end - piece.begin;
    if (tokens + length > options_.tokens) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(piece);
    tokens += length;
  }
  return batches;
}

void BatchMaker::add_features(size_t user, size_t target, bool with_traits, Random& random,
                              std::vector<int64_t>& ids) const {
  const int64_t time = dataset_.users[user].tokens[target].time_ms;
  for (const auto& [said, id] : trait_ids_[user])
    if (with_traits && was_known(said, time)) ids.push_back(id);
  const int64_t device = device_ids_[dataset_.users[user].devices[target]];
  if (device >= 0 && !random.chance(options_.feature_dropping)) ids.push_back(device);
  if (time == kNoTime || first_hour_ < 0 || random.chance(options_.feature_dropping)) return;
  ids.push_back(first_hour_ + hour_of(time));
  ids.push_back(first_weekday_ + weekday_of(time));
}

PackedBatch BatchColumns::pack() const {
  PackedBatch batch;
  batch.items = to_tensor(items);
  batch.types = to_tensor(types);
  batch.values = to_tensor(values);
  batch.gaps = to_tensor(gaps);
  batch.segment = to_tensor(segment);
  batch.targets = to_tensor(targets);
  batch.next_types = to_tensor(next_types);
  batch.elapsed = to_tensor(elapsed);
  batch.feature_ids = to_tensor(features);
  batch.feature_starts = to_tensor(feature_starts);
  batch.predictions = std::count_if(targets.begin(), targets.end(), [](int64_t target) { return target >= 0; });
  return batch;
}

PackedBatch BatchMaker::make(const Batch& pieces, Random& random) const {
  BatchColumns columns;
  std::vector<int64_t> first_rows;
  for (size_t piece = 0; piece < pieces.size(); ++piece) {
    const auto [user, begin, first, end] = pieces[piece];
    const std::vector<Token>& tokens = dataset_.users[user].tokens;
    const bool with_traits = !random.chance(options_.feature_dropping);
    first_rows.push_back(static_cast<int64_t>(columns.items.size()));
    for (size_t i = begin; i < end; ++i) {
      const Token* next = i >= first && i + 1 < lengths_[user] ? &tokens[i + 1] : nullptr;
      const bool predicted =
          next != nullptr && dataset_.is_target[static_cast<size_t>(next->type)] && next->item != tokens[i].item;
      columns.items.push_back(tokens[i].item);
      columns.types.push_back(tokens[i].type);
      columns.values.push_back(value_bucket(tokens[i].value));
      columns.gaps.push_back(i == 0 ? 0 : gap_bucket(tokens[i - 1].time_ms, tokens[i].time_ms));
      columns.segment.push_back(static_cast<int64_t>(piece));
      columns.targets.push_back(predicted ? next->item : -1);
      columns.next_types.push_back(next == nullptr ? -1 : next->type);
      columns.feature_starts.push_back(static_cast<int64_t>(columns.features.size()));
      if (next == nullptr) {
        columns.elapsed.push_back(0);
        continue;
      }
      columns.elapsed.push_back(
          random.chance(options_.feature_dropping) ? 0 : gap_bucket(tokens[i].time_ms, next->time_ms));
      add_features(user, i + 1, with_traits, random, columns.features);
    }
  }
  PackedBatch batch = columns.pack();
  if (queries_ != nullptr) batch.queries = queries_->make(pieces, first_rows);
  return batch;
}

}  // namespace perennial
