#!/usr/bin/env bash
# The object files of the vector kernels, which are compiled for more than every CPU has, may hold no function that the
# linker could take for another file's: vector_symbols.sh OBJECT...
set -euo pipefail
[ $# -ge 3 ] || { echo "three object files are wanted, one for each set of instructions, not: $*" >&2; exit 1; }
symbols=$(nm --demangle "$@")
! grep -E '^[0-9a-f]+ [WVu] ' <<<"$symbols" | grep -v '(anonymous namespace)' || { echo "may be shared with other files" >&2; exit 1; }
