#!/usr/bin/env python3
"""Does learning to forecast cost the ranking anything?

Imports each set of files, trains with `--holdout time` twice, with the forecast head and with `--forecast-weight 0`, and evaluates both
on the same questions, paired by user. What the forecasts themselves are worth, `perennial lifecycle forecast --fit` says.
./dev bench heads shop/items.jsonl,shop/events.jsonl ratings.csv [--train "--max-epochs 8 --threads 1"]
"""
import argparse
import json
import pathlib
import shlex
import subprocess
import tempfile

PERENNIAL = pathlib.Path(__file__).resolve().parent.parent / "build/release/src/perennial"


def run(*arguments):
    return subprocess.run([PERENNIAL, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def train(data, *flags):
    return json.loads(run("train", "--data", data, "--holdout", "time", "--json", *flags))["model"]


def measure(files, flags):
    with tempfile.TemporaryDirectory() as data:
        run("import", "--data", data, *files)
        with_head = train(data, *flags)
        without = train(data, "--forecast-weight", "0", *flags)
        report = json.loads(run("evaluate", "--data", data, "--model", without, "--model", with_head, "--json", "--no-baselines"))
    ndcg = {row["model"]: row["ndcg@10"] for row in report["rows"]}
    gain = report["comparisons"][0]
    print(f"| {pathlib.Path(files[-1]).name} | {report['users']:,} | {ndcg[with_head]:.4f} | {ndcg[without]:.4f} | {gain['ndcg@10']:+.4f} "
          f"[{gain['interval'][0]:+.4f}, {gain['interval'][1]:+.4f}] |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=lambda text: text.split(","), metavar="FILE[,FILE]...",
                        help="each a set of files for `perennial import`, in any layout that it reads")
    parser.add_argument("--train", type=shlex.split, default=[], metavar="FLAGS", help="for both trainings")
    options = parser.parse_args()
    print("| events | users | NDCG@10 with the head | without | gain, paired by user |\n|---|---|---|---|---|")
    for files in options.files:
        measure(files, options.train)


if __name__ == "__main__":
    main()
