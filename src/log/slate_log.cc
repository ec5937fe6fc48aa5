#include "log/slate_log.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"

namespace perennial {
namespace {

constexpr TimeMs kDayMs = 86'400'000;
constexpr size_t kPackBytes = 64 << 10;      // written at once: little enough that replies on the same core do not wait
constexpr size_t kMostPackBytes = 64 << 20;  // a longer one is damage
constexpr size_t kBytesOfASlate = 1024;
constexpr double kSyncSeconds = 1;
constexpr std::string_view kEnding = ".slates";
constexpr uint32_t kMagic = 0x31544C53;  // "SLT1"

struct PackHeader {
  uint32_t magic = kMagic;
  uint32_t own_check = 0;  // CRC-32 of what follows of the header
  uint32_t check = 0;      // CRC-32 of the body
  uint32_t bytes = 0;      // of the body
  uint32_t slates = 0;
  uint32_t reserved = 0;
  int64_t first = 0, last = 0;  // times
};
static_assert(sizeof(PackHeader) == 40);

struct PackedItem {
  uint32_t item;
  float score;
  float propensity;
  uint32_t source;
};
static_assert(sizeof(PackedItem) == 16);

int64_t day_of(TimeMs time) { return std::max<TimeMs>(time, 0) / kDayMs; }

uint32_t check_of(std::string_view body) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size()));
}

void put_short(std::string& out, std::string_view text) {
  put(out, static_cast<uint32_t>(text.size()));
  out.append(text);
}

/// Writes the slate behind its own length.
void encode(const SlateRef& slate, std::string& bytes) {
  bytes.clear();
  put(bytes, uint32_t{0});
  put(bytes, slate.id);
  put(bytes, slate.time);
  put(bytes, slate.after);
  for (const std::string_view text : {slate.user, slate.surface, slate.model, slate.policy, slate.stage, slate.context})
    put_short(bytes, text);
  for (const SlateItem& item : slate.items)
    put(bytes, PackedItem{item.item, item.score, item.propensity, static_cast<uint32_t>(item.source)});
  const auto length = static_cast<uint32_t>(bytes.size() - sizeof(uint32_t));
  std::memcpy(bytes.data(), &length, sizeof length);
}

std::string_view get_short(ByteReader& in) { return in.get_bytes(in.get<uint32_t>()); }

/// Of the bytes behind the length.
std::optional<Slate> decode(std::string_view bytes) {
  ByteReader in(bytes);
  Slate slate;
  slate.id = in.get<MessageId>();
  slate.time = in.get<TimeMs>();
  slate.after = in.get<MessageId>();
  for (std::string* text : {&slate.user, &slate.surface, &slate.model, &slate.policy, &slate.stage, &slate.context})
    *text = get_short(in);
  while (in.ok() && !in.at_end()) {
    const auto item = in.get<PackedItem>();
    slate.items.push_back({item.item, item.score, item.propensity, static_cast<ItemSource>(item.source)});
  }
  if (!in.ok()) return std::nullopt;
  return slate;
}

std::string_view user_of(std::string_view encoded) {
  ByteReader in(encoded);
  in.get<uint32_t>();
  in.get<MessageId>();
  in.get<TimeMs>();
  in.get<MessageId>();
  return get_short(in);
}

std::optional<Slate> decode_with_length(std::string_view encoded) { return decode(encoded.substr(sizeof(uint32_t))); }

/// Calls visit(encoded, with its length) for each slate of a pack; false when the pack is not what it should be.
template <typename Visit>
bool for_each_slate(std::string_view body, Visit&& visit) {
  ByteReader in(body);
  while (!in.at_end()) {
    const std::string_view rest = in.rest();
    const std::string_view bytes = get_short(in);
    if (!in.ok()) return false;
    visit(rest.substr(0, sizeof(uint32_t) + bytes.size()));
  }
  return true;
}

uint32_t own_check_of(const PackHeader& header) {
  constexpr size_t kFrom = offsetof(PackHeader, check);
  return check_of({reinterpret_cast<const char*>(&header) + kFrom, sizeof header - kFrom});
}

std::string header_of(const EncodedSlates& slates, TimeMs first, TimeMs last) {
  PackHeader header{.check = check_of(slates.bytes),
                    .bytes = static_cast<uint32_t>(slates.bytes.size()),
                    .slates = static_cast<uint32_t>(slates.count),
                    .first = first,
                    .last = last};
  header.own_check = own_check_of(header);
  std::string bytes;
  put(bytes, header);
  return bytes;
}

/// Those of a pack that were not served to one of the users.
EncodedSlates without(std::string_view body, std::span<const std::string> users) {
  EncodedSlates kept;
  for_each_slate(body, [&](std::string_view encoded) {
    if (std::ranges::find(users, user_of(encoded)) != users.end()) return;
    kept.bytes += encoded;
    ++kept.count;
  });
  return kept;
}

/// One day's file, read pack by pack.
class PackReader {
 public:
  /// not_found when there is no such file.
  static Result<PackReader> open(const fs::path& path) {
    PackReader reader(path);
    if (!reader.in_) return errno_status(errno, fmt::format("opening {}", path.string()));
    reader.in_.seekg(0, std::ios::end);
    reader.size_ = static_cast<uint64_t>(reader.in_.tellg());
    return reader;
  }

  /// The next whole pack's header; none at the end, or where the last pack is cut off. What is no header is passed
  /// over, up to the next one, and counted as damage.
  Result<std::optional<PackHeader>> next() {
    while (end_ + sizeof(PackHeader) <= size_) {
      PackHeader header;
      PERENNIAL_TRY(read(end_, &header, sizeof header));
      if (header.magic == kMagic && header.own_check == own_check_of(header) && header.bytes <= kMostPackBytes) {
        body_at_ = end_ + sizeof header;
        if (body_at_ + header.bytes > size_) return std::optional<PackHeader>();
        end_ = body_at_ + header.bytes;
        lost_ = false;
        return std::optional(header);
      }
      damaged_ += lost_ ? 0 : 1;
      lost_ = true;
      PERENNIAL_TRY_ASSIGN(end_, next_magic(end_ + 1));
    }
    return std::optional<PackHeader>();
  }

  /// The body of the last header; none when it is damaged, which is counted too.
  Result<std::optional<std::string>> body(const PackHeader& header) {
    std::string bytes(header.bytes, '\0');
    PERENNIAL_TRY(read(body_at_, bytes.data(), bytes.size()));
    if (check_of(bytes) == header.check) return std::optional(std::move(bytes));
    ++damaged_;
    return std::optional<std::string>();
  }

  [[nodiscard]] uint64_t end() const { return end_; }  // of the last whole pack, or where no more can be found
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] int64_t damaged() const { return damaged_; }

 private:
  explicit PackReader(fs::path path) : path_(std::move(path)), in_(path_, std::ios::binary) {}

  Status read(uint64_t at, void* to, size_t bytes) {
    in_.seekg(static_cast<std::streamoff>(at));
    if (in_.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes))) return {};
    return errno_status(EIO, fmt::format("reading {}", path_.string()));
  }

  Result<uint64_t> next_magic(uint64_t from) {
    const std::string_view magic(reinterpret_cast<const char*>(&kMagic), sizeof kMagic);
    std::string part;
    for (uint64_t at = from; at + magic.size() <= size_; at += kSearchBytes - magic.size() + 1) {
      part.resize(std::min<uint64_t>(kSearchBytes, size_ - at));
      PERENNIAL_TRY(read(at, part.data(), part.size()));
      if (const size_t found = part.find(magic); found != std::string::npos) return at + found;
    }
    return size_;
  }

  static constexpr size_t kSearchBytes = 1 << 20;

  fs::path path_;
  std::ifstream in_;
  uint64_t size_ = 0;
  uint64_t body_at_ = 0;
  uint64_t end_ = 0;
  bool lost_ = false;  // the packs do not follow each other here
  int64_t damaged_ = 0;
};

/// Calls visit(header, body) for each whole pack whose header is wanted; how many were damaged.
Result<int64_t> for_each_pack(const fs::path& path, const std::function<bool(const PackHeader&)>& wanted,
                              const std::function<Status(const PackHeader&, const std::string&)>& visit) {
  PERENNIAL_TRY_ASSIGN(PackReader reader, PackReader::open(path));
  while (true) {
    PERENNIAL_TRY_ASSIGN(const std::optional<PackHeader> header, reader.next());
    if (!header) return reader.damaged();
    if (!wanted(*header)) continue;
    PERENNIAL_TRY_ASSIGN(const std::optional<std::string> body, reader.body(*header));
    if (body) PERENNIAL_TRY(visit(*header, *body));
  }
}

bool any_pack(const PackHeader&) { return true; }

/// Damaged packs go too: nobody could tell whose they were.
Status copy_without(const fs::path& path, std::span<const std::string> users, const BytesWriter& put) {
  return for_each_pack(path, any_pack,
                       [&](const PackHeader& header, const std::string& body) {
                         const EncodedSlates kept = without(body, users);
                         return put(header_of(kept, header.first, header.last) + kept.bytes);
                       })
      .status();
}

fs::path folder_of(const fs::path& data_folder) { return data_folder / "slates"; }

fs::path path_of(const fs::path& folder, int64_t day) {
  return folder / (format_iso8601(day * kDayMs).substr(0, 10) + std::string(kEnding));
}

/// The days that have a file, oldest first.
Result<std::vector<int64_t>> days_in(const fs::path& folder) {
  std::vector<int64_t> days;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  if (error == std::errc::no_such_file_or_directory) return days;
  for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.ends_with(kEnding)) continue;
    const Result<TimeMs> time = parse_iso8601(name.substr(0, name.size() - kEnding.size()) + "T00:00:00Z");
    if (time.ok()) days.push_back(day_of(*time));
  }
  if (error) return errno_status(error.value(), fmt::format("reading {}", folder.string()));
  std::sort(days.begin(), days.end());
  return days;
}

/// Cuts off what a crash left of the last pack, so that the next one can be found.
Status cut_torn_end(const fs::path& path) {
  Result<PackReader> reader = PackReader::open(path);
  if (reader.status().code() == Code::not_found) return {};
  if (!reader.ok()) return reader.status();
  while (true) {
    PERENNIAL_TRY_ASSIGN(const std::optional<PackHeader> header, reader->next());
    if (!header) break;
  }
  if (reader->end() >= reader->size()) return {};
  std::error_code error;
  fs::resize_file(path, reader->end(), error);
  return error ? errno_status(error.value(), fmt::format("cutting {}", path.string())) : Status();
}

}  // namespace

Result<int64_t> read_slates(const fs::path& data_folder, TimeMs from, TimeMs to,
                            const std::function<Status(const Slate&)>& visit) {
  const fs::path folder = folder_of(data_folder);
  PERENNIAL_TRY_ASSIGN(const std::vector<int64_t> days, days_in(folder));
  int64_t damaged = 0;
  for (const int64_t day : days) {
    if (day < day_of(from) || day > day_of(to)) continue;
    const Result<int64_t> here = for_each_pack(
        path_of(folder, day), [&](const PackHeader& header) { return header.last >= from && header.first < to; },
        [&](const PackHeader&, const std::string& body) {
          Status status;
          const bool whole = for_each_slate(body, [&](std::string_view encoded) {
            const std::optional<Slate> slate = decode_with_length(encoded);
            if (!slate) return static_cast<void>(++damaged);
            if (status.ok() && slate->time >= from && slate->time < to) status = visit(*slate);
          });
          damaged += whole ? 0 : 1;
          return status;
        });
    if (!here.ok() && here.status().code() == Code::not_found) continue;  // too old since a moment ago
    if (!here.ok()) return here.status();
    damaged += *here;
  }
  return damaged;
}

SlateLog::SlateLog(fs::path folder, const SlateLogOptions& options, const Clock& clock, Written written)
    : folder_(std::move(folder)),
      options_(options),
      clock_(clock),
      written_(std::move(written)),
      recent_(options.recent, options.recent * kBytesOfASlate) {}

Result<std::unique_ptr<SlateLog>> SlateLog::open(const fs::path& data_folder, const SlateLogOptions& options,
                                                 const Clock& clock, Written written) {
  const fs::path folder = folder_of(data_folder);
  PERENNIAL_TRY(make_folder(folder));
  std::unique_ptr<SlateLog> log(new SlateLog(folder, options, clock, std::move(written)));
  PERENNIAL_TRY(remove_leftovers(folder, ""));
  log->expire();
  PERENNIAL_TRY(log->remember_newest());
  log->thread_ = std::thread([raw = log.get()] { raw->run(); });
  return log;
}

SlateLog::~SlateLog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

/// Of the two newest days; more than memory takes push each other out.
Status SlateLog::remember_newest() {
  PERENNIAL_TRY_ASSIGN(std::vector<int64_t> days, days_in(folder_));
  if (days.size() > 2) days.erase(days.begin(), days.end() - 2);
  std::vector<uint32_t> packs;
  for (const int64_t day : days)
    PERENNIAL_TRY(for_each_pack(path_of(folder_, day),
                                [&](const PackHeader& header) {
                                  packs.push_back(header.slates);
                                  return false;
                                },
                                {})
                      .status());
  size_t slates = 0;
  size_t skipped = packs.size();
  while (skipped > 0 && slates < options_.recent) slates += packs[--skipped];
  size_t at = 0;
  for (const int64_t day : days)
    PERENNIAL_TRY(for_each_pack(
                      path_of(folder_, day), [&](const PackHeader&) { return at++ >= skipped; },
                      [&](const PackHeader&, const std::string& body) {
                        for_each_slate(body, [&](std::string_view encoded) {
                          if (const std::optional<Slate> slate = decode_with_length(encoded))
                            recent_.add(slate->id, encoded);
                        });
                        return Status();
                      })
                      .status());
  return {};
}

void SlateLog::add(const SlateRef& slate) {
  thread_local std::string bytes;
  encode(slate, bytes);
  const int64_t day = day_of(slate.time);
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_bytes_ + bytes.size() > options_.waiting_bytes) {
      ++lost_;  // and told by the writer
    } else {
      wake = waiting_.empty() || waiting_.back().slates.bytes.size() + bytes.size() >= kPackBytes;
      if (waiting_.empty() || waiting_.back().day != day || waiting_.back().slates.bytes.size() >= kPackBytes)
        waiting_.push_back({day, slate.time, slate.time, {}});
      Pack& pack = waiting_.back();
      pack.first = std::min(pack.first, slate.time);
      pack.last = std::max(pack.last, slate.time);
      pack.slates.bytes += bytes;
      ++pack.slates.count;
      waiting_bytes_ += bytes.size();
    }
    recent_.add(slate.id, bytes);
  }
  if (wake) changed_.notify_one();
}

std::optional<Slate> SlateLog::recent(const MessageId& id) const {
  const std::lock_guard lock(mutex_);
  const std::optional<std::string_view> encoded = recent_.find(id);
  return encoded ? decode_with_length(*encoded) : std::nullopt;
}

Result<Slate> SlateLog::find(const MessageId& id) const {
  if (std::optional<Slate> slate = recent(id)) return *std::move(slate);
  const TimeMs time = time_of_slate(id);
  std::optional<Slate> found;
  PERENNIAL_TRY(read_slates(folder_.parent_path(), time, time + 1, [&](const Slate& slate) {
                  if (slate.id == id) found = slate;
                  return Status();
                }).status());
  if (found) return *std::move(found);
  return not_found("no recommendation '{}' is kept: it is older than {} days, or was never served", to_hex(id),
                   options_.keep_days);
}

void SlateLog::erase(std::vector<std::string> users, TimeMs since, Done done) {
  int64_t forgotten = 0;
  {
    const std::lock_guard lock(mutex_);
    recent_.forget_if(
        [&](std::string_view encoded) { return std::ranges::find(users, user_of(encoded)) != users.end(); });
    for (Pack& pack : waiting_) {
      EncodedSlates kept = without(pack.slates.bytes, users);
      waiting_bytes_ -= pack.slates.bytes.size() - kept.bytes.size();
      forgotten += static_cast<int64_t>(pack.slates.count - kept.count);
      pack.slates = std::move(kept);
    }
    erasures_.push_back({std::move(users), since, std::move(done), forgotten});
  }
  changed_.notify_one();
}

void SlateLog::run() {
  double expire_at = monotonic_seconds() + options_.expire_every_seconds;
  std::unique_lock lock(mutex_);
  while (true) {
    const double idle = unsynced_.empty() ? options_.expire_every_seconds : kSyncSeconds;
    changed_.wait_for(lock, std::chrono::duration<double>(idle),
                      [this] { return stop_ || !waiting_.empty() || !erasures_.empty(); });
    changed_.wait_for(lock, std::chrono::duration<double>(waiting_.empty() ? 0 : options_.write_after_seconds),
                      [this] { return stop_ || !erasures_.empty() || waiting_bytes_ >= kPackBytes; });
    const std::vector<Erasure> erasures = std::exchange(erasures_, {});
    const bool last = stop_;
    lock.unlock();
    write_waiting();
    for (const Erasure& erasure : erasures) erasure.done(erase_on_disk(erasure));
    sync(last);
    if (last) return;
    if (monotonic_seconds() >= expire_at) {
      expire();
      expire_at = monotonic_seconds() + options_.expire_every_seconds;
    }
    lock.lock();
  }
}

void SlateLog::write_waiting() {
  std::vector<Pack> packs;
  size_t lost = 0;
  {
    const std::lock_guard lock(mutex_);
    packs = std::exchange(waiting_, {});
    waiting_bytes_ = 0;
    lost = std::exchange(lost_, 0);
  }
  if (lost > 0)
    written_(lost, resource_exhausted("{} bytes of them wait for the disk already", options_.waiting_bytes));
  for (const Pack& pack : packs)
    if (pack.slates.count > 0) written_(pack.slates.count, append(pack));
}

Status SlateLog::append(const Pack& pack) {
  const fs::path path = path_of(folder_, pack.day);
  if (!(std::ranges::find(whole_days_, pack.day) != whole_days_.end())) {
    PERENNIAL_TRY(cut_torn_end(path));
    whole_days_.push_back(pack.day);
  }
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return errno_status(errno, fmt::format("opening {}", path.string()));
  const off_t before = ::lseek(file, 0, SEEK_END);
  const std::string bytes = header_of(pack.slates, pack.first, pack.last) + pack.slates.bytes;
  Status status;
  const ssize_t written = ::write(file, bytes.data(), bytes.size());
  if (written != static_cast<ssize_t>(bytes.size())) {
    status = errno_status(written < 0 ? errno : ENOSPC, fmt::format("writing {}", path.string()));
    if (::ftruncate(file, before) != 0) whole_days_.clear();
  }
  ::close(file);
  unsynced_.insert(path);
  if (before == 0 && status.ok()) return sync_folder(folder_);
  return status;
}

void SlateLog::sync(bool now) {
  if (unsynced_.empty() || (!now && monotonic_seconds() - synced_at_ < kSyncSeconds)) return;
  for (const fs::path& path : unsynced_) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;  // gone meanwhile
    if (::fdatasync(file) != 0) written_(0, errno_status(errno, fmt::format("syncing {}", path.string())));
    ::close(file);
  }
  unsynced_.clear();
  synced_at_ = monotonic_seconds();
}

/// File by file, and between them what waits is written: it may take long.
Result<int64_t> SlateLog::erase_on_disk(const Erasure& erasure) {
  int64_t erased = erasure.slates;
  PERENNIAL_TRY_ASSIGN(const std::vector<int64_t> days, days_in(folder_));
  for (const int64_t day : days) {
    if (day < day_of(erasure.since)) continue;
    write_waiting();
    const fs::path path = path_of(folder_, day);
    PERENNIAL_TRY(cut_torn_end(path));  // nobody could read it, but there it stands
    int64_t found = 0;
    PERENNIAL_TRY_ASSIGN(const int64_t damaged,
                         for_each_pack(path, any_pack, [&](const PackHeader& header, const std::string& body) {
                           found += static_cast<int64_t>(header.slates - without(body, erasure.users).count);
                           return Status();
                         }));
    if (found + damaged == 0) continue;
    erased += found;
    PERENNIAL_TRY(
        write_file_atomically(path, [&](const BytesWriter& put) { return copy_without(path, erasure.users, put); }));
  }
  return erased;
}

void SlateLog::expire() {
  const TimeMs oldest = clock_.now_ms() - options_.keep_days * kDayMs;
  const Result<std::vector<int64_t>> days = days_in(folder_);
  if (!days.ok()) return written_(0, days.status());
  for (const int64_t day : *days) {
    if ((day + 1) * kDayMs > oldest) continue;
    std::error_code error;
    fs::remove(path_of(folder_, day), error);
    if (error)
      written_(0, errno_status(error.value(),
                               fmt::format("removing {}, which is too old,", path_of(folder_, day).string())));
  }
}

}  // namespace perennial
