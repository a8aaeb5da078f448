#!/usr/bin/env bash
# Builds the runtime image without any image registry: Debian (or Ubuntu) packages from the mirror this machine's apt
# is configured for, Node and npm from the configured npm registry, imported as one layer. No container is run, so it
# works before the engine's settings are known. `build-base.sh NAME [LABEL=VALUE...]`.
set -euo pipefail
# shellcheck source=runtime-image/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# package_sources [OPTION]: what apt is configured for, as URI|RELEASE|COMPONENT|ORIGIN|SIGNED_BY.
# shellcheck disable=SC2016 # $(...) are apt's own fields
package_sources() {
  apt-get indextargets "$@" --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(SIGNED_BY)' 'Created-By: Packages'
}

# The `deb` lines of this machine's own distribution: third-party sources stay out of the image.
mirror_lines() {
  local codename sources
  # shellcheck disable=SC1091
  codename="$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")"
  sources="$(package_sources)"
  # Without downloaded lists apt shows nothing, unless asked to leave out what the lists would tell.
  [ -n "$sources" ] || sources="$(package_sources --no-release-info)"
  awk -F'|' -v suite="$codename" '
    $2 != suite && $2 != suite "-updates" && $2 != suite "-security" { next }
    $3 != "main" && $3 != "universe" { next }
    # A field that apt does not know stays the word it was.
    $4 != "Debian" && $4 != "Ubuntu" && $4 !~ /ORIGIN/ { next }
    !seen[$1 $2 $3]++ {
      options = ($5 == "" || $5 ~ /SIGNED_BY/) ? "" : "[signed-by=" $5 "] "
      print "deb " options $1 " " $2 " " $3
    }' <<<"$sources"
}

suite_of() { awk '{ for (i = 2; i <= NF; i++) if ($i ~ /:\//) { print $(i + 1); exit } }'; }

# How apt reaches the mirror (proxy, certificates) is machine configuration too; mmdebstrap starts from none.
transport_options() {
  apt-config dump --format '%F "%v";%n' | grep -E '^Acquire::(http|https|ftp)(::|")' | grep -v '::"";' || true
}

# Where the files are put together: memory when there is plenty (twice as fast: packages are thousands of small
# files, each synced), else the usual place for temporary files.
staging_parent() {
  local memory_kb free_kb
  memory_kb="$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)"
  free_kb="$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)" || free_kb=0
  if [ "${memory_kb:-0}" -gt 4000000 ] && [ "${free_kb:-0}" -gt 2000000 ] &&
    ! grep -qE '^[^ ]+ /dev/shm [^ ]+ [^ ]*noexec' /proc/mounts; then
    echo /dev/shm
  else
    echo "${TMPDIR:-/tmp}"
  fi
}

# make_overlay FOLDER: what is not from a Debian package, as a tree to lay over the packages' files.
make_overlay() {
  local node lib="$1/usr/local/lib/node_modules"
  node="$("$RUNTIME_DIR/fetch-node.sh")"
  mkdir -p "$1/usr/local/bin" "$1/etc" "$lib"
  cp "$node/bin/node" "$1/usr/local/bin/node"
  cp -R "$node/npm" "$lib/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$1/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$1/usr/local/bin/npx"
  sh "$RUNTIME_DIR/image-setup.sh" "$1"
  chmod -R u+rwX,go+rX,go-w "$1"
  cp "$node/version" "$1.version"
}

# shellcheck disable=SC2016 # $1 is the hook's
make_rootfs() {
  local option
  local -a options=()
  while IFS= read -r option; do options+=(--aptopt="$option"); done < <(transport_options)
  # Manuals and translations are of no use in a lane; the licences stay.
  for option in 'path-exclude=/usr/share/doc/*' 'path-include=/usr/share/doc/*/copyright' \
    'path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/info/*' 'path-exclude=/usr/share/locale/*'; do
    options+=(--dpkgopt="$option")
  done
  # mmdebstrap leaves its apt options (this machine's proxy), which must not stay in the image.
  # The system's own programs: mmdebstrap starts Python for every package, and a version manager's wrapper is slow.
  PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR="$work" mmdebstrap --variant=minbase \
    --include="$(runtime_packages | paste -sd,)" "${options[@]}" \
    --customize-hook='rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap"' "$suite" "$work/rootfs.tar" - <<<"$lines"
}

# add_overlay FOLDER TAR: Podman refuses a tar that names a folder twice, so only folders that are new go in.
add_overlay() {
  {
    (cd "$1" && find . -mindepth 1 ! -type d)
    (cd "$1" && find . -mindepth 1 -type d -printf '%p/\n') | grep -vxFf <(tar --list --file "$2" | grep '/$')
  } | tar --append --file "$2" --owner=0 --group=0 --numeric-owner --no-recursion -C "$1" --files-from -
}

main() {
  local name="$1" work lines suite label overlay_pid
  local -a changes=()
  shift
  for tool in mmdebstrap apt-get apt-config npm podman; do
    have "$tool" || die "$tool is missing" "run: make setup"
  done
  lines="$(mirror_lines)"
  [ -n "$lines" ] || die "apt on this machine has no package source of its own distribution" \
    "add the distribution's mirror to /etc/apt/sources.list, or set LANEKEEPER_IMAGE to an image of yours"
  suite="$(suite_of <<<"$lines")"
  work="$(mktemp -d "$(staging_parent)/lanekeeper-base.XXXXXX")"
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT

  # Node comes from another server than the packages: fetch both at once.
  make_overlay "$work/overlay" &
  overlay_pid=$!
  make_rootfs || die "mmdebstrap could not build the base system" "check the package mirror with: apt-get update"
  wait "$overlay_pid" || die "Node could not be fetched" "check the npm registry with: npm ping"
  add_overlay "$work/overlay" "$work/rootfs.tar"

  for label in "$@" "$LABEL_NODE=$(cat "$work/overlay.version")"; do changes+=(--change "LABEL $label"); done
  TMPDIR="$work" podman import --quiet "${changes[@]}" \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'ENV LANG=C.UTF-8' \
    --change 'WORKDIR /workspace' --change 'CMD ["bash"]' \
    --message "built offline from packages of $suite" "$work/rootfs.tar" "$name" ||
    die "podman could not import the base system (its message is above)" "see whether this works, and has space: podman info"
}

main "$@"
