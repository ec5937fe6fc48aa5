"""How fast, and in how much memory, are the stages of 1.5 million users known from 10 million events?

./dev bench stage_report [--events N] [--users N] [--folder KEEP]: writes a log through `perennial import`, checks the report's total
against the number of users, then times the report as of now and as of a past date, each in a process of its own.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "build/release/src/perennial"
TYPES = ["Product Viewed"] * 80 + ["Product Added"] * 12 + ["Order Completed"] * 8
START, DAYS = 1_700_000_000, 365


def write_events(path, users, events, start=START):
    """A few heavy users, many light ones: the share of a user falls with the square root of its rank."""
    draw = random.Random(7)
    with open(path, "w", encoding="ascii", buffering=1 << 20) as out:
        out.write("user_id,item_id,event,timestamp,value,currency\n")
        for i in range(events):
            user = i if i < users else int(users * draw.random() ** 2)
            kind = TYPES[int(100 * draw.random())]
            value = f"{5 + 200 * draw.random():.2f},USD" if kind == "Order Completed" else ","
            seconds = start + DAYS * 86400 * i // events
            out.write(f"user-{user},item-{int(150_000 * draw.random() ** 3)},{kind},{seconds},{value}\n")


def run(*arguments):
    """The output, wall seconds, and the peak of resident memory in MiB."""
    started = time.monotonic()
    process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(arguments)} failed with status {status}")
    return output, time.monotonic() - started, usage.ru_maxrss / 1024


def report(data, at):
    output, seconds, mebibytes = run("lifecycle", "report", "--data", str(data), "--at", at, "--json")
    told = json.loads(output)
    shares = ", ".join(f"{row['stage']} {row['users']}" for row in told["stages"])
    print(f"report as of {at}: {seconds:.1f} s, {mebibytes:.0f} MiB at most; {told['users']:,} users: {shares}")
    return told["users"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--users", type=int, default=1_500_000)
    parser.add_argument("--folder", type=pathlib.Path, help="keep the log here, or use the one that is here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = (args.folder or pathlib.Path(scratch)) / "log"
        if not (data / "log.db").exists():
            events = pathlib.Path(scratch) / "events.csv"
            write_events(events, args.users, args.events)
            _, seconds, _ = run("import", "--data", str(data), str(events))
            events.unlink()
            print(f"import: {args.events / seconds:,.0f} events/s")
        end = time.strftime("%Y-%m-%d", time.gmtime(START + (DAYS + 1) * 86400))
        middle = time.strftime("%Y-%m-%d", time.gmtime(START + DAYS * 43200))
        if report(data, end) != args.users:
            sys.exit(f"the report does not count {args.users} users: the fold is wrong")
        report(data, middle)


if __name__ == "__main__":
    main()
