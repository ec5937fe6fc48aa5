// One function a file that is compiled for an instruction set of its own.
#pragma once

#include "kernels/item_scan.h"

namespace perennial {

void next_hit_vnni(const QuantizedBlocks&, const QuantizedQuery&, const uint64_t* allowed, size_t first, size_t end,
                   float least, ScanHit& hit);
void next_hit_avx2(const QuantizedBlocks&, const QuantizedQuery&, const uint64_t* allowed, size_t first, size_t end,
                   float least, ScanHit& hit);

}  // namespace perennial
