// PERENNIAL_CHECK: an invariant that only a bug of ours can break. Prints its values and aborts. Input from outside
// never reaches one; that is a Status. (The name CHECK belongs to glog, which comes with libtorch.)
#pragma once

#include <fmt/format.h>

#include <string>

namespace perennial {

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& message);

}  // namespace perennial

#define PERENNIAL_CHECK(condition, ...)                                                    \
  do {                                                                                     \
    if (!(condition)) [[unlikely]]                                                         \
      ::perennial::check_failed(__FILE__, __LINE__, #condition, fmt::format(__VA_ARGS__)); \
  } while (false)
