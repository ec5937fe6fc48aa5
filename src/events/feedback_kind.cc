#include "events/feedback_kind.h"

#include <algorithm>
#include <array>

#include "events/roles.h"

namespace perennial {
namespace {

struct NamedKind {
  std::string_view type;  // as comparable_type writes it
  FeedbackKind kind;
};

constexpr std::array kKinds = {
    NamedKind{"impression", FeedbackKind::impression},
    NamedKind{"product impression", FeedbackKind::impression},
    NamedKind{"product list viewed", FeedbackKind::impression},
    NamedKind{"promotion viewed", FeedbackKind::impression},
    NamedKind{"recommendation viewed", FeedbackKind::impression},
    NamedKind{"impressions", FeedbackKind::impression},
    NamedKind{"view item list", FeedbackKind::impression},
    NamedKind{"view", FeedbackKind::click},
    NamedKind{"view item", FeedbackKind::click},
    NamedKind{"select item", FeedbackKind::click},
    NamedKind{"click", FeedbackKind::click},
    NamedKind{"product clicked", FeedbackKind::click},
    NamedKind{"product viewed", FeedbackKind::click},
    NamedKind{"promotion clicked", FeedbackKind::click},
    NamedKind{"recommendation clicked", FeedbackKind::click},
    NamedKind{"video content started", FeedbackKind::click},
    NamedKind{"video playback started", FeedbackKind::click},
    NamedKind{"order", FeedbackKind::order},
    NamedKind{"order completed", FeedbackKind::order},
    NamedKind{"purchase", FeedbackKind::order},
    NamedKind{"buy", FeedbackKind::order},
    NamedKind{"transaction", FeedbackKind::order},
    NamedKind{"rating", FeedbackKind::rating},
    NamedKind{"rate", FeedbackKind::rating},
    NamedKind{"product rated", FeedbackKind::rating},
    NamedKind{"product reviewed", FeedbackKind::rating},
    NamedKind{"review", FeedbackKind::rating},
};

}  // namespace

const char* feedback_kind_name(FeedbackKind kind) {
  switch (kind) {
    case FeedbackKind::impression:
      return "impression";
    case FeedbackKind::click:
      return "click";
    case FeedbackKind::order:
      return "order";
    case FeedbackKind::rating:
      return "rating";
    case FeedbackKind::other:
      return "other";
  }
  return "other";
}

FeedbackKind feedback_kind(std::string_view event_type) {
  const std::string name = comparable_type(event_type);
  const auto found =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const NamedKind& named) { return named.type == name; });
  return found == kKinds.end() ? FeedbackKind::other : found->kind;
}

}  // namespace perennial
