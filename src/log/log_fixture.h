// For the tests of this folder: random records, and records as text.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "base/temporary_folder.h"
#include "log/record_codec.h"
#include "log/sqlite_log.h"

namespace perennial {

inline Record make_event(std::string_view message, std::string_view user, std::string_view item = "item",
                         TimeMs time = 1000) {
  Record record;
  record.message_id = message_id_of(message);
  record.time = time;
  record.user = user;
  record.item = item;
  record.type = "viewed";
  record.payload = Event();
  return record;
}

inline Record make_merge(std::string_view message, std::string_view user, std::string_view into) {
  Record record;
  record.message_id = message_id_of(message);
  record.time = 1000;
  record.user = user;
  record.payload = IdentityMerge{std::string(into)};
  return record;
}

inline Record make_erasure(std::string_view message, std::string_view user) {
  Record record;
  record.message_id = message_id_of(message);
  record.time = 1000;
  record.user = user;
  record.payload = Erasure();
  return record;
}

/// Text of 0 to `longest` bytes, with what JSON must escape and characters of two and three bytes.
inline std::string random_text(Random& random, size_t longest) {
  static const std::vector<std::string> kPieces = {"a", "Z", "0", " ", "\"", "\\", "\n", "\t",
                                                   "{", "}", "[", "]", ",",  ":",  "é",  "漢"};
  std::string text;
  const size_t pieces = random.below(longest + 1);
  for (size_t i = 0; i < pieces; ++i) text += kPieces[random.below(kPieces.size())];
  return text;
}

/// A JSON object that holds `marker` and filling of random length, over one page now and then.
inline std::string random_object(Random& random, std::string_view marker) {
  const size_t filling = random.chance(0.1) ? random.below(9000) : random.below(200);
  return fmt::format(R"({{"marker": "{}", "price": 1.50, "list":[1,{{"deep":"}}"}}], "filling":"{}"}})", marker,
                     std::string(filling, 'x'));
}

inline Payload random_payload(Random& random, std::string_view marker, const std::string& other_user) {
  const auto id = [&](std::string_view name) { return fmt::format("{}-{}", name, random.below(1000)); };
  const auto maybe_object = [&] { return random.chance(0.5) ? random_object(random, marker) : std::string(); };
  switch (random.below(9)) {
    case 0:
      return ItemUpsert{random_object(random, marker)};
    case 1:
      return ItemDelete{};
    case 2:
      return UserTraits{random_object(random, marker)};
    case 3:
      return IdentityMerge{other_user};
    case 4:
      return Action{id("action"), "letter", "mail", 0.3F, maybe_object()};
    case 5:
      return Delivery{id("action"), "opened", maybe_object()};
    default: {
      Event event;
      if (random.chance(0.5))
        event.value =
            random.chance(0.5) ? static_cast<float>(random.below(1 << 20)) : static_cast<float>(random.normal());
      if (random.chance(0.3))
        event.amount =
            Money{static_cast<int64_t>(random.next() >> random.below(64)) * (random.chance(0.5) ? 1 : -1), "EUR"};
      if (random.chance(0.3)) event.quantity = static_cast<int64_t>(random.next() >> random.below(64));
      if (random.chance(0.3)) event.recommendation_id = id("slate");
      if (random.chance(0.2)) event.line = static_cast<int32_t>(random.below(10'000));
      if (random.chance(0.3)) event.device = "mobile";
      event.properties = maybe_object();
      return event;
    }
  }
}

/// Any kind but an erasure, of `user`; `other_user` differs from it.
inline Record random_record(Random& random, const std::string& user, const std::string& other_user,
                            std::string_view marker) {
  Record record;
  record.message_id = {random.next(), random.next()};
  record.time = random.chance(0.1) ? kNoTime : static_cast<TimeMs>(random.next() >> (23 + random.below(40)));
  record.payload = random_payload(random, marker, other_user);
  const RecordKind kind = kind_of(record.payload);
  const bool of_item = kind == RecordKind::item_upsert || kind == RecordKind::item_delete;
  if (!of_item) record.user = user;
  if (of_item || kind == RecordKind::event) record.item = fmt::format("item-{}", random.below(20));
  if (kind == RecordKind::event) record.type = fmt::format("type-{}", random.below(5));
  return record;
}

/// All that the record says, as text; equal texts are equal records.
inline std::string describe(const StoredRecord& record) {
  std::string text = fmt::format("{} {} time {} user {} into {} item {} type {} message {} body {}", record.offset,
                                 kind_name(kind_of(record.payload)), record.time, static_cast<int64_t>(record.user),
                                 static_cast<int64_t>(record.into), static_cast<int64_t>(record.item), record.type,
                                 to_hex(record.message_id), encode_body(record.payload));
  if (const auto* event = std::get_if<Event>(&record.payload)) {
    text += fmt::format(" value {} quantity {}", event->value, event->quantity);
    if (event->amount.has_value())
      text += fmt::format(" amount {} {}", event->amount->minor_units, event->amount->currency);
  }
  return text;
}

inline std::vector<std::string> describe_all(LogReader& log) {
  std::vector<std::string> all;
  const Status status = log.replay(0, std::numeric_limits<Offset>::max(), [&](const StoredRecord& record) {
    all.push_back(describe(record));
    return Status();
  });
  EXPECT_TRUE(status.ok()) << status.message();
  return all;
}

inline std::vector<MessageId> all_messages(LogReader& log) {
  std::vector<MessageId> all;
  const Status status = log.replay(0, std::numeric_limits<Offset>::max(), [&](const StoredRecord& record) {
    all.push_back(record.message_id);
    return Status();
  });
  EXPECT_TRUE(status.ok()) << status.message();
  return all;
}

/// The names of the files under the folder that hold the bytes.
inline std::vector<std::string> files_with(const fs::path& folder, std::string_view bytes) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const Result<std::string> content = read_file(entry.path());
    EXPECT_TRUE(content.ok()) << content.status().message();
    if (content.ok() && content->find(bytes) != std::string::npos) found.push_back(entry.path().filename().string());
  }
  return found;
}

}  // namespace perennial
