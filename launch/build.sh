#!/usr/bin/env bash
# Configures and builds into build/: launch/build.sh [TARGET...], all targets where none is named.
set -euo pipefail
cd "$(dirname "$0")/.."

launch/install.sh
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release >build.log 2>&1 || { cat build.log >&2; exit 1; }
rm -f build.log
targets=("${@:-all}")
cmake --build build --target "${targets[@]}"
