#!/bin/sh
# Settings of the runtime image, the same for both bases. Runs inside the image (no argument, from the Containerfile)
# or on a root file system from outside (its folder as argument, from build-base.sh). Must stay plain sh.
#
# Nothing is fixed for a user: the worker runs under a uid of its own and the agent under the uid that owns the
# worktree, so everything is readable by all; HOME is set by whoever starts a process.
set -eu
root="${1:-}"

# Mount points, so that a lane also starts with a read-only root file system.
mkdir -p "$root/workspace" "$root/lane/state" "$root/run/lane" "$root/opt/agents" "$root/usr/local/lib/lanekeeper"

# The worktree may belong to another uid than the one that looks at it; only this one path is trusted.
printf '[safe]\n\tdirectory = /workspace\n[advice]\n\tdetachedHead = false\n' >"$root/etc/gitconfig"

# npm: no news and no advertising between an agent's output.
mkdir -p "$root/usr/local/etc"
printf 'update-notifier=false\nfund=false\naudit=false\n' >"$root/usr/local/etc/npmrc"

chmod 755 "$root/workspace" "$root/lane" "$root/lane/state" "$root/run/lane" "$root/opt/agents" \
  "$root/usr/local/lib/lanekeeper" "$root/usr/local/etc"
chmod 644 "$root/etc/gitconfig" "$root/usr/local/etc/npmrc"
