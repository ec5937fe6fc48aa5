// What to show a user now: candidates, exclusions, ranking, reasons. Stateless but for the model, which may be swapped
// at any time. Thread rule: any thread; the caller holds the state still during a call.
#pragma once

#include <mutex>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "events/ids.h"
#include "log/dictionary.h"
#include "profiles/state.h"

namespace perennial {

class ServingModel;

/// Circumstances of a request. Empty means unknown; the model is trained with each of them dropped at random.
struct RequestContext {
  std::optional<TimeMs> time;  // local time of the user's clock as if it were UTC
  std::string device;
};

struct RecommendRequest {
  std::string user_id;  // unknown and empty are fine
  std::string surface = "default";
  int count = 10;       // 1 to 500
  bool exclude_seen = true;
  bool explain = false;
  RequestContext context;
};

struct Reason {
  std::string code;      // "history", "popular", ...
  std::string text;      // one sentence for the user
  std::string evidence;  // the item or fact behind it, or empty
};

struct RecommendedItem {
  std::string item_id;
  float score = 0;
  float propensity = 1;
  std::string source;    // "transformer" or "popular"
  std::vector<Reason> reasons;
};

struct Recommendation {
  std::string recommendation_id;
  std::string model;     // the model's id, or "none"
  std::string fallback;  // why the model did not decide: "no_model", "unknown_user", "empty_history"; else empty
  std::vector<RecommendedItem> items;
};

class Recommender {
 public:
  explicit Recommender(const Dictionary& items);
  ~Recommender();

  /// The model of the next calls; null for none. Calls under way keep the one they have.
  void set_model(std::shared_ptr<const ServingModel> model);
  [[nodiscard]] std::shared_ptr<const ServingModel> model() const;

  /// Rebuilds the popularity list from the histories: each token weighs 2^(-age / 30 days) against the newest one.
  void refresh_popularity(const State& state);

  /// Never fails: whatever is unknown falls back to what is popular, and says so. `user` is request.user_id's id, if it has one.
  Recommendation recommend(const State& state, std::optional<UserId> user, const RecommendRequest& request, TimeMs now) const;

 private:
  struct Popularity;
  const Dictionary& items_;
  std::shared_ptr<const ServingModel> model_;
  std::shared_ptr<const Popularity> popularity_;
  mutable std::mutex mutex_;  // guards the two pointers
};

}  // namespace perennial
