#!/usr/bin/env python3
"""What does each minute of training buy?

Imports the file once, trains a fresh model within each budget, and at last with the defaults; the last two events of each user are held
out, and quality is what `train` says of the first of them, so that the test is looked at by nobody.
./dev bench time_to_quality events.csv [--budgets 1m 2m 5m] [--train "--threads 1"]
"""
import argparse
import json
import pathlib
import shlex
import subprocess
import tempfile

PERENNIAL = pathlib.Path(__file__).resolve().parent.parent / "build/release/src/perennial"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="in any layout that `perennial import` reads")
    parser.add_argument("--budgets", nargs="+", default=["1m", "2m", "5m"])
    parser.add_argument("--train", type=shlex.split, default=[], metavar="FLAGS", help="for every training")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        subprocess.run([PERENNIAL, "import", "--data", data, options.file], check=True, stdout=subprocess.DEVNULL)
        print("| budget | seconds | members | epochs | the best | NDCG@10 of validation |\n|---|---|---|---|---|---|")
        for budget in [*options.budgets, None]:
            flags = ["--budget", budget] if budget else []
            told = subprocess.run([PERENNIAL, "train", "--data", data, "--holdout", "leave-one-out", "--json", *flags, *options.train],
                                  check=True, stdout=subprocess.PIPE, text=True).stdout
            report = json.loads(told)
            print(f"| {budget or 'none'} | {report['seconds']:.0f} | {report['members']} | {report['epochs']} | {report['best_epoch']} | "
                  f"{report['validation_ndcg@10']:.4f} |", flush=True)


if __name__ == "__main__":
    main()
