#include "fused/arithmetic.h"
#include "fused/instruction_sets.h"

namespace perennial {

const FusedKernels& bf16_avx512_kernels() {
  static const Arithmetic<Bfloat16> kernels("bfloat16-avx512");
  return kernels;
}

}  // namespace perennial
