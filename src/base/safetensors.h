// The safetensors file format, read and written: named tensors in one file that Python opens too.
// Layout: 8-byte little-endian header length, JSON header {name: {dtype, shape, data_offsets}}, the data.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/files.h"

namespace perennial {

/// float32 values, row major.
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

struct SafetensorsFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;

  /// The tensor of that name when its shape is the one given; data_loss, naming both shapes, otherwise.
  Result<const Tensor*> find(const std::string& name, std::span<const int64_t> shape) const;
};

/// The whole file as bytes.
std::string serialize_safetensors(const SafetensorsFile& file);

/// data_loss when cut short, overlapping, or not of this format. Reads dtype F32 only.
Result<SafetensorsFile> parse_safetensors(std::string_view bytes);

}  // namespace perennial
