// Hands over what is in the outbox, several at a time, until it is delivered, refused or too old, and logs what became
// of it. What the log does not say to be delivered is handed over again after a crash, under the same key: once for a
// receiver that keeps the keys. Covered by delivery/deliverer_test.cc.
// Thread rule: any thread; apply() in the log's order.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "delivery/outbox.h"
#include "delivery/transport.h"

namespace perennial {

struct DelivererOptions {
  int at_once = 4;                 // handovers
  TimeMs first_pause_ms = 10'000;  // before the second attempt; doubles each time
  TimeMs longest_pause_ms = 3'600'000;
  TimeMs give_up_after_ms = 86'400'000;  // after the decision
};

/// What stands in the way of a handover now.
struct Clearance {
  enum class May : uint8_t { go, wait, never };
  May may = May::go;
  TimeMs until = 0;    // wait: look again then
  std::string reason;  // never
};

/// What became of it.
struct Settled {
  Outgoing outgoing;
  Delivery delivery;
  std::string reason;  // for people; empty when delivered
};

class Deliverer {
 public:
  struct Dependencies {
    Transport* transport = nullptr;
    const Clock* clock = nullptr;
    std::function<Result<std::string>(const Outgoing&)> body_of;  // asked before the first attempt; a failure ends it
    /// Of each; consent and quiet hours may have changed.
    std::function<std::vector<Clearance>(std::span<const Outgoing>, TimeMs now)> may_send;
    std::function<Status(std::span<const Settled>, TimeMs now)> log;  // durable when it returns
  };

  Deliverer(DelivererOptions options, Dependencies dependencies);
  ~Deliverer() { stop(); }

  void apply(const StoredRecord& record) { apply(record, action_details(record)); }
  void apply(const StoredRecord& record, const ActionDetails& details);

  /// Until stop(); what is under way then ends first.
  void start();
  void stop();

  /// What is due, as much as the transport takes at once, on this thread; false when nothing is. For tests.
  bool deliver_some();

  [[nodiscard]] size_t waiting() const;

  /// Of these how many could go now, or are under way.
  [[nodiscard]] size_t due() const;
  [[nodiscard]] std::vector<DeadLetter> dead_letters() const;

 private:
  void work(const std::stop_token& stopped);
  [[nodiscard]] std::vector<Outgoing> take(TimeMs now);
  [[nodiscard]] std::vector<Outgoing> unsettled(std::vector<Outgoing> taken, TimeMs now, std::vector<Settled>& settled);
  [[nodiscard]] std::vector<Outgoing> cleared(std::vector<Outgoing> asked, TimeMs now, std::vector<Settled>& settled);
  [[nodiscard]] std::vector<Outgoing> with_bodies(std::vector<Outgoing> cleared, std::vector<Settled>& settled);
  void hand_over(std::vector<Outgoing> going, std::vector<Settled>& settled);
  void log(const std::vector<Settled>& settled);
  void put_back(Outgoing outgoing);

  const DelivererOptions options_;
  const Dependencies dependencies_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  Outbox outbox_;

  std::vector<std::jthread> threads_;
};

/// Before attempt n + 1, n from 1: first x 2^(n - 1), at most the longest; by up to a fifth more or less, drawn by the
/// action, so that those who failed together do not come back together.
TimeMs pause_after(int attempts, const DelivererOptions& options, std::string_view action_id);

}  // namespace perennial
