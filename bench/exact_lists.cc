// Are lists exact? For users of a data directory with a model: the ten that the recommender gives, plain and under
// filters over the catalogue's own categories, brands and prices, beside scoring every item in float32 and looking at
// every item's fields. ./dev bench exact_lists DATA [--users 10000]
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <set>

#include "base/clock.h"
#include "base/random.h"
#include "data_folder.h"

namespace perennial {
namespace {

constexpr int kCount = 10;

/// Conditions as shoppers make them, of what the catalogue has.
class Filters {
 public:
  explicit Filters(const Catalogue& catalogue) {
    std::set<std::string> categories, brands;
    for (ItemId id = 0; id < catalogue.size(); ++id) {
      const Item* item = catalogue.find(id);
      if (item == nullptr) continue;
      for (const std::string& category : item->categories()) categories.insert(category);
      if (const Result<std::string> brand = string_field(item->fields, "brand"); brand.ok() && !brand->empty())
        brands.insert(*brand);
      if (const Result<double> price = number_field(item->fields, "price", -1); price.ok() && *price >= 0)
        prices_.push_back(*price);
    }
    categories_.assign(categories.begin(), categories.end());
    brands_.assign(brands.begin(), brands.end());
  }

  [[nodiscard]] bool possible() const { return !categories_.empty() && !prices_.empty(); }

  ItemFilter next() {
    ItemFilter filter;
    if (random_.chance(0.6)) filter.one_of.push_back({"category", {any(categories_), any(categories_)}});
    if (random_.chance(0.6)) {
      const auto [low, high] = std::minmax(any(prices_), any(prices_));
      filter.ranges.push_back({"price", low, high});
    }
    if (!brands_.empty() && random_.chance(0.3)) filter.none_of.push_back({.one_of = {{"brand", {any(brands_)}}}});
    return filter;
  }

 private:
  template <typename T>
  T any(const std::vector<T>& list) {
    return list[random_.below(list.size())];
  }

  Random random_{1};
  std::vector<std::string> categories_, brands_;
  std::vector<double> prices_;
};

/// The items that a look at each finds.
std::vector<ItemId> slowly(const DataFolder& data, const Profile& profile, const ReadInputs& inputs,
                           const ItemFilter& filter) {
  const Ensemble& ensemble = data.model->ensemble();
  std::vector<float> u(ensemble.vector_width());
  ensemble.user_vector(data.model->history_vector(profile), inputs, u);
  std::vector<float> scores(static_cast<size_t>(data.model->config().items));
  ensemble.score_items(u, scores);
  std::vector<ItemId> allowed;
  const json::object nothing;
  for (ItemId id = 0; id < scores.size(); ++id) {
    const Item* item = data.state->catalogue().find(id);
    const bool seen = std::ranges::find(profile.history, id, &HistoryToken::item) != profile.history.end();
    if (!seen && !profile.rejected.contains(id) && (item == nullptr || item->available()) &&
        filter.allows(item == nullptr ? nothing : item->fields))
      allowed.push_back(id);
  }
  std::ranges::stable_sort(allowed, std::greater<>(), [&](ItemId id) { return scores[id]; });
  allowed.resize(std::min<size_t>(allowed.size(), kCount));
  return allowed;
}

int run(const std::string& folder, size_t count) {
  DataFolder data;
  if (const Status status = data.open(folder); !status.ok()) {
    fmt::print(stderr, "{}\n", status.message());
    return 1;
  }
  Recommender recommender(data.log->items());
  recommender.set_model(data.model);
  Filters filters(data.state->catalogue());
  const std::vector<UserId> users = data.users(count);
  std::array<size_t, 2> same{}, asked{}, items{};
  for (const UserId user : users) {
    const Found<Profile> found = data.state->profiles().find(user);
    const Profile& profile = *found;
    const TimeMs now = profile.history.back().time == kNoTime ? SystemClock().now_ms() : profile.history.back().time;
    for (const bool filtered : {false, true}) {
      if (filtered && !filters.possible()) continue;
      RecommendRequest request{.count = kCount};
      if (filtered) request.controls.filter = filters.next();
      const Recommendation list = recommender.recommend(*data.state, user, request, now);
      std::vector<ItemId> got;
      for (const RecommendedItem& item : list.items)
        if (item.source == ItemSource::transformer) got.push_back(item.item);
      const ReadInputs inputs = recommender.inputs_of(*data.model, profile, request.context, now);
      same[filtered] += got == slowly(data, profile, inputs, request.controls.filter) ? 1 : 0;
      items[filtered] += got.size();
      ++asked[filtered];
    }
  }
  for (const bool filtered : {false, true})
    if (asked[filtered] > 0)
      fmt::print("{}: {} of {} lists are those of float32, {:.1f} items each\n", filtered ? "filtered" : "plain",
                 same[filtered], asked[filtered],
                 static_cast<double>(items[filtered]) / static_cast<double>(asked[filtered]));
  return same == asked && asked[0] > 0 ? 0 : 1;
}

}  // namespace
}  // namespace perennial

int main(int argc, char** argv) {
  CLI::App app("Are lists exact?");
  std::string data;
  size_t users = 10'000;
  app.add_option("data", data, "a data directory with a model")->required();
  app.add_option("--users", users, "how many, far from each other")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return perennial::run(data, users);
}
