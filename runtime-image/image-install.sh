#!/bin/sh
# The Containerfile's one build step: packages and settings on top of a public base. Plain sh, as root.
set -eu
here="$(dirname "$0")"
export DEBIAN_FRONTEND=noninteractive

# The host's CA bundle, mounted by build-image.sh: for networks with a CA of their own. Not under /etc/ssl, where
# the ca-certificates package writes.
if [ -s /run/host-ca.crt ]; then
  set -- -o Acquire::https::CaInfo=/run/host-ca.crt
fi

apt-get "$@" update
# shellcheck disable=SC2046 # one package per word
apt-get "$@" install -y --no-install-recommends $(sed -e 's/#.*//' "$here/packages.txt")
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
sh "$here/image-setup.sh"

/usr/local/bin/node -e '
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) process.exit(0);
  console.error("the Node of the base image is too old: " + process.version + ", needed: 20.19 or newer");
  process.exit(1);
'
npm --version
