#include "insight/user_list.h"

#include "insight/lives_fixture.h"

namespace perennial {
namespace {

class UserListTest : public LivesFixture {
 protected:
  UserListTest() {
    for (const char* name : {"ann", "bob", "eve", "tom"}) users_.add(name);
    event(0, "2025-01-01", "order", 1000);
    event(0, "2025-01-05", "order", 1000);
    event(1, "2025-02-20", "order", 5000);
    event(1, "2025-02-20", "order", 100);
    event(2, "2025-02-25", "view");
    event(3, "2025-03-05", "view");
  }

  Table listed(const UserListOptions& options) {
    return user_list(lives_, users_, options, "EUR", at("2025-03-01")).value();
  }
};

TEST_F(UserListTest, ThoseWithMostMoneyFirst) {
  const Table table = listed({});
  ASSERT_EQ(table.rows.size(), 3U) << "tom is not there yet";
  EXPECT_EQ(words(table, 0, "user_id"), "bob");
  EXPECT_EQ(whole(table, 0, "money"), 5100);
  EXPECT_EQ(whole(table, 0, "orders"), 1) << "two lines of one order";
  EXPECT_EQ(words(table, 1, "user_id"), "ann");
  EXPECT_EQ(words(table, 1, "stage"), "retention");
  EXPECT_EQ(words(table, 1, "overlay"), "churned");
  EXPECT_EQ(whole(table, 1, "since"), at("2025-02-14")) << "40 days after the last order";
  EXPECT_EQ(whole(table, 1, "last_activity"), at("2025-01-05"));
  EXPECT_EQ(words(table, 2, "stage"), "acquisition");
  EXPECT_EQ(whole(table, 2, "since"), at("2025-02-25")) << "where nothing changed: when first seen";
}

TEST_F(UserListTest, StageOverlayAndLimit) {
  const Table retained = listed({.stage = Stage::retention});
  ASSERT_EQ(retained.rows.size(), 2U);
  ASSERT_EQ(listed({.overlay = Overlay::churned}).rows.size(), 1U);
  EXPECT_EQ(words(listed({.overlay = Overlay::churned}), 0, "user_id"), "ann");
  EXPECT_EQ(listed({.overlay = Overlay::none}).rows.size(), 2U);
  const Table one = listed({.limit = 1});
  ASSERT_EQ(one.rows.size(), 1U);
  EXPECT_EQ(words(one, 0, "user_id"), "bob");
  EXPECT_NE(one.explanation.find("3 users"), std::string::npos) << one.explanation;
}

TEST_F(UserListTest, TheBestOfManyAreTheBest) {
  for (UserId user = 10; user < 5010; ++user) {
    while (users_.size() <= user) users_.add(fmt::format("u{}", users_.size()));
    event(user, "2025-02-01", "order", static_cast<int64_t>(user * 7919 % 5003) + 10'000);
  }
  const Table table = listed({.limit = 50});
  ASSERT_EQ(table.rows.size(), 50U);
  for (size_t row = 1; row < 50; ++row) EXPECT_GE(whole(table, row - 1, "money"), whole(table, row, "money"));
  std::vector<int64_t> all;
  lives_.for_each([&](UserId, const Life& life) {
    if (!life.facts.of(1).empty()) all.push_back(life.facts.of(1).back().total_minor);
  });
  std::sort(all.rbegin(), all.rend());
  for (size_t row = 0; row < 50; ++row) EXPECT_EQ(whole(table, row, "money"), all[row]);
}

TEST_F(UserListTest, NothingIsBeforeTheFirstEvent) {
  invited(2, "2025-01-20", "tom");
  const Table table = user_list(lives_, users_, {}, "EUR", at("2025-03-10")).value();
  const size_t tom = row_of(table, "tom");
  EXPECT_EQ(words(table, tom, "stage"), "advocacy");
  EXPECT_EQ(whole(table, tom, "since"), at("2025-03-05"));
}

TEST_F(UserListTest, UsersWithoutATimeAreNotListed) {
  users_.add("ida");
  event(4, kNoTime, "order", 100);
  EXPECT_EQ(listed({}).rows.size(), 3U);
}

TEST_F(UserListTest, WordsAreReadBack) {
  EXPECT_EQ(parse_stage("advocacy").value(), Stage::advocacy);
  EXPECT_EQ(parse_overlay("at_risk").value(), Overlay::at_risk);
  EXPECT_NE(parse_stage("loyal").status().message().find("retention"), std::string::npos);
  EXPECT_FALSE(parse_overlay("sleepy").ok());
}

}  // namespace
}  // namespace perennial
