#!/usr/bin/env bash
# Makes this machine ready: system packages, then the checkout's node_modules and the runtime image side by side.
# Safe to repeat; quick when nothing is missing. Every failing step ends with the next step to take.
#
#     prepare-host.sh                    all of it
#     prepare-host.sh tests              and what only the tests need (a browser)
#     prepare-host.sh packages [tests]   system packages only
#     prepare-host.sh modules            node_modules only
set -euo pipefail
# shellcheck source=runtime-image/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# package|how to see that it is there without asking the package manager: a command, or a file (one of, by `,`).
readonly NEEDED="
podman|podman
runc|runc
crun|crun
netavark|/usr/lib/podman/netavark,/usr/libexec/podman/netavark
aardvark-dns|/usr/lib/podman/aardvark-dns,/usr/libexec/podman/aardvark-dns
iptables|iptables
slirp4netns|slirp4netns
uidmap|newuidmap
mmdebstrap|mmdebstrap
catatonit|/usr/libexec/podman/catatonit,/usr/bin/catatonit,/usr/libexec/catatonit/catatonit
git|git
python3|python3
make|make
g++|g++
"
# The page's tests drive a real browser.
readonly NEEDED_BY_TESTS="
chromium|chromium
"

is_there() {
  local probe
  for probe in ${1//,/ }; do
    case "$probe" in
      /*) [ ! -x "$probe" ] || return 0 ;;
      # sbin is not on everybody's PATH, and need not be: root's programs find it themselves.
      *) PATH="$PATH:/usr/sbin:/sbin" have "$probe" && return 0 ;;
    esac
  done
  return 1
}

# missing_packages TABLE...: prints what is not there, one package a line.
missing_packages() {
  local package probes
  while IFS='|' read -r package probes; do
    [ -n "$package" ] || continue
    is_there "$probes" || printf '%s\n' "$package"
  done <<<"$(printf '%s\n' "$@")"
}

# How another package manager would get the same; names differ a little between systems.
foreign_command() {
  if have dnf; then
    echo "dnf install podman runc crun netavark aardvark-dns iptables slirp4netns shadow-utils catatonit git python3 make gcc-c++"
  elif have zypper; then
    echo "zypper install podman runc crun netavark aardvark-dns iptables slirp4netns shadow catatonit git python3 make gcc-c++"
  elif have pacman; then
    echo "pacman -S podman runc crun netavark aardvark-dns iptables slirp4netns shadow catatonit git python make gcc"
  elif have apk; then
    echo "apk add podman runc crun netavark aardvark-dns iptables slirp4netns shadow-uidmap catatonit git python3 make g++"
  else
    echo "install Podman 4.3 or newer with its network tools, git, python3, make and a C++ compiler"
  fi
}

# Waits for another package manager's lock instead of failing at once.
apt_install() {
  local -a as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  local -a apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300)
  quietly "refreshing the package lists" "${apt[@]}" update ||
    say "the package lists could not all be refreshed: going on with what is there"
  quietly "installing $*" "${apt[@]}" install -y --no-install-recommends "$@"
}

may_install() { [ "$(id -u)" -eq 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }

# step_packages MODE
step_packages() {
  local -a missing
  mapfile -t missing < <(missing_packages "$NEEDED" "$([ "$1" != tests ] || printf '%s' "$NEEDED_BY_TESTS")")
  [ "${#missing[@]}" -gt 0 ] || return 0
  if ! have apt-get; then
    # mmdebstrap is Debian's; elsewhere the public base image is the way.
    if [ "${missing[*]}" = mmdebstrap ]; then return 0; fi
    die "missing on this machine: ${missing[*]}" "$(foreign_command)"
  fi
  may_install || die "missing on this machine: ${missing[*]}" \
    "sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
  if [ -z "${LANEKEEPER_SETUP_LOCKED:-}" ]; then
    LANEKEEPER_SETUP_LOCKED=1 with_lock "$(home_folder)" "$RUNTIME_DIR/prepare-host.sh" packages "$1"
    return
  fi
  apt_install "${missing[@]}" || die "could not install: ${missing[*]}" \
    "look at the messages above, then run: apt-get install --no-install-recommends ${missing[*]}"
}

step_node() {
  local version
  { have node && have npm; } || die "Node is missing" "install Node 20.19 or newer (with npm), then run: make setup"
  version="$(node --version)"
  case "$version" in
    v20.19.* | v20.[2-9][0-9].* | v2[1-9].* | v[3-9][0-9].*) ;;
    *) die "Node is $version here, needed: 20.19 or newer" "install a newer Node, then run: make setup" ;;
  esac
}

# Rootless Podman needs a range of ids for the user; without one even an import fails, with a hard to read message.
step_user_ids() {
  local user
  [ "$(id -u)" -ne 0 ] || return 0
  user="$(id -un)"
  grep -qsE "^($user|$(id -u)):" /etc/subuid || die "$user has no range of user ids for rootless containers" \
    "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $user && podman system migrate"
}

readonly CHECKOUT="$RUNTIME_DIR/.."

# What node_modules was installed from: the lock file, and the Node that native code was compiled for.
modules_stamp() { printf '%s %s\n' "$(sha256sum <"$CHECKOUT/package-lock.json" | cut -c1-64)" "$(node --version | cut -d. -f1)"; }

# npm's own record of what is installed says the same as the lock file: after an `npm install` by hand.
modules_match_lock() {
  node -e '
    const [wanted, actual] = process.argv.slice(1).map((path) => JSON.parse(require("node:fs").readFileSync(path, "utf8")).packages);
    const differs = ([path, entry]) => path !== "" && actual[path]?.version !== entry.version && !(entry.optional && !actual[path]);
    process.exit(Object.entries(wanted).some(differs) ? 1 : 0);
  ' "$CHECKOUT/package-lock.json" "$CHECKOUT/node_modules/.package-lock.json" 2>/dev/null
}

modules_are_current() {
  local stamp="$CHECKOUT/node_modules/.lanekeeper-stamp" was
  was="$(cat "$stamp" 2>/dev/null)" || return 1
  [ "$was" != "$(modules_stamp)" ] || return 0
  [ "${was##* }" = "$(node --version | cut -d. -f1)" ] && modules_match_lock || return 1
  modules_stamp >"$stamp"
}

install_modules() {
  local prefix
  # Where Node's own headers are installed, native code compiles without fetching them.
  prefix="$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")"
  [ ! -f "$prefix/include/node/node.h" ] || export npm_config_nodedir="$prefix"
  npm ci --prefix "$CHECKOUT" --no-progress && return 0
  # `npm ci` refuses a lock file written against a registry without the other platforms' optional packages. This
  # installs the same locked versions and leaves the lock file alone.
  npm install --prefix "$CHECKOUT" --no-save --no-progress
}

step_modules() {
  ! modules_are_current || return 0
  if [ "${LANEKEEPER_SETUP_LOCKED:-}" != modules ]; then
    LANEKEEPER_SETUP_LOCKED=modules with_lock "$CHECKOUT/package.json" "$RUNTIME_DIR/prepare-host.sh" modules
    return
  fi
  quietly "installing node_modules (about 70 s: SQLite may have to be compiled)" install_modules ||
    die "npm could not install the packages" "check the npm registry (npm ping), the compiler (g++ --version) and Node's headers (npm config nodedir), then run: make setup"
  modules_stamp >"$CHECKOUT/node_modules/.lanekeeper-stamp"
}

# Two slow things that do not need each other. The first gets a process group of its own (`set -m`), so that an
# interrupted setup takes all of it along.
step_modules_and_image() {
  local status=0 pid
  set -m
  step_modules &
  pid=$!
  set +m
  # shellcheck disable=SC2064
  trap "kill -- -$pid 2>/dev/null || true" EXIT
  "$RUNTIME_DIR/build-image.sh" || status=$?
  wait "$pid" || status=$?
  trap - EXIT
  return "$status"
}

main() {
  case "${1:-run}" in
    run | tests)
      step_packages "${1:-run}"
      step_node
      step_user_ids
      step_modules_and_image
      ;;
    packages) step_packages "${2:-run}" ;;
    modules) step_modules ;;
    *) die "unknown word: $1" "use: prepare-host.sh [tests | packages [tests] | modules]" ;;
  esac
}

main "$@"
