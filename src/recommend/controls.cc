#include "recommend/controls.h"

#include <algorithm>

namespace perennial {

void Controls::add(const Controls& other) {
  filter.and_with(other.filter);
  const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  append(exclude, other.exclude);
  append(pin, other.pin);
  append(boosts, other.boosts);
  if (!include) {
    include = other.include;
  } else if (other.include) {
    std::erase_if(*include,
                  [&](const std::string& id) { return std::ranges::find(*other.include, id) == other.include->end(); });
  }
  if (most_a_category == 0 || (other.most_a_category > 0 && other.most_a_category < most_a_category))
    most_a_category = other.most_a_category;
  diversity = std::max(diversity, other.diversity);
  exploration = std::max(exploration, other.exploration);
}

size_t Controls::bytes() const {
  size_t bytes = filter.bytes();
  const auto add = [&](const std::vector<std::string>& ids) {
    for (const std::string& id : ids) bytes += sizeof id + id.size();
  };
  if (include) add(*include);
  add(exclude);
  add(pin);
  for (const Boost& boost : boosts) bytes += sizeof boost + boost.filter.bytes() + boost.why.size();
  return bytes;
}

}  // namespace perennial
