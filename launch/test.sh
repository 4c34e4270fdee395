#!/usr/bin/env bash
# Installs what is missing, builds everything and runs the tests; with arguments for ctest those that they choose.
# Left out otherwise: -L long, which train for minutes, and -L pypi, which need Python and a package from PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."

launch/build.sh
source launch/mpi_environment.sh
cd build
status=0
if [ $# -gt 0 ]; then
  ctest --output-on-failure --parallel "$(nproc)" "$@" || status=$?
else
  ctest --output-on-failure --parallel "$(nproc)" -LE 'long|pypi' || status=$?
  echo "Left out: launch/test.sh -L long (trains for minutes), launch/test.sh -L pypi (TensorBoard reads the event files)"
fi
for folder in fixtures data; do
  [ -d "../../shared/$folder" ] || echo "NOT TESTED: ../shared/$folder is absent, and its tests are not among these"
done
exit $status
