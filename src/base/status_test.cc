#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace perennial {
namespace {

Result<int> half_of(int number) {
  if (number % 2 != 0) return invalid_argument("{} is odd", number);
  return number / 2;
}

Status try_halves(int number, int& quarter) {
  PERENNIAL_TRY_ASSIGN(const int half, half_of(number));
  PERENNIAL_TRY_ASSIGN(quarter, half_of(half));
  PERENNIAL_TRY(half_of(quarter).status());
  return {};
}

TEST(Status, ContextStandsInFrontAndKeepsTheCode) {
  const Status status = not_found("no file {}", 7).with_context("reading config");
  EXPECT_EQ(status.code(), Code::not_found);
  EXPECT_EQ(status.message(), "reading config: no file 7");
  EXPECT_TRUE(Status().with_context("nothing").ok());
  EXPECT_EQ(Status().with_context("nothing").message(), "");
}

TEST(Status, EveryCodeHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int code = 0; code <= static_cast<int>(Code::internal); ++code) names.insert(code_name(static_cast<Code>(code)));
  EXPECT_EQ(names.size(), static_cast<size_t>(Code::internal) + 1);
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(Status, ErrnoMapsToTheFittingCode) {
  EXPECT_EQ(errno_status(ENOENT, "opening x").code(), Code::not_found);
  EXPECT_EQ(errno_status(ENOSPC, "writing x").code(), Code::resource_exhausted);
  EXPECT_EQ(errno_status(EACCES, "opening x").code(), Code::failed_precondition);
  EXPECT_EQ(errno_status(EEXIST, "making x").code(), Code::already_exists);
  EXPECT_EQ(errno_status(EAGAIN, "locking x").code(), Code::unavailable);
  EXPECT_EQ(errno_status(EIO, "reading x").code(), Code::internal);
  EXPECT_EQ(errno_status(ENOENT, "opening x").message(), "opening x: No such file or directory");
}

TEST(Result, MacrosReturnTheFirstFailure) {
  int quarter = -1;
  EXPECT_EQ(try_halves(7, quarter).message(), "7 is odd");
  EXPECT_EQ(quarter, -1);
  EXPECT_EQ(try_halves(6, quarter).message(), "3 is odd");
  EXPECT_EQ(try_halves(4, quarter).message(), "1 is odd");
  EXPECT_EQ(quarter, 1);
  EXPECT_TRUE(try_halves(8, quarter).ok());
}

TEST(Result, HoldsWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  ASSERT_TRUE(result.ok());
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 5);
}

TEST(Result, ValueOfATemporaryOutlivesIt) {
  const auto make = []() -> Result<std::vector<std::string>> {
    return std::vector<std::string>{std::string(100, 'a'), std::string(100, 'b')};
  };
  std::string all;
  for (const std::string& text : make().value()) all += text;
  EXPECT_EQ(all, std::string(100, 'a') + std::string(100, 'b'));
}

TEST(ResultDeathTest, ReadingTheValueOfAFailureAborts) {
  EXPECT_DEATH(static_cast<void>(half_of(3).value()), "no value: 3 is odd");
}

TEST(ResultDeathTest, AnOkStatusIsNoResult) { EXPECT_DEATH(Result<int>{Status()}, "needs a failure"); }

}  // namespace
}  // namespace perennial
