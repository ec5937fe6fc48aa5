#!/usr/bin/env python3
"""What do an epoch's time and the memory of training grow with: users, or items? And was the memory foreseen?

Makes events (bench/peers/make_events.py), imports them, and trains one epoch of each size in a process of its own.
Making them needs numpy: PYTHON says whose, as for the peers.
Above 20,000 items the softmax is over 4,096 of them.
./dev bench training_data [--sizes 10000x20000 1000000x20000] [--events-a-user 7] [--holdout none]
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHAPE = ("--width", "64", "--members", "1", "--batch-tokens", "8192")  # the same for all sizes
PYTHON = os.environ.get("PYTHON", sys.executable)
PERENNIAL = ROOT / "build/release/src/perennial"


def train_one_epoch(data, holdout):
    """What `train` says, and the MiB that it held at most."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    child = subprocess.Popen([PERENNIAL, "train", "--data", data, "--holdout", holdout, "--max-epochs", "1", *SHAPE],
                             env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    told = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit(f"train failed:\n{told}")
    return told, usage.ru_maxrss // 1024


def measure(users, items, events_a_user, holdout):
    with tempfile.TemporaryDirectory() as folder:
        csv, data = f"{folder}/events.csv", f"{folder}/data"
        subprocess.run([PYTHON, ROOT / "bench/peers/make_events.py", csv, "--users", str(users), "--items", str(items),
                        "--events", str(users * events_a_user)], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([PERENNIAL, "import", "--data", data, csv], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.remove(csv)
        told, most = train_one_epoch(data, holdout)
    foreseen = re.search(r"about ([\d,]+) MiB", told)[1]
    speed = re.findall(r"([\d,]+) tokens/s", told)[-1]
    seconds = users * events_a_user / int(speed.replace(",", ""))
    print(f"| {users:,} | {items:,} | {users * events_a_user:,} | {speed} | {seconds:,.0f} s | {foreseen} | {most:,} |", flush=True)


def size(text):
    users, items = text.split("x")
    return int(users), int(items)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=size, nargs="+", metavar="USERSxITEMS",
                        default=[(10_000, 20_000), (100_000, 20_000), (1_000_000, 20_000), (100_000, 3_000), (100_000, 150_000)])
    parser.add_argument("--events-a-user", type=int, default=7)
    parser.add_argument("--holdout", default="leave-one-out", help="none: the forecast head learns too")
    options = parser.parse_args()
    print("| users | items | events | tokens/s | an epoch | MiB foreseen | MiB at most |\n|---|---|---|---|---|---|---|")
    for users, items in options.sizes:
        measure(users, items, options.events_a_user, options.holdout)


if __name__ == "__main__":
    main()
