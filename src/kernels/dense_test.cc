// Each kernel against a plain double computation, over all lengths around the vector width, with guard values after the
// end.
#include "kernels/dense.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"

namespace perennial {
namespace {

constexpr float kGuard = 12345.0F;
constexpr double kEpsilon = 1.1920929e-7;

std::vector<float> random_values(Random& random, size_t n) {
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

TEST(Dense, DotIsWithinItsBoundForEveryLength) {
  Random random(1);
  for (size_t n = 0; n <= 70; ++n) {
    const auto a = random_values(random, n);
    const auto b = random_values(random, n);
    double want = 0;
    double size = 0;
    for (size_t i = 0; i < n; ++i) {
      want += static_cast<double>(a[i]) * b[i];
      size += std::fabs(static_cast<double>(a[i]) * b[i]);
    }
    EXPECT_LE(std::fabs(dot(a.data(), b.data(), n) - want), 4 * kEpsilon * size) << n;
  }
}

TEST(Dense, MatvecEqualsTheDefinitionAndWritesNothingBeyond) {
  Random random(2);
  for (const size_t in : {1, 3, 16, 17}) {
    for (size_t out = 1; out <= 35; ++out) {
      const auto x = random_values(random, in);
      const auto weights = random_values(random, in * out);
      const auto bias = random_values(random, out);
      std::vector<float> y(out + 1, kGuard);
      matvec(x.data(), weights.data(), bias.data(), y.data(), in, out);
      for (size_t j = 0; j < out; ++j) {
        double want = bias[j];
        double size = std::fabs(bias[j]);
        for (size_t i = 0; i < in; ++i) {
          want += static_cast<double>(x[i]) * weights[i * out + j];
          size += std::fabs(static_cast<double>(x[i]) * weights[i * out + j]);
        }
        EXPECT_LE(std::fabs(y[j] - want), 8 * kEpsilon * size) << in << " " << out << " " << j;
      }
      EXPECT_EQ(y[out], kGuard);
    }
  }
}

TEST(Dense, SixteenBitsAreWithinHalfAStepAndTheGapsAreLeftAlone) {
  Random random(6);
  for (const size_t stride : {1, 3})
    for (const float size : {1.0F, 1e-20F, 1e20F, 0.0F, 1e-38F}) {
      std::vector<float> x = random_values(random, 37);
      for (float& value : x) value *= size;
      std::vector<int16_t> to(37 * stride, 77);
      const float scale = to_int16(x.data(), to.data(), stride, x.size());
      float largest = 0;
      for (const float value : x) largest = std::max(largest, std::fabs(value));
      const double bound = size < 1e-30F ? 1e-30 : largest / 65'534.0 * (1 + 1e-3);
      for (size_t i = 0; i < to.size(); ++i) {
        if (i % stride != 0)
          EXPECT_EQ(to[i], 77);
        else
          EXPECT_LE(std::fabs(static_cast<double>(scale) * to[i] - x[i / stride]), bound) << size << " " << i;
      }
    }
}

TEST(Dense, ColumnsAndRowsOfAWiderMatrixAreSummedWithinTheirBounds) {
  Random random(5);
  for (size_t rows = 0; rows < 40; rows += 3)
    for (size_t columns = 0; columns < 70; ++columns) {
      const size_t stride = columns + random.below(9);
      std::vector<int16_t> matrix;
      for (const float value : random_values(random, rows * stride + columns))
        matrix.push_back(static_cast<int16_t>(5000 * value));
      const std::vector<float> factors = random_values(random, rows);
      std::vector<float> scores(columns + 1, kGuard), mixed(columns + 1, kGuard);
      score_columns(factors.data(), matrix.data(), stride, scores.data(), rows, columns);
      mix_rows(factors.data(), matrix.data(), stride, mixed.data(), rows, columns);
      for (size_t j = 0; j < columns; ++j) {
        double want = 0;
        double size = 0;
        for (size_t i = 0; i < rows; ++i) {
          want += static_cast<double>(factors[i]) * matrix[i * stride + j];
          size += std::fabs(static_cast<double>(factors[i]) * matrix[i * stride + j]);
        }
        const double bound = static_cast<double>(rows) * kEpsilon * size;
        EXPECT_LE(std::fabs(scores[j] - want), bound) << rows << " " << columns << " " << j;
        EXPECT_LE(std::fabs(mixed[j] - want), bound) << rows << " " << columns << " " << j;
      }
      EXPECT_EQ(scores[columns], kGuard);
      EXPECT_EQ(mixed[columns], kGuard);
    }
}

TEST(Dense, LayerNormHasMeanZeroAndVarianceOneAlsoFarFromZero) {
  Random random(3);
  for (const size_t n : {1, 2, 16, 33, 64}) {
    std::vector<float> x = random_values(random, n);
    for (float& value : x) value += 1000;  // E[x^2] - mean^2 would lose everything here
    const std::vector<float> gain(n, 2.0F);
    const std::vector<float> bias(n, 0.5F);
    std::vector<float> y(n);
    layer_norm(x.data(), gain.data(), bias.data(), y.data(), n);
    double mean = 0;
    for (const float value : x) mean += value;
    mean /= static_cast<double>(n);
    double variance = 0;
    for (const float value : x) variance += (value - mean) * (value - mean);
    variance /= static_cast<double>(n);
    for (size_t i = 0; i < n; ++i) EXPECT_NEAR(y[i], 2 * (x[i] - mean) / std::sqrt(variance + 1e-5) + 0.5, 2e-3) << n;
  }
}

TEST(Dense, SoftmaxSurvivesLogitsOfTenThousand) {
  std::vector<float> x = {10'000, 9'999, -10'000};
  softmax(x.data(), x.size());
  EXPECT_NEAR(x[0], 1 / (1 + std::exp(-1.0)), 1e-6);
  EXPECT_NEAR(x[0] + x[1] + x[2], 1, 1e-6);
  EXPECT_EQ(x[2], 0);
}

TEST(Dense, ActivationsEqualTheirFormulas) {
  for (const double value : {-1e30, -90.0, -30.0, -3.0, -0.1, 0.0, 0.7, 4.0, 30.0, 90.0, 1e30}) {
    auto x = static_cast<float>(value);
    gelu(&x, 1);
    EXPECT_NEAR(x, value * 0.5 * std::erfc(-value / std::sqrt(2.0)), 1e-6 * std::max(1.0, std::fabs(value))) << value;
    x = static_cast<float>(value);
    silu(&x, 1);
    EXPECT_NEAR(x, value / (1 + std::exp(-value)), 1e-6 * std::max(1.0, std::fabs(value))) << value;
  }
}

TEST(Dense, SoftmaxIsWithinFourUnitsInTheLastPlace) {
  for (size_t n = 1; n < 70; ++n) {
    std::vector<float> x(n);
    for (size_t i = 0; i < n; ++i) x[i] = -static_cast<float>(i) * 0.37F;
    std::vector<double> want(n);
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += want[i] = std::exp(static_cast<double>(x[i]));
    softmax(x.data(), n);
    for (size_t i = 0; i < n; ++i) EXPECT_NEAR(x[i], want[i] / sum, 4 * kEpsilon * want[i] / sum) << n << " " << i;
  }
}

}  // namespace
}  // namespace perennial
