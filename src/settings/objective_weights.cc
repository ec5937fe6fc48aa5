// What each stage of a user's life asks of a list when the configuration does not say otherwise.
#include "settings/settings.h"

namespace perennial {

std::map<std::string, double> default_objective_weights() {
  struct Row {
    const char* place;
    double conversion, money, revisit, breadth, sharing;
  };
  constexpr Row kRows[] = {{"acquisition", 0.5, 0, 0, 0, 0}, {"activation", 0, 0, 1, 0, 0},
                           {"retention", 0, 0, 1, 0, 0},     {"expansion", 0, 0.25, 0, 0.5, 0},
                           {"advocacy", 0, 0, 0, 0, 0.5},    {"at_risk", 0, 0, 1, 0, 0},
                           {"churned", 0, 0, 1, 0, 0},       {"won_back", 0, 0, 1, 0, 0}};
  std::map<std::string, double> weights;
  for (const Row& row : kRows) {
    const std::string place(row.place);
    weights[place + ".conversion"] = row.conversion;
    weights[place + ".money"] = row.money;
    weights[place + ".revisit"] = row.revisit;
    weights[place + ".breadth"] = row.breadth;
    weights[place + ".sharing"] = row.sharing;
  }
  return weights;
}

}  // namespace perennial
