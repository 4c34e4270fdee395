#!/usr/bin/env bash
# Everything that waits for a GPU, in stages of at most 8 minutes, from the folder that launch/gpu_bundle.sh makes:
#   gpu_check.sh [--out FOLDER] [--bench FOLDER] [--variants "NAME..."] [--probe FILE.cu] [--device cuda|cpu] [STAGE...]
# Stages, all by default:
#   kernels   what the machine is; --probe FILE.cu compiled and run; the tests of kernels and records on the GPU;
#             compute-sanitizer where it is installed
#   training  200 steps with one seed on the CPU and on the device; bound and ODE likelihood of one checkpoint on both
#   ranks     the same steps by NCCL with one rank and with two that share the GPU, and with two by way of the host:
#             all must have the same losses to the last digit; how much of an exchange is hidden
#   records   time, floor and share of each kind of record of a training step, with tiles as bench tune finds them too, and
#             of each kernel
#   peer_ddpmpp, peer_adm64   the step, at batch 128 and 64, in turns with PyTorch's bench_torch.py in --bench FOLDER, in
#             its --variants, "eager compile graph" by default
# --device cpu goes through all but the first on the CPU, small, to see that they work.
# Everything is written to --out (gpu_results by default), its summary.txt last.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=gpu_results bench= variants=(eager compile graph) probe= device=cuda stages=()
while [ $# -gt 0 ]; do
  case $1 in
    --out | --bench | --variants | --probe | --device) [ $# -ge 2 ] || { echo "$1 needs a value" >&2; exit 2; } ;;&
    --out) out=$2; shift 2 ;;
    --bench) bench=$(realpath "$2"); shift 2 ;;
    --variants) read -ra variants <<<"$2"; shift 2 ;;
    --probe) probe=$(realpath "$2"); shift 2 ;;
    --device) device=$2; shift 2 ;;
    kernels | training | ranks | records | peer_ddpmpp | peer_adm64) stages+=("$1"); shift ;;
    *) echo "gpu_check.sh: unknown word '$1'; see the first lines of $0" >&2; exit 2 ;;
  esac
done
[ ${#stages[@]} -gt 0 ] || stages=(kernels training ranks records peer_ddpmpp peer_adm64)
[[ $device =~ ^(cuda|cpu)$ ]] || { echo "--device is cuda or cpu, not '$device'" >&2; exit 2; }
[ -z "$bench" ] || [ -f "$bench/bench_torch.py" ] || { echo "$bench/bench_torch.py is not there" >&2; exit 2; }
[ -z "$probe" ] || [ -f "$probe" ] || { echo "$probe is not there" >&2; exit 2; }
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 2

files=$out/files
if [ ! -x "$files/bin/scoremle" ]; then
  mkdir -p "$files" && tar -xzf "$here/files.tar.gz" -C "$files" || { echo "$here/files.tar.gz cannot be unpacked" >&2; exit 2; }
fi
# Ours, and what is too large to bring: where PyTorch or the toolkit has NCCL and cuBLASLt.
libraries=$files/lib
for name in libnccl.so.2 libcublasLt.so.13; do
  found=$(find / -xdev -name $name -not -path '*/stubs/*' 2>/dev/null | head -1)
  [ -z "$found" ] || libraries+=:$(dirname "$found")
done
their_libraries=${LD_LIBRARY_PATH:-}  # PyTorch finds its own, and ours would be in its way
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} OMPI_MCA_mca_base_component_path=$files/lib/openmpi OPAL_PREFIX=$files
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_plm_rsh_agent=false
export OMPI_MCA_mca_base_component_show_load_errors=0 OMPI_MCA_ess_singleton_isolated=1 OMP_WAIT_POLICY=passive
export PATH=$files/bin:$PATH
cd "$files" || exit 2
scoremle=$files/bin/scoremle summary=$out/summary.txt failures=0
say() { echo "$*" | tee -a "$summary"; }
# step NAME SECONDS COMMAND...: runs it, its output to NAME.log, and says how it went.
step() {
  local name=$1 seconds=$2 begin=$SECONDS status=0
  shift 2
  timeout "$seconds" "$@" >"$out/$name.log" 2>&1 || status=$?
  [ $status = 0 ] || failures=$((failures + 1))
  say "$(printf '%-34s %4d s  %s' "$name" $((SECONDS - begin)) "$([ $status = 0 ] && echo ok || echo "FAILED ($status): $(grep -v '^ *$' "$out/$name.log" | tail -1 | cut -c1-120)")")"
  return $status
}
# shared_out NAME SECONDS PROGRAM [FLAG...]: a step of GoogleTest's, shared out among as many processes as there are cores,
# 8 at most.
shared_out() {
  local name=$1 seconds=$2 shards=$(($(nproc) < 8 ? $(nproc) : 8))
  shift 2
  step "$name" "$seconds" bash -c 'name=$1 shards=$2 failed=0 processes=()
    shift 2
    for ((shard = 0; shard < shards; shard++)); do
      GTEST_TOTAL_SHARDS=$shards GTEST_SHARD_INDEX=$shard "$@" --gtest_brief=1 >"$name.$shard" 2>&1 &
      processes+=($!)
    done
    for process in "${processes[@]}"; do wait "$process" || failed=1; done
    for ((shard = 0; shard < shards; shard++)); do cat "$name.$shard" && rm "$name.$shard"; done
    exit $failed' - "$out/$name" "$shards" "$@"
  say "  $(awk '/^\[=+\] [0-9]+ tests?/ { ran += $2 } /^\[  FAILED  \].*ms\)/ { failed++ } END { printf "%d tests, %d failed", ran, failed }' "$out/$name.log")"
}
say "# $(date '+%F %T'), version $(cat "$here/version.txt" 2>/dev/null || echo unknown), stages: ${stages[*]}"
say "CPU: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores"
if [ "$device" = cuda ]; then
  say "GPU: $(nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem --format=csv,noheader 2>&1 | head -3 | tr '\n' ';')"
fi

kernels() {
  if [ -n "$probe" ]; then
    step probe_build 120 nvcc -O3 -std=c++17 -gencode=arch=compute_90a,code=sm_90a -o "$out/probe" "$probe" &&
      step probe 60 "$out/probe" && cat "$out/probe.log" >>"$summary"
  else
    say "no --probe FILE.cu was given: none is run"
  fi
  step cuda_tests 120 bin/test_cuda
  shared_out cuda_records 420 bin/test_cuda_records
  shared_out cuda_records_cublas 200 bin/test_cuda_records_cublas --gtest_filter='Linear*:Conv*:LargeTiles.*'
  if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck; do
      step "sanitizer_$tool" 200 compute-sanitizer --tool "$tool" --error-exitcode 1 bin/test_cuda_records \
        --gtest_filter='Attention.*:Resize*:NoiseLoss*:AdamStep.*:Silu*:Linear.*'
    done
  else
    say "compute-sanitizer is not installed: not run"
  fi
}

# The losses of a run, one a line.
losses() { sed -n 's/.*"loss_bits": *\([0-9.eE+-]*\).*/\1/p' "$1/metrics.jsonl"; }

training() {
  local steps=200 config=(--config quickstart)
  [ "$device" = cuda ] || steps=60
  rm -rf "$out"/runs
  run() { # NAME DEVICE SETTINGS
    step "train_$1" 240 "$scoremle" train "${config[@]}" --device "$2" --set "training { steps: $steps log_every: 10 checkpoint_every: $steps evaluate_every: $steps directory: '$out/runs/$1' $3 }"
  }
  run cpu cpu '' && run device "$device" '' || return
  run device_bf16 "$device" 'activations: BFLOAT16'
  local name on
  for name in device device_bf16; do
    [ -d "$out/runs/$name" ] || continue
    say "  loss, $name against cpu: $(paste <(losses "$out/runs/cpu") <(losses "$out/runs/$name") | awk '
      NF != 2 { bad = 1 } { d = $2 / $1 - 1; if (d < 0) d = -d; if (d > worst) worst = d; last = $0; n++ }
      END { if (bad || n == 0) print "the runs logged different steps"; else printf "largest relative difference %.2e in %d logged steps; last %s", worst, n, last }')"
  done
  for name in cpu device; do
    [ $name = cpu ] && on=cpu || on=$device
    step "evaluate_$name" 240 "$scoremle" evaluate --run "$out/runs/cpu" --device "$on" --images 64 --ode-images 8 \
      --output "$out/likelihood_$name.tsv"
    grep -E '^ *(variational bound|probability-flow ODE)' "$out/evaluate_$name.log" | while read -r line; do say "  on $name: $line"; done
  done
}

ranks() {
  local steps=60 name alone command
  rm -rf "$out"/ranks
  run() { # NAME COMMAND...: trains by it, with --set added
    local name=$1
    shift
    step "ranks_$name" 120 "${@//RUN/training { steps: $steps log_every: 1 checkpoint_every: $steps evaluate_every: 0 directory: \'$out/ranks/$name\' \}}"
  }
  command=("$scoremle" train --config quickstart --device "$device" --set RUN)
  run alone "${command[@]}" || return
  if [ "$device" = cuda ]; then
    run nccl_1 "${command[@]}" --collectives nccl
    run mpi_2 mpirun -n 2 "${command[@]}" --share-gpus --collectives mpi
    # NCCL takes ranks of one host and GPU for a mistake; here they are of two hosts, which speak by sockets.
    export NCCL_NET=Socket NCCL_SOCKET_IFNAME=lo NCCL_IB_DISABLE=1 NCCL_P2P_DISABLE=1 NCCL_SHM_DISABLE=1
    export NCCL_NVLS_ENABLE=0 NCCL_CUMEM_ENABLE=0 NCCL_MAX_CTAS=2 NCCL_RAS_ENABLE=0
    run nccl_2 mpirun -n 1 -x NCCL_HOSTID=one "${command[@]}" --share-gpus --collectives nccl --rank-timeout 60 : \
      -n 1 -x NCCL_HOSTID=two "${command[@]}" --share-gpus --collectives nccl --rank-timeout 60
    step ranks_reduction_nccl 120 mpirun -n 1 -x NCCL_HOSTID=one "$scoremle" bench reduction --config quickstart --device cuda --share-gpus --collectives nccl : \
      -n 1 -x NCCL_HOSTID=two "$scoremle" bench reduction --config quickstart --device cuda --share-gpus --collectives nccl
  else
    run mpi_2 mpirun -n 2 "${command[@]}" --collectives mpi
    step ranks_reduction_mpi 120 mpirun -n 2 "$scoremle" bench reduction --config quickstart --runs 1
  fi
  for log in "$out"/ranks_reduction_*.log; do say "$(grep hidden "$log" | sed 's/^/  /')"; done
  for name in "$out"/ranks/*; do
    alone=$(diff -q <(losses "$out/ranks/alone") <(losses "$name") >/dev/null && echo the same || echo OTHER)
    say "  losses of $(basename "$name"): $(losses "$name" | wc -l), $alone as alone"
    [ "$alone" = "the same" ] || failures=$((failures + 1))
  done
}

records() {
  if [ "$device" = cpu ]; then
    step records_bench_cpu 200 "$scoremle" bench step --config bench_cpu --device cpu --runs 1
  else
    local activations
    for activations in BFLOAT16 FLOAT32; do
      step "records_ddpmpp_$activations" 200 "$scoremle" bench step --config cifar10_ddpmpp_vp_likelihood --device cuda \
        --set "training { micro_batches: 1 micro_batch_images: 128 activations: $activations }"
    done
    local ddpmpp=(--config cifar10_ddpmpp_vp_likelihood --device cuda
      --set 'training { micro_batches: 1 micro_batch_images: 128 activations: BFLOAT16 }')
    step tune_ddpmpp 200 "$scoremle" bench tune "${ddpmpp[@]}" --write "$out/tiles.txt" &&
      step records_ddpmpp_tuned 200 "$scoremle" bench step "${ddpmpp[@]}" --tiles "$out/tiles.txt"
    step records_adm64_BFLOAT16 200 "$scoremle" bench step --config adm64 --device cuda \
      --set 'training { micro_batches: 1 micro_batch_images: 64 activations: BFLOAT16 }'
  fi
  step kernels_ddpmpp 120 "$scoremle" bench kernels --config cifar10_ddpmpp_vp_likelihood --device "$device" \
    --set 'training { micro_batches: 1 micro_batch_images: 128 activations: BFLOAT16 }'
  for log in "$out"/records_*.log "$out"/kernels_ddpmpp.log; do say "  $(basename "$log" .log): $(tail -1 "$log")"; done
}

# Ours before, between and after PyTorch's variants.
peer() { # NET CONFIG IMAGES
  local net=$1 config=$2 images=$3 turn=0 variant
  [ -n "$bench" ] || { say "no --bench FOLDER was given: not run"; return; }
  if [ "$device" = cpu ]; then
    step "torch_${net}_syntax" 60 python3 -m py_compile "$bench/bench_torch.py"
    return
  fi
  for variant in none "${variants[@]}"; do
    if [ $variant != none ]; then
      step "torch_${net}_$variant" 200 env LD_LIBRARY_PATH="$their_libraries" python3 "$bench/bench_torch.py" --net "$net" --batch "$images" --variant $variant \
        --json "$out/torch_${net}_$variant.json"
      say "  $(tail -1 "$out/torch_${net}_$variant.log" | cut -c1-200)"
    fi
    step "ours_${net}_$((++turn))" 60 "$scoremle" bench step --config "$config" --device cuda \
      --set "training { micro_batches: 1 micro_batch_images: $images activations: BFLOAT16 }"
    say "  $(tail -1 "$out/ours_${net}_$turn.log")"
  done
}
peer_ddpmpp() { peer ddpmpp cifar10_ddpmpp_vp_likelihood 128; }
peer_adm64() { peer adm64 adm64 64; }

for stage in "${stages[@]}"; do say "== $stage"; $stage; done
say "$failures failed; everything is in $out"
[ $failures = 0 ]
