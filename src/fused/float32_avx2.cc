#include "fused/arithmetic.h"
#include "fused/instruction_sets.h"

namespace perennial {

const FusedKernels& float32_avx2_kernels() {
  static const Arithmetic<float> kernels("float32-avx2");
  return kernels;
}

}  // namespace perennial
