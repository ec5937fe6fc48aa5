// What is known of each user, within a budget of memory: who was changed lately is there, the others lie encoded in a
// file and come back when they are asked for. Snapshots are taken in steps while it goes on changing.
// Covered by profiles/user_store_test.cc and profiles/profiles_test.cc. Thread rule: many readers or one writer; the
// owner locks. Taking a snapshot changes nothing that readers look at: it may go on beside them, but not beside the
// writer.
#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/fetch.h"
#include "base/spill_file.h"
#include "events/ids.h"

namespace perennial {

/// To be specialised for each T of a UserStore:
///   static void encode(const T&, std::string& out);  equal values give equal bytes
///   static bool decode(ByteReader&, T&);             false for bytes that are not of this form
///   static size_t bytes(const T&);                   of memory that it points to
template <typename T>
struct UserCodec;

/// A user that was looked for: borrowed from memory until the next change, or read from the file and owned. Like a
/// pointer, null for nobody.
template <typename T>
class Found {
 public:
  Found() = default;
  Found(std::nullptr_t) {}  // NOLINT(google-explicit-constructor): as of a pointer
  explicit Found(const T* in_memory) : value_(in_memory) {}
  explicit Found(std::unique_ptr<const T> read) : read_(std::move(read)), value_(read_.get()) {}

  [[nodiscard]] const T* get() const { return value_; }
  const T* operator->() const { return value_; }
  const T& operator*() const { return *value_; }
  explicit operator bool() const { return value_ != nullptr; }
  friend bool operator==(const Found& found, std::nullptr_t) { return found.value_ == nullptr; }

 private:
  std::unique_ptr<const T> read_;
  const T* value_ = nullptr;
};

/// Calls the function while the state does not move.
using WhileStill = std::function<void(const std::function<void()>&)>;

/// Of a state that does not move anyway.
inline void at_once(const std::function<void()>& look) { look(); }

template <typename T>
class UserStore {
 public:
  using Codec = UserCodec<T>;

  /// From now on users that do not fit into set_budget()'s bytes go to a file in the folder.
  Status spill_to(const fs::path& folder) {
    PERENNIAL_TRY_ASSIGN(SpillFile file, SpillFile::create(folder));
    file_.emplace(std::move(file));
    return {};
  }

  /// Of the users in memory. Takes effect with the next changes, a few users each, and with make_room().
  void set_budget(size_t bytes) { budget_ = bytes; }
  [[nodiscard]] size_t memory_bytes() const { return bytes_; }
  [[nodiscard]] size_t in_memory() const { return in_memory_; }  // users

  /// The first thing that went wrong with the file: somebody's history could not be read, and began anew. The log has
  /// it still: nothing of this may be saved. Users that could not be written stay in memory.
  [[nodiscard]] Status damage() const {
    const std::lock_guard lock(*damage_mutex_);
    return damage_;
  }

  [[nodiscard]] size_t size() const { return size_; }

  [[nodiscard]] bool contains(UserId user) const {
    return user < slots_.size() && (slots_[user].in_memory || !slots_[user].place.empty());
  }

  [[nodiscard]] Found<T> find(UserId user) const {
    if (!contains(user)) return {};
    const Slot& slot = slots_[user];
    if (slot.in_memory) {
      std::atomic_ref(slot.used).store(true, std::memory_order_relaxed);
      return Found<T>(&value_of(slot));
    }
    auto value = std::make_unique<T>();
    return decode(file_->get(slot.place), *value) ? Found<T>(std::move(value)) : Found<T>();
  }

  /// For a user that is looked for soon: brings its slot near, and once that is there, what it holds of itself (by its
  /// own fetch()). Inlined, as base/fetch.h says.
  [[gnu::always_inline]] void fetch_slot(UserId user) const {
    if (user < slots_.size()) fetch(&slots_[user], sizeof(Slot));
  }
  [[gnu::always_inline]] void fetch_value(UserId user) const {
    if (user < slots_.size() && slots_[user].in_memory) value_of(slots_[user]).fetch();
  }

  /// To be changed, until the next call of anything; made when there is none.
  T& edit(UserId user) {
    settle();
    keep_for_snapshot(user);
    Slot& slot = bring_in(user);
    slot.used = true;
    slot.changed = true;
    edited_ = user;
    edited_bytes_ = Codec::bytes(value_of(slot));
    put_away_some(kRoomAnEdit);
    return value_of(slot);
  }

  /// Takes the user out, and leaves nothing of it on the disk; where that fails, scrub() is to try it again.
  void erase(UserId user) {
    if (extract(user)) (void)scrub(SIZE_MAX);
  }

  /// Overwrites what lies in the file of users who have moved since; at most so many places, false when there are more.
  /// Now and then a few, so that an erasure finds few.
  bool scrub(size_t most) {
    if (!file_.has_value()) return true;
    const Result<bool> done = file_->scrub(most);
    return done.ok() && *done;
  }

  /// Takes the user out; none when there is none.
  std::optional<T> extract(UserId user) {
    settle();
    if (!contains(user)) return std::nullopt;
    keep_for_snapshot(user);
    Slot& slot = bring_in(user);
    bytes_ -= bytes_of(slot);
    std::optional<T> value(std::move(value_of(slot)));
    drop(slot);
    forget_place(slot);
    --size_;
    return value;
  }

  /// Those in [first, end) by rising id.
  void for_each(UserId first, UserId end, const std::function<void(UserId, const T&)>& visit) const {
    visit_some(first, end, std::numeric_limits<size_t>::max(), visit);
  }
  void for_each(const std::function<void(UserId, const T&)>& visit) const { for_each(0, kNoId, visit); }

  /// The same in steps of a millisecond or so, each within `still`: between them users may change, come and go.
  void for_each(const WhileStill& still, const std::function<void(UserId, const T&)>& visit) const {
    for (size_t next = 0, last = 1; next < last;)
      still([&] {
        last = slots_.size();
        next = visit_some(static_cast<UserId>(next), kNoId, kStepBytes, visit);
      });
  }

  /// One past the highest id.
  [[nodiscard]] UserId end() const { return static_cast<UserId>(slots_.size()); }

  /// Puts users into the file until the others keep the budget; false when there are more after `most` were looked at.
  bool make_room(size_t most) {
    settle();
    return put_away_some(most);
  }

  /// A user as encode() gives it, when it is not there yet.
  Status add_encoded(UserId user, std::string_view bytes) {
    if (contains(user)) return data_loss("user {} stands twice in a snapshot", user);
    if (file_.has_value() && bytes_ + kSpareBytes > budget_ && bytes.size() <= SpillFile::kMostBytes) {
      grow(user);
      PERENNIAL_TRY_ASSIGN(slots_[user].place, file_->put(bytes));
      ++size_;
      return {};
    }
    ByteReader in(bytes);
    T value;
    if (!Codec::decode(in, value) || !in.at_end()) return data_loss("a user in a snapshot is not of this format");
    edit(user) = std::move(value);
    settle();
    return {};
  }

  /// From now on next_of_snapshot() gives the users as they are now, however they change.
  void begin_snapshot() {
    settle();
    end_snapshot();
    snapshot_end_ = slots_.size();
    snapshot_at_ = 0;
  }

  /// Appends the next ones, each with id and length, until that makes about `most_bytes`: false after the last.
  bool next_of_snapshot(size_t most_bytes, std::string& out) {
    settle();
    std::string body;
    for (; snapshot_at_ < snapshot_end_ && out.size() < most_bytes; ++snapshot_at_) {
      const auto user = static_cast<UserId>(snapshot_at_);
      if (const auto kept = before_.extract(user); !kept.empty()) {
        body = std::move(kept.mapped());
      } else {
        body = encoded(user);
      }
      if (body.empty()) continue;
      put_varint(out, user);
      put_varint(out, body.size());
      out += body;
    }
    return snapshot_at_ < snapshot_end_;
  }

  void end_snapshot() {
    snapshot_at_ = snapshot_end_ = 0;
    before_.clear();
  }

  void clear() {
    for (Slot& slot : slots_) forget_place(slot);
    slots_.clear();
    bytes_ = size_ = in_memory_ = hand_ = 0;
    edited_ = kNobody;
    end_snapshot();
  }

 private:
  static constexpr size_t kNobody = std::numeric_limits<size_t>::max();
  static constexpr size_t kRoomAnEdit = 64;
  static constexpr size_t kSpareBytes = 4096;
  static constexpr size_t kStepBytes = 128 << 10;
  static constexpr size_t kUserBytes = 100;  // that looking at one costs at least

  // What is small lies in its slot: one wait for memory less for each event.
  static constexpr bool kInSlot = sizeof(T) <= 32;

  struct Slot {
    std::conditional_t<kInSlot, T, std::unique_ptr<T>> held{};
    SpillPlace place;  // empty: not in the file
    bool in_memory = false;
    bool changed = false;       // since it was read from its place
    mutable bool used = false;  // since the hand came by; readers set it
  };

  static const T& value_of(const Slot& slot) {
    if constexpr (kInSlot)
      return slot.held;
    else
      return *slot.held;
  }
  static T& value_of(Slot& slot) { return const_cast<T&>(value_of(std::as_const(slot))); }

  /// Until about so many bytes of users were visited: the next one's id.
  size_t visit_some(UserId first, UserId end, size_t most_bytes,
                    const std::function<void(UserId, const T&)>& visit) const {
    std::optional<SpillFile::Window> window;
    if (file_.has_value()) window.emplace(*file_);
    T read;
    size_t user = first;
    for (size_t bytes = 0; user < std::min<size_t>(end, slots_.size()) && bytes < most_bytes; ++user) {
      const Slot& slot = slots_[user];
      const T* value = slot.in_memory ? &value_of(slot) : nullptr;
      if (value == nullptr && !slot.place.empty() && decode(window->get(slot.place), read)) value = &read;
      if (value == nullptr) continue;
      visit(static_cast<UserId>(user), *value);
      bytes += kUserBytes + Codec::bytes(*value);
    }
    return user;
  }

  void grow(UserId user) {
    if (user >= slots_.size()) slots_.resize(user + size_t{1});
  }

  /// What was got of the file; false, and remembered, when it is not whole.
  template <typename Bytes>
  bool decode(const Result<Bytes>& bytes, T& value) const {
    Status status = bytes.status();
    if (status.ok()) {
      ByteReader in(*bytes);
      if (Codec::decode(in, value) && in.at_end()) return true;
      status = data_loss("a user out of memory is damaged");
    }
    remember_damage(status);
    return false;
  }

  void remember_damage(const Status& status) const {
    const std::lock_guard lock(*damage_mutex_);
    if (damage_.ok()) damage_ = status;
  }

  Slot& bring_in(UserId user) {
    grow(user);
    Slot& slot = slots_[user];
    if (slot.in_memory) return slot;
    if constexpr (!kInSlot) slot.held = std::make_unique<T>();
    if (slot.place.empty())
      ++size_;
    else if (!decode(file_->get(slot.place), value_of(slot)))
      value_of(slot) = T();
    slot.in_memory = true;
    slot.changed = false;
    ++in_memory_;
    bytes_ += bytes_of(slot);
    return slot;
  }

  /// But for the one that is being edited, and those that the file does not take.
  bool put_away_some(size_t most) {
    for (bool full = false; bytes_ > budget_ && file_.has_value(); --most) {
      if (most == 0) return false;
      hand_ = hand_ + 1 < slots_.size() ? hand_ + 1 : 0;
      Slot& slot = slots_[hand_];
      if (!slot.in_memory || hand_ == edited_ || std::exchange(slot.used, false)) continue;
      if (slot.changed && (full || !write(slot))) {
        full = true;  // the disk is: who is there as they are can still go
        continue;
      }
      bytes_ -= bytes_of(slot);
      drop(slot);
    }
    return true;
  }

  /// False when the file does not take it, or nobody would read so much in one go: a bot with tens of millions of
  /// events.
  bool write(Slot& slot) {
    std::string bytes;
    Codec::encode(value_of(slot), bytes);
    if (bytes.size() > SpillFile::kMostBytes) return false;
    const Result<SpillPlace> place = file_->put(bytes);
    if (!place.ok()) return false;
    forget_place(slot);
    slot.place = *place;
    slot.changed = false;
    return true;
  }

  void drop(Slot& slot) {
    slot.held = {};
    slot.in_memory = false;
    --in_memory_;
  }

  void forget_place(Slot& slot) {
    if (!slot.place.empty()) file_->free(slot.place);
    slot.place = {};
  }

  /// Counts what the last edit() has made of its user.
  void settle() {
    if (edited_ == kNobody) return;
    bytes_ += Codec::bytes(value_of(slots_[edited_])) - edited_bytes_;
    edited_ = kNobody;
  }

  /// Of memory, the slot apart.
  static size_t bytes_of(const Slot& slot) { return Codec::bytes(value_of(slot)); }

  [[nodiscard]] std::string encoded(UserId user) const {
    std::string bytes;
    if (!contains(user)) return bytes;
    const Slot& slot = slots_[user];
    if (slot.in_memory) {
      Codec::encode(value_of(slot), bytes);
    } else if (Result<std::string> put_away = file_->get(slot.place); put_away.ok()) {
      bytes = *std::move(put_away);
    } else {
      remember_damage(put_away.status());
    }
    return bytes;
  }

  /// Before a change: the snapshot under way gets the user as it is. Nobody is an empty text.
  void keep_for_snapshot(UserId user) {
    if (user >= snapshot_at_ && user < snapshot_end_ && !before_.contains(user)) before_.emplace(user, encoded(user));
  }

  std::vector<Slot> slots_;  // by user id
  std::optional<SpillFile> file_;
  size_t budget_ = std::numeric_limits<size_t>::max();
  size_t bytes_ = 0;  // of those in memory, but for what the last edit changed
  size_t size_ = 0;
  size_t in_memory_ = 0;
  size_t hand_ = 0;  // goes round, past those that were used since it came by
  size_t edited_ = kNobody;
  size_t edited_bytes_ = 0;  // as it was counted
  mutable Status damage_;
  std::unique_ptr<std::mutex> damage_mutex_ = std::make_unique<std::mutex>();  // of readers

  size_t snapshot_at_ = 0;   // the next of the snapshot under way
  size_t snapshot_end_ = 0;  // 0: there is none
  std::unordered_map<UserId, std::string> before_;
};

}  // namespace perennial
