// The product under the fused kernels, of every instruction set that this machine runs, against sums in double: the
// edges of its blocks that every set has (narrower ones: attention, by training/fused_steps_test.cc), both layouts of
// the left operand, overwriting and adding, nothing written beside the result.
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "fused/fused.h"

namespace perennial {
namespace {

float to_bfloat16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000U;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

class Product : public testing::TestWithParam<const FusedKernels*> {
 protected:
  float rounded(float x) const { return GetParam()->name().starts_with("bfloat16") ? to_bfloat16(x) : x; }
};

TEST_P(Product, EqualsSumsInDoubleAtEveryEdge) {
  Random random(3);
  Arena scratch;
  constexpr float kCanary = 12345.0F;
  for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 16, 48})
    for (const int64_t columns : {16, 32, 48, 64, 80, 112, 128})
      for (const int64_t depth : {16, 32, 80})
        for (const bool transposed : {false, true})
          for (const bool add : {false, true}) {
            if (transposed && rows % 16 != 0) continue;
            std::vector<float> a(static_cast<size_t>(rows * depth)), b(static_cast<size_t>(depth * columns));
            std::vector<float> c(static_cast<size_t>(rows * columns) + 16, kCanary);
            const float start = add ? 0.5F : NAN;  // what is overwritten may be anything
            std::fill_n(c.begin(), rows * columns, start);
            for (float& x : a) x = rounded(static_cast<float>(random.normal()));
            for (float& x : b) x = rounded(static_cast<float>(random.normal()));
            GetParam()->product(rows, columns, depth, a.data(), transposed, b.data(), c.data(), add, scratch);
            for (int64_t m = 0; m < rows; ++m)
              for (int64_t n = 0; n < columns; ++n) {
                double sum = add ? start : 0;
                double size = std::abs(sum);
                for (int64_t k = 0; k < depth; ++k) {
                  const double product =
                      static_cast<double>(a[static_cast<size_t>(transposed ? k * rows + m : m * depth + k)]) *
                      b[static_cast<size_t>(k * columns + n)];
                  sum += product;
                  size += std::abs(product);
                }
                ASSERT_LE(std::abs(c[static_cast<size_t>(m * columns + n)] - sum),
                          static_cast<double>(depth + 1) * 0x1p-24 * size)
                    << rows << "x" << columns << "x" << depth << " at " << m << "," << n;
              }
            for (size_t i = static_cast<size_t>(rows * columns); i < c.size(); ++i) ASSERT_EQ(c[i], kCanary);
          }
}

INSTANTIATE_TEST_SUITE_P(, Product, testing::ValuesIn(runnable_kernels()), [](const auto& instance) {
  std::string name(instance.param->name());
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(FusedKernels, EnvironmentForcesOneAndUnknownNamesAreErrors) {
  for (const FusedKernels* kernels : runnable_kernels()) {
    ::setenv("PERENNIAL_KERNELS", std::string(kernels->name()).c_str(), 1);
    const auto chosen = fused_kernels(Precision::float32);
    ASSERT_TRUE(chosen.ok());
    EXPECT_EQ((*chosen)->name(), kernels->name());
  }
  ::setenv("PERENNIAL_KERNELS", "abacus", 1);
  const auto unknown = fused_kernels(Precision::float32);
  EXPECT_EQ(unknown.status().code(), Code::failed_precondition);
  EXPECT_NE(unknown.status().message().find("float32"), std::string::npos) << "it names what there is";
  ::unsetenv("PERENNIAL_KERNELS");
  EXPECT_EQ((*fused_kernels(Precision::float32))->name().substr(0, 7), "float32");
}

TEST(Arena, GivesAlignedMemoryThatItTakesBack) {
  Arena arena;
  auto* first = static_cast<unsigned char*>(arena.take(100));
  const Arena::Mark mark = arena.mark();
  auto* big = static_cast<unsigned char*>(arena.take(5 << 20));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0U);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(big) % 64, 0U);
  arena.release(mark);
  EXPECT_EQ(arena.take(5 << 20), big) << "the same memory again";
  arena.reset();
  EXPECT_EQ(arena.take(100), first);
}

}  // namespace
}  // namespace perennial
