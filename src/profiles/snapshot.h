// A fold over users, written and read: what is small in blocks of its own, then the users, many to a block. Covered by
// profiles/profiles_test.cc. Format: docs/formats/snapshot.md.
#pragma once

#include <functional>
#include <string>

#include "base/block_file.h"
#include "profiles/user_store.h"

namespace perennial {

using BlockSink = std::function<void(std::string)>;

namespace snapshot_detail {
constexpr size_t kBlockBytes = 256 << 10;  // a millisecond or two of encoding: a writer waits for it
}

/// Writes what `head` puts, not empty blocks as the state is in the first call of `still`, and the users as they were
/// then.
template <typename T>
Status save_snapshot(const fs::path& path, std::string_view magic, UserStore<T>& users, const WhileStill& still,
                     const std::function<void(const BlockSink&)>& head) {
  std::vector<std::string> first;
  still([&] {
    head([&](std::string block) { first.push_back(std::move(block)); });
    users.begin_snapshot();
  });
  Status status = write_file_atomically(path, [&](const BytesWriter& put) -> Status {
    BlockWriter blocks(magic, put);
    for (const std::string& block : first) PERENNIAL_TRY(blocks.add(block));
    for (bool more = true; more;) {
      std::string block;
      still([&] { more = users.next_of_snapshot(snapshot_detail::kBlockBytes, block); });
      if (!block.empty()) PERENNIAL_TRY(blocks.add(block));
    }
    PERENNIAL_TRY(users.damage());
    return blocks.finish();
  });
  still([&] { users.end_snapshot(); });
  return status;
}

/// Adds the users in the blocks up to the end. After a failure they are partly there: clear() them.
template <typename T>
Status read_users(BlockReader& blocks, UserStore<T>& users) {
  while (true) {
    PERENNIAL_TRY_ASSIGN(const std::string_view block, blocks.next());
    if (block.empty()) return {};
    for (ByteReader in(block); !in.at_end();) {
      const uint64_t user = in.get_varint();
      const std::string_view bytes = in.get_short_text();
      if (!in.ok() || user >= kNoId || bytes.empty())
        return data_loss("the users in the snapshot are not of this format");
      PERENNIAL_TRY(users.add_encoded(static_cast<UserId>(user), bytes));
    }
  }
}

}  // namespace perennial
