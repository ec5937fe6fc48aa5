#include "log/slate_log.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"

namespace perennial {
namespace {

constexpr TimeMs kDayMs = 86'400'000;
constexpr size_t kPackBytes = 256 << 10;
constexpr size_t kMostPackBytes = 64 << 20;  // a longer one is damage
constexpr size_t kBytesOfASlate = 1024;
constexpr double kSyncSeconds = 1;
constexpr std::string_view kEnding = ".slates";
constexpr uint32_t kMagic = 0x31544C53;  // "SLT1"

struct PackHeader {
  uint32_t magic = kMagic;
  uint32_t check = 0;  // CRC-32 of the body
  uint32_t bytes = 0;  // of the body
  uint32_t slates = 0;
  int64_t first = 0, last = 0;  // times
};
static_assert(sizeof(PackHeader) == 32);

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

/// The slate, behind its own length.
std::string encode(const Slate& slate) {
  std::string bytes;
  bytes.reserve(80 + slate.user.size() + slate.surface.size() + slate.model.size() + slate.policy.size() +
                slate.context.size() + slate.items.size() * sizeof(PackedItem));
  put(bytes, uint32_t{0});
  put(bytes, slate.id);
  put(bytes, slate.time);
  put(bytes, slate.after);
  for (const std::string* text : {&slate.user, &slate.surface, &slate.model, &slate.policy, &slate.context})
    put_short(bytes, *text);
  for (const SlateItem& item : slate.items)
    put(bytes, PackedItem{item.item, item.score, item.propensity, static_cast<uint32_t>(item.source)});
  const auto length = static_cast<uint32_t>(bytes.size() - sizeof(uint32_t));
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes;
}

std::string_view get_short(ByteReader& in) { return in.get_bytes(in.get<uint32_t>()); }

/// Of the bytes behind the length.
std::optional<Slate> decode(std::string_view bytes) {
  ByteReader in(bytes);
  Slate slate;
  slate.id = in.get<MessageId>();
  slate.time = in.get<TimeMs>();
  slate.after = in.get<MessageId>();
  for (std::string* text : {&slate.user, &slate.surface, &slate.model, &slate.policy, &slate.context})
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

std::string header_of(const EncodedSlates& slates, TimeMs first, TimeMs last) {
  std::string bytes;
  put(bytes, PackHeader{kMagic, check_of(slates.bytes), static_cast<uint32_t>(slates.bytes.size()),
                        static_cast<uint32_t>(slates.count), first, last});
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
  explicit PackReader(const fs::path& path) : in_(path, std::ios::binary) {}

  /// The next header; none at the end, and where the rest is no whole pack.
  std::optional<PackHeader> next() {
    in_.seekg(static_cast<std::streamoff>(end_));
    PackHeader header;
    if (!in_.read(reinterpret_cast<char*>(&header), sizeof header)) return std::nullopt;
    if (header.magic != kMagic || header.bytes > kMostPackBytes) return std::nullopt;
    body_at_ = end_ + sizeof header;
    end_ = body_at_ + header.bytes;
    return header;
  }

  /// The body of the last header; none when it is damaged or cut off.
  std::optional<std::string> body(const PackHeader& header) {
    std::string bytes(header.bytes, '\0');
    in_.seekg(static_cast<std::streamoff>(body_at_));
    if (!in_.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) return std::nullopt;
    if (check_of(bytes) != header.check) return std::nullopt;
    return bytes;
  }

  [[nodiscard]] uint64_t end() const { return end_; }

 private:
  std::ifstream in_;
  uint64_t body_at_ = 0;
  uint64_t end_ = 0;  // of the last pack
};

/// Damaged packs go too: nobody could tell whose they were.
Status copy_without(const fs::path& path, std::span<const std::string> users, const BytesWriter& put) {
  for (PackReader reader(path); const std::optional<PackHeader> header = reader.next();) {
    const std::optional<std::string> body = reader.body(*header);
    if (!body) continue;
    const EncodedSlates kept = without(*body, users);
    PERENNIAL_TRY(put(header_of(kept, header->first, header->last) + kept.bytes));
  }
  return {};
}

fs::path folder_of(const fs::path& data_folder) { return data_folder / "slates"; }

fs::path path_of(const fs::path& folder, int64_t day) {
  return folder / (format_iso8601(day * kDayMs).substr(0, 10) + std::string(kEnding));
}

/// The days that have a file, oldest first.
std::vector<int64_t> days_in(const fs::path& folder) {
  std::vector<int64_t> days;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.ends_with(kEnding)) continue;
    const Result<TimeMs> time = parse_iso8601(name.substr(0, name.size() - kEnding.size()) + "T00:00:00Z");
    if (time.ok()) days.push_back(day_of(*time));
  }
  std::sort(days.begin(), days.end());
  return days;
}

/// Cuts off what a crash left of a pack, so that the next one can be found.
Status cut_torn_end(const fs::path& path) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  if (error) return {};
  PackReader reader(path);
  uint64_t whole = 0;
  while (reader.next() && reader.end() <= size) whole = reader.end();
  if (whole == size) return {};
  fs::resize_file(path, whole, error);
  return error ? errno_status(error.value(), fmt::format("cutting {}", path.string())) : Status();
}

}  // namespace

Result<int64_t> read_slates(const fs::path& data_folder, TimeMs from, TimeMs to,
                            const std::function<Status(const Slate&)>& visit) {
  const fs::path folder = folder_of(data_folder);
  int64_t damaged = 0;
  for (const int64_t day : days_in(folder)) {
    if (day < day_of(from) || day > day_of(to)) continue;
    PackReader reader(path_of(folder, day));
    while (const std::optional<PackHeader> header = reader.next()) {
      if (header->last < from || header->first >= to) continue;
      const std::optional<std::string> body = reader.body(*header);
      Status status;
      const bool whole = body && for_each_slate(*body, [&](std::string_view encoded) {
                           const std::optional<Slate> slate = decode_with_length(encoded);
                           if (!slate) return static_cast<void>(++damaged);
                           if (status.ok() && slate->time >= from && slate->time < to) status = visit(*slate);
                         });
      if (!whole) ++damaged;
      PERENNIAL_TRY(status);
    }
  }
  return damaged;
}

SlateLog::SlateLog(fs::path folder, const SlateLogOptions& options, const Clock& clock, Written written)
    : folder_(std::move(folder)), options_(options), clock_(clock), written_(std::move(written)) {}

Result<std::unique_ptr<SlateLog>> SlateLog::open(const fs::path& data_folder, const SlateLogOptions& options,
                                                 const Clock& clock, Written written) {
  const fs::path folder = folder_of(data_folder);
  PERENNIAL_TRY(make_folder(folder));
  std::unique_ptr<SlateLog> log(new SlateLog(folder, options, clock, std::move(written)));
  log->expire();
  log->remember_newest();
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
void SlateLog::remember_newest() {
  std::vector<int64_t> days = days_in(folder_);
  if (days.size() > 2) days.erase(days.begin(), days.end() - 2);
  std::vector<std::pair<int64_t, PackHeader>> packs;
  for (const int64_t day : days)
    for (PackReader reader(path_of(folder_, day)); const std::optional<PackHeader> header = reader.next();)
      packs.emplace_back(day, *header);
  size_t slates = 0;
  size_t skipped = packs.size();
  while (skipped > 0 && slates < options_.recent) slates += packs[--skipped].second.slates;
  size_t at = 0;
  for (const int64_t day : days)
    for (PackReader reader(path_of(folder_, day)); const std::optional<PackHeader> header = reader.next(); ++at) {
      if (at < skipped) continue;
      const std::optional<std::string> body = reader.body(*header);
      if (!body) continue;
      for_each_slate(*body, [&](std::string_view encoded) {
        if (const std::optional<Slate> slate = decode_with_length(encoded)) remember(slate->id, std::string(encoded));
      });
    }
}

void SlateLog::remember(const MessageId& id, std::string bytes) {
  recent_bytes_ += bytes.size();
  const auto [place, is_new] = recent_.try_emplace(id);
  if (is_new) oldest_first_.push_back(id);
  recent_bytes_ -= place->second.size();
  place->second = std::move(bytes);
  while (oldest_first_.size() > options_.recent || recent_bytes_ > options_.recent * kBytesOfASlate) {
    if (const auto oldest = recent_.find(oldest_first_.front()); oldest != recent_.end()) {
      recent_bytes_ -= oldest->second.size();
      recent_.erase(oldest);
    }
    oldest_first_.pop_front();
  }
}

void SlateLog::add(const Slate& slate) {
  std::string bytes = encode(slate);
  const int64_t day = day_of(slate.time);
  bool wake = false;
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    full = waiting_bytes_ + bytes.size() > options_.waiting_bytes;
    if (!full) {
      wake = waiting_.empty();
      if (waiting_.empty() || waiting_.back().day != day || waiting_.back().slates.bytes.size() >= kPackBytes)
        waiting_.push_back({day, slate.time, slate.time, {}});
      Pack& pack = waiting_.back();
      pack.first = std::min(pack.first, slate.time);
      pack.last = std::max(pack.last, slate.time);
      pack.slates.bytes += bytes;
      ++pack.slates.count;
      waiting_bytes_ += bytes.size();
    }
    remember(slate.id, std::move(bytes));
  }
  if (wake) changed_.notify_one();
  if (full) written_(1, resource_exhausted("{} bytes of slates wait for the disk already", options_.waiting_bytes));
}

std::optional<Slate> SlateLog::recent(const MessageId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = recent_.find(id);
  return found == recent_.end() ? std::nullopt : decode_with_length(found->second);
}

Result<Slate> SlateLog::find(const MessageId& id) const {
  if (std::optional<Slate> slate = recent(id)) return *std::move(slate);
  const TimeMs time = time_of_slate(id);
  std::optional<Slate> found;
  const std::lock_guard lock(files_mutex_);
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
    std::erase_if(recent_, [&](const auto& entry) {
      if (std::ranges::find(users, user_of(entry.second)) == users.end()) return false;
      recent_bytes_ -= entry.second.size();
      return true;
    });
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
    changed_.wait_for(lock, std::chrono::duration<double>(options_.expire_every_seconds),
                      [this] { return stop_ || !waiting_.empty() || !erasures_.empty(); });
    changed_.wait_for(lock, std::chrono::duration<double>(options_.write_after_seconds),
                      [this] { return stop_ || !erasures_.empty(); });
    const std::vector<Pack> packs = std::exchange(waiting_, {});
    const std::vector<Erasure> erasures = std::exchange(erasures_, {});
    waiting_bytes_ = 0;
    const bool last = stop_;
    lock.unlock();
    write(packs);
    for (const Erasure& erasure : erasures) erasure.done(erase_on_disk(erasure));
    if (last) return;
    if (monotonic_seconds() >= expire_at) {
      expire();
      expire_at = monotonic_seconds() + options_.expire_every_seconds;
    }
    lock.lock();
  }
}

void SlateLog::write(const std::vector<Pack>& packs) {
  for (const Pack& pack : packs)
    if (pack.slates.count > 0) written_(pack.slates.count, append(pack));
}

Status SlateLog::append(const Pack& pack) {
  const fs::path path = path_of(folder_, pack.day);
  const std::lock_guard lock(files_mutex_);
  if (std::exchange(whole_day_, pack.day) != pack.day) PERENNIAL_TRY(cut_torn_end(path));
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return errno_status(errno, fmt::format("opening {}", path.string()));
  const off_t before = ::lseek(file, 0, SEEK_END);
  const std::string bytes = header_of(pack.slates, pack.first, pack.last) + pack.slates.bytes;
  Status status;
  const ssize_t written = ::write(file, bytes.data(), bytes.size());
  if (written != static_cast<ssize_t>(bytes.size())) {
    status = errno_status(written < 0 ? errno : ENOSPC, fmt::format("writing {}", path.string()));
    if (::ftruncate(file, before) != 0) whole_day_ = -1;
  } else if (const double now = monotonic_seconds(); now - synced_at_ >= kSyncSeconds) {
    synced_at_ = now;
    if (::fdatasync(file) != 0) status = errno_status(errno, fmt::format("syncing {}", path.string()));
  }
  ::close(file);
  return status;
}

Result<int64_t> SlateLog::erase_on_disk(const Erasure& erasure) {
  int64_t erased = erasure.slates;
  const std::lock_guard lock(files_mutex_);
  for (const int64_t day : days_in(folder_)) {
    if (day < day_of(erasure.since)) continue;
    const fs::path path = path_of(folder_, day);
    int64_t found = 0;
    for (PackReader reader(path); const std::optional<PackHeader> header = reader.next();)
      if (const std::optional<std::string> body = reader.body(*header))
        found += static_cast<int64_t>(header->slates - without(*body, erasure.users).count);
    if (found == 0) continue;
    erased += found;
    PERENNIAL_TRY(
        write_file_atomically(path, [&](const BytesWriter& put) { return copy_without(path, erasure.users, put); }));
  }
  return erased;
}

void SlateLog::expire() {
  const TimeMs oldest = clock_.now_ms() - options_.keep_days * kDayMs;
  const std::lock_guard lock(files_mutex_);
  for (const int64_t day : days_in(folder_)) {
    if ((day + 1) * kDayMs > oldest) continue;
    std::error_code error;
    fs::remove(path_of(folder_, day), error);
    if (error)
      written_(0, errno_status(error.value(),
                               fmt::format("removing {}, which is too old,", path_of(folder_, day).string())));
  }
}

}  // namespace perennial
