#include "recommend/explanation.h"

#include <algorithm>

namespace perennial {
namespace {

/// As if the newest event had been at `last`.
ReadInputs inputs_at(ReadInputs inputs, TimeMs last, TimeMs instant) {
  inputs.elapsed_ms = last == kNoTime ? std::nullopt : std::optional(std::max<TimeMs>(0, instant - last));
  return inputs;
}

}  // namespace

Removals::Removals(const ServingModel& model, const Profile& profile, const ReadInputs& inputs, TimeMs instant)
    : model_(model) {
  const Ensemble& ensemble = model.ensemble();
  const std::vector<HistoryToken>& history = profile.history;
  const std::vector<Token> tokens = model.tokens_of(profile);
  const size_t count = tokens.size();
  const auto user_vector = [&](const std::vector<float>& h, TimeMs last) {
    std::vector<float> u(ensemble.vector_width());
    ensemble.user_vector(h, inputs_at(inputs, last, instant), u);
    return u;
  };
  const auto h_of = [](const Ensemble::Cache& cache) {
    return std::vector<float>(cache.history_vector().begin(), cache.history_vector().end());
  };
  const size_t first = count - std::min(count, kEvents);
  Ensemble::Cache before = ensemble.read(std::span(tokens).first(first));
  for (size_t i = first; i < count; ++i) {
    const ItemId item = history[i].item;
    if (std::ranges::find(items_, item) == items_.end()) {
      Ensemble::Cache rest = before;
      TimeMs last = i > 0 ? history[i - 1].time : kNoTime;
      for (size_t j = i + 1; j < count; ++j) {
        if (history[j].item == item) continue;
        ensemble.append(rest, tokens[j]);
        last = history[j].time;
      }
      items_.push_back(item);
      without_.push_back(user_vector(h_of(rest), last));
    }
    ensemble.append(before, tokens[i]);
  }
  u_ = user_vector(h_of(before), history.back().time);
}

std::vector<Cause> Removals::causes(ItemId item, size_t most) const {
  const auto score = [&](const std::vector<float>& u) {
    return model_.ensemble().score_item(u, static_cast<int32_t>(item));
  };
  const float whole = score(u_);
  std::vector<Cause> causes;
  for (size_t i = 0; i < items_.size(); ++i)
    if (const float by = whole - score(without_[i]); by > 0 && items_[i] != item) causes.push_back({items_[i], by});
  std::ranges::stable_sort(causes, std::greater<>(), &Cause::by);
  if (causes.size() > most) causes.resize(most);
  return causes;
}

Profile without_items(const Profile& profile, std::span<const ItemId> items) {
  Profile rest = profile;
  std::erase_if(rest.history,
                [&](const HistoryToken& token) { return std::ranges::find(items, token.item) != items.end(); });
  return rest;
}

}  // namespace perennial
