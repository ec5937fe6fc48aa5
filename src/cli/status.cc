// perennial status: what a data directory holds.
#include "base/json.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "log/sqlite_log.h"
#include "model/model_folder.h"

namespace perennial {
namespace {

Result<json::object> model_status(const fs::path& data) {
  PERENNIAL_TRY_ASSIGN(const std::string id, current_model_id(data));
  PERENNIAL_TRY_ASSIGN(const StoredModel model, load_model(data, id));
  const ModelConfig& config = model.ensemble->config();
  return json::object{{"id", id},
                      {"items", config.items},
                      {"width", config.width},
                      {"layers", config.layers},
                      {"members", config.members},
                      {"window", config.window},
                      {"holdout", holdout_name(config.holdout.kind)},
                      {"log_offset", config.holdout.log_offset},
                      {"training", config.training}};
}

Status run(const CommandLine& line) {
  PERENNIAL_TRY_ASSIGN(const auto log, open_log_for_reading(line.data));
  PERENNIAL_TRY_ASSIGN(const Offset end, log->end());
  PERENNIAL_TRY_ASSIGN(const auto imports, log->imports());
  const Result<json::object> model = model_status(line.data);
  if (line.json) {
    json::array files;
    for (const ImportProgress& import : imports)
      files.push_back({{"file", import.file_name},
                       {"rows_read", import.rows_read},
                       {"rows_kept", import.rows_kept},
                       {"finished", import.finished}});
    json::object object = {{"data", line.data},
                           {"log_end", end},
                           {"users", log->users().size()},
                           {"items", log->items().size()},
                           {"event_types", log->event_types().size()},
                           {"imports", files}};
    object["model"] = model.ok() ? json::value(*model) : json::value();
    fmt::print("{}\n", json::serialize(object));
    return {};
  }
  fmt::print(
      "data directory  {}\nlog             {} records\nusers           {}\nitems           {}\nevent types     {}\n",
      line.data, with_commas(end), with_commas(log->users().size()), with_commas(log->items().size()),
      with_commas(log->event_types().size()));
  for (const ImportProgress& import : imports)
    fmt::print("imported        {}: {} rows{}\n", import.file_name, with_commas(import.rows_read),
               import.finished ? "" : ", interrupted: import it again to go on");
  if (!model.ok()) {
    fmt::print("model           {}\n", model.status().message());
    return {};
  }
  fmt::print("model           {}: {} items, holdout {}, validation NDCG@10 {:.4f}, {} records behind the log\n",
             std::string(model->at("id").as_string()), with_commas(model->at("items").as_int64()),
             std::string(model->at("holdout").as_string()),
             number_field(model->at("training").as_object(), "validation_ndcg@10", 0).value(),
             with_commas(end - model->at("log_offset").as_int64()));
  return {};
}

}  // namespace

void add_status_command(CLI::App& app, CommandLine& line) {
  CLI::App* command = add_command(app, line, "status", "Say what a data directory holds",
                                  "perennial status --data shop", [&line] { return run(line); });
  command->add_flag("--json", line.json, "print as JSON");
}

}  // namespace perennial
