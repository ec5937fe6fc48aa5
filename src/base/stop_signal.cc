#include "base/stop_signal.h"

#include <csignal>

namespace perennial {
namespace {

volatile std::sig_atomic_t stopping = 0;

void on_signal(int number) {
  stopping = 1;
  std::signal(number, SIG_DFL);
}

}  // namespace

void install_stop_signals() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGPIPE, SIG_IGN);
}

bool stop_requested() { return stopping != 0; }

}  // namespace perennial
