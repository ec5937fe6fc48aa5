// Actions handed over as lines of a file, for whoever sends them in batches. Covered by delivery/export_file_test.cc.
#pragma once

#include <mutex>

#include "base/files.h"
#include "delivery/transport.h"

namespace perennial {

class ExportFile final : public Transport {
 public:
  explicit ExportFile(fs::path path) : path_(std::move(path)) {}

  [[nodiscard]] size_t most_at_once() const override { return 500; }

  /// Appends each body as a line, and waits until they are on the disk. The file may be moved away at any time: the
  /// next line begins a new one. `again` for all when they can't be written.
  std::vector<HandoverResult> hand_over(std::span<const Letter> letters) override;

 private:
  HandoverResult append(std::string lines);

  fs::path path_;
  std::mutex mutex_;  // lines of several threads
};

}  // namespace perennial
