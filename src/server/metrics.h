// What the server counts, in Prometheus' text format. Names are those of docs/api.md; durations are seconds.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <atomic>
#include <mutex>
#include <string>

namespace perennial {

/// Thread rule: any thread.
class Metrics {
 public:
  Metrics();

  /// What is counted of one route's requests. Thread rule: any thread.
  class Route {
   public:
    Route(Metrics& metrics, std::string name);
    void finished(int status, double seconds);
    [[nodiscard]] const std::string& name() const { return name_; }

   private:
    static constexpr size_t kStatuses = 600;

    Metrics& metrics_;
    const std::string name_;
    prometheus::Histogram* duration_ = nullptr;  // made by the first request, as are
    std::array<std::atomic<prometheus::Counter*>, kStatuses> requests_{};
    std::once_flag first_;
  };

  void event_rejected(const std::string& reason, double count = 1);
  void fallback(const std::string& reason);
  void feedback(const std::string& kind, const std::string& source);
  void stage_users(const std::string& stage, double count);
  void overlay_users(const std::string& overlay, double count);
  void action_decided(const std::string& action, double count);
  void action_suppressed(const std::string& reason, double count);
  void handed_over(const std::string& outcome, double count);
  void stage_moved(const std::string& from, const std::string& to, double count);

  /// The text of /metrics.
  [[nodiscard]] std::string text() const;

  prometheus::Counter& events_ingested;
  prometheus::Counter& records_repeated;
  prometheus::Histogram& ingest_lag;
  prometheus::Histogram& recommend_duration;
  prometheus::Counter& kept_lists_served;
  prometheus::Counter& slates_logged;
  prometheus::Counter& slates_dropped;
  prometheus::Counter& feedback_uncredited;
  prometheus::Counter& snapshots_saved;
  prometheus::Counter& snapshots_failed;
  prometheus::Counter& model_loads_failed;
  prometheus::Counter& rule_loads_failed;
  prometheus::Counter& config_loads_failed;
  prometheus::Gauge& model_age;
  prometheus::Gauge& users;
  prometheus::Gauge& users_in_memory;
  prometheus::Gauge& items;
  prometheus::Gauge& user_vectors;
  prometheus::Gauge& user_vector_caches;
  prometheus::Gauge& user_vector_bytes;
  prometheus::Gauge& kept_list_bytes;
  prometheus::Gauge& log_offset;
  prometheus::Gauge& actions_waiting;
  prometheus::Gauge& connections;
  prometheus::Counter& connections_refused;

 private:
  Metrics(const std::shared_ptr<prometheus::Registry>& registry);

  std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Histogram>& request_duration_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Counter>& events_rejected_;
  prometheus::Family<prometheus::Counter>& fallback_;
  prometheus::Family<prometheus::Counter>& feedback_;
  prometheus::Family<prometheus::Gauge>& stage_users_;
  prometheus::Family<prometheus::Gauge>& overlay_users_;
  prometheus::Family<prometheus::Counter>& stage_moves_;
  prometheus::Family<prometheus::Counter>& actions_decided_;
  prometheus::Family<prometheus::Counter>& actions_suppressed_;
  prometheus::Family<prometheus::Counter>& handovers_;
};

}  // namespace perennial
