#include "log/fault_vfs.h"

#include "log/log_fixture.h"
#include "log/sqlite.h"

namespace perennial {
namespace {

Result<Database> open_through(const FaultVfs& vfs, const fs::path& path) {
  return Database::open(path.string(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs.name());
}

int64_t rows_after_cut(const char* synchronous, uint64_t seed) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "x.db";
  FaultVfs vfs(seed);
  {
    auto database = open_through(vfs, path);
    EXPECT_TRUE(database->execute("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(x)").ok());
    EXPECT_TRUE(database->execute(fmt::format("PRAGMA synchronous = {}", synchronous).c_str()).ok());
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(database->execute("INSERT INTO t VALUES(1)").ok());
    vfs.cut_power_now();
    EXPECT_EQ(database->execute("INSERT INTO t VALUES(1)").code(), Code::unavailable);
  }
  auto plain = Database::open(path.string(), SQLITE_OPEN_READWRITE, "");
  const Result<int64_t> rows = plain->query_integer("SELECT count(*) FROM t");
  return rows.ok() ? *rows : -1;
}

// The shim must be able to lose data, or the tests that rely on it prove nothing.
TEST(FaultVfs, LosesCommitsThatWereNotSyncedAndKeepsThoseThatWere) {
  int64_t kept_without_sync = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_EQ(rows_after_cut("FULL", seed), 5) << "seed " << seed;
    kept_without_sync += std::max<int64_t>(rows_after_cut("OFF", seed), 0);
  }
  EXPECT_LT(kept_without_sync, 5 * 20);
}

TEST(FaultVfs, FailsTheOperationsThatItWasToldTo) {
  const TemporaryFolder folder;
  FaultVfs vfs(1);
  auto database = open_through(vfs, folder.path() / "x.db");
  ASSERT_TRUE(database->execute("CREATE TABLE t(x)").ok());
  vfs.fail_after(0, SQLITE_FULL, 1);
  EXPECT_EQ(database->execute("INSERT INTO t VALUES(1)").code(), Code::resource_exhausted);
  EXPECT_EQ(vfs.failures(), 1);
  EXPECT_TRUE(database->execute("INSERT INTO t VALUES(1)").ok());
}

}  // namespace
}  // namespace perennial
