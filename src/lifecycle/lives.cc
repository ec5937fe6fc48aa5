#include "lifecycle/lives.h"

#include <algorithm>
#include <numeric>

#include "events/roles.h"

namespace perennial {

Lives::Lives(Definition definition, const Dictionary& event_types)
    : definition_(std::move(definition)), event_types_(event_types) {
  for (const Signal& signal : definition_.signals) {
    std::vector<std::string>& types = types_of_signal_.emplace_back();
    for (const std::string& type : signal.event_types) types.push_back(comparable_type(type));
  }
}

void Lives::apply(const StoredRecord& record) {
  if (record.user == kNoId) return;
  if (const auto* event = std::get_if<Event>(&record.payload)) {
    Life& life = life_of(record);
    if (record.time == kNoTime) return;
    const uint32_t signals = signals_of(record.type);
    for (uint8_t signal = 0; signal < definition_.signals.size(); ++signal)
      if ((signals >> signal & 1) != 0)
        life.facts.add(signal, record.time, record.offset, event->amount ? event->amount->minor_units : 0);
  } else if (std::holds_alternative<UserTraits>(record.payload)) {
    life_of(record);
  } else if (std::holds_alternative<IdentityMerge>(record.payload)) {
    const auto joined = identities_.merge(record.user, record.into);
    if (!joined) return;
    const auto node = lives_.extract(joined->from);
    if (node.empty()) return;
    Life& life = lives_[joined->into];
    life.facts.merge(node.mapped().facts);
    const TimeMs first = node.mapped().first_seen;
    if (first != kNoTime) life.first_seen = life.first_seen == kNoTime ? first : std::min(life.first_seen, first);
  } else if (std::holds_alternative<Erasure>(record.payload)) {
    lives_.erase(identities_.resolve(record.user));
    identities_.forget(record.user);
  }
}

Life& Lives::life_of(const StoredRecord& record) {
  Life& life = lives_[identities_.shorten(record.user)];
  if (record.time != kNoTime)
    life.first_seen = life.first_seen == kNoTime ? record.time : std::min(life.first_seen, record.time);
  return life;
}

uint32_t Lives::signals_of(EventTypeId type) {
  while (signals_by_type_.size() <= type) {
    const std::string name = comparable_type(event_types_.name(static_cast<uint32_t>(signals_by_type_.size())));
    uint32_t signals = 0;
    for (size_t signal = 0; signal < types_of_signal_.size(); ++signal) {
      const std::vector<std::string>& types = types_of_signal_[signal];
      if (std::find(types.begin(), types.end(), name) != types.end()) signals |= uint32_t{1} << signal;
    }
    signals_by_type_.push_back(signals);
  }
  return signals_by_type_[type];
}

const Life* Lives::find(UserId user) const {
  const auto found = lives_.find(identities_.resolve(user));
  return found == lives_.end() ? nullptr : &found->second;
}

void Lives::for_each(const std::function<void(UserId, const Life&)>& visit) const {
  for (const auto& [user, life] : lives_) visit(user, life);
}

int64_t StageCounts::in(Stage stage) const {
  const auto& of_stage = users[static_cast<size_t>(stage)];
  return std::accumulate(of_stage.begin(), of_stage.end(), int64_t{0});
}

int64_t StageCounts::all() const {
  int64_t sum = 0;
  for (size_t stage = 0; stage < kStages; ++stage) sum += in(static_cast<Stage>(stage));
  return sum;
}

StageCounts count_stages(const Lives& lives, TimeMs now) {
  StageCounts counts;
  lives.for_each([&](UserId, const Life& life) {
    if (life.first_seen > now) return;
    const Standing standing = standing_at(lives.definition(), life.facts, now);
    ++counts.users[static_cast<size_t>(standing.stage)][static_cast<size_t>(standing.overlay)];
  });
  return counts;
}

}  // namespace perennial
