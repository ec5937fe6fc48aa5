// perennial key: API keys of a data directory. A running server takes changes up within a second or two.
#include "base/json.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "server/api_keys.h"

namespace perennial {
namespace {

struct KeyFlags {
  std::string label;
  std::string role = "admin";
  std::string id;
};

Status create(const CommandLine& line, const KeyFlags& flags) {
  PERENNIAL_TRY_ASSIGN(const KeyRole role, key_role_from_name(flags.role));
  PERENNIAL_TRY(make_folder(line.data));
  PERENNIAL_TRY_ASSIGN(const auto keys, ApiKeys::open(line.data));
  PERENNIAL_TRY_ASSIGN(const std::string key, keys->create(flags.label, role, SystemClock().now_ms()));
  if (line.json)
    fmt::print("{}\n", json::serialize(json::object{{"key", key}, {"role", flags.role}}));
  else
    fmt::print("{}\nThis {} key is shown once and stored hashed: keep it now.\n", key, flags.role);
  return {};
}

Status list(const CommandLine& line) {
  PERENNIAL_TRY_ASSIGN(const auto keys, ApiKeys::open(line.data));
  json::array array;
  for (const ApiKey& key : keys->list()) {
    if (line.json)
      array.push_back({{"id", key.id},
                       {"label", key.label},
                       {"role", key_role_name(key.role)},
                       {"created_at", format_iso8601(key.created_at)}});
    else
      fmt::print("{}  {:6}  {}  {}\n", key.id, key_role_name(key.role), format_iso8601(key.created_at), key.label);
  }
  if (line.json)
    fmt::print("{}\n", json::serialize(array));
  else if (keys->list().empty())
    fmt::print("No key yet: 'perennial key create' makes one, or the first 'perennial serve'.\n");
  return {};
}

Status revoke(const CommandLine& line, const KeyFlags& flags) {
  PERENNIAL_TRY_ASSIGN(const auto keys, ApiKeys::open(line.data));
  PERENNIAL_TRY(keys->revoke(flags.id));
  fmt::print("Key {} is revoked.\n", flags.id);
  return {};
}

}  // namespace

void add_key_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<KeyFlags>();
  CLI::App* command = app.add_subcommand("key", "Create, list or revoke API keys");
  command->require_subcommand(1);
  CLI::App* created =
      add_command(*command, line, "create", "Make a key and print it once",
                  "perennial key create --role write --label website", [&line, flags] { return create(line, *flags); });
  created->add_option("--role", flags->role, "write (post events only), read, or admin")->capture_default_str();
  created->add_option("--label", flags->label, "for people: what the key is for");
  created->add_flag("--json", line.json, "print as JSON");
  CLI::App* listed =
      add_command(*command, line, "list", "List the keys", "perennial key list", [&line] { return list(line); });
  listed->add_flag("--json", line.json, "print as JSON");
  CLI::App* revoked = add_command(*command, line, "revoke", "Take a key back", "perennial key revoke 3f9a12",
                                  [&line, flags] { return revoke(line, *flags); });
  revoked->add_option("id", flags->id, "id of the key, from 'perennial key list'")->required();
}

}  // namespace perennial
