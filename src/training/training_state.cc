#include "training/training_state.h"

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <new>
#include <stdexcept>

#include "base/json.h"

namespace perennial {
namespace {

fs::path state_path(const fs::path& data_folder) { return data_folder / "training.state"; }

/// Doubles as their bits: a decimal that is read again may differ in the last one.
std::string to_text(const TrainingProgress& progress) {
  return json::serialize(json::object{{"member", progress.member},
                                      {"curve_of_member", progress.curve_of_member},
                                      {"step", progress.step},
                                      {"epoch", progress.epoch},
                                      {"step_in_epoch", progress.step_in_epoch},
                                      {"planned_epochs", progress.planned_epochs},
                                      {"planned_members", progress.planned_members},
                                      {"seconds", std::bit_cast<int64_t>(progress.seconds)},
                                      {"best_epoch", progress.best_epoch},
                                      {"best_ndcg", std::bit_cast<int64_t>(progress.best_ndcg)},
                                      {"loss_sum", std::bit_cast<int64_t>(progress.loss_sum)},
                                      {"predictions", progress.predictions},
                                      {"tokens", progress.tokens},
                                      {"curve", progress.curve}});
}

TrainingProgress parse_progress(const std::string& text) {
  const json::object object = json::parse(text).as_object();
  TrainingProgress progress;
  progress.member = object.at("member").as_int64();
  progress.curve_of_member = object.at("curve_of_member").to_number<size_t>();
  progress.step = object.at("step").as_int64();
  progress.epoch = object.at("epoch").as_int64();
  progress.step_in_epoch = object.at("step_in_epoch").as_int64();
  progress.planned_epochs = object.at("planned_epochs").as_int64();
  progress.planned_members = object.at("planned_members").as_int64();
  progress.seconds = std::bit_cast<double>(object.at("seconds").as_int64());
  progress.best_epoch = object.at("best_epoch").as_int64();
  progress.best_ndcg = std::bit_cast<double>(object.at("best_ndcg").as_int64());
  progress.loss_sum = std::bit_cast<double>(object.at("loss_sum").as_int64());
  progress.predictions = object.at("predictions").as_int64();
  progress.tokens = object.at("tokens").as_int64();
  progress.curve = std::string(object.at("curve").as_string());
  return progress;
}

/// not_found and others by errno: libtorch does not tell a file that may not be opened from one that is broken.
Status check_readable(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return errno_status(errno, fmt::format("opening {}", path.string()));
  ::close(descriptor);
  return {};
}

/// Bytes as a tensor, since an archive keeps nothing else of that size. It borrows them.
torch::Tensor to_tensor(const std::string& bytes) {
  return torch::from_blob(const_cast<char*>(bytes.data()), {static_cast<int64_t>(bytes.size())}, torch::kUInt8);
}

/// Straight into the file: a copy in memory would be the run's peak. libtorch ends the program over a write that fails,
/// so it is told of none.
Status write_archive(torch::serialize::OutputArchive& archive, const fs::path& path) {
  return write_file_atomically(path, [&](const BytesWriter& write) {
    Status status;
    archive.save_to([&](const void* bytes, size_t size) {
      if (status.ok()) status = write({static_cast<const char*>(bytes), size});
      return size;
    });
    return status;
  });
}

/// Parameters and buffers by their whole name. Module::save would nest archives named like the modules, and libtorch
/// cannot read one back whose name is a word of Python's, such as `in`.
std::vector<std::pair<std::string, torch::Tensor>> named_tensors(const TransformerModule& module) {
  std::vector<std::pair<std::string, torch::Tensor>> tensors;
  for (const auto& parameter : module->named_parameters()) tensors.emplace_back(parameter.key(), parameter.value());
  for (const auto& buffer : module->named_buffers()) tensors.emplace_back(buffer.key(), buffer.value());
  return tensors;
}

std::string to_bytes(const torch::Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data_ptr<uint8_t>()), static_cast<size_t>(tensor.numel())};
}

}  // namespace

TrainingState::TrainingState(const ModelConfig& config, Precision precision, double dropout, double learning_rate,
                             double weight_decay, double muon_rate, const FusedKernels* kernels)
    : module(config, precision, dropout, kernels),
      optimizer(module->named_parameters(),
                {.learning_rate = static_cast<float>(learning_rate), .weight_decay = static_cast<float>(weight_decay)},
                muon_rate),
      average(module->named_parameters()) {}

Status TrainingState::save(const fs::path& data_folder, const std::string& fingerprint) {
  torch::serialize::OutputArchive archive;
  torch::serialize::OutputArchive weights;
  torch::serialize::OutputArchive moments;
  for (const auto& [name, tensor] : named_tensors(module)) weights.write(name, tensor, /*is_buffer=*/true);
  optimizer.save(moments);
  average.save(moments);
  archive.write("fingerprint", c10::IValue(fingerprint));
  archive.write("progress", c10::IValue(to_text(progress)));
  const std::string best_bytes = serialize_safetensors(best);
  const std::string finished_bytes = serialize_safetensors(finished);
  archive.write("best", to_tensor(best_bytes), /*is_buffer=*/true);
  archive.write("finished", to_tensor(finished_bytes), /*is_buffer=*/true);
  archive.write("weights", weights);
  archive.write("moments", moments);
  return write_archive(archive, state_path(data_folder));
}

/// Throws when the file cannot be read, with nothing changed.
Status TrainingState::load(const fs::path& path, const std::string& fingerprint) {
  torch::serialize::InputArchive archive;
  archive.load_from(path.string());
  c10::IValue text;
  archive.read("fingerprint", text);
  if (text.toStringRef() != fingerprint)
    return failed_precondition(
        "is of an interrupted training run with other settings, or with users who were erased since: repeat its "
        "command "
        "to go on with it, or use --fresh to drop it");
  archive.read("progress", text);
  const auto read_tensors = [&](const char* name) {
    torch::Tensor its_bytes;
    archive.read(name, its_bytes, /*is_buffer=*/true);
    Result<SafetensorsFile> tensors = parse_safetensors(to_bytes(its_bytes));
    if (!tensors.ok()) throw std::runtime_error(tensors.status().message());
    return std::move(tensors).value();
  };
  SafetensorsFile best_read = read_tensors("best");
  SafetensorsFile finished_read = read_tensors("finished");
  torch::serialize::InputArchive weights;
  torch::serialize::InputArchive moments;
  archive.read("weights", weights);
  archive.read("moments", moments);
  TrainingProgress read = parse_progress(text.toStringRef());
  try {
    std::vector<std::pair<torch::Tensor, torch::Tensor>> copies;
    for (const auto& [name, tensor] : named_tensors(module)) {
      torch::Tensor values;
      weights.read(name, values, /*is_buffer=*/true);
      TORCH_CHECK(values.sizes() == tensor.sizes(), name, " has another shape");
      copies.emplace_back(tensor, values);
    }
    optimizer.load(moments);
    average.load(moments);
    const torch::NoGradGuard no_grad;
    for (auto& [tensor, values] : copies) tensor.copy_(values);
  } catch (const c10::Error&) {
    return failed_precondition("was written by another version of this program: use --fresh to drop it");
  }
  progress = std::move(read);
  best = std::move(best_read);
  finished = std::move(finished_read);
  return {};
}

Status TrainingState::resume(const fs::path& data_folder, const std::string& fingerprint) {
  const fs::path path = state_path(data_folder);
  if (const Status readable = check_readable(path); !readable.ok())
    return readable.code() == Code::not_found ? Status() : readable;
  try {
    const Status loaded = load(path, fingerprint);
    if (!loaded.ok()) return failed_precondition("{} {}", path.string(), loaded.message());
    const std::string of = progress.member == 0 ? "" : fmt::format(" of member {}", progress.member + 1);
    fmt::print(stderr, "Going on with the training that was interrupted in epoch {}{}.\n", progress.epoch + 1, of);
    return {};
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    fs::path aside = path;
    aside += ".old";
    fmt::print(stderr, "{} cannot be read: put aside as {}, starting anew.\n", path.string(),
               aside.filename().string());
    std::error_code error;
    fs::rename(path, aside, error);
    return error ? errno_status(error.value(), fmt::format("renaming {}", path.string())) : Status();
  }
}

std::optional<ModelConfig> TrainingState::interrupted(const fs::path& data_folder) {
  try {
    torch::serialize::InputArchive archive;
    archive.load_from(state_path(data_folder).string());
    c10::IValue text;
    archive.read("fingerprint", text);
    const json::value fingerprint = json::parse(text.toStringRef());
    Result<ModelConfig> config = parse_model_config(fingerprint.at("config").as_string());
    return config.ok() ? std::optional(std::move(config).value()) : std::nullopt;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

Status TrainingState::remove(const fs::path& data_folder) {
  std::error_code error;
  fs::remove(state_path(data_folder), error);
  return error ? errno_status(error.value(), fmt::format("removing {}", state_path(data_folder).string())) : Status();
}

}  // namespace perennial
