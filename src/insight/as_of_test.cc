// What each report says of an instant is what it would have said then: later facts are not looked at, in any of them.
#include <functional>

#include "insight/activation.h"
#include "insight/activity.h"
#include "insight/lives_fixture.h"
#include "insight/retention.h"
#include "insight/revenue.h"
#include "insight/rfm.h"
#include "insight/stages.h"
#include "insight/stickiness.h"
#include "insight/user_list.h"

namespace perennial {
namespace {

constexpr UserId kUsers = 120;

/// Lives that know the events up to `until` only, out of the same streams whatever it is.
class Known : public LivesFixture {
 public:
  Known(uint64_t seed, TimeMs until) {
    Random random(seed);
    name_users(kUsers);
    for (UserId user = 0; user < kUsers; ++user) {
      TimeMs time = at("2025-01-01") + static_cast<TimeMs>(random.below(200)) * kDayMs;
      const std::string inviter = fmt::format("u{}", random.below(kUsers));
      if (random.chance(0.2) && time <= until) invited(user, time, inviter);
      for (uint64_t i = random.below(20); i > 0; --i) {
        const char* type = random.chance(0.6) ? "view" : random.chance(0.9) ? "order" : "invite";
        const auto minor = static_cast<int64_t>(random.below(20'000));
        if (time <= until) event(user, time, type, type[0] == 'o' ? minor : 0);
        time += static_cast<TimeMs>(random.below(random.chance(0.2) ? 60 * kDayMs : 8 * kDayMs));
      }
    }
    for (UserId user = 0; user + 1 < kUsers; user += 7) merge(user, user + 1);
  }
  void TestBody() override {}

  [[nodiscard]] const Lives& lives() const { return lives_; }
  [[nodiscard]] const Dictionary& users() const { return users_; }
};

using Report = std::function<Result<Table>(const Known& known, TimeMs now)>;

std::vector<Report> all_reports() {
  std::vector<Report> reports;
  for (const Interval interval : {Interval::week, Interval::month}) {
    const IntervalOptions options{interval, 12};
    reports.emplace_back([=](const Known& k, TimeMs now) { return stages_over_time(k.lives(), options, now); });
    reports.emplace_back([=](const Known& k, TimeMs now) { return stages_today(k.lives(), options, now); });
    reports.emplace_back([=](const Known& k, TimeMs now) { return activity(k.lives(), {options, ""}, now); });
    reports.emplace_back([=](const Known& k, TimeMs now) { return time_to_activation(k.lives(), options, now); });
    reports.emplace_back([=](const Known& k, TimeMs now) { return activity(k.lives(), {options, "referral"}, now); });
    for (const RetentionVariant variant : {RetentionVariant::on, RetentionVariant::on_or_after})
      for (const CohortEvent cohort : {CohortEvent::first_seen, CohortEvent::activation})
        reports.emplace_back([=](const Known& k, TimeMs now) {
          return retention(k.lives(), {options, variant, cohort, "value"}, now);
        });
    reports.emplace_back([=](const Known& k, TimeMs now) {
      return revenue_by_stage(k.lives(), {options, "value"}, "EUR", now);
    });
    for (const char* signal : {"value", "referral"})
      reports.emplace_back([=](const Known& k, TimeMs now) {
        return revenue_by_cohort(k.lives(), {options, signal}, "EUR", now);
      });
  }
  reports.emplace_back([](const Known& k, TimeMs now) { return flows(k.lives(), now - 30 * kDayMs, now); });
  reports.emplace_back([](const Known& k, TimeMs now) { return stickiness(k.lives(), {}, now); });
  reports.emplace_back([](const Known& k, TimeMs now) { return stickiness(k.lives(), {12, "referral"}, now); });
  reports.emplace_back([](const Known& k, TimeMs now) { return rfm(k.lives(), {}, "EUR", now); });
  reports.emplace_back(
      [](const Known& k, TimeMs now) { return user_list(k.lives(), k.users(), {.limit = 1000}, "EUR", now); });
  return reports;
}

TEST(AsOf, NoReportLooksAtWhatCameLater) {
  const std::vector<Report> reports = all_reports();
  for (const char* date : {"2025-02-01", "2025-04-20T13:00:00Z", "2025-06-30T23:59:59.999Z", "2025-09-01"}) {
    const TimeMs now = at(date);
    for (uint64_t seed = 70; seed < 73; ++seed) {
      const Known then(seed, now);
      const Known later(seed, at("2030-01-01"));
      for (size_t i = 0; i < reports.size(); ++i) {
        const Table expected = reports[i](then, now).value();
        EXPECT_FALSE(expected.rows.empty()) << expected.name;
        EXPECT_EQ(to_text(reports[i](later, now).value()), to_text(expected)) << expected.name << " at " << date;
      }
    }
  }
}

TEST(AsOf, ReportsOfNobodyAreEmpty) {
  const Known nobody(1, 0);
  for (const Report& report : all_reports()) {
    const Table table = report(nobody, at("2025-06-01")).value();
    EXPECT_TRUE(table.rows.empty() || table.name == "flows") << table.name;
  }
}

}  // namespace
}  // namespace perennial
