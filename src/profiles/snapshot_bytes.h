// For tests: a fold's snapshot, in memory and as a file. Equal folds have equal ones.
#pragma once

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "profiles/user_store.h"

namespace perennial {

template <typename Fold>
std::string snapshot_bytes(Fold&& fold) {
  const TemporaryFolder folder;
  EXPECT_TRUE(fold.save(folder.path(), at_once).ok());
  return read_file(*fs::directory_iterator(folder.path())).value();
}

}  // namespace perennial
