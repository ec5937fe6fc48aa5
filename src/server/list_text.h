// A list as replies show it.
#pragma once

#include <string>

#include "lifecycle/standing.h"
#include "recommend/recommender.h"
#include "server/stage_objectives.h"
#include "server/views.h"

namespace perennial {

/// The members of the reply's JSON object that are the list's, its items with what the catalogue says of them, and not
/// the request's: from "model" on.
std::string list_members(const Recommendation& list, const ChosenObjective& objective, const Standing& standing,
                         const Catalogue& catalogue, bool explain);

/// The items of a list that was served, as its reply shows them.
json::array items_of(const ServedRecommendation& served);

}  // namespace perennial
