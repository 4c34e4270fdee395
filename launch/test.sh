#!/usr/bin/env bash
# Installs what is missing, builds everything and runs the tests; with arguments for ctest those that they choose
# (-L long: the ones that train for minutes, which are left out otherwise).
set -euo pipefail
cd "$(dirname "$0")/.."

launch/build.sh
source launch/mpi_environment.sh
cd build
[ $# -gt 0 ] || set -- -LE long
ctest --output-on-failure --parallel "$(nproc)" "$@"
