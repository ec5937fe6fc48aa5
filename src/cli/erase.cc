// perennial erase: forget a user, in the log and in the saved state. Beside a running server use DELETE /v1/users/{id}.
#include "cli/command_line.h"
#include "log/sqlite_log.h"
#include "profiles/state.h"

namespace perennial {
namespace {

Status run(const CommandLine& line, const std::string& user) {
  PERENNIAL_TRY(open_log_for_reading(line.data).status());  // a mistyped folder is not made
  PERENNIAL_TRY_ASSIGN(const Settings settings, line.settings());
  PERENNIAL_TRY_ASSIGN(const auto log, open_log(line.data, {.repeat_window = settings.repeat_window}));
  if (!log->users().find(user)) return not_found("no user '{}' in {}", user, line.data);
  Record erasure;
  erasure.message_id = random_message_id();
  erasure.time = SystemClock().now_ms();
  erasure.user = user;
  erasure.payload = Erasure{};
  // First the snapshots, which hold the user as well: killed in between, the command can be given again.
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
