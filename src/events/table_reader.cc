#include "base/text.h"
#include "events/csv.h"
#include "events/readers.h"

namespace perennial {
namespace {

constexpr size_t kMostFields = 64;

/// Tables without a header, as MovieLens has them.
class TableReader final : public LineFileReader {
 public:
  explicit TableReader(OpenFile file)
      : LineFileReader(std::move(file)), builder_(file_.shape.content, file_.options, file_.now) {}

  Result<std::optional<Row>> next() override {
    Line line;
    PERENNIAL_TRY_ASSIGN(const bool more, next_line(line));
    if (!more) return std::optional<Row>();
    Record record;
    Status status = check_line(line, file_.options.line_limit_bytes);
    if (status.ok()) status = read_record(trim_line(line.text), record);
    return std::optional<Row>(make_row(line.number, std::move(record), std::move(status), trim_line(line.text)));
  }

 private:
  static std::string_view trim_line(std::string_view text) {
    if (text.ends_with('\r')) text.remove_suffix(1);
    return text;
  }

  void split_fields(std::string_view text) {
    const std::string_view delimiter = file_.shape.delimiter;
    count_ = 0;
    while (count_ < kMostFields) {
      const size_t end = text.find(delimiter);
      fields_[count_++] = trim(text.substr(0, end));
      if (end == std::string_view::npos) return;
      text.remove_prefix(end + delimiter.size());
    }
    ++count_;  // more than any table has
  }

  Status read_record(std::string_view text, Record& record) {
    split_fields(text);
    cells_.clear();
    others_.clear();
    switch (file_.shape.content) {
      case FileContent::items:
        PERENNIAL_TRY(read_item(text));
        break;
      case FileContent::users:
        PERENNIAL_TRY(read_user());
        break;
      default:
        PERENNIAL_TRY(read_event());
    }
    return builder_.build(cells_, others_, record);
  }

  [[nodiscard]] Status wrong_count(const char* wanted) const {
    return invalid_argument("row has {} columns split by '{}', want {}", count_,
                            file_.shape.delimiter == "\t" ? "TAB" : file_.shape.delimiter, wanted);
  }

  Status read_event() {
    if (count_ < 2 || count_ > 4) return wrong_count("user, item, rating, time, or the first two or three of them");
    cells_[Column::user_id] = fields_[0];
    cells_[Column::item_id] = fields_[1];
    // Without a fourth column a large third one is the time.
    const bool time_third = count_ == 3 && fields_[2].size() >= 9 && parse_integer(fields_[2]).ok();
    if (time_third)
      cells_[Column::timestamp] = fields_[2];
    else if (count_ >= 3)
      cells_[Column::value] = fields_[2];
    if (count_ == 4) cells_[Column::timestamp] = fields_[3];
    if (fields_[1].empty()) return invalid_argument("'item_id' is empty");
    return {};
  }

  /// item::title::a|b, in which the title may hold the delimiter; u.item has more and pipes.
  Status read_item(std::string_view text) {
    const bool pipes = file_.shape.delimiter == "|";
    if (count_ < 2 || (pipes && count_ > kMostFields)) return wrong_count("item, title, categories");
    cells_[Column::item_id] = fields_[0];
    cells_[Column::title] = fields_[1];
    if (pipes) {
      if (count_ > 2 && !fields_[2].empty()) append_json_string(others_.field("released"), fields_[2]);
      if (count_ > 4 && !fields_[4].empty()) append_json_string(others_.field("url"), fields_[4]);
      return read_genre_flags();
    }
    if (count_ == 2) return {};
    const std::string_view delimiter = file_.shape.delimiter;
    const size_t first = text.find(delimiter) + delimiter.size();
    const size_t last = text.rfind(delimiter);
    cells_[Column::title] = trim(text.substr(first, last - first));
    cells_[Column::category] = trim(text.substr(last + delimiter.size()));
    return {};
  }

  Status read_genre_flags() {
    static constexpr std::string_view kGenres[] = {"unknown",   "Action",   "Adventure",   "Animation", "Children's",
                                                   "Comedy",    "Crime",    "Documentary", "Drama",     "Fantasy",
                                                   "Film-Noir", "Horror",   "Musical",     "Mystery",   "Romance",
                                                   "Sci-Fi",    "Thriller", "War",         "Western"};
    constexpr size_t kFirstFlag = 5;
    categories_.clear();
    if (count_ != kFirstFlag + std::size(kGenres)) return {};
    for (size_t i = 0; i < std::size(kGenres); ++i)
      if (fields_[kFirstFlag + i] == "1") categories_.append(categories_.empty() ? "" : "|").append(kGenres[i]);
    cells_[Column::category] = categories_;
    return {};
  }

  Status read_user() {
    if (count_ != 5) return wrong_count("user, gender, age, occupation, zip code");
    cells_[Column::user_id] = fields_[0];
    const bool age_first = fields_[2] == "F" || fields_[2] == "M";  // u.user
    append_json_cell(others_.field("gender"), fields_[age_first ? 2 : 1]);
    append_json_cell(others_.field("age"), fields_[age_first ? 1 : 2]);
    append_json_cell(others_.field("occupation"), fields_[3]);
    append_json_string(others_.field("zip_code"), fields_[4]);
    return {};
  }

  RowBuilder builder_;
  std::array<std::string_view, kMostFields> fields_;
  size_t count_ = 0;
  Cells cells_;
  JsonObjectText others_;
  std::string categories_;
};

}  // namespace

Result<std::unique_ptr<FileReader>> make_table_reader(OpenFile file) {
  return std::unique_ptr<FileReader>(std::make_unique<TableReader>(std::move(file)));
}

}  // namespace perennial
