// Text as it comes from outside: UTF-8, dates, numbers for people.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace perennial {

/// True when the bytes are UTF-8 as Unicode defines it: shortest forms, no surrogates, at most U+10FFFF.
bool is_utf8(std::string_view bytes);

/// ISO 8601 date or date and time to milliseconds since 1970 UTC: `2026-03-01`, `2026-03-01T10:20:30`, with a space in
/// the place of T, fractions of a second (cut after milliseconds), `Z` or `+hh:mm`, `+hhmm`; no zone means UTC.
Result<TimeMs> parse_iso8601(std::string_view text);

/// A timestamp as files hold it: ISO 8601, or a number of seconds, milliseconds, microseconds since 1970, told apart by
/// size (below 1e11 seconds, below 1e14 milliseconds, else microseconds). Fractions of seconds are kept.
Result<TimeMs> parse_timestamp(std::string_view text);

/// `2026-03-01T10:20:30.123Z`. Times before year 0 or after 9999 are written as the first or last of them.
std::string format_iso8601(TimeMs time);

/// `1,000,209`.
std::string with_commas(int64_t number);

/// `850 ms`, `12.3 s`, `4 min 05 s`, `2 h 10 min`. Negative and NaN are `0 ms`.
std::string format_duration(double seconds);

/// UTF-8 from outside as a terminal may show it: each control character (U+0000 to U+001F, U+007F to U+009F), which
/// could move the cursor or worse, is a dot.
std::string printable(std::string_view text);

/// Whole text to a number; nothing may be left over.
Result<double> parse_number(std::string_view text);
Result<int64_t> parse_integer(std::string_view text);

/// "10m" with units "smh" of 1, 60 and 3,600; invalid_argument, naming the flag, when it is something else.
Result<double> parse_amount(std::string_view flag, const std::string& text, std::string_view units,
                            std::span<const double> sizes);

/// "800M" or "4G" of memory, in bytes.
Result<int64_t> parse_bytes(std::string_view flag, const std::string& text);

/// Without blanks (space, tab, CR) at both ends.
std::string_view trim(std::string_view text);

/// The trimmed parts between commas that are not empty.
std::vector<std::string> split_at_commas(std::string_view text);

/// The candidate that takes fewest changes of a character to become `name`; empty when there is none.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace perennial
