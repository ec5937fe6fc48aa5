#include "recommend/controls.h"

#include <algorithm>
#include <boost/container_hash/hash.hpp>

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

size_t Controls::hash() const {
  size_t hash = filter.hash();
  const auto add = [&](const std::vector<std::string>& ids) {
    boost::hash_combine(hash, ids.size());
    boost::hash_range(hash, ids.begin(), ids.end());
  };
  if (include) add(*include);
  add(exclude);
  add(pin);
  for (const Boost& boost : boosts) {
    boost::hash_combine(hash, boost.filter.hash());
    boost::hash_combine(hash, boost.by);
  }
  boost::hash_combine(hash, diversity);
  boost::hash_combine(hash, most_a_category);
  return hash;
}

size_t Controls::bytes() const {
  size_t bytes = filter.bytes();
  const auto add = [&](const std::vector<std::string>& ids) {
    for (const std::string& id : ids) bytes += sizeof(std::string) + id.size();
  };
  if (include) add(*include);
  add(exclude);
  add(pin);
  for (const Boost& boost : boosts) bytes += sizeof boost + boost.filter.bytes() + boost.why.size();
  return bytes;
}

}  // namespace perennial
