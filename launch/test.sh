#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test. With no arguments: all. Arguments go to ctest.
set -euo pipefail
cd "$(dirname "$0")/.."

launch/build.sh
source launch/mpi_environment.sh
cd build
ctest --output-on-failure --parallel "$(nproc)" "$@"
