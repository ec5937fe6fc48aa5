#include "insight/feedback_report.h"

#include <gtest/gtest.h>

#include <future>

#include "base/temporary_folder.h"
#include "log/slate_log.h"
#include "log/sqlite_log.h"

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;
constexpr TimeMs kStart = 20'000 * kDay;

class FeedbackReportTest : public ::testing::Test {
 protected:
  FeedbackReportTest() : log_(open_log(folder_.path()).value()) {
    for (const char* item : {"a", "b", "c"}) send("", "Product Viewed", item);
  }

  /// A list of the items a, b and c in this order of ids.
  MessageId serve(TimeMs time, std::vector<ItemId> items, const std::string& stage = "retention") {
    Slate slate{.id = new_slate_id(time, random_),
                .time = time,
                .after = {},
                .user = "u",
                .surface = "home",
                .model = "m",
                .policy = "plain",
                .stage = stage,
                .context = {},
                .items = {}};
    for (const ItemId item : items)
      slate.items.push_back({item, -static_cast<float>(slate.items.size()), 1,
                             item == 2 ? ItemSource::popular : ItemSource::transformer});
    slates_.push_back(slate);
    return slate.id;
  }

  void send(const std::string& slate, const char* type, const std::string& item, float value = NAN) {
    Event event;
    event.recommendation_id = slate;
    event.value = value;
    ASSERT_TRUE(log_->append({{random_message_id(), kStart, "u", item, type, event}}).ok());
  }

  Table report(const std::string& by, TimeMs from = kStart, TimeMs to = kStart + 10 * kDay) {
    const FakeClock clock(kStart);
    auto log = SlateLog::open(folder_.path(), {}, clock, [](size_t, const Status&) {}).value();
    for (const Slate& slate : slates_) log->add(ref_of(slate));
    log.reset();
    slates_.clear();
    const Result<Table> table = feedback_report(folder_.path(), *log_, {.by = by, .from = from, .to = to});
    EXPECT_TRUE(table.ok()) << table.status().message();
    return *table;
  }

  static json::value cell(const Table& table, size_t row, const char* column) {
    return to_json(table).at("rows").at(row).at(column);
  }

  TemporaryFolder folder_;
  std::unique_ptr<LogWriter> log_;
  Random random_{2};
  std::vector<Slate> slates_;
};

TEST_F(FeedbackReportTest, JoinsEventsToTheItemsOfTheirList) {
  const std::string first = to_hex(serve(kStart, {0, 1, 2}));
  const std::string second = to_hex(serve(kStart + kDay, {1, 0}, "acquisition"));
  serve(kStart + 20 * kDay, {0});
  for (int twice = 0; twice < 2; ++twice) send(first, "Product Clicked", "a");
  send(first, "Order Completed", "a");
  send(first, "Product Clicked", "unheard of in the list");
  send(second, "Product Clicked", "b");
  send(second, "rating", "a", 4);
  send(to_hex(random_message_id()), "Product Clicked", "a");
  send("no id", "Product Clicked", "a");
  const Table by_position = report("position");
  ASSERT_EQ(by_position.rows.size(), 3U);
  EXPECT_EQ(cell(by_position, 0, "position"), 1);
  EXPECT_EQ(cell(by_position, 0, "shown"), 2);
  EXPECT_EQ(cell(by_position, 0, "clicked"), 2);
  EXPECT_EQ(cell(by_position, 0, "ctr"), 1.0);
  EXPECT_EQ(cell(by_position, 0, "ordered"), 1);
  EXPECT_NEAR(cell(by_position, 0, "conversion_low").as_double(), 0.0945, 1e-3) << "Wilson of 1 in 2";
  EXPECT_NEAR(cell(by_position, 0, "conversion_high").as_double(), 0.9055, 1e-3);
  EXPECT_EQ(cell(by_position, 1, "rated"), 1);
  EXPECT_EQ(cell(by_position, 1, "mean_rating"), 4.0);
  EXPECT_EQ(cell(by_position, 2, "clicked"), 0);
  const Table by_source = report("source");
  EXPECT_EQ(cell(by_source, 0, "source"), "popular");
  EXPECT_EQ(cell(by_source, 0, "shown"), 1);
  EXPECT_EQ(cell(by_source, 1, "clicked"), 2);
  EXPECT_EQ(cell(report("stage"), 0, "stage"), "acquisition");
  EXPECT_EQ(report("day").rows.size(), 2U);
  EXPECT_EQ(cell(report("all"), 0, "shown"), 5);
  EXPECT_EQ(report("all", kStart + kDay).rows.size(), 1U);
}

TEST_F(FeedbackReportTest, RatesAreOfWhatWasSeenWhereClientsSayWhatWas) {
  const std::string seen = to_hex(serve(kStart, {0, 1, 2}));
  const std::string half = to_hex(serve(kStart, {0, 1, 2}));
  serve(kStart, {0, 1, 2});
  send(seen, "Product List Viewed", "");
  send(half, "impression", "a");
  send(half, "click", "b");
  const Table table = report("position");
  EXPECT_EQ(cell(table, 0, "seen"), 2);
  EXPECT_EQ(cell(table, 1, "seen"), 2) << "who clicks has seen it";
  EXPECT_EQ(cell(table, 1, "ctr"), 0.5);
  EXPECT_EQ(cell(table, 2, "ctr"), 0.0);
  EXPECT_NE(table.explanation.find("of those seen"), std::string::npos);
  const std::string elsewhere = to_hex(serve(kStart, {0, 1}));
  slates_.back().surface = "web";
  send(elsewhere, "click", "a");
  const Table by_surface = report("surface");
  EXPECT_EQ(cell(by_surface, 1, "surface"), "web");
  EXPECT_EQ(cell(by_surface, 1, "ctr"), 0.5) << "no impression came from there";
  EXPECT_NEAR(cell(report("position"), 0, "ctr").as_double(), 1.0 / 3, 1e-9) << "two seen at home, one shown elsewhere";
}

TEST_F(FeedbackReportTest, RatingsWithoutANumberWipeNoneAndMeansAreOverAllSurfaces) {
  const std::string first = to_hex(serve(kStart, {0, 1}));
  const std::string second = to_hex(serve(kStart, {0, 1}));
  slates_.back().surface = "web";
  send(first, "rating", "a", 1000001);
  send(first, "Product Reviewed", "a");
  send(first, "rating", "b", 1000003);
  send(second, "rating", "a", 1000005);
  const Table table = report("all");
  EXPECT_EQ(cell(table, 0, "rated"), 3);
  EXPECT_NEAR(cell(table, 0, "mean_rating").as_double(), 1000003, 1e-6);
  EXPECT_NEAR(cell(table, 0, "mean_rating_margin").as_double(), 1.959964 * 2 / std::sqrt(3.0), 1e-6);
}

TEST_F(FeedbackReportTest, NextPagesHaveNoPositionsAndSourcesScalesOfTheirOwn) {
  const MessageId first = serve(kStart, {0, 1});
  serve(kStart, {0, 1});
  slates_.back().after = first;
  EXPECT_EQ(cell(report("position"), 0, "shown"), 1);
  EXPECT_EQ(cell(report("all"), 0, "shown"), 4);
  for (int list = 0; list < 10; ++list) {
    serve(kStart + kDay, {2});
    slates_.back().items[0].score = static_cast<float>(1000 + list);
  }
  const Table table = report("score", kStart + kDay);
  ASSERT_EQ(table.rows.size(), 10U);
  EXPECT_EQ(cell(table, 9, "shown"), 1);
}

TEST_F(FeedbackReportTest, DecilesOfScoresAreOfEqualSize) {
  for (int list = 0; list < 100; ++list) {
    std::vector<ItemId> items(10, 0);
    serve(kStart + list, items);
  }
  const Table table = report("score");
  ASSERT_EQ(table.rows.size(), 10U);
  for (size_t row = 0; row < 10; ++row) EXPECT_EQ(cell(table, row, "shown"), 100) << row;
}

TEST_F(FeedbackReportTest, MistakesAreNamed) {
  const Status by = feedback_report(folder_.path(), *log_, {.by = "weather", .from = 0, .to = 1}).status();
  EXPECT_NE(by.message().find("position, source"), std::string::npos);
  EXPECT_FALSE(feedback_report(folder_.path(), *log_, {.from = 1, .to = 1}).ok());
  EXPECT_EQ(report("all").rows.size(), 0U) << "no list is no row";
}

}  // namespace
}  // namespace perennial
