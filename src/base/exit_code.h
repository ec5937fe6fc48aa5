// What the programs' exit codes mean; `perennial --help` says it too.
#pragma once

#include "base/status.h"

namespace perennial {

enum ExitCode : int {
  kExitDone = 0,
  kExitFailed = 1,        // disk full, broken file, a bug
  kExitUsage = 2,         // the command line or the input is wrong
  kExitStopped = 3,       // stopped by Ctrl-C or SIGTERM; the same command goes on
  kExitPrecondition = 4,  // right input, wrong state: no log yet, no model yet, another writer
};

inline ExitCode exit_code_of(const Status& status) {
  switch (status.code()) {
    case Code::ok:
      return kExitDone;
    case Code::invalid_argument:
      return kExitUsage;
    case Code::cancelled:
      return kExitStopped;
    case Code::not_found:
    case Code::already_exists:
    case Code::failed_precondition:
      return kExitPrecondition;
    default:
      return kExitFailed;
  }
}

}  // namespace perennial
