// Status and Result<T>: how an expected failure travels. A broken invariant is PERENNIAL_CHECK (base/check.h) instead.
// Messages: fixed words first, then the values, then what to do next.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "base/check.h"

namespace perennial {

enum class Code {
  ok,
  invalid_argument,     // the caller's input is wrong; the same call will fail again
  not_found,            // the thing named does not exist
  already_exists,       // the thing to be made exists
  failed_precondition,  // right input, wrong state: a lock is held, no model trained yet
  unauthenticated,      // no key, or one that is not known
  resource_exhausted,   // over a limit, disk full: later may succeed
  data_loss,            // a file is cut short or its bytes are not what was written
  unavailable,          // a passing fault
  cancelled,            // stopped by request
  internal,             // a library failed in a way that we did not foresee
};

/// The lower-case name, as it stands in JSON errors and logs.
const char* code_name(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] bool ok() const { return code_ == Code::ok; }
  [[nodiscard]] Code code() const { return code_; }
  [[nodiscard]] const std::string& message() const { return message_; }

  /// The same failure with words in front: `reading config: no such file`.
  [[nodiscard]] Status with_context(std::string_view context) const {
    return ok() ? *this : Status(code_, fmt::format("{}: {}", context, message_));
  }

 private:
  Code code_ = Code::ok;
  std::string message_;
};

template <typename... Args>
Status invalid_argument(fmt::format_string<Args...> format, Args&&... args) {
  return {Code::invalid_argument, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Status not_found(fmt::format_string<Args...> format, Args&&... args) {
  return {Code::not_found, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Status failed_precondition(fmt::format_string<Args...> format, Args&&... args) {
  return {Code::failed_precondition, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Status resource_exhausted(fmt::format_string<Args...> format, Args&&... args) {
  return {Code::resource_exhausted, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Status data_loss(fmt::format_string<Args...> format, Args&&... args) {
  return {Code::data_loss, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Status internal_error(fmt::format_string<Args...> format, Args&&... args) {
  return {Code::internal, fmt::format(format, std::forward<Args>(args)...)};
}
/// From errno: ENOENT, EACCES, ENOSPC and their kin map to the fitting code. `what` names the act and the path.
Status errno_status(int error, std::string_view what);

/// A value, or the Status that says why there is none. Reading the value of a failure aborts.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit by design, `return value;`
  Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit by design, `return status;`
    PERENNIAL_CHECK(!status_.ok(), "a Result without a value needs a failure");
  }

  [[nodiscard]] bool ok() const { return value_.has_value(); }
  [[nodiscard]] const Status& status() const { return status_; }
  [[nodiscard]] T& value() & { return check(), *value_; }
  [[nodiscard]] const T& value() const& { return check(), *value_; }
  /// By value, so that `for (auto& x : f().value())` walks over something that lives.
  [[nodiscard]] T value() && { return check(), *std::move(value_); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }

 private:
  void check() const { PERENNIAL_CHECK(value_.has_value(), "no value: {}", status_.message()); }

  std::optional<T> value_;
  Status status_;
};

#define PERENNIAL_CONCAT_INNER(a, b) a##b
#define PERENNIAL_CONCAT(a, b) PERENNIAL_CONCAT_INNER(a, b)

/// Returns from the enclosing function when the Status is a failure.
#define PERENNIAL_TRY(expression)                        \
  do {                                                   \
    ::perennial::Status perennial_status = (expression); \
    if (!perennial_status.ok()) return perennial_status; \
  } while (false)

/// `PERENNIAL_TRY_ASSIGN(auto config, read_config(path));` declares, or returns the failure.
#define PERENNIAL_TRY_ASSIGN(declaration, expression) \
  PERENNIAL_TRY_ASSIGN_INNER(PERENNIAL_CONCAT(perennial_result_, __LINE__), declaration, expression)
#define PERENNIAL_TRY_ASSIGN_INNER(result, declaration, expression) \
  auto result = (expression);                                       \
  if (!result.ok()) return result.status();                         \
  declaration = std::move(result).value()

}  // namespace perennial
