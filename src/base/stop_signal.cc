#include "base/stop_signal.h"

#include <atomic>
#include <csignal>

namespace perennial {
namespace {

std::atomic<bool> stopping{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // a signal handler may set it

void on_signal(int) {
  stopping = true;
  for (const int number : {SIGINT, SIGTERM}) std::signal(number, SIG_DFL);
}

}  // namespace

void install_stop_signals() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGPIPE, SIG_IGN);
}

bool stop_requested() { return stopping; }

}  // namespace perennial
