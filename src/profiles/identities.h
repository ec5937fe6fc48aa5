// Which user ids are one person: merges as the log says them, in a forest whose chains stay short. Shared by every fold
// over users. Covered by profiles/profiles_test.cc.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "events/ids.h"

namespace perennial {

class Identities {
 public:
  struct Joined {
    UserId from;  // a root until now
    UserId into;  // the root of both
  };

  /// `from` turns out to be `into`; none when they were one already.
  std::optional<Joined> merge(UserId from, UserId into);

  /// The identity that `user` was merged into, at the end of the chain; itself when never merged.
  [[nodiscard]] UserId resolve(UserId user) const;

  /// resolve(), and every identity on the way points there from now on.
  UserId shorten(UserId user);

  /// The root of `user` and all that were merged into it.
  [[nodiscard]] std::vector<UserId> all_of(UserId user) const;

  /// All of `user`'s identities are strangers again.
  void forget(UserId user);

  void clear() { merged_into_.clear(); }

  /// Canonical bytes: by which way a root is reached is not part of them.
  void serialize(std::string& out) const;
  void parse(ByteReader& in);

 private:
  [[nodiscard]] std::unordered_map<UserId, UserId> roots() const;

  std::unordered_map<UserId, UserId> merged_into_;
};

}  // namespace perennial
