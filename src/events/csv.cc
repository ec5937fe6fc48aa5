#include "events/csv.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "base/text.h"

namespace perennial {
namespace {

constexpr size_t kLineOverhead = sizeof(std::string) * 2;  // counted for each line kept of an open record

bool is_ascii(std::string_view text) {
  uint64_t high = 0;
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    high |= word;
  }
  for (; i < text.size(); ++i) high |= static_cast<uint8_t>(text[i]);
  return (high & 0x8080808080808080ULL) == 0;
}

std::string_view without_carriage_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool contains(std::string_view text, char c) {
  return !text.empty() && std::memchr(text.data(), c, text.size()) != nullptr;
}

}  // namespace

Status check_text(std::string_view text) {
  if (contains(text, '\0'))
    return invalid_argument("holds a NUL byte: not text, or UTF-16 (convert it: iconv -f utf-16 -t utf-8)");
  if (is_ascii(text) || is_utf8(text)) return {};
  return invalid_argument("not UTF-8: convert the file first (iconv -f latin1 -t utf-8, if it is Latin-1)");
}

Status check_line(const Line& line, size_t limit_bytes) {
  if (line.too_long)
    return invalid_argument("line of {} bytes is over the limit of {}", with_commas(static_cast<int64_t>(line.size)),
                            with_commas(static_cast<int64_t>(limit_bytes)));
  return check_text(line.text);
}

void CsvSplitter::begin() {
  state_ = State::field_start;
  text_.clear();
  ends_.clear();
  malformed_ = false;
}

void CsvSplitter::end_field() {
  ends_.push_back(text_.size());
  state_ = State::field_start;
}

size_t CsvSplitter::take_plain(std::string_view line, size_t at) {
  const size_t end = line.find(delimiter_, at);
  const std::string_view piece = line.substr(at, end == std::string_view::npos ? end : end - at);
  if (end == std::string_view::npos) return text_ += without_carriage_return(piece), line.size();
  text_ += piece;
  end_field();
  return end + 1;
}

size_t CsvSplitter::take_quoted(std::string_view line, size_t at) {
  const size_t quote = line.find('"', at);
  text_ += line.substr(at, quote == std::string_view::npos ? quote : quote - at);
  if (quote == std::string_view::npos) return line.size();
  if (quote + 1 < line.size() && line[quote + 1] == '"') return text_ += '"', quote + 2;
  state_ = State::after_quote;
  return quote + 1;
}

CsvSplitter::Outcome CsvSplitter::add(std::string_view line) {
  if (state_ == State::quoted) text_ += '\n';
  for (size_t at = 0; at < line.size() && !malformed_;) {
    const char c = line[at];
    const bool blank = (c == ' ' && delimiter_ != ' ') || (c == '\r' && at + 1 == line.size());
    switch (state_) {
      case State::field_start:
        if (c == '"')
          state_ = State::quoted, ++at;
        else if (blank)
          ++at;
        else
          state_ = State::plain;
        break;
      case State::plain:
        at = take_plain(line, at);
        break;
      case State::quoted:
        at = take_quoted(line, at);
        break;
      case State::after_quote:
        if (c == delimiter_)
          end_field();
        else if (!blank)
          malformed_ = true;
        ++at;
        break;
    }
  }
  if (malformed_) return Outcome::malformed;
  return state_ == State::quoted ? Outcome::open : Outcome::complete;
}

void CsvSplitter::fields(std::vector<std::string_view>& out) const {
  out.clear();
  size_t begin = 0;
  for (const size_t end : ends_) {
    out.emplace_back(text_.data() + begin, end - begin);
    begin = end;
  }
  out.emplace_back(text_.data() + begin, text_.size() - begin);
}

CsvSource::CsvSource(LineSource& lines, char delimiter, size_t limit_bytes)
    : lines_(lines), limit_bytes_(limit_bytes), delimiter_(delimiter), splitter_(delimiter) {}

Result<bool> CsvSource::next_line(Line& line) {
  if (held_.empty()) return lines_.next(line);
  current_ = std::move(held_.front());
  held_.pop_front();
  line = {current_.text, current_.number, current_.size, current_.too_long};
  return true;
}

void CsvSource::reject(CsvRecord& record, Status status) const {
  record.fields.clear();
  record.status = std::move(status);
}

Result<bool> CsvSource::next(CsvRecord& record) {
  Line line;
  do {
    PERENNIAL_TRY_ASSIGN(const bool more, next_line(line));
    if (!more) return false;
  } while (trim(line.text).empty() && !line.too_long);
  record.line = line.number;
  record.text = without_carriage_return(line.text);
  record.status = {};
  Status problem = check_line(line, limit_bytes_);
  const bool quoted = !line.too_long && contains(line.text, '"');
  if (quoted) return next_quoted(line, record, std::move(problem));
  if (!problem.ok()) return reject(record, std::move(problem)), true;
  split_simple(record.text, record);
  return true;
}

void CsvSource::split_simple(std::string_view text, CsvRecord& record) const {
  record.fields.clear();
  while (true) {
    const size_t end = text.find(delimiter_);
    if (end == std::string_view::npos) return record.fields.push_back(text);
    record.fields.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
}

Result<bool> CsvSource::next_quoted(const Line& first, CsvRecord& record, Status problem) {
  taken_.clear();
  splitter_.begin();
  size_t size = 0;
  CsvSplitter::Outcome outcome = splitter_.add(first.text);
  if (outcome == CsvSplitter::Outcome::open)
    taken_.push_back({std::string(first.text), first.number, first.size, false});
  while (outcome == CsvSplitter::Outcome::open) {
    Line line;
    PERENNIAL_TRY_ASSIGN(const bool more, next_line(line));
    if (!more) break;
    taken_.push_back({std::string(line.text), line.number, line.size, line.too_long});
    size += line.text.size() + kLineOverhead;
    if (line.too_long || size + first.text.size() > limit_bytes_ ||
        (field_limit_ > 0 && splitter_.field_count() > field_limit_))
      break;
    if (problem.ok()) problem = check_text(line.text);
    outcome = splitter_.add(line.text);
  }
  if (!taken_.empty() && outcome != CsvSplitter::Outcome::complete) {
    hold_back();
    record.text = without_carriage_return(joined_);
    return reject(record,
                  invalid_argument("quote opened on line {} is not closed: close it, or double a quote that is text",
                                   record.line)),
           true;
  }
  if (!taken_.empty()) {
    joined_.clear();
    for (const HeldLine& line : taken_) joined_.append(joined_.empty() ? "" : "\n").append(line.text);
    record.text = without_carriage_return(joined_);
  }
  if (!problem.ok()) return reject(record, std::move(problem)), true;
  if (outcome == CsvSplitter::Outcome::malformed)
    return reject(record, invalid_argument("text behind the closing quote of column {}: double a quote that is text",
                                           splitter_.field_count())),
           true;
  splitter_.fields(record.fields);
  return true;
}

/// All lines but the first will be read again, before those that are held already.
void CsvSource::hold_back() {
  joined_ = std::move(taken_.front().text);
  held_.insert(held_.begin(), std::make_move_iterator(taken_.begin() + 1), std::make_move_iterator(taken_.end()));
  taken_.clear();
}

}  // namespace perennial
