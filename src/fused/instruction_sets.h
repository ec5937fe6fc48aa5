// One function a file that is compiled for an instruction set of its own.
#pragma once

#include "fused/fused.h"

namespace perennial {

const FusedKernels& bf16_avx512_kernels();
const FusedKernels& float32_avx512_kernels();
const FusedKernels& float32_avx2_kernels();
const FusedKernels& float32_kernels();

}  // namespace perennial
