#include "kernels/top_k.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace perennial {

std::vector<int32_t> top_k(std::span<const float> scores, const std::vector<bool>& allowed, size_t k) {
  PERENNIAL_CHECK(scores.size() == allowed.size(), "{} scores, {} flags", scores.size(), allowed.size());
  const auto better = [&](int32_t a, int32_t b) {
    return scores[static_cast<size_t>(a)] != scores[static_cast<size_t>(b)]
               ? scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)]
               : a < b;
  };
  std::vector<int32_t> heap;  // the worst of the kept on top
  if (k == 0) return heap;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (!allowed[i] || std::isnan(scores[i])) continue;
    const auto candidate = static_cast<int32_t>(i);
    if (heap.size() == k) {
      if (!better(candidate, heap.front())) continue;
      std::pop_heap(heap.begin(), heap.end(), better);
      heap.pop_back();
    }
    heap.push_back(candidate);
    std::push_heap(heap.begin(), heap.end(), better);
  }
  std::sort_heap(heap.begin(), heap.end(), better);
  return heap;
}

}  // namespace perennial
