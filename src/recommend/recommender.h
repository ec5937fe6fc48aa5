// What to show a user now: candidates, exclusions, ranking, reasons. Stateless but for the model, the popularity list
// and the items' outcomes, which may be swapped at any time, and for users' vectors, which are kept. Thread rule: any
// thread; the caller holds the state still during a call.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "events/slate.h"
#include "log/dictionary.h"
#include "profiles/state.h"
#include "recommend/controls.h"
#include "recommend/objective.h"
#include "recommend/serving_model.h"
#include "recommend/user_vectors.h"

namespace perennial {

/// Circumstances of a request. Empty means unknown; the model is trained with each of them dropped at random.
struct RequestContext {
  std::optional<TimeMs> time;  // the instant the list is for; now when empty
  std::string device;
};

inline constexpr int kMostListed = 500;  // items of a list

struct RecommendRequest {
  std::string user_id;  // unknown and empty are fine
  std::string surface = "default";
  int count = 10;  // 1 to kMostListed
  bool exclude_seen = true;
  std::optional<TimeMs> seen_within;  // only what was seen so long ago or less is excluded, and what has no time
  bool explain = false;
  bool attention = false;  // for those who debug the model: no explanation
  RequestContext context;
  Objective objective;  // without any weight the list is the plain one, to the bit
  Controls controls;
  std::vector<std::string> session_items;   // touched just now, the newest last: as if they stood in the history
  EventTypeId session_type = kNoEventType;  // by events of this type
  std::string similar_to;                   // an item: the list is of items like it, whatever the user likes; or empty
  std::vector<ItemId> shown;                // on earlier pages: not again
};

struct Reason {
  std::string code;      // "history": an item whose removal from it lowers this one's score; "popular"; "objective";
                         // "boosted" or "buried"; "pinned"; "exploration"
  std::string text;      // one sentence for the user
  std::string evidence;  // the item id or fact behind it, or empty
  float by = 0;          // how much it raised the score, in logits; 0 where that is not known
};

struct RecommendedItem {
  ItemId item = kNoId;
  std::string item_id;
  float score = 0;       // what the list is in order of, on the source's own scale: logits, or weighted counts
  float adjustment = 0;  // in logits: the plain score is score - adjustment, or score / e^adjustment
  float propensity = 1;  // that it stands here, given what stands above
  ItemSource source = ItemSource::transformer;
  std::vector<Reason> reasons;
};

struct Recommendation {
  std::string model;     // the model's id, or "none"
  std::string fallback;  // why the model did not decide: "no_model", "unknown_user", "empty_history", "unknown_item"
                         // (not known to the model: then items of its category that are popular); else empty
  std::vector<RecommendedItem> items;
  bool asks_popularity = false;  // for what the model's items did not fill, or an item that may still come
  std::vector<std::pair<std::string, float>> attention;  // item id and weight, oldest first: Ensemble::attention
};

/// All that a list depends on, by the controls of the request: with equal ones, and nothing added to them, lists are
/// equal.
struct ListBasis {
  /// Two that do not matter, or one of them, are equal: a list that the model fills asks no popularity.
  struct Popularity {
    uint64_t version = 0;
    size_t items = 0;  // that there are; what nobody has touched fills up too
    bool matters = true;
    friend bool operator==(const Popularity& a, const Popularity& b) {
      return !a.matters || !b.matters || (a.version == b.version && a.items == b.items);
    }
  };

  UserId user = kNoId;         // as identities resolve it; kNoId for all of whom nothing is known
  uint32_t user_changes = 0;   // of what is known of them, or of others by chance
  uint64_t model_version = 0;  // of these the Recommender numbers those that it has had
  uint64_t outcomes_version = 0;
  Popularity popularity;
  uint64_t item_changes = 0;
  int32_t silence = 0;  // gap_bucket of the time since the newest event
  int32_t hour = 0, weekday = 0;
  uint16_t device = 0;  // device_class
  int count = 0;
  bool exclude_seen = true;
  std::string similar_to;
  ObjectiveWeights weights;
  Controls controls;

  bool operator==(const ListBasis&) const = default;
};

MessageId new_recommendation_id(TimeMs now);

/// The items as they are logged.
std::vector<SlateItem> slate_items(const Recommendation& list);

class Recommender {
 public:
  explicit Recommender(const Dictionary& items, size_t vector_bytes = kVectorBytes)
      : items_(items), vectors_(vector_bytes) {}

  /// The model of the next calls; null for none. Calls under way keep the one they have.
  void set_model(std::shared_ptr<const ServingModel> model);
  [[nodiscard]] std::shared_ptr<const ServingModel> model() const;

  /// Rebuilds the popularity list from the histories: a token weighs 2^(-age / 30 days), its age counted back from the
  /// newest one; one without a time weighs 1.
  void refresh_popularity(const State& state) { set_popularity(popularity_weights(state)); }

  /// The two steps of it: only the first looks at the state, within `still` a little at a time.
  [[nodiscard]] std::vector<float> popularity_weights(const State& state,
                                                      const WhileStill& still = at_once) const;  // by item id
  void set_popularity(std::vector<float> weights);

  /// Learns anew what follows after each item (ItemOutcomes::learn), which objectives of the next calls go by. Before
  /// the first call every item is like the mean.
  void refresh_outcomes(const State& state, const OutcomeTypes& types, const WhileStill& still = at_once);

  /// To be told of each item that was described or deleted, before the next list.
  void item_changed(ItemId item) {
    ++item_changes_;
    fields_.changed(item);
  }

  /// To be told of each record of a user, and what it did to their history, before the next list: `user` as identities
  /// resolve it.
  void user_changed(UserId user, HistoryChange change) {
    ++changes_of(user);
    vectors_.changed(user, change);
  }

  /// Lets the vector of a user know of new events already, if it is one of those kept ready: UserVectors::catch_up.
  size_t catch_up(const State& state, UserId user);

  /// What the model is told of the moment of a request, beside the history, which must not be empty.
  [[nodiscard]] static ReadInputs inputs_of(const ServingModel& model, const Profile& profile,
                                            const RequestContext& context, TimeMs now);

  /// What recommend() would go by; none for a list that is another each time, or is not likely to be asked for again.
  [[nodiscard]] std::optional<ListBasis> basis_of(const State& state, std::optional<UserId> user,
                                                  const Profile* profile, const RecommendRequest& request, TimeMs now);

  [[nodiscard]] UserVectors::Counts vector_counts() const { return vectors_.counts(); }

  /// How much memory users' vectors may take from now on.
  void set_vector_budget(size_t bytes) {
    vectors_.set_budget(bytes);
    vectors_.make_room();
  }

  /// Never fails: whatever is unknown falls back to what is popular, and says so. `user` is who asks, if
  /// anything is known of them. Items that the model ranks come first; when they do not fill the list, popular ones do.
  Recommendation recommend(const State& state, std::optional<UserId> user, const RecommendRequest& request, TimeMs now);

  /// The same, by the profile of `user` that the caller has found; null when there is none.
  Recommendation recommend(const State& state, std::optional<UserId> user, const Profile* profile,
                           const RecommendRequest& request, TimeMs now);

  static constexpr size_t kVectorBytes = size_t{256} << 20;

 private:
  struct Popularity {
    std::vector<float> weights;  // by item id
    std::vector<ItemId> order;   // the heaviest first

    /// The heaviest that are allowed; later items weigh nothing.
    [[nodiscard]] std::vector<ScoredItem> best(const Bitmap& allowed, size_t k) const;
  };

  struct Source {  // one that gives every item a score
    ItemSource name;
    bool counts;  // its scores are weighted counts, not logits
    /// The k best, and up to `more` others: of logits those at most `reach` below the k-th at least.
    std::function<std::vector<ScoredItem>(const Bitmap& allowed, size_t k, size_t more, float reach)> best;
  };
  /// What all sources of a list go by.
  struct Choice {
    const RecommendRequest& request;
    const Catalogue& catalogue;
    const ServingModel* model;                     // null: none
    std::shared_ptr<const ItemOutcomes> outcomes;  // those of nothing without an objective
    bool shaped = false;                           // the list is more than the best items in order
    Bitmap allowed;                                // by item; what is in the list no more
    std::vector<Bitmap> boosted;                   // by boost, the items that pass
    Acquaintance user;                             // empty without an objective
    std::map<std::string, int32_t> groups;         // numbers of the items' first categories, as they come up
    std::map<int32_t, size_t> in_group;            // items of each in the list
    size_t wanted = 0;
  };

  [[nodiscard]] Choice make_choice(const State& state, const Profile* profile, const RecommendRequest& request,
                                   const ServingModel* model, size_t items);
  [[nodiscard]] Bitmap showable_items(const State& state, const Profile* profile, const RecommendRequest& request,
                                      size_t items) const;
  void filter(const State& state, const Profile* profile, const RecommendRequest& request, TimeMs now, Bitmap& items);
  [[nodiscard]] std::vector<ItemId> ids_of(const std::vector<std::string>& names) const;
  RecommendedItem entry(ItemId item, float score, ItemSource source) const;
  void pin(Choice& choice, Recommendation& result) const;
  static void count_group(Choice& choice, int32_t group);
  static void use_category(Choice& choice, ItemId item);
  void fill_plain(const Source& source, Choice& choice, Recommendation& result) const;
  [[nodiscard]] std::vector<SlateCandidate> candidates(const Source& source, const Choice& choice, size_t count,
                                                       int round) const;
  [[nodiscard]] static int32_t group_of(Choice& choice, ItemId item);
  [[nodiscard]] static std::vector<float> unit_vectors(const ServingModel& model, std::span<const ItemId> items);
  [[nodiscard]] static std::function<double(size_t, size_t)> likeness_of(Choice& choice, std::span<const ItemId> items);
  [[nodiscard]] static ListRules list_rules(Choice& choice, const std::vector<SlateCandidate>& candidates,
                                            const Recommendation& result);
  void add_reasons(const Choice& choice, const SlateCandidate& candidate, const Placed& placed,
                   RecommendedItem& shown) const;
  size_t fill_shaped(const Source& source, Choice& choice, int round, Recommendation& result) const;
  void fill(const Source& source, Choice& choice, Recommendation& result) const;
  void fill_popular(const Popularity& popularity, Choice& choice, Recommendation& result) const;
  void fill_category_of(ItemId item, const Popularity& popularity, Choice& choice, Recommendation& result);
  void explain(const ServingModel& model, const Catalogue& catalogue, const Profile& profile, const ReadInputs& inputs,
               TimeMs instant, Recommendation& recommendation) const;
  void add_attention(const ServingModel& model, const Profile& profile, Recommendation& result) const;

  uint32_t& changes_of(UserId user) { return user_changes_[mix64(user) % kChangeCounts]; }

  static constexpr size_t kChangeCounts = size_t{1} << 16;

  const Dictionary& items_;
  UserVectors vectors_;
  ItemFields fields_;
  uint64_t item_changes_ = 0;  // this and the next since the start; guarded by whoever guards the state
  std::vector<uint32_t> user_changes_ = std::vector<uint32_t>(kChangeCounts);  // some users share a count
  mutable std::mutex mutex_;                                                   // guards what follows
  std::shared_ptr<const ServingModel> model_;
  std::shared_ptr<const Popularity> popularity_ = std::make_shared<Popularity>();
  std::shared_ptr<const ItemOutcomes> outcomes_ = std::make_shared<ItemOutcomes>();
  uint64_t model_version_ = 0, popularity_version_ = 0, outcomes_version_ = 0;
};

}  // namespace perennial
