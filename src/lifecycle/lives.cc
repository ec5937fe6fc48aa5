#include "lifecycle/lives.h"

#include <algorithm>

#include "base/digest.h"
#include "base/json.h"
#include "events/roles.h"

namespace perennial {
namespace {

constexpr size_t kLongestName = 256;  // no user has a longer one
constexpr std::string_view kMagic = "perennial lives 1\n";

/// The earlier of two times, either of which may be unknown.
TimeMs earlier(TimeMs a, TimeMs b) {
  if (a == kNoTime || b == kNoTime) return a == kNoTime ? b : a;
  return std::min(a, b);
}

fs::path snapshot_path(const fs::path& data_folder) { return data_folder / "lives.snapshot"; }

}  // namespace

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
  return log.replay(applied_, up_to, [this](const StoredRecord& record) {
    apply(record);
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
  if (user >= lives_.size()) lives_.resize(user + size_t{1});
  Life& life = lives_[user];
  if (life.known) return life;
  life.known = true;
  ++known_;
  credit_waiting(user);
  return life;
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
  if (joined->from < lives_.size() && lives_[joined->from].known) {
    const Life other = std::exchange(lives_[joined->from], {});
    --known_;
    Life& life = life_of(joined->into);
    life.facts.merge(other.facts);
    life.first_seen = earlier(life.first_seen, other.first_seen);
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
  if (root < lives_.size() && lives_[root].known) {
    lives_[root] = {};
    --known_;
  }
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
  if (inviter < lives_.size() && lives_[inviter].known && inviter != invited) {
    referral.credited = inviter;
    lives_[inviter].facts.add(*referral_, referral.time, referral.offset, 0);
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
    lives_[inviter].facts.remove(*referral_, referral.time, referral.offset);
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

const Life* Lives::find(UserId user) const {
  const UserId root = identities_.resolve(user);
  return root < lives_.size() && lives_[root].known ? &lives_[root] : nullptr;
}

void Lives::for_each(const std::function<void(UserId, const Life&)>& visit) const {
  for (size_t user = 0; user < lives_.size(); ++user)
    if (lives_[user].known) visit(static_cast<UserId>(user), lives_[user]);
}

std::string Lives::fingerprint() const {
  std::string text;
  for (size_t signal = 0; signal < types_of_signal_.size(); ++signal)
    text += fmt::format("{}={};", definition_.signals[signal].name, fmt::join(types_of_signal_[signal], ","));
  return text + fmt::format("inviter={}", fmt::join(definition_.inviter_properties, ","));
}

std::string Lives::serialize() const {
  std::string out(kMagic);
  put_text(out, fingerprint());
  put(out, applied_);
  put(out, applied_message_);
  identities_.serialize(out);
  put(out, uint64_t{known_});
  for_each([&](UserId user, const Life& life) {
    put(out, user);
    put(out, life.first_seen);
    life.facts.serialize(out);
  });
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
  seal(out);
  return out;
}

Status Lives::save(const fs::path& data_folder, std::string_view snapshot) {
  return write_file_atomically(snapshot_path(data_folder), snapshot);
}

Status Lives::load(const fs::path& data_folder, LogReader& log) {
  PERENNIAL_TRY_ASSIGN(const std::string bytes, read_file(snapshot_path(data_folder)));
  PERENNIAL_TRY(parse(bytes).with_context(snapshot_path(data_folder).string()));
  const Status known = check_is_in_log(log, applied_, applied_message_);
  if (!known.ok()) clear();
  return known;
}

Status Lives::parse(std::string_view bytes) {
  clear();
  if (!bytes.starts_with(kMagic)) return data_loss("not a snapshot of lives of this version");
  PERENNIAL_TRY_ASSIGN(const std::string_view body, unsealed(bytes));
  if (body.size() < kMagic.size()) return data_loss("not a snapshot of lives of this version");
  ByteReader in(body.substr(kMagic.size()));
  if (in.get_text() != fingerprint()) return failed_precondition("the snapshot was made with other lifecycle signals");
  const Status parsed = parse_lives(in);
  if (!parsed.ok()) clear();
  return parsed;
}

Status Lives::parse_lives(ByteReader& in) {
  applied_ = in.get<Offset>();
  applied_message_ = in.get<MessageId>();
  identities_.parse(in);
  known_ = in.get_count(13);
  for (size_t i = 0; i < known_ && in.ok(); ++i) {
    const auto user = in.get<UserId>();
    if (user == kNoId) return data_loss("a life in the snapshot has no user");
    if (user >= lives_.size()) lives_.resize(user + size_t{1});
    lives_[user].known = true;
    lives_[user].first_seen = in.get<TimeMs>();
    lives_[user].facts.parse(in);
  }
  for (uint64_t i = in.get_count(32); i > 0 && in.ok(); --i) {
    const auto user = in.get<UserId>();
    Referral& referral = referrals_[user];
    referral.time = in.get<TimeMs>();
    referral.offset = in.get<Offset>();
    referral.credited = in.get<UserId>();
    referral.inviter = in.get_text();
    if (referral.credited == kNoId) waiting_.emplace(referral.inviter, user);
  }
  return in.ok() && in.at_end() ? Status() : data_loss("the lives in the snapshot are cut short");
}

void Lives::clear() {
  identities_.clear();
  lives_.clear();
  known_ = 0;
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
