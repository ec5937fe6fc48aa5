// Progress for people: a bar with rate and time left on a terminal, a plain line now and then elsewhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace perennial {

/// Writes to standard error. Thread rule: one thread an object.
class Progress {
 public:
  /// `total` in `unit`s (0: unknown). `label` stands in front: "importing events.csv".
  Progress(std::string label, int64_t total, std::string unit);
  ~Progress();

  /// `done` so far; `detail` stands behind the rate. Draws at most ten times a second, plain lines every ten seconds.
  void update(int64_t done, std::string_view detail = {});

  /// The last line, then no more.
  void finish(std::string_view detail = {});

 private:
  void draw(std::string_view detail, bool last);

  std::string label_;
  std::string unit_;
  int64_t total_;
  int64_t done_ = 0;
  double started_;
  double drawn_;
  bool terminal_;
  bool finished_ = false;
};

}  // namespace perennial
