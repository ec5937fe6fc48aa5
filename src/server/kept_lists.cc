#include "server/kept_lists.h"

#include <functional>

#include "base/random.h"

namespace perennial {
namespace {

size_t bytes_of(const ListKey& key, const ServedList& list) {
  constexpr size_t kOfTheTables = 200;
  size_t bytes = kOfTheTables + sizeof key + key.basis.controls.bytes() + sizeof list + list.members.capacity() +
                 list.recommendation.items.capacity() * (sizeof(RecommendedItem) + sizeof(SlateItem));
  for (const RecommendedItem& item : list.recommendation.items) bytes += item.item_id.capacity();
  return bytes;
}

}  // namespace

/// Of what differs between lists that are asked for by turns.
uint64_t KeptLists::place_of(const ListKey& key) {
  const auto hash = [](std::string_view text) { return std::hash<std::string_view>()(text); };
  uint64_t place = mix64(key.basis.user);
  for (const uint64_t part :
       {uint64_t{hash(key.surface)}, uint64_t{hash(key.variant)}, uint64_t{hash(key.basis.similar_to)},
        static_cast<uint64_t>(key.basis.count) << 32 | uint64_t{key.basis.device} << 1 |
            uint64_t{key.basis.exclude_seen},
        static_cast<uint64_t>(key.standing.stage), uint64_t{key.basis.controls.hash()}})
    place = mix64(place ^ part);
  return place;
}

void KeptLists::set_budget(size_t bytes) {
  shard_budget_ = bytes / kShards;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    make_room(shard, shard_budget_);
  }
}

void KeptLists::make_room(Shard& shard, size_t budget) {
  while (shard.bytes > budget && !shard.oldest_first.empty()) {
    const auto oldest = shard.lists.find(shard.oldest_first.front());
    shard.oldest_first.pop_front();
    if (oldest == shard.lists.end()) continue;
    shard.bytes -= oldest->second.bytes;
    shard.lists.erase(oldest);
  }
}

std::shared_ptr<const ServedList> KeptLists::find(const ListKey& key) const {
  const uint64_t place = place_of(key);
  const Shard& shard = shards_[place % kShards];
  const std::lock_guard lock(shard.mutex);
  const auto kept = shard.lists.find(place);
  return kept != shard.lists.end() && kept->second.key == key ? kept->second.list : nullptr;
}

void KeptLists::keep(ListKey key, std::shared_ptr<const ServedList> list) {
  const uint64_t place = place_of(key);
  Kept kept{.key = std::move(key), .list = std::move(list)};
  kept.key.basis.popularity.matters = kept.list->recommendation.asks_popularity;
  kept.bytes = bytes_of(kept.key, *kept.list);
  if (kept.bytes > shard_budget_ / 4) return;  // it would push out too many
  Shard& shard = shards_[place % kShards];
  const std::lock_guard lock(shard.mutex);
  const auto [at, is_new] = shard.lists.try_emplace(place);
  if (is_new) shard.oldest_first.push_back(place);
  shard.bytes += kept.bytes - at->second.bytes;
  at->second = std::move(kept);
  make_room(shard, shard_budget_);
}

void KeptLists::forget(UserId user) {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    std::erase_if(shard.lists, [&](const auto& entry) {
      const Kept& kept = entry.second;
      if (kept.key.basis.user != user) return false;
      shard.bytes -= kept.bytes;
      return true;
    });
  }
}

size_t KeptLists::bytes() const {
  size_t bytes = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    bytes += shard.bytes;
  }
  return bytes;
}

}  // namespace perennial
