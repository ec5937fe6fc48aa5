// The UCI Online Retail data for benches: two years of invoice lines from the files
// online_retail_II_2009-2010_525461.tsv.xz and online_retail_541909_noinvoice.tsv.xz of a folder (needs xz). Rows: with
// a customer, a price above 0. The overlap of the files, 2010-12-01 to 09, is taken from the second file alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/text.h"

namespace perennial::online_retail {

inline constexpr int kYear = 365;  // 2010-12-01, in days since 2009-12-01: where the second file begins

struct Row {
  std::string customer;
  std::string product;
  double quantity = 0;
  double price = 0;
  double day = 0;  // since 2009-12-01, with its fraction
};

inline TimeMs date(std::string_view text) { return parse_iso8601(text).value(); }
inline constexpr double kMsOfOneDay = 86'400'000;

/// Where the columns stand: Description, Quantity, InvoiceDate, price, customer follow each other in both files.
inline std::optional<Row> parse_row(std::string_view line, size_t description) {
  std::vector<std::string_view> fields;
  while (true) {
    const size_t end = line.find('\t');
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) break;
    line.remove_prefix(end + 1);
  }
  if (fields.size() < description + 5) return std::nullopt;
  const auto quantity = parse_number(fields[description + 1]);
  const auto time = parse_iso8601(fields[description + 2]);
  const auto price = parse_number(fields[description + 3]);
  const std::string_view customer = fields[description + 4];
  if (!quantity.ok() || !time.ok() || !price.ok() || *price <= 0 || !parse_number(customer).ok()) return std::nullopt;
  const double day = static_cast<double>(*time - date("2009-12-01")) / kMsOfOneDay;
  return Row{std::string(customer), std::string(fields[description]), *quantity, *price, day};
}

inline std::optional<std::vector<Row>> read_rows(const std::string& path, size_t description, double first_day,
                                                 double end_day) {
  if (path.find('\'') != std::string::npos) return std::nullopt;
  FILE* pipe = popen(fmt::format("xz -dc '{}'", path).c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  std::vector<Row> rows;
  char* line = nullptr;
  size_t room = 0;
  for (ssize_t length = 0; (length = getline(&line, &room, pipe)) > 0;) {
    const auto row = parse_row(std::string_view(line, static_cast<size_t>(length - 1)), description);
    if (row && row->day >= first_day && row->day < end_day) rows.push_back(*row);
  }
  free(line);
  if (pclose(pipe) != 0 || rows.empty()) return std::nullopt;
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.day < b.day; });
  return rows;
}

/// Of rows in [from, until), those that no cancellation of the same interval takes away.
inline std::vector<Row> sales(const std::vector<Row>& rows, double from, double until) {
  std::map<std::tuple<std::string, std::string, double, double>, std::vector<size_t>> open;
  std::vector<Row> kept;
  std::vector<bool> cancelled;
  for (const Row& row : rows) {
    if (row.day < from || row.day >= until) continue;
    auto& same = open[{row.customer, row.product, row.price, std::abs(row.quantity)}];
    if (row.quantity > 0) {
      same.push_back(kept.size());
      kept.push_back(row);
      cancelled.push_back(false);
    } else if (!same.empty()) {
      cancelled[same.back()] = true;
      same.pop_back();
    }
  }
  size_t i = 0;
  std::erase_if(kept, [&](const Row&) { return cancelled[i++]; });
  return kept;
}

/// Money by day, of each customer.
using Days = std::map<int, double>;
inline std::map<std::string, Days> by_customer(const std::vector<Row>& rows) {
  std::map<std::string, Days> customers;
  for (const Row& row : rows) customers[row.customer][static_cast<int>(row.day)] += row.price * row.quantity;
  return customers;
}

struct Period {
  double purchases = 0;
  double money = 0;
};
inline Period sum_of(const Days& days, int from, int until) {
  Period period;
  for (auto day = days.lower_bound(from); day != days.end() && day->first < until; ++day) {
    ++period.purchases;
    period.money += day->second;
  }
  return period;
}

/// Both years, by time; nullopt when a file is missing or broken.
inline std::optional<std::vector<Row>> read_both_years(const std::string& folder) {
  auto rows = read_rows(folder + "/online_retail_II_2009-2010_525461.tsv.xz", 2, 0, kYear);
  const auto later = read_rows(folder + "/online_retail_541909_noinvoice.tsv.xz", 0, kYear, 2 * kYear);
  if (!rows || !later) return std::nullopt;
  rows->insert(rows->end(), later->begin(), later->end());
  return rows;
}

}  // namespace perennial::online_retail
