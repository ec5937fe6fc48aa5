// External names to dense ids and back, in memory; the log persists it. A name takes its bytes and some 20 more: there
// are as many as visitors. Thread rule: any thread; one writer at a time. Covered by log/dictionary_test.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

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

  /// Sets id to name when loading; ids between are erased ones. Does nothing when it is already so; false when the id
  /// or the name stands for another.
  [[nodiscard]] bool load(uint32_t id, std::string_view name);

  /// Forgets the name of the id; the same name gets a new id when it comes again.
  void erase(uint32_t id);

  /// How many were erased: what find() has said stands while this does.
  [[nodiscard]] uint64_t erasures() const { return erasures_.load(std::memory_order_acquire); }

 private:
  static constexpr uint32_t kEmpty = 0xFFFFFFFF;

  /// The tag, a hash, says where the name wants to stand, and spares a look at most that are not the one sought.
  struct Slot {
    uint32_t tag = 0;
    uint32_t id = kEmpty;
  };

  [[nodiscard]] std::string_view name_at(uint32_t id) const;
  [[nodiscard]] size_t next(size_t slot) const { return (slot + 1) & (slots_.size() - 1); }
  [[nodiscard]] size_t home(uint32_t tag) const { return tag & (slots_.size() - 1); }
  [[nodiscard]] size_t find_slot(std::string_view name, uint32_t tag) const;
  void put(uint32_t id, std::string_view name);
  void grow();

  mutable std::shared_mutex mutex_;
  std::vector<std::unique_ptr<char[]>> chunks_;  // names, each behind its length
  size_t chunk_used_ = 0;                        // bytes of the last one
  std::vector<char*> places_;                    // by id: its name; null for an erased id
  std::vector<Slot> slots_;                      // open addressing, linear; at most 7/8 full, a power of two long
  size_t names_ = 0;                             // in slots_
  std::atomic<uint64_t> erasures_ = 0;
};

}  // namespace perennial
