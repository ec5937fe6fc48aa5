#include "fused/fused.h"

#include <cmath>
#include <cstdlib>
#include <new>

#include "fused/instruction_sets.h"

namespace perennial {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kLeastBlock = size_t{1} << 20;

struct Choice {
  Precision precision;
  const FusedKernels& (*kernels)();
  bool (*runs)();
};

#if defined(__x86_64__)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
}
bool has_bfloat16() {
  return has_avx512() && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
}
#endif
bool always() { return true; }

constexpr Choice kChoices[] = {
#if defined(__x86_64__)
    {Precision::bfloat16, bf16_avx512_kernels, has_bfloat16},
    {Precision::float32, float32_avx512_kernels, has_avx512},
    {Precision::float32, float32_avx2_kernels, has_avx2},
#endif
    {Precision::float32, float32_kernels, always},
};

}  // namespace

void Arena::Free::operator()(unsigned char* memory) const { ::operator delete(memory, std::align_val_t(kAlignment)); }

void* Arena::take(size_t bytes) {
  bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  while (at_.block < blocks_.size() && at_.used + bytes > blocks_[at_.block].size) at_ = {at_.block + 1, 0};
  if (at_.block == blocks_.size()) {
    const size_t size = std::max(bytes, kLeastBlock << std::min<size_t>(blocks_.size(), 8));
    auto* memory = static_cast<unsigned char*>(::operator new(size, std::align_val_t(kAlignment)));
    blocks_.push_back({std::unique_ptr<unsigned char, Free>(memory), size});
  }
  void* place = blocks_[at_.block].memory.get() + at_.used;
  at_.used += bytes;
  return place;
}

void Rotations::reach(int64_t positions) {
  constexpr double kBase = 10'000;
  for (auto position = static_cast<int64_t>(cosine_.size()) / half_; position < positions; ++position)
    for (int64_t i = 0; i < half_; ++i) {
      const double angle =
          static_cast<double>(position) * std::pow(kBase, -static_cast<double>(i) / static_cast<double>(half_));
      cosine_.push_back(static_cast<float>(std::cos(angle)));
      sine_.push_back(static_cast<float>(std::sin(angle)));
    }
}

Precision best_precision() {
  return kChoices[0].precision == Precision::bfloat16 && kChoices[0].runs() ? Precision::bfloat16 : Precision::float32;
}

std::vector<const FusedKernels*> runnable_kernels() {
  std::vector<const FusedKernels*> runnable;
  for (const Choice& choice : kChoices)
    if (choice.runs()) runnable.push_back(&choice.kernels());
  return runnable;
}

Result<const FusedKernels*> fused_kernels(Precision precision) {
  const char* forced = std::getenv("PERENNIAL_KERNELS");
  std::string names;
  for (const Choice& choice : kChoices) {
    if (!choice.runs()) continue;
    const std::string_view name = choice.kernels().name();
    if (forced == nullptr ? choice.precision == precision : name == forced) return &choice.kernels();
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  }
  if (forced == nullptr) return failed_precondition("this machine has no bfloat16 kernels; it runs {}", names);
  return failed_precondition("PERENNIAL_KERNELS is '{}': this machine runs {}", forced, names);
}

}  // namespace perennial
