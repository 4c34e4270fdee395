#!/usr/bin/env bash
# Fuzzes every parser with libFuzzer under the address and undefined-behaviour sanitizers: launch/fuzz.sh [SECONDS [TARGET...]],
# 600 seconds each and all targets of tests/fuzz where none is named, as many at once as there are cores. Inputs that
# were worth keeping, and any that crashed, are in build-fuzz/corpus/TARGET and build-fuzz/crash-*.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-600}
shift || true
packages=(clang-16 libclang-rt-16-dev libomp-16-dev)
launch/install.sh
if ! dpkg-query -W "${packages[@]}" >/dev/null 2>&1; then
  echo "fuzzing needs more packages. Run this, then start again: sudo apt-get install ${packages[*]}" >&2
  exit 2
fi
cmake -S . -B build-fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++-16 -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSCOREMLE_FUZZ=ON -DSCOREMLE_TESTS=OFF
[ $# -gt 0 ] || set -- $(basename -s .cpp tests/fuzz/*.cpp)
cmake --build build-fuzz --target fuzz_seeds "${@/#/fuzz_}"

cd build-fuzz
rm -rf seeds && ./fuzz_seeds seeds
mkdir -p seeds/config && cp ../configs/*.textproto seeds/config

# The report of one target; fails where it crashed or did not run to its end.
fuzz() {
  local target=$1 log=log-$1
  mkdir -p "corpus/$target" "seeds/$target"
  ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 OMP_NUM_THREADS=1 TMPDIR=/dev/shm \
    "./fuzz_$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -artifact_prefix="crash-$target-" \
    -print_final_stats=1 "corpus/$target" "seeds/$target" >"$log" 2>&1 || true
  echo "== $target: $seconds s"$'\n'"$(grep -aE 'ERROR|SUMMARY|stat::number_of_executed|stat::peak|crash-|runtime error' "$log")"
  grep -aq stat::number_of_executed "$log" || { echo "$target: did not run to its end" >&2; return 1; }
  ! ls crash-"$target"-* >/dev/null 2>&1 || { echo "$target: crashed" >&2; return 1; }
}
export -f fuzz
export seconds
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c 'fuzz {}' || exit 1
echo "no crash"
