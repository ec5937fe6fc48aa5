#!/usr/bin/env bash
# Runs a ./dev command in an empty Debian 12: the proof that the repository installs everything it needs by itself.
#
#   scripts/fresh_root.sh FOLDER test                  a new root in FOLDER, HEAD copied in, ./dev test
#   scripts/fresh_root.sh --work-tree FOLDER test      the same with the files as they stand, committed or not
#   scripts/fresh_root.sh --again FOLDER demo          one more command in the root that is already there
#   scripts/fresh_root.sh --shell FOLDER 'cmake ...'   a line of shell instead of a ./dev command
#
# Needs root and debootstrap. Where packages come from is what this machine's apt is set up with, or $PERENNIAL_MIRROR;
# its proxy and checks are passed in, nothing of them is stored. Mounts live in a namespace of their own, so they end
# with the command, however it ends. The folder stays: remove it with rm -rf.
set -euo pipefail

readonly suite=bookworm
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly repository

die() {
  printf 'fresh_root: %s\n' "$1" >&2
  exit "${2:-1}"
}

usage() {
  sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
}

# Lines of sources.list for the Debian archives that apt uses here.
apt_sources() {
  if [[ -n ${PERENNIAL_MIRROR:-} ]]; then
    printf 'deb %s %s main\n' "$PERENNIAL_MIRROR" "$suite"
    return
  fi
  # shellcheck disable=SC2016  # apt fills these in
  apt-get indextargets --format '$(ORIGIN)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    sed -n 's/^Debian|//p' | sort -u | grep " $suite"
}

make_root() {
  local root=$1 sources=$2 mirror=$3
  local options=(--variant=minbase)
  [[ $mirror == https:* ]] && options+=(--include=ca-certificates)
  debootstrap "${options[@]}" "$suite" "$root" "$mirror" >"$root.log" 2>&1 ||
    die "debootstrap failed; its last lines:
$(tail -n 15 "$root.log")"
  printf '%s\n' "$sources" >"$root/etc/apt/sources.list"
  apt-config dump | grep -E '^Acquire::(https?::(Proxy|CaInfo)|Check-(Date|Valid-Until)|Retries)' \
    >"$root/etc/apt/apt.conf.d/00host" || true
  if [[ $mirror == https:* && -f /etc/ssl/certs/ca-certificates.crt ]]; then
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  fi
}

copy_tree() {
  local root=$1 work_tree=$2
  mkdir -p "$root/src/perennial"
  cd "$repository"
  if $work_tree; then
    git -c safe.directory='*' ls-files -coz --exclude-standard |
      tar --create --null --files-from=- --ignore-failed-read --warning=no-failed-read |
      tar --extract --directory "$root/src/perennial"
  else
    git -c safe.directory='*' archive HEAD | tar --extract --directory "$root/src/perennial"
  fi
}

# In a mount and process namespace of its own: everything started inside dies, and every mount goes, with it.
run_inside() {
  local root=$1 line=$2
  cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
  cp -L /etc/hosts "$root/etc/hosts" 2>/dev/null || true
  local variables=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 CI=true)
  local name
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [[ -n ${!name:-} ]] && variables+=("$name=${!name}")
  done
  # npm asks its registry by TLS; where a proxy signs for it, Node is told of whom to trust.
  if [[ -f ${NODE_EXTRA_CA_CERTS:-} ]]; then
    mkdir -p "$root/etc/ssl"
    cp -L "$NODE_EXTRA_CA_CERTS" "$root/etc/ssl/node_extra.crt"
    variables+=(NODE_EXTRA_CA_CERTS=/etc/ssl/node_extra.crt)
  fi
  # shellcheck disable=SC2016  # expanded by the inner shell
  unshare --mount --pid --fork --kill-child -- bash -c '
    set -euo pipefail
    root=$1 line=$2
    shift 2
    mount --make-rprivate /
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/tmp"
    exec env -i "$@" chroot "$root" bash -c "cd /src/perennial && $line" </dev/null
  ' inside "$root" "$line" "${variables[@]}"
}

main() {
  local work_tree=false again=false shell=false
  while [[ ${1:-} == --* ]]; do
    case $1 in
      --work-tree) work_tree=true ;;
      --again) again=true ;;
      --shell) shell=true ;;
      --help) usage && exit 0 ;;
      *) die "unknown option $1 (try --help)" 2 ;;
    esac
    shift
  done
  [[ $# -ge 2 ]] || die "needs a folder and a command (try --help)" 2
  [[ $EUID -eq 0 ]] || die "needs root, to make a root file system: run it with sudo"
  local root
  root=$(realpath -m "$1")
  shift
  local line
  if $shell; then line=$*; else line=$(printf '%q ' ./dev "$@"); fi

  if ! $again; then
    command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"
    [[ -z $(ls -A "$root" 2>/dev/null) ]] || die "$root is not empty: name another folder, or use --again"
    local sources mirror started=$SECONDS
    sources=$(apt_sources) || die "apt has no Debian 12 archive set up here: set PERENNIAL_MIRROR"
    mirror=$(awk -v suite="$suite" '$3 == suite { print $2; exit }' <<<"$sources")
    mkdir -p "$root"
    make_root "$root" "$sources" "${mirror:?no archive of $suite among the apt sources}"
    printf 'fresh_root: an empty Debian 12 in %s after %d s\n' "$root" $((SECONDS - started))
    copy_tree "$root" "$work_tree"
  fi
  [[ -x $root/src/perennial/dev ]] || die "$root holds no copy of the repository: run without --again first"
  local started=$SECONDS status=0
  run_inside "$root" "$line" || status=$?
  printf 'fresh_root: "%s" ended with %d after %d s\n' "$line" "$status" $((SECONDS - started))
  return "$status"
}

main "$@"
