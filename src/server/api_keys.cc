#include "server/api_keys.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace perennial {
namespace {

constexpr std::string_view kKeyPrefix = "prn_";
constexpr size_t kKeyBytes = 24;
constexpr size_t kMaxLabelBytes = 100;
constexpr mode_t kOwnerOnly = 0600;
constexpr std::string_view kLockRule = "one process changes the API keys at a time";
constexpr size_t kMaxFileBytes = 16 << 20;

Result<Sha256> digest_from_hex(std::string_view hex) {
  Sha256 digest{};
  if (hex.size() != 2 * digest.size()) return data_loss("a digest has {} digits instead of 64", hex.size());
  for (size_t i = 0; i < hex.size(); ++i) {
    const char digit = hex[i];
    const bool decimal = digit >= '0' && digit <= '9';
    if (!decimal && !(digit >= 'a' && digit <= 'f'))
      return data_loss("a digest holds '{}', which is no hex digit", digit);
    const int value = decimal ? digit - '0' : digit - 'a' + 10;
    digest[i / 2] = static_cast<uint8_t>(digest[i / 2] << 4 | value);
  }
  return digest;
}

Result<ApiKey> key_from_json(const json::value& value) {
  if (!value.is_object()) return data_loss("a key is not an object");
  const json::object& object = value.get_object();
  ApiKey key;
  PERENNIAL_TRY_ASSIGN(key.id, string_field(object, "id"));
  PERENNIAL_TRY_ASSIGN(key.label, string_field(object, "label"));
  PERENNIAL_TRY_ASSIGN(const std::string role, string_field(object, "role"));
  PERENNIAL_TRY_ASSIGN(key.role, key_role_from_name(role));
  PERENNIAL_TRY_ASSIGN(const std::string created_at, string_field(object, "created_at"));
  PERENNIAL_TRY_ASSIGN(key.created_at, parse_iso8601(created_at));
  PERENNIAL_TRY_ASSIGN(const std::string digest, string_field(object, "sha256"));
  PERENNIAL_TRY_ASSIGN(key.digest, digest_from_hex(digest));
  return key;
}

Result<std::vector<ApiKey>> keys_from_text(std::string_view text) {
  PERENNIAL_TRY_ASSIGN(const json::object file, parse_json_object(text));
  const json::value* list = find_field(file, "keys");
  if (list == nullptr || !list->is_array()) return data_loss("there is no list 'keys'");
  std::vector<ApiKey> keys;
  for (const json::value& value : list->get_array()) {
    PERENNIAL_TRY_ASSIGN(ApiKey key, key_from_json(value));
    keys.push_back(std::move(key));
  }
  return keys;
}

std::string text_of_keys(const std::vector<ApiKey>& keys) {
  json::array list;
  for (const ApiKey& key : keys) {
    list.push_back(json::object{{"id", key.id},
                                {"label", key.label},
                                {"role", key_role_name(key.role)},
                                {"created_at", format_iso8601(key.created_at)},
                                {"sha256", to_hex(key.digest)}});
  }
  return json::serialize(json::object{{"version", 1}, {"keys", std::move(list)}}) + "\n";
}

}  // namespace

const char* key_role_name(KeyRole role) {
  switch (role) {
    case KeyRole::write:
      return "write";
    case KeyRole::read:
      return "read";
    case KeyRole::admin:
      return "admin";
  }
  return "read";
}

Result<KeyRole> key_role_from_name(std::string_view name) {
  for (const KeyRole role : {KeyRole::write, KeyRole::read, KeyRole::admin}) {
    if (name == key_role_name(role)) return role;
  }
  return invalid_argument("unknown role '{}': use write, read or admin", name);
}

bool role_allows(KeyRole held, KeyRole needed) { return held == KeyRole::admin || held == needed; }

Result<std::unique_ptr<ApiKeys>> ApiKeys::open(const fs::path& data_folder) {
  PERENNIAL_TRY(make_folder(data_folder));
  std::unique_ptr<ApiKeys> keys(new ApiKeys(data_folder / "keys.json"));
  PERENNIAL_TRY(keys->load());
  return keys;
}

Result<std::optional<std::string>> ApiKeys::read_text() const {
  Result<std::string> text = read_file(path_, kMaxFileBytes);
  if (text.ok()) return std::optional(std::move(text).value());
  if (text.status().code() == Code::not_found) return std::optional<std::string>();
  return text.status();
}

Status ApiKeys::load() {
  PERENNIAL_TRY_ASSIGN(std::optional<std::string> text, read_text());
  return take(std::move(text));
}

Status ApiKeys::take(std::optional<std::string> text) {
  const std::lock_guard lock(mutex_);
  seen_ = std::move(text);
  if (!seen_) {
    keys_.clear();
    return {};
  }
  Result<std::vector<ApiKey>> parsed = keys_from_text(*seen_);
  if (!parsed.ok()) {
    return data_loss("{} is not a list of API keys: {}; mend it, or remove it to start with new keys", path_.string(),
                     parsed.status().message());
  }
  keys_ = std::move(parsed).value();
  return {};
}

Status ApiKeys::save(const std::vector<ApiKey>& keys) {
  return write_file_atomically(path_, text_of_keys(keys), kOwnerOnly);
}

Result<std::string> ApiKeys::create(std::string label, KeyRole role, TimeMs now) {
  if (label.size() > kMaxLabelBytes || !is_utf8(label)) {
    return invalid_argument("the label must be UTF-8 of at most {} bytes, got {}", kMaxLabelBytes, label.size());
  }
  PERENNIAL_TRY_ASSIGN(const FileLock lock, FileLock::acquire(path_.string() + ".lock", kLockRule));
  PERENNIAL_TRY(load());
  std::string text = std::string(kKeyPrefix) + random_hex(kKeyBytes);
  std::vector<ApiKey> keys = list();
  keys.push_back({random_hex(4), std::move(label), role, now, sha256(text)});
  PERENNIAL_TRY(save(keys));
  PERENNIAL_TRY(load());
  return text;
}

Status ApiKeys::revoke(std::string_view id) {
  PERENNIAL_TRY_ASSIGN(const FileLock lock, FileLock::acquire(path_.string() + ".lock", kLockRule));
  PERENNIAL_TRY(load());
  std::vector<ApiKey> keys = list();
  if (std::erase_if(keys, [&](const ApiKey& key) { return key.id == id; }) == 0) {
    return not_found("no API key has the id '{}': see 'key list'", id);
  }
  PERENNIAL_TRY(save(keys));
  return load();
}

std::vector<ApiKey> ApiKeys::list() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

std::optional<KeyRole> ApiKeys::role_of(std::string_view key) const {
  const Sha256 digest = sha256(key);
  std::optional<KeyRole> role;
  const std::lock_guard lock(mutex_);
  for (const ApiKey& known : keys_) {
    if (CRYPTO_memcmp(digest.data(), known.digest.data(), digest.size()) == 0) role = known.role;
  }
  return role;
}

Status ApiKeys::reload_if_changed() {
  PERENNIAL_TRY_ASSIGN(std::optional<std::string> text, read_text());
  {
    const std::lock_guard lock(mutex_);
    if (text == seen_) return {};
  }
  return take(std::move(text));
}

}  // namespace perennial
