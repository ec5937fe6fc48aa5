#include "kernels/item_index.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace perennial {
namespace {

constexpr size_t kFewest = 32;  // candidates, beyond four times those wanted, before the first choice among them
constexpr double kMostScore = 1e30;
constexpr size_t kMostWidth = 60'000;
constexpr double kRound = 1 + 1e-6;             // upwards, over what float32 and its sums lose
constexpr size_t kLineItems = 16;               // four numbers of each
constexpr size_t kTileBytes = size_t{1} << 15;  // of items that several queries read while they are near

double length_of(std::span<const float> vector) {
  double sum = 0;
  for (const float number : vector) sum += static_cast<double>(number) * number;
  return std::sqrt(sum);
}

float upwards(double value) { return static_cast<float>(value * kRound); }

/// The scale that makes the largest number 127; 0 for a vector of zeros.
float scale_of(std::span<const float> vector) {
  float largest = 0;
  for (const float number : vector) largest = std::max(largest, std::abs(number));
  return largest / 127;
}

int quantized(float number, float scale) {
  return scale == 0 ? 0 : std::clamp(static_cast<int>(std::lrint(number / scale)), -127, 127);
}

constexpr auto better = [](const ScoredItem& a, const ScoredItem& b) {
  return a.score != b.score ? a.score > b.score : a.item < b.item;
};

}  // namespace

/// One request's way through the blocks.
class ItemIndex::Search {
 public:
  Search(const ItemIndex& index, const Request& request)
      : index_(index), request_(request), numbers_(padded_width()), most_(4 * request.k + kFewest) {
    PERENNIAL_CHECK(request.query.size() == index.width_, "a query of {} numbers for items of {}", request.query.size(),
                    index.width_);
    PERENNIAL_CHECK(request.allowed->size() >= index.size_, "{} flags for {} items", request.allowed->size(),
                    index.size_);
    const float scale = scale_of(request.query);
    double sum_of_squares = 0;
    int32_t sum = 0;
    double moved = 0;
    for (size_t d = 0; d < request.query.size(); ++d) {
      const int number = quantized(request.query[d], scale);
      numbers_[d] = static_cast<int8_t>(number);
      sum += number;
      const double value = static_cast<double>(number) * scale;
      sum_of_squares += value * value;
      moved += (value - request.query[d]) * (value - request.query[d]);
    }
    // u.v - u'.v' = (u - u').v + u'.(v - v'); and float32 sums of n products are within n eps |u||v| of the real ones.
    const double of_sums = static_cast<double>(index.width_ + 16) * std::numeric_limits<float>::epsilon();
    const double length = length_of(request.query);
    const float of_tiny = static_cast<float>(index.width_ + 16) * 127 * 127 * std::numeric_limits<float>::denorm_min();
    query_ = {.numbers = numbers_.data(),
              .offset = -128 * sum,
              .scale = scale,
              .norm_share = upwards(std::sqrt(moved) + of_sums * length),
              .error_share = upwards(std::sqrt(sum_of_squares) * (1 + of_sums)),
              .slack = 8 * std::numeric_limits<float>::epsilon() * index.most_bias_ + of_tiny};
    beyond_floats_ = !(std::max({length, double{index.most_norm_}, length * index.most_norm_}) < kMostScore);
  }

  /// Looks through the blocks [first, end).
  void scan(size_t first, size_t end) {
    if (beyond_floats_ || request_.k == 0) return;
    ScanHit hit;
    for (size_t block = first; block < end; block = hit.block + 1) {
      index_.kernel_->next_hit(index_.view(), query_, request_.allowed->words(), block, end, least_, hit);
      if (hit.block + 1 == index_.blocks()) hit.items &= index_.last_items_;  // flags may go on where items do not
      for (uint64_t left = hit.items; left != 0; left &= left - 1)
        take(hit, static_cast<size_t>(std::countr_zero(left)));
    }
  }

  [[nodiscard]] std::vector<ScoredItem> result() {
    drop_the_rest();
    std::vector<int32_t> items;
    for (const Candidate& candidate : maybe_) items.push_back(candidate.item);
    for (size_t item = 0; beyond_floats_ && item < index_.size_; ++item)
      if ((*request_.allowed)[item]) items.push_back(static_cast<int32_t>(item));
    std::vector<float> scores(items.size());
    request_.score(items, scores);
    std::vector<ScoredItem> best;
    for (size_t i = 0; i < items.size(); ++i)
      if (!std::isnan(scores[i])) best.push_back({items[i], scores[i]});
    if (best.size() > request_.k && request_.k > 0) {
      const auto kth = best.begin() + static_cast<ptrdiff_t>(request_.k - 1);
      std::nth_element(best.begin(), kth, best.end(), better);
      const float lowest = kth->score - request_.reach;
      best.erase(std::remove_if(kth + 1, best.end(), [&](const ScoredItem& scored) { return scored.score < lowest; }),
                 best.end());
    }
    const size_t kept = std::min(most_wanted(), best.size());
    std::partial_sort(best.begin(), best.begin() + static_cast<ptrdiff_t>(kept), best.end(), better);
    best.resize(kept);
    return best;
  }

 private:
  struct Candidate {
    int32_t item;
    float at_most, at_least;
  };

  [[nodiscard]] size_t padded_width() const { return (index_.width_ + 3) / 4 * 4; }

  void take(const ScanHit& hit, size_t at) {
    const float score = hit.approximations[at];
    if (score + hit.bound < least_) return;  // since the block was looked at
    maybe_.push_back({static_cast<int32_t>(hit.block * kBlockItems + at), score + hit.bound, score - hit.bound});
    if (maybe_.size() >= most_) {
      drop_the_rest();
      most_ = std::max(most_, 2 * maybe_.size());
    }
  }

  [[nodiscard]] size_t most_wanted() const { return request_.k == 0 ? 0 : request_.k + request_.more; }

  /// Raises what those wanted reach for certain, and drops what cannot reach it.
  void drop_the_rest() {
    if (request_.k == 0) return;
    const auto reached_by = [this](size_t count) {
      const auto last = maybe_.begin() + static_cast<ptrdiff_t>(count - 1);
      std::nth_element(maybe_.begin(), last, maybe_.end(),
                       [](const Candidate& a, const Candidate& b) { return a.at_least > b.at_least; });
      return last->at_least;
    };
    const size_t before = maybe_.size();
    if (before > request_.k)
      least_ = std::max(least_, reached_by(request_.k) - (request_.more > 0 ? request_.reach : 0));
    const auto drop = [this] {
      std::erase_if(maybe_, [&](const Candidate& candidate) { return candidate.at_most < least_; });
    };
    drop();
    if (request_.more == 0 || maybe_.size() <= most_wanted()) return;
    least_ = std::max(least_, reached_by(most_wanted()));
    drop();
  }

  const ItemIndex& index_;
  const Request& request_;
  std::vector<int8_t> numbers_;
  QuantizedQuery query_;
  bool beyond_floats_ = false;                             // nothing can be said of the scores: all are computed
  float least_ = -std::numeric_limits<float>::infinity();  // that those wanted reach for certain
  std::vector<Candidate> maybe_;                           // those that may be among the best
  size_t most_;                                            // of them, before the rest is dropped
};

ItemIndex::ItemIndex(std::span<const float> vectors, std::span<const float> biases, size_t width, float most_bias,
                     const ScanKernel* kernel)
    : size_(biases.size()),
      width_(width),
      most_bias_(most_bias),
      kernel_(kernel != nullptr ? kernel : &scan_kernels().front()) {
  PERENNIAL_CHECK(vectors.size() == size_ * width, "{} numbers for {} items of {}", vectors.size(), size_, width);
  PERENNIAL_CHECK(width <= kMostWidth, "items of {} numbers: their sums pass 32 bits", width);
  if (size_ % kBlockItems != 0) last_items_ = ~(~uint64_t{0} << (size_ % kBlockItems));
  const size_t count = (size_ + kBlockItems - 1) / kBlockItems;
  const size_t groups = (width + 3) / 4;
  lines_.assign(count * groups * kBlockItems / kLineItems, Line());
  for (Line& line : lines_) std::ranges::fill(line.bytes, uint8_t{128});
  scales_.assign(count * kBlockItems, 0);
  biases_.assign(count * kBlockItems, 0);
  norms_.assign(count, 0);
  errors_.assign(count, 0);
  for (size_t item = 0; item < size_; ++item) {
    const auto vector = vectors.subspan(item * width, width);
    const size_t block = item / kBlockItems;
    const size_t at = item % kBlockItems;
    const float scale = scale_of(vector);
    double moved = 0;
    for (size_t d = 0; d < width; ++d) {
      const int number = quantized(vector[d], scale);
      const size_t line = ((block * groups + d / 4) * kBlockItems + at) / kLineItems;
      lines_[line].bytes[at % kLineItems * 4 + d % 4] = static_cast<uint8_t>(number + 128);
      const double error = static_cast<double>(number) * scale - vector[d];
      moved += error * error;
    }
    scales_[item] = scale;
    biases_[item] = biases[item];
    norms_[block] = std::max(norms_[block], upwards(length_of(vector)));
    most_norm_ = std::max(most_norm_, norms_[block]);
    errors_[block] = std::max(errors_[block], upwards(std::sqrt(moved)));
    most_bias_ = std::max(most_bias_, std::abs(biases[item]));
  }
}

QuantizedBlocks ItemIndex::view() const {
  return {.bytes = reinterpret_cast<const uint8_t*>(lines_.data()),
          .scales = scales_.data(),
          .biases = biases_.data(),
          .norms = norms_.data(),
          .errors = errors_.data(),
          .width = (width_ + 3) / 4 * 4};
}

std::vector<ScoredItem> ItemIndex::best(const Request& request) const {
  Search search(*this, request);
  search.scan(0, blocks());
  return search.result();
}

std::vector<std::vector<ScoredItem>> ItemIndex::best(std::span<const Request> requests) const {
  std::vector<Search> searches;
  searches.reserve(requests.size());
  for (const Request& request : requests) searches.emplace_back(*this, request);
  const size_t tile = std::max<size_t>(1, kTileBytes / (kBlockItems * (width_ + 8)));
  for (size_t first = 0; first < blocks(); first += tile)
    for (Search& search : searches) search.scan(first, std::min(blocks(), first + tile));
  std::vector<std::vector<ScoredItem>> results;
  for (Search& search : searches) results.push_back(search.result());
  return results;
}

size_t ItemIndex::bytes() const {
  return lines_.size() * sizeof(Line) +
         (scales_.size() + biases_.size() + norms_.size() + errors_.size()) * sizeof(float);
}

}  // namespace perennial
