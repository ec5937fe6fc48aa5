#include "server/metrics.h"

#include <prometheus/text_serializer.h>

namespace perennial {
namespace {

using prometheus::Histogram;
using prometheus::Registry;

prometheus::Counter& counter(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Gauge& gauge(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

Histogram::BucketBoundaries request_seconds() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
}

Histogram::BucketBoundaries lag_seconds() { return {0.01, 0.1, 1, 10, 60, 600, 3600, 86'400, 604'800}; }

Histogram& histogram(Registry& registry, const char* name, const char* help, Histogram::BucketBoundaries bounds) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, std::move(bounds));
}

}  // namespace

Metrics::Metrics() : Metrics(std::make_shared<Registry>()) {}

Metrics::Metrics(const std::shared_ptr<Registry>& registry)
    : events_ingested(counter(*registry, "perennial_events_ingested_total", "Events that were put into the log")),
      records_repeated(counter(*registry, "perennial_records_repeated_total",
                               "Records whose message id the log had already: nothing was done for them")),
      ingest_lag(histogram(*registry, "perennial_ingest_lag_seconds", "From an event's own time to its commit",
                           lag_seconds())),
      recommend_duration(histogram(*registry, "perennial_recommend_duration_seconds",
                                   "Time to choose a slate, without HTTP", request_seconds())),
      kept_lists_served(counter(*registry, "perennial_recommend_kept_total",
                                "Lists that were served as they had been made, for nothing had changed")),
      slates_logged(counter(*registry, "perennial_slates_logged_total", "Slates that are in the log")),
      slates_dropped(counter(*registry, "perennial_slates_dropped_total", "Served slates that the log could not take")),
      feedback_uncredited(counter(*registry, "perennial_feedback_uncredited_total",
                                  "Events that name a recommendation which is not among the recent ones")),
      snapshots_saved(
          counter(*registry, "perennial_snapshots_saved_total", "Snapshots of the state that were written")),
      snapshots_failed(counter(*registry, "perennial_snapshots_failed_total", "Snapshots that could not be written")),
      model_loads_failed(
          counter(*registry, "perennial_model_loads_failed_total", "New models that could not be loaded")),
      rule_loads_failed(
          counter(*registry, "perennial_rule_loads_failed_total", "Files of list rules that could not be read")),
      config_loads_failed(counter(*registry, "perennial_config_loads_failed_total",
                                  "Changes of the configuration that could not be read")),
      model_age(gauge(*registry, "perennial_model_age_seconds", "Since the served model was published; 0 without one")),
      users(gauge(*registry, "perennial_users", "Users with a profile")),
      users_in_memory(gauge(*registry, "perennial_users_in_memory", "Of them, those that are not in the file")),
      items(gauge(*registry, "perennial_items", "Items ever seen")),
      user_vectors(gauge(*registry, "perennial_user_vectors", "Users whose vector is kept")),
      user_vector_caches(gauge(*registry, "perennial_user_vector_caches", "Of them those with keys and values")),
      user_vector_bytes(gauge(*registry, "perennial_user_vector_bytes", "What these take")),
      kept_list_bytes(gauge(*registry, "perennial_kept_list_bytes", "What lists that are kept take")),
      log_offset(gauge(*registry, "perennial_log_offset", "Offset of the newest record in the state")),
      actions_waiting(
          gauge(*registry, "perennial_actions_waiting", "Actions that were decided and not handed over yet")),
      connections(gauge(*registry, "perennial_http_connections", "Open connections")),
      connections_refused(counter(*registry, "perennial_http_connections_refused_total",
                                  "Connections refused because too many were open")),
      registry_(registry),
      request_duration_(prometheus::BuildHistogram()
                            .Name("perennial_http_request_duration_seconds")
                            .Help("From a request's last byte to its reply, by route")
                            .Register(*registry)),
      requests_(prometheus::BuildCounter()
                    .Name("perennial_http_requests_total")
                    .Help("Requests by route and status")
                    .Register(*registry)),
      events_rejected_(prometheus::BuildCounter()
                           .Name("perennial_events_rejected_total")
                           .Help("Messages and items that were not taken, by reason")
                           .Register(*registry)),
      fallback_(prometheus::BuildCounter()
                    .Name("perennial_recommend_fallback_total")
                    .Help("Slates that the model did not choose, by reason")
                    .Register(*registry)),
      feedback_(prometheus::BuildCounter()
                    .Name("perennial_feedback_total")
                    .Help("Events credited to a served slate, by kind and by the source that put the item there")
                    .Register(*registry)),
      stage_users_(prometheus::BuildGauge()
                       .Name("perennial_lifecycle_users")
                       .Help("Users by the stage of their life, at most a minute old")
                       .Register(*registry)),
      overlay_users_(prometheus::BuildGauge()
                         .Name("perennial_lifecycle_overlay_users")
                         .Help("Users at risk, churned and won back, in any stage")
                         .Register(*registry)),
      stage_moves_(prometheus::BuildCounter()
                       .Name("perennial_lifecycle_transitions_total")
                       .Help("Users that went from one stage to another, by an event or by time alone")
                       .Register(*registry)),
      actions_decided_(prometheus::BuildCounter()
                           .Name("perennial_actions_decided_total")
                           .Help("Actions that were decided for users and logged; nothing: drawn, to learn from")
                           .Register(*registry)),
      actions_suppressed_(prometheus::BuildCounter()
                              .Name("perennial_actions_suppressed_total")
                              .Help("Actions that users did not get in plans, by what stood against them first")
                              .Register(*registry)),
      handovers_(prometheus::BuildCounter()
                     .Name("perennial_actions_handed_over_total")
                     .Help("What became of actions: delivered, or failed for good")
                     .Register(*registry)) {}

Metrics::Route::Route(Metrics& metrics, std::string name) : metrics_(metrics), name_(std::move(name)) {}

void Metrics::Route::finished(int status, double seconds) {
  std::call_once(first_, [this] {
    duration_ = &metrics_.request_duration_.Add({{"route", name_}}, request_seconds());
  });
  duration_->Observe(seconds);
  std::atomic<prometheus::Counter*>& requests = requests_.at(static_cast<size_t>(status));
  if (requests.load(std::memory_order_acquire) == nullptr)
    requests = &metrics_.requests_.Add({{"route", name_}, {"status", std::to_string(status)}});
  requests.load(std::memory_order_acquire)->Increment();
}

void Metrics::event_rejected(const std::string& reason, double count) {
  events_rejected_.Add({{"reason", reason}}).Increment(count);
}

void Metrics::fallback(const std::string& reason) { fallback_.Add({{"reason", reason}}).Increment(); }

void Metrics::feedback(const std::string& kind, const std::string& source) {
  feedback_.Add({{"kind", kind}, {"source", source}}).Increment();
}

void Metrics::stage_users(const std::string& stage, double count) { stage_users_.Add({{"stage", stage}}).Set(count); }

void Metrics::overlay_users(const std::string& overlay, double count) {
  overlay_users_.Add({{"overlay", overlay}}).Set(count);
}

void Metrics::stage_moved(const std::string& from, const std::string& to, double count) {
  stage_moves_.Add({{"from", from}, {"to", to}}).Increment(count);
}

void Metrics::action_decided(const std::string& action, double count) {
  actions_decided_.Add({{"action", action}}).Increment(count);
}

void Metrics::action_suppressed(const std::string& reason, double count) {
  actions_suppressed_.Add({{"reason", reason}}).Increment(count);
}

void Metrics::handed_over(const std::string& outcome, double count) {
  handovers_.Add({{"outcome", outcome}}).Increment(count);
}

std::string Metrics::text() const { return prometheus::TextSerializer().Serialize(registry_->Collect()); }

}  // namespace perennial
