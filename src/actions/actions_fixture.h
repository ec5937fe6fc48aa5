// For the tests of this folder: a shop told record by record, with a letter for orders and a note for their money.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "actions/trials.h"
#include "base/text.h"
#include "profiles/profiles.h"

namespace perennial {

inline constexpr TimeMs kDay = kMsOfDay;
inline const TimeMs kStart = parse_iso8601("2026-01-01").value();

class ActionsFixture : public testing::Test {
 protected:
  ActionsFixture() : lives_(preset("e-commerce").value(), types_, users_), profiles_({}, types_, 100) {
    types_.add("Product Viewed");
    types_.add("Order Completed");
    for (int user = 0; user < 10; ++user) users_.add(fmt::format("user-{}", user));
    rules_ = make_action_rules(texts_, {}, lives_.definition()).value();
  }

  void apply(StoredRecord record) {
    record.offset = ++offset_;
    lives_.apply(record);
    profiles_.apply(record);
    trials_.apply(record);
    contacts_.apply(record);
  }

  void event(UserId user, TimeMs time, const char* type, int64_t minor = 0) {
    StoredRecord record;
    record.user = user;
    record.time = time;
    record.type = static_cast<EventTypeId>(*types_.find(type));
    Event of;
    if (minor != 0) of.amount = Money{minor, "EUR"};
    record.payload = of;
    apply(record);
  }

  void traits(UserId user, TimeMs time, const std::string& json) {
    StoredRecord record;
    record.user = user;
    record.time = time;
    record.payload = UserTraits{json};
    apply(record);
  }

  void merge(UserId from, UserId into) {
    StoredRecord record;
    record.user = from;
    record.into = into;
    record.payload = IdentityMerge{};
    apply(record);
  }

  void drawn(UserId user, TimeMs time, uint16_t action, std::vector<std::pair<uint16_t, double>> chances) {
    Decision decision{.user = user, .action = action};
    for (const auto& [of, chance] : chances)
      if (of == action) decision.chance = chance;
    decision.chances = std::move(chances);
    const Record record = action_record(decision, rules_, fmt::format("user-{}", user), time, time);
    ASSERT_TRUE(validate(record, time).ok());
    StoredRecord stored;
    stored.user = user;
    stored.time = time;
    stored.payload = record.payload;
    apply(stored);
  }

  [[nodiscard]] const ActionSpec& letter() const { return rules_.actions[0]; }
  [[nodiscard]] const ActionSpec& note() const { return rules_.actions[1]; }

  ActionTexts texts_ = {{"actions.letter.channel", "mail"}, {"actions.letter.worth", "10"},
                        {"actions.letter.goal", "value"},   {"actions.letter.within", "14d"},
                        {"actions.note.channel", "email"},  {"actions.note.worth", "0.5"},
                        {"actions.note.goal", "sum(value)"}};
  Dictionary types_, users_;
  Lives lives_;
  Profiles profiles_;
  Trials trials_{365 * kDay};
  Contacts contacts_{365 * kDay};
  ActionRules rules_;
  Offset offset_ = 0;
};

}  // namespace perennial
