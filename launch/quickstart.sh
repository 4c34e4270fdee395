#!/usr/bin/env bash
# Installs, builds, trains a small model on two ranks (interrupted and resumed on the way), and compares its likelihood
# with the known entropy of the images. Results are left in runs/quickstart.
set -euo pipefail
cd "$(dirname "$0")/.."

launch/build.sh scoremle
source launch/mpi_environment.sh
run=runs/quickstart
if [ -e "$run" ]; then
  echo "$run is there already, from an earlier quick start: remove it (rm -r $run) and start again" >&2
  exit 2
fi
ranks=(mpirun -n 2 build/scoremle)

echo; echo "== training on 2 ranks; after 200 steps the run is asked to stop (SIGUSR1)"
"${ranks[@]}" train --config quickstart &
job=$!
until [ -e "$run"/ckpt/step_0000000200-g00001 ] || ! kill -0 $job 2>/dev/null; do sleep 0.2; done
kill -USR1 $job 2>/dev/null || true
status=0; wait $job || status=$?
[ $status -eq 75 ] || { echo "expected exit status 75 (stopped on request), got $status" >&2; exit 1; }

echo; echo "== resuming"
"${ranks[@]}" train --config quickstart --resume

echo; echo "== likelihood on held-out images"
"${ranks[@]}" evaluate --run $run --ode-images 48

echo; echo "== samples"
"${ranks[@]}" sample --run $run
echo; echo "Look at $run/samples.png, $run/loss.png and $run/heldout.png; the figures of every image are in $run/likelihood.tsv"
