#include "base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <vector>

namespace perennial {
namespace {

constexpr size_t kWritebackBytes = 1 << 20;

/// An open descriptor, closed on every way out.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  [[nodiscard]] int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

Status write_all(int descriptor, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_status(errno, fmt::format("writing {}", path.string()));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

}  // namespace

Result<std::string> read_file(const fs::path& path, size_t limit_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return errno_status(errno, fmt::format("opening {}", path.string()));
  std::string bytes;
  struct stat info {};
  const auto too_large = [&] {
    return resource_exhausted("{} is larger than the {} bytes allowed here", path.string(), limit_bytes);
  };
  if (::fstat(file.get(), &info) == 0 && info.st_size > 0) {
    if (static_cast<size_t>(info.st_size) > limit_bytes) return too_large();
    bytes.reserve(static_cast<size_t>(info.st_size));
  }
  char buffer[1 << 16];
  while (true) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_status(errno, fmt::format("reading {}", path.string()));
    if (got == 0) return bytes;
    if (bytes.size() + static_cast<size_t>(got) > limit_bytes) return too_large();
    bytes.append(buffer, static_cast<size_t>(got));
  }
}

Result<MappedFile> MappedFile::open(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return errno_status(errno, fmt::format("opening {}", path.string()));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return errno_status(errno, fmt::format("reading {}", path.string()));
  const auto size = static_cast<size_t>(info.st_size);
  if (size == 0) return MappedFile({});
  void* const bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (bytes == MAP_FAILED) return errno_status(errno, fmt::format("mapping {}", path.string()));
  return MappedFile({static_cast<const char*>(bytes), size});
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

namespace {

/// Unlinked on every way out but after keep().
class TemporaryFile {
 public:
  explicit TemporaryFile(fs::path path) : path_(std::move(path)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!kept_) ::unlink(path_.c_str());
  }
  [[nodiscard]] const fs::path& path() const { return path_; }
  void keep() { kept_ = true; }

 private:
  fs::path path_;
  bool kept_ = false;
};

}  // namespace

Status write_file_atomically(const fs::path& path, std::string_view bytes, mode_t mode) {
  return write_file_atomically(
      path, [&](const BytesWriter& write) { return write(bytes); }, mode);
}

Status write_file_atomically(const fs::path& path, const std::function<Status(const BytesWriter&)>& write,
                             mode_t mode) {
  static std::atomic<int> counter{0};
  TemporaryFile temporary(fmt::format("{}.{}.{}.tmp", path.string(), ::getpid(), counter++));
  const char* name = temporary.path().c_str();
  const Descriptor file(::open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (file.get() < 0) return errno_status(errno, fmt::format("creating {}", name));
  size_t waiting = 0;
  PERENNIAL_TRY(write([&](std::string_view bytes) {
    waiting += bytes.size();
    if (waiting >= kWritebackBytes) {  // a little at a time: a log on the same disk waits for its own fsync
      waiting = 0;
      (void)::sync_file_range(file.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
    }
    return write_all(file.get(), bytes, temporary.path());
  }));
  if (::fsync(file.get()) != 0) return errno_status(errno, fmt::format("syncing {}", name));
  if (::rename(name, path.c_str()) != 0)
    return errno_status(errno, fmt::format("renaming {} to {}", name, path.string()));
  temporary.keep();
  return sync_folder(path.parent_path());
}

Status remove_leftovers(const fs::path& folder, std::string_view beginning) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (entry->path().extension() == ".tmp" && entry->path().filename().string().starts_with(beginning))
      fs::remove(entry->path(), error);
  return error ? errno_status(error.value(), fmt::format("clearing {}", folder.string())) : Status();
}

Status make_folder(const fs::path& path) {
  std::error_code error;
  std::vector<fs::path> changed;
  for (fs::path folder = fs::absolute(path, error); !error && !fs::exists(folder, error) && folder.has_parent_path();
       folder = folder.parent_path())
    changed.push_back(folder.parent_path());
  fs::create_directories(path, error);
  if (error) return errno_status(error.value(), fmt::format("creating folder {}", path.string()));
  for (const fs::path& folder : changed) {
    const Status status = sync_folder(folder);
    if (!status.ok() && status.code() != Code::failed_precondition) return status;  // one may write but not read it
  }
  return {};
}

Status sync_folder(const fs::path& path) {
  const fs::path folder = path.empty() ? fs::path(".") : path;
  const Descriptor handle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (handle.get() < 0) return errno_status(errno, fmt::format("opening folder {}", folder.string()));
  return ::fsync(handle.get()) == 0 ? Status() : errno_status(errno, fmt::format("syncing folder {}", folder.string()));
}

Result<FileLock> FileLock::acquire(const fs::path& path, std::string_view rule) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (file.get() < 0)
    return errno_status(errno, fmt::format("opening {}, which needs write access to its folder", path.string()));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return errno_status(errno, fmt::format("locking {}", path.string()));
    char holder[32] = {};
    const ssize_t got = ::pread(file.get(), holder, sizeof holder - 1, 0);
    return failed_precondition("{} is locked by process {}: {}", path.string(), got > 0 ? holder : "(unknown)", rule);
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(file.get(), 0) != 0) return errno_status(errno, fmt::format("writing {}", path.string()));
  PERENNIAL_TRY(write_all(file.get(), pid, path));
  return FileLock(file.release());
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace perennial
