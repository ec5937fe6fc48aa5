#!/usr/bin/env bash
# Which configuration of the PyTorch peer trains fastest on this machine?
# bench/peers/best_configuration.sh SEQUENCES [SECONDS]: trains the peer for SECONDS (15) in each configuration and prints a
# table, fastest first. PYTHON names the virtual environment's python3 (bench/peers/README.md); PEER_FLAGS are given to every
# run, such as "--sampled 4096"; ROUNDS (1) repeats the search, so that what else the machine did shows. Each run's
# JSON line is kept in the file that OUTPUT names.
# It searches one thing after another, each with the best of those before: memory, layout, loss, precision, batch, compiler.
# "cores" in the table is the processor time that a run had. A run marked * had less than nine tenths of its threads: others
# took the rest, and it says nothing.
set -euo pipefail

sequences=${1:?'say which file: best_configuration.sh sequences.txt.gz'}
seconds=${2:-15}
python=${PYTHON:-python3}
peer=$(dirname "$0")/sasrec.py
read -r -a flags <<< "${PEER_FLAGS:-}"
results=${OUTPUT:-$(mktemp)}
: > "$results"

"$python" -c 'import torch, numpy' || { echo "no PyTorch in $python: bench/peers/README.md says how to install it" >&2; exit 1; }

# OpenBLAS settings slow numpy down. Freed memory that is kept is not mapped and zeroed anew at each step.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
kept_memory=(MALLOC_MMAP_THRESHOLD_=2147483647 MALLOC_TRIM_THRESHOLD_=2147483647 MALLOC_TOP_PAD_=268435456)

# Trains with the given flags; `memory` says whether freed memory is kept.
measure() {
  local line environment=()
  [[ $memory == default ]] || environment=("${kept_memory[@]}")
  if line=$(env "${environment[@]}" "$python" "$peer" "$sequences" --seconds "$seconds" "${flags[@]}" "$@" \
      2> "$results.error"); then
    echo "$line" >> "$results"
  else
    echo "failed: $* ($(tail -n 1 "$results.error"))" >&2
  fi
  rm -f "$results.error"
}

# The value of a field in the fastest run so far, of those that were not disturbed.
fastest() {
  "$python" - "$results" "$1" <<'PYTHON'
import json, sys
runs = [json.loads(line) for line in open(sys.argv[1])]
runs = [run for run in runs if run["cores_had"] >= 0.9 * run["threads"]] or runs
print(max(runs, key=lambda run: run["tokens_per_second"])[sys.argv[2]])
PYTHON
}

# Tries each value of a flag, then keeps the fastest: vary FLAG FIELD VALUE...
vary() {
  local flag=$1 field=$2 value
  shift 2
  for value in "$@"; do measure "${chosen[@]}" "$flag" "$value"; done
  chosen+=("$flag" "$(fastest "$field")")
}

print_table() {
  "$python" - "$results" <<'PYTHON'
import json, sys
runs = sorted(map(json.loads, open(sys.argv[1])), key=lambda run: -run["tokens_per_second"])
if not runs:
    sys.exit("no configuration ran")
print(f"torch {runs[0]['torch']}, {runs[0]['cpu']}, {runs[0]['threads']} threads, {runs[0]['items']:,} items, softmax of "
      f"{runs[0]['loss'] if runs[0]['sampled'] else 'all items'}")
row = "{:>9} {:>11} {:>6}  {:9} {:>5}  {:9} {:13} {:8} {:8} {:>7}".format
print(row("tokens/s", "positions/s", "cores", "precision", "batch", "layout", "loss", "compiled", "memory", "loss at"))
for run in runs:
    disturbed = "*" if run["cores_had"] < 0.9 * run["threads"] else ""
    print(row(f"{run['tokens_per_second']:,}{disturbed}", f"{run['padded_positions_per_second']:,}", run["cores_had"],
              run["precision"], run["batch"], run["layout"], run["loss"], "yes" if run["compile"] else "no",
              "kept" if run["kept_freed_memory"] else "default", f"{run['loss_last_tenth']:.3f}"))
PYTHON
}

# The losses that this version has.
losses() {
  PYTHONPATH=$(dirname "$peer") "$python" -c 'import softmax_losses; print(*softmax_losses.LOSSES, sep="\n")'
}

search() {
  chosen=()
  memory=default
  measure --layout packed
  memory=kept
  vary --layout layout padded bucketed packed
  if [[ " ${flags[*]} " != *" --sampled "* ]]; then
    mapfile -t names < <(losses)
    vary --loss loss "${names[@]}"
  fi
  vary --precision precision float32 bfloat16
  vary --batch batch 16 32 128 256
  measure "${chosen[@]}" --compile
  if [[ " ${flags[*]} " != *" --sampled "* ]]; then measure "${chosen[@]}" --compile --loss full; fi
}

"$python" "$peer" "$sequences" --check --steps 1 --warm-up-steps 0 --threads 1 > /dev/null
for ((round = 0; round < ${ROUNDS:-1}; ++round)); do search; done
print_table
