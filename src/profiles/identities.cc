#include "profiles/identities.h"

#include <algorithm>
#include <utility>

namespace perennial {

std::optional<Identities::Joined> Identities::merge(UserId from, UserId into) {
  from = shorten(from);
  into = shorten(into);
  if (from == into || into == kNoId) return std::nullopt;
  merged_into_[from] = into;
  return Joined{from, into};
}

UserId Identities::resolve(UserId user) const {
  for (auto found = merged_into_.find(user); found != merged_into_.end(); found = merged_into_.find(user))
    user = found->second;
  return user;
}

UserId Identities::shorten(UserId user) {
  const UserId root = resolve(user);
  for (auto found = merged_into_.find(user); found != merged_into_.end(); found = merged_into_.find(user))
    user = std::exchange(found->second, root);
  return root;
}

/// Of every merged identity the end of its chain; each chain is walked once.
std::unordered_map<UserId, UserId> Identities::roots() const {
  std::unordered_map<UserId, UserId> roots = merged_into_;
  for (const auto& [from, next] : merged_into_) {
    UserId root = from;
    for (auto found = roots.find(root); found != roots.end(); found = roots.find(root)) root = found->second;
    for (UserId at = from; at != root;) at = std::exchange(roots[at], root);
  }
  return roots;
}

std::vector<UserId> Identities::all_of(UserId user) const {
  std::vector<UserId> identities = {resolve(user)};
  for (const auto& [from, root] : roots())
    if (root == identities.front()) identities.push_back(from);
  return identities;
}

void Identities::forget(UserId user) {
  const UserId root = shorten(user);
  std::vector<UserId> gone;
  for (const auto& [from, next] : merged_into_)
    if (shorten(from) == root) gone.push_back(from);  // changes values only
  for (const UserId from : gone) merged_into_.erase(from);
}

void Identities::serialize(std::string& out) const {
  const std::unordered_map<UserId, UserId> all = roots();
  const std::vector<std::pair<UserId, UserId>> sorted = [&] {
    std::vector<std::pair<UserId, UserId>> pairs(all.begin(), all.end());
    std::sort(pairs.begin(), pairs.end());
    return pairs;
  }();
  put(out, static_cast<uint64_t>(sorted.size()));
  for (const auto& [from, root] : sorted) {
    put(out, from);
    put(out, root);
  }
}

void Identities::parse(ByteReader& in) {
  clear();
  for (uint64_t i = in.get_count(8); i > 0 && in.ok(); --i) {
    const auto from = in.get<UserId>();
    merged_into_[from] = in.get<UserId>();
  }
}

}  // namespace perennial
