#include "base/cores.h"

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "base/files.h"

namespace perennial {
namespace {

int cores_of_affinity() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());  // more cores than the set has room for
}

}  // namespace

int usable_cores() {
  const fs::path root = "/sys/fs/cgroup";
  std::string own;  // such as 0::/system.slice/perennial.service
  std::getline(std::ifstream("/proc/self/cgroup"), own);
  const size_t path = own.find("::/");
  fs::path group = path == std::string::npos ? root : root / own.substr(path + 3);
  int cores = cores_of_affinity();
  for (; group.string().size() >= root.string().size(); group = group.parent_path()) {  // each above it binds, too
    std::string cpu_max;
    std::getline(std::ifstream(group / "cpu.max"), cpu_max);
    if (const int quota = cores_of_quota(cpu_max); quota > 0) cores = std::min(cores, quota);
  }
  return std::max(1, cores);
}

int cores_of_quota(std::string_view cpu_max) {
  std::istringstream words{std::string(cpu_max)};
  int64_t quota = 0;
  int64_t period = 0;
  if (!(words >> quota >> period) || quota <= 0 || period <= 0) return 0;
  return static_cast<int>(std::min<int64_t>((quota - 1) / period + 1, 1 << 20));
}

}  // namespace perennial
