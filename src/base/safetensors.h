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
struct FloatTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

struct SafetensorsFile {
  std::map<std::string, FloatTensor> tensors;
  std::map<std::string, std::string> metadata;

  /// The tensor of that name when its shape is the one given; data_loss, naming both shapes, otherwise.
  Result<const FloatTensor*> find(const std::string& name, std::span<const int64_t> shape) const;
};

enum class NumberType { float32, bfloat16 };

/// The whole file as bytes; bfloat16: half as many, each number rounded to the nearest. Every tensor must hold as many
/// values as its shape says.
std::string serialize_safetensors(const SafetensorsFile& file, NumberType type = NumberType::float32);

/// data_loss when cut short, followed by more, overlapping, with holes, or not of this format. Reads dtypes F32 and
/// BF16.
Result<SafetensorsFile> parse_safetensors(std::string_view bytes);

}  // namespace perennial
