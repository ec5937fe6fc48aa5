#include "delivery/export_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace perennial {

std::vector<HandoverResult> ExportFile::hand_over(std::span<const Letter> letters) {
  std::string lines;
  for (const Letter& letter : letters) lines += letter.body + '\n';
  return std::vector(letters.size(), append(std::move(lines)));
}

HandoverResult ExportFile::append(std::string lines) {
  const std::lock_guard lock(mutex_);
  const auto failed = [this](const char* what) {
    return HandoverResult{Handover::again, fmt::format("{} {}: {}", what, path_.string(), std::strerror(errno)), {}};
  };
  const int file = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return failed("opening");
  const off_t size = ::lseek(file, 0, SEEK_END);
  if (size == 0) {  // before anything is in it: what is in a file that is not there after a power cut is lost
    const fs::path folder = path_.has_parent_path() ? path_.parent_path() : ".";
    if (const Status saved = sync_folder(folder); !saved.ok()) {
      ::close(file);
      return {Handover::again, saved.message(), {}};
    }
  }
  char last = '\n';
  if (size > 0 && ::pread(file, &last, 1, size - 1) != 1) last = 0;
  // A line that a crash cut off ends here, and does not spoil this one.
  if (last != '\n') lines.insert(lines.begin(), '\n');
  const ssize_t written = ::write(file, lines.data(), lines.size());
  HandoverResult result{Handover::delivered, "", {}};
  if (written >= 0 && written < static_cast<ssize_t>(lines.size()))
    result = {Handover::again, fmt::format("{} took only {} of {} bytes", path_.string(), written, lines.size()), {}};
  else if (written < 0)
    result = failed("writing");
  else if (::fdatasync(file) != 0)
    result = failed("saving");
  // What is there would be handed over twice, and half a line would spoil the next one.
  if (result.handover != Handover::delivered && written > 0 &&
      ::ftruncate(file, ::lseek(file, 0, SEEK_END) - written) != 0)
    result = failed("taking back lines of");
  ::close(file);
  return result;
}

}  // namespace perennial
