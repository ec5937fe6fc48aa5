#include "forecast/forecasts_file.h"

namespace perennial {

fs::path forecasts_path(const fs::path& data_folder) { return data_folder / "forecasts.json"; }

Status save_forecasts(const fs::path& data_folder, const Forecasts& forecasts) {
  return write_file_atomically(forecasts_path(data_folder), json::serialize(forecasts.to_json()));
}

Result<Forecasts> load_forecasts(const fs::path& data_folder, Definition definition) {
  const fs::path path = forecasts_path(data_folder);
  PERENNIAL_TRY_ASSIGN(const std::string bytes, read_file(path));
  const Result<json::object> object = parse_json_object(bytes);
  if (!object.ok()) return object.status().with_context(path.string());
  Result<Forecasts> read = Forecasts::read(std::move(definition), *object);
  return read.ok() ? std::move(read) : read.status().with_context(path.string());
}

}  // namespace perennial
