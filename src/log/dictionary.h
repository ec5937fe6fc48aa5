// External names to dense ids and back, in memory; the log persists it. Thread rule: any thread; one writer at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace perennial {

class Dictionary {
 public:
  [[nodiscard]] std::optional<uint32_t> find(std::string_view name) const;

  /// A copy, because an erasure may empty it at any time. Empty for an erased or unknown id.
  [[nodiscard]] std::string name(uint32_t id) const;

  /// One past the highest id given, erased ones included.
  [[nodiscard]] uint32_t size() const;

  /// The id of the name, given now if it is new.
  uint32_t add(std::string_view name);

  /// Sets id to name when loading; ids between are erased ones. Does nothing when it is already so.
  void load(uint32_t id, std::string_view name);

  /// Forgets the name of the id; the same name gets a new id when it comes again.
  void erase(uint32_t id);

 private:
  mutable std::shared_mutex mutex_;
  std::deque<std::string> names_;  // stable addresses: the keys of ids_ point into it
  std::unordered_map<std::string_view, uint32_t> ids_;
};

}  // namespace perennial
