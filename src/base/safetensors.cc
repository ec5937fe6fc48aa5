#include "base/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#include "base/json.h"

namespace perennial {
namespace {

constexpr size_t kLengthBytes = 8;

/// Where a tensor's bytes stand in the data.
struct Range {
  int64_t begin;
  int64_t end;
  auto operator<=>(const Range&) const = default;
};

/// The format wants every byte of the data to belong to exactly one tensor.
Status check_tiling(std::vector<Range> ranges, size_t size) {
  std::sort(ranges.begin(), ranges.end());
  int64_t at = 0;
  for (const Range& range : ranges) {
    if (range.begin != at)
      return data_loss("safetensors data: a tensor begins at byte {} where {} was due: tensors overlap or leave a hole",
                       range.begin, at);
    at = range.end;
  }
  if (static_cast<size_t>(at) != size)
    return data_loss("safetensors data: {} bytes, of which tensors use {}", size, at);
  return {};
}

/// Adds the place of its bytes to ranges.
Result<FloatTensor> parse_tensor(const std::string& name, const json::value& entry, std::string_view data,
                                 std::vector<Range>& ranges) {
  const json::object* object = entry.if_object();
  const json::value* dtype = object != nullptr ? object->if_contains("dtype") : nullptr;
  const json::value* shape = object != nullptr ? object->if_contains("shape") : nullptr;
  const json::value* range = object != nullptr ? object->if_contains("data_offsets") : nullptr;
  const bool halves = dtype != nullptr && *dtype == "BF16";
  if (dtype == nullptr || (*dtype != "F32" && !halves) || shape == nullptr || !shape->is_array() || range == nullptr ||
      !range->is_array() || range->get_array().size() != 2)
    return data_loss("safetensors entry '{}' is not a tensor of F32 or BF16 with shape and data_offsets", name);
  const size_t value_bytes = halves ? sizeof(uint16_t) : sizeof(float);
  FloatTensor tensor;
  size_t count = 1;
  for (const json::value& dimension : shape->get_array()) {
    if (!dimension.is_int64() || dimension.get_int64() < 0)
      return data_loss("safetensors entry '{}' has a bad shape", name);
    tensor.shape.push_back(dimension.get_int64());
    if (__builtin_mul_overflow(count, static_cast<size_t>(dimension.get_int64()), &count))
      return data_loss("safetensors entry '{}' has a bad shape", name);
  }
  const json::array& offsets = range->get_array();
  if (!offsets[0].is_int64() || !offsets[1].is_int64())
    return data_loss("safetensors entry '{}' has bad offsets", name);
  const int64_t begin = offsets[0].get_int64();
  const int64_t end = offsets[1].get_int64();
  if (begin < 0 || end < begin || static_cast<size_t>(end) > data.size())
    return data_loss("safetensors entry '{}' ends at byte {} of {}: the file is cut short", name, end, data.size());
  if (count > data.size() / value_bytes || static_cast<size_t>(end - begin) != count * value_bytes)
    return data_loss("safetensors entry '{}' has {} bytes, its shape needs {} values", name, end - begin, count);
  ranges.push_back({begin, end});
  tensor.values.resize(count);
  const char* const values = data.data() + begin;
  if (halves) {
    for (size_t i = 0; i < count; ++i) {  // each is the upper half of a float32's bits
      uint16_t upper;
      std::memcpy(&upper, values + i * sizeof upper, sizeof upper);
      tensor.values[i] = std::bit_cast<float>(uint32_t{upper} << 16);
    }
  } else if (count > 0) {
    std::memcpy(tensor.values.data(), values, count * sizeof(float));
  }
  return tensor;
}

/// The nearest, of two as near the even one; the largest there is instead of infinity.
uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto half = static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
  return std::isfinite(value) && (half & 0x7F80) == 0x7F80 ? static_cast<uint16_t>(half - 1) : half;
}

}  // namespace

Result<const FloatTensor*> SafetensorsFile::find(const std::string& name, std::span<const int64_t> shape) const {
  const auto found = tensors.find(name);
  if (found == tensors.end()) return data_loss("checkpoint has no tensor '{}'", name);
  const std::vector<int64_t>& got = found->second.shape;
  if (!std::equal(got.begin(), got.end(), shape.begin(), shape.end()))
    return data_loss("checkpoint tensor '{}' has shape {}, the config needs {}", name,
                     json::serialize(json::value_from(got)),
                     json::serialize(json::value_from(std::vector<int64_t>(shape.begin(), shape.end()))));
  return &found->second;
}

std::string serialize_safetensors(const SafetensorsFile& file, NumberType type) {
  const bool halves = type == NumberType::bfloat16;
  json::object header;
  if (!file.metadata.empty()) header["__metadata__"] = json::value_from(file.metadata);
  size_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    const size_t size = tensor.values.size() * (halves ? sizeof(uint16_t) : sizeof(float));
    PERENNIAL_CHECK(static_cast<int64_t>(tensor.values.size()) ==
                        std::accumulate(tensor.shape.begin(), tensor.shape.end(), int64_t{1}, std::multiplies<>()),
                    "tensor '{}' has {} values, which is not what its shape says", name, tensor.values.size());
    header[name] = {{"dtype", halves ? "BF16" : "F32"},
                    {"shape", json::value_from(tensor.shape)},
                    {"data_offsets", {offset, offset + size}}};
    offset += size;
  }
  std::string text = json::serialize(header);
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();
  std::string bytes(kLengthBytes, '\0');
  std::memcpy(bytes.data(), &length, kLengthBytes);
  bytes.reserve(kLengthBytes + text.size() + offset);
  bytes += text;
  const auto append = [&](const auto* numbers, size_t count) {
    bytes.append(reinterpret_cast<const char*>(numbers), count * sizeof *numbers);
  };
  for (const auto& [name, tensor] : file.tensors) {
    if (halves) {
      for (const float value : tensor.values) {
        const uint16_t half = to_bfloat16(value);
        append(&half, 1);
      }
    } else {
      append(tensor.values.data(), tensor.values.size());
    }
  }
  return bytes;
}

Result<SafetensorsFile> parse_safetensors(std::string_view bytes) {
  uint64_t length = 0;
  if (bytes.size() < kLengthBytes) return data_loss("not a safetensors file: only {} bytes", bytes.size());
  std::memcpy(&length, bytes.data(), kLengthBytes);
  bytes.remove_prefix(kLengthBytes);
  if (length > bytes.size())
    return data_loss("safetensors header of {} bytes is cut short at {}", length, bytes.size());
  const Result<json::object> header = parse_json_object(bytes.substr(0, length));
  if (!header.ok()) return data_loss("safetensors header: {}", header.status().message());
  bytes.remove_prefix(length);
  SafetensorsFile file;
  std::vector<Range> ranges;
  for (const auto& [key, entry] : *header) {
    const std::string name(key);
    if (name != "__metadata__") {
      PERENNIAL_TRY_ASSIGN(file.tensors[name], parse_tensor(name, entry, bytes, ranges));
      continue;
    }
    const json::object* metadata = entry.if_object();
    if (metadata == nullptr) return data_loss("safetensors metadata is not an object");
    for (const auto& [word, value] : *metadata)
      if (value.is_string()) file.metadata[std::string(word)] = std::string(value.get_string());
  }
  PERENNIAL_TRY(check_tiling(std::move(ranges), bytes.size()));
  return file;
}

}  // namespace perennial
