#!/usr/bin/env bash
# Whether each kernel needs what kernels/ptxas_table.txt says: registers, bytes of stack, of spills and of shared memory.
#   tests/kernels/cuda/ptxas_table.sh OBJECT.ptxas...          compares
#   tests/kernels/cuda/ptxas_table.sh --renew OBJECT.ptxas...  writes the table
set -euo pipefail
cd "$(dirname "$0")/../../.."
table=kernels/ptxas_table.txt

renew=false
[ "${1:-}" != --renew ] || { renew=true; shift; }
[ $# -gt 0 ] || { echo "no output of ptxas is given" >&2; exit 1; }

now=$(mktemp)
trap 'rm -f "$now"' EXIT
{
  echo "registers  stack  spills  shared  kernel"
  cat "$@" | awk '
    /Compiling entry function/ { split($0, part, "\047"); name = part[2] }
    /bytes stack frame/        { stack = $1; spills = $5 + $9 }
    /: Used [0-9]+ registers/  {
      shared = match($0, /[0-9]+ bytes smem/) ? substr($0, RSTART, RLENGTH) + 0 : 0
      split($0, part, "Used "); print part[2] + 0, stack, spills, shared, name
    }' | c++filt | sed -E 's/void kernels::cuda:://; s/\(anonymous namespace\):://g; s/kernels::cuda:://g; s/kernels:://g;
                           s/\([^()]*\)$//' |
    sort -k5 | awk '{ name = $5; for (i = 6; i <= NF; ++i) name = name " " $i
                      printf "%9d %6d %7d %7d  %s\n", $1, $2, $3, $4, name }'
} >"$now"

if $renew; then
  cp "$now" "$table"
  echo "$table: $(($(wc -l <"$table") - 1)) kernels"
elif ! diff -u "$table" "$now"; then
  echo "The kernels need other resources than $table says (- there, + now)." >&2
  echo "If that is meant: tests/kernels/cuda/ptxas_table.sh --renew $*" >&2
  exit 1
fi
