#include "base/status.h"

#include <cerrno>
#include <cstring>

namespace perennial {

const char* code_name(Code code) {
  switch (code) {
    case Code::ok:
      return "ok";
    case Code::invalid_argument:
      return "invalid_argument";
    case Code::not_found:
      return "not_found";
    case Code::already_exists:
      return "already_exists";
    case Code::failed_precondition:
      return "failed_precondition";
    case Code::unauthenticated:
      return "unauthenticated";
    case Code::resource_exhausted:
      return "resource_exhausted";
    case Code::data_loss:
      return "data_loss";
    case Code::unavailable:
      return "unavailable";
    case Code::cancelled:
      return "cancelled";
    case Code::internal:
      return "internal";
  }
  return "unknown";
}

Status errno_status(int error, std::string_view what) {
  Code code = Code::internal;
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      code = Code::not_found;
      break;
    case EEXIST:
      code = Code::already_exists;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
    case EISDIR:
      code = Code::failed_precondition;
      break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      code = Code::resource_exhausted;
      break;
    case EINTR:
    case EAGAIN:
      code = Code::unavailable;
      break;
    default:
      break;
  }
  return {code, fmt::format("{}: {}", what, std::strerror(error))};
}

}  // namespace perennial
