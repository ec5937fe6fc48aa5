// Actions handed over as lines of a file, for whoever sends them in batches. Covered by delivery/export_file_test.cc.
#pragma once

#include <mutex>

#include "base/files.h"
#include "delivery/webhook.h"

namespace perennial {

class ExportFile final : public Transport {
 public:
  explicit ExportFile(fs::path path) : path_(std::move(path)) {}

  /// Appends the body, a JSON object, as a line, and waits until it is on the disk. The file may be moved away at any
  /// time: the next line begins a new one. `again` when it can't be written.
  HandoverResult hand_over(const std::string& key, const std::string& body) override;

 private:
  fs::path path_;
  std::mutex mutex_;  // lines of several threads
};

}  // namespace perennial
