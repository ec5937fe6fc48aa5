// What is done to a token's row between two products: norms, activations, dropout, rotation. Internal linkage, as
// fused/lanes.h says. Covered by training/fused_steps_test.cc.
#pragma once

#include <cmath>

#include "fused/fused.h"
#include "fused/matmul.h"

namespace perennial {
namespace {

constexpr float kNormEpsilon = 1e-5F;

struct NormStatistics {
  float mean, scale;
};

inline NormStatistics norm_statistics(const float* x, int width) {
  Lanes sums{};
  for (int d = 0; d < width; d += kLanes) sums += load(x + d);
  const float mean = sum_of(sums) / static_cast<float>(width);
  Lanes squares{};
  for (int d = 0; d < width; d += kLanes) {
    const Lanes away = load(x + d) - mean;
    squares += away * away;
  }
  return {mean, 1 / std::sqrt(sum_of(squares) / static_cast<float>(width) + kNormEpsilon)};
}

/// dx += what dy does through y = (x - mean) scale gain + bias; adds to the gradients of gain and bias.
inline void norm_backward(const float* x, NormStatistics statistics, const float* gain, const float* dy, int width,
                          float* dx, float* gain_gradient, float* bias_gradient) {
  Lanes sums{}, products{};
  for (int d = 0; d < width; d += kLanes) {
    const Lanes normed = (load(x + d) - statistics.mean) * statistics.scale;
    const Lanes outer = load(dy + d);
    add_to(gain_gradient + d, outer * normed);
    add_to(bias_gradient + d, outer);
    const Lanes inner = outer * load(gain + d);
    sums += inner;
    products += inner * normed;
  }
  const float mean = sum_of(sums) / static_cast<float>(width);
  const float along = sum_of(products) / static_cast<float>(width);
  for (int d = 0; d < width; d += kLanes) {
    const Lanes normed = (load(x + d) - statistics.mean) * statistics.scale;
    add_to(dx + d, (load(dy + d) * load(gain + d) - mean - normed * along) * statistics.scale);
  }
}

/// Multiplies activations by 0 or 1 / (1 - share), chosen by seed, place, row and column.
class Dropout {
 public:
  Dropout(FusedDropout options, uint64_t place)
      : seed_(mixed(options.seed + mixed(place + 1))),
        below_(static_cast<uint32_t>(static_cast<double>(options.share) * 4294967296.0)),
        factor_(1 / (1 - options.share)) {}

  [[nodiscard]] bool active() const { return below_ > 0; }

  /// The number that `apply` asks for each row.
  [[nodiscard]] uint32_t of_row(int64_t row) const {
    return static_cast<uint32_t>(mixed(seed_ ^ static_cast<uint64_t>(row)) >> 32);
  }

  [[nodiscard]] Lanes apply(Lanes x, uint32_t row, int column) const {
    if (!active()) return x;
    BitLanes bits = (lane_numbers<BitLanes>() + static_cast<uint32_t>(column)) * 0x9e3779b9U + row;
    bits ^= bits >> 16;
    bits *= 0x21f0aaadU;
    bits ^= bits >> 15;
    bits *= 0x735a2d97U;
    bits ^= bits >> 15;
    return bits >= below_ ? x * factor_ : Lanes{};
  }

 private:
  static uint64_t mixed(uint64_t x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ULL;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
  }

  uint64_t seed_;
  uint32_t below_;
  float factor_;
};

/// Turns each head of a row by its position's angles, or back: x (D) in place; cosine and sine (D / H / 2).
inline void rotate(float* x, int width, int head_width, const float* cosine, const float* sine, float direction) {
  const int half = head_width / 2;
  for (float* head = x; head != x + width; head += head_width) {
    int i = 0;
    for (; i + kLanes <= half; i += kLanes) {
      const Lanes a = load(head + i);
      const Lanes b = load(head + i + half);
      const Lanes turned = load(sine + i) * direction;
      store(head + i, a * load(cosine + i) - b * turned);
      store(head + i + half, a * turned + b * load(cosine + i));
    }
    for (; i < half; ++i) {
      const float a = head[i];
      const float b = head[i + half];
      const float turned = sine[i] * direction;
      head[i] = a * cosine[i] - b * turned;
      head[i + half] = a * turned + b * cosine[i];
    }
  }
}

}  // namespace
}  // namespace perennial
