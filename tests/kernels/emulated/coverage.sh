#!/usr/bin/env bash
# Which lines of the GPU's kernels the tests on the emulated GPU have executed: tests/kernels/emulated/coverage.sh BUILD,
# after they ran. Fails below 95 %, and for any line that uncovered.txt does not give a reason for.
set -euo pipefail
cd "$(dirname "$0")/../../.."
known=$PWD/tests/kernels/emulated/uncovered.txt
cd "$1"
counts=(CMakeFiles/emulated_kernels_fast.dir/kernels/*.gcda)
[ -e "${counts[0]}" ] || { echo "$1: no counts; the tests kernels/emulated/fast/* must run first" >&2; exit 1; }

gcov --stdout --preserve-paths "${counts[@]}" 2>/dev/null | awk -v known="$known" '
  BEGIN { while ((getline line < known) > 0) if (line !~ /^#/ && split(line, part, " \\| ") == 2) reason[part[1]] = part[2] }
  /^ *-: *0:Source:/ { sub(/^ *-: *0:Source:/, ""); sub(/^.*\/kernels\//, "kernels/"); file = $0; next }
  file !~ /^kernels\/([a-z_]+\.cu|gpu_[a-z_]+\.h|pack\.h|reduce\.h)$/ { next }
  {
    split($0, part, ":"); count = part[1]; gsub(/[ *]/, "", count); line = part[2] + 0
    if (line == 0 || count == "" || count == "-") next
    key = file ":" line; executable[key] = 1
    text[key] = substr($0, length(part[1]) + length(part[2]) + 3); gsub(/^ +/, "", text[key])
    if (count !~ /^[#=]/) executed[key] = 1
  }
  END {
    for (key in executable) {
      split(key, part, ":"); all[part[1]]++; lines++
      if (key in executed) { hit[part[1]]++; hits++; continue }
      why = reason[part[1] ": " text[key]]
      print "not executed: " key ": " text[key] (why == "" ? "" : "  (" why ")")
      if (why == "") ++unexplained
    }
    for (file in all) printf "%6.1f %% of %4d lines  %s\n", 100 * hit[file] / all[file], all[file], file | "sort -k5"
    close("sort -k5")
    if (lines == 0) { print "no line was counted"; exit 1 }
    printf "%6.1f %% of %4d lines in all\n", 100 * hits / lines, lines
    exit hits < 0.95 * lines || unexplained > 0
  }'
