#include "model/ensemble.h"

#include <algorithm>
#include <cmath>
#include "kernels/dense.h"

namespace perennial {
namespace {

/// The member's tensors under their own names.
SafetensorsFile tensors_of(int64_t member, const SafetensorsFile& all) {
  const std::string prefix = member_prefix(member);
  SafetensorsFile own;
  for (auto tensor = all.tensors.lower_bound(prefix); tensor != all.tensors.end() && tensor->first.starts_with(prefix);
       ++tensor)
    own.tensors.emplace(tensor->first.substr(prefix.size()), tensor->second);
  return own;
}

}  // namespace

std::string member_prefix(int64_t member) { return member == 0 ? "" : fmt::format("member_{}.", member); }

Result<std::unique_ptr<Ensemble>> Ensemble::create(ModelConfig config, const SafetensorsFile& weights) {
  std::unique_ptr<Ensemble> ensemble(new Ensemble);
  for (int32_t member = 0; member < config.members; ++member) {
    Result<std::unique_ptr<Transformer>> made =
        member == 0 ? Transformer::create(config, weights) : Transformer::create(config, tensors_of(member, weights));
    if (!made.ok() && config.members > 1)
      return made.status().with_context(fmt::format("member {} of {}", member + 1, config.members));
    if (!made.ok()) return made.status();
    ensemble->members_.push_back(std::move(made).value());
  }
  return ensemble;
}

Ensemble::Cache Ensemble::new_cache() const {
  Cache cache;
  for (const auto& member : members_) cache.members_.push_back(member->new_cache());
  cache.history_vector_.resize(vector_width());
  return cache;
}

void Ensemble::append(Cache& cache, const Token& token) const {
  for (size_t i = 0; i < members_.size(); ++i) {
    members_[i]->append(cache.members_[i], token);
    std::ranges::copy(cache.members_[i].history_vector(),
                      cache.history_vector_.begin() + static_cast<ptrdiff_t>(i * width()));
  }
}

size_t Ensemble::cache_bytes() const {
  return members_.size() * (members_.front()->cache_bytes() + sizeof(float) * width());
}

Ensemble::Cache Ensemble::read(std::span<const Token> history) const {
  Cache cache;
  for (const auto& member : members_) {
    const Transformer::Cache& its = cache.members_.emplace_back(member->read(history));
    cache.history_vector_.insert(cache.history_vector_.end(), its.history_vector().begin(), its.history_vector().end());
  }
  return cache;
}

std::vector<float> Ensemble::history_vector(std::span<const Token> history) const {
  std::vector<float> h = members_.front()->history_vector(history);
  for (size_t i = 1; i < members_.size(); ++i) {
    const std::vector<float> next = members_[i]->history_vector(history);
    h.insert(h.end(), next.begin(), next.end());
  }
  return h;
}

void Ensemble::user_vector(std::span<const float> h, const ReadInputs& inputs, std::span<float> u) const {
  PERENNIAL_CHECK(h.size() == vector_width() && u.size() == vector_width(), "vectors of {} and {} numbers, want {}",
                  h.size(), u.size(), vector_width());
  for (size_t i = 0; i < members_.size(); ++i)
    members_[i]->user_vector(h.subspan(i * width(), width()), inputs, u.subspan(i * width(), width()));
}

std::optional<HeadForecast> Ensemble::forecast(std::span<const float> h, std::span<const double> features) const {
  if (!config().forecasts) return std::nullopt;
  PERENNIAL_CHECK(h.empty() || h.size() == vector_width(), "a vector of {} numbers, want {}", h.size(), vector_width());
  HeadForecast mean;
  mean.survival.resize(config().forecasts->hazard_days.size());
  mean.outcomes.resize(config().forecasts->outcomes.size());
  const double share = 1 / static_cast<double>(members_.size());
  for (size_t i = 0; i < members_.size(); ++i) {
    const auto own = h.empty() ? h : h.subspan(i * width(), width());
    const HeadForecast its = members_[i]->forecast_head()->read(own, features);
    for (size_t j = 0; j < mean.survival.size(); ++j) mean.survival[j] += share * its.survival[j];
    for (size_t j = 0; j < mean.outcomes.size(); ++j) mean.outcomes[j] += share * its.outcomes[j];
    mean.spend += share * its.spend;
    mean.spends += share * its.spends;
  }
  return mean;
}

void Ensemble::score_items(std::span<const float> u, std::span<float> scores) const {
  mean_of_members(scores, [&](size_t member, std::span<float> its) {
    members_[member]->score_items(u.subspan(member * width(), width()), its);
  });
}

float Ensemble::score_item(std::span<const float> u, int32_t item) const {
  float score = 0;
  score_some(u, {&item, 1}, {&score, 1});
  return score;
}

void Ensemble::score_some(std::span<const float> u, std::span<const int32_t> items, std::span<float> scores) const {
  mean_of_members(scores, [&](size_t member, std::span<float> its) {
    members_[member]->score_some(u.subspan(member * width(), width()), items, its);
  });
}

std::vector<float> Ensemble::attention(std::span<const Token> history) const {
  std::vector<float> mean;
  for (const auto& member : members_) {
    const std::vector<float> its = member->attention(history);
    mean.resize(its.size());
    axpy(1 / static_cast<float>(members_.size()), its.data(), mean.data(), its.size());
  }
  return mean;
}

void Ensemble::unit_vector(size_t item, std::span<float> unit) const {
  std::ranges::fill(unit, 0.0F);
  if (item >= static_cast<size_t>(config().items)) return;
  for (size_t i = 0; i < members_.size(); ++i) {
    const float* vector = members_[i]->item_vectors().data() + item * width();
    const float squares = dot(vector, vector, width()) * static_cast<float>(members_.size());
    if (squares > 0) axpy(1 / std::sqrt(squares), vector, unit.data() + i * width(), width());
  }
}

Ensemble::JoinedItems Ensemble::joined_items() const {
  const auto items = static_cast<size_t>(config().items);
  const size_t all = vector_width();
  const float share = 1 / static_cast<float>(members_.size());
  JoinedItems result{members_.front()->item_vectors(), members_.front()->item_biases(), 0, {}};
  for (size_t item = 0; item < items; ++item) {
    float size = 0;
    for (const auto& member : members_) size += share * std::abs(member->item_biases()[item]);
    result.most_bias = std::max(result.most_bias, size);
  }
  if (members_.size() == 1) return result;
  result.joined.resize(items * (all + 1));
  float* biases = result.joined.data() + items * all;
  for (size_t i = 0; i < members_.size(); ++i)
    for (size_t item = 0; item < items; ++item) {
      biases[item] += share * members_[i]->item_biases()[item];
      const auto vector = members_[i]->item_vectors().subspan(item * width(), width());
      float* to = result.joined.data() + item * all + i * width();
      for (size_t d = 0; d < width(); ++d) to[d] = share * vector[d];
    }
  result.vectors = std::span(result.joined).first(items * all);
  result.biases = std::span(result.joined).subspan(items * all);
  return result;
}

void Ensemble::score(std::span<const Token> history, const ReadInputs& inputs, std::span<float> scores) const {
  if (history.empty()) {
    mean_of_members(scores, [&](size_t member, std::span<float> its) { members_[member]->score({}, its); });
    return;
  }
  std::vector<float> u(vector_width());
  user_vector(history_vector(history), inputs, u);
  score_items(u, scores);
}

void Ensemble::mean_of_members(std::span<float> scores,
                               const std::function<void(size_t, std::span<float>)>& score) const {
  score(0, scores);
  if (members_.size() == 1) return;
  std::vector<float> its(scores.size());
  for (size_t i = 1; i < members_.size(); ++i) {
    score(i, its);
    for (size_t item = 0; item < its.size(); ++item) scores[item] += its[item];
  }
  for (float& mean : scores) mean /= static_cast<float>(members_.size());
}

}  // namespace perennial
