#!/usr/bin/env bash
# Whether a mutant's own tests find its mistake: tests/kernels/mutants/caught.sh NAME PROGRAM. Prints the first thing they say.
set -uo pipefail
cd "$(dirname "$0")/../../.."
filter=$(sed -n 's/^tests: //p' "tests/kernels/mutants/$1.mutant")
[ -x "$2" ] || { echo "$2: not built" >&2; exit 3; }
said=$(ASAN_OPTIONS=detect_leaks=0 OMP_WAIT_POLICY=passive timeout 300 "$2" --gtest_filter="$filter" --gtest_fail_fast 2>&1)
status=$?
grep -q '^\[==========\] Running [1-9]' <<<"$said" || { echo "no test ran: $filter" >&2; exit 3; }
if [ $status = 0 ]; then
  echo "not caught"
  exit 1
fi
grep -m1 -o -E 'runtime error: .*|AddressSanitizer: [a-z-]*|race on .*|deadlock.*|divergent.*|the bits differ|[a-z_0-9]+\[[0-9]+\] is .*' <<<"$said" ||
  echo "status $status"
