// What the regressions know of a user at an instant: recency, frequency, money, age and stage, from the facts up to
// then. Covered by forecast/features_test.cc.
#pragma once

#include <string>
#include <vector>

#include "forecast/questions.h"

namespace perennial {

/// Which features there are under a definition, and how they are computed. Of the activity, of `value`, and of the
/// question's own signal: recency, counts in windows, days between, money; of the user: age, stage and overlay.
class Features {
 public:
  Features(const Definition& definition, const Question& question);

  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

  /// Finite, in the order of the names. Looks at no fact later than `now`. `definition` is that of the constructor.
  [[nodiscard]] std::vector<double> of(const Definition& definition, const Subject& subject, TimeMs now) const;

 private:
  std::vector<uint8_t> signals_;
  std::vector<std::string> names_;
};

}  // namespace perennial
