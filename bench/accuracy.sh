#!/usr/bin/env bash
# How accurate is the default model on a file of events, beside the baselines?
# ./dev bench accuracy FILE [TRAIN FLAGS]: imports the file, trains with the defaults and leave-one-out, and measures on each user's last
# event, beside the baselines. FILE is any layout that `perennial import` reads; the project ships none.
set -euo pipefail

file=${1:?'say which file: ./dev bench accuracy events.csv'}
shift
program=$(dirname "$0")/../build/release/src/perennial
[[ -x $program ]] || { echo "build first: ./dev build" >&2; exit 1; }
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT

"$program" import --data "$data" "$file"
SECONDS=0
"$program" train --data "$data" --holdout leave-one-out "$@"
echo "training took ${SECONDS} s"
"$program" evaluate --data "$data" --protocol leave-one-out
"$program" evaluate --data "$data" --protocol leave-one-out --json
