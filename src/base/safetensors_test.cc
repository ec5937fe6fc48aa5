#include "base/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "base/random.h"

namespace perennial {
namespace {

/// A file of this header and data, whatever they say.
std::string file_of(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data_bytes, '\0');
}

SafetensorsFile example() {
  SafetensorsFile file;
  file.metadata = {{"format", "perennial"}, {"quote", "\"\\ é"}};
  file.tensors["b.weight"] = {{2, 3}, {1, -2, 3.5F, 0, 1e-30F, -1e30F}};
  file.tensors["a.bias"] = {{4}, {0.1F, 0.2F, 0.3F, 0.4F}};
  file.tensors["empty"] = {{0, 5}, {}};
  file.tensors["scalar"] = {{}, {7}};
  return file;
}

void expect_refused(std::string_view bytes, std::string_view words) {
  const Result<SafetensorsFile> got = parse_safetensors(bytes);
  ASSERT_FALSE(got.ok()) << words;
  EXPECT_EQ(got.status().code(), Code::data_loss);
  EXPECT_NE(got.status().message().find(words), std::string::npos) << got.status().message();
}

TEST(Safetensors, GoesThereAndBack) {
  const SafetensorsFile wanted = example();
  const SafetensorsFile got = parse_safetensors(serialize_safetensors(wanted)).value();
  EXPECT_EQ(got.metadata, wanted.metadata);
  ASSERT_EQ(got.tensors.size(), wanted.tensors.size());
  for (const auto& [name, tensor] : wanted.tensors) {
    EXPECT_EQ(got.tensors.at(name).shape, tensor.shape) << name;
    EXPECT_EQ(got.tensors.at(name).values, tensor.values) << name;
  }
}

TEST(Safetensors, EmptyFileGoesThereAndBack) {
  EXPECT_TRUE(parse_safetensors(serialize_safetensors({})).value().tensors.empty());
}

TEST(Safetensors, LayoutIsTheFormatsOwn) {
  SafetensorsFile file;
  file.tensors["x"] = {{1}, {1.0F}};
  const std::string bytes = serialize_safetensors(file);
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0U);  // so that the data is aligned
  const std::string header = bytes.substr(8, length);
  EXPECT_EQ(header.substr(0, header.find_last_not_of(' ') + 1),
            R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})");
  EXPECT_EQ(bytes.substr(8 + length), std::string("\x00\x00\x80\x3f", 4));
}

TEST(Safetensors, HalvesAreReadAsTheFloatsThatTheyAre) {
  const std::string header = R"({"a":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}})";
  std::string bytes = file_of(header, 6);
  bytes.replace(bytes.size() - 6, 6, std::string("\x80\x3f\x20\xc0\x01\x00", 6));
  EXPECT_EQ(parse_safetensors(bytes).value().tensors.at("a").values, (std::vector<float>{1, -2.5, 0x1p-133F}));
  expect_refused(file_of(R"({"a":{"dtype":"BF16","shape":[3],"data_offsets":[0,12]}})", 12), "needs 3 values");
}

TEST(Safetensors, HalvesAreTheNearest) {
  SafetensorsFile file;
  const float largest = std::numeric_limits<float>::max();
  file.tensors["a"] = {{2, 4}, {1, -0.0F, 1 + 0x1p-8F, 1 + 0x3p-8F, 1 + 0x1.01p-8F, -3.14159F, largest, -largest}};
  const std::string bytes = serialize_safetensors(file, NumberType::bfloat16);
  EXPECT_EQ(bytes.size() % 8, 0U);
  EXPECT_LT(bytes.size(), serialize_safetensors(file).size());
  const SafetensorsFile read = parse_safetensors(bytes).value();
  EXPECT_EQ(read.tensors.at("a").shape, (std::vector<int64_t>{2, 4}));
  EXPECT_EQ(read.tensors.at("a").values,
            (std::vector<float>{1, -0.0F, 1, 1 + 0x1p-6F, 1 + 0x1p-7F, -3.140625F, 0x1.FEp127F, -0x1.FEp127F}));
  EXPECT_EQ(serialize_safetensors(read, NumberType::bfloat16), bytes);
}

TEST(Safetensors, FindChecksTheShape) {
  const SafetensorsFile file = example();
  EXPECT_EQ(file.find("b.weight", std::vector<int64_t>{2, 3}).value()->values[2], 3.5F);
  const auto wrong = file.find("b.weight", std::vector<int64_t>{3, 2});
  EXPECT_EQ(wrong.status().code(), Code::data_loss);
  EXPECT_NE(wrong.status().message().find("[2,3], the config needs [3,2]"), std::string::npos)
      << wrong.status().message();
  EXPECT_FALSE(file.find("b.weight", std::vector<int64_t>{2}).ok());
  EXPECT_FALSE(file.find("none", std::vector<int64_t>{2}).ok());
}

TEST(Safetensors, EveryPrefixIsRefused) {
  const std::string bytes = serialize_safetensors(example());
  for (size_t size = 0; size < bytes.size(); ++size)
    ASSERT_EQ(parse_safetensors(std::string_view(bytes).substr(0, size)).status().code(), Code::data_loss) << size;
}

TEST(Safetensors, BytesAfterTheDataAreRefused) {
  expect_refused(serialize_safetensors(example()) + "x", "of which tensors use");
}

TEST(Safetensors, HeaderLengthBeyondTheFileIsRefused) {
  expect_refused(std::string(8, '\xff') + "{}", "cut short");
  expect_refused(std::string("\x03\0\0\0\0\0\0\0{}", 10), "cut short");
}

TEST(Safetensors, OverlapAndHolesAreRefused) {
  const auto two = [](int begin, int end, size_t size) {
    return file_of(
        fmt::format(
            R"({{"a":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}},"b":{{"dtype":"F32","shape":[2],"data_offsets":[{},{}]}}}})",
            begin, end),
        size);
  };
  EXPECT_TRUE(parse_safetensors(two(8, 16, 16)).ok());
  expect_refused(two(4, 12, 12), "overlap");
  expect_refused(two(0, 8, 8), "overlap");
  expect_refused(two(12, 20, 20), "hole");
}

TEST(Safetensors, BadEntriesAreRefused) {
  const auto entry = [](const std::string& text) { return file_of("{\"a\":" + text + "}", 8); };
  ASSERT_TRUE(parse_safetensors(entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})")).ok());
  for (const char* text : {R"({"dtype":"F16","shape":[4],"data_offsets":[0,8]})",
                           R"({"shape":[2],"data_offsets":[0,8]})",
                           R"({"dtype":"F32","data_offsets":[0,8]})",
                           R"({"dtype":"F32","shape":[2]})",
                           R"([])",
                           R"(null)",
                           R"(3)",
                           R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})",
                           R"({"dtype":"F32","shape":[2],"data_offsets":[0]})",
                           R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})",
                           R"({"dtype":"F32","shape":[2.0],"data_offsets":[0,8]})",
                           R"({"dtype":"F32","shape":["2"],"data_offsets":[0,8]})",
                           R"({"dtype":"F32","shape":[2],"data_offsets":["0",8]})",
                           R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})",
                           R"({"dtype":"F32","shape":[2],"data_offsets":[-8,0]})",
                           R"({"dtype":"F32","shape":[2],"data_offsets":[0,800]})",
                           R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})",
                           R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]})",
                           R"({"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]})",
                           R"({"dtype":"F32","shape":[2],"data_offsets":[18446744073709551608,8]})"})
    EXPECT_EQ(parse_safetensors(entry(text)).status().code(), Code::data_loss) << text;
}

TEST(Safetensors, HeaderThatIsNoObjectIsRefused) {
  for (const char* header : {"", "[]", "null", "{", "{} {}", "\xff"})
    EXPECT_EQ(parse_safetensors(file_of(header, 0)).status().code(), Code::data_loss) << header;
  expect_refused(file_of(R"({"__metadata__":[]})", 0), "metadata");
}

TEST(Safetensors, FlippedBytesNeverCrash) {
  const std::string bytes = serialize_safetensors(example());
  Random random(31);
  for (int trial = 0; trial < 3000; ++trial) {
    std::string broken = bytes;
    for (uint64_t flips = 1 + random.below(4); flips > 0; --flips)
      broken[random.below(broken.size())] = static_cast<char>(random.next());
    const Result<SafetensorsFile> got = parse_safetensors(broken);
    EXPECT_TRUE(got.ok() || got.status().code() == Code::data_loss) << got.status().message();
  }
}

TEST(SafetensorsDeathTest, ValuesThatTheShapeDoesNotHoldAreABug) {
  SafetensorsFile file;
  file.tensors["x"] = {{3}, {1.0F}};
  EXPECT_DEATH(serialize_safetensors(file), "tensor 'x' has 1 values");
}

}  // namespace
}  // namespace perennial
