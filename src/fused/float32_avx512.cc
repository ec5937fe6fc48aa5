#include "fused/arithmetic.h"
#include "fused/instruction_sets.h"

namespace perennial {

const FusedKernels& float32_avx512_kernels() {
  static const Arithmetic<float> kernels("float32-avx512");
  return kernels;
}

}  // namespace perennial
