#include "server/list_rules_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.h"

namespace perennial {
namespace {

std::string failure(std::string_view text) {
  const Result<std::vector<ListRule>> rules = parse_list_rules(text);
  return rules.ok() ? "none" : std::string(rules.status().message());
}

TEST(ListRulesFile, RulesHoldBySurfaceAndStage) {
  const std::vector<ListRule> rules = parse_list_rules(R"({"rules":[
    {"name":"everywhere","max_per_category":3},
    {"name":"home","surfaces":["home","start"],"stages":["retention"],"boost":[{"filter":{"brand":"acme"},"by":1}]}]})")
                                          .value();
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_TRUE(rules[0].holds("cart", Stage::acquisition));
  EXPECT_TRUE(rules[1].holds("start", Stage::retention));
  EXPECT_FALSE(rules[1].holds("cart", Stage::retention));
  EXPECT_FALSE(rules[1].holds("home", Stage::acquisition));
  EXPECT_EQ(rules[1].controls.boosts.at(0).why, "home");
}

TEST(ListRulesFile, MistakesNameTheRule) {
  EXPECT_NE(failure("[]").find("object"), std::string::npos);
  EXPECT_NE(failure(R"({"rules":{}})").find("must be a list"), std::string::npos);
  EXPECT_NE(failure(R"({"rule":[]})").find("unknown field 'rule'"), std::string::npos);
  EXPECT_NE(failure(R"({"rules":[{"name":"a"},{"pin":["x"]}]})").find("rule 2 '': every rule needs a 'name'"),
            std::string::npos);
  EXPECT_NE(failure(R"({"rules":[{"name":"a","explore":2}]})").find("rule 1 'a': 'explore'"), std::string::npos);
  EXPECT_NE(failure(R"({"rules":[{"name":"a","stages":["asleep"]}]})").find("'asleep'"), std::string::npos);
  EXPECT_NE(failure(R"({"rules":[{"name":"a","user_id":"x"}]})").find("unknown field 'user_id'"), std::string::npos);
  EXPECT_NE(failure(R"({"rules":[{"name":"a"},{"name":"a"}]})").find("two rules"), std::string::npos);
}

TEST(ListRulesFile, IsReadAgainWhenItChangesAndKeepsTheRulesThatWereGood) {
  const TemporaryFolder folder;
  ListRulesFile file(folder.path());
  EXPECT_EQ(file.poll(), std::nullopt) << "there is none";
  auto write = [&, turn = 0](std::string_view text) mutable {
    std::ofstream(folder.path() / "rules.json") << text;
    fs::last_write_time(folder.path() / "rules.json", fs::file_time_type::clock::now() + std::chrono::seconds(++turn));
  };
  write(R"({"rules":[{"name":"a","pin":["x"]},{"name":"b","surfaces":["home"],"pin":["y"]}]})");
  ASSERT_TRUE(file.poll().value().ok());
  EXPECT_EQ(file.poll(), std::nullopt);
  Controls controls;
  controls.pin = {"first"};
  file.apply("home", Stage::acquisition, controls);
  EXPECT_EQ(controls.pin, (std::vector<std::string>{"first", "x", "y"}));
  write("{");
  EXPECT_FALSE(file.poll().value().ok());
  EXPECT_EQ(file.poll(), std::nullopt) << "told once";
  EXPECT_EQ(file.size(), 2U);
  fs::remove(folder.path() / "rules.json");
  EXPECT_TRUE(file.poll().value().ok());
  EXPECT_EQ(file.size(), 0U);
}

TEST(Controls, OfTwoTheTighterHolds) {
  Controls a;
  a.include = std::vector<std::string>{"x", "y"};
  a.most_a_category = 3;
  a.diversity = 0.5;
  Controls b;
  b.include = std::vector<std::string>{"y", "z"};
  b.exclude = {"w"};
  b.exploration = 0.1;
  a.add(b);
  EXPECT_EQ(*a.include, std::vector<std::string>{"y"});
  EXPECT_EQ(a.exclude, std::vector<std::string>{"w"});
  EXPECT_EQ(a.most_a_category, 3);
  EXPECT_EQ(a.diversity, 0.5);
  EXPECT_EQ(a.exploration, 0.1);
  Controls c;
  c.include = std::vector<std::string>{"q"};
  c.most_a_category = 1;
  a.add(c);
  EXPECT_EQ(*a.include, std::vector<std::string>{}) << "nothing is left";
  EXPECT_EQ(a.most_a_category, 1);
}

}  // namespace
}  // namespace perennial
