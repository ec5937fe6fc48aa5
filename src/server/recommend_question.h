// A request for a list, read from the fields of a body or a query. Covered by server/http_test.cc and
// server/http_controls_test.cc.
#pragma once

#include <string_view>

#include "base/json.h"
#include "recommend/recommender.h"
#include "server/engine.h"

namespace perennial {

struct RecommendQuestion {
  RecommendRequest request;
  Asker asker;  // `after` names the list whose next page is asked for
};

/// invalid_argument, naming the field, for one that is not known or of the wrong kind.
Result<RecommendQuestion> read_question(const json::object& fields);

/// The controls among the fields: filter, include, exclude, pin, boost, diversity, max_per_category, explore.
Result<Controls> read_controls(const json::object& fields);

/// A list of at most 1,000 ids, or none.
Result<std::vector<std::string>> read_ids(const json::object& fields, std::string_view name);

/// Query parameters as the fields of a body, in `memory`. Filters, boosts and lists of ids need a body.
Result<json::object> fields_of_query(std::string_view query, const json::storage_ptr& memory);

}  // namespace perennial
