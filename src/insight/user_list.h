// The users behind a number: who stands in a stage, since when, last seen when. Covered by insight/user_list_test.cc.
#pragma once

#include <optional>
#include <string>

#include "insight/population.h"
#include "insight/table.h"

namespace perennial {

struct UserListOptions {
  std::optional<Stage> stage;      // none: every
  std::optional<Overlay> overlay;  // none: every; Overlay::none: those without one
  int64_t limit = 20;              // at least 0
  std::string money_signal = "value";
};

/// invalid_argument, listing the names, for another.
Result<Stage> parse_stage(std::string_view name);
Result<Overlay> parse_overlay(std::string_view name);

/// The users that match, those with most money first, then by the latest activity: stage, overlay, since when (of the
/// last change of either), last activity, orders, money. The explanation says how many match in all.
Result<Table> user_list(const Lives& lives, const Dictionary& users, const UserListOptions& options,
                        const std::string& currency, TimeMs now);

}  // namespace perennial
