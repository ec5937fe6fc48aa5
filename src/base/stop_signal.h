// SIGINT and SIGTERM as a flag: the first asks for an orderly end, a second one ends the process at once.
#pragma once

namespace perennial {

/// Call once at the start of main. Also ignores SIGPIPE: a closed pipe is an error code, not a death.
void install_stop_signals();

/// True once SIGINT or SIGTERM has come. Any thread.
bool stop_requested();

}  // namespace perennial
