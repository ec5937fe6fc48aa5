// For tests: users of a shop whose visits and purchases come from the models themselves.
#pragma once

#include <deque>
#include <vector>

#include "forecast/questions.h"
#include "forecast/simulated_customers.h"

namespace perennial {

inline constexpr TimeMs kShopOpens = 1'600'000'000'000 / kMsOfDay * kMsOfDay;

/// Users come one by one over `days`; each visits by MBG/NBD and buys on some visits; one in six never visits at all.
/// Definition: e-commerce.
class SimulatedShop {
 public:
  SimulatedShop(int users, int days, uint64_t seed) : definition_(preset("e-commerce").value()), days_(days) {
    Random random(seed);
    for (int user = 0; user < users; ++user) {
      const double joins = days * static_cast<double>(user) / users;
      const UserFacts& facts = facts_.emplace_back();
      subjects_.push_back({static_cast<UserId>(user), time_of(joins), &facts});
      if (user % 6 != 0) live(random, joins, facts_.back());
    }
  }

  [[nodiscard]] const Definition& definition() const { return definition_; }
  [[nodiscard]] const std::vector<Subject>& subjects() const { return subjects_; }
  [[nodiscard]] TimeMs until() const { return time_of(days_); }
  static TimeMs time_of(double day) { return kShopOpens + static_cast<TimeMs>(day * static_cast<double>(kMsOfDay)); }

  /// Adds facts after `now` to all users, many of each signal.
  void add_later_facts(TimeMs now) {
    for (UserFacts& facts : facts_)
      for (size_t signal = 0; signal < definition_.signals.size(); ++signal)
        for (int day = 1; day < 60; day += 3)
          facts.add(static_cast<uint8_t>(signal), now + day * kMsOfDay, 1'000'000, 7700);
  }

 private:
  void live(Random& random, double joins, UserFacts& facts) {
    const double rate = draw_gamma(random, 1.2) / 20;
    const double leaves = draw_beta(random, 0.8, 4);
    const double buys = 0.1 + 0.5 * random.uniform();
    const double spend_rate = draw_gamma(random, 4) / 16;
    double day = joins;
    do {
      const TimeMs time = time_of(day);
      facts.add(0, time, ++offset_, 0);
      if (random.chance(buys))
        facts.add(*definition_.find_signal("value"), time, ++offset_,
                  1 + static_cast<int64_t>(100 * draw_gamma(random, 6) / spend_rate));
      day += random.exponential() / rate;
    } while (day < days_ && !random.chance(leaves));
  }

  Definition definition_;
  int days_;
  Offset offset_ = 0;
  std::deque<UserFacts> facts_;  // never moves: subjects point into it
  std::vector<Subject> subjects_;
};

}  // namespace perennial
