#include "log/erasure.h"

#include <cmath>
#include <unordered_set>

#include "log/log_schema.h"

namespace perennial {
namespace {

// SQLite's record format ("Database File Format", section 2.1): a header of one varint a column, then the values.
constexpr int kColumns = 14;

int varint_bytes(int64_t value) {
  int bytes = 1;
  while (value >= 128) {
    value >>= 7;
    ++bytes;
  }
  return bytes;
}

int integer_bytes(int64_t value) {
  if (value == 0 || value == 1) return 0;
  const int64_t size = value < 0 ? ~value : value;
  for (const int bytes : {1, 2, 3, 4, 6})
    if (size < int64_t{1} << (8 * bytes - 1)) return bytes;
  return 8;
}

/// A REAL column holds whole numbers of 48 bits as integers.
int real_bytes(double value) {
  const bool whole = value == std::trunc(value) && value >= -0x1p47 && value < 0x1p47;
  return whole ? integer_bytes(static_cast<int64_t>(value)) : 8;
}

int64_t column_bytes(const Statement& row, int column) {
  switch (row.column_type(column)) {
    case SQLITE_NULL:
      return 1;
    case SQLITE_INTEGER:
      return 1 + integer_bytes(row.integer(column));
    case SQLITE_FLOAT:
      return 1 + real_bytes(row.real(column));
    default: {
      const auto size = static_cast<int64_t>(row.bytes(column).size());
      return varint_bytes(2 * size + 13) + size;
    }
  }
}

/// Of the row as it is stored, selected as kRecordColumns; the offset is the b-tree's key and stored as NULL.
int64_t stored_bytes(const Statement& row) {
  int64_t bytes = 2;  // the header's own length, the key
  for (int column = 1; column < kColumns; ++column) bytes += column_bytes(row, column);
  return bytes;
}

struct Filler {
  int64_t zeros = 0;
  bool one_byte_more = false;
};

/// The length of the zero blob that, with all other columns NULL, fills a row of `payload_bytes`. Where the length's
/// own varint grows no length fits, and another column takes one byte.
Filler filler_for(int64_t payload_bytes) {
  for (const bool one_byte_more : {false, true}) {
    for (int width = 1; width <= 5; ++width) {
      const int64_t zeros = payload_bytes - kColumns - width - (one_byte_more ? 1 : 0);
      if (zeros >= 0 && varint_bytes(2 * zeros + 12) == width) return {zeros, one_byte_more};
    }
  }
  PERENNIAL_CHECK(false, "a row of {} bytes", payload_bytes);
}

constexpr const char* kOverwrite =
    "UPDATE records SET kind = NULL, time = NULL, user = NULL, item = NULL, type = NULL, value = NULL, amount = NULL, "
    "currency = NULL, quantity = ?2, previous = NULL, merged_into = NULL, message = NULL, body = ?3 WHERE offset = ?1";

}  // namespace

Result<Eraser> Eraser::prepare(Database& database) {
  PERENNIAL_TRY_ASSIGN(Statement row,
                       database.prepare(fmt::format("SELECT {} FROM records WHERE offset = ?1", kRecordColumns)));
  PERENNIAL_TRY_ASSIGN(Statement overwrite, database.prepare(kOverwrite));
  PERENNIAL_TRY_ASSIGN(Statement merged_into, database.prepare("SELECT user FROM records WHERE merged_into = ?1"));
  PERENNIAL_TRY_ASSIGN(Statement name, database.prepare("SELECT name FROM users WHERE id = ?1"));
  PERENNIAL_TRY_ASSIGN(Statement overwrite_name, database.prepare("UPDATE users SET name = ?2 WHERE id = ?1"));
  return Eraser(std::move(row), std::move(overwrite), std::move(merged_into), std::move(name),
                std::move(overwrite_name));
}

Result<std::vector<UserId>> Eraser::erase(UserId user, const ChainEnd& chain_end) {
  std::vector<UserId> identities = {user};
  std::unordered_set<UserId> seen = {user};
  for (size_t i = 0; i < identities.size(); ++i) {
    const UserId identity = identities[i];
    std::vector<UserId> joined;
    PERENNIAL_TRY(find_merged_into(identity, joined));
    PERENNIAL_TRY_ASSIGN(const Offset last, chain_end(identity));
    PERENNIAL_TRY(erase_chain(identity, last, joined));
    PERENNIAL_TRY(overwrite_name(identity));
    for (const UserId other : joined)
      if (seen.insert(other).second) identities.push_back(other);
  }
  return identities;
}

Status Eraser::find_merged_into(UserId user, std::vector<UserId>& joined) {
  merged_into_.bind(1, static_cast<int64_t>(user));
  while (true) {
    PERENNIAL_TRY_ASSIGN(const bool more, merged_into_.step());
    if (!more) return {};
    if (!merged_into_.is_null(0)) joined.push_back(static_cast<UserId>(merged_into_.integer(0)));
  }
}

Status Eraser::erase_chain(UserId user, Offset last, std::vector<UserId>& joined) {
  constexpr int kUser = 3;
  constexpr int kPrevious = 10;
  constexpr int kMergedInto = 11;
  while (last != 0) {
    row_.bind(1, last);
    PERENNIAL_TRY_ASSIGN(const bool found, row_.step());
    if (!found || row_.is_null(kUser) || row_.integer(kUser) != static_cast<int64_t>(user)) {
      row_.reset();  // a statement under way would hold its place in the WAL
      return data_loss("record {} is not in the chain of user {} that leads to it: restore a backup", last, user);
    }
    if (!row_.is_null(kMergedInto)) joined.push_back(static_cast<UserId>(row_.integer(kMergedInto)));
    const int64_t payload_bytes = stored_bytes(row_);
    const Offset previous = row_.is_null(kPrevious) ? 0 : row_.integer(kPrevious);
    row_.reset();
    PERENNIAL_TRY(overwrite_row(last, payload_bytes));
    if (previous >= last)
      return data_loss("the chain of user {} does not fall at record {}: restore a backup", user, last);
    last = previous;
  }
  return {};
}

Status Eraser::overwrite_row(Offset offset, int64_t payload_bytes) {
  const Filler filler = filler_for(payload_bytes);
  overwrite_.bind(1, offset);
  if (filler.one_byte_more)
    overwrite_.bind(2, int64_t{2});
  else
    overwrite_.bind_null(2);
  overwrite_.bind_zeros(3, filler.zeros);
  return overwrite_.run();
}

/// A blob of the name's length has a header and a body of the same size.
Status Eraser::overwrite_name(UserId user) {
  name_.bind(1, static_cast<int64_t>(user));
  PERENNIAL_TRY_ASSIGN(const bool found, name_.step());
  if (!found) return data_loss("user {} has no row in the log's table 'users': restore a backup", user);
  const auto size = static_cast<int64_t>(name_.bytes(0).size());
  name_.reset();
  overwrite_name_.bind(1, static_cast<int64_t>(user));
  overwrite_name_.bind_zeros(2, size);
  return overwrite_name_.run();
}

}  // namespace perennial
