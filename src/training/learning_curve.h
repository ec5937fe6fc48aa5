// A run's learning curve, one JSON line an epoch (`learning_curve.jsonl` of a model), drawn for a terminal.
#pragma once

#include <string>
#include <string_view>

namespace perennial {

/// Loss and validation by epoch as two rows of blocks, with their first and best values; a row whose values are all the
/// same, or that has none, is left out. Empty for fewer than two epochs.
std::string draw_learning_curve(std::string_view json_lines);

}  // namespace perennial
