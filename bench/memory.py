#!/usr/bin/env python3
"""Does a server hold 1.5 million users with 10 million events in 1 GiB, answer each of them, and start within seconds?

Makes such a log (or takes the one in --folder), trains one epoch on it, and serves it with --memory: from the log alone, asked for a list
for every user while events come in, then from the snapshot that it left. Checks that the snapshot is, to the byte, what a replay of the
whole log gives.
./dev bench memory [--users 1500000] [--events 10000000] [--memory 1G] [--folder KEEP] [--ask N]
"""
import argparse
import atexit
import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from server_process import ROOT, ServerProcess
from stage_report import PROGRAM, START, write_events

ASK = ROOT / "build/release/bench/ask_everybody"
LOAD = ROOT / "build/release/bench/ingest_load"


class Server(ServerProcess):
    def __init__(self, data, memory, *arguments):
        started = time.monotonic()
        super().__init__(data, "--port", "0", "--memory", memory, *arguments)
        atexit.register(self.process.kill)  # when the bench fails
        self.started = time.monotonic() - started

    def most_mebibytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024

    def stop(self):
        """The most memory that it ever had, its last snapshot included."""
        most = [self.most_mebibytes()]
        self.process.terminate()
        while self.process.poll() is None:
            try:
                most.append(self.most_mebibytes())
            except (OSError, TypeError):
                pass  # it ended just now
            time.sleep(0.05)
        return max(most)


def mebibytes(text):
    return float(text[:-1]) * {"M": 1, "G": 1024}[text[-1]]


def digests(data):
    return [hashlib.sha256((data / name).read_bytes()).hexdigest() for name in ("state.snapshot", "lives.snapshot")]


def make_data(data, scratch, options):
    if not (data / "log.db").exists():
        write_events(scratch / "events.csv", options.users, options.events, options.start)
        subprocess.run([PROGRAM, "import", "--data", data, scratch / "events.csv"], check=True)
        (scratch / "events.csv").unlink()
    if options.ask != 0 and not (data / "models" / "current").exists():
        subprocess.run([PROGRAM, "train", "--data", data, "--holdout", "none", "--max-epochs", "1", "--members", "1"], check=True)


def ask_everybody(server, options):
    asked = options.ask or options.users
    names = "".join(f"user-{user}\n" for user in range(0, options.users, options.users // asked))
    asking = subprocess.Popen([ASK, str(server.port), "8"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    posting = subprocess.Popen([LOAD, str(server.port), "8", "20", "1", "500"], stdout=subprocess.PIPE, text=True)
    told = asking.communicate(names)[0].split()
    events = posting.communicate()[0].split()
    if asking.returncode != 0 or posting.returncode != 0:
        sys.exit("a client failed")
    print(f"{int(told[0]):,} users asked, each answered by the model: {float(told[1]):,.0f} lists/s, p50 {told[2]}, p99 {told[3]} ms; "
          f"in the first 20 s {int(events[0]):,} events posted, p99 {events[3]} ms until visible", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_500_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--memory", default="1G")
    parser.add_argument("--ask", type=int, help="so many users only; 0: no model is trained and nobody asked")
    parser.add_argument("--folder", type=pathlib.Path, help="keep the data here, or use those that are here")
    options = parser.parse_args()
    options.start = START
    with tempfile.TemporaryDirectory() as scratch:
        data = (options.folder or pathlib.Path(scratch)) / "log"
        make_data(data, pathlib.Path(scratch), options)
        for name in ("state.snapshot", "lives.snapshot"):
            (data / name).unlink(missing_ok=True)
        server = Server(data, options.memory)
        print(f"from the log alone: serving after {server.started:.1f} s, {server.most_mebibytes():.0f} MiB at most", flush=True)
        if options.ask != 0:
            ask_everybody(server, options)
        most = server.stop()
        print(f"stopped: {most:.0f} MiB at most", flush=True)
        if most > mebibytes(options.memory):
            sys.exit(f"that is more than {options.memory}")
        left = digests(data)
        server = Server(data, options.memory)
        print(f"from its snapshot: serving after {server.started:.1f} s, {server.most_mebibytes():.0f} MiB at most", flush=True)
        server.stop()
        for name in ("state.snapshot", "lives.snapshot"):
            (data / name).unlink()
        Server(data, options.memory).stop()
        if digests(data) != left:
            sys.exit("the snapshot is not what a replay of the log gives")
        print("a replay of the whole log gives the same snapshot, to the byte")


if __name__ == "__main__":
    main()
