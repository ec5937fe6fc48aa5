// Rules that hold for every list: `rules.json` in the data directory, read again when it changes.
//   {"rules": [{"name": "no toys at night", "surfaces": ["home"], "stages": ["retention"],
//               "filter": {"not": {"category": "toys"}}}]}
// Besides name, surfaces and stages a rule says what a request for a list may say of it. Covered by
// server/list_rules_file_test.cc.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "lifecycle/standing.h"
#include "recommend/controls.h"

namespace perennial {

struct ListRule {
  std::string name;
  std::vector<std::string> surfaces;  // of which the list is for one; empty: any
  std::vector<Stage> stages;          // of which the user is in one; empty: any
  Controls controls;

  /// A rule for some stages does not hold where the stage is not known.
  [[nodiscard]] bool holds(const std::string& surface, std::optional<Stage> stage) const;
};

/// invalid_argument, naming the rule, for what is not as it must be; names must be there and differ.
Result<std::vector<ListRule>> parse_list_rules(std::string_view text);

/// Thread rule: any thread; poll() by one.
class ListRulesFile {
 public:
  explicit ListRulesFile(const fs::path& data_folder) : path_(data_folder / "rules.json") {}

  /// Reads the file if it is not the one that was read last. None when nothing is new; a failure leaves the rules that
  /// were there. A file that is gone is one without rules.
  std::optional<Status> poll();

  /// Adds what holds for this list.
  void apply(const std::string& surface, std::optional<Stage> stage, Controls& controls) const;

  [[nodiscard]] size_t size() const { return current()->size(); }

  /// Another number whenever the rules are others.
  [[nodiscard]] uint64_t version() const { return version_; }

 private:
  using Rules = std::vector<ListRule>;
  [[nodiscard]] std::shared_ptr<const Rules> current() const;

  const fs::path path_;
  fs::file_time_type changed_{};  // of the file as it was read last
  mutable std::mutex mutex_;
  std::shared_ptr<const Rules> rules_ = std::make_shared<Rules>();
  std::atomic<uint64_t> version_{0};
};

}  // namespace perennial
