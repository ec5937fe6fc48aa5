#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>

#include "base/text.h"
#include "model/baselines.h"
#include "model/cooccurrence.h"

namespace perennial {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Two items^2 matrices live while it is fitted, one after.
class Ease final : public Scorer {
 public:
  explicit Ease(Matrix weights) : weights_(std::move(weights)) {}

  [[nodiscard]] std::string name() const override { return "ease"; }

  void score(std::span<const Token> history, std::span<float> scores) const override {
    Eigen::Map<Eigen::RowVectorXf> sums(scores.data(), static_cast<Eigen::Index>(scores.size()));
    sums.setZero();
    for (const int32_t item : distinct_items(history, static_cast<int32_t>(weights_.rows())))
      sums += weights_.row(item);
  }

 private:
  Matrix weights_;
};

Matrix regularised_gram(const ItemSequences& sequences, int32_t items, double regularisation) {
  const Cooccurrence cooccurrence(sequences, items);
  Matrix gram(items, items);
  for (int32_t item = 0; item < items; ++item)
    cooccurrence.count_with(item, std::span(gram.row(item).data(), static_cast<size_t>(items)));
  gram.diagonal().array() += static_cast<float>(regularisation);
  return gram;
}

}  // namespace

Result<std::unique_ptr<Scorer>> fit_ease(const ItemSequences& sequences, int32_t items, const EaseOptions& options) {
  if (items > options.item_cap)
    return resource_exhausted(
        "EASE needs a matrix of items x items: {} items are over the cap of {}; leave EASE out or raise the cap",
        with_commas(items), with_commas(options.item_cap));
  if (!(options.regularisation > 0))
    return invalid_argument("EASE needs a regularisation above 0, got {}", options.regularisation);
  Matrix gram = regularised_gram(sequences, items, options.regularisation);
  const Eigen::LLT<Eigen::Ref<Matrix>> cholesky(gram);  // in place
  if (cholesky.info() != Eigen::Success)
    return internal_error("EASE cannot factorise its matrix of {} items: raise the regularisation above {}", items,
                          options.regularisation);
  Matrix weights = Matrix::Identity(items, items);
  cholesky.solveInPlace(weights);
  const Eigen::RowVectorXf scale = -weights.diagonal().transpose().cwiseInverse();
  weights.array().rowwise() *= scale.array();
  weights.diagonal().setZero();
  return std::unique_ptr<Scorer>(std::make_unique<Ease>(std::move(weights)));
}

}  // namespace perennial
