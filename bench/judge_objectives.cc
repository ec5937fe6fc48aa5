// What do stage-aware lists gain of their stated objective, and what do they cost in NDCG@10, by the truth of a
// simulated shop? bench/objectives.sh makes the shop, imports six months of it, trains, and runs this on the seventh:
//   judge_objectives make FOLDER USERS SEED EFFECTS           writes the shop
//   judge_objectives judge DATA USERS SEED EFFECTS [sweep]    judges the default weights; with sweep each aim alone
// Judged is each user's first visit of the month: lists are made from what the log knew before, and the truth is the
// shopper's own at that instant. A list is worth the chance that the next look is at one of its items, times what the
// look is worth: bought in this visit, the money of that, another visit within a week, a category new to the user, a
// review. Checked first: the truth's own list beats the plain one.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "cli/objectives.h"
#include "lifecycle/lives.h"
#include "log/sqlite_log.h"
#include "recommend/recommender.h"
#include "simulator/shop.h"

namespace perennial {
namespace {

constexpr size_t kFirstMonths = 6;
constexpr int kListLength = 10;
constexpr int kSamples = 500;
constexpr double kWhim = 0.4 * M_SQRT2;  // of the difference of two likings: simulator/visits.cc, favourite()
constexpr double kMoreLooks = 0.55;      // and look_around()
constexpr double kStays = 0.82;          // in the category of the look before: simulator/shopper.cc
constexpr double kReviews = 0.2;
constexpr size_t kColumns = 6;  // conversion, money, revisit, breadth, sharing, NDCG@10
constexpr const char* kColumnNames[kColumns] = {"conversion", "money", "revisit", "breadth", "sharing", "NDCG@10"};
using Worth = std::array<double, kColumns>;

struct Visit {
  int32_t user = 0;
  TimeMs time = 0;
  std::vector<double> chances;  // of the next look, by item of the shop
  std::vector<double> likings;
  bool refill = false;
};

struct Shop {
  ShopHistory history;
  std::vector<Visit> visits;  // first ones of the month
};

Result<Shop> simulate(const ShopOptions& options) {
  Shop shop;
  std::vector<bool> came(static_cast<size_t>(options.users));
  PERENNIAL_TRY_ASSIGN(const ShopHistory calendar, simulate_shop({.users = 1, .items = kFewestItems}));
  const TimeMs from = calendar.month_starts[kFirstMonths];
  const TimeMs to = calendar.month_starts[kFirstMonths + 1];
  ChoiceObserver observer;
  observer.visit = [&](int32_t user, TimeMs now, const Shopper& shopper) {
    if (now < from || now >= to || came[static_cast<size_t>(user)]) return;
    came[static_cast<size_t>(user)] = true;
    Visit& visit = shop.visits.emplace_back();
    visit.user = user;
    visit.time = now;
    visit.refill = shopper.needs_refill(now);
    shopper.look_chances(now, visit.chances);
    for (int32_t item = 0; item < options.items; ++item) visit.likings.push_back(shopper.liking(item));
  };
  PERENNIAL_TRY_ASSIGN(shop.history, simulate_shop(options, observer));
  return shop;
}

/// What one look is worth, by the truth.
class Truth {
 public:
  Truth(const ShopHistory& history, const Visit& visit)
      : history_(history), visit_(visit), of_category_(history.assortment.categories.size()) {
    for (size_t i = 0; i < visit.chances.size(); ++i) of_category_[category(i)] += visit.chances[i];
  }

  [[nodiscard]] double chance(size_t item) const { return visit_.chances[item]; }
  [[nodiscard]] const std::vector<double>& chances() const { return visit_.chances; }

  /// `fresh`: the item's category is new to the user.
  [[nodiscard]] Worth of_look(size_t item, bool fresh) const {
    const ShopItem& it = history_.assortment.items[item];
    const ShopUser& user = history_.users[static_cast<size_t>(visit_.user)];
    const double buys = std::min(0.9, user.buys_per_session * (visit_.refill ? 2.2 : 1));
    const double beats = chance(item) < 1e-9 ? 0 : beats_another(item);
    const double bought = buys * (1 - kMoreLooks) * beats / (1 - kMoreLooks * beats);  // it beats one, or two, ...
    return {bought, bought * static_cast<double>(it.price_minor) / 100,
            1 - std::exp(-user.sessions_per_week * std::exp(it.brings_back)), fresh ? 1.0 : 0.0,
            bought * kReviews * std::exp(it.told)};
  }

 private:
  [[nodiscard]] size_t category(size_t item) const {
    return static_cast<size_t>(history_.assortment.items[item].category);
  }

  /// The chance that the item is liked better than what another look of the visit would be at.
  [[nodiscard]] double beats_another(size_t item) const {
    double anywhere = 0;
    double near = 0;
    for (size_t j = 0; j < visit_.chances.size(); ++j) {
      if (visit_.chances[j] < 1e-9) continue;
      const double wins = 0.5 * std::erfc(-(visit_.likings[item] - visit_.likings[j]) / kWhim / M_SQRT2);
      anywhere += visit_.chances[j] * wins;
      if (category(j) == category(item)) near += visit_.chances[j] * wins / of_category_[category(item)];
    }
    return kStays * near + (1 - kStays) * anywhere;
  }

  const ShopHistory& history_;
  const Visit& visit_;
  std::vector<double> of_category_;  // chance of a look into it
};

/// What the log knew, as the server would.
struct Server {
  std::unique_ptr<LogReader> log;
  std::unique_ptr<State> state;
  std::unique_ptr<Lives> lives;
  std::unique_ptr<Recommender> recommender;
  ItemOutcomes outcomes;
  std::vector<int32_t> shop_item;  // by id of the log

  Status open(const fs::path& data, const ShopHistory& history) {
    PERENNIAL_TRY_ASSIGN(log, open_log_for_reading(data));
    PERENNIAL_TRY_ASSIGN(const Offset end, log->end());
    PERENNIAL_TRY_ASSIGN(Definition definition, preset("e-commerce"));
    const Definition& stages = definition;
    state = std::make_unique<State>(EventRoles(), log->event_types(), 1024);
    PERENNIAL_TRY(state->catch_up(*log, end));
    const OutcomeTypes types = outcome_types(stages, log->event_types());
    recommender = std::make_unique<Recommender>(log->items());
    PERENNIAL_TRY_ASSIGN(const auto model, load_serving_model(data, log->items(), log->event_types()));
    recommender->set_model(model);
    recommender->refresh_popularity(*state);
    const double started = monotonic_seconds();
    recommender->refresh_outcomes(*state, types);
    fmt::print("outcomes of {} items learned in {:.0f} ms\n", log->items().size(),
               1e3 * (monotonic_seconds() - started));
    outcomes = ItemOutcomes::learn(*state, types, log->items().size());
    lives = std::make_unique<Lives>(std::move(definition), log->event_types(), log->users());
    PERENNIAL_TRY(lives->catch_up(*log, end));
    shop_item.assign(log->items().size(), -1);
    for (size_t item = 0; item < history.assortment.items.size(); ++item)
      if (const auto id = log->items().find(history.assortment.items[item].id))
        shop_item[*id] = static_cast<int32_t>(item);
    return {};
  }

  [[nodiscard]] std::optional<UserId> find(const ShopUser& user, int32_t index) const {
    for (const std::string& name :
         {shop_user_id(index), shop_anonymous_id(index, user.on_mobile), shop_anonymous_id(index, !user.on_mobile)})
      if (const auto id = log->users().find(name); id && state->profiles().find(*id) != nullptr) return id;
    return std::nullopt;
  }
};

/// One user asking, and the worth of each item to them.
struct Asked {
  std::optional<UserId> user;
  TimeMs time = 0;
  Standing standing;
  bool stranger = false;    // the log knows no event with an item of theirs
  std::vector<bool> known;  // categories of their history
  Truth truth;
};

Asked asked_by(const Visit& visit, const ShopHistory& history, const Server& server) {
  Asked asked{.truth = Truth(history, visit)};
  asked.user = server.find(history.users[static_cast<size_t>(visit.user)], visit.user);
  asked.time = visit.time;
  if (const Found<Life> life = asked.user ? server.lives->find(*asked.user) : nullptr)
    asked.standing = standing_at(server.lives->definition(), life->facts, visit.time);
  const Found<Profile> profile = asked.user ? server.state->profiles().find(*asked.user) : nullptr;
  asked.stranger = profile == nullptr || profile->history.empty();
  asked.known.resize(static_cast<size_t>(server.outcomes.categories()));
  if (profile != nullptr)
    for (const HistoryToken& token : profile->history)
      asked.known[static_cast<size_t>(server.outcomes.category(token.item))] = true;
  return asked;
}

Worth judge(const Asked& asked, const Server& server, const std::vector<RecommendedItem>& list) {
  Worth worth{};
  for (size_t rank = 0; rank < list.size(); ++rank) {
    const int32_t item = server.shop_item[list[rank].item];
    if (item < 0) continue;
    const bool fresh = !asked.known[static_cast<size_t>(server.outcomes.category(list[rank].item))];
    const double chance = asked.truth.chance(static_cast<size_t>(item));
    const Worth of_look = asked.truth.of_look(static_cast<size_t>(item), fresh);
    for (size_t column = 0; column + 1 < kColumns; ++column) worth[column] += chance * of_look[column];
    worth[kColumns - 1] += chance / std::log2(static_cast<double>(rank) + 2);
  }
  return worth;
}

Worth judge(const Asked& asked, const Server& server, const Objective& objective) {
  RecommendRequest request;
  request.count = kListLength;
  request.objective = objective;
  return judge(asked, server, server.recommender->recommend(*server.state, asked.user, request, asked.time).items);
}

/// (sum of b / sum of a - 1) in percent, and half its 95 % bootstrap interval over users.
std::pair<double, double> gain(const std::vector<Worth>& a, const std::vector<Worth>& b, size_t column) {
  Random random(1);
  const auto ratio = [&](auto&& pick) {
    double before = 0;
    double after = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      const size_t row = pick(i);
      before += a[row][column];
      after += b[row][column];
    }
    return before > 0 ? 100 * (after / before - 1) : 0;
  };
  std::vector<double> samples;
  for (int sample = 0; sample < kSamples; ++sample)
    samples.push_back(ratio([&](size_t) { return random.below(a.size()); }));
  std::sort(samples.begin(), samples.end());
  return {ratio([](size_t i) { return i; }), (samples[kSamples * 39 / 40] - samples[kSamples / 40]) / 2};
}

std::string group_of(const Asked& asked) {
  if (asked.stranger) return "acquisition, nothing known";
  if (asked.standing.overlay != Overlay::none) return overlay_name(asked.standing.overlay);
  return stage_name(asked.standing.stage);
}

void print_row(const std::string& name, const std::vector<Worth>& plain, const std::vector<Worth>& aware) {
  fmt::print("| {} | {} |", name, plain.size());
  for (size_t column = 0; column + 1 < kColumns; ++column) {
    const auto [percent, half] = gain(plain, aware, column);
    fmt::print(" {:+.1f} ± {:.1f} |", percent, half);
  }
  double before = 0;
  double after = 0;
  for (size_t i = 0; i < plain.size(); ++i) {
    before += plain[i][kColumns - 1] / static_cast<double>(plain.size());
    after += aware[i][kColumns - 1] / static_cast<double>(plain.size());
  }
  const auto [percent, half] = gain(plain, aware, kColumns - 1);
  fmt::print(" {:.4f} | {:.4f} | {:+.1f} ± {:.1f} |\n", before, after, percent, half);
}

void print_heading(const char* first) {
  fmt::print("\n| {} | users |", first);
  for (size_t column = 0; column + 1 < kColumns; ++column) fmt::print(" {}, % |", kColumnNames[column]);
  fmt::print(" NDCG@10 plain | with it | % |\n|---|---|---|---|---|---|---|---|---|---|\n");
}

/// The list of the items most looked at by the truth.
bool truth_beats_plain(const std::vector<Asked>& all, const std::vector<Worth>& plain) {
  double of_truth = 0;
  double of_plain = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    std::vector<double> chances = all[i].truth.chances();
    std::sort(chances.rbegin(), chances.rend());
    for (size_t rank = 0; rank < kListLength; ++rank)
      of_truth += chances[rank] / std::log2(static_cast<double>(rank) + 2);
    of_plain += plain[i][kColumns - 1];
  }
  const auto users = static_cast<double>(all.size());
  fmt::print("{} users; NDCG@10 of the next look: plain {:.4f}, truth {:.4f} (seen items included)\n", all.size(),
             of_plain / users, of_truth / users);
  return of_plain > 0 && of_truth > of_plain;
}

using Groups = std::map<std::string, std::vector<size_t>>;

void compare(const std::string& name, const std::vector<size_t>& members, const std::vector<Worth>& plain,
             const std::function<Worth(size_t)>& aware) {
  std::vector<Worth> before;
  std::vector<Worth> after;
  for (const size_t member : members) {
    before.push_back(plain[member]);
    after.push_back(aware(member));
  }
  print_row(name, before, after);
}

void sweep(const Groups& groups, const std::vector<Asked>& all, const std::vector<Worth>& plain, const Server& server) {
  for (const auto& [group, members] : groups) {
    print_heading(group.c_str());
    for (const auto& [name, weight] :
         std::map<std::string, double ObjectiveWeights::*>{{"conversion", &ObjectiveWeights::conversion},
                                                           {"money", &ObjectiveWeights::money},
                                                           {"revisit", &ObjectiveWeights::revisit},
                                                           {"breadth", &ObjectiveWeights::breadth},
                                                           {"sharing", &ObjectiveWeights::sharing}})
      for (const double value : {0.25, 0.5, 1.0, 2.0}) {
        Objective objective;
        objective.weights.*weight = value;
        compare(fmt::format("{} {}", name, value), members, plain,
                [&](size_t member) { return judge(all[member], server, objective); });
      }
  }
}

Status run_judge(const fs::path& data, const ShopOptions& options, bool sweeps) {
  PERENNIAL_TRY_ASSIGN(const Shop shop, simulate(options));
  Server server;
  PERENNIAL_TRY(server.open(data, shop.history));
  std::vector<Asked> all;
  std::vector<Worth> plain;
  Groups groups;
  for (const Visit& visit : shop.visits) {
    all.push_back(asked_by(visit, shop.history, server));
    plain.push_back(judge(all.back(), server, Objective()));
    groups[group_of(all.back())].push_back(all.size() - 1);
  }
  if (!truth_beats_plain(all, plain)) return internal_error("the truth is not better than the model");
  if (sweeps) {
    sweep(groups, all, plain, server);
    return {};
  }
  StageObjectives objectives = stage_objectives(Settings());
  objectives.holdout_share = 0;
  print_heading("stage or overlay");
  for (const auto& [group, members] : groups)
    compare(group, members, plain, [&](size_t member) {
      return judge(all[member], server, choose_objective(objectives, all[member].standing, "").objective);
    });
  return {};
}

Status run(const std::vector<std::string>& words) {
  if (words.size() < 5) return invalid_argument("want make or judge, a folder, users, seed, effects of items");
  ShopOptions options;
  options.users = std::atoi(words[2].c_str());
  options.seed = std::strtoull(words[3].c_str(), nullptr, 10);
  options.item_effects = std::atof(words[4].c_str());
  if (words[0] == "make") return write_shop(options, words[1]);
  return run_judge(words[1], options, words.size() > 5);
}

}  // namespace
}  // namespace perennial

int main(int argc, char** argv) {
  const perennial::Status status = perennial::run(std::vector<std::string>(argv + 1, argv + argc));
  if (!status.ok()) fmt::print(stderr, "{}\n", status.message());
  return status.ok() ? 0 : 1;
}
