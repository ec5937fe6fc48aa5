// The log's three dictionaries and how they are read from its file.
#pragma once

#include <mutex>

#include "events/ids.h"
#include "log/dictionary.h"
#include "log/sqlite.h"

namespace perennial {

/// Thread rule: any thread.
class Names {
 public:
  Dictionary users;
  Dictionary items;
  Dictionary event_types;

  /// Takes over what was added and erased since the last refresh, as the database's current transaction sees it.
  Status refresh(Database& database);

 private:
  std::mutex mutex_;
  Offset erasures_seen_ = 0;
};

}  // namespace perennial
