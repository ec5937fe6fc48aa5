// The newest served slates, encoded, for feedback that comes within minutes. A ring, so that one more costs a copy and
// no memory. Internal to slate_log.cc. Covered by log/recent_slates_test.cc.
#pragma once

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.h"

namespace perennial {

/// Thread rule: none of its own.
class RecentSlates {
 public:
  /// The oldest go when there are more than `most`, or more bytes.
  RecentSlates(size_t most, size_t most_bytes) : ring_(std::max<size_t>(1, most)), most_bytes_(most_bytes) {}

  void add(const MessageId& id, std::string_view encoded) {
    if (place_of_.contains(id)) return;  // read from the disk twice
    if (count_ == ring_.size()) forget_oldest();
    const size_t place = (first_ + count_++) % ring_.size();
    ring_[place].id = id;
    ring_[place].encoded.assign(encoded);
    place_of_.emplace(id, place);
    bytes_ += encoded.size();
    while (bytes_ > most_bytes_ && count_ > 0) forget_oldest();
  }

  [[nodiscard]] std::optional<std::string_view> find(const MessageId& id) const {
    const auto place = place_of_.find(id);
    if (place == place_of_.end()) return std::nullopt;
    return ring_[place->second].encoded;
  }

  /// What is held, in use or for the next ones.
  [[nodiscard]] size_t capacity() const {
    size_t bytes = 0;
    for (const Recent& recent : ring_) bytes += recent.encoded.capacity();
    return bytes;
  }

  template <typename Forget>
  void forget_if(Forget&& forget) {
    for (size_t i = 0; i < count_; ++i) {
      Recent& recent = ring_[(first_ + i) % ring_.size()];
      if (recent.encoded.empty() || !forget(std::string_view(recent.encoded))) continue;
      bytes_ -= recent.encoded.size();
      std::string().swap(recent.encoded);
      place_of_.erase(recent.id);
    }
  }

 private:
  struct Recent {
    MessageId id;
    std::string encoded;  // empty when it was forgotten before its turn
  };
  struct IdHash {
    size_t operator()(const MessageId& id) const { return id.low; }
  };

  void forget_oldest() {
    Recent& oldest = ring_[first_];
    bytes_ -= oldest.encoded.size();
    if (!oldest.encoded.empty()) place_of_.erase(oldest.id);
    oldest.encoded.clear();
    if (oldest.encoded.capacity() > most_bytes_ / ring_.size())  // the others' memory is used again
      std::string().swap(oldest.encoded);
    first_ = (first_ + 1) % ring_.size();
    --count_;
  }

  std::vector<Recent> ring_;
  const size_t most_bytes_;
  size_t first_ = 0, count_ = 0;
  size_t bytes_ = 0;
  boost::unordered_flat_map<MessageId, size_t, IdHash> place_of_;
};

}  // namespace perennial
