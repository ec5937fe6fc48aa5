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
  const std::lock_guard lock(entry->mutex);
  entry->acts = true;
  if (change == HistoryChange::appended) {
    ++entry->behind;
  } else {
    entry->h.clear();
    entry->cache.reset();
  }
}

std::vector<float> UserVectors::history_vector(const std::shared_ptr<const ServingModel>& model, UserId user,
                                               const Profile& profile) {
  const std::shared_ptr<Entry> entry = find(user, true);
  Counts done{.reads = 1};
  std::vector<float> h;
  size_t bytes = 0;
  bool cached = false;
  {
    const std::lock_guard lock(entry->mutex);
    const bool current = is_current(*entry, model);
    if (current && entry->behind > 0 && entry->cache && entry->behind <= kMostAppended) {
      done.appended = static_cast<int64_t>(append(*entry, *model, profile));
    } else if (!current || entry->behind > 0) {
      const std::vector<Token> tokens = model->tokens_of(profile);
      entry->cache.reset();
      if (entry->acts) {
        entry->cache = model->ensemble().read(tokens);
        entry->h.assign(entry->cache->history_vector().begin(), entry->cache->history_vector().end());
      } else {
        entry->h = model->ensemble().history_vector(tokens);
        entry->h.resize(model->ensemble().vector_width());  // of an empty history: zeros
      }
      entry->model = model;
      entry->behind = 0;
      done.whole = 1;
    }
    h = entry->h;
    cached = entry->cache.has_value();
    bytes = kEntryBytes + sizeof(float) * h.size() + (cached ? entry->cache->bytes() : 0);
  }
  account(user, entry, bytes, cached, done);
  return h;
}

void UserVectors::catch_up(const std::shared_ptr<const ServingModel>& model, UserId user, const Profile& profile) {
  const std::shared_ptr<Entry> entry = find(user, false);
  if (entry == nullptr) return;
  size_t appended = 0;
  {
    const std::lock_guard lock(entry->mutex);
    if (!is_current(*entry, model) || !entry->cache || entry->behind > kMostAppended) return;
    appended = append(*entry, *model, profile);
  }
  Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  shard.counts.appended += static_cast<int64_t>(appended);
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

std::shared_ptr<UserVectors::Entry> UserVectors::find(UserId user, bool make) {
  Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.users.find(user);
  if (found == shard.users.end()) {
    if (!make) return nullptr;
    shard.plain.push_front(user);
    Kept& kept = shard.users[user];
    kept = {.entry = std::make_shared<Entry>(), .place = shard.plain.begin()};
    return kept.entry;
  }
  Order& order = found->second.cached ? shard.cached : shard.plain;
  if (make) order.splice(order.begin(), order, found->second.place);
  return found->second.entry;
}

/// Books what the entry holds now, and makes room for it.
void UserVectors::account(UserId user, const std::shared_ptr<Entry>& entry, size_t bytes, bool cached,
                          const Counts& done) {
  Shard& shard = shard_of(user);
  const std::lock_guard lock(shard.mutex);
  shard.counts.reads += done.reads;
  shard.counts.appended += done.appended;
  shard.counts.whole += done.whole;
  const auto found = shard.users.find(user);
  if (found == shard.users.end() || found->second.entry != entry) return;  // it was dropped meanwhile
  Kept& kept = found->second;
  shard.counts.bytes += static_cast<int64_t>(bytes) - static_cast<int64_t>(kept.bytes);
  kept.bytes = bytes;
  if (kept.cached != cached) {
    Order& to = cached ? shard.cached : shard.plain;
    to.splice(to.begin(), kept.cached ? shard.cached : shard.plain, kept.place);
    kept.cached = cached;
  }
  make_room(shard);
}

/// Drops keys and values of those who have not asked for the longest time, then whole entries.
void UserVectors::make_room(Shard& shard) const {
  while (static_cast<size_t>(shard.counts.bytes) > shard_budget_ && !shard.users.empty()) {
    const bool cached = !shard.cached.empty();
    Order& order = cached ? shard.cached : shard.plain;
    const auto found = shard.users.find(order.back());
    Kept& kept = found->second;
    // Who holds the entry is reading it: it leaves the books, and goes when they are done.
    if (std::unique_lock lock(kept.entry->mutex, std::try_to_lock); cached && lock.owns_lock()) {
      const size_t bytes = kept.entry->cache ? kept.entry->cache->bytes() : 0;
      kept.entry->cache.reset();
      kept.bytes -= bytes;
      shard.counts.bytes -= static_cast<int64_t>(bytes);
      shard.plain.splice(shard.plain.begin(), shard.cached, kept.place);
      kept.cached = false;
      continue;
    }
    shard.counts.bytes -= static_cast<int64_t>(kept.bytes);
    order.pop_back();
    shard.users.erase(found);
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
