// How fast, and how near the best, is the arbiter's choice? Random users and 20 actions in four channels, under a
// budget of money, a number a day for each channel and stocks of some actions; a third of the users lacks consent for a
// channel, a fifth has had enough of one.
//   ./dev bench plan                        1,000,000 users: seconds, and the gap to the plan's own bound
//   ./dev bench plan --users 10000 --exact  the same beside the linear programme's optimum (needs clp)
#include <fmt/core.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "actions/allocation.h"
#include "base/random.h"
#include "base/temporary_folder.h"

namespace perennial {
namespace {

constexpr uint16_t kActions = 20;
constexpr uint16_t kChannels = 4;

enum class Kind { spread, alike, scarce };  // effects of all sizes; the same for all users; hardly anything to give

struct Instance {
  Offers offers;
  std::vector<Budget> budgets;
};

Instance make(size_t users, Kind kind, Random& random) {
  Instance made;
  double value[kActions], effect[kActions], cost[kActions];
  for (uint16_t a = 0; a < kActions; ++a) {
    value[a] = 10 + 70 * random.uniform();
    effect[a] = 0.04 * random.normal() + 0.01;  // a part does harm
    cost[a] = a % kChannels == 0 ? 0.001 : 0.05 + random.uniform();
  }
  for (size_t user = 0; user < users; ++user) {
    const double liking = kind == Kind::alike ? 0 : random.normal();
    bool open[kChannels];
    for (bool& channel : open) channel = !random.chance(1.0 / 3) && !random.chance(0.2);
    for (uint16_t a = 0; a < kActions; ++a) {
      if (!open[a % kChannels]) continue;
      const double own = kind == Kind::alike ? 0 : 0.03 * random.normal() + 0.02 * liking;
      made.offers.add(a, static_cast<float>((effect[a] + own) * value[a] - cost[a]), static_cast<float>(cost[a]));
    }
    made.offers.end_user();
  }
  const double scale = static_cast<double>(users) * (kind == Kind::scarce ? 0.01 : 1);
  Budget money{"money", {}, std::floor(0.05 * scale), false};
  for (uint16_t a = 0; a < kActions; ++a) money.actions.push_back(a);
  made.budgets.push_back(money);
  for (uint16_t c = 0; c < kChannels; ++c) {
    Budget channel{fmt::format("channel {}", c), {}, std::floor((0.05 + 0.1 * c) * scale), true};
    for (uint16_t a = c; a < kActions; a = static_cast<uint16_t>(a + kChannels)) channel.actions.push_back(a);
    made.budgets.push_back(channel);
  }
  for (uint16_t a = 0; a < kActions; a = static_cast<uint16_t>(a + 3))
    made.budgets.push_back({fmt::format("stock of {}", a), {a}, std::floor(0.02 * scale), true});
  return made;
}

/// The plan counted anew: within every budget, and the gain that it claims.
bool holds(const Instance& instance, const Allocation& plan) {
  double gain = 0;
  std::vector<double> used(instance.budgets.size());
  for (size_t user = 0; user < plan.chosen.size(); ++user) {
    const uint64_t j = plan.chosen[user];
    if (j == Allocation::kNothing) continue;
    if (j < instance.offers.begin[user] || j >= instance.offers.begin[user + 1]) return false;
    gain += instance.offers.gain[j];
    for (size_t r = 0; r < used.size(); ++r)
      if (const auto& of = instance.budgets[r].actions; std::ranges::find(of, instance.offers.action[j]) != of.end())
        used[r] += instance.budgets[r].counts ? 1 : static_cast<double>(instance.offers.cost[j]);
  }
  for (size_t r = 0; r < used.size(); ++r)
    if (used[r] > instance.budgets[r].limit * (1 + 1e-9) + 1e-9) return false;
  return std::abs(gain - plan.gain) <= 1e-6 * (1 + gain);
}

/// The optimum when users could be served in part, by Clp: a file in MPS's free form. nullopt: clp is not there.
std::optional<double> exact_optimum(const Instance& instance) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "plan.mps", answer = folder.path() / "plan.txt";
  std::ofstream out(file);
  out << "NAME plan\nROWS\n N gain\n";
  const size_t users = instance.offers.users(), budgets = instance.budgets.size();
  for (size_t r = 0; r < budgets; ++r) out << fmt::format(" L b{}\n", r);
  for (size_t user = 0; user < users; ++user) out << fmt::format(" L u{}\n", user);
  out << "COLUMNS\n";
  for (size_t user = 0; user < users; ++user)
    for (uint64_t j = instance.offers.begin[user]; j < instance.offers.begin[user + 1]; ++j) {
      out << fmt::format(" x{} gain {:.9g}\n x{} u{} 1\n", j, -instance.offers.gain[j], j, user);
      for (size_t r = 0; r < budgets; ++r) {
        const Budget& budget = instance.budgets[r];
        if (std::ranges::find(budget.actions, instance.offers.action[j]) != budget.actions.end())
          out << fmt::format(" x{} b{} {:.9g}\n", j, r, budget.counts ? 1 : instance.offers.cost[j]);
      }
    }
  out << "RHS\n";
  for (size_t r = 0; r < budgets; ++r) out << fmt::format(" rhs b{} {:.9g}\n", r, instance.budgets[r].limit);
  for (size_t user = 0; user < users; ++user) out << fmt::format(" rhs u{} 1\n", user);
  out << "ENDATA\n";
  out.close();
  const std::string command = fmt::format("clp '{}' -dualsimplex 2>&1", file.string());
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  std::optional<double> optimum;
  for (char line[512]; std::fgets(line, sizeof line, pipe) != nullptr;) {
    double value = 0;
    if (std::sscanf(line, "Optimal objective %lf", &value) == 1) optimum = -value;
  }
  pclose(pipe);
  return optimum;
}

int run(size_t users, int threads, bool exact) {
  Random random(42);
  int failures = 0;
  for (const auto& [name, kind] :
       {std::pair{"spread", Kind::spread}, {"alike", Kind::alike}, {"scarce", Kind::scarce}}) {
    const Instance instance = make(users, kind, random);
    const auto started = std::chrono::steady_clock::now();
    const Allocation plan = allocate(instance.offers, instance.budgets, threads, 42).value();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    const bool good = holds(instance, plan);
    failures += good ? 0 : 1;
    const auto served = users - static_cast<size_t>(std::ranges::count(plan.chosen, Allocation::kNothing));
    fmt::print(
        "{}: {} users, {} offers, {} budgets, {} threads: {:.2f} s, {} served, gain {:.1f}, {:.4f} % below its bound, "
        "every budget {}\n",
        name, users, instance.offers.action.size(), instance.budgets.size(), threads, seconds, served, plan.gain,
        100 * plan.gap(), good ? "kept" : "NOT KEPT");
    if (!exact) continue;
    if (const std::optional<double> optimum = exact_optimum(instance)) {
      fmt::print("  linear programme {:.3f}: the plan {:.4f} % below it, its bound {:.4f} % above\n", *optimum,
                 100 * (*optimum - plan.gain) / *optimum, 100 * (plan.bound - *optimum) / *optimum);
    } else {
      fmt::print("  no answer from clp: is it installed?\n");
      ++failures;
    }
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{} MiB at most, instances counted\n", usage.ru_maxrss / 1024);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace perennial

int main(int argc, char** argv) {
  CLI::App app("The arbiter's choice: seconds and distance to the best");
  size_t users = 1'000'000;
  int threads = 2;
  bool exact = false;
  app.add_option("--users", users)->check(CLI::Range(size_t{1}, size_t{10'000'000}));
  app.add_option("--threads", threads)->check(CLI::Range(1, 64));
  app.add_flag("--exact", exact, "beside clp's optimum");
  CLI11_PARSE(app, argc, argv);
  return perennial::run(users, threads, exact);
}
