#include "delivery/export_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "base/temporary_folder.h"

namespace perennial {
namespace {

Handover hand_over(ExportFile& file, const std::string& body) {
  const std::vector<Letter> letters = {{"key", body}};
  return file.hand_over(letters).at(0).handover;
}

TEST(ExportFile, IsALineAnAction) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "actions.jsonl";
  ExportFile file(path);
  EXPECT_EQ(hand_over(file, R"({"action_id":"a"})"), Handover::delivered);
  EXPECT_EQ(hand_over(file, R"({"action_id":"b"})"), Handover::delivered);
  EXPECT_EQ(read_file(path, 1000).value(), "{\"action_id\":\"a\"}\n{\"action_id\":\"b\"}\n");
  fs::rename(path, folder.path() / "taken.jsonl");
  EXPECT_EQ(hand_over(file, "{}"), Handover::delivered);
  EXPECT_EQ(read_file(path, 1000).value(), "{}\n");
}

TEST(ExportFile, TakesManyAtOnce) {
  const TemporaryFolder folder;
  ExportFile file(folder.path() / "actions.jsonl");
  std::vector<Letter> letters;
  std::string lines;
  while (letters.size() < file.most_at_once()) {
    letters.push_back({std::to_string(letters.size()), fmt::format(R"({{"action_id":"{}"}})", letters.size())});
    lines += letters.back().body + "\n";
  }
  const std::vector<HandoverResult> results = file.hand_over(letters);
  ASSERT_EQ(results.size(), letters.size());
  for (const HandoverResult& result : results) EXPECT_EQ(result.handover, Handover::delivered);
  EXPECT_EQ(read_file(folder.path() / "actions.jsonl", 1 << 20).value(), lines);
}

TEST(ExportFile, LinesThatDoNotFitAreTakenBack) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "actions.jsonl";
  ExportFile file(path);
  EXPECT_EQ(hand_over(file, R"({"action_id":"a"})"), Handover::delivered);
  const std::string before = read_file(path, 1000).value();
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{before.size() + 20, limit.rlim_max};
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::vector<Letter> letters = {{"b", R"({"action_id":"b"})"}, {"c", R"({"action_id":"c"})"}};
  const std::vector<HandoverResult> results = file.hand_over(letters);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  ::signal(SIGXFSZ, handler);
  for (const HandoverResult& result : results) {
    EXPECT_EQ(result.handover, Handover::again);
    EXPECT_NE(result.reason.find("took only 20 of 36 bytes"), std::string::npos) << result.reason;
  }
  EXPECT_EQ(read_file(path, 1000).value(), before);
  EXPECT_EQ(file.hand_over(letters)[0].handover, Handover::delivered);
}

TEST(ExportFile, AFolderThatIsNotThereIsAnotherTime) {
  ExportFile file("/nowhere/at/all/actions.jsonl");
  const std::vector<Letter> letters = {{"a", "{}"}, {"b", "{}"}};
  const std::vector<HandoverResult> results = file.hand_over(letters);
  ASSERT_EQ(results.size(), 2U);
  for (const HandoverResult& result : results) {
    EXPECT_EQ(result.handover, Handover::again);
    EXPECT_EQ(result.reason, "opening /nowhere/at/all/actions.jsonl: No such file or directory");
  }
}

}  // namespace
}  // namespace perennial
