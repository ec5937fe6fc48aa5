// What an event type means: which events enter the history, may be predicted, count as value, or are ignored.
// Declared in the config under [events.roles]; a type that is not listed has the default role of its preset.
// Types are compared without case, and `_` and `-` stand for a blank: "Product Viewed" is product_viewed.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/status.h"

namespace perennial {

/// Flags. Ignored is none of them: kept in the log, part of no fold's history.
struct EventRole {
  bool token = false;     // enters the history, so the model reads it
  bool target = false;    // the model learns to predict it; implies token
  bool value = false;     // counts for stages and money
  bool negative = false;  // against the item: not shown to the user again before a later token of theirs for it

  bool operator==(const EventRole&) const = default;
};

class EventRoles {
 public:
  /// The defaults: Segment's commerce, content and account events by their names, and those of Google Analytics; an
  /// unknown type is token and target (an event with an item that someone cared to send is behaviour). Impressions,
  /// page views and messages (Email Opened) are ignored. Refunds are value, so that their money subtracts.
  EventRoles();

  /// `text` is a list like "token target value", or "ignored". invalid_argument on an unknown word.
  Status set(const std::string& type, std::string_view text);

  [[nodiscard]] EventRole role_of(std::string_view type) const;

  /// The table as one line of text: snapshots made with other roles are not used.
  [[nodiscard]] std::string fingerprint() const;

 private:
  std::map<std::string, EventRole, std::less<>> roles_;  // by name as it is compared
};

/// The name by which types are compared: small letters, `_` and `-` as blanks.
std::string comparable_type(std::string_view type);

/// A type by which money flows back (Order Refunded, Order Cancelled, refund, return): its amounts and quantities are
/// stored negative, whatever sign they come with.
bool is_refund_type(std::string_view type);

}  // namespace perennial
