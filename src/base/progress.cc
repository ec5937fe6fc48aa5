#include "base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/clock.h"
#include "base/text.h"

namespace perennial {
namespace {
constexpr double kTerminalInterval = 0.1;
constexpr double kPlainInterval = 10;
constexpr int kBarWidth = 24;
}  // namespace

Progress::Progress(std::string label, int64_t total, std::string unit)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      started_(monotonic_seconds()),
      drawn_(started_),
      terminal_(::isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  if (!finished_ && terminal_ && drawn_ > started_) std::fputc('\n', stderr);
}

void Progress::update(int64_t done, std::string_view detail) {
  if (finished_) return;
  done_ = done;
  const double now = monotonic_seconds();
  if (now - drawn_ < (terminal_ ? kTerminalInterval : kPlainInterval)) return;
  drawn_ = now;
  draw(detail, false);
}

void Progress::finish(std::string_view detail) {
  if (finished_) return;
  finished_ = true;
  if (total_ > 0) done_ = total_;
  draw(detail, true);
}

void Progress::draw(std::string_view detail, bool last) {
  const double elapsed = std::max(1e-9, monotonic_seconds() - started_);
  const double rate = static_cast<double>(done_) / elapsed;
  std::string line = label_;
  if (total_ > 0) {
    const double share = std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0);
    if (terminal_) {
      const int filled = static_cast<int>(share * kBarWidth);
      line += "  ";
      for (int i = 0; i < kBarWidth; ++i) line += i < filled ? "━" : "╌";
    }
    line += fmt::format("  {:3.0f} %", share * 100);
    if (!last && rate > 0)
      line += fmt::format("  {} left", format_duration(static_cast<double>(total_ - done_) / rate));
  }
  line += fmt::format("  {} {}/s", with_commas(static_cast<int64_t>(rate)), unit_);
  if (last) line += fmt::format("  in {}", format_duration(elapsed));
  if (!detail.empty()) line += fmt::format("  {}", detail);
  if (terminal_)
    std::fprintf(stderr, "\r\x1b[2K%s%s", line.c_str(), last ? "\n" : "");
  else
    std::fprintf(stderr, "%s\n", line.c_str());
  std::fflush(stderr);
}

}  // namespace perennial
