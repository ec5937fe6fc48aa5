#include "forecast/standardised.h"

#include <cmath>
#include <numeric>

#include "base/check.h"

namespace perennial {

std::pair<double, std::vector<double>> Standardised::on_raw_features(const Eigen::VectorXd& coefficients) const {
  const Eigen::VectorXd raw = coefficients.tail(mean.size()).cwiseProduct(inverse_deviation);
  return {coefficients[0] - raw.dot(mean), std::vector<double>(raw.begin(), raw.end())};
}

Result<Standardised> standardise(const Eigen::MatrixXd& features) {
  if (!features.allFinite()) return failed_precondition("a feature is not a finite number");
  if (features.rows() == 0) return failed_precondition("no users to learn from");
  Standardised made;
  made.mean = features.colwise().mean();
  const Eigen::MatrixXd centred = features.rowwise() - made.mean.transpose();
  const Eigen::VectorXd deviation =
      (centred.colwise().squaredNorm() / static_cast<double>(features.rows())).cwiseSqrt();
  const auto inverse = [](double deviation_of_one, double mean_of_one) {
    return deviation_of_one > 1e-9 * (1 + std::abs(mean_of_one)) ? 1 / deviation_of_one : 0;
  };
  made.inverse_deviation = deviation.binaryExpr(made.mean, inverse);
  made.design.resize(features.rows(), features.cols() + 1);
  made.design.col(0).setOnes();
  made.design.rightCols(features.cols()) = centred * made.inverse_deviation.asDiagonal();
  return made;
}

double line_at(double intercept, std::span<const double> coefficients, std::span<const double> features) {
  PERENNIAL_CHECK(coefficients.size() == features.size(), "{} coefficients, {} features", coefficients.size(),
                  features.size());
  return std::inner_product(features.begin(), features.end(), coefficients.begin(), intercept);
}

}  // namespace perennial
