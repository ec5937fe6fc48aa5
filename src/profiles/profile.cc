#include "profiles/profile.h"

#include <algorithm>
#include <cctype>

namespace perennial {
namespace {

struct DeviceWord {
  std::string_view word;  // found anywhere in the lower-case text; the first match decides
  uint16_t device;
};
constexpr std::array<DeviceWord, 16> kDeviceWords = {{{"ipad", 3},
                                                      {"tablet", 3},
                                                      {"tv", 4},
                                                      {"roku", 4},
                                                      {"console", 4},
                                                      {"mobile", 2},
                                                      {"phone", 2},
                                                      {"android", 2},
                                                      {"ios", 2},
                                                      {"desktop", 1},
                                                      {"laptop", 1},
                                                      {"computer", 1},
                                                      {"mac", 1},
                                                      {"windows", 1},
                                                      {"linux", 1},
                                                      {"web", 1}}};
constexpr uint16_t kOther = 5;

constexpr unsigned kDeviceRoom = 8;  // classes of devices that the encoding has room for
static_assert(kDeviceClasses.size() <= kDeviceRoom);
constexpr size_t kAllocated = 16;  // bytes that the allocator adds to a block

}  // namespace

uint16_t device_class(std::string_view device) {
  if (device.empty()) return 0;
  std::string lower(device);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const DeviceWord& known : kDeviceWords)
    if (lower.find(known.word) != std::string::npos) return known.device;
  return kOther;
}

// The forms are small rather than plain: most users lie in a file, and a snapshot is all of them.
// Format: docs/formats/snapshot.md.
void UserCodec<Profile>::encode(const Profile& profile, std::string& out) {
  int64_t time = 0;
  int64_t offset = 0;
  put_varint(out, profile.history.size());
  for (const HistoryToken& token : profile.history) {
    const bool valued = token.value_bf16 != HistoryToken::kNoValue;
    put_step(out, token.time, time);
    put_step(out, static_cast<int64_t>(token.offset), offset);
    put_varint(out, token.item);
    put_varint(out, uint64_t{token.type} * 2 * kDeviceRoom + token.device * 2U + (valued ? 1 : 0));
    if (valued) put(out, token.value_bf16);
  }
  put_varint(out, profile.rejected.size());
  for (const auto& [item, rejection] : profile.rejected) {
    put_varint(out, item);
    put_step(out, rejection.time, time);
    put_step(out, rejection.offset, offset);
  }
  put_varint(out, profile.traits.size());
  for (const auto& [key, trait] : profile.traits) {
    put_short_text(out, key);
    put_short_text(out, trait.value);
    put_step(out, trait.time, time);
    put_step(out, trait.offset, offset);
  }
  put_varint(out, profile.event_counts.size());
  for (const auto& [type, count] : profile.event_counts) {
    put_varint(out, type);
    put_varint(out, count);
  }
  put_varint(out, profile.value_by_currency.size());
  for (const auto& [currency, value] : profile.value_by_currency) {
    put_short_text(out, currency);
    put_signed_varint(out, value);
  }
  put_step(out, profile.first_seen, time);
  put_step(out, profile.last_seen, time);
}

bool UserCodec<Profile>::decode(ByteReader& in, Profile& profile) {
  int64_t time = 0;
  int64_t offset = 0;
  profile = {};
  const uint64_t tokens = in.get_varint_count(4);
  profile.history.reserve(tokens);
  for (uint64_t i = 0; i < tokens; ++i) {
    HistoryToken& token = profile.history.emplace_back();
    token.time = in.get_step(time);
    token.offset = static_cast<uint64_t>(in.get_step(offset));
    token.item = static_cast<ItemId>(in.get_varint());
    const uint64_t kind = in.get_varint();
    token.type = static_cast<EventTypeId>(kind / (2 * kDeviceRoom));
    token.device = kind / 2 % kDeviceRoom;
    if (kind % 2 != 0) token.value_bf16 = in.get<uint16_t>();
  }
  for (uint64_t i = in.get_varint_count(3); i > 0 && in.ok(); --i) {
    const auto item = static_cast<ItemId>(in.get_varint());
    const TimeMs said_at = in.get_step(time);
    profile.rejected.emplace_hint(profile.rejected.end(), item, Rejection{said_at, in.get_step(offset)});
  }
  for (uint64_t i = in.get_varint_count(4); i > 0 && in.ok(); --i) {
    std::string key(in.get_short_text());
    Trait trait{.value = std::string(in.get_short_text())};
    trait.time = in.get_step(time);
    trait.offset = in.get_step(offset);
    profile.traits.emplace_hint(profile.traits.end(), std::move(key), std::move(trait));
  }
  for (uint64_t i = in.get_varint_count(2); i > 0 && in.ok(); --i) {
    const auto type = static_cast<EventTypeId>(in.get_varint());
    profile.event_counts.emplace_hint(profile.event_counts.end(), type, static_cast<uint32_t>(in.get_varint()));
  }
  for (uint64_t i = in.get_varint_count(2); i > 0 && in.ok(); --i) {
    std::string currency(in.get_short_text());
    profile.value_by_currency[std::move(currency)] = in.get_signed_varint();
  }
  profile.first_seen = in.get_step(time);
  profile.last_seen = in.get_step(time);
  return in.ok();
}

size_t UserCodec<Profile>::bytes(const Profile& profile) {
  const auto block = [](size_t bytes) { return bytes == 0 ? 0 : bytes + kAllocated; };
  const auto text = [&](const std::string& string) {
    return block(string.capacity() > 15 ? string.capacity() + 1 : 0);
  };
  size_t sum = block(sizeof(Profile)) + block(profile.history.capacity() * sizeof(HistoryToken)) +
               block(profile.rejected.capacity() * sizeof(*profile.rejected.begin())) +
               block(profile.traits.capacity() * sizeof(*profile.traits.begin())) +
               block(profile.event_counts.capacity() * sizeof(*profile.event_counts.begin())) +
               block(profile.value_by_currency.capacity() * sizeof(*profile.value_by_currency.begin()));
  for (const auto& [key, trait] : profile.traits) sum += text(key) + text(trait.value);
  return sum;
}

}  // namespace perennial
