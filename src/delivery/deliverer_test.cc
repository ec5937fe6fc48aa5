#include "delivery/deliverer.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"
#include "events/action_details.h"

namespace perennial {
namespace {

constexpr TimeMs kSecond = 1000;
constexpr TimeMs kHour = 3600 * kSecond;
constexpr TimeMs kStart = 1'700'000'000'000;

/// A receiver that keeps keys, as receivers should, and answers as a test says.
class FakeReceiver final : public Transport {
 public:
  [[nodiscard]] size_t most_at_once() const override { return at_once; }

  std::vector<HandoverResult> hand_over(std::span<const Letter> letters) override {
    EXPECT_LE(letters.size(), at_once);
    const std::lock_guard lock(mutex);
    std::vector<HandoverResult> results;
    for (const Letter& letter : letters) results.push_back(hand_over(letter.key, letter.body));
    return results;
  }

  HandoverResult hand_over(const std::string& key, const std::string& body) {
    ++attempts[key];
    EXPECT_TRUE(!bodies.contains(key) || bodies[key] == body) << "the same each time";
    bodies[key] = body;
    const HandoverResult result = answer ? answer(key) : HandoverResult{Handover::delivered, "", {}};
    if (result.handover == Handover::delivered || accepts_and_hangs) done.insert(key);
    return result;
  }

  std::mutex mutex;
  size_t at_once = 1;
  std::function<HandoverResult(const std::string&)> answer;
  bool accepts_and_hangs = false;  // does it, and gives no answer
  std::map<std::string, int> attempts;
  std::map<std::string, std::string> bodies;
  std::set<std::string> done;
};

/// The log, and who delivers what is in it.
class DelivererTest : public testing::Test {
 protected:
  DelivererTest() { restart(); }

  /// As after a crash: all that is not in the log is lost.
  void restart() {
    if (deliverer) deliverer->stop();
    deliverer = std::make_unique<Deliverer>(
        options, Deliverer::Dependencies{.transport = &receiver,
                                         .clock = &clock,
                                         .body_of = [](const Outgoing& outgoing) -> Result<std::string> {
                                           if (outgoing.name == "empty") return not_found("nothing to show");
                                           return outgoing.name + " for " + std::to_string(outgoing.user);
                                         },
                                         .may_send =
                                             [this](std::span<const Outgoing> all, TimeMs now) {
                                               std::vector<Clearance> clearances;
                                               for (const Outgoing& outgoing : all)
                                                 clearances.push_back(may_send ? may_send(outgoing, now) : Clearance{});
                                               return clearances;
                                             },
                                         .log = [this](std::span<const Settled> settled, TimeMs now) -> Status {
                                           if (log_fails) return Status(Code::resource_exhausted, "the disk is full");
                                           ++commits;
                                           for (const Settled& one : settled)
                                             became(one.outgoing.user, one.delivery, now);
                                           return {};
                                         }});
    for (const StoredRecord& record : log) deliverer->apply(record);
  }

  void append(UserId user, TimeMs time, Payload payload) {
    StoredRecord record;
    record.user = user;
    record.time = time;
    record.payload = std::move(payload);
    {
      const std::lock_guard lock(log_mutex);
      log.push_back(record);
    }
    deliverer->apply(record);
  }
  void decide(const std::string& id, UserId user = 1, const char* details = R"({"deliver":true})",
              const char* name = "letter") {
    append(user, clock.now_ms(), Action{id, name, "mail", 1, details});
  }
  void became(UserId user, Delivery delivery, TimeMs time) { append(user, time, std::move(delivery)); }

  int deliver_all() {
    int count = 0;
    while (deliverer->deliver_some()) ++count;
    return count;
  }

  std::vector<Delivery> deliveries() {
    std::vector<Delivery> found;
    for (const StoredRecord& record : log)
      if (const auto* delivery = std::get_if<Delivery>(&record.payload)) found.push_back(*delivery);
    return found;
  }

  DelivererOptions options;
  FakeClock clock{kStart};
  FakeReceiver receiver;
  std::function<Clearance(const Outgoing&, TimeMs)> may_send;
  std::atomic<bool> log_fails = false;
  std::atomic<int> commits = 0;  // of deliveries
  std::mutex log_mutex;
  std::vector<StoredRecord> log;
  std::unique_ptr<Deliverer> deliverer;
};

TEST_F(DelivererTest, HandsOverWhatWasDecidedAndLogsIt) {
  decide("a");
  decide("b", 2);
  EXPECT_EQ(deliver_all(), 2);
  EXPECT_EQ(receiver.done, (std::set<std::string>{"a", "b"}));
  EXPECT_EQ(receiver.bodies["b"], "letter for 2");
  ASSERT_EQ(deliveries().size(), 2U);
  EXPECT_EQ(deliveries()[0].outcome, kDelivered);
  EXPECT_EQ(deliveries()[0].details, R"({"attempts":1})");
  EXPECT_EQ(deliverer->waiting(), 0U);
  EXPECT_EQ(deliver_all(), 0);
}

TEST_F(DelivererTest, OnlyWhatIsOursToDeliver) {
  decide("elsewhere", 1, R"({"cost":1})");
  decide("elsewhere too", 1, "");
  decide("not so", 1, R"({"deliver":false})");
  decide("drawn", 1, R"({"deliver":true})", kNoAction);
  EXPECT_EQ(deliver_all(), 0);
}

TEST_F(DelivererTest, TriesAgainAfterPausesThatDouble) {
  receiver.answer = [](const std::string&) { return HandoverResult{Handover::again, "answered 500", {}}; };
  decide("a");
  std::vector<TimeMs> at;
  while (clock.now_ms() < kStart + 30 * 60 * kSecond) {
    if (deliver_all() > 0) at.push_back(clock.now_ms() - kStart);
    clock.advance(kSecond);
  }
  ASSERT_GE(at.size(), 6U);
  for (size_t n = 1; n < at.size(); ++n) {
    const double wanted = 10.0 * kSecond * std::exp2(static_cast<double>(n) - 1);
    const auto pause = static_cast<double>(at[n] - at[n - 1]);
    EXPECT_GE(pause, 0.8 * wanted);
    EXPECT_LE(pause, 1.2 * wanted + kSecond);
  }
  receiver.answer = nullptr;
  clock.advance(options.longest_pause_ms * 2);
  deliver_all();
  EXPECT_EQ(receiver.done.size(), 1U);
}

TEST_F(DelivererTest, PausesAreBoundedAndDrawnApart) {
  std::set<TimeMs> pauses;
  for (int i = 0; i < 100; ++i) pauses.insert(pause_after(1, options, std::to_string(i)));
  EXPECT_GT(pauses.size(), 90U);
  EXPECT_LE(pause_after(60, options, "a"), options.longest_pause_ms * 12 / 10);
}

TEST_F(DelivererTest, HeedsWhatTheReceiverAsksFor) {
  receiver.answer = [](const std::string&) { return HandoverResult{Handover::again, "answered 429", 120 * kSecond}; };
  decide("a");
  deliver_all();
  clock.advance(119 * kSecond);
  EXPECT_EQ(deliver_all(), 0);
  clock.advance(kSecond);
  EXPECT_EQ(deliver_all(), 1);
}

TEST_F(DelivererTest, WhatIsRefusedIsADeadLetterUntilSomebodySendsItAgain) {
  receiver.answer = [](const std::string&) { return HandoverResult{Handover::refused, "answered 410", {}}; };
  decide("a", 7);
  deliver_all();
  ASSERT_EQ(deliverer->dead_letters().size(), 1U);
  EXPECT_EQ(deliverer->dead_letters()[0].reason, "answered 410");
  EXPECT_EQ(deliverer->dead_letters()[0].outgoing.user, 7);
  restart();
  ASSERT_EQ(deliverer->dead_letters().size(), 1U) << "also after a restart";
  receiver.answer = nullptr;
  clock.advance(48 * kHour);
  EXPECT_EQ(deliver_all(), 0);
  became(7, Delivery{"a", kSentAgain, ""}, clock.now_ms());
  EXPECT_TRUE(deliverer->dead_letters().empty());
  EXPECT_EQ(deliver_all(), 1);
  EXPECT_EQ(receiver.done.size(), 1U);
  became(7, Delivery{"a", kSentAgain, ""}, clock.now_ms());
  EXPECT_EQ(deliver_all(), 0) << "it is no dead letter any more";
}

TEST_F(DelivererTest, ARefusalThatTheLogTookLateCanBeSentAgain) {
  receiver.answer = [](const std::string&) { return HandoverResult{Handover::refused, "answered 410", {}}; };
  log_fails = true;
  decide("a");
  deliver_all();
  log_fails = false;
  clock.advance(kHour);
  deliver_all();
  ASSERT_EQ(deliverer->dead_letters().size(), 1U);
  EXPECT_EQ(deliverer->dead_letters()[0].reason, "answered 410");
  receiver.answer = nullptr;
  became(1, Delivery{"a", kSentAgain, ""}, clock.now_ms());
  deliver_all();
  EXPECT_EQ(receiver.attempts["a"], 2);
  EXPECT_EQ(receiver.done.size(), 1U);
}

TEST_F(DelivererTest, WhatIsTooOldIsGivenUp) {
  receiver.answer = [](const std::string&) { return HandoverResult{Handover::again, "answered 503", {}}; };
  decide("a");
  for (int minute = 0; minute < 25 * 60; ++minute) {
    deliver_all();
    clock.advance(60 * kSecond);
  }
  ASSERT_EQ(deliverer->dead_letters().size(), 1U);
  EXPECT_EQ(deliverer->dead_letters()[0].reason, "too old: answered 503");
}

TEST_F(DelivererTest, WaitsForItsTimeAndLeavesOutWhatIsNotAllowedAnyMore) {
  decide("later");
  decide("never", 2);
  may_send = [&](const Outgoing& outgoing, TimeMs now) -> Clearance {
    if (outgoing.action_id == "never") return {Clearance::May::never, 0, "no consent any more"};
    if (now < kStart + kHour) return {Clearance::May::wait, kStart + kHour, ""};
    return {};
  };
  deliver_all();
  EXPECT_TRUE(receiver.attempts.empty());
  EXPECT_EQ(deliverer->dead_letters().at(0).reason, "no consent any more");
  clock.advance(kHour - 1);
  EXPECT_EQ(deliver_all(), 0);
  clock.advance(1);
  deliver_all();
  EXPECT_EQ(receiver.done, std::set<std::string>{"later"});
}

TEST_F(DelivererTest, WhatHasNoBodyIsADeadLetter) {
  decide("a", 1, R"({"deliver":true})", "empty");
  deliver_all();
  EXPECT_TRUE(receiver.attempts.empty());
  EXPECT_EQ(deliverer->dead_letters().at(0).reason, "nothing to show");
}

TEST_F(DelivererTest, WhatWaitsForItsTimeIsNotDue) {
  receiver.answer = [](const std::string& id) {
    return id == "a" ? HandoverResult{Handover::again, "answered 503", {}}
                     : HandoverResult{Handover::delivered, "", {}};
  };
  decide("a");
  decide("b");
  EXPECT_EQ(deliverer->due(), 2U);
  deliver_all();
  EXPECT_EQ(deliverer->waiting(), 1U);
  EXPECT_EQ(deliverer->due(), 0U);
  clock.advance(kHour);
  EXPECT_EQ(deliverer->due(), 1U);
}

TEST_F(DelivererTest, NothingGoesToWhoWasErased) {
  decide("a", 3);
  append(3, clock.now_ms(), Erasure{});
  EXPECT_EQ(deliver_all(), 0);
  EXPECT_EQ(deliverer->waiting(), 0U);
}

TEST_F(DelivererTest, AfterACrashItComesAgainUnderTheSameKeyAndIsDoneOnce) {
  receiver.accepts_and_hangs = true;
  receiver.answer = [](const std::string&) { return HandoverResult{Handover::again, "no answer", {}}; };
  decide("a");
  deliver_all();
  restart();
  receiver.answer = nullptr;
  deliver_all();
  EXPECT_EQ(receiver.attempts["a"], 2);
  EXPECT_EQ(receiver.done.size(), 1U);
  restart();
  EXPECT_EQ(deliver_all(), 0) << "the log says that it is delivered";
}

TEST_F(DelivererTest, ALogThatTakesNothingLosesNothing) {
  log_fails = true;
  decide("a");
  deliver_all();
  EXPECT_EQ(deliverer->waiting(), 1U);
  log_fails = false;
  clock.advance(30 * kHour);
  deliver_all();
  EXPECT_EQ(deliverer->waiting(), 0U);
  ASSERT_EQ(deliveries().size(), 1U);
  EXPECT_EQ(deliveries()[0].outcome, kDelivered) << "late, but it is what was said";
  EXPECT_EQ(receiver.attempts["a"], 1) << "what was said is not asked again";
}

TEST_F(DelivererTest, FaultsAndKillsLoseNothingAndDoNothingTwice) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    log.clear();
    receiver.done.clear(), receiver.attempts.clear(), receiver.bodies.clear();
    receiver.at_once = seed % 2 == 0 ? 1 : 5;
    clock.set(kStart);
    restart();
    receiver.answer = [&](const std::string&) -> HandoverResult {
      const double drawn = random.uniform();
      if (drawn < 0.45) return {Handover::delivered, "", {}};
      if (drawn < 0.9)
        return {Handover::again, "answered 500", drawn < 0.6 ? std::optional<int64_t>(30'000) : std::nullopt};
      return {Handover::refused, "answered 400", {}};
    };
    int decided = 0;
    for (int step = 0; step < 400; ++step) {
      receiver.accepts_and_hangs = random.chance(0.3);
      log_fails = random.chance(0.1);
      if (step < 200 && random.chance(0.4))
        decide(fmt::format("{}-{}", seed, decided++), static_cast<UserId>(random.below(9)));
      if (random.chance(0.7)) deliverer->deliver_some();
      if (random.chance(0.05)) restart();
      clock.advance(static_cast<TimeMs>(random.uniform() * 60 * kSecond));
    }
    log_fails = false;
    receiver.answer = nullptr;
    for (int hour = 0; hour < 60; ++hour) {
      deliver_all();
      clock.advance(kHour);
    }
    EXPECT_EQ(deliverer->waiting(), 0U);
    std::map<std::string, int> ended;
    for (const Delivery& delivery : deliveries()) ++ended[delivery.action_id];
    EXPECT_EQ(ended.size(), static_cast<size_t>(decided)) << "each is delivered or a dead letter";
    for (const auto& [id, count] : ended) EXPECT_EQ(count, 1) << id;
    for (const Delivery& delivery : deliveries())
      if (delivery.outcome == kDelivered) {
        EXPECT_TRUE(receiver.done.contains(delivery.action_id));
      }
  }
}

TEST_F(DelivererTest, HandsOverAndLogsAsManyAtOnceAsTheTransportTakes) {
  receiver.at_once = 4;
  receiver.answer = [](const std::string& id) -> HandoverResult {
    if (id == "busy") return {Handover::again, "answered 503", {}};
    if (id == "gone") return {Handover::refused, "answered 410", {}};
    return {Handover::delivered, "", {}};
  };
  may_send = [](const Outgoing& outgoing, TimeMs) -> Clearance {
    if (outgoing.action_id == "no") return {Clearance::May::never, 0, "consent"};
    return {};
  };
  for (const char* id : {"busy", "gone", "no", "a", "b", "c"}) decide(id);
  EXPECT_TRUE(deliverer->deliver_some());
  EXPECT_EQ(commits, 1);
  EXPECT_EQ(receiver.attempts.size(), 4U);
  EXPECT_TRUE(deliverer->deliver_some());
  EXPECT_EQ(commits, 2);
  EXPECT_FALSE(deliverer->deliver_some());
  EXPECT_EQ(receiver.done, (std::set<std::string>{"a", "b", "c"}));
  EXPECT_EQ(deliverer->waiting(), 1U) << "the busy one";
  std::map<std::string, std::string> reasons;
  for (const DeadLetter& letter : deliverer->dead_letters()) reasons[letter.outgoing.action_id] = letter.reason;
  EXPECT_EQ(reasons, (std::map<std::string, std::string>{{"gone", "answered 410"}, {"no", "consent"}}));
  log_fails = true;
  receiver.answer = nullptr;
  clock.advance(kHour);
  for (const char* id : {"d", "e"}) decide(id);
  deliver_all();
  EXPECT_EQ(deliverer->waiting(), 3U);
  log_fails = false;
  clock.advance(kHour);
  deliver_all();
  EXPECT_EQ(deliverer->waiting(), 0U);
  EXPECT_EQ(receiver.attempts["d"], 1) << "what was said is not asked again";
}

TEST_F(DelivererTest, ThreadsDoNotHandOverTheSameAtOnce) {
  receiver.at_once = 3;
  deliverer->start();
  for (int i = 0; i < 500; ++i) decide(std::to_string(i), static_cast<UserId>(i));
  for (int wait = 0; wait < 500 && deliverer->waiting() > 0; ++wait)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  deliverer->stop();
  EXPECT_EQ(deliverer->waiting(), 0U);
  for (const auto& [key, attempts] : receiver.attempts) EXPECT_EQ(attempts, 1) << key;
  EXPECT_EQ(receiver.done.size(), 500U);
}

}  // namespace
}  // namespace perennial
