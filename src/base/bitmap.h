// A bit an item, in words of 64, as scans over all items want it. Bits past the size are 0.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace perennial {

class Bitmap {
 public:
  Bitmap() = default;
  explicit Bitmap(size_t size, bool value = false) { resize(size, value); }

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool operator[](size_t bit) const { return (words_[bit / 64] >> (bit % 64) & 1) != 0; }

  void set(size_t bit, bool value) {
    const uint64_t mask = uint64_t{1} << (bit % 64);
    words_[bit / 64] = value ? words_[bit / 64] | mask : words_[bit / 64] & ~mask;
  }

  /// Bits that come are `value`.
  void resize(size_t size, bool value) {
    const size_t before = size_;
    size_ = size;
    words_.resize((size + 63) / 64, value ? ~uint64_t{0} : 0);
    if (value && before < size && before % 64 != 0) words_[before / 64] |= ~uint64_t{0} << (before % 64);
    if (size % 64 != 0) words_.back() &= ~(~uint64_t{0} << (size % 64));
  }

  /// Keeps the bits that are set in `other` too; in and_not, those that are not. Sizes must be equal.
  void and_with(const Bitmap& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
  }
  void and_not(const Bitmap& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] &= ~other.words_[i];
  }

  /// How many bits are set.
  [[nodiscard]] size_t count() const {
    size_t sum = 0;
    for (const uint64_t word : words_) sum += static_cast<size_t>(std::popcount(word));
    return sum;
  }

  /// Calls visit(bit) for each that is set, rising.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (size_t i = 0; i < words_.size(); ++i)
      for (uint64_t left = words_[i]; left != 0; left &= left - 1)
        visit(i * 64 + static_cast<size_t>(std::countr_zero(left)));
  }

  [[nodiscard]] const uint64_t* words() const { return words_.data(); }

  bool operator==(const Bitmap&) const = default;

 private:
  size_t size_ = 0;
  std::vector<uint64_t> words_;
};

}  // namespace perennial
