// The one configuration: defaults, then a TOML file, then environment variables PERENNIAL_SECTION_KEY, then flags.
// Every key is declared once, in settings.cc, with its default and its meaning; `perennial config show` prints that
// table.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "events/roles.h"

namespace perennial {

/// A weight for each stage, and for each overlay, which replaces its stage's, and each outcome: "at_risk.revisit".
/// Chosen by measurement: docs/measurements.md, "Objectives".
std::map<std::string, double> default_objective_weights();

struct Settings {
  // [events]
  EventRoles roles;
  std::string currency = "USD";
  // [lifecycle]; how these texts are read: lifecycle/definition.h
  std::string lifecycle_preset = "e-commerce";
  std::string at_risk_after;  // empty, here and below: as the preset says
  std::string churned_after;
  std::string won_back_for;
  std::string inviter_properties;
  std::map<std::string, std::string> lifecycle_signals;  // by name, instead of the preset's or beside them
  std::map<std::string, std::string> lifecycle_stages;   // rule by stage, instead of the preset's
  // [objectives]; what the weights mean: recommend/objective.h
  bool objectives = true;
  double objectives_holdout_share = 0.05;
  std::map<std::string, double> objective_weights = default_objective_weights();  // by "acquisition.conversion"
  // [arbiter] and [actions.NAME]; how the texts are read: actions/action.h
  double arbiter_holdout_share = 0.05;
  double arbiter_explore_share = 0.05;
  std::string arbiter_time_zone = "UTC";
  std::string arbiter_time_zone_trait = "timezone";
  std::string arbiter_effect_traits;
  int64_t arbiter_plan_minutes = 60;
  std::string arbiter_webhook;  // one of the two, or nothing is sent
  std::string arbiter_export_file;
  std::string arbiter_webhook_secret;
  int64_t arbiter_webhook_timeout_ms = 10'000;
  int64_t arbiter_webhook_at_once = 4;
  std::map<std::string, std::string> action_texts;  // by whole key: "actions.welcome.channel", "arbiter.caps.email"
  // [log]
  int64_t repeat_window = 1'000'000;
  int64_t queue_limit_records = 200'000;
  // [slates]
  int64_t slates_keep_days = 90;
  // [profiles]
  int64_t history_limit = 1'024;
  int64_t vectors_mib = 256;
  std::string memory;  // empty: three quarters of what there is
  // [server]
  std::string bind = "127.0.0.1";
  int64_t port = 8080;
  int64_t threads = 0;
  bool expose = false;
  bool require_key = true;
  std::string cors_origins;
  int64_t event_limit_bytes = 32 << 10;
  int64_t batch_limit_bytes = 500 << 10;
  int64_t snapshot_minutes = 5;
  std::string access_log = "errors";
  std::string log_format = "text";
  // [train]
  std::string holdout = "leave-one-out";
  int64_t width = 0;  // 0, here and below: chosen by the data
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t window = 0;
  int64_t members = 0;
  int64_t max_epochs = 0;
  int64_t patience = 10;
  double learning_rate = 0;
  double weight_decay = -1;
  double dropout = -1;
  double forecast_weight = 0.1;
  double muon_rate = -1;
  double cooldown = 0.4;
  double average_epochs = 2;
  int64_t batch_tokens = 0;
  std::string weights = "float32";
  int64_t train_threads = 0;
  int64_t seed = 42;

  std::map<std::string, std::string> places;  // "perennial.toml:12" of each key that a file says
};

/// Where a value came from, for `config show`.
struct SettingOrigin {
  std::string name;  // "server.port"
  std::string value;
  std::string source;  // "default", "file", "PERENNIAL_SERVER_PORT"
  std::string meaning;
};

/// Reads `file`, or when it is empty `perennial.toml` in the data directory, or in the current one, if there is one;
/// then the environment. invalid_argument, naming the key and the nearest known one, on an unknown key or a value out
/// of range. `origins`, when given, receives every key in the order of declaration.
Result<Settings> load_settings(const fs::path& file, const fs::path& data_folder,
                               std::vector<SettingOrigin>* origins = nullptr);

/// The file that load_settings reads; empty for none.
fs::path settings_file(const fs::path& file, const fs::path& data_folder);

/// The same from TOML text and a map in the place of the environment. `file` is what errors call the text.
Result<Settings> parse_settings(std::string_view toml, const std::map<std::string, std::string>& environment,
                                std::vector<SettingOrigin>* origins = nullptr,
                                const std::string& file = "configuration");

/// An error whose message starts with a key of the file, or with the start of one, with the place of that key before
/// it.
Status with_place(const Status& error, const Settings& settings);

}  // namespace perennial
