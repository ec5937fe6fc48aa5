#include "log/dictionary.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "events/ids.h"

namespace perennial {
namespace {

constexpr size_t kChunkBytes = 1 << 18;
constexpr size_t kFewSlots = 64;
constexpr size_t kLengthBytes = sizeof(uint32_t);

uint32_t tag_of(std::string_view name) { return static_cast<uint32_t>(std::hash<std::string_view>()(name)); }

}  // namespace

std::string_view Dictionary::name_at(uint32_t id) const {
  if (id >= places_.size() || places_[id] == nullptr) return {};
  uint32_t length = 0;
  std::memcpy(&length, places_[id], kLengthBytes);
  return {places_[id] + kLengthBytes, length};
}

/// Where the name stands, or the empty slot where it would. There are slots.
size_t Dictionary::find_slot(std::string_view name, uint32_t tag) const {
  size_t slot = home(tag);
  while (slots_[slot].id != kEmpty && (slots_[slot].tag != tag || name_at(slots_[slot].id) != name)) slot = next(slot);
  return slot;
}

std::optional<uint32_t> Dictionary::find(std::string_view name) const {
  const uint32_t tag = tag_of(name);
  const std::shared_lock lock(mutex_);
  if (slots_.empty()) return std::nullopt;
  const uint32_t id = slots_[find_slot(name, tag)].id;
  return id == kEmpty ? std::nullopt : std::optional(id);
}

std::string Dictionary::name(uint32_t id) const {
  const std::shared_lock lock(mutex_);
  return std::string(name_at(id));
}

uint32_t Dictionary::size() const {
  const std::shared_lock lock(mutex_);
  return static_cast<uint32_t>(places_.size());
}

uint32_t Dictionary::add(std::string_view name) {
  const std::unique_lock lock(mutex_);
  if (!slots_.empty())
    if (const uint32_t known = slots_[find_slot(name, tag_of(name))].id; known != kEmpty) return known;
  PERENNIAL_CHECK(places_.size() < kNoId, "{} names", places_.size());
  const auto id = static_cast<uint32_t>(places_.size());
  put(id, name);
  return id;
}

bool Dictionary::load(uint32_t id, std::string_view name) {
  const std::unique_lock lock(mutex_);
  PERENNIAL_CHECK(id != kNoId, "no id");
  if (places_.size() <= id) places_.resize(size_t{id} + 1);
  if (name.empty()) return true;
  if (places_[id] != nullptr) return name_at(id) == name;
  if (!slots_.empty() && slots_[find_slot(name, tag_of(name))].id != kEmpty) return false;
  put(id, name);
  return true;
}

/// Of a name that does not stand yet.
void Dictionary::put(uint32_t id, std::string_view name) {
  if (places_.size() <= id) places_.resize(size_t{id} + 1);
  if (8 * (names_ + 1) > 7 * slots_.size()) grow();
  const size_t bytes = kLengthBytes + name.size();
  PERENNIAL_CHECK(bytes <= kChunkBytes, "a name of {} bytes", name.size());
  if (chunks_.empty() || chunk_used_ + bytes > kChunkBytes) {
    chunks_.push_back(std::make_unique<char[]>(kChunkBytes));
    chunk_used_ = 0;
  }
  char* place = chunks_.back().get() + chunk_used_;
  const auto length = static_cast<uint32_t>(name.size());
  std::memcpy(place, &length, kLengthBytes);
  name.copy(place + kLengthBytes, name.size());
  places_[id] = place;
  chunk_used_ += bytes;
  const uint32_t tag = tag_of(name);
  slots_[find_slot(name, tag)] = {tag, id};
  ++names_;
}

void Dictionary::grow() {
  slots_.assign(std::max(kFewSlots, 2 * slots_.size()), Slot());
  for (uint32_t id = 0; id < places_.size(); ++id) {
    if (places_[id] == nullptr) continue;
    const uint32_t tag = tag_of(name_at(id));
    size_t slot = home(tag);
    while (slots_[slot].id != kEmpty) slot = next(slot);
    slots_[slot] = {tag, id};
  }
}

void Dictionary::erase(uint32_t id) {
  const std::unique_lock lock(mutex_);
  const std::string_view name = name_at(id);
  if (name.empty()) return;
  size_t hole = find_slot(name, tag_of(name));
  slots_[hole] = {};
  --names_;
  // Those that stand behind it for want of a nearer slot move back.
  const size_t mask = slots_.size() - 1;
  for (size_t slot = next(hole); slots_[slot].id != kEmpty; slot = next(slot)) {
    if (((slot - home(slots_[slot].tag)) & mask) < ((slot - hole) & mask)) continue;
    slots_[hole] = std::exchange(slots_[slot], {});
    hole = slot;
  }
  std::memset(places_[id], 0, kLengthBytes + name.size());
  places_[id] = nullptr;
  erasures_.fetch_add(1, std::memory_order_release);
}

}  // namespace perennial
