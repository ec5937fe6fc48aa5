#include "recommend/user_vectors.h"

#include <utility>

namespace perennial {
namespace {

// Up to there appending is faster than reading all at once: a token takes a twenty-fifth of a whole history of 200.
constexpr size_t kMostAppended = 16;
constexpr size_t kEntryBytes = 300;  // of an entry without its vectors, in the map and in the list

}  // namespace

void UserVectors::changed(UserId user, HistoryChange change) {
  if (change == HistoryChange::none) return;
  const std::shared_ptr<Entry> entry = find(user, false);
  if (entry == nullptr) return;
  {
    const std::lock_guard lock(entry->mutex);
    entry->acts = true;
    if (change == HistoryChange::appended) {
      ++entry->behind;
      return;
    }
    entry->h = {};
    entry->cache.reset();
  }
  account(user, entry, {});
}

std::vector<float> UserVectors::history_vector(const std::shared_ptr<const ServingModel>& model, UserId user,
                                               const Profile& profile) {
  const std::shared_ptr<Entry> entry = find(user, true);
  Counts done;
  std::vector<float> h;
  {
    const std::lock_guard lock(entry->mutex);
    const bool current = is_current(*entry, model);
    if (current && entry->behind > 0 && entry->cache && entry->behind <= kMostAppended) {
      done.appended = static_cast<int64_t>(append(*entry, *model, profile));
    } else if (!current || entry->behind > 0) {
      const Ensemble& ensemble = model->ensemble();
      entry->cache.reset();
      if (entry->acts && ensemble.cache_bytes() <= shard_budget_) {
        entry->cache = ensemble.read(model->tokens_of(profile));
        entry->cache_bytes = ensemble.cache_bytes();
        entry->h.assign(entry->cache->history_vector().begin(), entry->cache->history_vector().end());
      } else {
        entry->h = model->history_vector(profile);
      }
      entry->model = model;
      entry->behind = 0;
      done.whole = 1;
    }
    h = entry->h;
  }
  if (done.appended + done.whole > 0) account(user, entry, done);
  return h;
}

size_t UserVectors::catch_up(const std::shared_ptr<const ServingModel>& model, UserId user, const Profile& profile) {
  const std::shared_ptr<Entry> entry = find(user, false);
  if (entry == nullptr) return 0;
  size_t appended = 0;
  {
    const std::unique_lock lock(entry->mutex, std::try_to_lock);
    if (!lock.owns_lock() || !is_current(*entry, model) || !entry->cache || entry->behind > kMostAppended) return 0;
    appended = append(*entry, *model, profile);
  }
  account(user, entry, {.appended = static_cast<int64_t>(appended)});
  return appended;
}

/// Whether what is kept is the model's, of a history that has only grown since.
bool UserVectors::is_current(const Entry& entry, const std::shared_ptr<const ServingModel>& model) {
  return !entry.h.empty() && entry.model.lock() == model;
}

/// Reads the tokens that the cache is behind by; says how many.
size_t UserVectors::append(Entry& entry, const ServingModel& model, const Profile& profile) {
  const size_t behind = std::exchange(entry.behind, 0);
  PERENNIAL_CHECK(behind <= profile.history.size(), "{} tokens behind in a history of {}", behind,
                  profile.history.size());
  for (const HistoryToken& token : std::span(profile.history).last(behind))
    model.ensemble().append(*entry.cache, model.token_of(token));
  entry.h.assign(entry.cache->history_vector().begin(), entry.cache->history_vector().end());
  return behind;
}

std::shared_ptr<UserVectors::Entry> UserVectors::find(UserId user, bool asks) {
  Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  if (asks) ++shard.counts.reads;
  const auto found = shard.users.find(user);
  if (found == shard.users.end()) {
    if (!asks) return nullptr;
    shard.plain.push_front(user);
    Kept& kept = shard.users[user];
    kept = {.entry = std::make_shared<Entry>(), .place = shard.plain.begin()};
    return kept.entry;
  }
  Order& order = found->second.cached ? shard.cached : shard.plain;
  if (asks) order.splice(order.begin(), order, found->second.place);
  return found->second.entry;
}

size_t UserVectors::bytes_of(const Entry& entry) {
  return kEntryBytes + sizeof(float) * entry.h.size() + (entry.cache ? entry.cache_bytes : 0);
}

/// Books what the entry holds now, and makes room for it. Who reads the entry meanwhile will do it.
void UserVectors::account(UserId user, const std::shared_ptr<Entry>& entry, const Counts& done) {
  Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  shard.counts.appended += done.appended;
  shard.counts.whole += done.whole;
  const auto found = shard.users.find(user);
  if (found == shard.users.end() || found->second.entry != entry) return;  // it was dropped meanwhile
  {
    const std::unique_lock reading(entry->mutex, std::try_to_lock);
    if (!reading.owns_lock()) return;
    book(shard, found->second);
  }
  make_room(shard);
}

/// The entry's mutex is held.
void UserVectors::book(Shard& shard, Kept& kept) {
  const size_t bytes = bytes_of(*kept.entry);
  const bool cached = kept.entry->cache.has_value();
  shard.counts.bytes += static_cast<int64_t>(bytes) - static_cast<int64_t>(kept.bytes);
  kept.bytes = bytes;
  if (kept.cached == cached) return;
  Order& to = cached ? shard.cached : shard.plain;
  to.splice(to.begin(), kept.cached ? shard.cached : shard.plain, kept.place);
  kept.cached = cached;
}

/// Drops keys and values of those who have not asked for the longest time, then whole entries.
void UserVectors::make_room(Shard& shard) const {
  while (static_cast<size_t>(shard.counts.bytes) > shard_budget_ && !shard.users.empty()) {
    const bool cached = !shard.cached.empty();
    Order& order = cached ? shard.cached : shard.plain;
    const auto found = shard.users.find(order.back());
    Kept& kept = found->second;
    if (std::unique_lock lock(kept.entry->mutex, std::try_to_lock); cached && lock.owns_lock()) {
      kept.entry->cache.reset();
      book(shard, kept);
      continue;
    }
    // One that somebody reads leaves the books, and goes when they are done.
    shard.counts.bytes -= static_cast<int64_t>(kept.bytes);
    order.pop_back();
    shard.users.erase(found);
  }
}

void UserVectors::make_room() {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    make_room(shard);
  }
}

UserVectors::Counts UserVectors::counts() const {
  Counts all;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    all.vectors += static_cast<int64_t>(shard.users.size());
    all.caches += static_cast<int64_t>(shard.cached.size());
    all.bytes += shard.counts.bytes;
    all.reads += shard.counts.reads;
    all.appended += shard.counts.appended;
    all.whole += shard.counts.whole;
  }
  return all;
}

}  // namespace perennial
