#include "log/raw_json.h"

#include <charconv>

#include "base/json.h"

namespace perennial {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    else
      out += c;
  }
  out += '"';
}

/// Takes values and punctuation off the front of a text. Never reads past its end.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool take(char wanted) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  /// The text of the next value; empty when there is none.
  std::string_view take_value() {
    skip_blanks();
    const size_t first = at_;
    int depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (depth == 0 && at_ > first && (c == ',' || c == ']' || c == '}' || c == ':')) break;
      if (c == '"')
        skip_string();
      else
        ++at_;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      if (depth == 0 && (c == '"' || c == '}' || c == ']')) break;
    }
    std::string_view value = text_.substr(first, at_ - first);
    const size_t last = value.find_last_not_of(kBlanks);
    return depth != 0 || last == std::string_view::npos ? std::string_view() : value.substr(0, last + 1);
  }

 private:
  void skip_blanks() { at_ = std::min(text_.find_first_not_of(kBlanks, at_), text_.size()); }

  void skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
      if (text_[at_] == '\\') ++at_;
    at_ = std::min(at_ + 1, text_.size());
  }

  std::string_view text_;
  size_t at_ = 0;
};

Status damaged(std::string_view text) {
  return data_loss("a record's body is not the JSON that was written: '{:.60}'", text);
}

}  // namespace

void ObjectWriter::begin_field(std::string_view key) {
  out_ += out_.empty() ? '{' : ',';
  out_ += '"';
  out_ += key;
  out_ += "\":";
}

void ObjectWriter::add_text(std::string_view key, std::string_view text) {
  if (text.empty()) return;
  begin_field(key);
  append_quoted(out_, text);
}

void ObjectWriter::add_number(std::string_view key, float number) {
  begin_field(key);
  out_ += fmt::format("{}", number);
}

void ObjectWriter::add_raw(std::string_view key, std::string_view json) {
  if (json.empty()) return;
  begin_field(key);
  out_ += json;
}

std::string ObjectWriter::finish() {
  if (!out_.empty()) out_ += '}';
  return std::move(out_);
}

Status for_each_field(std::string_view object, const std::function<Status(std::string_view, std::string_view)>& visit) {
  Scanner scanner(object);
  if (!scanner.take('{')) return damaged(object);
  if (scanner.take('}')) return {};
  do {
    const std::string_view key = scanner.take_value();
    if (key.size() < 2 || key.front() != '"' || !scanner.take(':')) return damaged(object);
    const std::string_view value = scanner.take_value();
    if (value.empty()) return damaged(object);
    PERENNIAL_TRY(visit(key.substr(1, key.size() - 2), value));
  } while (scanner.take(','));
  return scanner.take('}') ? Status() : damaged(object);
}

Status read_raw(std::string_view raw, std::string& text) {
  if (raw.size() < 2 || raw.front() != '"') return damaged(raw);
  text = raw.substr(1, raw.size() - 2);
  if (text.find('\\') == std::string::npos) return {};
  const Result<json::value> parsed = parse_json(raw);
  if (!parsed.ok() || !parsed->is_string()) return damaged(raw);
  text = std::string(parsed->get_string());
  return {};
}

Status read_raw(std::string_view raw, float& number) {
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), number);
  return error == std::errc() && end == raw.data() + raw.size() ? Status() : damaged(raw);
}

}  // namespace perennial
