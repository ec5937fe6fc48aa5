// A journey goes on over power cuts: what was decided is handed over or listed as a dead letter, once by its key, and
// nobody gets a step twice. The disk is log/fault_vfs.h, the receiver breaks off and lies. Real kills of the program:
// tests/kill_actions_test.py.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <map>
#include <set>
#include <thread>

#include "base/random.h"
#include "log/fault_vfs.h"
#include "server/test_server.h"

namespace perennial {
namespace {

constexpr TimeMs kHour = 3'600'000;
constexpr int kUsersARound = 4;
constexpr int kRounds = 3;

using Given = std::pair<std::string, std::string>;  // user and action

/// The world outside: power cuts do not reach it. It keeps keys, as receivers should.
class Receiver final : public Transport {
 public:
  explicit Receiver(uint64_t seed) : random_(seed) {}

  std::vector<HandoverResult> hand_over(std::span<const Letter> letters) override {
    const std::lock_guard lock(mutex_);
    std::vector<HandoverResult> results;
    for (const auto& [key, body] : letters) {
      const double drawn = random_.uniform();
      if (drawn < 0.8) {
        const json::object told = parse_json_object(body).value();
        keys_[{std::string(told.at("user_id").as_string()), std::string(told.at("action").as_string())}].insert(key);
      }
      if (drawn < 0.5)
        results.push_back({Handover::delivered, "", {}});
      else if (drawn < 0.97)  // for some of them it was done
        results.push_back({Handover::again, "no answer", {}});
      else
        results.push_back({Handover::refused, "answered 410", {}});
    }
    return results;
  }

  /// What was done, by the keys under which it was asked for.
  [[nodiscard]] std::map<Given, std::set<std::string>> keys() {
    const std::lock_guard lock(mutex_);
    return keys_;
  }

 private:
  std::mutex mutex_;
  Random random_;
  std::map<Given, std::set<std::string>> keys_;
};

class JourneyDurability : public testing::Test {
 protected:
  JourneyDurability() {
    spdlog::set_level(spdlog::level::off);  // the disk breaks under the engine, which says so
    const ActionTexts texts = {{"actions.letter.channel", "mail"},
                               {"actions.letter.worth", "100"},
                               {"actions.letter.goal", "value"},
                               {"actions.letter.expected_effect", "0.1"},
                               {"actions.note.channel", "mail"},
                               {"actions.note.worth", "100"},
                               {"actions.note.goal", "value"},
                               {"actions.note.expected_effect", "0.1"},
                               {"journeys.welcome.trigger", "signal active"},
                               {"journeys.welcome.steps", "letter, wait 1h, note"},
                               {"journeys.welcome.patience", "30d"}};
    ActionRules defaults;
    defaults.holdout_share = defaults.explore_share = 0;
    options_.stages = preset("e-commerce").value();
    options_.arbiter.rules = make_action_rules(texts, defaults, options_.stages).value();
    options_.arbiter.plan_every_seconds = 1e6;  // when the test says so
    options_.arbiter.delivery.first_pause_ms = options_.arbiter.delivery.longest_pause_ms = 0;
  }
  ~JourneyDurability() override { spdlog::set_level(level_); }

  /// Users come, some plans are made, and the power goes at some moment of it.
  void live_until_cut(uint64_t seed, int round, Random& random) {
    FaultVfs vfs(seed * 10 + static_cast<uint64_t>(round));
    vfs.cut_power_after(static_cast<int64_t>(random.below(400)));
    options_.log.vfs = vfs.name();
    options_.log.checkpoint_wal_bytes = 1 << (13 + random.below(5));
    Result<std::unique_ptr<Engine>> engine = Engine::open(options_, clock_);
    if (engine.ok()) {
      for (int i = 0; i < kUsersARound; ++i) {
        const std::string user = fmt::format("u{}-{}", round, i);
        const Result<AppendOutcome> posted =
            (*engine)->post_and_wait({{random_message_id(), clock_.now_ms(), user, "item", "Product Viewed", Event{}}});
        if (posted.ok()) acknowledged_.insert(user);
      }
      for (int plan = 0; plan < 3; ++plan) {
        (void)(*engine)->arbiter()->plan_now();
        clock_.advance(static_cast<TimeMs>(random.uniform() * 2 * kHour));
      }
    }
    vfs.cut_power_now();
    if (engine.ok()) engine->reset();
  }

  /// What the disk says is still to be handed over.
  [[nodiscard]] size_t undelivered_in_log() const {
    const std::unique_ptr<LogReader> log = open_log_for_reading(options_.data_folder).value();
    Outbox outbox;
    const auto apply = [&](const StoredRecord& record) {
      outbox.apply(record);
      return Status();
    };
    EXPECT_TRUE(log->replay_kinds(kActionRecords, 0, log->end().value(), apply).ok());
    return outbox.size();
  }

  FakeClock clock_{1'790'000'000'000};
  EngineOptions options_;
  std::set<std::string> acknowledged_;

 private:
  spdlog::level::level_enum level_ = spdlog::get_level();
};

TEST_F(JourneyDurability, EachStepIsTakenOnceWhateverBreaks) {
  size_t acknowledged = 0, refused = 0, cut_off = 0, interrupted = 0;
  for (uint64_t seed = 1; seed <= 80 && !HasFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const TemporaryFolder folder;
    options_.data_folder = folder.path();
    const auto receiver = std::make_shared<Receiver>(seed);
    options_.arbiter.transport = receiver;
    acknowledged_.clear();
    Random random(seed);
    for (int round = 0; round < kRounds; ++round) {
      live_until_cut(seed, round, random);
      clock_.advance(kHour);
      if (random.chance(0.5)) fs::remove(folder.path() / "state.snapshot");
    }
    cut_off += acknowledged_.size() < kRounds * kUsersARound ? 1 : 0;

    options_.log = {};
    interrupted += undelivered_in_log() > 0 ? 1 : 0;
    const Result<std::unique_ptr<Engine>> engine = Engine::open(options_, clock_);
    ASSERT_TRUE(engine.ok()) << engine.status().message();
    Arbiter& arbiter = *(*engine)->arbiter();
    for (int hour = 0; hour < 3; ++hour) {
      ASSERT_TRUE(arbiter.plan_now().ok());
      for (int wait = 0; wait < 2'000 && arbiter.undelivered() > 0; ++wait)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      ASSERT_EQ(arbiter.undelivered(), 0U);
      clock_.advance(kHour + 1);
    }
    ASSERT_TRUE((*engine)->stop().ok());

    std::map<Given, std::set<std::string>> keys = receiver->keys();
    for (const DeadLetter& dead : arbiter.dead_letters()) {
      EXPECT_EQ(dead.reason, "answered 410");
      keys[{(*engine)->user_name(dead.outgoing.user), dead.outgoing.name}].insert(dead.outgoing.action_id);
      ++refused;
    }
    for (const auto& [given, of] : keys) EXPECT_EQ(of.size(), 1U) << given.second << " twice to " << given.first;
    for (const std::string& user : acknowledged_)
      for (const char* action : {"letter", "note"}) EXPECT_TRUE(keys.contains({user, action})) << user << ' ' << action;
    acknowledged += acknowledged_.size();
  }
  EXPECT_GT(acknowledged, 300U);
  EXPECT_GT(refused, 10U);
  EXPECT_GT(cut_off, 10U) << "the power was rarely cut while users came";
  EXPECT_GT(interrupted, 10U) << "the power was rarely cut between a decision and its delivery";
}

}  // namespace
}  // namespace perennial
