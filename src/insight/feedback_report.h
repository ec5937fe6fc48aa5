// What became of the lists that were served: seen, clicked, ordered, rated, by where an item stood and why it stood
// there. Events name the list by its recommendation id; each counts once an item of a list, whenever it came. Covered
// by insight/feedback_report_test.cc.
#pragma once

#include <string>

#include "base/files.h"
#include "insight/table.h"
#include "log/event_log.h"

namespace perennial {

struct FeedbackOptions {
  std::string by = "position";  // of first pages; or source, model, variant, surface, stage, score, day, all
  TimeMs from = 0, to = 0;      // of the lists served in [from, to)
};

/// Reads the slates of the time, twice for deciles of scores, and the whole log: seconds for millions of events. Memory
/// is for the events that name a list of the time, about 100 bytes each. invalid_argument for another `by`.
Result<Table> feedback_report(const fs::path& data_folder, LogReader& log, const FeedbackOptions& options);

}  // namespace perennial
