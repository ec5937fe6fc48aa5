// Stopping: what was acknowledged is there after a restart, whatever was going on.
#include <atomic>
#include <set>
#include <thread>

#include "server/test_server.h"

namespace perennial {
namespace {

class StopTest : public HttpTest {
 protected:
  void SetUp() override {
    options_.threads = 2;
    start();
  }

  /// Message ids of all events in the log.
  std::set<MessageId> ids_in_log() {
    std::set<MessageId> ids;
    const Result<std::unique_ptr<LogReader>> log = open_log_for_reading(folder_.path());
    EXPECT_TRUE(log.ok());
    const Result<Offset> end = (*log)->end();
    EXPECT_TRUE(end.ok());
    const Status read = (*log)->replay(0, *end, [&](const StoredRecord& record) {
      ids.insert(record.message_id);
      return Status();
    });
    EXPECT_TRUE(read.ok()) << read.message();
    return ids;
  }
};

TEST_F(StopTest, DuringTrafficLosesNothingAcknowledged) {
  constexpr int kClients = 4;
  std::atomic<int> acknowledged_count{0};
  std::vector<std::set<std::string>> acknowledged(kClients);
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      TestClient client(server_->port());
      client.set_authorization("Bearer " + key_);
      for (int i = 0;; ++i) {
        const std::string id = fmt::format("c{}-{}", c, i);
        const std::string event = R"({"messageId":")" + id + R"(","userId":"u)" + std::to_string(c) +
                                  R"(","event":"Product Viewed","properties":{"product_id":"p"}})";
        if (client.send("POST", "/v1/track", event).status != 200) return;
        acknowledged[static_cast<size_t>(c)].insert(id);
        ++acknowledged_count;
      }
    });
  }
  while (acknowledged_count < 200) std::this_thread::yield();
  const Status stopped = server_->stop();
  EXPECT_TRUE(stopped.ok()) << stopped.message();
  for (std::thread& client : clients) client.join();

  const std::set<MessageId> kept = ids_in_log();
  size_t missing = 0;
  for (const std::set<std::string>& ids : acknowledged) {
    for (const std::string& id : ids) missing += kept.count(message_id_of(id)) == 0;
  }
  EXPECT_EQ(missing, 0u) << "of " << acknowledged_count << " acknowledged";
  EXPECT_GE(kept.size(), static_cast<size_t>(acknowledged_count));
}

TEST_F(StopTest, RestartAnswersAsBefore) {
  for (const char* item : {"a", "b", "c"}) ASSERT_EQ(view("u", item).status, 200);
  ASSERT_EQ(post("/v1/items", R"({"item_id":"a","title":"Anvil"})").status, 200);
  const std::string user = get("/v1/users/u").body;
  ASSERT_TRUE(has(user, "Anvil"));
  restart();
  EXPECT_EQ(get("/v1/users/u").body, user);
  EXPECT_EQ(server_->engine().status().snapshot_offset, server_->engine().status().log_offset)
      << "the snapshot was used";
  EXPECT_TRUE(server_->first_key().empty()) << "a second start makes no second key";
}

TEST_F(StopTest, BrokenSnapshotIsRebuiltFromTheLog) {
  ASSERT_EQ(view("u", "a").status, 200);
  const std::string user = get("/v1/users/u").body;
  stop();
  ASSERT_TRUE(write_file_atomically(folder_.path() / "state.snapshot", "rubbish").ok());
  start();
  EXPECT_EQ(get("/v1/users/u").body, user);
  EXPECT_EQ(server_->engine().status().snapshot_offset, 0);
}

TEST_F(StopTest, SnapshotOfAnotherLogIsNotUsed) {
  for (const char* item : {"a", "b", "c"}) ASSERT_EQ(view("u", item).status, 200);
  stop();
  const Result<std::string> snapshot = read_file(folder_.path() / "state.snapshot");
  ASSERT_TRUE(snapshot.ok());
  for (const auto& entry : fs::directory_iterator(folder_.path())) {
    if (entry.path().filename().string().starts_with("log.db")) fs::remove(entry.path());
  }
  ASSERT_TRUE(write_file_atomically(folder_.path() / "state.snapshot", *snapshot).ok());
  start();
  EXPECT_EQ(get("/v1/users/u").status, 404);
  for (const char* item : {"v", "w", "x", "y", "z"}) EXPECT_EQ(view("u", item).status, 200);
  const std::string user = get("/v1/users/u").body;
  stop();
  // As after a kill before the first snapshot: the other log's one is still there, and no longer ahead.
  ASSERT_TRUE(write_file_atomically(folder_.path() / "state.snapshot", *snapshot).ok());
  start();
  EXPECT_EQ(get("/v1/users/u").body, user);
}

TEST_F(StopTest, IdleConnectionsDoNotHoldItUp) {
  options_.stop_patience_seconds = 600;  // a stop that waits for the idle one never ends
  restart();
  TestClient idle(server_->port());
  ASSERT_EQ(idle.send("GET", "/healthz").status, 200);
  stop();
  EXPECT_TRUE(idle.at_end());
}

TEST_F(StopTest, SecondServerOnTheSameFolderIsRefused) {
  const Result<std::unique_ptr<Server>> second = Server::start(options_, clock_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::failed_precondition);
}

TEST(Serve, RunsUntilItIsToldToStopAndPrintsTheKeyOnce) {
  const TemporaryFolder folder;
  const SystemClock clock;
  ServerOptions options;
  options.port = 0;
  options.engine.data_folder = folder.path();
  for (const bool first : {true, false}) {
    testing::internal::CaptureStdout();
    int asked = 0;
    const Status served = serve(options, clock, [&] { return ++asked > 2; });
    const std::string banner = testing::internal::GetCapturedStdout();
    EXPECT_TRUE(served.ok()) << served.message();
    EXPECT_TRUE(has(banner, "http://127.0.0.1:"));
    EXPECT_EQ(banner.find("prn_") != std::string::npos, first) << banner;
  }
  const Result<std::string> keys = read_file(folder.path() / "keys.json");
  ASSERT_TRUE(keys.ok());
  EXPECT_EQ(keys->find("prn_"), std::string::npos) << "the key itself is on the disk";
}

}  // namespace
}  // namespace perennial
