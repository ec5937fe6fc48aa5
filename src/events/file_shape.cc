#include "events/file_shape.h"

#include <algorithm>

#include "base/text.h"
#include "events/columns.h"
#include "events/csv.h"

namespace perennial {
namespace {

constexpr size_t kSampleLines = 50;
constexpr size_t kMostShown = 80;

struct Magic {
  std::string_view bytes;
  const char* advice;
};

using namespace std::string_view_literals;

constexpr Magic kNotText[] = {
    {"\xFD"
     "7zXZ\0"sv,
     "compressed with xz: unpack it first (xz -dk)"},
    {"\x28\xB5\x2F\xFD"sv, "compressed with zstd: unpack it first (zstd -d)"},
    {"BZh91AY&SY"sv, "compressed with bzip2: unpack it first (bzip2 -dk)"},
    {"PK\x03\x04"sv, "a zip archive or a spreadsheet: unpack it, or save the sheet as CSV"},
    {"PAR1"sv, "Parquet: write it as CSV or JSONL first"},
    {"SQLite format 3\0"sv, "an SQLite database: write its table as CSV first"},
    {"\xFF\xFE"sv, "UTF-16: convert it first (iconv -f utf-16 -t utf-8)"},
    {"\xFE\xFF"sv, "UTF-16: convert it first (iconv -f utf-16 -t utf-8)"},
};

/// The lines of the sample that are not blank; the last, which may be cut, only when it is the only one.
std::vector<std::string_view> lines_of(std::string_view start, bool whole) {
  std::vector<std::string_view> lines;
  while (!start.empty() && lines.size() < kSampleLines) {
    const size_t end = start.find('\n');
    const bool cut = end == std::string_view::npos && !whole;
    const std::string_view line = trim(start.substr(0, end));
    if (!line.empty() && (!cut || lines.empty())) lines.push_back(line);
    start.remove_prefix(end == std::string_view::npos ? start.size() : end + 1);
  }
  return lines;
}

bool is_number(std::string_view text) { return parse_number(text).ok(); }

bool has_digit(std::string_view text) { return text.find_first_of("0123456789") != std::string_view::npos; }

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  constexpr std::string_view kBlanks = " \t\r";
  for (size_t at = line.find_first_not_of(kBlanks); at != std::string_view::npos;
       at = line.find_first_not_of(kBlanks, at)) {
    const size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

/// The number of fields that all lines have, or 0.
size_t common_width(const std::vector<std::string_view>& lines, std::string_view delimiter) {
  const size_t width = split(lines.front(), delimiter).size();
  const bool all = std::all_of(lines.begin(), lines.end(),
                               [&](std::string_view line) { return split(line, delimiter).size() == width; });
  return all ? width : 0;
}

/// Seconds or more since 1970, of the years in which there were log files.
bool is_unix_time(std::string_view text) {
  const Result<int64_t> number = parse_integer(text);
  return number.ok() && *number >= 100'000'000;
}

class Detector {
 public:
  /// `cut`: the only line goes on.
  Detector(std::vector<std::string_view> lines, bool cut, const ReaderOptions& options)
      : lines_(std::move(lines)), cut_(cut), options_(options) {}

  Result<FileShape> run() {
    const Layout layout = options_.layout == Layout::detect ? detect_layout() : options_.layout;
    switch (layout) {
      case Layout::jsonl:
        return FileShape{layout, options_.content, ""};
      case Layout::csv:
        return FileShape{layout, options_.content, std::string(1, csv_delimiter(lines_.front()))};
      case Layout::sequence:
        return FileShape{layout, FileContent::events, ""};
      case Layout::double_colon:
        return table(layout, "::");
      case Layout::tab:
        return table(layout, table_delimiter());
      case Layout::detect:
        break;
    }
    return unknown();
  }

 private:
  /// The delimiter that the line has most often outside quotes.
  static char csv_delimiter(std::string_view line) {
    size_t counts[4] = {};
    constexpr std::string_view kDelimiters = ",;\t|";
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      const size_t index = quoted ? std::string_view::npos : kDelimiters.find(c);
      if (index != std::string_view::npos) ++counts[index];
    }
    return kDelimiters[static_cast<size_t>(std::max_element(counts, counts + 4) - counts)];
  }

  [[nodiscard]] std::string table_delimiter() const {
    for (const char* delimiter : {"\t", "|"})
      if (lines_.front().find(delimiter) != std::string_view::npos) return delimiter;
    return " ";
  }

  [[nodiscard]] Layout detect_layout() const {
    const std::string_view first = lines_.front();
    if (first.front() == '{') return cut_ || first.back() == '}' ? Layout::jsonl : Layout::detect;
    if (first.front() == '[') return Layout::detect;
    if (split(first, "::").size() >= 3) return Layout::double_colon;
    if (is_header(first)) return Layout::csv;
    if (is_table("\t") || is_table("|") || is_timed_table()) return Layout::tab;
    if (is_sequence()) return Layout::sequence;
    const bool one_word = lines_.size() > 1 && words_of(first).size() == 1;
    return one_word || first.find_first_of(",;\t|") != std::string_view::npos ? Layout::csv : Layout::detect;
  }

  [[nodiscard]] bool is_header(std::string_view line) const {
    std::vector<std::string_view> names = split(line, std::string(1, csv_delimiter(line)));
    for (std::string_view& name : names)
      if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
    const auto is_mapped = [&](const auto& mapping) {
      return std::find(names.begin(), names.end(), mapping.second) != names.end();
    };
    return looks_like_header(names) || std::any_of(options_.columns.begin(), options_.columns.end(), is_mapped);
  }

  [[nodiscard]] bool is_table(std::string_view delimiter) const {
    const size_t width = common_width(lines_, delimiter);
    const auto fields = split(lines_.front(), delimiter);
    if (width < 2 || !is_number(fields[0])) return false;
    if (delimiter == "|") return width == 5 || width >= 10;  // u.user; u.item
    return width <= 4 && std::all_of(fields.begin(), fields.end(), has_digit);
  }

  /// user item rating time split by blanks: a sequence would not end in a time on each line.
  [[nodiscard]] bool is_timed_table() const {
    const size_t width = common_width(lines_, " ");
    return (width == 3 || width == 4) && std::all_of(lines_.begin(), lines_.end(), [](std::string_view line) {
             const auto words = words_of(line);
             return !words.empty() && is_unix_time(words.back());
           });
  }

  [[nodiscard]] bool is_sequence() const {
    const auto words = words_of(lines_.front());
    const bool plain = lines_.front().find_first_of(",;|\"{}[]") == std::string_view::npos;
    return plain && words.size() >= 2 && std::all_of(words.begin(), words.end(), has_digit);
  }

  Result<FileShape> table(Layout layout, std::string delimiter) const {
    FileContent content = options_.content;
    if (content == FileContent::detect) content = table_content(delimiter);
    if (content == FileContent::detect)
      return invalid_argument("cannot tell whether '{:.80}' is an event, an item or a user: say so with --content",
                              lines_.front());
    return FileShape{layout, content, std::move(delimiter)};
  }

  /// By the shapes of MovieLens' files.
  [[nodiscard]] FileContent table_content(std::string_view delimiter) const {
    const auto fields = split(lines_.front(), delimiter);
    const auto is_gender = [](std::string_view text) { return text == "F" || text == "M"; };
    if (fields.size() == 5 && (is_gender(fields[1]) || is_gender(fields[2]))) return FileContent::users;
    if (delimiter == "|") return fields.size() >= 10 ? FileContent::items : FileContent::detect;
    if (fields.size() == 3 && !is_number(fields[1]) && !is_number(fields[2])) return FileContent::items;
    return fields.size() >= 2 && fields.size() <= 4 ? FileContent::events : FileContent::detect;
  }

  [[nodiscard]] Status unknown() const {
    const std::string_view first = lines_.front();
    if (first.front() == '{')
      return invalid_argument("first line is not a whole JSON object: want one object a line (jq -c . makes that)");
    if (first.front() == '[')
      return invalid_argument("file holds a JSON array: want one JSON object a line (jq -c '.[]' makes that)");
    if (looks_like_header(words_of(first)))
      return invalid_argument("header '{:.{}}' is split by blanks: split the columns by comma, semicolon or tab", first,
                              kMostShown);
    return invalid_argument("cannot tell the layout from the first line '{:.{}}': say it with --layout", first,
                            kMostShown);
  }

  std::vector<std::string_view> lines_;
  bool cut_;
  const ReaderOptions& options_;
};

}  // namespace

std::vector<std::string_view> split(std::string_view text, std::string_view delimiter) {
  std::vector<std::string_view> fields;
  while (true) {
    const size_t end = text.find(delimiter);
    fields.push_back(trim(text.substr(0, end)));
    if (end == std::string_view::npos) return fields;
    text.remove_prefix(end + delimiter.size());
  }
}

Result<FileShape> shape_of(std::string_view start, bool whole, const ReaderOptions& options) {
  for (const Magic& magic : kNotText)
    if (start.starts_with(magic.bytes)) return invalid_argument("file is not text but {}", magic.advice);
  if (start.find('\n') == std::string_view::npos && start.find('\r') < start.size() - 1 && !start.empty())
    return invalid_argument("lines end in carriage returns only: convert the file first (tr '\\r' '\\n')");
  std::vector<std::string_view> lines = lines_of(start, whole);
  if (lines.empty() && whole) return invalid_argument("file is empty");
  if (lines.empty()) return invalid_argument("file begins with {} bytes of blanks: not a table", start.size());
  const bool cut = lines.size() == 1 && !whole && start.find('\n') == std::string_view::npos;
  // A cut line may end within a character: look at what stands before the last blank or comma.
  std::string_view first = lines.front();
  if (cut) first = first.substr(0, first.find_last_of(" ,;\t:\""));
  const Status text = check_text(first);
  if (!text.ok() && (options.layout == Layout::detect || options.layout == Layout::csv))
    return text.with_context("first line");
  std::erase_if(lines, [&](std::string_view line) {
    return lines.size() > 1 && line.data() != lines.front().data() && !check_text(line).ok();
  });
  return Detector(std::move(lines), cut, options).run();
}

}  // namespace perennial
