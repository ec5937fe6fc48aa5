// How many threads of this process can run at the same time. Covered by base/cores_test.cc.
#pragma once

#include <string_view>

namespace perennial {

/// Cores that the calling thread may run on, at least 1: as its affinity and the shares of time of its control groups
/// let it (cgroup v2; quotas of v1 are not seen), rounded up.
int usable_cores();

/// Of a control group's cpu.max, such as "150000 100000" or "max 100000"; 0 when it sets no limit or says nothing.
int cores_of_quota(std::string_view cpu_max);

}  // namespace perennial
