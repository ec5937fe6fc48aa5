#include "evaluation/dataset.h"

#include <algorithm>
#include <unordered_map>

#include "base/digest.h"
#include "base/text.h"
#include "model/read_features.h"
#include "profiles/profiles.h"

namespace perennial {
namespace {

/// Gives the model's type ids in the order in which the log first saw the types.
class TypeTable {
 public:
  TypeTable(const EventRoles& roles, const Dictionary& names, Dataset& dataset)
      : roles_(roles), names_(names), dataset_(dataset) {}

  int32_t of(EventTypeId type) {
    const auto [found, added] = ids_.try_emplace(type, static_cast<int32_t>(dataset_.event_types.size()));
    if (added) {
      dataset_.event_types.push_back(names_.name(type));
      dataset_.is_target.push_back(roles_.role_of(dataset_.event_types.back()).target);
    }
    return found->second;
  }

 private:
  const EventRoles& roles_;
  const Dictionary& names_;
  Dataset& dataset_;
  std::unordered_map<EventTypeId, int32_t> ids_;
};

std::vector<EventTypeId> token_types(const Profiles& profiles) {
  std::vector<EventTypeId> types;
  profiles.for_each([&](UserId, const Profile& profile) {
    for (const HistoryToken& token : profile.history) {
      if (token.type >= types.size()) types.resize(token.type + size_t{1}, kNoEventType);
      types[token.type] = token.type;
    }
  });
  std::erase(types, kNoEventType);
  return types;
}

UserHistory history_of(UserId user, const Profile& profile, TypeTable& types) {
  UserHistory history;
  history.user = user;
  history.tokens.reserve(profile.history.size());
  history.devices.reserve(profile.history.size());
  for (const HistoryToken& token : profile.history) {
    history.tokens.push_back({.item = static_cast<int32_t>(token.item),
                              .type = types.of(token.type),
                              .value = token.value(),
                              .time_ms = token.time});
    history.devices.push_back(token.device);
  }
  for (const auto& [key, trait] : profile.traits)
    if (std::string feature = trait_feature(key, trait.value); !feature.empty())
      history.traits.push_back({std::move(feature), trait.time});
  return history;
}

}  // namespace

size_t tokens_until(std::span<const Token> tokens, TimeMs at) {
  return static_cast<size_t>(std::upper_bound(tokens.begin(), tokens.end(), at,
                                              [](TimeMs time, const Token& token) { return time < token.time_ms; }) -
                             tokens.begin());
}

Result<Dataset> load_dataset(LogReader& log, const EventRoles& roles, Offset up_to, TimeMs before_ms,
                             int32_t most_items) {
  PERENNIAL_TRY_ASSIGN(const Offset end, log.end());
  Dataset dataset;
  dataset.before_ms = std::max<TimeMs>(0, before_ms);
  dataset.log_offset = std::min(up_to, end);
  Profiles profiles(roles, log.event_types(), Profiles::kUnlimited);
  PERENNIAL_TRY(log.replay(0, dataset.log_offset, [&](const StoredRecord& record) {
    if (before_ms <= 0 || record.time < before_ms) profiles.apply(record);  // kNoTime is before all
    return Status();
  }));
  dataset.items = std::min(most_items, static_cast<int32_t>(log.items().size()));
  for (int32_t item = 0; item < dataset.items; ++item)
    dataset.item_names.push_back(log.items().name(static_cast<ItemId>(item)));
  dataset.roles_digest = to_hex(message_id_of(roles.fingerprint()));
  TypeTable types(roles, log.event_types(), dataset);
  for (const EventTypeId type : token_types(profiles)) types.of(type);
  profiles.drain([&](UserId user, const Profile& profile) {
    if (profile.history.empty()) return;
    dataset.users.push_back(history_of(user, profile, types));
    dataset.events += static_cast<int64_t>(profile.history.size());
    dataset.newest_time_ms = std::max(dataset.newest_time_ms, profile.history.back().time);
  });
  if (dataset.users.empty())
    return failed_precondition(
        "no event with an item among {} records{}: import events first ('perennial import FILE')", dataset.log_offset,
        before_ms > 0 ? " before " + format_iso8601(before_ms) : "");
  return dataset;
}

}  // namespace perennial
