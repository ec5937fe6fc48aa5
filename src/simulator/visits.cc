#include "simulator/visits.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <span>
#include <unordered_map>

#include "base/check.h"

namespace perennial {
namespace {

constexpr TimeMs kSecond = 1000;
constexpr TimeMs kHour = 3'600'000;
constexpr TimeMs kDay = 24 * kHour;
constexpr int64_t kClubPriceMinor = 4900;
constexpr int kMostViews = 14;
constexpr double kMostDrawn = 1.5;
constexpr double kDriftingComes = 0.25;       // as often
constexpr double kRecovers = 0.35;            // of those who drift away
constexpr TimeMs kCampaignsFrom = 56 * kDay;  // after the shop's beginning
constexpr TimeMs kActionLasts = 14 * kDay;
constexpr TimeMs kOpens = 8 * kHour;  // after midnight

// Sessions begin between 8 and 22 h and end before midnight; reviews are written between 7 and 8.
constexpr std::array<double, 14> kHourWeights = {3, 4, 5, 5, 6, 5, 4, 4, 5, 6, 8, 10, 10, 7};
constexpr std::array<double, 7> kWeekdayWeights = {1.0, 0.95, 0.9, 0.9,
                                                   0.9, 1.1,  1.25};  // 1970-01-01 was a Thursday: from Thursday on

constexpr std::string_view kFirstNames[] = {"Ada",    "Bruno", "Clara", "Dario", "Edda",   "Felix",  "Greta", "Hugo",
                                            "Ida",    "Jonas", "Klara", "Leo",   "Mila",   "Nils",   "Olga",  "Paul",
                                            "Quirin", "Rosa",  "Samir", "Thea",  "Ulla",   "Viktor", "Wanda", "Xaver",
                                            "Yara",   "Zeno",  "Amara", "Bela",  "Carlos", "Dunja"};
constexpr std::string_view kLastNames[] = {"Ahorn",  "Berger", "Castell", "Duval",  "Eklund",    "Fischer", "Grün",
                                           "Holm",   "Ivers",  "Jansen",  "Keller", "Lindqvist", "Moreau",  "Novak",
                                           "Okafor", "Petit",  "Quast",   "Rossi",  "Sommer",    "Tanaka",  "Ude",
                                           "Vogel",  "Winter", "Yilmaz",  "Zimmer"};
constexpr std::string_view kCountries[] = {"DE", "DE", "DE", "AT", "CH", "FR", "NL", "SE"};

template <size_t N>
std::string_view pick(const std::string_view (&values)[N], Random& random) {
  return values[random.below(N)];
}

/// A taste of one to three interests, and a little of the rest.
Taste random_taste(Random& random) {
  Taste taste;
  taste.interests.fill(0.02);
  double weight = 1;
  for (uint64_t left = 1 + random.below(3); left > 0; --left, weight *= 0.6)
    taste.interests[random.below(kInterests)] += weight;
  double sum = 0;
  for (const double interest : taste.interests) sum += interest;
  for (double& interest : taste.interests) interest /= sum;
  double squares = 0;
  for (double& value : taste.style) {
    value = grid_normal(random);
    squares += value * value;
  }
  for (double& value : taste.style) value /= std::sqrt(squares + 1e-12);
  taste.price_band = std::clamp(0.5 + 0.25 * grid_normal(random), 0.0, 1.0);
  return taste;
}

ShopUser random_user(Random& random) {
  ShopUser user;
  user.taste = random_taste(random);
  user.last_interests = user.taste.interests;
  user.sessions_per_week = std::clamp(0.95 * std::exp(0.55 * grid_normal(random)), 0.2, 5.0);
  user.buys_per_session = std::clamp(0.15 * std::exp(0.5 * grid_normal(random)), 0.02, 0.6);
  user.leaves_per_session = std::clamp(0.045 * std::exp(0.7 * grid_normal(random)), 0.005, 0.4);
  user.on_mobile = random.chance(0.55);
  user.second_device = random.chance(0.25);
  user.newsletter = random.chance(0.4);
  const std::string_view first = pick(kFirstNames, random);
  user.name = fmt::format("{} {}", first, pick(kLastNames, random));
  user.country = pick(kCountries, random);
  return user;
}

TimeMs end_of_campaigns(const ShopHistory& history) {
  const auto months = static_cast<size_t>(history.options.campaign_months);
  return months == 0 ? history.month_starts.back() : history.month_starts[months];
}

/// Who comes when somebody invites them. After the campaigns each day has guests of its own, who would have come a week
/// later anyway: so one invitation more or less changes nothing that was before it.
class FreeGuests {
 public:
  explicit FreeGuests(TimeMs end_of_campaigns) : end_of_campaigns_(end_of_campaigns) {}

  /// By rising index; `arrives` unasked.
  void add(int32_t index, TimeMs arrives) {
    free_[arrives < end_of_campaigns_ ? 0 : day_of(arrives) - kEarlier].push_back(index);
  }

  /// Whom somebody may invite at the time, by rising index.
  std::deque<int32_t>& at(TimeMs time) { return free_[time < end_of_campaigns_ ? 0 : day_of(time)]; }

  /// Its turn has come without an invitation: it arrives unasked.
  void forget(int32_t index, TimeMs arrives) {
    std::deque<int32_t>& free = free_[arrives < end_of_campaigns_ ? 0 : day_of(arrives) - kEarlier];
    if (!free.empty() && free.front() == index) free.pop_front();
  }

 private:
  static constexpr int64_t kEarlier = 7;  // days: an invitation is followed within six
  static int64_t day_of(TimeMs time) { return time / kDay; }

  TimeMs end_of_campaigns_;
  std::unordered_map<int64_t, std::deque<int32_t>> free_;  // by day of invitation; 0: before the end of the campaigns
};

/// One visitor's life. References stay valid: the users are all made before.
class Life {
 public:
  Life(ShopHistory& history, int32_t index, const ChoiceObserver& observer, FreeGuests& free_guests,
       std::span<const GivenAction> given, Random& random, int64_t& looks)
      : history_(history),
        index_(index),
        user_(history.users[static_cast<size_t>(index)]),
        observer_(observer),
        free_guests_(free_guests),
        given_(given),
        random_(random),
        looks_(looks),
        end_(history.month_starts.back()),
        shopper_(history.assortment, user_.taste),
        probabilities_(history.assortment.items.size()) {}

  void live() {
    willing_ = user_.invited_by >= 0 || random_.chance(0.85);
    advocate_ = random_.chance(0.25);
    mobile_ = user_.on_mobile;
    visit(user_.arrived);
    TimeMs next_drift = user_.arrived + 30 * kDay;
    for (TimeMs day = user_.arrived / kDay * kDay + kDay; day < end_ && !gone_; day += kDay) {
      if (day >= next_drift) {
        shopper_.drift(random_);
        next_drift += 30 * kDay;
      }
      write_due_reviews(day);
      settle_drifting(day);
      if (!gone_ && has_campaign(day)) be_acted_on(day);
      if (!gone_) take_given(day);
      if (!gone_ && random_.chance(std::min(0.95, daily_rate(day)))) visit(day + visit_hour());
    }
    user_.last_interests = shopper_.taste().interests;
  }

  /// From midnight, a time at which visits begin.
  static TimeMs visit_hour(Random& random) {
    const auto hour = static_cast<TimeMs>(8 + draw(kHourWeights, random));
    return hour * kHour + static_cast<TimeMs>(random.below(static_cast<uint64_t>(kHour)));
  }

 private:
  struct DueReview {
    TimeMs day;
    int32_t item;
  };

  TimeMs visit_hour() { return visit_hour(random_); }

  /// What an action does, as factors.
  struct ActionEffect {
    double visits = 1;
    double buys = 1;
  };

  [[nodiscard]] ActionEffect effect_of(int32_t action) const {
    switch (action) {
      case 1:
        return {1, user_.orders == 0 || drifting_ ? 2.2 : 1.05};
      case 2:
        return {user_.orders >= 2 ? 1.6 : 0.85, 1};
      case 3:
        return {drifting_ ? 1.5 : 0.6, 1};
      default:
        return {};
    }
  }

  [[nodiscard]] bool has_campaign(TimeMs day) const {
    const TimeMs since = day - history_.month_starts.front() - kCampaignsFrom;
    return history_.options.campaigns && user_.signed_up && since >= 0 && since % kActionLasts == 0 &&
           day + kHour * 24 < end_ && day < end_of_campaigns(history_);
  }

  void be_acted_on(TimeMs day) {
    now_ = day + 8 * kHour - kHour / 8;  // after drifting is settled, before the visits
    mobile_ = user_.on_mobile;
    ShopCampaign campaign{.user = index_, .time = now_};
    // Whoever wants the newsletter is written to more often.
    campaign.chances = user_.newsletter ? std::array{0.3, 0.2, 0.3, 0.2} : std::array{0.4, 0.2, 0.2, 0.2};
    campaign.drawn = static_cast<int32_t>(draw(campaign.chances, random_));
    for (size_t action = 0; action < kShopActions; ++action)
      campaign.will_order[action] = order_chance(day, effect_of(static_cast<int32_t>(action)));
    acted_ = effect_of(campaign.drawn);
    acted_until_ = day + kActionLasts;
    emit(ShopEventKind::acted, -1, static_cast<int32_t>(history_.campaigns.size()));
    history_.campaigns.push_back(campaign);
  }

  /// What was given until this day's visits, and since those of the day before; of several the last.
  void take_given(TimeMs day) {
    for (; !given_.empty() && given_.front().time < day + kOpens; given_ = given_.subspan(1)) {
      if (given_.front().time < day - kDay + kOpens) continue;  // nobody was there
      acted_ = effect_of(given_.front().action);
      acted_until_ = day + kActionLasts;
    }
  }

  /// Within the action's time, as things stand: that they change meanwhile is left out, but for the end of drifting.
  [[nodiscard]] double order_chance(TimeMs from, const ActionEffect& effect) const {
    if (!willing_) return 0;
    double none = 1, none_when_back = 1;
    for (TimeMs day = from; day < std::min(from + kActionLasts, end_); day += kDay) {
      const bool refill = shopper_.needs_refill(day);
      const double buys = std::min(0.9, user_.buys_per_session * (refill ? 2.2 : 1) * effect.buys);
      const bool settled = drifting_ && day >= drift_end_;
      const double rate = plain_rate(day) * effect.visits;
      if (!settled) none *= 1 - std::min(0.95, rate) * buys;
      if (settled) none_when_back *= 1 - std::min(0.95, rate / kDriftingComes) * buys;
    }
    return 1 - none * (1 - kRecovers + kRecovers * none_when_back);
  }

  [[nodiscard]] double daily_rate(TimeMs day) const {
    return plain_rate(day) * (day < acted_until_ ? acted_.visits : 1);
  }

  [[nodiscard]] double plain_rate(TimeMs day) const {
    double rate = user_.sessions_per_week / 7 * kWeekdayWeights[static_cast<size_t>(day / kDay % 7)];
    if (user_.newsletter && user_.signed_up) rate *= 1.15;
    if (club_) rate *= 1.2;
    if (shopper_.needs_refill(day)) rate *= 1.5;
    if (day <= drawn_until_) rate *= std::exp(drawn_);
    return drifting_ ? rate * kDriftingComes : rate;
  }

  void enter(ShopStage stage) { user_.stages.push_back({stage, now_}); }

  void emit(ShopEventKind kind, int32_t item = -1, int32_t detail = -1) {
    PERENNIAL_CHECK(now_ > last_time_ && now_ < end_, "event at {} after {}, end {}", now_, last_time_, end_);
    last_time_ = now_;
    history_.events.push_back({now_, index_, sequence_++, item, detail, kind, mobile_, anonymous()});
  }

  /// Nobody knows who sits before this device.
  [[nodiscard]] bool anonymous() const { return !user_.signed_up || (mobile_ != user_.on_mobile && !second_known_); }

  void pause(uint64_t lowest_seconds, uint64_t highest_seconds) {
    now_ += kSecond * static_cast<TimeMs>(lowest_seconds + random_.below(highest_seconds - lowest_seconds + 1)) +
            static_cast<TimeMs>(random_.below(1000));
  }

  void visit(TimeMs time) {
    now_ = time;
    mobile_ = user_.on_mobile;
    if (user_.second_device && user_.signed_up && random_.chance(0.2)) mobile_ = !mobile_;
    shopper_.begin_session(now_, random_);
    seen_.clear();
    if (observer_.visit) observer_.visit(index_, now_, shopper_);
    if (user_.invited_by >= 0 && !user_.signed_up) sign_up();
    const bool refill = shopper_.needs_refill(now_);
    const bool buys = willing_ && random_.chance(std::min(0.9, user_.buys_per_session * (refill ? 2.2 : 1) *
                                                                   (now_ < acted_until_ ? acted_.buys : 1)));
    look_around(2, 0.55);
    if (willing_ && !user_.signed_up && (buys || random_.chance(0.35))) sign_up();
    if (user_.signed_up && anonymous()) sign_in();
    if (buys)
      buy();
    else if (random_.chance(0.2))
      leave_basket();
    if (user_.orders >= 2 && random_.chance(advocate_ ? 0.12 : 0.008)) invite();
    if (!drifting_ && random_.chance(leaving_chance())) start_drifting();
    be_drawn();
  }

  /// What was looked at brings the visitor back, or does not.
  void be_drawn() {
    drawn_ = 0;
    for (const int32_t seen : seen_) drawn_ += item(seen).brings_back;
    drawn_ = std::clamp(drawn_, -kMostDrawn, kMostDrawn);
    drawn_until_ = now_ + 7 * kDay;
  }

  void look_around(int at_least, double more) {
    int views = at_least;
    while (views < kMostViews && random_.chance(more)) ++views;
    for (; views > 0; --views) {
      const bool told = observer_.see && looks_++ % observer_.every == 0;
      const int32_t item = shopper_.choose_view(now_, random_, told ? &probabilities_ : nullptr);
      if (told) observer_.see(index_, probabilities_, item);
      emit(ShopEventKind::viewed, item);
      shopper_.saw(item);
      seen_.push_back(item);
      ++user_.item_events;
      pause(10, 100);
    }
  }

  void sign_up() {
    const bool old_client = random_.chance(0.06);
    if (old_client) {
      emit(ShopEventKind::aliased);
      pause(1, 2);
    }
    emit(ShopEventKind::identified, -1, old_client ? 0 : kIdentifyDevice);
    pause(1, 2);
    user_.signed_up = true;
    enter(ShopStage::acquired);
    emit(ShopEventKind::signed_up);
    pause(5, 30);
  }

  void sign_in() {
    emit(ShopEventKind::identified, -1, kIdentifyDevice + (club_ ? kIdentifyClub : 0));
    second_known_ = true;
    pause(1, 2);
    emit(ShopEventKind::signed_in);
    pause(3, 20);
  }

  /// The one liked best of those seen since `from`, with a little whim; -1 when there is none to want.
  int32_t favourite(size_t from) {
    int32_t best = -1;
    double best_liking = 0;
    for (size_t i = from; i < seen_.size(); ++i) {
      const double liking = shopper_.liking(seen_[i]) + 0.4 * grid_normal(random_);
      const bool taken = std::find(basket_.begin(), basket_.end(), seen_[i]) != basket_.end();
      if (!taken && (best < 0 || liking > best_liking)) {
        best = seen_[i];
        best_liking = liking;
      }
    }
    return best;
  }

  void add_to_basket(int32_t chosen) {
    emit(ShopEventKind::added, chosen);
    shopper_.put_in_basket(chosen);
    basket_.push_back(chosen);
    ++user_.item_events;
    pause(10, 60);
  }

  void buy() {
    basket_.clear();
    add_to_basket(favourite(0));
    for (int extra = 0; extra < 3 && random_.chance(0.55); ++extra) {
      if (!shopper_.turn_to_complement(basket_.back(), now_, random_)) break;
      const size_t from = seen_.size();
      look_around(1, 0.4);
      const int32_t chosen = favourite(from);
      if (chosen < 0 || !random_.chance(0.7)) break;
      add_to_basket(chosen);
    }
    pause(40, 200);
    order();
  }

  void order() {
    ShopOrder order{.user = index_, .lines = {}};
    for (const int32_t id : basket_) {
      const Upkeep upkeep = category(id).upkeep;
      const double more = upkeep == Upkeep::consumable ? 0.35 : upkeep == Upkeep::collectable ? 0.12 : 0;
      const int32_t quantity = 1 + (random_.chance(more) ? 1 : 0);
      order.lines.push_back({id, quantity});
      order.total_minor += quantity * item(id).price_minor;
      shopper_.bought(id, quantity, now_, random_);
      if (random_.chance(std::min(0.9, 0.2 * std::exp(item(id).told))))
        reviews_.push_back({now_ / kDay * kDay + static_cast<TimeMs>(5 + random_.below(10)) * kDay, id});
    }
    user_.item_events += static_cast<int64_t>(basket_.size());
    user_.revenue_minor += order.total_minor;
    emit(ShopEventKind::ordered, -1, static_cast<int32_t>(history_.orders.size()));
    history_.orders.push_back(std::move(order));
    ++user_.orders;
    if (user_.orders == 1) enter(ShopStage::activated);
    if (user_.orders == 2) enter(ShopStage::repeat);
    if (user_.orders >= 3 && !club_ && random_.chance(0.1)) upgrade();
    pause(20, 60);
  }

  void upgrade() {
    pause(30, 90);
    club_ = true;
    user_.revenue_minor += kClubPriceMinor;
    enter(ShopStage::upgraded);
    emit(ShopEventKind::upgraded);
    pause(1, 2);
    emit(ShopEventKind::identified, -1, kIdentifyClub);
  }

  void leave_basket() {
    basket_.clear();
    add_to_basket(favourite(0));
  }

  void invite() {
    pause(30, 120);
    emit(ShopEventKind::invited);
    const auto referrer = [](const StageChange& change) { return change.stage == ShopStage::referrer; };
    if (std::none_of(user_.stages.begin(), user_.stages.end(), referrer)) enter(ShopStage::referrer);
    const TimeMs arrival = (now_ / kDay + 1 + static_cast<TimeMs>(random_.below(5))) * kDay + visit_hour();
    std::deque<int32_t>& free = free_guests_.at(now_);
    if (!random_.chance(0.45) || free.empty() || arrival >= end_ - kDay) return;
    ShopUser& guest = history_.users[static_cast<size_t>(free.front())];
    guest.invited_by = index_;
    guest.arrived = arrival;
    for (size_t i = 0; i < kInterests; ++i)  // friends have interests in common
      guest.taste.interests[i] = 0.5 * guest.taste.interests[i] + 0.5 * shopper_.taste().interests[i];
    user_.invited.push_back(free.front());
    free.pop_front();
  }

  [[nodiscard]] double leaving_chance() const {
    return user_.leaves_per_session * (club_ ? 0.5 : 1) * (user_.orders > 0 ? 0.8 : 1.3);
  }

  void start_drifting() {
    pause(1, 2);
    drifting_ = true;
    drift_end_ = (now_ / kDay + 14 + static_cast<TimeMs>(random_.below(32))) * kDay;
    enter(ShopStage::drifting);
  }

  void settle_drifting(TimeMs day) {
    if (!drifting_ || day < drift_end_) return;
    now_ = day + 7 * kHour + kHour / 2 + kHour / 4;  // after the reviews, before the visits
    drifting_ = false;
    gone_ = !random_.chance(kRecovers);
    enter(gone_ ? ShopStage::churned : ShopStage::recovered);
  }

  void write_due_reviews(TimeMs day) {
    TimeMs time = day + 7 * kHour;
    for (const DueReview& review : reviews_) {
      if (review.day != day) continue;
      now_ = time += kSecond * static_cast<TimeMs>(60 + random_.below(60));
      mobile_ = user_.on_mobile;
      const double pleasure = 3.7 + 0.7 * item(review.item).quality +
                              0.4 * dot(user_.taste.style, item(review.item).style) + 0.7 * grid_normal(random_);
      const int rating = std::clamp(static_cast<int>(std::lround(pleasure)), 1, 5);
      emit(ShopEventKind::reviewed, review.item, rating);
      shopper_.reviewed(review.item, rating);
      ++user_.item_events;
    }
    std::erase_if(reviews_, [day](const DueReview& review) { return review.day <= day; });
  }

  [[nodiscard]] const ShopItem& item(int32_t id) const { return history_.assortment.items[static_cast<size_t>(id)]; }
  [[nodiscard]] const ShopCategory& category(int32_t id) const {
    return history_.assortment.categories[static_cast<size_t>(item(id).category)];
  }

  ShopHistory& history_;
  const int32_t index_;
  ShopUser& user_;
  const ChoiceObserver& observer_;
  FreeGuests& free_guests_;
  std::span<const GivenAction> given_;  // still to come, by time
  Random& random_;
  int64_t& looks_;  // of all lives so far
  const TimeMs end_;
  Shopper shopper_;
  std::vector<double> probabilities_;
  std::vector<int32_t> seen_;    // in this visit
  std::vector<int32_t> basket_;  // of this visit
  std::vector<DueReview> reviews_;
  TimeMs now_ = 0;
  TimeMs last_time_ = 0;
  TimeMs drift_end_ = 0;
  TimeMs drawn_until_ = 0;
  ActionEffect acted_;  // of the last action, until then
  TimeMs acted_until_ = 0;
  double drawn_ = 0;  // ln of a factor on how often the visitor comes until then
  int32_t sequence_ = 0;
  bool willing_ = true;  // to sign up, sooner or later
  bool advocate_ = false;
  bool mobile_ = false;  // the device in hand
  bool second_known_ = false;
  bool club_ = false;
  bool drifting_ = false;
  bool gone_ = false;
};

/// A time on one of the days that leave room for a first visit; more of them early.
TimeMs organic_arrival(const ShopHistory& history, Random& random) {
  const TimeMs start = history.month_starts.front();
  const auto days = static_cast<double>((history.month_starts.back() - start) / kDay);
  const double share = random.uniform();
  const auto day = static_cast<TimeMs>(days * share * (0.4 + 0.6 * share));
  return start + day * kDay + Life::visit_hour(random);
}

}  // namespace

void simulate_visitors(ShopHistory& history, const ChoiceObserver& observer) {
  const int32_t count = history.options.users;
  const int32_t organic = count - count / 10;  // the rest come when somebody invites them
  std::vector<Random> sources;
  for (int32_t index = 0; index < count; ++index) {
    sources.emplace_back(mix64(history.options.seed ^ mix64(static_cast<uint64_t>(index) + 1)));
    history.users.push_back(random_user(sources.back()));
    history.users.back().arrived = organic_arrival(history, sources.back());
  }
  int64_t looks = 0;
  FreeGuests free_guests(end_of_campaigns(history));
  for (int32_t index = organic; index < count; ++index)
    free_guests.add(index, history.users[static_cast<size_t>(index)].arrived);
  std::vector<GivenAction> given = history.options.given;
  std::ranges::sort(given, {}, [](const GivenAction& one) { return std::pair(one.user, one.time); });
  for (int32_t index = 0; index < count; ++index) {
    if (index >= organic) free_guests.forget(index, history.users[static_cast<size_t>(index)].arrived);
    const auto own = std::ranges::lower_bound(given, index, {}, &GivenAction::user);
    const auto next = std::ranges::upper_bound(given, index, {}, &GivenAction::user);
    Life(history, index, observer, free_guests, {own, next}, sources[static_cast<size_t>(index)], looks).live();
  }
}

}  // namespace perennial
