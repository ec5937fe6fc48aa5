#include "insight/reports.h"

#include <gtest/gtest.h>

#include "insight/lives_fixture.h"

namespace perennial {
namespace {

class ReportsTest : public LivesFixture {
 protected:
  ReportsTest() {
    Random random(3);
    random_lives(random, 40);
  }

  Result<Table> make(std::string_view name, const std::map<std::string, std::string>& options = {}) {
    return make_report(name, options, {lives_, users_, nullptr, "EUR", at("2025-08-01")});
  }
};

TEST_F(ReportsTest, EachIsMadeByItsNameAndWithEachOfItsOptions) {
  const std::map<std::string, std::string> values = {{"by", "week"},           {"last", "3"},
                                                     {"signal", "value"},      {"since", "2025-06-01"},
                                                     {"window", "90d"},        {"variant", "on-or-after"},
                                                     {"cohort", "activation"}, {"stage", "activation"},
                                                     {"overlay", "at_risk"},   {"limit", "5"}};
  for (const NamedReport& report : reports()) {
    if (report.reads_log) continue;
    const Result<Table> plain = make(report.name);
    ASSERT_TRUE(plain.ok()) << report.name << ": " << plain.status().message();
    EXPECT_FALSE(plain->columns.empty()) << report.name;
    for (const std::string_view option : report.options) {
      const std::string name(option);
      const Result<Table> table = make(report.name, {{name, values.at(name)}});
      EXPECT_TRUE(table.ok()) << report.name << " --" << name << ": " << table.status().message();
    }
  }
}

TEST_F(ReportsTest, OptionsChangeWhatIsShown) {
  EXPECT_EQ(make("stages", {{"last", "3"}})->rows.size(), 3U);
  EXPECT_NE(to_csv(*make("stages", {{"by", "week"}})), to_csv(*make("stages")));
  EXPECT_LE(make("users", {{"limit", "5"}})->rows.size(), 5U);
}

TEST_F(ReportsTest, WhatIsNotKnownIsRefusedWithWhatIs) {
  EXPECT_EQ(make("churn").status().code(), Code::not_found);
  EXPECT_NE(make("churn").status().message().find("activity"), std::string::npos);
  EXPECT_EQ(make("flows", {{"by", "week"}}).status().message(), "the report flows has no option 'by'; it has since");
  EXPECT_EQ(make("stages", {{"by", "year"}}).status().message(), "'by' must be week or month, got 'year'");
  EXPECT_EQ(make("stages", {{"last", "0"}}).status().message(),
            "'last' must be a whole number from 1 to 1000, got '0'");
  EXPECT_FALSE(make("users", {{"stage", "loyalty"}}).ok());
}

}  // namespace
}  // namespace perennial
