#include "events/record.h"

#include <gtest/gtest.h>

#include <cmath>

#include "events/test_files.h"

namespace perennial {
namespace {

Record event_record() {
  Record record;
  record.user = "u1";
  record.item = "i1";
  record.type = "view";
  record.time = kTestNow;
  record.payload = Event{};
  return record;
}

template <typename Change>
Status after(const Change& change) {
  Record record = event_record();
  change(record);
  return validate(record, kTestNow);
}

Record with_payload(Payload payload) {
  Record record = event_record();
  record.payload = std::move(payload);
  return record;
}

TEST(Validate, AcceptsAnEventWithAndWithoutTimeAndItem) {
  EXPECT_TRUE(after([](Record&) {}).ok());
  EXPECT_TRUE(after([](Record& r) { r.time = kNoTime; }).ok());
  EXPECT_TRUE(after([](Record& r) { r.item.clear(); }).ok());
  EXPECT_TRUE(after([](Record& r) { r.time = 0; }).ok());
  EXPECT_TRUE(after([](Record& r) { r.time = kTestNow + 86'400'000; }).ok());
}

TEST(Validate, NamesTheIdThatIsWrong) {
  EXPECT_TRUE(says(after([](Record& r) { r.user.clear(); }), "'user_id' is missing"));
  EXPECT_TRUE(says(after([](Record& r) { r.type.clear(); }), "'event' is missing"));
  EXPECT_TRUE(after([](Record& r) { r.user.assign(256, 'x'); }).ok());
  EXPECT_TRUE(says(after([](Record& r) { r.user.assign(257, 'x'); }), "'user_id' is 257 bytes long"));
  EXPECT_TRUE(says(after([](Record& r) { r.item = "a\nb"; }), "'item_id' holds control characters"));
  EXPECT_TRUE(says(after([](Record& r) { r.item = std::string("a\0b", 3); }), "'item_id' holds control characters"));
  EXPECT_TRUE(says(after([](Record& r) { r.item = "a\xE9"; }), "'item_id' is not UTF-8"));
  EXPECT_TRUE(after([](Record& r) { r.item = "Misérables"; }).ok());
}

TEST(Validate, BoundsTheTime) {
  EXPECT_TRUE(says(after([](Record& r) { r.time = -1; }), "before 1970"));
  EXPECT_TRUE(
      says(after([](Record& r) { r.time = kTestNow + 86'400'001; }), "in the future: 2026-03-02T10:00:00.001Z"));
  EXPECT_TRUE(says(after([](Record& r) { r.time = INT64_MAX; }), "far future"));
}

TEST(Validate, ChecksTheValuesOfAnEvent) {
  const auto with = [](auto change) { return after([&](Record& r) { change(std::get<Event>(r.payload)); }); };
  EXPECT_TRUE(says(with([](Event& e) { e.value = INFINITY; }), "'value'"));
  EXPECT_TRUE(says(with([](Event& e) { e.amount = Money{1, "usd"}; }), "'currency'"));
  EXPECT_TRUE(says(with([](Event& e) { e.amount = Money{1, "USDT"}; }), "'currency'"));
  EXPECT_TRUE(with([](Event& e) { e.properties = R"({"a":[1,{"b":null}],"c":"d"})"; }).ok());
  for (const char* bad : {"[1]", "1", "\"x\"", "{", "{}x", "{\"a\":}", "null", "true", " "})
    EXPECT_TRUE(says(with([&](Event& e) { e.properties = bad; }), "'properties' must be a JSON object")) << bad;
}

TEST(Validate, NumbersThatJsonCannotWriteAgainAreRefused) {
  for (const char* properties : {R"({"a":1e400})", R"({"a":[{"b":-1e999}]})"}) {
    Record record = event_record();
    std::get<Event>(record.payload).properties = properties;
    EXPECT_TRUE(says(validate(record, kTestNow), "'properties': holds a number beyond 1.8e308")) << properties;
  }
  Record record = event_record();
  std::get<Event>(record.payload).properties = R"({"a":1e308})";
  EXPECT_TRUE(validate(record, kTestNow).ok());
}

TEST(Validate, DeepJsonIsRefused) {
  Record record = event_record();
  std::get<Event>(record.payload).properties = "{\"a\":" + std::string(5000, '[') + std::string(5000, ']') + "}";
  EXPECT_TRUE(says(validate(record, kTestNow), "deeper than 32"));
}

TEST(Validate, EachKindHasItsNeeds) {
  EXPECT_TRUE(validate(with_payload(ItemUpsert{"{}"}), kTestNow).ok());
  EXPECT_TRUE(says(validate(with_payload(ItemUpsert{""}), kTestNow), "'fields'"));
  EXPECT_TRUE(says(validate(with_payload(UserTraits{"[]"}), kTestNow), "'traits'"));
  EXPECT_TRUE(says(validate(with_payload(IdentityMerge{""}), kTestNow), "'into'"));
  EXPECT_TRUE(says(validate(with_payload(IdentityMerge{"u1"}), kTestNow), "merged into itself"));
  EXPECT_TRUE(says(validate(with_payload(Action{.action_id = "", .name = "mail"}), kTestNow), "'action_id'"));
  EXPECT_TRUE(says(validate(with_payload(Delivery{.action_id = "a"}), kTestNow), "'outcome'"));
  Record no_item = with_payload(ItemDelete{});
  no_item.item.clear();
  EXPECT_TRUE(says(validate(no_item, kTestNow), "'item_id' is missing"));
  Record no_user = with_payload(Erasure{});
  no_user.user.clear();
  EXPECT_TRUE(says(validate(no_user, kTestNow), "'user_id' is missing"));
}

TEST(Validate, PropensitiesAreProbabilitiesAboveZero) {
  const auto with = [](float propensity) {
    return validate(with_payload(Action{.action_id = "a", .name = "n", .propensity = propensity}), kTestNow);
  };
  EXPECT_TRUE(with(1).ok());
  EXPECT_TRUE(with(1e-6f).ok());
  for (const float bad : {0.0f, -0.5f, 1.01f, std::nanf("")}) EXPECT_TRUE(says(with(bad), "'propensity'")) << bad;
}

TEST(Record, KindsHaveNumbersThatNeverChange) {
  EXPECT_EQ(static_cast<int>(kind_of(Event{})), 1);
  EXPECT_EQ(static_cast<int>(kind_of(ItemUpsert{})), 2);
  EXPECT_EQ(static_cast<int>(kind_of(UserTraits{})), 4);
  EXPECT_EQ(static_cast<int>(kind_of(Erasure{})), 9);
  EXPECT_STREQ(kind_name(RecordKind::identity_merge), "identity_merge");
  EXPECT_STREQ(kind_name(static_cast<RecordKind>(77)), "unknown");
}

}  // namespace
}  // namespace perennial
