// What was answered with 200 over HTTP survives a power cut at any moment, once; what was not may be posted again, and
// is then there once as well. The disk is log/fault_vfs.h. Real kills of the program: tests/kill_server_test.py.
#include <spdlog/spdlog.h>

#include <set>
#include <thread>

#include "base/random.h"
#include "log/fault_vfs.h"
#include "server/test_server.h"

namespace perennial {
namespace {

constexpr int kClients = 2;
constexpr const char* kVictim = "victim";

/// One request with its events; each event has a message id and an item of its own, both named like the item.
struct Post {
  std::string path;
  std::string body;
  std::vector<std::string> items;
  bool acknowledged = false;
};

std::string user_of(int client) { return fmt::format("user-{}", client); }

std::string message(const std::string& user, const std::string& item, bool in_batch) {
  return fmt::format(
      R"({{{}"messageId":"{}","userId":"{}","event":"Product Viewed","properties":{{"product_id":"{}"}}}})",
      in_batch ? R"("type":"track",)" : "", item, user, item);
}

Post make_post(Random& random, const std::string& user, int number) {
  const std::string name = fmt::format("{}-{}", user, number);
  if (random.chance(0.5)) return {"/v1/track", message(user, name, false), {name}};
  Post post{"/v1/batch", "", {}};
  for (uint64_t i = 2 + random.below(6); i > 0; --i) {
    post.items.push_back(fmt::format("{}-{}", name, i));
    post.body += (post.body.empty() ? R"({"batch":[)" : ",") + message(user, post.items.back(), true);
  }
  post.body += "]}";
  return post;
}

bool send(TestClient& client, Post& post) {
  post.acknowledged = client.send("POST", post.path, post.body).status == 200;
  return post.acknowledged;
}

struct Sent {
  std::vector<std::vector<Post>> by_client{kClients};
  std::vector<Post> of_victim;
  bool erasure_tried = false;
  bool erased = false;
};

/// All clients post until one of their requests is not answered with 200, or there are enough.
Sent post_until_cut(uint16_t port, uint64_t seed) {
  Sent sent;
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c)
    clients.emplace_back([&posts = sent.by_client[static_cast<size_t>(c)], c, port, seed] {
      Random random(seed * 100 + static_cast<uint64_t>(c));
      TestClient client(port);
      for (int number = 0; number < 20; ++number) {
        posts.push_back(make_post(random, user_of(c), number));
        if (!send(client, posts.back())) return;
      }
    });
  Random random(seed * 100 + 99);
  TestClient client(port);
  for (int number = 0; number < 4; ++number) {
    sent.of_victim.push_back(make_post(random, kVictim, number));
    if (!send(client, sent.of_victim.back())) break;
  }
  if (sent.of_victim.back().acknowledged) {
    sent.erasure_tried = true;
    const int status = client.send("DELETE", fmt::format("/v1/users/{}", kVictim)).status;
    sent.erased = status >= 200 && status < 300;
  }
  for (std::thread& thread : clients) thread.join();
  return sent;
}

/// The items of the user's history, each once; fails when one is there twice.
std::set<std::string> items_of(TestClient& client, const std::string& user) {
  std::set<std::string> items;
  const TestReply reply = client.send("GET", fmt::format("/v1/users/{}?limit=500", user));
  if (reply.status == 404) return items;
  EXPECT_EQ(reply.status, 200) << reply.body;
  const json::object body = reply.object();
  for (const json::value& event : body.at("history").as_array()) {
    const std::string item(event.at("item_id").as_string());
    EXPECT_TRUE(items.insert(item).second) << "twice: " << item;
  }
  return items;
}

/// A post is there whole or not at all, and whole when it was acknowledged.
void expect_posts(const std::vector<Post>& posts, const std::set<std::string>& present) {
  size_t known = 0;
  for (const Post& post : posts) {
    size_t there = 0;
    for (const std::string& item : post.items) there += present.count(item);
    EXPECT_TRUE(there == post.items.size() || (there == 0 && !post.acknowledged))
        << there << " of " << post.items.size() << " events of " << post.body
        << (post.acknowledged ? " (acknowledged)" : "");
    known += there;
  }
  EXPECT_EQ(present.size(), known) << "events that nobody posted";
}

void verify_and_post_again(Server& server, Sent& sent) {
  TestClient client(server.port());
  for (int c = 0; c < kClients; ++c) {
    std::vector<Post>& posts = sent.by_client[static_cast<size_t>(c)];
    expect_posts(posts, items_of(client, user_of(c)));
    for (Post& post : posts) EXPECT_TRUE(send(client, post));
    expect_posts(posts, items_of(client, user_of(c)));
  }
  const std::set<std::string> of_victim = items_of(client, kVictim);
  EXPECT_TRUE(of_victim.empty() || !sent.erased);
  if (!sent.erasure_tried || !of_victim.empty()) expect_posts(sent.of_victim, of_victim);
}

TEST(ServerDurability, AcknowledgedPostsSurvivePowerCutsExactlyOnce) {
  const auto level = spdlog::get_level();
  spdlog::set_level(spdlog::level::off);  // each seed breaks the disk under the server, which says so
  const SystemClock clock;
  size_t acknowledged = 0;
  size_t refused = 0;
  for (uint64_t seed = 1; seed <= 500 && !HasFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const TemporaryFolder folder;
    Random random(seed);
    Sent sent;
    ServerOptions options;
    options.port = 0;
    options.require_keys = false;
    options.api.access_log = AccessLog::off;
    options.engine.data_folder = folder.path();
    {
      FaultVfs vfs(seed);
      vfs.cut_power_after(static_cast<int64_t>(random.below(random.chance(0.1) ? 40 : 300)));
      options.engine.log.vfs = vfs.name();
      options.engine.log.checkpoint_wal_bytes = 1 << (13 + random.below(5));
      const Result<std::unique_ptr<Server>> server = Server::start(options, clock);
      if (server.ok()) sent = post_until_cut((*server)->port(), seed);
      vfs.cut_power_now();
    }
    // The snapshot was saved when the server went down; half of the restarts do without it.
    if (random.chance(0.5)) fs::remove(folder.path() / "state.snapshot");
    options.engine.log = {};
    const Result<std::unique_ptr<Server>> server = Server::start(options, clock);
    ASSERT_TRUE(server.ok()) << server.status().message();
    for (const std::vector<Post>& posts : sent.by_client)
      for (const Post& post : posts) ++(post.acknowledged ? acknowledged : refused);
    verify_and_post_again(**server, sent);
  }
  spdlog::set_level(level);
  EXPECT_GT(acknowledged, 1000U);
  EXPECT_GT(refused, 100U) << "the power was rarely cut while somebody posted";
}

}  // namespace
}  // namespace perennial
