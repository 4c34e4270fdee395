#!/usr/bin/env bash
# Runs the tests of every mutant of the GPU's kernels in every way on the emulated GPU, and says in which ways each was
# caught: launch/mutants.sh [NAME...]. With no names it also writes tests/kernels/mutants/table.md. Fails where one was not.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build-mutants ways=(fast sanitized race)
names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(basename -s .mutant tests/kernels/mutants/*.mutant)
cmake -G Ninja -B "$build" -S . -DSCOREMLE_MUTANTS=ON -DSCOREMLE_CUDA=OFF >/dev/null
targets=()
for name in "${names[@]}"; do for way in "${ways[@]}"; do targets+=("mutant_${name}_$way"); done; done
ninja -C "$build" "${targets[@]}" >&2

table=$(mktemp)
trap 'rm -f "$table"' EXIT
{
  echo "# Mutants of the kernels, and what the tests on the emulated GPU said of each ($(date +%F))"
  echo
  echo "| mutant | file | fast | sanitized | race |"
  echo "|---|---|---|---|---|"
} >"$table"
missed=0
for name in "${names[@]}"; do
  row="| $name | $(sed -n 's/^file: //p' "tests/kernels/mutants/$name.mutant")" caught=0
  for way in "${ways[@]}"; do
    status=0
    said=$(tests/kernels/mutants/caught.sh "$name" "$build/mutant_${name}_$way") || status=$?
    [ $status -le 1 ] || exit $status
    [ $status = 1 ] || caught=1
    row+=" | ${said:0:60}"
  done
  echo "$row |" | tee -a "$table"
  [ $caught = 1 ] || { missed=$((missed + 1)); echo "$name: no way caught it" >&2; }
done
echo; echo "${#names[@]} mutants, $missed not caught" | tee -a "$table"
[ $# -gt 0 ] || cp "$table" tests/kernels/mutants/table.md
[ $missed = 0 ]
