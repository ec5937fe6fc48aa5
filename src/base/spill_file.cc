#include "base/spill_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "base/check.h"

namespace perennial {
namespace {

constexpr size_t kTailBytes = 1 << 20;
constexpr size_t kWindowBytes = 32 << 10;
constexpr uint64_t kMostUnits = uint64_t{1} << 36;
constexpr size_t kFineUnits = 32;  // up to there a place has as many units as its bytes need

/// How many units bytes get: of larger ones a few more, so that there are few lengths and places find new tenants.
size_t units_for(size_t size) {
  const size_t units = (size + SpillFile::kUnit - 1) / SpillFile::kUnit;
  if (units <= kFineUnits) return units;
  const size_t step = std::bit_floor(units) / 8;
  return (units + step - 1) / step * step;
}

}  // namespace

Result<SpillFile> SpillFile::create(const fs::path& folder) {
  int descriptor = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {  // a file system without it
    std::string name = (folder / "spill.XXXXXX").string();
    descriptor = ::mkostemp(name.data(), O_CLOEXEC);
    if (descriptor >= 0) ::unlink(name.c_str());
  }
  if (descriptor < 0) return errno_status(errno, fmt::format("making a file in {}", folder.string()));
  return SpillFile(descriptor, folder);
}

SpillFile::SpillFile(SpillFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      folder_(std::move(other.folder_)),
      end_(other.end_),
      written_(other.written_),
      tail_(std::move(other.tail_)),
      free_(std::move(other.free_)) {}

SpillFile::~SpillFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status SpillFile::failed(const char* what) const {
  return errno_status(errno, fmt::format("{} what is out of memory in {}", what, folder_.string()));
}

Status SpillFile::write(uint64_t at, std::string_view bytes) {
  if (at >= written_) {
    tail_.replace(at - written_, bytes.size(), bytes);
    return {};
  }
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return failed("writing");
    bytes.remove_prefix(static_cast<size_t>(wrote));
    at += static_cast<uint64_t>(wrote);
  }
  return {};
}

/// The tail into the file.
Status SpillFile::flush() {
  const std::string tail = std::exchange(tail_, {});
  const uint64_t at = std::exchange(written_, end_);
  Status status = write(at, tail);
  if (status.ok()) return status;
  if (::ftruncate(descriptor_, static_cast<off_t>(at)) != 0) return status;  // what got there no scrub would find
  written_ = at;
  tail_ = tail;
  return status;
}

Result<SpillPlace> SpillFile::put(std::string_view bytes) {
  PERENNIAL_CHECK(!bytes.empty() && bytes.size() <= kMostBytes, "{} bytes to put away", bytes.size());
  const size_t units = units_for(bytes.size());
  SpillPlace place;
  place.size = bytes.size();
  if (const auto found = free_.find(units); found != free_.end() && !found->second.units.empty()) {
    auto& [free, scrubbed] = found->second;
    place.unit = free.back();
    scrubbed = std::min(scrubbed, free.size() - 1);  // also when the write fails half-way
    std::string whole(bytes);
    whole.resize(units * kUnit);  // nothing of who was there before stays
    PERENNIAL_TRY(write(place.unit * kUnit, whole));
    free.pop_back();
    return place;
  }
  if (tail_.size() >= kTailBytes) PERENNIAL_TRY(flush());
  if (end_ / kUnit + units > kMostUnits)
    return resource_exhausted("a tebibyte is out of memory in {}: no more fits", folder_.string());
  place.unit = end_ / kUnit;
  tail_.append(bytes);
  end_ += units * kUnit;
  tail_.resize(end_ - written_);
  return place;
}

Status SpillFile::read(uint64_t at, char* bytes, size_t size) const {
  if (at >= written_) {
    tail_.copy(bytes, size, at - written_);
    return {};
  }
  for (size_t got = 0; got < size;) {
    const ssize_t more = ::pread(descriptor_, bytes + got, size - got, static_cast<off_t>(at + got));
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return failed("reading");
    if (more == 0) return data_loss("the file for what is out of memory in {} is cut short", folder_.string());
    got += static_cast<size_t>(more);
  }
  return {};
}

Result<std::string> SpillFile::get(SpillPlace place) const {
  std::string bytes(place.size, '\0');
  PERENNIAL_TRY(read(place.unit * kUnit, bytes.data(), bytes.size()));
  return bytes;
}

void SpillFile::free(SpillPlace place) {
  if (!place.empty()) free_[units_for(place.size)].units.push_back(place.unit);
}

Result<bool> SpillFile::scrub(size_t most) {
  for (auto& [units, free] : free_) {
    const std::string zeros(units * kUnit, '\0');
    for (; free.scrubbed < free.units.size(); ++free.scrubbed) {
      if (most-- == 0) return false;
      PERENNIAL_TRY(write(free.units[free.scrubbed] * kUnit, zeros));
    }
  }
  return true;
}

Result<std::string_view> SpillFile::Window::get(SpillPlace place) {
  const uint64_t at = place.unit * kUnit;
  const uint64_t end = at + place.size;
  const bool near = at >= next_ && at < next_ + kWindowBytes;  // it goes on forwards: read ahead
  next_ = end;
  if (at < at_ || end > at_ + bytes_.size()) {
    const uint64_t limit = at < file_.written_ ? file_.written_ : file_.end_;
    bytes_.resize(near ? std::max<uint64_t>(place.size, std::min<uint64_t>(kWindowBytes, limit - at)) : place.size);
    at_ = at;
    if (Status status = file_.read(at, bytes_.data(), bytes_.size()); !status.ok()) {
      bytes_.clear();
      return status;
    }
  }
  return std::string_view(bytes_).substr(at - at_, place.size);
}

}  // namespace perennial
