#include "events/csv.h"
#include "events/readers.h"

namespace perennial {
namespace {

constexpr size_t kLineLimitFactor = 64;  // a line holds a user's whole life

/// `user item item item ...`: a row an item, without times.
class SequenceReader final : public LineFileReader {
 public:
  explicit SequenceReader(OpenFile file)
      : LineFileReader(std::move(file)),
        type_(file_.options.event_type.empty() ? "interaction" : file_.options.event_type),
        limit_bytes_(file_.options.line_limit_bytes * kLineLimitFactor) {
    file_.lines->set_limit(limit_bytes_);
  }

  Result<std::optional<Row>> next() override {
    std::string_view item = take_word();
    if (item.empty()) {
      PERENNIAL_TRY_ASSIGN(const bool more, next_line(line_));
      if (!more) return std::optional<Row>();
      Status status = begin_line();
      if (!status.ok()) return std::optional<Row>(make_rejected_row(line_.number, std::move(status), line_.text));
      item = take_word();
    }
    Record record;
    Status status = make_event(item, record);
    return std::optional<Row>(make_row(line_.number, std::move(record), std::move(status), item));
  }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

  std::string_view take_word() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
    size_t size = 0;
    while (size < rest_.size() && !is_blank(rest_[size])) ++size;
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return word;
  }

  /// Takes the user off the line, which on failure is done with.
  Status begin_line() {
    rest_ = {};
    PERENNIAL_TRY(check_line(line_, limit_bytes_));
    rest_ = line_.text;
    user_ = take_word();
    Record probe;
    Status status = make_event("1", probe);
    const std::string_view items = rest_;
    if (status.ok() && take_word().empty())
      status = invalid_argument("user '{:.40}' has no items: want user item item ...", user_);
    rest_ = status.ok() ? items : std::string_view();
    return status;
  }

  Status make_event(std::string_view item, Record& record) const {
    PERENNIAL_TRY(check_not_negative("user_id", user_));
    PERENNIAL_TRY(check_not_negative("item_id", item));
    record.user = user_;
    record.item = item;
    record.type = type_;
    return validate(record, file_.now);
  }

  std::string type_;
  size_t limit_bytes_;
  Line line_;
  std::string_view user_;
  std::string_view rest_;  // of the line
};

}  // namespace

Result<std::unique_ptr<FileReader>> make_sequence_reader(OpenFile file) {
  return std::unique_ptr<FileReader>(std::make_unique<SequenceReader>(std::move(file)));
}

}  // namespace perennial
