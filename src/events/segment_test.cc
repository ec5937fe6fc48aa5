#include "events/segment.h"

#include <gtest/gtest.h>

#include <cmath>

#include "events/test_files.h"

namespace perennial {
namespace {

Result<std::vector<Record>> translate(std::string_view text, std::string_view call = {}) {
  const auto message = parse_json_object(text);
  EXPECT_TRUE(message.ok()) << text;
  return records_of_segment_message(*message, call, kTestNow);
}

std::vector<Record> records(std::string_view text, std::string_view call = {}) {
  auto result = translate(text, call);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return result.ok() ? *std::move(result) : std::vector<Record>();
}

const Event& event_of(const Record& record) { return std::get<Event>(record.payload); }

json::object properties_of(const Record& record) { return parse_json_object(event_of(record).properties).value(); }

std::string failure(std::string_view text) { return translate(text).status().message(); }

TEST(Segment, TrackBecomesAnEvent) {
  const auto all = records(
      R"({"type":"track","userId":"u1","event":"Product Viewed","messageId":"m1","timestamp":"2026-01-02T00:00:00Z",
    "context":{"device":{"type":"ios"},"ip":"1.2.3.4"},
    "properties":{"product_id":"p1","sku":"s1","name":"Tea","price":2.5,"quantity":2,"recommendation_id":"r1"}})");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].user, "u1");
  EXPECT_EQ(all[0].item, "p1");
  EXPECT_EQ(all[0].type, "Product Viewed");
  EXPECT_EQ(all[0].time, 1'767'312'000'000);
  EXPECT_EQ(all[0].message_id, message_id_of("m1"));
  EXPECT_EQ(event_of(all[0]).device, "ios");
  EXPECT_EQ(event_of(all[0]).recommendation_id, "r1");
  EXPECT_EQ(event_of(all[0]).quantity, 2);
  EXPECT_EQ(event_of(all[0]).amount, (Money{500, "USD"}));
  EXPECT_EQ(properties_of(all[0]), parse_json_object(R"({"sku":"s1","name":"Tea","price":2.5})").value());
}

TEST(Segment, ItemIsTheFirstIdThatIsThere) {
  const auto item = [](const std::string& properties) {
    return records(R"({"type":"track","userId":"u","event":"e","properties":)" + properties + "}").at(0).item;
  };
  EXPECT_EQ(item(R"({"sku":"s","product_id":"p"})"), "p");
  EXPECT_EQ(item(R"({"sku":"s","product_id":""})"), "s");
  EXPECT_EQ(item(R"({"asset_id":"a","content_asset_id":"c"})"), "c");
  EXPECT_EQ(item(R"({"content_asset_ids":["c1","c2"]})"), "c1");
  EXPECT_EQ(item(R"({"product_id":123})"), "123");
  EXPECT_EQ(item(R"({"videoId":"v"})"), "v");
  EXPECT_EQ(item(R"({})"), "");
}

TEST(Segment, OrderBecomesOneEventAProduct) {
  const auto all = records(
      R"({"type":"track","userId":"u","event":"Order Completed","messageId":"m","properties":{"order_id":"o1","revenue":99,
    "currency":"EUR","coupon":"MAY","recommendation_id":"r0","products":[
      {"product_id":"a","price":10.25,"quantity":2,"name":"A"},{"sku":"b","price":5,"recommendation_id":"r2"},{"product_id":"c"}]}})");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].item, "a");
  EXPECT_EQ(all[1].item, "b");
  EXPECT_EQ(event_of(all[0]).amount, (Money{2050, "EUR"}));
  EXPECT_EQ(event_of(all[1]).amount, (Money{500, "EUR"}));
  EXPECT_FALSE(event_of(all[2]).amount) << "the order's revenue must not count a second time";
  EXPECT_EQ(event_of(all[0]).recommendation_id, "r0");
  EXPECT_EQ(event_of(all[1]).recommendation_id, "r2");
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].message_id, derive_message_id(message_id_of("m"), i));
    EXPECT_EQ(properties_of(all[i]).at("order_id"), "o1");
    EXPECT_EQ(properties_of(all[i]).contains("coupon"), i == 0) << "order-level properties stay with the first";
    EXPECT_FALSE(properties_of(all[i]).contains("products"));
  }
}

TEST(Segment, RevenueIsSharedWhenNoProductHasAPrice) {
  const auto all = records(R"({"type":"track","userId":"u","event":"Order Completed","properties":{"revenue":10,
    "products":[{"product_id":"a"},{"product_id":"b"},"c"]}})");
  ASSERT_EQ(all.size(), 3u);
  int64_t sum = 0;
  for (const Record& record : all) sum += event_of(record).amount->minor_units;
  EXPECT_EQ(sum, 1000);
  EXPECT_EQ(event_of(all[2]).amount, (Money{333, "USD"}));
}

TEST(Segment, OrderWithoutProductsIsOneEventOfItsRevenue) {
  for (const char* products : {"", R"(,"products":[])"}) {
    const auto all = records(fmt::format(
        R"({{"type":"track","userId":"u","event":"Order Completed","properties":{{"total":12,"order_id":"o"{}}}}})",
        products));
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].item, "");
    EXPECT_EQ(event_of(all[0]).amount, (Money{1200, "USD"}));
    EXPECT_EQ(properties_of(all[0]).at("order_id"), "o");
  }
}

TEST(Segment, RefundsAreNegative) {
  for (const char* type : {"Order Refunded", "Order Cancelled"}) {
    const auto lines = records(fmt::format(
        R"({{"type":"track","userId":"u","event":"{}","properties":{{"products":[{{"product_id":"a","price":3,"quantity":2}}]}}}})",
        type));
    EXPECT_EQ(event_of(lines.at(0)).amount, (Money{-600, "USD"}));
    EXPECT_EQ(event_of(lines.at(0)).quantity, -2);
    const auto whole =
        records(fmt::format(R"({{"type":"track","userId":"u","event":"{}","properties":{{"total":-7}}}})", type));
    EXPECT_EQ(event_of(whole.at(0)).amount, (Money{-700, "USD"}));
  }
}

TEST(Segment, ValueIsARatingAndNotAPriceInDisguise) {
  const auto value = [](const std::string& properties) {
    return event_of(records(R"({"type":"track","userId":"u","event":"e","properties":)" + properties + "}").at(0))
        .value;
  };
  EXPECT_EQ(value(R"({"rating":4,"value":9})"), 4);
  EXPECT_EQ(value(R"({"rating":"3.5"})"), 3.5f);
  EXPECT_EQ(value(R"({"value":9})"), 9);
  EXPECT_TRUE(std::isnan(value(R"({"value":9,"price":9})")));
  EXPECT_TRUE(std::isnan(value(R"({})")));
}

TEST(Segment, KnownAndAnonymousIdsMerge) {
  for (const char* call : {"identify", "track", "page", "screen", "group"}) {
    const auto all = records(R"({"userId":"u","anonymousId":"a","event":"e","groupId":"g","messageId":"m"})", call);
    ASSERT_EQ(all.size(), 2u) << call;
    EXPECT_EQ(all[0].user, "u");
    EXPECT_EQ(all[1].user, "a");
    EXPECT_EQ(std::get<IdentityMerge>(all[1].payload).into, "u");
    EXPECT_NE(all[0].message_id, all[1].message_id);
  }
  EXPECT_EQ(records(R"({"userId":"u","anonymousId":"u","event":"e"})", "track").size(), 1u);
}

TEST(Segment, TheSameMergeOnTheSameDayIsTheSameMessage) {
  const auto merge_id = [](const char* time, const char* user, const char* message) {
    return records(
               fmt::format(
                   R"({{"type":"track","userId":"{}","anonymousId":"a","event":"e","timestamp":"{}","messageId":"{}"}})",
                   user, time, message))
        .at(1)
        .message_id;
  };
  EXPECT_EQ(merge_id("2026-01-02T01:00:00Z", "u", "1"), merge_id("2026-01-02T23:00:00Z", "u", "2"));
  EXPECT_NE(merge_id("2026-01-02", "u", "1"), merge_id("2026-01-03", "u", "1"));
  EXPECT_NE(merge_id("2026-01-02", "u", "1"), merge_id("2026-01-02", "v", "1"));
}

TEST(Segment, AnonymousUsersStandAlone) {
  const auto all = records(R"({"type":"track","anonymousId":"a","event":"e"})");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].user, "a");
}

TEST(Segment, IdentifyAndGroupMakeTraits) {
  const auto identify = records(R"({"type":"identify","userId":"u","traits":{"email":"x@example.com","age":30}})");
  EXPECT_EQ(parse_json_object(std::get<UserTraits>(identify.at(0).payload).traits).value(),
            parse_json_object(R"({"email":"x@example.com","age":30})").value());
  const auto group = records(R"({"type":"group","userId":"u","groupId":"g1","traits":{"plan":"pro"}})");
  EXPECT_EQ(parse_json_object(std::get<UserTraits>(group.at(0).payload).traits).value(),
            parse_json_object(R"({"group_id":"g1","group":{"plan":"pro"}})").value());
}

TEST(Segment, AliasMergesThePreviousId) {
  const auto all = records(R"({"type":"alias","previousId":"old","userId":"new"})");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].user, "old");
  EXPECT_EQ(std::get<IdentityMerge>(all[0].payload).into, "new");
}

TEST(Segment, PagesAndScreensAreViews) {
  const auto page =
      records(R"({"type":"page","userId":"u","name":"Home","properties":{"url":"https://example.com/"}})");
  EXPECT_EQ(page.at(0).type, "Page Viewed");
  EXPECT_EQ(properties_of(page[0]), parse_json_object(R"({"url":"https://example.com/","name":"Home"})").value());
  EXPECT_EQ(records(R"({"type":"screen","userId":"u","name":"Cart"})").at(0).type, "Screen Viewed");
}

TEST(Segment, AWrongClockIsCorrectedBySentAt) {
  // The device is an hour behind: it sent at 9:00 what it says happened at 8:59; it is 10:00.
  EXPECT_EQ(
      records(
          R"({"type":"track","userId":"u","event":"e","timestamp":"2026-03-01T08:59:00Z","sentAt":"2026-03-01T09:00:00Z"})")
          .at(0)
          .time,
      kTestNow - 60'000);
  EXPECT_EQ(records(R"({"type":"track","userId":"u","event":"e","timestamp":"2026-03-01T08:59:00Z"})").at(0).time,
            kTestNow - 61 * 60'000);
  EXPECT_EQ(records(R"({"type":"track","userId":"u","event":"e"})").at(0).time, kTestNow);
  EXPECT_EQ(records(R"({"type":"track","userId":"u","event":"e","timestamp":1767312000})").at(0).time,
            1'767'312'000'000);
}

TEST(Segment, ReceivedAtTellsThatTheTimeIsCorrectAlready) {
  const char* message = R"({{"type":"track","userId":"u","event":"e",{}"originalTimestamp":"2026-01-02T00:00:00Z",
    "sentAt":"2026-01-02T00:01:00Z","receivedAt":"2026-01-02T01:01:00Z"}})";
  EXPECT_EQ(records(fmt::format(fmt::runtime(message), R"("timestamp":"2026-01-02T03:00:00Z",)")).at(0).time,
            1'767'322'800'000);
  EXPECT_EQ(records(fmt::format(fmt::runtime(message), "")).at(0).time, 1'767'312'000'000 + 3'600'000);
}

TEST(Segment, MessagesWithoutIdDiffer) {
  const char* message = R"({"type":"track","userId":"u","event":"e"})";
  EXPECT_NE(records(message).at(0).message_id, records(message).at(0).message_id);
}

TEST(Segment, FailuresNameTheField) {
  const auto expect = [](const char* message, const char* words) {
    EXPECT_NE(failure(message).find(words), std::string::npos) << message << "\n" << failure(message);
  };
  expect(R"({"userId":"u"})", "'type' is missing");
  expect(R"({"type":"buy","userId":"u"})", "'type' is 'buy'");
  expect(R"({"type":"track","event":"e"})", "'userId' or 'anonymousId' is missing");
  expect(R"({"type":"track","userId":["u"],"event":"e"})", "'userId' must be a string");
  expect(R"({"type":"track","userId":"u"})", "'event' is missing");
  expect(R"({"type":"track","userId":"u","event":"e","properties":[]})", "'properties' must be an object");
  expect(R"({"type":"track","userId":"u","event":"e","properties":{"products":{}}})",
         "'properties.products' must be a list");
  expect(R"({"type":"track","userId":"u","event":"e","properties":{"products":[{"product_id":"a"},{"name":"x"}]}})",
         "product 2: 'product_id' is missing");
  expect(R"({"type":"track","userId":"u","event":"e","properties":{"products":[{"product_id":"a","price":"x"}]}})",
         "product 1: 'price' must be a number");
  expect(R"({"type":"track","userId":"u","event":"e","properties":{"products":[7.5]}})",
         "product 1: must be an object");
  expect(R"({"type":"track","userId":"u","event":"e","properties":{"quantity":1e300}})", "'quantity' is too large");
  expect(R"({"type":"track","userId":"u","event":"e","timestamp":"soon"})", "'timestamp'");
  expect(R"({"type":"track","userId":"u","event":"e","timestamp":{}})", "'timestamp' must be a time");
  expect(R"({"type":"track","userId":"u","event":"e","timestamp":"2030-01-01"})", "in the future");
  expect(R"({"type":"track","userId":"u","event":"e","sentAt":"x"})", "'sentAt'");
  expect(R"({"type":"track","userId":"u","event":"e","context":1})", "'context' must be an object");
  expect(R"({"type":"alias","userId":"u"})", "'previousId' is missing");
  expect(R"({"type":"alias","previousId":"u"})", "'userId' is missing");
  expect(R"({"type":"alias","previousId":"u","userId":"u"})", "merged into itself");
  expect(R"({"type":"group","userId":"u"})", "'groupId' is missing");
  expect(R"({"type":"identify","userId":"u","traits":"x"})", "'traits' must be an object");
}

TEST(Segment, NumbersBeyondDoublesAreRefusedWhereverTheyStand) {
  for (
      const char* message : {
          R"({"type":"track","userId":"u","event":"e","properties":{"products":[{"product_id":"a","x":1e400}],"y":1}})",
          R"({"type":"track","userId":"u","event":"e","properties":{"products":["a"],"y":1e400}})",
          R"({"type":"track","userId":"u","event":"e","properties":{"y":-1e400}})",
          R"({"type":"identify","userId":"u","traits":{"y":[1e400]}})",
      })
    EXPECT_NE(failure(message).find("beyond 1.8e308"), std::string::npos) << message << "\n" << failure(message);
}

TEST(Segment, TooManyProductsAreRefused) {
  std::string products = "\"a\"";
  for (int i = 0; i < 10'000; ++i) products += ",\"a\"";
  EXPECT_NE(failure(R"({"type":"track","userId":"u","event":"e","properties":{"products":[)" + products + "]}}")
                .find("has 10001 entries"),
            std::string::npos);
}

TEST(Segment, ManyProductsDoNotMultiplyTheOrder) {
  std::string products = "\"a\"";
  for (int i = 0; i < 999; ++i) products += ",\"a\"";
  const auto all = records(R"({"type":"track","userId":"u","event":"e","properties":{"note":")" +
                           std::string(100'000, 'x') + R"(","products":[)" + products + "]}}");
  size_t bytes = 0;
  for (const Record& record : all) bytes += event_of(record).properties.size();
  EXPECT_LT(bytes, 200'000u);
  const auto long_id = records(R"({"type":"track","userId":"u","event":"e","properties":{"order_id":")" +
                               std::string(100'000, 'x') + R"(","products":[)" + products + "]}}");
  bytes = 0;
  for (const Record& record : long_id) bytes += event_of(record).properties.size();
  EXPECT_LT(bytes, 200'000u);
}

TEST(Segment, AnActionThatWasDecidedElsewhereIsKeptAsOne) {
  const std::vector<Record> given = records(
      R"({"type":"track","userId":"u","event":"Action Given","messageId":"m","timestamp":"2026-01-02T00:00:00Z","properties":
    {"action":"letter","action_id":"a1","channel":"mail","propensity":0.25,"cost":0.5,"chances":{"letter":0.25,"nothing":0.75}}})");
  ASSERT_EQ(given.size(), 1U);
  const auto& action = std::get<Action>(given[0].payload);
  EXPECT_EQ(action.name, "letter");
  EXPECT_EQ(action.action_id, "a1");
  EXPECT_EQ(action.channel, "mail");
  EXPECT_EQ(action.propensity, 0.25F);
  EXPECT_EQ(action.details, R"({"chances":{"letter":2.5E-1,"nothing":7.5E-1},"cost":5E-1})");
  const std::vector<Record> nothing = records(
      R"({"type":"track","userId":"u","event":"Action Given","messageId":"m","properties":{"action":"nothing"}})");
  EXPECT_EQ(std::get<Action>(nothing.at(0).payload).action_id, to_hex(message_id_of("m")));
  const std::vector<Record> failed =
      records(R"({"type":"track","userId":"u","event":"Action Failed","properties":{"action_id":"a1","status":410}})");
  EXPECT_EQ(std::get<Delivery>(failed.at(0).payload).outcome, "failed");
  EXPECT_EQ(std::get<Delivery>(failed.at(0).payload).details, R"({"status":410})");
  const auto with = [](const std::string& properties) {
    return failure(R"({"type":"track","userId":"u","event":"Action Given","properties":)" + properties + "}");
  };
  EXPECT_EQ(with("{}"), "'properties.action' is missing: the action's name, or 'nothing'");
  EXPECT_EQ(with(R"({"action":"a","chances":[1]})"), "'properties.chances' must be an object of names and numbers");
  EXPECT_EQ(with(R"({"action":"a","chances":{"a":0.5,"b":0.4}})"), "'properties.chances' sum to 0.9, want 1");
  EXPECT_EQ(with(R"({"action":"a","chances":{"a":1.5,"b":-0.5}})"),
            "'properties.chances.b' must be a number of at least 0");
  EXPECT_EQ(with(R"({"action":"c","chances":{"a":1}})"),
            "'properties.chances' hold none for 'c', the action that was given");
  EXPECT_EQ(with(R"({"action":"b","chances":{"a":1,"b":0}})"),
            "'properties.chances' hold none for 'b', the action that was given");
  EXPECT_EQ(with(R"({"action":"a","cost":-1})"), "'properties.cost' must be from 0 to 1000000000, not -1");
  EXPECT_NE(with(R"({"action":"a","propensity":2})"), "");
  EXPECT_NE(with(R"({"action":"a","cost":"much"})"), "");
}

}  // namespace
}  // namespace perennial
