#include "base/text.h"
#include "events/csv.h"
#include "events/readers.h"

namespace perennial {
namespace {

class CsvReader final : public LineFileReader {
 public:
  explicit CsvReader(OpenFile file)
      : LineFileReader(std::move(file)),
        source_(*file_.lines, file_.shape.delimiter[0], file_.options.line_limit_bytes) {}

  Status begin() {
    PERENNIAL_TRY_ASSIGN(const bool more, source_.next(csv_));
    if (!more) return invalid_argument("file is empty");
    if (!csv_.status.ok()) return csv_.status.with_context("header");
    std::vector<std::string> names = header_names();
    const std::vector<std::string_view> views(names.begin(), names.end());
    PERENNIAL_TRY_ASSIGN(ColumnMap map, map_columns(views, file_.options));
    file_.shape.content = map.content;
    columns_ = std::move(map.columns);
    for (const std::string& name : names) keys_.push_back(JsonObjectText::quoted_key(name));
    source_.set_field_limit(columns_.size() + kSpareFields);
    builder_.emplace(map.content, file_.options, file_.now);
    return {};
  }

  Result<std::optional<Row>> next() override {
    PERENNIAL_TRY_ASSIGN(const bool more, source_.next(csv_));
    if (!more) return std::optional<Row>();
    Record record;
    Status status = csv_.status.ok() ? read_record(record) : csv_.status;
    return std::optional<Row>(make_row(csv_.line, std::move(record), std::move(status), csv_.text));
  }

 private:
  static constexpr size_t kSpareFields = 1;  // some writers end each row with a delimiter

  /// The header's names; nameless columns (pandas' index) become column_3.
  [[nodiscard]] std::vector<std::string> header_names() const {
    std::vector<std::string> names;
    for (const std::string_view field : csv_.fields) {
      names.emplace_back(trim(field));
      if (names.back().empty()) names.back() = fmt::format("column_{}", names.size());
    }
    return names;
  }

  Status read_record(Record& record) {
    while (csv_.fields.size() > columns_.size() && trim(csv_.fields.back()).empty()) csv_.fields.pop_back();
    if (csv_.fields.size() != columns_.size())
      return invalid_argument("row has {} columns, the header has {}: quote fields that hold the delimiter",
                              csv_.fields.size(), columns_.size());
    cells_.clear();
    others_.clear();
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string_view cell = trim(csv_.fields[i]);
      if (columns_[i] != Column::other)
        cells_[columns_[i]] = cell;
      else if (!cell.empty())
        append_json_cell(others_.field_by_key(keys_[i]), cell);
    }
    return builder_->build(cells_, others_, record);
  }

  CsvSource source_;
  CsvRecord csv_;
  std::vector<Column> columns_;
  std::vector<std::string> keys_;  // of the columns, ready to write
  std::optional<RowBuilder> builder_;
  Cells cells_;
  JsonObjectText others_;
};

}  // namespace

Result<std::unique_ptr<FileReader>> make_csv_reader(OpenFile file) {
  auto reader = std::make_unique<CsvReader>(std::move(file));
  PERENNIAL_TRY(reader->begin());
  return std::unique_ptr<FileReader>(std::move(reader));
}

}  // namespace perennial
