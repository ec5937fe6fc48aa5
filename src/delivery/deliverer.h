// Hands over what is in the outbox, several at a time, until it is delivered, refused or too old, and logs what became
// of it. What the log does not say to be delivered is handed over again after a crash, under the same key: once for a
// receiver that keeps the keys. Covered by delivery/deliverer_test.cc.
// Thread rule: any thread; apply() in the log's order.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "delivery/outbox.h"
#include "delivery/webhook.h"

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

class Deliverer {
 public:
  struct Dependencies {
    Transport* transport = nullptr;
    const Clock* clock = nullptr;
    std::function<std::string(const Outgoing&)> body_of;               // of the request
    std::function<Clearance(const Outgoing&, TimeMs now)> may_send;    // consent, quiet hours: they may have changed
    std::function<Status(const Outgoing&, Delivery, TimeMs now)> log;  // durable when it returns
  };

  Deliverer(DelivererOptions options, Dependencies dependencies);
  ~Deliverer() { stop(); }

  void apply(const StoredRecord& record);

  /// Until stop(); what is under way then ends first.
  void start();
  void stop();

  /// One handover, if one is due, on this thread; false when none is. For tests.
  bool deliver_one();

  [[nodiscard]] size_t waiting() const;
  [[nodiscard]] std::vector<DeadLetter> dead_letters() const;

 private:
  void work(const std::stop_token& stopped);
  void settle(const Outgoing& outgoing, const HandoverResult& result, TimeMs now);
  void finish(const Outgoing& outgoing, const char* outcome, const std::string& reason, TimeMs now);
  void put_back(const std::string& action_id, TimeMs due, const std::string& trouble, const std::string& outcome = {});

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
