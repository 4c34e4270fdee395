#!/usr/bin/env bash
# Compiles one kernel source with nvcc: kernels/nvcc.sh SOURCE OBJECT NVCC [OPTION...], NVCC perhaps behind ccache.
# Beside the object: OBJECT.d, what it depends on, and OBJECT.ptxas, what ptxas says of each kernel.
set -euo pipefail
source=$1 object=$2
shift 2
# fmt leaves constexpr out where it sees nvcc, and then does not compile as C++20.
"$@" -std=c++20 -O3 -gencode=arch=compute_90a,code=sm_90a --expt-relaxed-constexpr -DFMT_USE_CONSTEXPR=1 -Xptxas=-v \
  -MD -MF "$object.d" -MT "$object" -o "$object" -c "$source" 2>"$object.ptxas" || { cat "$object.ptxas" >&2; exit 1; }
grep -v '^ptxas info\|^    [0-9]* bytes stack frame' "$object.ptxas" >&2 || true
