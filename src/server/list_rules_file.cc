#include "server/list_rules_file.h"

#include <algorithm>
#include <array>

#include "server/api_fields.h"
#include "server/recommend_question.h"

namespace perennial {
namespace {

constexpr size_t kMostBytes = 4 << 20;
constexpr size_t kMostRules = 200;
constexpr std::array<std::string_view, 11> kRuleFields = {"name",      "surfaces",         "stages", "filter",
                                                          "include",   "exclude",          "pin",    "boost",
                                                          "diversity", "max_per_category", "explore"};

Result<Stage> stage_of(const std::string& name) {
  for (size_t stage = 0; stage < kStages; ++stage)
    if (name == stage_name(static_cast<Stage>(stage))) return static_cast<Stage>(stage);
  return invalid_argument("'stages' names '{:.80}', which is no stage", name);
}

Result<ListRule> read_rule(const json::object& fields) {
  PERENNIAL_TRY(only_fields(fields, kRuleFields, "the rule"));
  ListRule rule;
  PERENNIAL_TRY_ASSIGN(rule.name, string_field(fields, "name"));
  if (rule.name.empty()) return invalid_argument("every rule needs a 'name'");
  PERENNIAL_TRY_ASSIGN(rule.surfaces, read_ids(fields, "surfaces"));
  PERENNIAL_TRY_ASSIGN(const std::vector<std::string> stages, read_ids(fields, "stages"));
  for (const std::string& stage : stages) {
    PERENNIAL_TRY_ASSIGN(rule.stages.emplace_back(), stage_of(stage));
  }
  PERENNIAL_TRY_ASSIGN(rule.controls, read_controls(fields));
  for (Boost& boost : rule.controls.boosts) boost.why = rule.name;
  return rule;
}

}  // namespace

bool ListRule::holds(const std::string& surface, std::optional<Stage> stage) const {
  return (surfaces.empty() || std::ranges::find(surfaces, surface) != surfaces.end()) &&
         (stages.empty() || (stage && std::ranges::find(stages, *stage) != stages.end()));
}

Result<std::vector<ListRule>> parse_list_rules(std::string_view text) {
  constexpr std::array<std::string_view, 1> kFields = {"rules"};
  PERENNIAL_TRY_ASSIGN(const json::object file, parse_json_object(text));
  PERENNIAL_TRY(only_fields(file, kFields, "the file"));
  const json::value* list = find_field(file, "rules");
  if (list == nullptr || !list->is_array()) return invalid_argument("'rules' must be a list");
  if (list->get_array().size() > kMostRules) return invalid_argument("there are over {} rules", kMostRules);
  std::vector<ListRule> rules;
  for (const json::value& element : list->get_array()) {
    if (!element.is_object()) return invalid_argument("rule {} is no object", rules.size() + 1);
    Result<ListRule> rule = read_rule(element.get_object());
    if (!rule.ok()) {
      const Result<std::string> name = string_field(element.get_object(), "name");
      return rule.status().with_context(
          fmt::format("rule {} '{:.80}'", rules.size() + 1, name.ok() ? *name : std::string()));
    }
    if (std::ranges::find(rules, rule->name, &ListRule::name) != rules.end())
      return invalid_argument("two rules have the name '{:.80}'", rule->name);
    rules.push_back(*std::move(rule));
  }
  return rules;
}

std::optional<Status> ListRulesFile::poll() {
  std::error_code error;
  const fs::file_time_type changed = fs::last_write_time(path_, error);
  const bool gone = error == std::errc::no_such_file_or_directory;
  if (error && !gone) return errno_status(error.value(), fmt::format("reading {}", path_.string()));
  if (gone ? changed_ == fs::file_time_type() : changed == changed_) return std::nullopt;
  Rules rules;
  if (gone) {
    changed_ = {};
  } else {
    const Result<std::string> text = read_file(path_, kMostBytes);
    if (!text.ok()) return text.status();  // and tried again
    changed_ = changed;
    Result<Rules> read = parse_list_rules(*text);
    if (!read.ok()) return read.status().with_context(path_.string());
    rules = *std::move(read);
  }
  const std::lock_guard lock(mutex_);
  rules_ = std::make_shared<const Rules>(std::move(rules));
  ++version_;
  return Status();
}

std::shared_ptr<const ListRulesFile::Rules> ListRulesFile::current() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

void ListRulesFile::apply(const std::string& surface, std::optional<Stage> stage, Controls& controls) const {
  const std::shared_ptr<const Rules> rules = current();
  for (const ListRule& rule : *rules)
    if (rule.holds(surface, stage)) controls.add(rule.controls);
}

}  // namespace perennial
