#!/usr/bin/env bash
# Makes the runtime image (localhost/lane-runtime:local, or LANEKEEPER_IMAGE) exist and match this folder.
# From the public base of the Containerfile where that can be pulled, else from packages (build-base.sh).
# Does nothing when the image carries this folder's digest; `--force` builds anyway; `--locked` is its own second half.
# LANEKEEPER_BASE names another public base image, or `offline` to skip looking for one.
set -euo pipefail
# shellcheck source=runtime-image/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Seconds for the first answer of the registry (a small request), and for the download after it.
readonly TRIAL_SECONDS=8 PULL_SECONDS=300

# The host's CA bundle, for networks with a CA of their own.
readonly HOST_CA=/etc/ssl/certs/ca-certificates.crt

default_base() { sed -n 's/^ARG BASE=//p' "$RUNTIME_DIR/Containerfile"; }

# The image is there and built from this folder.
is_current() { [ "$(image_label "$IMAGE" "$LABEL_DIGEST")" = "$DIGEST" ]; }

# An image somebody made themselves is used as it is, never replaced.
is_foreign() { podman image exists "$IMAGE" 2>/dev/null && [ "$(image_label "$IMAGE" "$LABEL_RUNTIME")" != 1 ]; }

# Can the base be had quickly? Asks for its manifest first: that fails within milliseconds without a network.
pull_base() {
  podman image exists "$1" && return 0
  timeout "$TRIAL_SECONDS" podman manifest inspect "$1" >/dev/null 2>&1 </dev/null || return 1
  quietly "pulling $1" timeout "$PULL_SECONDS" podman pull --quiet "$1"
}

# Runs the Containerfile. With chroot isolation a build step needs no OCI runtime, so it works on machines whose
# cgroups or limits a runtime refuses; Podman's own choice is tried after it.
build_from() {
  local base="$1" isolation
  local -a flags=(--file "$RUNTIME_DIR/Containerfile" --build-arg "BASE=$base" --tag "$IMAGE" --network host
    --pull=never --layers=false --format oci --label "$LABEL_RUNTIME=1" --label "$LABEL_DIGEST=$DIGEST") limits=()
  [ ! -s "$HOST_CA" ] || flags+=(--volume "$HOST_CA:/run/host-ca.crt:ro")
  mapfile -t limits < <(limits_flags)
  for isolation in chroot oci; do
    quietly "building $IMAGE from $base ($isolation isolation)" \
      podman build --isolation "$isolation" "${limits[@]}" "${flags[@]}" "$RUNTIME_DIR" && return 0
  done
  return 1
}

build() {
  local base="${LANEKEEPER_BASE:-$(default_base)}"
  if [ "$base" != offline ] && pull_base "$base"; then
    build_from "$base" && return 0
    say "building from $base failed: building from packages instead"
  elif [ "$base" != offline ]; then
    say "$base cannot be pulled here: building the image from packages instead"
  fi
  quietly "building $IMAGE from packages (about 40 s)" \
    "$RUNTIME_DIR/build-base.sh" "$IMAGE" "$LABEL_RUNTIME=1" "$LABEL_DIGEST=$DIGEST"
}

# The image starts here and holds what the worker cannot do without.
verify() {
  local runtime errors limits=() flags=()
  errors="$(mktemp "${TMPDIR:-/tmp}/lanekeeper-setup.XXXXXX")"
  if ! runtime="$(RUNTIME_ERRORS_FILE="$errors" working_runtime "$IMAGE")"; then
    sed 's/^/    /' "$errors" | tail -n 12 >&2
    rm -f "$errors"
    die "Podman cannot start a container on this machine (its messages are above)" \
      "install another OCI runtime (runc or crun) and try: podman --runtime runc run --rm $IMAGE true"
  fi
  rm -f "$errors"
  [ -z "$runtime" ] || flags=(--runtime "$runtime")
  mapfile -t limits < <(limits_flags)
  podman "${flags[@]}" run --rm --network none "${limits[@]}" --user 31417:31417 --env HOME=/tmp "$IMAGE" \
    sh -euc 'node --version; npm --version; git --version; setpriv --version; rg --version; jq --version' \
    >/dev/null </dev/null || die "$IMAGE was built but lacks a program it needs" "run: make image FORCE=1"
}

build_and_verify() {
  local old
  old="$(podman image inspect --format '{{.Id}}' "$IMAGE" 2>/dev/null || true)"
  build || die "the runtime image could not be built (the output is above)" \
    "check the package mirror (apt-get update) and the npm registry (npm ping), then run: make image"
  verify
  # A lane that still runs on the previous image keeps it: Podman refuses, and that is right.
  [ -z "$old" ] || podman image rm "$old" >/dev/null 2>&1 || true
}

main() {
  DIGEST="$(runtime_digest)"
  readonly DIGEST
  local -a words=("$@")
  have podman || die "podman is not installed" "run: make setup"
  [[ " ${words[*]} " == *" --force "* ]] || ! is_current || return 0
  if is_foreign; then
    say "$IMAGE is an image of yours: used as it is"
    return 0
  fi
  if [[ " ${words[*]} " == *" --locked "* ]]; then
    build_and_verify
  else
    with_lock "$(home_folder)" "$RUNTIME_DIR/build-image.sh" --locked "$@"
  fi
}

main "$@"
