#!/usr/bin/env bash
# Fetches Node's official binary and an npm that fits it from the configured npm registry, for machines where no
# public Node image can be pulled. Kept in the cache folder; prints the folder, which holds `version`, `bin/node` and
# `npm/`. `fetch-node.sh` takes the newest release of the preferred major; `fetch-node.sh 20.20.2` that one.
set -euo pipefail
# shellcheck source=runtime-image/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The major that runs in lanes where there is a choice, and the oldest release that may.
readonly NODE_MAJOR=20 NODE_MINIMUM=20.19.0

# The last npm major that runs on Node 20 (and on every later one).
readonly NPM_PACKAGE="npm@^11"

# The newest release of the preferred major at or above the minimum, else the newest even (long-term) major's.
choose_version() {
  npm view "$1" versions --json | node -e '
    const [major, minimum] = [Number(process.argv[1]), process.argv[2].split(".").map(Number)];
    const parse = (v) => v.split(".").map(Number);
    const order = (a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
    const all = [JSON.parse(require("node:fs").readFileSync(0, "utf8"))].flat()
      .filter((v) => /^\d+\.\d+\.\d+$/.test(v)).map(parse).filter((v) => order(v, minimum) >= 0).sort(order);
    const best = all.filter((v) => v[0] === major).at(-1) ?? all.filter((v) => v[0] % 2 === 0).at(-1);
    if (!best) process.exit(1);
    console.log(best.join("."));
  ' "$NODE_MAJOR" "$NODE_MINIMUM"
}

# unpack NAME@VERSION FOLDER: npm checks the registry's integrity digest while packing.
unpack() {
  local staging="$2.tmp.$$"
  mkdir -p "$staging"
  (cd "$staging" && npm pack --silent "$1" >/dev/null && tar -xzf ./*.tgz && rm -f ./*.tgz)
  rm -rf "$2"
  mv "$staging/package" "$2"
  rmdir "$staging"
}

main() {
  local arch package version folder
  arch="$(node_arch)" || die "no Node binary is known for $(uname -m)" "use a machine with x86_64 or arm64, or an own image by LANEKEEPER_IMAGE"
  package="node-linux-$arch"
  version="${1:-}"
  version="${version#v}"
  [ -n "$version" ] || version="$(choose_version "$package")" ||
    die "the npm registry offers no usable release of $package" "check the registry with: npm view $package versions"
  folder="$CACHE_DIR/node/v$version-linux-$arch"
  if [ ! -f "$folder/version" ]; then
    mkdir -p "$folder"
    unpack "$package@$version" "$folder/package" ||
      die "could not fetch $package@$version" "check the registry with: npm view $package@$version"
    unpack "$NPM_PACKAGE" "$folder/npm" || die "could not fetch npm" "check the registry with: npm view npm"
    mkdir -p "$folder/bin"
    cp "$folder/package/bin/node" "$folder/bin/node"
    chmod 755 "$folder/bin/node"
    rm -rf "$folder/package"
    printf 'v%s\n' "$version" >"$folder/version"
  fi
  printf '%s\n' "$folder"
}

main "$@"
