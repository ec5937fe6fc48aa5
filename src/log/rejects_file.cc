#include "log/rejects_file.h"

#include <unistd.h>

#include <cerrno>

namespace perennial {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\t')
      out += "\\t";
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\\')
      out += "\\\\";
    else
      out += c;
  }
  return out;
}

}  // namespace

Status RejectsFile::add(int64_t line, std::string_view reason, std::string_view text) {
  if (file_ == nullptr) {
    file_.reset(std::fopen(path_.c_str(), "we"));
    if (file_ == nullptr) return errno_status(errno, fmt::format("creating {} for rejected rows", path_.string()));
    PERENNIAL_TRY(write("line\treason\ttext\n"));
  }
  return write(fmt::format("{}\t{}\t{}\n", line, escaped(reason), escaped(text)));
}

Status RejectsFile::flush() {
  if (file_ == nullptr) return {};
  if (std::fflush(file_.get()) == 0 && ::fdatasync(::fileno(file_.get())) == 0) return {};
  return errno_status(errno, fmt::format("writing {}", path_.string()));
}

Status RejectsFile::write(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size()) return {};
  return errno_status(errno, fmt::format("writing {}", path_.string()));
}

}  // namespace perennial
