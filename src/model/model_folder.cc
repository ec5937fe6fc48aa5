#include "model/model_folder.h"

#include "base/digest.h"
#include "base/text.h"

namespace perennial {
namespace {

fs::path models_folder(const fs::path& data_folder) { return data_folder / "models"; }

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

bool is_plain_name(std::string_view id) {
  return !id.empty() && id.front() != '.' && id.find('/') == std::string_view::npos &&
         id.find('\0') == std::string_view::npos;
}

/// The file is let go again before a model is made of it.
Result<SafetensorsFile> read_weights(const fs::path& path) {
  PERENNIAL_TRY_ASSIGN(const MappedFile file, MappedFile::open(path));
  return parse_safetensors(file.bytes());
}

}  // namespace

Status save_model(const fs::path& data_folder, ModelConfig config, const SafetensorsFile& weights,
                  const std::vector<std::string>& item_names, std::string_view learning_curve, NumberType type) {
  PERENNIAL_CHECK(is_plain_name(config.id), "model id '{}'", config.id);
  const fs::path folder = models_folder(data_folder) / config.id;
  PERENNIAL_TRY(make_folder(folder));
  std::string names;
  for (const std::string& name : item_names) names.append(name).push_back('\n');
  config.items_digest = to_hex(sha256(names));
  PERENNIAL_TRY(write_file_atomically(folder / "items.txt", names));
  PERENNIAL_TRY(write_file_atomically(folder / "model.safetensors", serialize_safetensors(weights, type)));
  PERENNIAL_TRY(write_file_atomically(folder / "learning_curve.jsonl", learning_curve));
  PERENNIAL_TRY(write_file_atomically(folder / "config.json", to_json(config)));
  return write_file_atomically(models_folder(data_folder) / "current", config.id + "\n");
}

Result<std::string> current_model_id(const fs::path& data_folder) {
  const Result<std::string> text = read_file(models_folder(data_folder) / "current", 4096);
  if (!text.ok() && text.status().code() == Code::not_found)
    return not_found("no model in {}: train one with 'perennial train'", data_folder.string());
  if (!text.ok()) return text.status();
  const std::string id(trim(std::string_view(*text).substr(0, text->find('\n'))));
  if (!is_plain_name(id))
    return data_loss("{} does not name a model", (models_folder(data_folder) / "current").string());
  return id;
}

Result<StoredModel> load_model(const fs::path& data_folder, const std::string& id) {
  if (!is_plain_name(id)) return invalid_argument("not a model id: '{}'", id);
  const fs::path folder = models_folder(data_folder) / id;
  const auto in_context = [&](const Status& status) { return status.with_context(fmt::format("model {}", id)); };
  const Result<std::string> config_text = read_file(folder / "config.json");
  if (!config_text.ok()) return in_context(config_text.status());
  Result<ModelConfig> config = parse_model_config(*config_text);
  if (!config.ok()) return in_context(config.status());
  const Result<std::string> names = read_file(folder / "items.txt");
  if (!names.ok()) return in_context(names.status());
  if (to_hex(sha256(*names)) != config->items_digest)
    return data_loss("model {}: items.txt is not the one it was trained with", id);
  const Result<SafetensorsFile> weights = read_weights(folder / "model.safetensors");
  if (!weights.ok()) return in_context(weights.status());
  StoredModel model;
  model.item_names = split_lines(*names);
  if (model.item_names.size() != static_cast<size_t>(config->items))
    return data_loss("model {}: {} item names for {} items", id, model.item_names.size(), config->items);
  Result<std::unique_ptr<Ensemble>> ensemble = Ensemble::create(std::move(config).value(), *weights);
  if (!ensemble.ok()) return in_context(ensemble.status());
  model.ensemble = std::move(ensemble).value();
  return model;
}

}  // namespace perennial
