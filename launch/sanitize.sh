#!/usr/bin/env bash
# Builds everything with the address and undefined-behaviour sanitizers into build-sanitize/ and runs the tests there.
# Without precompiled headers, so that a file that does not include what it uses is found here.
set -euo pipefail
cd "$(dirname "$0")/.."

launch/install.sh
cmake -S . -B build-sanitize -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSCOREMLE_SANITIZE=ON \
  -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON
cmake --build build-sanitize
source launch/mpi_environment.sh
# Open MPI and its helpers keep memory until the process ends; memory that there is not is asked for in a test.
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
cd build-sanitize
[ $# -gt 0 ] || set -- -LE 'long|pypi'
ctest --output-on-failure --parallel "$(nproc)" "$@"
