// The k best of many scores, exactly.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace perennial {

/// Indices of the `k` highest scores among those where `allowed` (same size) is true, best first; equal scores by lower
/// index; NaN never. Fewer when fewer are allowed.
std::vector<int32_t> top_k(std::span<const float> scores, const std::vector<bool>& allowed, size_t k);

}  // namespace perennial
