// What an event says of a list that was shown. Covered by events/feedback_kind_test.cc.
#pragma once

#include <string_view>

namespace perennial {

enum class FeedbackKind { impression, click, order, rating, other };
const char* feedback_kind_name(FeedbackKind kind);

/// By the event's type: Segment's commerce names and their plain kin ("impression", "click", "purchase").
FeedbackKind feedback_kind(std::string_view event_type);

}  // namespace perennial
