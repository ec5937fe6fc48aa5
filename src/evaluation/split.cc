#include "evaluation/split.h"

#include <algorithm>
#include <unordered_set>

#include "base/random.h"
#include "base/text.h"
#include "model/read_features.h"
#include "profiles/profile.h"

namespace perennial {
namespace {

constexpr uint64_t kValidationOneIn = 20;

size_t first_at_or_after(const std::vector<Token>& tokens, int64_t time_ms) {
  const auto found =
      std::partition_point(tokens.begin(), tokens.end(), [&](const Token& t) { return t.time_ms < time_ms; });
  return static_cast<size_t>(found - tokens.begin());
}

/// Tokens [begin, end) of a history are asked for, given those before begin.
struct Range {
  size_t begin = 0;
  size_t end = 0;
};

Range asked_range(const Holdout& holdout, const UserHistory& history, Part part, const CaseOptions& options) {
  const std::vector<Token>& tokens = history.tokens;
  const size_t count = tokens.size();
  if (options.from_ms > 0)
    return {first_at_or_after(tokens, options.from_ms), first_at_or_after(tokens, options.to_ms)};
  switch (holdout.kind) {
    case Holdout::Kind::leave_one_out:
      if (count < 3) return {};
      return part == Part::test ? Range{count - 1, count} : Range{count - 2, count - 1};
    case Holdout::Kind::time: {
      const size_t test = first_at_or_after(tokens, holdout.test_from_ms);
      if (part == Part::test) return {test, count};
      return {first_at_or_after(tokens, holdout.validate_from_ms), test};
    }
    case Holdout::Kind::none:
      if (part == Part::validation && count >= 2 && is_validation_user(history.user)) return {count - 1, count};
      return {};
  }
  return {};
}

RequestMoment moment_of(const UserHistory& user, size_t asked, Inputs inputs) {
  RequestMoment moment;
  if (inputs == Inputs::history) return moment;
  const TimeMs time = user.tokens[asked].time_ms;
  for (const TraitFeature& trait : user.traits)
    if (was_known(trait.time, time)) moment.features.push_back(trait.name);
  if (inputs == Inputs::traits) return moment;
  if (const uint16_t device = user.devices[asked]; device != 0)
    moment.features.push_back(device_feature(kDeviceClasses.at(device)));
  if (time == kNoTime) return moment;
  moment.time_ms = time;
  moment.features.push_back(hour_feature(hour_of(time)));
  moment.features.push_back(weekday_feature(weekday_of(time)));
  return moment;
}

}  // namespace

Result<Inputs> parse_inputs(std::string_view name) {
  if (name == "history") return Inputs::history;
  if (name == "traits") return Inputs::traits;
  if (name == "request") return Inputs::request;
  return invalid_argument("--inputs must be history, traits or request, not '{}'", name);
}

Result<Holdout> make_holdout(Holdout::Kind kind, const Dataset& dataset) {
  Holdout holdout{.kind = kind,
                  .log_offset = dataset.log_offset,
                  .roles_digest = dataset.roles_digest,
                  .before_ms = dataset.before_ms,
                  .newest_time_ms = dataset.newest_time_ms};
  if (kind != Holdout::Kind::time) return holdout;
  std::vector<int64_t> times;
  for (const UserHistory& user : dataset.users)
    for (const Token& token : user.tokens)
      if (token.time_ms != kNoTime) times.push_back(token.time_ms);
  if (times.size() < 10)
    return failed_precondition("a time holdout needs events with times, and {} have one: use --holdout leave-one-out",
                               times.size());
  std::sort(times.begin(), times.end());
  holdout.validate_from_ms = times[times.size() * 8 / 10];
  holdout.test_from_ms = times[times.size() * 9 / 10];
  if (holdout.validate_from_ms == holdout.test_from_ms || times.front() == holdout.validate_from_ms)
    return failed_precondition("too many events share one time to split by time: use --holdout leave-one-out");
  holdout.newest_time_ms = holdout.test_from_ms - 1;
  return holdout;
}

bool is_validation_user(UserId user) { return mix64(user) % kValidationOneIn == 0; }

size_t training_tokens(const Holdout& holdout, const UserHistory& history) {
  const size_t count = history.tokens.size();
  switch (holdout.kind) {
    case Holdout::Kind::leave_one_out:
      return count < 3 ? count : count - 2;
    case Holdout::Kind::time:
      return first_at_or_after(history.tokens, holdout.validate_from_ms);
    case Holdout::Kind::none:
      return count >= 2 && is_validation_user(history.user) ? count - 1 : count;
  }
  return 0;
}

RankingCases make_cases(const Holdout& holdout, const Dataset& dataset, Part part, const CaseOptions& options) {
  RankingCases result;
  for (size_t index = 0; index < dataset.users.size(); ++index) {
    const std::vector<Token>& tokens = dataset.users[index].tokens;
    const Range range = asked_range(holdout, dataset.users[index], part, options);
    const size_t step = options.one_by_one ? 1 : std::max<size_t>(1, range.end - range.begin);
    std::unordered_set<int32_t> seen;
    std::vector<int32_t> excluded;
    size_t read = 0;
    for (size_t begin = range.begin; begin < range.end; begin += step) {
      for (; options.exclude_seen && read < begin; ++read)
        if (seen.insert(tokens[read].item).second) excluded.push_back(tokens[read].item);
      RankingCase question;
      std::unordered_set<int32_t> asked;
      for (size_t i = begin; i < begin + step; ++i) {
        if (!dataset.is_target[static_cast<size_t>(tokens[i].type)] || !asked.insert(tokens[i].item).second) continue;
        if (seen.contains(tokens[i].item))
          ++result.dropped_repeats;
        else
          question.relevant.push_back(tokens[i].item);
      }
      if (question.relevant.empty()) continue;
      question.history.assign(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(begin));
      question.excluded = excluded;
      question.moment = moment_of(dataset.users[index], begin, options.inputs);
      result.cases.push_back(std::move(question));
      result.user_index.push_back(index);
    }
  }
  return result;
}

std::vector<std::vector<int32_t>> training_sequences(const Holdout& holdout, const Dataset& dataset) {
  std::vector<std::vector<int32_t>> sequences;
  for (const UserHistory& user : dataset.users) {
    std::vector<int32_t>& items = sequences.emplace_back();
    const size_t count = training_tokens(holdout, user);
    for (size_t i = 0; i < count; ++i) items.push_back(user.tokens[i].item);
  }
  return sequences;
}

Status check_unseen(const Holdout& holdout, Holdout::Kind protocol, const CaseOptions& options) {
  if (options.from_ms > 0) {
    if (options.from_ms > holdout.newest_time_ms) return {};
    return failed_precondition("the model has seen events up to {}: evaluate from a later time, or train on less",
                               format_iso8601(holdout.newest_time_ms));
  }
  if (protocol == holdout.kind && protocol != Holdout::Kind::none) return {};
  return failed_precondition(
      "the model was trained with --holdout {}, so it has seen what the protocol '{}' would ask: train with --holdout "
      "{}, or "
      "evaluate on later events with --from",
      holdout_name(holdout.kind), holdout_name(protocol),
      holdout_name(protocol == Holdout::Kind::none ? Holdout::Kind::leave_one_out : protocol));
}

}  // namespace perennial
