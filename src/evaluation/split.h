// Which part of each history trains, which chooses the settings, which is looked at once. Training and evaluation both
// ask here, so that they cannot disagree.
#pragma once

#include "evaluation/dataset.h"
#include "evaluation/ranking.h"
#include "model/config.h"

namespace perennial {

/// The split of a dataset: fixes the times of a time holdout (the last tenth of the timed events tests, the tenth
/// before it validates, whole equal times kept together). failed_precondition for a time holdout on events without
/// times.
Result<Holdout> make_holdout(Holdout::Kind kind, const Dataset& dataset);

/// How many tokens at the front of the history may be predicted in training. Leave-one-out: all but the last two, or
/// all of a history of under three; time: those before validate_from; none: all, but see is_validation_user.
size_t training_tokens(const Holdout& holdout, const UserHistory& history);

/// Under 'none', one user in twenty (by hash) gives the last token to validation, so that training knows when to stop.
bool is_validation_user(UserId user);

enum class Part { validation, test };

/// What a question tells a model.
enum class Inputs {
  history,  // the events before it
  traits,   // and those of the user's traits that were said before it
  request,  // and the time, device, hour and weekday of the first event that follows: all that serving knows
};
/// invalid_argument, naming `--inputs`, when there is none of that name.
Result<Inputs> parse_inputs(std::string_view name);

struct CaseOptions {
  bool exclude_seen = true;  // items of the history are not ranked, and relevant items among them are dropped
  int64_t from_ms = 0;       // > 0: instead of the holdout's part, all events in [from, to) of every user
  int64_t to_ms = std::numeric_limits<int64_t>::max();
  bool one_by_one = false;  // a question an event, given all before it, instead of one a user
  Inputs inputs = Inputs::history;
};

struct RankingCases {
  std::vector<RankingCase> cases;
  std::vector<size_t> user_index;  // of each case, in Dataset::users
  int64_t dropped_repeats = 0;     // relevant items that the user had seen before and exclude_seen dropped
};

/// The questions of a part. Relevant are the items of target events, distinct. Leave-one-out: the second last token,
/// given all before it (validation), or the last (test). Time: all in the window, given all before it. Every item is
/// ranked.
RankingCases make_cases(const Holdout& holdout, const Dataset& dataset, Part part, const CaseOptions& options = {});

/// Training sequences of item ids for the baselines.
std::vector<std::vector<int32_t>> training_sequences(const Holdout& holdout, const Dataset& dataset);

/// Ok when a model that was trained under `holdout` may be judged on the part; failed_precondition, with the reason and
/// the way out, when it has seen the answers. `protocol` none means from_ms..to_ms of the options.
Status check_unseen(const Holdout& holdout, Holdout::Kind protocol, const CaseOptions& options);

}  // namespace perennial
