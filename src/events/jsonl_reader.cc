#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "events/csv.h"
#include "events/readers.h"
#include "events/segment.h"

namespace perennial {
namespace {

bool is_segment_message(const json::object& object) {
  const json::value* type = find_field(object, "type");
  if (type == nullptr || !type->is_string() || !is_segment_call(type->get_string())) return false;
  return object.contains("userId") || object.contains("anonymousId") || object.contains("messageId");
}

/// The objects whose fields count as the row's own.
bool is_nested_object(std::string_view name, const json::value& value) {
  return (name == "properties" || name == "traits") && value.is_object();
}

bool is_id(Column column) {
  return column == Column::user_id || column == Column::item_id || column == Column::message_id;
}

class JsonlReader final : public LineFileReader {
 public:
  using LineFileReader::LineFileReader;

  /// Learns the content from the first line that can be read; next() gives the first one.
  Status begin() {
    PERENNIAL_TRY_ASSIGN(const bool more, next_line(line_));
    if (!more) return invalid_argument("file is empty");
    waiting_ = true;
    const Result<json::object> object = parse_line();
    if (!object.ok()) return {};  // a later line will tell
    if (is_segment_message(*object)) return file_.shape.content = FileContent::events, Status();
    return map_keys(*object);
  }

  Result<std::optional<Row>> next() override {
    if (!std::exchange(waiting_, false)) {
      PERENNIAL_TRY_ASSIGN(const bool more, next_line(line_));
      if (!more) return std::optional<Row>();
    }
    Row row;
    Status status = read_row(row);
    if (!status.ok()) return std::optional<Row>(make_rejected_row(line_.number, std::move(status), trim(line_.text)));
    row.line = line_.number;
    return std::optional<Row>(std::move(row));
  }

 private:
  Result<json::object> parse_line() const {
    PERENNIAL_TRY(check_line(line_, file_.options.line_limit_bytes));
    PERENNIAL_TRY_ASSIGN(json::object object, parse_json_object(trim(line_.text)));
    PERENNIAL_TRY(check_finite(object));
    return object;
  }

  Status read_row(Row& row) {
    PERENNIAL_TRY_ASSIGN(json::object object, parse_line());
    if (is_segment_message(object)) return read_segment(object, row);
    Status mapped = map_keys(object);
    return mapped.ok() ? read_flat(object, row.records.emplace_back()) : mapped;
  }

  /// A message in a file is not on its way: what it says of its time stands, and without it the event has none.
  Status read_segment(json::object& message, Row& row) const {
    const bool received = find_field(message, "receivedAt") != nullptr;
    bool timed = received;
    for (const char* name : {"timestamp", "originalTimestamp"}) timed = timed || find_field(message, name) != nullptr;
    const json::value* sent = find_field(message, "sentAt");
    if (!timed && sent != nullptr) {
      message["timestamp"] = json::value(*sent);
      timed = true;
    }
    if (!received) message.erase("sentAt");
    PERENNIAL_TRY_ASSIGN(row.records, records_of_segment_message(message, {}, file_.now, file_.options.currency));
    if (!timed)
      for (Record& record : row.records) record.time = kNoTime;
    if (find_field(message, "messageId") != nullptr) return {};
    for (Record& record : row.records)
      if (kind_of(record.payload) != RecordKind::identity_merge || row.records.size() == 1) record.message_id = {};
    return {};
  }

  /// The map of the object's names; lines of the same names in the same order share it.
  Status map_keys(const json::object& object) {
    size_t index = 0;
    bool same = mapped_;
    const auto visit = [&](std::string_view name) {
      same = same && index < names_.size() && names_[index] == name;
      ++index;
    };
    for_each_field(object, [&](std::string_view name, const json::value&) { visit(name); });
    if (same && index == names_.size()) return {};
    mapped_ = false;
    names_.clear();
    for_each_field(object, [&](std::string_view name, const json::value&) { names_.emplace_back(name); });
    const std::vector<std::string_view> views(names_.begin(), names_.end());
    ReaderOptions options = file_.options;
    if (options.content == FileContent::detect) options.content = file_.shape.content;
    std::erase_if(options.columns, [&](const auto& mapping) {
      return std::find(names_.begin(), names_.end(), mapping.second) == names_.end();
    });
    PERENNIAL_TRY_ASSIGN(map_, map_columns(views, options));
    file_.shape.content = map_.content;
    builder_.emplace(map_.content, file_.options, file_.now);
    mapped_ = true;
    return {};
  }

  template <typename Visit>
  static void for_each_field(const json::object& object, const Visit& visit) {
    for (const auto& [name, value] : object) {
      if (!is_nested_object(name, value)) {
        visit(std::string_view(name), value);
        continue;
      }
      for (const auto& [inner, inner_value] : value.get_object())
        if (!object.contains(inner)) visit(std::string_view(inner), inner_value);
    }
  }

  Status read_flat(const json::object& object, Record& record) {
    cells_.clear();
    others_.clear();
    texts_.clear();
    texts_.reserve(names_.size());  // cells point into it
    Status status;
    size_t index = 0;
    for_each_field(object, [&](std::string_view name, const json::value& value) {
      const Column column = map_.columns[index++];
      if (value.is_null() || !status.ok()) return;
      if (column == Column::other)
        others_.field(name) += json::serialize(value);
      else
        status = set_cell(name, value, is_id(column), cells_[column]);
    });
    return status.ok() ? builder_->build(cells_, others_, record) : status;
  }

  Status set_cell(std::string_view name, const json::value& value, bool is_id, std::string_view& cell) {
    if (value.is_string()) {
      cell = trim(value.get_string());
      return {};
    }
    if (value.is_object()) return invalid_argument("'{:.60}' must not be an object", name);
    if (is_id && (value.is_bool() || value.is_array()))
      return invalid_argument("'{:.60}' must be a string or a whole number", name);
    // A whole number of more than 64 bits has lost digits, and two ids would be one. 7.0 is what pandas writes.
    if (is_id && value.is_double() &&
        !(value.get_double() == std::floor(value.get_double()) && std::fabs(value.get_double()) < 0x1p53))
      return invalid_argument("'{:.60}' must be a string, or a whole number of at most 64 bits", name);
    if (value.is_double())
      texts_.push_back(fmt::format("{}", value.get_double()));
    else
      texts_.push_back(json::serialize(value));
    cell = texts_.back();
    return {};
  }

  Line line_;
  bool waiting_ = false;  // line_ is read and not yet given
  bool mapped_ = false;
  std::vector<std::string> names_;
  ColumnMap map_;
  std::optional<RowBuilder> builder_;
  Cells cells_;
  JsonObjectText others_;
  std::vector<std::string> texts_;
};

}  // namespace

Result<std::unique_ptr<FileReader>> make_jsonl_reader(OpenFile file) {
  auto reader = std::make_unique<JsonlReader>(std::move(file));
  PERENNIAL_TRY(reader->begin());
  return std::unique_ptr<FileReader>(std::move(reader));
}

}  // namespace perennial
