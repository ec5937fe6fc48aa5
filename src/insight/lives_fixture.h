// For the tests of this folder: lives told in a few lines, and cells of tables by row and name.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/text.h"
#include "insight/interval.h"
#include "insight/table.h"
#include "lifecycle/lives.h"

namespace perennial {

inline TimeMs at(std::string_view date) { return parse_iso8601(date).value(); }

/// Short periods, so that a few months see everything.
inline Definition small_definition() {
  Definition definition;
  definition.signals = {{"active", {"view", "order"}}, {"value", {"order"}}, {"referral", {"invite"}}};
  const char* const rules[] = {"value >= 1", "value >= 2 within 60d", "sum(value) >= 500 within 90d", "referral >= 1"};
  for (size_t stage = 1; stage < kStages; ++stage)
    definition.rules[stage] = parse_rule(rules[stage - 1], definition.signals).value();
  definition.inviter_properties = {"referred_by"};
  definition.at_risk_after_ms = 20 * kDayMs;
  definition.churned_after_ms = 40 * kDayMs;
  definition.won_back_for_ms = 15 * kDayMs;
  EXPECT_TRUE(check(definition).ok());
  return definition;
}

class LivesFixture : public testing::Test {
 protected:
  explicit LivesFixture(Definition definition = small_definition()) : lives_(std::move(definition), types_, users_) {
    for (const char* type : {"view", "order", "invite", "other", "Signed Up"}) types_.add(type);
  }

  void event(UserId user, TimeMs time, std::string_view type, int64_t minor = 0) {
    StoredRecord record;
    record.offset = ++offset_;
    record.user = user;
    record.time = time;
    record.type = static_cast<EventTypeId>(*types_.find(type));
    Event event;
    if (minor != 0) event.amount = Money{minor, "EUR"};
    record.payload = event;
    lives_.apply(record);
  }
  void event(UserId user, std::string_view time, std::string_view type, int64_t minor = 0) {
    event(user, at(time), type, minor);
  }
  /// The user signs up and names who invited it: a referral of the inviter's at that time, also before its own first
  /// event.
  void invited(UserId user, TimeMs time, const std::string& inviter) {
    StoredRecord record;
    record.offset = ++offset_;
    record.user = user;
    record.time = time;
    record.type = static_cast<EventTypeId>(*types_.find("Signed Up"));
    Event event;
    event.properties = fmt::format(R"({{"referred_by":"{}"}})", inviter);
    record.payload = event;
    lives_.apply(record);
  }
  void invited(UserId user, std::string_view time, const std::string& inviter) { invited(user, at(time), inviter); }
  /// Names users 0 to `users` - 1 u0, u1, ...
  void name_users(UserId users) {
    for (UserId user = users_.size(); user < users; ++user) users_.add(fmt::format("u{}", user));
  }
  void merge(UserId from, UserId into) {
    StoredRecord record;
    record.offset = ++offset_;
    record.user = from;
    record.into = into;
    record.payload = IdentityMerge{};
    lives_.apply(record);
  }

  /// Users 0 to `users` - 1 with events of random days, some invited by others that may come later, some merged, over
  /// about 300 days from 2025-01-01.
  void random_lives(Random& random, UserId users) {
    const TimeMs start = at("2025-01-01");
    name_users(users);
    for (UserId user = 0; user < users; ++user) {
      TimeMs time = start + static_cast<TimeMs>(random.below(200)) * kDayMs;
      if (random.chance(0.2)) invited(user, time, fmt::format("u{}", random.below(users)));
      for (uint64_t i = random.below(20); i > 0; --i) {
        const double draw = random.uniform();
        const char* type = draw < 0.6 ? "view" : draw < 0.9 ? "order" : draw < 0.93 ? "invite" : "other";
        event(user, time, type, type[0] == 'o' && type[1] == 'r' ? static_cast<int64_t>(random.below(20'000)) : 0);
        time += static_cast<TimeMs>(random.below(random.chance(0.2) ? 60 * kDayMs : 8 * kDayMs));
      }
    }
    for (UserId user = 0; user + 1 < users; user += 7) merge(user, user + 1);
  }

  Dictionary types_;
  Dictionary users_;
  Lives lives_;
  Offset offset_ = 0;
};

inline size_t column_of(const Table& table, std::string_view name) {
  for (size_t i = 0; i < table.columns.size(); ++i)
    if (table.columns[i].name == name) return i;
  ADD_FAILURE() << "no column " << name;
  return 0;
}

inline const Cell& cell_of(const Table& table, size_t row, std::string_view name) {
  static const Cell kNone;
  if (row < table.rows.size()) return table.rows[row][column_of(table, name)];
  ADD_FAILURE() << "no row " << row;
  return kNone;
}

/// A count or money.
inline int64_t whole(const Table& table, size_t row, std::string_view name) {
  const auto* value = std::get_if<int64_t>(&cell_of(table, row, name).value);
  if (value == nullptr) ADD_FAILURE() << "row " << row << " has no count " << name;
  return value == nullptr ? -999 : *value;
}

inline double real(const Table& table, size_t row, std::string_view name) {
  const auto* value = std::get_if<double>(&cell_of(table, row, name).value);
  if (value == nullptr) ADD_FAILURE() << "row " << row << " has no number " << name;
  return value == nullptr ? -999 : *value;
}

inline std::string words(const Table& table, size_t row, std::string_view name) {
  const auto* value = std::get_if<std::string>(&cell_of(table, row, name).value);
  if (value == nullptr) ADD_FAILURE() << "row " << row << " has no text " << name;
  return value == nullptr ? "" : *value;
}

inline bool blank(const Table& table, size_t row, std::string_view name) {
  return std::holds_alternative<std::monostate>(cell_of(table, row, name).value);
}

/// The row whose first cell is this text or date; past the end when there is none.
inline size_t row_of(const Table& table, std::string_view first) {
  const auto found = std::find_if(table.rows.begin(), table.rows.end(), [&](const std::vector<Cell>& row) {
    if (const auto* text = std::get_if<std::string>(&row[0].value)) return *text == first;
    const auto* time = std::get_if<int64_t>(&row[0].value);
    return time != nullptr && format_iso8601(*time).starts_with(first);
  });
  return static_cast<size_t>(found - table.rows.begin());
}

}  // namespace perennial
