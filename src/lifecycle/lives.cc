#include "lifecycle/lives.h"

#include <algorithm>

#include "base/json.h"
#include "events/roles.h"

namespace perennial {
namespace {

constexpr size_t kLongestName = 256;  // no user has a longer one
constexpr std::string_view kMagic = "perennial lives 2\n";

/// The earlier of two times, either of which may be unknown.
TimeMs earlier(TimeMs a, TimeMs b) {
  if (a == kNoTime || b == kNoTime) return a == kNoTime ? b : a;
  return std::min(a, b);
}

fs::path snapshot_path(const fs::path& data_folder) { return data_folder / "lives.snapshot"; }

}  // namespace

void UserCodec<Life>::encode(const Life& life, std::string& out) {
  put_signed_varint(out, life.first_seen);
  life.facts.encode(out);
}

bool UserCodec<Life>::decode(ByteReader& in, Life& life) {
  life.first_seen = in.get_signed_varint();
  return life.facts.decode(in);
}

size_t UserCodec<Life>::bytes(const Life& life) { return life.facts.bytes(); }

Lives::Lives(Definition definition, const Dictionary& event_types, const Dictionary& users)
    : definition_(std::move(definition)),
      event_types_(event_types),
      users_(users),
      referral_(definition_.find_signal("referral")) {
  for (const Signal& signal : definition_.signals) {
    std::vector<std::string>& types = types_of_signal_.emplace_back();
    for (const std::string& type : signal.event_types) types.push_back(comparable_type(type));
  }
}

Status Lives::catch_up(LogReader& log, Offset up_to) {
  return log.replay_pages(applied_, up_to, [this](std::span<const StoredRecord> records) {
    for (size_t i = 0; i < records.size(); ++i) {
      look_ahead(i, records);
      apply(records[i]);
    }
    return Status();
  });
}

void Lives::apply(const StoredRecord& record) {
  touched_.clear();
  applied_ = record.offset;
  applied_message_ = record.message_id;
  if (record.user == kNoId) return;
  if (const auto* event = std::get_if<Event>(&record.payload)) {
    apply_event(record, *event);
  } else if (std::holds_alternative<UserTraits>(record.payload)) {
    seen(record);
  } else if (std::holds_alternative<IdentityMerge>(record.payload)) {
    merge(record.user, record.into);
  } else if (std::holds_alternative<Erasure>(record.payload)) {
    erase(record.user);
  }
}

void Lives::apply_event(const StoredRecord& record, const Event& event) {
  Life& life = seen(record);
  if (record.time == kNoTime) return;
  const int64_t minor_units = event.amount ? event.amount->minor_units : 0;
  const std::optional<std::string> inviter = inviter_of(event);
  for (uint32_t signals = signals_of(record.type); signals != 0; signals &= signals - 1) {
    const auto signal = static_cast<uint8_t>(std::countr_zero(signals));
    if (inviter && signal == referral_) continue;  // it is the inviter's
    if (event.line == 0)
      life.facts.add(signal, record.time, record.offset, minor_units);
    else
      life.facts.add_line(signal, record.time, record.offset, minor_units);
  }
  if (inviter) refer(identities_.resolve(record.user), {*inviter, record.time, record.offset});
}

Life& Lives::seen(const StoredRecord& record) {
  const UserId user = identities_.shorten(record.user);
  Life& life = life_of(user);
  life.first_seen = earlier(life.first_seen, record.time);
  touched_.push_back(user);
  return life;
}

Life& Lives::life_of(UserId user) {
  if (lives_.contains(user)) return lives_.edit(user);
  lives_.edit(user);
  credit_waiting(user);
  return lives_.edit(user);
}

void Lives::merge(UserId from, UserId into) {
  const auto joined = identities_.merge(from, into);
  if (!joined) return;
  // Both are one now: of two invitations the earlier counts, and nobody is credited for inviting himself.
  std::vector<Referral> referrals;
  for (const UserId invited : {joined->from, joined->into}) {
    const auto found = referrals_.find(invited);
    if (found == referrals_.end()) continue;
    referrals.push_back(found->second);
    withdraw(invited);
  }
  if (const std::optional<Life> other = lives_.extract(joined->from)) {
    Life& life = life_of(joined->into);
    life.facts.merge(other->facts);
    life.first_seen = earlier(life.first_seen, other->first_seen);
  }
  for (Referral& referral : referrals) refer(joined->into, std::move(referral));
  credit_waiting(from);
  credit_waiting(into);
  touched_.push_back(joined->from);
  touched_.push_back(joined->into);
}

void Lives::erase(UserId user) {
  const UserId root = identities_.resolve(user);
  withdraw(root);
  for (auto& [invited, referral] : referrals_) {
    if (referral.credited == kNoId || identities_.resolve(referral.credited) != root) continue;
    referral.credited = kNoId;
    waiting_.emplace(referral.inviter, invited);
  }
  lives_.erase(root);
  identities_.forget(user);
  touched_.push_back(root);
}

std::optional<std::string> Lives::inviter_of(const Event& event) const {
  if (!referral_) return std::nullopt;
  for (const std::string& property : definition_.inviter_properties) {
    if (event.properties.find(property) == std::string::npos) continue;  // nearly always: not worth parsing
    const Result<json::object> properties = parse_json_object(event.properties);
    if (!properties.ok()) continue;
    const Result<std::string> name = string_field(*properties, property);  // a number is taken as its digits
    if (name.ok() && !name->empty() && name->size() <= kLongestName) return *name;
  }
  return std::nullopt;
}

void Lives::refer(UserId invited, Referral referral) {
  const auto found = referrals_.find(invited);
  if (found != referrals_.end()) {
    const Referral& known = found->second;
    if (std::pair(known.time, known.offset) <= std::pair(referral.time, referral.offset)) return;
    withdraw(invited);
  }
  referral.credited = kNoId;
  credit(invited, referrals_[invited] = std::move(referral));
}

/// Of a referral that is not credited and not waiting.
void Lives::credit(UserId invited, Referral& referral) {
  const std::optional<UserId> named = users_.find(referral.inviter);
  const UserId inviter = named ? identities_.resolve(*named) : kNoId;
  if (lives_.contains(inviter) && inviter != invited) {
    referral.credited = inviter;
    lives_.edit(inviter).facts.add(*referral_, referral.time, referral.offset, 0);
    touched_.push_back(inviter);
  } else {
    waiting_.emplace(referral.inviter, invited);
  }
}

/// Forgets the referral of `invited`, if there is one.
void Lives::withdraw(UserId invited) {
  const auto found = referrals_.find(invited);
  if (found == referrals_.end()) return;
  const Referral& referral = found->second;
  if (referral.credited != kNoId) {
    const UserId inviter = identities_.resolve(referral.credited);
    lives_.edit(inviter).facts.remove(*referral_, referral.time, referral.offset);
    touched_.push_back(inviter);
  } else {
    const auto [begin, end] = waiting_.equal_range(referral.inviter);
    waiting_.erase(std::find_if(begin, end, [&](const auto& entry) { return entry.second == invited; }));
  }
  referrals_.erase(found);
}

/// The user is known now, perhaps by another name: whom did it invite?
void Lives::credit_waiting(UserId user) {
  if (waiting_.empty()) return;
  const std::string name = users_.name(user);
  std::vector<UserId> invited;
  const auto [begin, end] = waiting_.equal_range(name);
  std::transform(begin, end, std::back_inserter(invited), [](const auto& entry) { return entry.second; });
  waiting_.erase(name);
  for (const UserId each : invited) credit(each, referrals_.at(each));
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

std::string Lives::fingerprint() const {
  std::string text;
  for (size_t signal = 0; signal < types_of_signal_.size(); ++signal)
    text += fmt::format("{}={};", definition_.signals[signal].name, fmt::join(types_of_signal_[signal], ","));
  return text + fmt::format("inviter={}", fmt::join(definition_.inviter_properties, ","));
}

std::string Lives::encoded_referrals() const {
  std::string out;
  std::vector<UserId> invited;
  for (const auto& [user, referral] : referrals_) invited.push_back(user);
  std::sort(invited.begin(), invited.end());
  put(out, uint64_t{invited.size()});
  for (const UserId user : invited) {
    const Referral& referral = referrals_.at(user);
    put(out, user);
    put(out, referral.time);
    put(out, referral.offset);
    put(out, referral.credited == kNoId ? kNoId : identities_.resolve(referral.credited));
    put_text(out, referral.inviter);
  }
  return out;
}

Status Lives::save(const fs::path& data_folder, const WhileStill& still) {
  return save_snapshot(snapshot_path(data_folder), kMagic, lives_, still, [this](const BlockSink& put_block) {
    std::string head;
    put_text(head, fingerprint());
    put(head, applied_);
    put(head, applied_message_);
    put_block(std::move(head));
    std::string identities;
    identities_.serialize(identities);
    put_block(std::move(identities));
    put_block(encoded_referrals());
  });
}

Status Lives::load(const fs::path& data_folder) {
  PERENNIAL_TRY_ASSIGN(BlockReader blocks, BlockReader::open(snapshot_path(data_folder), kMagic));
  clear();
  const Status status = read(blocks);
  if (status.ok()) return status;
  clear();
  return status.with_context(snapshot_path(data_folder).string());
}

Status Lives::check_log(LogReader& log) {
  const Status known = check_is_in_log(log, applied_, applied_message_);
  if (!known.ok()) clear();
  return known;
}

Status Lives::read(BlockReader& blocks) {
  PERENNIAL_TRY_ASSIGN(std::string_view block, blocks.next());
  ByteReader head(block);
  if (head.get_text() != fingerprint())
    return failed_precondition("the snapshot was made with other lifecycle signals");
  applied_ = head.get<Offset>();
  applied_message_ = head.get<MessageId>();
  PERENNIAL_TRY_ASSIGN(block, blocks.next());
  ByteReader identities(block);
  identities_.parse(identities);
  if (!head.ok() || !head.at_end() || !identities.ok() || !identities.at_end())
    return data_loss("the beginning of the snapshot is not of this format");
  PERENNIAL_TRY_ASSIGN(block, blocks.next());
  PERENNIAL_TRY(read_referrals(block));
  return read_users(blocks, lives_);
}

Status Lives::read_referrals(std::string_view block) {
  ByteReader in(block);
  for (uint64_t i = in.get_count(32); i > 0 && in.ok(); --i) {
    const auto user = in.get<UserId>();
    Referral& referral = referrals_[user];
    referral.time = in.get<TimeMs>();
    referral.offset = in.get<Offset>();
    referral.credited = in.get<UserId>();
    referral.inviter = in.get_text();
    if (referral.credited == kNoId) waiting_.emplace(referral.inviter, user);
  }
  return in.ok() && in.at_end() ? Status() : data_loss("the referrals in the snapshot are not of this format");
}

void Lives::clear() {
  identities_.clear();
  lives_.clear();
  referrals_.clear();
  waiting_.clear();
  applied_ = 0;
  applied_message_ = {};
}

TimeMs newest_fact(const Lives& lives) {
  TimeMs newest = kNoTime;
  const auto signals = static_cast<uint8_t>(lives.definition().signals.size());
  lives.for_each([&](UserId, const Life& life) {
    for (uint8_t signal = 0; signal < signals; ++signal)
      if (const auto facts = life.facts.of(signal); !facts.empty()) newest = std::max(newest, facts.back().time);
  });
  return newest;
}

}  // namespace perennial
