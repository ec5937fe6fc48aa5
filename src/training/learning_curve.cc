#include "training/learning_curve.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/json.h"

namespace perennial {
namespace {

constexpr size_t kColumns = 60;
constexpr std::array<const char*, 8> kBlocks = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

std::vector<double> values_of(std::string_view json_lines, std::string_view key) {
  std::vector<double> values;
  while (!json_lines.empty()) {
    const size_t end = json_lines.find('\n');
    const json::object line = json::parse(json_lines.substr(0, end)).as_object();
    values.push_back(line.at(key).to_number<double>());
    json_lines.remove_prefix(end == std::string_view::npos ? json_lines.size() : end + 1);
  }
  return values;
}

std::string row(std::string_view name, const std::vector<double>& values, bool lower_is_better) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (*low == *high) return {};
  std::string blocks;
  const size_t columns = std::min(kColumns, values.size());
  for (size_t column = 0; column < columns; ++column) {
    const double value = values[column * values.size() / columns];
    const auto level = static_cast<size_t>((value - *low) / (*high - *low) * (kBlocks.size() - 1) + 0.5);
    blocks += kBlocks[level];
  }
  const auto best = lower_is_better ? low : high;
  return fmt::format("{:<20} {:.4f} {} best {:.4f}, epoch {}\n", name, values.front(), blocks, *best,
                     best - values.begin() + 1);
}

}  // namespace

std::string draw_learning_curve(std::string_view json_lines) {
  const std::vector<double> losses = values_of(json_lines, "loss");
  if (losses.size() < 2) return {};
  return row("loss", losses, true) + row("validation NDCG@10", values_of(json_lines, "validation_ndcg@10"), false);
}

}  // namespace perennial
