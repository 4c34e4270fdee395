#!/usr/bin/env bash
# Runs read_test.py with tensorboard from PyPI, in a virtual environment of its own: read_test.sh SCOREMLE FOLDER
set -euo pipefail
binary=$1 environment=$2
if [ ! -x "$environment/bin/tensorboard" ]; then
  rm -rf "$environment"
  python3 -m venv "$environment" || { echo "needs Python's venv (Debian: python3-venv)" >&2; exit 1; }
  "$environment/bin/pip" install --quiet tensorboard || { echo "needs tensorboard from PyPI" >&2; exit 1; }
fi
exec "$environment/bin/python" "$(dirname "$0")/read_test.py" "$binary"
