#include "recommend/serving_model.h"

#include <algorithm>

#include "kernels/dense.h"

namespace perennial {

ServingModel::ServingModel(StoredModel model) : model_(std::move(model)) {
  const Ensemble::JoinedItems items = ensemble().joined_items();
  const size_t width = ensemble().vector_width();
  index_ = ItemIndex(items.vectors, items.biases, width, items.most_bias);
  std::vector<float> units(items.vectors.size());
  for (size_t item = 0; item < items.biases.size(); ++item)
    ensemble().unit_vector(item, std::span(units).subspan(item * width, width));
  similar_ = ItemIndex(units, std::vector<float>(items.biases.size()), width);
}

Result<std::shared_ptr<const ServingModel>> ServingModel::create(StoredModel stored, const Dictionary& items,
                                                                 const Dictionary& event_types) {
  std::shared_ptr<ServingModel> model(new ServingModel(std::move(stored)));
  const std::vector<std::string>& names = model->model_.item_names;
  if (names.size() > items.size())
    return data_loss("model {} has {} items, the log has {}: it was trained on other data; run 'train'", model->id(),
                     names.size(), items.size());
  for (size_t item = 0; item < names.size(); ++item)
    if (items.name(static_cast<uint32_t>(item)) != names[item])
      return data_loss("model {} calls item {} '{}', the log '{}': it was trained on other data; run 'train'",
                       model->id(), item, names[item], items.name(static_cast<uint32_t>(item)));
  const std::vector<std::string>& types = model->config().event_types;
  for (uint32_t type = 0; type < event_types.size(); ++type) {
    const auto found = std::find(types.begin(), types.end(), event_types.name(type));
    model->type_of_.push_back(found == types.end() ? -1 : static_cast<int32_t>(found - types.begin()));
  }
  model->features_ = FeatureIds(model->config().features);
  return std::shared_ptr<const ServingModel>(std::move(model));
}

Status ServingModel::check_history_limit(size_t tokens) const {
  const auto read = static_cast<size_t>(config().history_tokens());
  if (tokens >= read) return {};
  return failed_precondition("model {} reads {} events of a user, profiles.history_limit keeps {}: raise it to {}",
                             id(), read, tokens, read);
}

Token ServingModel::token_of(const HistoryToken& token) const {
  return {.item = token.item < static_cast<ItemId>(config().items) ? static_cast<int32_t>(token.item) : -1,
          .type = token.type < type_of_.size() ? type_of_[token.type] : -1,
          .value = token.value(),
          .time_ms = token.time};
}

std::vector<Token> ServingModel::tokens_of(const Profile& profile) const {
  std::vector<Token> tokens;
  tokens.reserve(profile.history.size());
  for (const HistoryToken& token : profile.history) tokens.push_back(token_of(token));
  return tokens;
}

std::vector<float> ServingModel::history_vector(const Profile& profile) const {
  std::vector<float> h = ensemble().history_vector(tokens_of(profile));
  h.resize(ensemble().vector_width());
  return h;
}

std::vector<ScoredItem> ServingModel::similar_items(ItemId item, const Bitmap& allowed, size_t k) const {
  std::vector<float> query(ensemble().vector_width());
  ensemble().unit_vector(item, query);
  return similar_.best({query, &allowed, k, ItemIndex::each([&, other = query](int32_t at) mutable {
                          ensemble().unit_vector(static_cast<size_t>(at), other);
                          return dot(query.data(), other.data(), query.size());
                        })});
}

std::vector<ScoredItem> ServingModel::best_items(std::span<const float> u, const Bitmap& allowed, size_t k, size_t more,
                                                 float reach) const {
  return scan_.best({.query = u,
                     .allowed = &allowed,
                     .k = k,
                     .score = [&](std::span<const int32_t> items,
                                  std::span<float> scores) { ensemble().score_some(u, items, scores); },
                     .more = more,
                     .reach = reach});
}

Result<std::shared_ptr<const ServingModel>> load_serving_model(const fs::path& data_folder, const Dictionary& items,
                                                               const Dictionary& event_types) {
  PERENNIAL_TRY_ASSIGN(const std::string id, current_model_id(data_folder));
  PERENNIAL_TRY_ASSIGN(StoredModel model, load_model(data_folder, id));
  return ServingModel::create(std::move(model), items, event_types);
}

}  // namespace perennial
