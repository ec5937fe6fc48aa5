#include "log/fault_vfs.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <new>

#include "base/files.h"

namespace perennial {
namespace {

constexpr size_t kSector = 512;

void apply(std::string& content, std::string_view bytes, int64_t offset) {
  const auto end = static_cast<size_t>(offset) + bytes.size();
  if (content.size() < end) content.resize(end, '\0');
  content.replace(static_cast<size_t>(offset), bytes.size(), bytes);
}

void write_plainly(const std::string& path, const std::string& content) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
}

std::string read_plainly(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string next_name() {
  static std::atomic<int> counter{0};
  return fmt::format("faulty-{}", counter++);
}

}  // namespace

/// Behind it in memory stands the system's own handle, which locks and shares memory.
struct FaultVfs::Handle {
  sqlite3_file base;
  FaultVfs* vfs;
  std::shared_ptr<File>* file;

  [[nodiscard]] sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

struct FaultVfs::Methods {
  static Handle* handle(sqlite3_file* file) { return reinterpret_cast<Handle*>(file); }
  static sqlite3_file* real(sqlite3_file* file) { return handle(file)->real(); }
  static FaultVfs* owner(sqlite3_vfs* vfs) { return static_cast<FaultVfs*>(vfs->pAppData); }

  static int close(sqlite3_file* file) {
    delete handle(file)->file;
    return real(file)->pMethods->xClose(real(file));
  }
  static int read(sqlite3_file* file, void* buffer, int amount, sqlite3_int64 offset) {
    FaultVfs& vfs = *handle(file)->vfs;
    const std::lock_guard lock(vfs.mutex_);
    if (vfs.cut_) return SQLITE_IOERR_READ;
    const std::string& content = (*handle(file)->file)->content;
    const size_t from = std::min(content.size(), static_cast<size_t>(offset));
    const size_t got = std::min(content.size() - from, static_cast<size_t>(amount));
    std::memcpy(buffer, content.data() + from, got);
    std::memset(static_cast<char*>(buffer) + got, 0, static_cast<size_t>(amount) - got);
    return got == static_cast<size_t>(amount) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* file, const void* data, int amount, sqlite3_int64 offset) {
    return handle(file)->vfs->write(**handle(file)->file, {static_cast<const char*>(data), static_cast<size_t>(amount)},
                                    offset);
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    return handle(file)->vfs->truncate(**handle(file)->file, size);
  }
  static int sync(sqlite3_file* file, int) { return handle(file)->vfs->sync(**handle(file)->file); }
  static int size(sqlite3_file* file, sqlite3_int64* size) {
    const std::lock_guard lock(handle(file)->vfs->mutex_);
    *size = static_cast<sqlite3_int64>((*handle(file)->file)->content.size());
    return SQLITE_OK;
  }
  static int lock(sqlite3_file* file, int level) { return real(file)->pMethods->xLock(real(file), level); }
  static int unlock(sqlite3_file* file, int level) { return real(file)->pMethods->xUnlock(real(file), level); }
  static int reserved(sqlite3_file* file, int* out) {
    return real(file)->pMethods->xCheckReservedLock(real(file), out);
  }
  static int control(sqlite3_file* file, int operation, void* argument) {
    if (operation == SQLITE_FCNTL_SIZE_HINT || operation == SQLITE_FCNTL_CHUNK_SIZE) return SQLITE_OK;
    return real(file)->pMethods->xFileControl(real(file), operation, argument);
  }
  static int sector_size(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
  static int characteristics(sqlite3_file* file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); }
  static int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
    return real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
  }
  static int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
  }
  static void shm_barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
  static int shm_unmap(sqlite3_file* file, int remove) { return real(file)->pMethods->xShmUnmap(real(file), remove); }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    static const sqlite3_io_methods kMethods = {
        2,        close,   read,        write,           truncate, sync,     size,        lock,     unlock,
        reserved, control, sector_size, characteristics, shm_map,  shm_lock, shm_barrier, shm_unmap};
    FaultVfs* self = owner(vfs);
    if (name == nullptr) return self->real_->xOpen(self->real_, name, file, flags, out_flags);
    const std::lock_guard lock(self->mutex_);
    file->pMethods = nullptr;
    if (self->cut_) return SQLITE_IOERR;
    const bool existed = fs::exists(name);
    Handle* opened = new (file) Handle{{nullptr}, self, nullptr};
    const int code = self->real_->xOpen(self->real_, name, opened->real(), flags, out_flags);
    if (code != SQLITE_OK) return code;
    opened->file = new std::shared_ptr<File>(self->file_at(name));
    if (!existed) (*opened->file)->in_folder = false;
    (*opened->file)->journal = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
    opened->base.pMethods = &kMethods;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    return owner(vfs)->remove(name, sync_folder != 0);
  }
};

FaultVfs::FaultVfs(uint64_t seed) : name_(next_name()), real_(sqlite3_vfs_find(nullptr)), vfs_(*real_), random_(seed) {
  vfs_.szOsFile = static_cast<int>(sizeof(Handle)) + real_->szOsFile;
  vfs_.zName = name_.c_str();
  vfs_.pNext = nullptr;
  vfs_.pAppData = this;
  vfs_.xOpen = &Methods::open;
  vfs_.xDelete = &Methods::remove;
  vfs_.xAccess = [](sqlite3_vfs* vfs, const char* path, int flags, int* out) {
    sqlite3_vfs* real = Methods::owner(vfs)->real_;
    return real->xAccess(real, path, flags, out);
  };
  vfs_.xFullPathname = [](sqlite3_vfs* vfs, const char* path, int size, char* out) {
    sqlite3_vfs* real = Methods::owner(vfs)->real_;
    return real->xFullPathname(real, path, size, out);
  };
  sqlite3_vfs_register(&vfs_, 0);
}

FaultVfs::~FaultVfs() { sqlite3_vfs_unregister(&vfs_); }

void FaultVfs::cut_power_after(int64_t operations) {
  const std::lock_guard lock(mutex_);
  cut_in_ = operations;
}

void FaultVfs::cut_power_now() {
  const std::lock_guard lock(mutex_);
  if (!cut_) cut();
}

void FaultVfs::fail_after(int64_t operations, int code, int64_t count) {
  const std::lock_guard lock(mutex_);
  fail_in_ = operations;
  fail_code_ = code;
  fail_count_ = count;
}

int64_t FaultVfs::failures() const {
  const std::lock_guard lock(mutex_);
  return failures_;
}

std::shared_ptr<FaultVfs::File> FaultVfs::file_at(const std::string& path) {
  std::shared_ptr<File>& file = files_[path];
  if (file == nullptr) {
    file = std::make_shared<File>();
    file->path = path;
    file->content = file->durable = read_plainly(path);
  }
  return file;
}

int FaultVfs::before_operation(int failure_code) {
  if (!cut_ && cut_in_-- <= 0) cut();
  if (cut_) return failure_code;
  if (fail_in_-- > 0 || fail_count_ <= 0) return SQLITE_OK;
  --fail_count_;
  ++failures_;
  return fail_code_;
}

int FaultVfs::write(File& file, std::string_view bytes, int64_t offset) {
  const std::lock_guard lock(mutex_);
  const int code = before_operation(SQLITE_IOERR_WRITE);
  if (cut_) return code;
  if (code != SQLITE_OK) bytes = bytes.substr(0, random_.below(bytes.size() + 1));
  apply(file.content, bytes, offset);
  file.unsynced.push_back({offset, std::string(bytes), false});
  return code;
}

int FaultVfs::truncate(File& file, int64_t size) {
  const std::lock_guard lock(mutex_);
  const int code = before_operation(SQLITE_IOERR_TRUNCATE);
  if (code != SQLITE_OK) return code;
  file.content.resize(static_cast<size_t>(size), '\0');
  file.unsynced.push_back({size, "", true});
  return SQLITE_OK;
}

int FaultVfs::sync(File& file) {
  const std::lock_guard lock(mutex_);
  const int code = before_operation(SQLITE_IOERR_FSYNC);
  if (code != SQLITE_OK) return code == SQLITE_FULL ? SQLITE_IOERR_FSYNC : code;
  if (file.journal && !file.in_folder) sync_folder();
  if (file.unsynced.empty()) return SQLITE_OK;
  file.unsynced.clear();
  file.durable = file.content;
  return SQLITE_OK;
}

void FaultVfs::sync_folder() {
  for (const auto& [path, file] : files_) file->in_folder = true;
  removed_.clear();
}

int FaultVfs::remove(const char* path, bool synced) {
  const std::lock_guard lock(mutex_);
  if (cut_) return SQLITE_IOERR_DELETE;
  const auto found = files_.find(path);
  if (found != files_.end()) {
    if (found->second->in_folder) removed_.push_back(found->second);
    files_.erase(found);
    if (synced) sync_folder();
  }
  return real_->xDelete(real_, path, 0);
}

/// What the disk holds after the power went: of the unsynced writes some, some of their sectors, or none.
std::string FaultVfs::after_cut(const File& file) {
  std::string content = file.durable;
  static constexpr double kKept[] = {0, 0.3, 0.9, 1};
  const double kept = kKept[random_.below(std::size(kKept))];
  for (const Write& write : file.unsynced) {
    const bool whole = random_.chance(kept);
    if (write.truncate) {
      if (whole) content.resize(static_cast<size_t>(write.offset), '\0');
      continue;
    }
    const bool torn = !whole && random_.chance(0.5);
    for (size_t at = 0; at < write.bytes.size();) {
      const size_t place = static_cast<size_t>(write.offset) + at;
      const size_t length = std::min(kSector - place % kSector, write.bytes.size() - at);
      if (whole || (torn && random_.chance(0.5)))
        apply(content, std::string_view(write.bytes).substr(at, length), static_cast<int64_t>(place));
      at += length;
    }
  }
  return content;
}

void FaultVfs::cut() {
  cut_ = true;
  for (const std::shared_ptr<File>& file : removed_)
    if (!files_.contains(file->path) && random_.chance(0.5)) write_plainly(file->path, after_cut(*file));
  for (const auto& [path, file] : files_) {
    if (!file->in_folder && random_.chance(0.5))
      fs::remove(path);
    else
      write_plainly(path, after_cut(*file));
  }
}

}  // namespace perennial
