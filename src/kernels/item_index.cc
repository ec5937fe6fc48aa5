#include "kernels/item_index.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace perennial {
namespace {

constexpr size_t kLeastMore = 32;  // candidates, or half as many as there are, before they are thinned out again
constexpr double kMostScore = 1e30;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr size_t kMostWidth = 60'000;
constexpr double kRound = 1 + 1e-6;  // upwards, over what float32 and its sums lose
constexpr size_t kLineItems = 16;    // four bytes of each
// Of items that are looked through before the next choice among the hits.
constexpr size_t kTileBytes = size_t{1} << 15;
// Of codes of eight bits. Above it, reading half as much is worth more.
constexpr size_t kSmallBytes = size_t{16} << 20;
constexpr int kMostNumber = 127;  // of a query

double length_of(std::span<const float> vector) {
  double sum = 0;
  for (const float number : vector) sum += static_cast<double>(number) * number;
  return std::sqrt(sum);
}

float upwards(double value) { return std::nextafter(static_cast<float>(value * kRound), kInfinity); }

/// The scale that makes the largest number `most`; 0 for a vector of zeros, or of numbers too small for codes to tell
/// them apart.
float scale_of(std::span<const float> vector, float most) {
  float largest = 0;
  for (const float number : vector) largest = std::max(largest, std::abs(number));
  const float scale = largest / most;
  return scale >= std::numeric_limits<float>::min() ? scale : 0;
}

constexpr auto better = [](const ScoredItem& a, const ScoredItem& b) {
  return a.score != b.score ? a.score > b.score : a.item < b.item;
};

}  // namespace

/// One request's way through the blocks.
class ItemIndex::Search {
 public:
  Search(const ItemIndex& index, const Request& request)
      : index_(index),
        request_(request),
        numbers_(index.view().width),
        room_(std::min(index.tile_blocks(), index.blocks()) * kBlockItems),
        most_candidates_(wanted() + kLeastMore) {
    PERENNIAL_CHECK(request.query.size() == index.width_, "a query of {} numbers for items of {}", request.query.size(),
                    index.width_);
    PERENNIAL_CHECK(request.allowed->size() >= index.size_, "{} flags for {} items", request.allowed->size(),
                    index.size_);
    constexpr double kEpsilon = std::numeric_limits<float>::epsilon();
    const float scale = scale_of(request.query, kMostNumber);
    double squares = 0;
    int32_t sum = 0;
    double moved = 0;  // in the query's scale, like the squares
    for (size_t d = 0; d < request.query.size() && scale > 0; ++d) {
      const double exact = double{request.query[d]} / scale;
      const int number = std::clamp(static_cast<int>(std::lrint(exact)), -kMostNumber, kMostNumber);
      numbers_[d] = static_cast<int8_t>(number);
      sum += number;
      squares += number * number;
      moved += (number - exact) * (number - exact);
    }
    // u.v - u'.v' = (u - u').v + u'.(v - v'); and float32 sums of n products are within n eps |u||v| of the real ones.
    // In the scales |v| is at least the most that a code stands for: what the sums lose as floats goes by it too.
    const auto terms = static_cast<double>(index.width_ + 16);
    const double length = length_of(request.query);
    const double of_sums = terms * kEpsilon * (scale > 0 ? length / scale + 2 * kMostNumber : 0);
    // What has no scale is taken for 0, and products of scales may be below the normal floats.
    const double of_tiny =
        4 * (terms * kMostNumber * kMostNumber + index.most_norm_) * std::numeric_limits<float>::denorm_min() +
        length * (scale > 0 ? index.unscaled_norm_ : index.most_norm_);
    query_ = {.numbers = numbers_.data(),
              .sum = sum,
              .scale = scale,
              .norm_share = upwards(std::sqrt(moved) + of_sums),
              .error_share = upwards(std::sqrt(squares) * (1 + terms * kEpsilon)),
              .slack = upwards(terms * kEpsilon * index.most_bias_ + of_tiny),
              .allowed = request.allowed->words(),
              .least = std::numeric_limits<float>::lowest(),
              .hits = room_.data(),
              .found = 0};
    beyond_floats_ = !(
        std::max({length, double{index.most_norm_}, length * index.most_norm_, double{index.most_bias_}}) < kMostScore);
  }

  /// To be scanned with what else is; take() follows.
  [[nodiscard]] ScanQuery* query() { return beyond_floats_ || request_.k == 0 ? nullptr : &query_; }

  /// What a scan has found.
  void take() {
    const CodedBlocks blocks = index_.view();
    if (blocks.fine != nullptr) look_closer(blocks, query_);
    for (const ScanHit& hit : std::span(room_).first(query_.found)) {
      const auto item = static_cast<size_t>(hit.item);
      if (item >= index_.size_) continue;
      const size_t block = item / kBlockItems;
      const float error = blocks.fine != nullptr ? blocks.fine_error : blocks.errors[block];
      const float within = query_.scale * hit.scale * query_.within(blocks.norms[block], error);
      candidates_.push_back({hit.item, hit.at_most - 2 * within - query_.slack, hit.at_most + query_.slack});
    }
    if (candidates_.size() >= most_candidates_) thin_out();
  }

  [[nodiscard]] std::vector<ScoredItem> result() {
    thin_out();
    std::vector<int32_t> items;
    for (const Candidate& candidate : candidates_) items.push_back(candidate.item);
    for (size_t item = 0; beyond_floats_ && request_.k > 0 && item < index_.size_; ++item)
      if ((*request_.allowed)[item]) items.push_back(static_cast<int32_t>(item));
    std::vector<float> scores(items.size());
    request_.score(items, scores);
    std::vector<ScoredItem> best;
    for (size_t i = 0; i < items.size(); ++i)
      if (!std::isnan(scores[i])) best.push_back({items[i], scores[i]});
    if (best.size() > wanted()) {
      std::nth_element(best.begin(), best.begin() + static_cast<ptrdiff_t>(wanted()), best.end(), better);
      best.resize(wanted());
    }
    std::ranges::sort(best, better);
    const auto beyond =
        std::find_if(best.begin() + static_cast<ptrdiff_t>(std::min(request_.k, best.size())), best.end(),
                     [&](const ScoredItem& each) { return each.score < best[request_.k - 1].score - request_.reach; });
    best.erase(beyond, best.end());
    return best;
  }

 private:
  /// An item that may be wanted, and what its score lies between.
  struct Candidate {
    int32_t item;
    float at_least, at_most;
  };

  [[nodiscard]] size_t wanted() const { return request_.k == 0 ? 0 : request_.k + request_.more; }

  /// What so many of the candidates reach for certain, by buckets: none are put in order.
  class Heights {
   public:
    explicit Heights(std::span<const Candidate> candidates) : count_(candidates.size()) {
      std::ranges::fill(lowest_, kInfinity);
      float least = kInfinity;
      float most = -kInfinity;
      for (const Candidate& each : candidates) {
        least = std::min(least, each.at_least);
        most = std::max(most, each.at_least);
      }
      const float buckets_a_unit = (kBuckets - 1) / (most - least);
      const float by = std::isfinite(buckets_a_unit) ? buckets_a_unit : 0;
      for (const Candidate& each : candidates) {
        const auto bucket = static_cast<size_t>((each.at_least - least) * by);
        ++sizes_[bucket];
        lowest_[bucket] = std::min(lowest_[bucket], each.at_least);
      }
    }

    /// Of `count` of them, or a few more; lowest() where there are fewer.
    [[nodiscard]] float reached_by(size_t count) const {
      if (count_ < count || count == 0) return std::numeric_limits<float>::lowest();
      size_t bucket = kBuckets;
      for (size_t reaching = 0; reaching < count;) reaching += sizes_[--bucket];
      return lowest_[bucket];
    }

   private:
    static constexpr size_t kBuckets = 256;
    size_t count_;
    uint32_t sizes_[kBuckets] = {};
    float lowest_[kBuckets];
  };

  /// Drops those that cannot be wanted any more.
  void thin_out() {
    const Heights heights(candidates_);
    query_.least = std::max(query_.least, heights.reached_by(wanted()));
    if (request_.more > 0) query_.least = std::max(query_.least, heights.reached_by(request_.k) - request_.reach);
    size_t kept = 0;
    for (const Candidate& each : candidates_) {  // without branches, which would be guessed wrong
      candidates_[kept] = each;
      kept += static_cast<size_t>(each.at_most >= query_.least);
    }
    candidates_.resize(kept);
    most_candidates_ = kept + std::max(kept / 2, kLeastMore);
  }

  const ItemIndex& index_;
  const Request& request_;
  std::vector<int8_t> numbers_;
  std::vector<ScanHit> room_;  // for what one scan finds
  ScanQuery query_;
  bool beyond_floats_ = false;  // nothing can be said of the scores: all are computed
  std::vector<Candidate> candidates_;
  size_t most_candidates_;  // before they are thinned out
};

ItemIndex::ItemIndex(std::span<const float> vectors, std::span<const float> biases, size_t width, float most_bias,
                     const ScanKernel* kernel, int bits)
    : size_(biases.size()),
      width_(width),
      bits_(bits != 0                      ? bits
            : vectors.size() > kSmallBytes ? 4
                                           : 8),
      most_bias_(most_bias),
      kernel_(kernel != nullptr ? kernel : &scan_kernels().front()) {
  PERENNIAL_CHECK(vectors.size() == size_ * width, "{} numbers for {} items of {}", vectors.size(), size_, width);
  PERENNIAL_CHECK(bits_ == 8 || bits_ == 4, "codes of {} bits", bits_);
  PERENNIAL_CHECK(width <= kMostWidth, "items of {} numbers: their sums pass 32 bits", width);
  const size_t count = (size_ + kBlockItems - 1) / kBlockItems;
  lines_.assign(count * rows() * kBlockItems / kLineItems, Line());
  scales_.assign(count * kBlockItems, 0);
  biases_.assign(count * kBlockItems, 0);
  norms_.assign(count, 0);
  errors_.assign(count, 0);
  if (bits_ == 4) fine_.assign(count * kBlockItems * view().width / 2, 0);
  for (size_t item = 0; item < size_; ++item) {
    const auto vector = vectors.subspan(item * width, width);
    const float length = upwards(length_of(vector));
    scales_[item] = scale_of(vector, most_code());
    biases_[item] = biases[item];
    most_norm_ = std::max(most_norm_, length);
    most_bias_ = std::max(most_bias_, std::abs(biases[item]));
    if (scales_[item] > 0)
      encode(item, vector);
    else
      unscaled_norm_ = std::max(unscaled_norm_, length);
  }
}

/// Writes the item's codes, and what they come to in its block.
void ItemIndex::encode(size_t item, std::span<const float> vector) {
  const size_t block = item / kBlockItems;
  const size_t at = item % kBlockItems;
  const size_t half = view().width / 2;
  double squares = 0;  // in the item's scale, like what is moved
  double moved = 0;
  double finely_moved = 0;
  const auto nearest = [](double value, int middle, int least) {
    return std::clamp(static_cast<int>(std::lrint((value + middle) / 2)), least, 255);
  };
  for (size_t d = 0; d < width_; ++d) {
    const double exact = double{vector[d]} / scales_[item];
    int code = bits_ == 8 ? nearest(exact, 256, 1) : nearest(16 * exact, 255, 0);
    if (bits_ == 4) {
      const double error = (2 * code - 255) / 16.0 - exact;
      finely_moved += error * error;
      fine_[item * half + d % half] |= static_cast<uint8_t>(d < half ? code % 16 : code % 16 << 4);
      code /= 16;
    }
    const size_t row = bits_ == 8 ? d / 4 : d / kGroup;
    Line& line = lines_[(block * rows() + row) * kBlockItems / kLineItems + at / kLineItems];
    const bool upper = bits_ == 4 && d % kGroup >= 4;
    line.bytes[at % kLineItems * 4 + d % 4] |= static_cast<uint8_t>(upper ? code << 4 : code);
    const double error = 2 * code - middle() - exact;
    squares += exact * exact;
    moved += error * error;
  }
  norms_[block] = std::max(norms_[block], upwards(std::sqrt(squares)));
  errors_[block] = std::max(errors_[block], upwards(std::sqrt(moved)));
  fine_error_ = std::max(fine_error_, upwards(std::sqrt(finely_moved)));
}

CodedBlocks ItemIndex::view() const {
  return {.codes = reinterpret_cast<const uint8_t*>(lines_.data()),
          .bits = bits_,
          .middle = middle(),
          .scales = scales_.data(),
          .biases = biases_.data(),
          .norms = norms_.data(),
          .errors = errors_.data(),
          .fine = bits_ == 8 ? nullptr : fine_.data(),
          .fine_error = fine_error_,
          .width = (width_ + kGroup - 1) / kGroup * kGroup};
}

size_t ItemIndex::tile_blocks() const {
  return std::max<size_t>(1, kTileBytes / std::max<size_t>(1, view().block_bytes()));
}

std::vector<ScoredItem> ItemIndex::best(const Request& request) const { return std::move(best({&request, 1}).front()); }

std::vector<std::vector<ScoredItem>> ItemIndex::best(std::span<const Request> requests) const {
  std::vector<Search> searches;
  searches.reserve(requests.size());
  for (const Request& request : requests) searches.emplace_back(*this, request);
  std::vector<ScanQuery*> queries;
  for (Search& search : searches)
    if (search.query() != nullptr) queries.push_back(search.query());
  for (size_t first = 0, end = 0; first < blocks() && !queries.empty(); first = end) {
    end = std::min({blocks(), 2 * first + 1, first + tile_blocks()});  // few at first: until then all are hits
    kernel_->scan(view(), queries, first, end);
    for (Search& search : searches)
      if (search.query() != nullptr) search.take();
  }
  std::vector<std::vector<ScoredItem>> results;
  results.reserve(searches.size());
  for (Search& search : searches) results.push_back(search.result());
  return results;
}

size_t ItemIndex::scanned_bytes() const {
  return lines_.size() * sizeof(Line) +
         (scales_.size() + biases_.size() + norms_.size() + errors_.size()) * sizeof(float);
}

}  // namespace perennial
