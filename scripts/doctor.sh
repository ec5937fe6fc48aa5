# shellcheck shell=bash disable=SC2154  # ./dev sets repository and release
# ./dev doctor: what this machine has and lacks. Read by ./dev, whose good, bad, note and packages_of it uses.
# Ends with 1 when something that building or testing requires is missing.

problems=0

problem() {
  bad "$1"
  printf '        %s\n' "$2"
  problems=$((problems + 1))
}

doctor_system() {
  if is_debian_12; then
    good "system: $(system_name)"
  else
    note "system: $(system_name); made for and tested on Debian 12"
  fi
}

doctor_packages() {
  local group packages missing
  if ! command -v dpkg-query >/dev/null; then
    note "packages: no dpkg here; the libraries in scripts/packages.txt must come from elsewhere"
    return
  fi
  for group in build test check fuzz check-tests; do
    mapfile -t packages < <(packages_of "$group")
    mapfile -t missing < <(missing_of "${packages[@]}")
    if ((${#missing[@]} == 0)); then
      good "packages for $group: all ${#packages[@]}"
    elif [[ $group == build ]]; then
      problem "packages for $group: missing ${missing[*]}" \
        "'./dev build' installs them, or: apt-get install --no-install-recommends ${missing[*]}"
    else
      note "packages for $group: missing ${missing[*]}; './dev $group' installs them"
    fi
  done
}

doctor_compiler() {
  local version
  if ! version=$(g++ -dumpfullversion 2>/dev/null); then
    problem "compiler: no g++" "apt-get install g++"
  elif ((${version%%.*} < 12)); then
    problem "compiler: g++ $version, needs 12 or newer for C++20" "on Debian 12 g++ is 12.2"
  else
    good "compiler: g++ $version"
  fi
}

doctor_blas() {
  local library
  library=$(readlink -e "/usr/lib/$(uname -m)-linux-gnu/libblas.so.3") || library=''
  case $library in
    *openblas-openmp* | *blis* | *mkl*) good "BLAS of libtorch: $library" ;;
    *openblas*) note "BLAS of libtorch: $library; the OpenMP build shares libtorch's threads: libopenblas0-openmp" ;;
    '') note "BLAS of libtorch: none found" ;;
    *) note "BLAS of libtorch: $library, some thirty times slower than libopenblas0-openmp" ;;
  esac
  local name
  while IFS= read -r name; do
    case $name in
      OPENBLAS_CORETYPE) note "$name=${!name} forces OpenBLAS's kernels: unset it unless you are comparing" ;;
      OPENBLAS_NUM_THREADS | OMP_NUM_THREADS) note "$name=${!name} limits the threads of training ($(cores) cores here)" ;;
      OPENBLAS_* | GOTO_NUM_THREADS) note "$name=${!name} changes how OpenBLAS runs" ;;
      OMP_WAIT_POLICY | GOMP_SPINCOUNT | OMP_PROC_BIND | GOMP_CPU_AFFINITY)
        note "$name=${!name} changes how OpenMP's threads wait and where they run" ;;
    esac
  done < <(compgen -e | grep -E '^(OPENBLAS_|OMP_|GOMP_|GOTO_)')
}

doctor_cpu() {
  local model
  model=$(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)
  good "processor: ${model:-unknown}, $(cores) cores"
  local flags
  flags=" $(awk -F': *' '/^flags/ { print $2; exit }' /proc/cpuinfo) "
  local have=() lack=() flag
  for flag in avx2 fma f16c avx512f avx512bw avx512_vnni avx512_bf16 amx_bf16; do
    if [[ $flags == *" $flag "* ]]; then have+=("$flag"); else lack+=("$flag"); fi
  done
  if [[ $flags == *' avx2 '* && $flags == *' fma '* ]]; then
    good "instructions: ${have[*]}"
  else
    note "instructions: no AVX2 with FMA: the portable kernels run, several times slower"
  fi
  ((${#lack[@]} == 0)) || note "instructions not here: ${lack[*]} (used when there, never required)"
}

doctor_space() {
  local memory disk_mb
  memory=$(memory_mb)
  if ((memory < 2000)); then
    problem "memory: $memory MB free" "a file that includes libtorch needs 1.5 GB to compile; close something or add swap"
  else
    good "memory: $memory MB free: $(jobs_count) compilers at a time"
  fi
  disk_mb=$(df --output=avail -m . | tail -n 1 | tr -d ' ')
  if ((disk_mb < 3000)); then
    problem "disk: $disk_mb MB free here" "a release build needs about 3 GB; free some, or move the tree"
  else
    good "disk: $disk_mb MB free here"
  fi
}

doctor_access() {
  if mkdir -p build 2>/dev/null && [[ -w build ]]; then
    good "write access: $repository/build"
  else
    problem "write access: cannot write $repository/build" "chown the tree to $(id -un), or work on a copy"
  fi
  if ((EUID == 0)) || command -v sudo >/dev/null; then
    good "installing: possible ($( ((EUID == 0)) && echo root || echo sudo))"
  else
    note "installing: you are neither root nor have sudo; packages must be installed by someone who is"
  fi
}

doctor_build() {
  if [[ -x $release/src/perennial ]]; then
    good "program: $release/src/perennial, built $(date -r "$release/src/perennial" '+%Y-%m-%d %H:%M')"
  else
    note "program: not built yet; './dev build' makes it"
  fi
}

doctor() {
  local part
  for part in system packages compiler blas cpu space access build; do "doctor_$part"; done
  if ((problems)); then
    printf '%d required things are missing.\n' "$problems"
    return 1
  fi
  printf 'Nothing required is missing.\n'
}
