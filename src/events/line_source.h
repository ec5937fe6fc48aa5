// The lines of a file, plain or gzip, in bounded memory however long a line is. What every line-based layout reads
// from. Covered by line_source_test.cc.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "events/byte_source.h"

namespace perennial {

/// Bytes of a line that a report shows.
inline constexpr size_t kShownBytes = 500;

/// Bytes of a file that detection looks at.
inline constexpr size_t kPeekBytes = 64 << 10;

struct Line {
  std::string_view
      text;  // without the newline, with a carriage return before it; of a too long one the first kShownBytes + 1
  int64_t number = 0;  // from 1
  size_t size = 0;     // of the whole line, bytes
  bool too_long = false;
};

/// Thread rule: one thread an object.
class LineSource {
 public:
  /// A byte order mark of UTF-8 at the start is skipped.
  static Result<std::unique_ptr<LineSource>> open(const fs::path& path);

  /// Longer lines come cut, with `too_long` set. Memory is about the limit and a buffer of 128 KiB, and is taken only
  /// when a line needs it.
  void set_limit(size_t bytes) { limit_ = bytes; }

  /// The bytes that come next, at most kPeekBytes, without taking them: what detection looks at.
  Result<std::string_view> peek();

  /// True when the last peek gave all that is left.
  [[nodiscard]] bool peeked_all() const { return ended_ && end_ - begin_ <= kPeekBytes; }

  /// False at the end. `line` is good until the next call. On failure (data_loss) the message tells the line reached;
  /// the piece of a line before a cut is not given.
  Result<bool> next(Line& line);

  /// Of the file, compressed if it is.
  [[nodiscard]] int64_t bytes_read() const { return source_->bytes_read(); }

 private:
  explicit LineSource(std::unique_ptr<ByteSource> source);
  Status fill();
  Result<bool> skip_long_line(Line& line);
  void give(Line& line, size_t size, bool newline);

  std::unique_ptr<ByteSource> source_;
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t limit_ = size_t{1} << 20;
  int64_t number_ = 0;  // of the last line given
  bool ended_ = false;
  std::string shown_;  // of a long line
};

}  // namespace perennial
