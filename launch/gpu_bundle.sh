#!/usr/bin/env bash
# Makes a folder with all that launch/gpu_check.sh needs on a machine that has a GPU, and otherwise neither MPI nor protobuf
# nor oneDNN: launch/gpu_bundle.sh [FOLDER]. There: FOLDER/gpu_check.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-gpu_bundle}
[ ! -e "$folder" ] || { echo "$folder is there already: remove it (rm -r $folder) or name another" >&2; exit 2; }
programs=(scoremle test_cuda test_cuda_records test_cuda_records_cublas)

launch/build.sh "${programs[@]}"
[ -x build/test_cuda_records ] || { echo "build/test_cuda_records was not built: no nvcc was found" >&2; exit 2; }
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT
mkdir -p "$parts/bin" "$parts/lib/openmpi"
for program in "${programs[@]}"; do cp "build/$program" "$parts/bin/"; done
cp -L "$(command -v mpirun)" "$parts/bin/mpirun"
strip "$parts"/bin/*
# What the MPI library and mpirun load by themselves.
plugins=$(dirname "$(ldconfig -p | awk '/libmpi\.so\.40/ { print $NF; exit }')")/openmpi/lib/openmpi3
for kind in allocator bcol bfrops btl_self btl_vader coll_basic coll_self coll_tuned coll_libnbc coll_sync coll_inter ess \
            gds osc pml_ob1 pmix psec psensor pstat ptl rcache reachable mpool memory patcher shmem state errmgr schizo \
            filem grpcomm iof odls oob ras rmaps rml routed rtc topo vprotocol event preg pcompress plm dfs regx bml op_; do
  for plugin in "$plugins"/mca_$kind*.so; do [ ! -e "$plugin" ] || cp -L "$plugin" "$parts/lib/openmpi/"; done
done
# Every library but those of the C library, which the machine has.
find "$parts" -type f -exec ldd {} + 2>/dev/null | awk '$3 ~ /^\// { print $3 }' | sort -u |
  grep -v -E '/(libc|libm|libdl|librt|libpthread|libresolv)\.so' | while read -r library; do cp -L "$library" "$parts/lib/"; done
chmod -R u+w "$parts"

mkdir -p "$folder"
cp launch/gpu_check.sh "$folder/"
git describe --always --dirty >"$folder/version.txt"
tar -czf "$folder/files.tar.gz" -C "$parts" bin lib -C "$PWD" configs
mib=$(du -sm "$folder" | cut -f1)
echo "$folder: $mib MiB, version $(cat "$folder/version.txt")"
[ "$mib" -le 60 ] || { echo "$folder is larger than 60 MiB" >&2; exit 1; }
