// One cell of a table as people read it, without its place in the table. Covered by insight/table_test.cc.
#pragma once

#include <string>
#include <string_view>

#include "insight/table.h"

namespace perennial {

/// Characters, not bytes: a terminal shows each of ours in one place.
size_t width_of(std::string_view text);

/// Filled up with blanks to `width`, in front of it when it goes to the right.
std::string padded(const std::string& text, size_t width, bool right);

/// A number with its unit and thousands separators, a date, a sparkline; empty when there is nothing to say. In a heat
/// column what is large is rounded: whole percents, whole units of money.
std::string cell_text(const Table& table, const Column& column, const Cell& cell);

/// The cell as a number; 0 when it is none.
double number_of(const Cell& cell);

/// ▁ to █ for 0 to 1.
const char* shade_of(double part);

/// One of the 256 colours of terminals for 0 to 1, from dark blue to sea green: readable under white.
int colour_of(double part);

}  // namespace perennial
