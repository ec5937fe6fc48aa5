#include "kernels/item_index.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

#include "base/check.h"

namespace perennial {
namespace {

constexpr size_t kMostHits = 50;  // and four times those wanted, before the best of them are scored
constexpr size_t kTogether = 32;  // hits that are scored in one go, at least
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

float upwards(double value) { return static_cast<float>(value * kRound); }

/// The scale that makes the largest number `most`; 0 for a vector of zeros.
float scale_of(std::span<const float> vector, int most) {
  float largest = 0;
  for (const float number : vector) largest = std::max(largest, std::abs(number));
  return largest / static_cast<float>(most);
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
        best_(request.k),
        wanted_(request.k + request.more),
        most_hits_(4 * most_wanted() + kMostHits) {
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
    const double of_tiny = 4 * terms * kMostNumber * kMostNumber * std::numeric_limits<float>::denorm_min() +
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
  [[nodiscard]] const ScanQuery* query() const { return beyond_floats_ || request_.k == 0 ? nullptr : &query_; }

  /// What a scan has found.
  void take(size_t found) {
    for (size_t i = 0; i < found; ++i)
      if (static_cast<size_t>(room_[i].item) < index_.size_) hits_.push_back(room_[i]);
    if (hits_.size() < most_hits_) return;
    score_highest(request_.k);
    if (hits_.size() >= most_hits_ / 2) score_highest(most_wanted());  // the k best have not thinned them enough
    most_hits_ = std::max(most_hits_, 2 * hits_.size());
  }

  [[nodiscard]] std::vector<ScoredItem> result() {
    for (size_t together = std::max(kTogether, request_.k); !hits_.empty(); together *= 2) score_highest(together);
    if (beyond_floats_ && request_.k > 0) score_all();
    std::vector<ScoredItem>& best = scored_;
    if (best.size() > request_.k) {
      const auto kth = best.begin() + static_cast<ptrdiff_t>(request_.k - 1);
      std::nth_element(best.begin(), kth, best.end(), better);
      const float lowest = kth->score - request_.reach;
      best.erase(std::remove_if(kth + 1, best.end(), [&](const ScoredItem& scored) { return scored.score < lowest; }),
                 best.end());
    }
    const size_t kept = std::min(most_wanted(), best.size());
    std::partial_sort(best.begin(), best.begin() + static_cast<ptrdiff_t>(kept), best.end(), better);
    best.resize(kept);
    return std::move(best);
  }

 private:
  /// What `count` of the scores reach.
  class Reached {
   public:
    explicit Reached(size_t count) : count_(count) {}
    void add(float score) {
      if (highest_.size() == count_) {
        if (count_ == 0 || score <= highest_.top()) return;
        highest_.pop();
      }
      highest_.push(score);
    }
    [[nodiscard]] float score() const {
      return highest_.size() == count_ && count_ > 0 ? highest_.top() : std::numeric_limits<float>::lowest();
    }

   private:
    size_t count_;
    std::priority_queue<float, std::vector<float>, std::greater<>> highest_;
  };

  /// Some `count` of the highest hits, or a few more: by buckets, without putting any in order.
  class HighHits {
   public:
    HighHits(std::span<const ScanHit> hits, size_t count) {
      float most = -kInfinity;
      for (const ScanHit& hit : hits) {
        least_ = std::min(least_, hit.at_most);
        most = std::max(most, hit.at_most);
      }
      const float by = (kBuckets - 1) / (most - least_);
      if (std::isfinite(by)) buckets_a_unit_ = by;
      size_t sizes[kBuckets] = {};
      for (const ScanHit& hit : hits) ++sizes[bucket(hit)];
      lowest_ = kBuckets;
      for (size_t number = 0; lowest_ > 0 && number < count;) number += sizes[--lowest_];
    }
    [[nodiscard]] bool has(const ScanHit& hit) const { return bucket(hit) >= lowest_; }

   private:
    static constexpr size_t kBuckets = 256;
    [[nodiscard]] size_t bucket(const ScanHit& hit) const {
      return static_cast<size_t>((hit.at_most - least_) * buckets_a_unit_);
    }
    float least_ = kInfinity;
    float buckets_a_unit_ = 0;
    size_t lowest_;
  };

  [[nodiscard]] size_t most_wanted() const { return request_.k == 0 ? 0 : request_.k + request_.more; }

  /// Scores some `count` of the hits, those that may have the most, and drops those that cannot be wanted any more.
  void score_highest(size_t count) {
    items_.clear();
    std::erase_if(hits_, [&, high = HighHits(hits_, count)](const ScanHit& hit) {
      if (high.has(hit)) items_.push_back(hit.item);
      return high.has(hit);
    });
    score(items_);
    const float of_best = best_.score() - (request_.more > 0 ? request_.reach : 0);
    query_.least = std::max({query_.least, of_best, wanted_.score()});
    std::erase_if(hits_, [&](const ScanHit& hit) { return hit.at_most + query_.slack < query_.least; });
    std::erase_if(scored_, [&](const ScoredItem& scored) { return scored.score < query_.least; });
  }

  void score_all() {
    for (size_t item = 0; item < index_.size_; ++item)
      if ((*request_.allowed)[item]) items_.push_back(static_cast<int32_t>(item));
    score(items_);
  }

  void score(std::span<const int32_t> items) {
    scores_.resize(items.size());
    request_.score(items, scores_);
    for (size_t i = 0; i < items.size(); ++i) {
      if (std::isnan(scores_[i])) continue;
      scored_.push_back({items[i], scores_[i]});
      best_.add(scores_[i]);
      wanted_.add(scores_[i]);
    }
  }

  const ItemIndex& index_;
  const Request& request_;
  std::vector<int8_t> numbers_;
  std::vector<ScanHit> room_;  // for what one scan finds
  ScanQuery query_;
  bool beyond_floats_ = false;  // nothing can be said of the scores: all are computed
  Reached best_, wanted_;       // by the k best, and with those more
  std::vector<ScanHit> hits_;   // that may be wanted, not scored yet
  size_t most_hits_;            // before some are
  std::vector<ScoredItem> scored_;
  std::vector<int32_t> items_;  // scratch, like the next
  std::vector<float> scores_;
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
  double squares = 0;  // in the item's scale, like what is moved
  double moved = 0;
  for (size_t d = 0; d < width_; ++d) {
    const double exact = double{vector[d]} / scales_[item];
    const int code = std::clamp(static_cast<int>(std::lrint((exact + middle()) / 2)), (middle() - most_code()) / 2,
                                (middle() + most_code()) / 2);
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
}

CodedBlocks ItemIndex::view() const {
  return {.codes = reinterpret_cast<const uint8_t*>(lines_.data()),
          .bits = bits_,
          .middle = middle(),
          .scales = scales_.data(),
          .biases = biases_.data(),
          .norms = norms_.data(),
          .errors = errors_.data(),
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
  const bool unpacks = bits_ == 4 && requests.size() > 1;
  std::vector<Line> scratch(unpacks ? view().width * kBlockItems / sizeof(Line) : 0);
  std::vector<ScanQuery> queries;
  for (size_t first = 0, end = 0; first < blocks(); first = end) {
    end = std::min({blocks(), 2 * first + 1, first + tile_blocks()});  // few at first: until then all are hits
    queries.clear();
    for (const Search& search : searches)
      if (search.query() != nullptr) queries.push_back(*search.query());
    if (queries.empty()) break;
    kernel_->scan(view(), queries, first, end, reinterpret_cast<uint8_t*>(scratch.data()));
    size_t next = 0;
    for (Search& search : searches)
      if (search.query() != nullptr) search.take(queries[next++].found);
  }
  std::vector<std::vector<ScoredItem>> results;
  results.reserve(searches.size());
  for (Search& search : searches) results.push_back(search.result());
  return results;
}

size_t ItemIndex::bytes() const {
  return lines_.size() * sizeof(Line) +
         (scales_.size() + biases_.size() + norms_.size() + errors_.size()) * sizeof(float);
}

}  // namespace perennial
