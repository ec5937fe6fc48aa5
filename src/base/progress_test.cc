#include "base/progress.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

namespace perennial {
namespace {

class ProgressLines : public testing::Test {
 protected:
  void SetUp() override {
    testing::internal::CaptureStderr();
    if (::isatty(STDERR_FILENO) != 0) GTEST_SKIP() << "standard error is a terminal";
  }
};

TEST_F(ProgressLines, FinishWritesOnePlainLine) {
  {
    Progress progress("importing events.csv", 1000, "rows");
    for (int64_t done = 0; done <= 1000; ++done) progress.update(done);
    progress.finish("3 rejected");
    progress.finish("again");
    progress.update(5);
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  EXPECT_TRUE(text.starts_with("importing events.csv  100 %  ")) << text;
  EXPECT_NE(text.find("rows/s  in "), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("  3 rejected\n")) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
}

TEST_F(ProgressLines, FinishIsTheWholeWhateverWasToldBefore) {
  Progress("importing few.csv", 1000, "bytes").finish();
  EXPECT_TRUE(testing::internal::GetCapturedStderr().starts_with("importing few.csv  100 %  "));
}

TEST_F(ProgressLines, UnknownTotalHasNoPercentage) {
  Progress progress("reading", 0, "lines");
  progress.update(7);
  progress.finish();
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find('%'), std::string::npos) << text;
  EXPECT_NE(text.find("lines/s"), std::string::npos) << text;
}

TEST_F(ProgressLines, AbandonedProgressWritesNothing) {
  {
    Progress progress("training", 10, "steps");
    progress.update(3);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace perennial
