#!/usr/bin/env python3
"""How many events a second are on the disk, and how soon does the next answer know one?

Serves an empty data directory on the disk, posts to it over loopback (one event a request from 64 clients; batches of 1,000 from 4;
5,000 events/s one by one, each 20th looked for in the next answer), and imports a CSV of 3 million events of 100,000 users. Checks that
the log holds as many records as were acknowledged. The server's threads and the clients share two cores.
./dev bench ingest [--folder DIR] [--seconds 10] [--rows 3000000] [--rounds 3]
"""
import argparse
import pathlib
import random
import re
import subprocess
import tempfile
import time
import urllib.request

from server_process import PERENNIAL, ROOT, ServerProcess
from stage_report import TYPES

LOAD = ROOT / "build/release/bench/ingest_load"


class Server(ServerProcess):
    def records(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as reply:
            return int(float(re.search(r"^perennial_log_offset ([\d.e+]+)$", reply.read().decode(), re.MULTILINE)[1]))

    def load(self, *arguments):
        """Events, events/s, and p50, p99 and the most of the milliseconds."""
        before = self.records()
        told = subprocess.run([LOAD, str(self.port), *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        if self.records() - before != int(told[0]):
            raise SystemExit(f"{told[0]} events acknowledged, {self.records() - before} in the log")
        return int(told[0]), *map(float, told[1:])


def write_csv(path, rows):
    draw = random.Random(7)
    with open(path, "w", encoding="ascii", buffering=1 << 20) as out:
        out.write("user_id,item_id,event,timestamp,value,currency\n")
        for row in range(rows):
            kind = TYPES[int(100 * draw.random())]
            value = f"{5 + 200 * draw.random():.2f},USD" if kind == "Order Completed" else ","
            out.write(f"user-{int(100_000 * draw.random() ** 2)},item-{int(30_000 * draw.random() ** 3)},{kind},{1_700_000_000 + 10 * row},{value}\n")


def timed_import(data, csv, rows):
    started = time.monotonic()
    told = subprocess.run([PERENNIAL, "import", "--data", data, csv], check=True, capture_output=True, text=True)
    seconds = time.monotonic() - started
    if f"{rows:,} records kept" not in told.stdout + told.stderr:
        raise SystemExit(told.stdout + told.stderr)
    return rows / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="on the disk to be measured; otherwise the system's temporary folder")
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement")
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        folder = pathlib.Path(folder)
        write_csv(folder / "events.csv", options.rows)
        print("| what | events/s | p50 ms | p99 ms | most ms |\n|---|---|---|---|---|")
        for turn in range(options.rounds):
            server = Server(folder / f"data{turn}", "--port", "0")
            try:
                for name, arguments in (("64 clients, one event a request", (64, options.seconds, 1)),
                                        ("4 clients, batches of 1,000", (4, options.seconds, 1000)),
                                        ("5,000 events/s, due to visible", (64, options.seconds, 1, 5000))):
                    _, rate, median, late, most = server.load(*arguments)
                    print(f"| {name} | {rate:,.0f} | {median:.2f} | {late:.2f} | {most:.1f} |", flush=True)
            finally:
                server.stop()
            print(f"| import of a CSV | {timed_import(folder / f'import{turn}', folder / 'events.csv', options.rows):,.0f} | | | |", flush=True)


if __name__ == "__main__":
    main()
