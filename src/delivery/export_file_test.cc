#include "delivery/export_file.h"

#include <gtest/gtest.h>

#include "base/temporary_folder.h"

namespace perennial {
namespace {

TEST(ExportFile, IsALineAnAction) {
  const TemporaryFolder folder;
  ExportFile file(folder.path() / "actions.jsonl");
  EXPECT_EQ(file.hand_over("a", R"({"action_id":"a"})").handover, Handover::delivered);
  EXPECT_EQ(file.hand_over("b", R"({"action_id":"b"})").handover, Handover::delivered);
  EXPECT_EQ(read_file(folder.path() / "actions.jsonl", 1000).value(), "{\"action_id\":\"a\"}\n{\"action_id\":\"b\"}\n");
  fs::rename(folder.path() / "actions.jsonl", folder.path() / "taken.jsonl");
  EXPECT_EQ(file.hand_over("c", "{}").handover, Handover::delivered);
  EXPECT_EQ(read_file(folder.path() / "actions.jsonl", 1000).value(), "{}\n");
}

TEST(ExportFile, AFolderThatIsNotThereIsAnotherTime) {
  ExportFile file("/nowhere/at/all/actions.jsonl");
  const HandoverResult result = file.hand_over("a", "{}");
  EXPECT_EQ(result.handover, Handover::again);
  EXPECT_EQ(result.reason, "opening /nowhere/at/all/actions.jsonl: No such file or directory");
}

}  // namespace
}  // namespace perennial
