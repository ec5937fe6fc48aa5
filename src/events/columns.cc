#include "events/columns.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"

namespace perennial {
namespace {

/// Names as they are compared, the best known first.
struct Aliases {
  Column column;
  std::string_view names;
};

constexpr Aliases kUserAliases = {
    Column::user_id,
    " userid user customerid customer visitorid memberid member accountid clientid uid shopperid"
    " buyerid householdid personid subscriberid playerid reviewerid anonymousid deviceuserid "};
constexpr Aliases kItemAliases = {
    Column::item_id,
    " itemid item productid product sku stockcode movieid movie articleid article contentid"
    " contentassetid assetid videoid trackid songid artistid bookid isbn asin parentasin gameid"
    " businessid courseid postid adid goodsid iid "};
constexpr Aliases kTypeAliases = {Column::event,
                                  " event eventtype eventname type action behavior behaviour behaviortype activity "};
constexpr Aliases kEventAliases[] = {
    kUserAliases,
    kItemAliases,
    kTypeAliases,
    {Column::timestamp,
     " timestamp time datetime eventtime occurredat date ts invoicedate orderdate purchasedate transactiontimestamp"
     " transactiondate ratingtimestamp unixtimestamp unixtime unixreviewtime createdat "},
    {Column::value, " value rating score stars overall weight strength "},
    {Column::quantity, " quantity qty units "},
    {Column::price, " price unitprice itemprice "},
    {Column::amount, " amount revenue lineamount linetotal salesvalue total "},
    {Column::currency, " currency currencycode "},
    {Column::session_id, " sessionid session "},
    {Column::device, " device devicetype "},
    {Column::recommendation_id, " recommendationid "},
    {Column::message_id, " messageid "},
};
constexpr Aliases kItemFileAliases[] = {
    {Column::item_id, kItemAliases.names},
    {Column::title, " title name itemname productname producttitle movietitle "},
    {Column::description, " description desc productdescription "},
    {Column::category, " category categories genre genres productcategory "},
    {Column::brand, " brand manufacturer "},
    {Column::price, " price unitprice itemprice "},
    {Column::currency, " currency currencycode "},
    {Column::image_url, " imageurl image imagelink pictureurl picture "},
    {Column::available, " available availability instock "},
    {Column::created_at, " createdat "},
    {Column::lat, " lat latitude "},
    {Column::lon, " lon lng longitude "},
    {Column::timestamp, " timestamp updatedat "},
    {Column::message_id, " messageid "},
};
constexpr Aliases kUserFileAliases[] = {
    kUserAliases,
    {Column::timestamp, " timestamp updatedat "},
    {Column::message_id, " messageid "},
};

std::span<const Aliases> aliases_of(FileContent content) {
  if (content == FileContent::items) return kItemFileAliases;
  if (content == FileContent::users) return kUserFileAliases;
  return kEventAliases;
}

std::string comparable(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == ' ' || c == '_' || c == '-' || c == '.') continue;
    text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return text;
}

/// The place of the name in the list, lower is better known; npos when it is not there.
size_t rank_of(std::string_view names, const std::string& name) {
  return name.empty() || name.find(' ') != std::string::npos ? std::string_view::npos : names.find(" " + name + " ");
}

bool holds_any(std::span<const std::string> comparables, const Aliases& aliases) {
  return std::any_of(comparables.begin(), comparables.end(),
                     [&](const std::string& name) { return rank_of(aliases.names, name) != std::string_view::npos; });
}

std::string list_of(std::span<const std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) {
    if (list.size() > 400) return list + ", ...";
    list += fmt::format("{}'{:.60}'", list.empty() ? "" : ", ", name);
  }
  return list;
}

class Mapper {
 public:
  Mapper(std::span<const std::string_view> names, const ReaderOptions& options) : names_(names), options_(options) {
    for (const std::string_view name : names) comparables_.push_back(comparable(name));
    map_.content = options.content;
    map_.columns.assign(names.size(), Column::other);
  }

  Result<ColumnMap> run() {
    PERENNIAL_TRY(check_doubles());
    PERENNIAL_TRY(choose_content());
    PERENNIAL_TRY(apply_options());
    for (const Aliases& aliases : aliases_of(map_.content)) PERENNIAL_TRY(find(aliases));
    if (map_.content == FileContent::items) find_bare_id(Column::item_id);
    if (map_.content == FileContent::users) find_bare_id(Column::user_id);
    PERENNIAL_TRY(check_needed());
    PERENNIAL_TRY(check_clashes());
    return std::move(map_);
  }

 private:
  Status check_doubles() const {
    std::unordered_set<std::string_view> seen;
    for (const std::string_view name : names_)
      if (!name.empty() && !seen.insert(name).second)
        return invalid_argument("column '{:.60}' occurs twice in the header: rename one of them", name);
    return {};
  }

  [[nodiscard]] bool mapped_by_option(Column column) const { return options_.columns.contains(column_name(column)); }

  Status choose_content() {
    if (map_.content != FileContent::detect) return {};
    const bool user = mapped_by_option(Column::user_id) || holds_any(comparables_, kUserAliases);
    const bool item = mapped_by_option(Column::item_id) || holds_any(comparables_, kItemAliases);
    const bool event = mapped_by_option(Column::event) || holds_any(comparables_, kTypeAliases);
    if (!user && !item)
      return invalid_argument(
          "no column for a user or an item among {}: map them with --column user_id=NAME and --column item_id=NAME, or "
          "say "
          "what the rows are with --content",
          list_of(names_));
    map_.content = user && (item || event) ? FileContent::events : user ? FileContent::users : FileContent::items;
    return {};
  }

  Status apply_options() {
    const auto aliases = aliases_of(map_.content);
    for (const auto& mapping : options_.columns) {
      const std::string& standard = mapping.first;
      const std::string& given = mapping.second;
      const auto known = std::find_if(aliases.begin(), aliases.end(),
                                      [&](const Aliases& entry) { return standard == column_name(entry.column); });
      if (known == aliases.end())
        return invalid_argument("no column '{}' to map to: want {}", standard, standard_names());
      const auto place = std::find(names_.begin(), names_.end(), given);
      if (place == names_.end())
        return invalid_argument("column '{}', mapped to {}, is not in the header: {}", given, standard,
                                list_of(names_));
      Column& column = map_.columns[static_cast<size_t>(place - names_.begin())];
      if (column != Column::other)
        return invalid_argument("column '{}' is mapped to both {} and {}", given, column_name(column), standard);
      column = known->column;
    }
    return {};
  }

  [[nodiscard]] std::string standard_names() const {
    std::string list;
    for (const Aliases& entry : aliases_of(map_.content))
      list += fmt::format("{}{}", list.empty() ? "" : ", ", column_name(entry.column));
    return list;
  }

  [[nodiscard]] bool found(Column column) const {
    return std::find(map_.columns.begin(), map_.columns.end(), column) != map_.columns.end();
  }

  Status find(const Aliases& aliases) {
    if (found(aliases.column)) return {};
    size_t best_rank = std::string_view::npos;
    size_t best = 0;
    size_t equals = 0;
    for (size_t i = 0; i < names_.size(); ++i) {
      const size_t rank =
          map_.columns[i] == Column::other ? rank_of(aliases.names, comparables_[i]) : std::string_view::npos;
      if (rank == std::string_view::npos || rank > best_rank) continue;
      equals = rank == best_rank ? equals + 1 : 1;
      best_rank = rank;
      best = i;
    }
    if (equals > 1)
      return invalid_argument("several columns could be {0}: {1}; choose with --column {0}=NAME",
                              column_name(aliases.column), list_of(names_));
    if (equals == 1) map_.columns[best] = aliases.column;
    return {};
  }

  void find_bare_id(Column column) {
    if (found(column)) return;
    const auto place = std::find(comparables_.begin(), comparables_.end(), "id");
    if (place != comparables_.end()) map_.columns[static_cast<size_t>(place - comparables_.begin())] = column;
  }

  /// True for columns that are stored in the JSON object beside the others (events/flat_row.h).
  [[nodiscard]] bool is_field(Column column) const {
    if (map_.content == FileContent::users) return false;
    if (map_.content == FileContent::events)
      return column == Column::price || column == Column::quantity || column == Column::session_id;
    return column != Column::item_id && column != Column::timestamp && column != Column::message_id &&
           column != Column::other;
  }

  /// A column that keeps its name must not have the name under which another is stored.
  Status check_clashes() const {
    for (size_t i = 0; i < names_.size(); ++i)
      for (const Column column : map_.columns)
        if (map_.columns[i] == Column::other && is_field(column) && names_[i] == column_name(column))
          return invalid_argument("column '{0}' and another one would both be {0}: rename it in the file", names_[i]);
    return {};
  }

  Status check_needed() const {
    const Column needed = map_.content == FileContent::items ? Column::item_id : Column::user_id;
    if (!found(needed)) return missing(needed);
    if (map_.content == FileContent::events && !found(Column::item_id) && !found(Column::event))
      return missing(Column::item_id);
    return {};
  }

  [[nodiscard]] Status missing(Column column) const {
    return invalid_argument("no column for {0} among {1}: map one with --column {0}=NAME", column_name(column),
                            list_of(names_));
  }

  std::span<const std::string_view> names_;
  const ReaderOptions& options_;
  std::vector<std::string> comparables_;
  ColumnMap map_;
};

}  // namespace

const char* column_name(Column column) {
  static constexpr std::array<const char*, kColumns + 1> kNames = {
      "user_id",  "item_id",    "event",     "timestamp",         "value",      "quantity", "price",       "amount",
      "currency", "session_id", "device",    "recommendation_id", "message_id", "title",    "description", "category",
      "brand",    "image_url",  "available", "created_at",        "lat",        "lon",      "other"};
  return kNames[static_cast<size_t>(column)];
}

bool looks_like_header(std::span<const std::string_view> names) {
  std::vector<std::string> comparables;
  for (const std::string_view name : names) comparables.push_back(comparable(name));
  return holds_any(comparables, kUserAliases) || holds_any(comparables, kItemAliases);
}

Result<ColumnMap> map_columns(std::span<const std::string_view> names, const ReaderOptions& options) {
  return Mapper(names, options).run();
}

}  // namespace perennial
