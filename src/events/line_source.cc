#include "events/line_source.h"

#include <algorithm>
#include <cstring>

namespace perennial {
namespace {

constexpr size_t kBufferBytes = 128 << 10;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

LineSource::LineSource(std::unique_ptr<ByteSource> source) : source_(std::move(source)), buffer_(kBufferBytes) {}

Result<std::unique_ptr<LineSource>> LineSource::open(const fs::path& path) {
  PERENNIAL_TRY_ASSIGN(auto bytes, ByteSource::open(path));
  std::unique_ptr<LineSource> lines(new LineSource(std::move(bytes)));
  PERENNIAL_TRY_ASSIGN(const std::string_view start, lines->peek());
  if (start.starts_with(kByteOrderMark)) lines->begin_ += kByteOrderMark.size();
  return lines;
}

Status LineSource::fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) buffer_.resize(std::min(2 * buffer_.size(), limit_ + kBufferBytes));
  Result<size_t> count = source_->read(buffer_.data() + end_, buffer_.size() - end_);
  if (!count.ok()) return count.status().with_context(fmt::format("after line {}", number_));
  end_ += *count;
  ended_ = *count == 0;
  return {};
}

Result<std::string_view> LineSource::peek() {
  while (end_ - begin_ < kPeekBytes && !ended_) {
    const Status filled = fill();
    if (filled.ok()) continue;
    if (end_ == begin_) return filled;
    break;  // what is there can be looked at; next() fails again where the good bytes end
  }
  return std::string_view(buffer_.data() + begin_, std::min(end_ - begin_, kPeekBytes));
}

void LineSource::give(Line& line, size_t size, bool newline) {
  line.number = ++number_;
  line.size = size;
  line.too_long = size > limit_;
  line.text = {buffer_.data() + begin_, line.too_long ? std::min(size, kShownBytes + 1) : size};
  begin_ += size + (newline ? 1 : 0);
}

Result<bool> LineSource::next(Line& line) {
  size_t searched = 0;
  while (true) {
    const char* start = buffer_.data() + begin_;
    const auto* newline = static_cast<const char*>(std::memchr(start + searched, '\n', end_ - begin_ - searched));
    if (newline != nullptr) return give(line, static_cast<size_t>(newline - start), true), true;
    searched = end_ - begin_;
    if (ended_ && searched == 0) return false;
    if (ended_) return give(line, searched, false), true;
    if (searched > limit_) return skip_long_line(line);
    PERENNIAL_TRY(fill());
  }
}

Result<bool> LineSource::skip_long_line(Line& line) {
  shown_.assign(buffer_.data() + begin_, std::min(end_ - begin_, kShownBytes + 1));
  line.size = 0;
  const char* newline = nullptr;
  while (newline == nullptr && !ended_) {
    newline = static_cast<const char*>(std::memchr(buffer_.data() + begin_, '\n', end_ - begin_));
    const size_t piece = newline == nullptr ? end_ - begin_ : static_cast<size_t>(newline - buffer_.data()) - begin_;
    line.size += piece;
    begin_ += piece + (newline == nullptr ? 0 : 1);
    if (newline == nullptr) PERENNIAL_TRY(fill());
  }
  line.number = ++number_;
  line.text = shown_;
  line.too_long = true;
  return true;
}

}  // namespace perennial
