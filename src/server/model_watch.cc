#include "server/model_watch.h"

#include <sys/stat.h>

namespace perennial {
namespace {

constexpr size_t kMaxCurrentBytes = 64 << 10;

}  // namespace

std::optional<ModelWatch::Stamp> ModelWatch::stamp() const {
  const fs::path current = data_folder_ / "models" / "current";
  struct stat info {};
  if (::stat(current.c_str(), &info) != 0) return std::nullopt;
  Stamp stamp;
  stamp.modified_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
  stamp.inode = info.st_ino;
  Result<std::string> content = read_file(current, kMaxCurrentBytes);
  if (content.ok()) stamp.content = std::move(content).value();
  return stamp;
}

std::optional<Result<std::shared_ptr<const ServingModel>>> ModelWatch::poll(const Dictionary& items,
                                                                            const Dictionary& event_types) {
  if (!load_) return std::nullopt;
  std::optional<Stamp> now = stamp();
  if (now == seen_) return std::nullopt;
  seen_ = now;
  Result<std::shared_ptr<const ServingModel>> model =
      now ? load_(data_folder_, items, event_types) : Result<std::shared_ptr<const ServingModel>>(nullptr);
  if (!model.ok()) return model;
  const std::lock_guard lock(mutex_);
  published_at_ = now ? now->modified_ns / 1'000'000 : INT64_MIN;
  return model;
}

TimeMs ModelWatch::published_at() const {
  const std::lock_guard lock(mutex_);
  return published_at_;
}

}  // namespace perennial
