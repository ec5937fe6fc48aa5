// One function a file that is compiled for an instruction set of its own.
#pragma once

#include "kernels/item_scan.h"

namespace perennial {

void scan_vnni(const CodedBlocks&, std::span<ScanQuery* const> queries, size_t first, size_t end);
void scan_avx2(const CodedBlocks&, std::span<ScanQuery* const> queries, size_t first, size_t end);

}  // namespace perennial
