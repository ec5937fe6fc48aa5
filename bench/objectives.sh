#!/usr/bin/env bash
# What do stage-aware lists gain of their stated objective, and what do they cost in NDCG@10? The program: judge_objectives.cc.
# ./dev bench objectives [SEED [EFFECTS [sweep]]]: trains on six months of a simulated shop of 5,000 visitors, then
# judges the seventh of one with the same items and 20,000. EFFECTS, 0 to 1: how much items differ in bringing visitors
# back and in being told of; the demo's shop has 0. With sweep: each aim alone, at four weights, instead of the defaults.
set -euo pipefail

seed=${1:-42}
effects=${2:-0.5}
release=$(dirname "$0")/../build/release
program=$release/src/perennial
judge=$release/bench/judge_objectives
ninja -C "$release" perennial judge_objectives >&2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

shop() { # NAME USERS
  "$judge" make "$folder/$1/shop" "$2" "$seed" "$effects"
  "$program" import --data "$folder/$1/data" "$folder/$1/shop/items.jsonl" "$folder/$1"/shop/events-2025-0[1-6].jsonl >&2
}

shop small 5000
"$program" train --data "$folder/small/data" --patience 3 --max-epochs 12 >&2
shop large 20000
cp -r "$folder/small/data/models" "$folder/large/data/" # the items are the first of both logs, in the same order
"$judge" judge "$folder/large/data" 20000 "$seed" "$effects" ${3:+"$3"}
