// perennial erase: forget a user, in the log and in the saved state. Beside a running server use DELETE /v1/users/{id}.
#include <future>

#include "cli/command_line.h"
#include "log/slate_log.h"
#include "log/sqlite_log.h"
#include "profiles/state.h"

namespace perennial {
namespace {

/// Of these names.
Result<int64_t> erase_slates(const CommandLine& line, const Settings& settings, std::vector<std::string> names) {
  const SystemClock clock;
  PERENNIAL_TRY_ASSIGN(const auto slates,
                       SlateLog::open(line.data, {.keep_days = settings.slates_keep_days, .recent = 0}, clock,
                                      [](size_t, const Status&) {}));
  std::promise<Result<int64_t>> erased;
  slates->erase(std::move(names), 0, [&](const Result<int64_t>& count) { erased.set_value(count); });
  return erased.get_future().get();
}

/// Of the user and all identities joined to it.
Result<std::vector<std::string>> names_of(const CommandLine& line, const Settings& settings, LogReader& log,
                                          UserId user) {
  State state(settings.roles, log.event_types(), static_cast<size_t>(settings.history_limit));
  PERENNIAL_TRY_ASSIGN(const Offset end, log.end());
  if (state.load(line.data).ok()) (void)state.check_log(log);  // what does not fit is emptied, and read anew
  PERENNIAL_TRY(state.catch_up(log, end));
  std::vector<std::string> names;
  for (const UserId identity : state.profiles().identities_of(user)) names.push_back(log.users().name(identity));
  return names;
}

Status run(const CommandLine& line, const std::string& user) {
  PERENNIAL_TRY(open_log_for_reading(line.data).status());  // a mistyped folder is not made
  PERENNIAL_TRY_ASSIGN(const Settings settings, line.settings());
  PERENNIAL_TRY_ASSIGN(const auto log, open_log(line.data, {.repeat_window = settings.repeat_window}));
  const std::optional<UserId> known = log->users().find(user);
  if (!known) {
    PERENNIAL_TRY_ASSIGN(const int64_t slates, erase_slates(line, settings, {user}));
    if (slates == 0) return not_found("no user '{}' in {}", user, line.data);
    fmt::print("User {} is erased: {} served lists, no record.\n", user, slates);
    return {};
  }
  Record erasure;
  erasure.message_id = random_message_id();
  erasure.time = SystemClock().now_ms();
  erasure.user = user;
  erasure.payload = Erasure{};
  // First what else holds the user: killed in between, the command can be given again.
  PERENNIAL_TRY_ASSIGN(std::vector<std::string> names, names_of(line, settings, *log, *known));
  PERENNIAL_TRY(erase_slates(line, settings, std::move(names)).status());
  for (const char* snapshot : {"state.snapshot", "lives.snapshot"}) {
    std::error_code error;
    fs::remove(fs::path(line.data) / snapshot, error);  // the next start folds the log anew
    if (error) return errno_status(error.value(), fmt::format("removing {}", snapshot));
  }
  PERENNIAL_TRY(sync_folder(line.data));
  const Result<AppendOutcome> outcome = log->append({erasure});
  if (!outcome.ok()) return outcome.status();
  fmt::print("User {} is erased: {} identities, all their records.\n", user, outcome->appended);
  return {};
}

}  // namespace

void add_erase_command(CLI::App& app, CommandLine& line) {
  const auto user = std::make_shared<std::string>();
  CLI::App* command = add_command(app, line, "erase", "Forget a user and every identity joined to it",
                                  "perennial erase --data shop user-42", [&line, user] { return run(line, *user); });
  command->add_option("user", *user, "user id")->required();
}

}  // namespace perennial
