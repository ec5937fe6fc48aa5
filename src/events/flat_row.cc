#include "events/flat_row.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "base/text.h"
#include "events/roles.h"

namespace perennial {
namespace {

constexpr double kLargestQuantity = 1e15;

Result<double> number_of(const Cells& cells, Column column) {
  Result<double> number = parse_number(cells[column]);
  if (!number.ok()) return invalid_argument("'{}' must be a number, got '{:.40}'", column_name(column), cells[column]);
  return number;
}

Status set_time(const Cells& cells, Record& record) {
  if (cells[Column::timestamp].empty()) return {};
  const Result<TimeMs> time = parse_timestamp(cells[Column::timestamp]);
  if (!time.ok()) return time.status().with_context("'timestamp'");
  record.time = *time;
  return {};
}

/// Weighed goods have fractions: the event counts whole pieces, the properties keep the number.
Status set_quantity(const Cells& cells, Event& event, double& exact, JsonObjectText& others) {
  if (cells[Column::quantity].empty()) return {};
  PERENNIAL_TRY_ASSIGN(exact, number_of(cells, Column::quantity));
  if (!(std::fabs(exact) <= kLargestQuantity))
    return invalid_argument("'quantity' is too large: {:.40}", cells[Column::quantity]);
  event.quantity = std::llround(exact);
  if (static_cast<double>(event.quantity) == exact) return {};
  if (event.quantity == 0) event.quantity = exact < 0 ? -1 : 1;
  append_json_cell(others.field("quantity"), cells[Column::quantity]);
  return {};
}

Status set_money(const Cells& cells, std::string_view currency, double quantity, Event& event, JsonObjectText& others) {
  if (!cells[Column::currency].empty()) currency = cells[Column::currency];
  double amount = NAN;
  if (!cells[Column::price].empty()) {
    PERENNIAL_TRY_ASSIGN(const double price, number_of(cells, Column::price));
    amount = price * quantity;
    append_json_cell(others.field("price"), cells[Column::price]);
  }
  if (!cells[Column::amount].empty()) {
    PERENNIAL_TRY_ASSIGN(amount, number_of(cells, Column::amount));
  }
  if (std::isnan(amount)) return {};
  PERENNIAL_TRY_ASSIGN(event.amount, money_from_major(amount, currency));
  return {};
}

Result<bool> availability_of(std::string_view text) {
  std::string word(text);
  for (char& c : word) c = c == '_' || c == '-' ? ' ' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  constexpr std::string_view kYes[] = {"true", "1", "yes", "y", "in stock", "available", "preorder", "backorder"};
  constexpr std::string_view kNo[] = {"false", "0", "no", "n", "out of stock", "unavailable", "discontinued"};
  if (std::find(std::begin(kYes), std::end(kYes), word) != std::end(kYes)) return true;
  if (std::find(std::begin(kNo), std::end(kNo), word) != std::end(kNo)) return false;
  return invalid_argument("'available' must be true or false, got '{:.40}'", text);
}

Status add_number(const Cells& cells, Column column, double lowest, double highest, JsonObjectText& fields) {
  if (cells[column].empty()) return {};
  PERENNIAL_TRY_ASSIGN(const double number, number_of(cells, column));
  if (number < lowest || number > highest)
    return invalid_argument("'{}' must be from {} to {}, got '{:.40}'", column_name(column), lowest, highest,
                            cells[column]);
  fmt::format_to(std::back_inserter(fields.field(column_name(column))), "{}", number);
  return {};
}

void add_text(const Cells& cells, Column column, JsonObjectText& fields) {
  if (!cells[column].empty()) append_json_string(fields.field(column_name(column)), cells[column]);
}

/// Elements of 'a', "b" with or without brackets; false when the text is not such a list.
bool append_quoted_list(std::string& out, std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') text = trim(text.substr(1, text.size() - 2));
  std::string list;
  while (!text.empty()) {
    const char quote = text.front();
    const size_t end = quote == '\'' || quote == '"' ? text.find(quote, 1) : std::string_view::npos;
    if (end == std::string_view::npos) return false;
    if (!list.empty()) list += ',';
    append_json_string(list, text.substr(1, end - 1));
    text = trim(text.substr(end + 1));
    if (text.empty()) break;
    if (text.front() != ',') return false;
    text = trim(text.substr(1));
  }
  return out.append(list), true;
}

bool append_json_elements(std::string& out, std::string_view text) {
  if (text.front() != '[') return false;
  const Result<json::value> value = parse_json(text);
  if (!value.ok() || !value->is_array()) return false;
  const std::string_view elements = trim(text);
  out += elements.substr(1, elements.size() - 2);
  return true;
}

void append_split(std::string& out, std::string_view text) {
  for (bool first = true; !text.empty(); first = false) {
    const size_t end = std::min(text.find('|'), text.size());
    if (!first) out += ',';
    append_json_string(out, trim(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

void append_json_list(std::string& out, std::string_view text) {
  out += '[';
  if (!text.empty() && !append_json_elements(out, text) && !append_quoted_list(out, text)) append_split(out, text);
  out += ']';
}

Status check_not_negative(const char* column, std::string_view id) {
  if (id.size() < 2 || id[0] != '-') return {};
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!std::all_of(id.begin() + 1, id.end(), is_digit)) return {};
  return invalid_argument("'{}' is a negative number: {:.40}", column, id);
}

RowBuilder::RowBuilder(FileContent content, const ReaderOptions& options, TimeMs now)
    : content_(content), event_type_(options.event_type), currency_(options.currency), now_(now) {}

Status RowBuilder::build(const Cells& cells, JsonObjectText& others, Record& record) const {
  PERENNIAL_TRY(check_not_negative("user_id", cells[Column::user_id]));
  PERENNIAL_TRY(check_not_negative("item_id", cells[Column::item_id]));
  record.user = cells[Column::user_id];
  record.item = cells[Column::item_id];
  if (!cells[Column::message_id].empty()) record.message_id = message_id_of(cells[Column::message_id]);
  PERENNIAL_TRY(set_time(cells, record));
  if (content_ == FileContent::items) {
    PERENNIAL_TRY(build_item(cells, others, record));
  } else if (content_ == FileContent::users) {
    record.payload = UserTraits{others.finish_object()};
  } else {
    PERENNIAL_TRY(build_event(cells, others, record));
  }
  return validate(record, now_);
}

Status RowBuilder::build_event(const Cells& cells, JsonObjectText& others, Record& record) const {
  if (record.user.empty()) return invalid_argument("'user_id' is empty");
  auto& event = record.payload.emplace<Event>();
  if (!cells[Column::value].empty()) {
    PERENNIAL_TRY_ASSIGN(const double value, number_of(cells, Column::value));
    event.value = static_cast<float>(value);
  }
  if (!cells[Column::event].empty())
    record.type = cells[Column::event];
  else if (record.item.empty())
    return invalid_argument("'item_id' is empty, and so is 'event'");
  else if (!event_type_.empty())
    record.type = event_type_;
  else
    record.type = std::isnan(event.value) ? "interaction" : "rating";
  double quantity = 1;
  PERENNIAL_TRY(set_quantity(cells, event, quantity, others));
  PERENNIAL_TRY(set_money(cells, currency_, quantity, event, others));
  if (is_refund_type(record.type)) {
    event.quantity = -std::abs(event.quantity);
    if (event.amount) event.amount->minor_units = -std::abs(event.amount->minor_units);
  }
  add_text(cells, Column::session_id, others);
  event.device = cells[Column::device];
  event.recommendation_id = cells[Column::recommendation_id];
  event.properties = others.finish();
  return {};
}

Status RowBuilder::build_item(const Cells& cells, JsonObjectText& others, Record& record) const {
  for (const Column column : {Column::title, Column::description, Column::brand, Column::currency, Column::image_url})
    add_text(cells, column, others);
  if (!cells[Column::category].empty()) append_json_list(others.field("category"), cells[Column::category]);
  PERENNIAL_TRY(add_number(cells, Column::price, 0, 1e15, others));
  PERENNIAL_TRY(add_number(cells, Column::lat, -90, 90, others));
  PERENNIAL_TRY(add_number(cells, Column::lon, -180, 180, others));
  if (!cells[Column::available].empty()) {
    PERENNIAL_TRY_ASSIGN(const bool available, availability_of(cells[Column::available]));
    others.field("available") += available ? "true" : "false";
  }
  if (!cells[Column::created_at].empty()) {
    const Result<TimeMs> created = parse_timestamp(cells[Column::created_at]);
    if (!created.ok()) return created.status().with_context("'created_at'");
    append_json_string(others.field("created_at"), format_iso8601(*created));
  }
  record.payload = ItemUpsert{others.finish_object()};
  return {};
}

}  // namespace perennial
