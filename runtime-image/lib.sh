# shellcheck shell=bash
# shellcheck disable=SC2034 # names for those who source this
# What the scripts of this folder share: messages, locking, names. Sourced, never run.

RUNTIME_DIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
readonly RUNTIME_DIR
readonly IMAGE="${LANEKEEPER_IMAGE:-localhost/lane-runtime:local}"
readonly CACHE_DIR="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/lanekeeper"

# Labels of the image: what it is, what it was built from, and the Node in it (the worker's code cache depends on it).
readonly LABEL_RUNTIME="io.lanekeeper.runtime"
readonly LABEL_DIGEST="io.lanekeeper.runtime-digest"
readonly LABEL_NODE="io.lanekeeper.node"

say() { printf '[setup] %s\n' "$*" >&2; }

# Ends the script: what failed, then the next step.
die() {
  printf '[setup] FAILED: %s\n' "$1" >&2
  [ -z "${2:-}" ] || printf '[setup] next step: %s\n' "$2" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

# Says that WHAT is still going, every 20 s, until it is ended or the script is gone.
still_going() {
  local what="$1" start="$2"
  while sleep 20 && kill -0 "$$" 2>/dev/null; do say "$what: still going ($(seconds_since "$start") s)"; done
}

# quietly "what" CMD...: runs CMD with its output kept in a file; shows the output's end only when it fails.
quietly() {
  local what="$1" log status=0 start="$EPOCHREALTIME" ticker
  shift
  log="$(mktemp "${TMPDIR:-/tmp}/lanekeeper-setup.XXXXXX")"
  say "$what ..."
  still_going "$what" "$start" </dev/null &
  ticker=$!
  "$@" >"$log" 2>&1 </dev/null || status=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  if [ "$status" -eq 0 ]; then
    say "$what: done ($(seconds_since "$start") s)"
  else
    say "$what: exit code $status after $(seconds_since "$start") s; its last lines:"
    tail -n 25 "$log" | sed 's/^/    /' >&2
  fi
  rm -f "$log"
  return "$status"
}

# with_lock PATH CMD...: runs CMD while holding the lock on PATH, a file or folder that exists anyway; waits for
# another holder. `--close` keeps the lock from programs that CMD leaves running, such as rootless Podman's own.
with_lock() {
  local path="$1" status=0
  local -r locked=213
  shift
  if [ ! -r "$path" ] || ! have flock; then
    "$@"
    return
  fi
  flock --close --nonblock --conflict-exit-code "$locked" "$path" "$@" || status=$?
  [ "$status" -eq "$locked" ] || return "$status"
  say "another setup is running here: waiting for it"
  status=0
  flock --close --timeout 1200 --conflict-exit-code "$locked" "$path" "$@" || status=$?
  [ "$status" -ne "$locked" ] || die "another setup held the lock for 20 minutes" "end it, then run this again"
  return "$status"
}

# The lock for what a user has once per machine (packages, images) is their home folder: it is always there, and
# nobody else can take its place, unlike a name in /tmp.
home_folder() { getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6; }

# The identity of the image: every file of this folder that decides what is in it.
runtime_digest() {
  (
    cd "$RUNTIME_DIR" || exit
    LC_ALL=C sha256sum Containerfile packages.txt build-base.sh fetch-node.sh image-install.sh image-setup.sh
  ) | sha256sum | cut -c1-32
}

runtime_packages() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$RUNTIME_DIR/packages.txt"; }

# image_label NAME LABEL: prints the label's value, nothing when there is no such image or label.
image_label() { podman image inspect --format "{{index .Labels \"$2\"}}" "$1" 2>/dev/null || true; }

# The name of this machine's architecture in the npm packages that carry Node's official binary.
node_arch() {
  case "$(uname -m)" in
    x86_64 | amd64) echo x64 ;;
    aarch64 | arm64) echo arm64 ;;
    *) return 1 ;;
  esac
}

# limits_flags: ulimits at or below this process's own hard limits; Podman's defaults may be above them.
limits_flags() {
  local name hard
  for name in nofile nproc; do
    case "$name" in nofile) hard="$(ulimit -Hn)" ;; nproc) hard="$(ulimit -Hu)" ;; esac
    if [ "$hard" = unlimited ] || [ "$hard" -gt 4096 ]; then hard=4096; fi
    printf -- '--ulimit\n%s=%s:%s\n' "$name" "$hard" "$hard"
  done
}

# working_runtime IMAGE: prints the first OCI runtime that can start a container here ("" = Podman's own choice),
# fails when none can. What each said is left in RUNTIME_ERRORS_FILE when that is set.
working_runtime() {
  local image="$1" runtime flags=() limits=()
  mapfile -t limits < <(limits_flags)
  for runtime in "" crun runc youki; do
    flags=()
    if [ -n "$runtime" ]; then
      have "$runtime" || continue
      flags=(--runtime "$runtime")
    fi
    if timeout 60 podman "${flags[@]}" run --rm --network none "${limits[@]}" "$image" true \
      >>"${RUNTIME_ERRORS_FILE:-/dev/null}" 2>&1 </dev/null; then
      printf '%s\n' "$runtime"
      return 0
    fi
  done
  return 1
}
