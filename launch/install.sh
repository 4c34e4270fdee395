#!/usr/bin/env bash
# Installs the Debian packages that building, running and testing need. Does nothing where they are there already.
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache pkg-config                       # build
  openmpi-bin libopenmpi-dev                                    # ranks
  libdnnl-dev libboost-dev librandom123-dev                     # mathematics
  libprotobuf-dev protobuf-compiler libxxhash-dev               # configs and checkpoints
  libarchive-dev zlib1g-dev libjpeg62-turbo-dev libspng-dev     # images
  libcairo2-dev fonts-dejavu-core                               # plots
  libcli11-dev libfmt-dev nlohmann-json3-dev                    # command line, text, metrics
  libgtest-dev                                                  # tests
)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

install="apt-get update && apt-get install --yes --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
  echo "scoremle needs packages that only root can install. Run this, then start again:" >&2
  echo "  sudo sh -c '$install'" >&2
  exit 2
fi
echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
sh -c "$install" >"$log" 2>&1 || { tail -n 20 "$log" >&2; echo "The installation failed; all it printed is in $log" >&2; exit 1; }
rm -f "$log"
