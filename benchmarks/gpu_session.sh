#!/usr/bin/env bash
# What a few minutes of one GPU are for, as two steps that can be stopped and started again:
#
#   benchmarks/gpu_session.sh tests OUT              the tests that only a GPU can run
#   benchmarks/gpu_session.sh study OUT [SECONDS]    benchmarks/convergence.yaml, as far as SECONDS (480) go
#
# The study's folder is out/convergence; without predictions and models it is kept as OUT/convergence.tar.gz while
# it grows.  Unpacked on another machine, `prestige report` makes its page.  DATASET, ENCODERS and SEEDS are those
# of the yaml, JOBS (4) is how many trainings share the GPU.
set -u
cd "$(dirname "$0")/.."
step=$1 out=$2 limit=${3:-480} bench=out/convergence
mkdir -p "$out"
export PYTHONPATH="$PWD/src" OMP_NUM_THREADS=${OMP_NUM_THREADS:-4}

keep() {
    [ -e "$bench/bench.json" ] || return 0
    tar czf "$out/.convergence.tar.gz" --exclude predictions --exclude model --exclude checkpoints "$bench" 2>/dev/null
    mv "$out/.convergence.tar.gz" "$out/convergence.tar.gz"
}

case $step in
tests)
    python3 -m pytest -q -p no:cacheprovider -o filterwarnings=default \
        tests/training tests/data/patches tests/prediction tests/compute 2>&1 |
        tee "$out/gpu-tests.log" | tail -n 25
    ;;
study)
    timeout --signal INT --kill-after 30 "$limit" \
        python3 -m prestige bench benchmarks/convergence.yaml --out "$bench" --device cuda --jobs "${JOBS:-4}" \
        > "$out/study.log" 2>&1 &
    work=$!
    while sleep 30; do
        kill -0 "$work" 2>/dev/null || break
        keep
    done
    wait "$work"
    keep
    tail -n 5 "$out/study.log"
    ;;
*)
    echo "gpu_session.sh: '$step' is no step; expected tests or study" >&2
    exit 2
    ;;
esac
