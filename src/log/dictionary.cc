#include "log/dictionary.h"

#include <mutex>

#include "base/check.h"
#include "events/ids.h"

namespace perennial {

std::optional<uint32_t> Dictionary::find(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto found = ids_.find(name);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::string Dictionary::name(uint32_t id) const {
  const std::shared_lock lock(mutex_);
  return id < names_.size() ? names_[id] : std::string();
}

uint32_t Dictionary::size() const {
  const std::shared_lock lock(mutex_);
  return static_cast<uint32_t>(names_.size());
}

uint32_t Dictionary::add(std::string_view name) {
  const std::unique_lock lock(mutex_);
  if (const auto found = ids_.find(name); found != ids_.end()) return found->second;
  PERENNIAL_CHECK(names_.size() < kNoId, "{} names", names_.size());
  const auto id = static_cast<uint32_t>(names_.size());
  ids_.emplace(names_.emplace_back(name), id);
  return id;
}

void Dictionary::load(uint32_t id, std::string_view name) {
  const std::unique_lock lock(mutex_);
  PERENNIAL_CHECK(id != kNoId, "no id");
  if (names_.size() <= id) names_.resize(size_t{id} + 1);
  if (name.empty() || names_[id] == name) return;
  PERENNIAL_CHECK(names_[id].empty() && !ids_.contains(name), "id {} or its name stands for another", id);
  names_[id] = name;
  ids_.emplace(names_[id], id);
}

void Dictionary::erase(uint32_t id) {
  const std::unique_lock lock(mutex_);
  if (id >= names_.size() || names_[id].empty()) return;
  ids_.erase(names_[id]);
  names_[id] = std::string();
}

}  // namespace perennial
