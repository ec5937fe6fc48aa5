// API keys: who may call the server. Only SHA-256 digests are kept, in `keys.json` of the data directory (mode 0600); a
// key itself is shown once, when it is made. A running server takes up changes of the file within a second or two.
// Covered by server/api_keys_test.cc.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "base/files.h"

namespace perennial {

/// write: may post events, and nothing else: such a key may stand in a web page. read: recommendations, users, items,
/// metrics. admin: both, and changes of items and erasure of users.
enum class KeyRole { write, read, admin };
const char* key_role_name(KeyRole role);
Result<KeyRole> key_role_from_name(std::string_view name);

/// Whether a key of role `held` may do what needs `needed`.
bool role_allows(KeyRole held, KeyRole needed);

struct ApiKey {
  std::string id;     // names the key in lists and for revoking; not secret
  std::string label;  // for people
  KeyRole role = KeyRole::read;
  TimeMs created_at = 0;
  Sha256 digest{};
};

/// Thread rule: any thread.
class ApiKeys {
 public:
  /// Reads `keys.json`; an absent file is no keys. data_loss when it is not what was written.
  static Result<std::unique_ptr<ApiKeys>> open(const fs::path& data_folder);

  /// Makes a key and returns its text, the only time it can be seen. invalid_argument on a label over 100 bytes.
  Result<std::string> create(std::string label, KeyRole role, TimeMs now);

  /// not_found when there is no key of that id.
  Status revoke(std::string_view id);

  [[nodiscard]] std::vector<ApiKey> list() const;

  /// The role of the key, or none when it is not one of these. Takes as long for a wrong key as for a right one.
  [[nodiscard]] std::optional<KeyRole> role_of(std::string_view key) const;

  /// Takes up the file's keys when its bytes are others than those last seen; times would miss a second change within a
  /// tick of the file system's clock, and so a revocation. On failure, told once a change, the keys before stay.
  Status reload_if_changed();

 private:
  explicit ApiKeys(fs::path path) : path_(std::move(path)) {}
  Result<std::optional<std::string>> read_text() const;  // none: there is no file
  Status load();
  Status take(std::optional<std::string> text);
  Status save(const std::vector<ApiKey>& keys);

  fs::path path_;
  mutable std::mutex mutex_;
  std::vector<ApiKey> keys_;
  std::optional<std::string> seen_;  // the file's bytes
};

}  // namespace perennial
