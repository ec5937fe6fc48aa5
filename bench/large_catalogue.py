#!/usr/bin/env python3
"""Out of a million items: how long does a list take for one who asks alone, and how many more a second do sixteen get?

Makes a shop (or takes the one in --folder), trains one epoch on it, serves it with the defaults, and asks for lists that were not
kept, over loopback: by one connection and by --connections in turns. Checks first that each user's list is the one that `perennial
recommend` gives; that it is float32's is what exact_lists checks. Wants wrk and two cores.
./dev bench large_catalogue [--items 1000000] [--users 100000] [--folder KEEP] [--one-core] [--connections 16] [--seconds 5] [--rounds 4] [--ask 300]
"""
import argparse
import pathlib
import random
import sqlite3
import subprocess
import tempfile

from serve import asking_by_turns, check, load, need_wrk, users_of
from server_process import PERENNIAL, ServerProcess

START, DAYS = 1_700_000_000, 365
TASTES = 1000


def write_events(path, users, items):
    """Each item once, then as many events again, each of an item of the user's taste."""
    draw = random.Random(7)
    with open(path, "w", encoding="ascii", buffering=1 << 20) as out:
        out.write("user_id,item_id,event,timestamp\n")
        for i in range(2 * items):
            user = i % users
            item = i if i < items else draw.randrange(items // TASTES) * TASTES + user % TASTES
            out.write(f"user-{user},item-{item},Product Viewed,{START + DAYS * 86400 * i // (2 * items)}\n")


def make_data(data, scratch, options):
    if (data / "models" / "current").exists():
        return
    write_events(scratch / "events.csv", options.users, options.items)
    subprocess.run([PERENNIAL, "import", "--data", data, scratch / "events.csv"], check=True)
    subprocess.run([PERENNIAL, "train", "--data", data, "--holdout", "none", "--max-epochs", "1", "--members", "1", "--width", "64"], check=True)


def item_count(data):
    with sqlite3.connect(f"file:{data}/log.db?mode=ro", uri=True) as log:
        return log.execute("SELECT count(*) FROM items").fetchone()[0]


def on_core(core, options):
    return ("taskset", "-c", str(core)) if options.one_core else ()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--folder", type=pathlib.Path, help="keep the shop and its model here, or use those that are here")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--one-core", action="store_true", help="the server on one core, wrk on the other; else both on both")
    parser.add_argument("--ask", type=int, default=300, help="so many users, by turns")
    options = parser.parse_args()
    if options.items < TASTES:
        parser.error(f"--items: {TASTES} at least")
    need_wrk()
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        data = options.folder or scratch / "data"
        make_data(data, scratch, options)
        users = users_of(data, options.ask)
        script = scratch / "ask.lua"
        script.write_text(asking_by_turns(users, anew=True))
        server = ServerProcess(data, "--port", "0", before=on_core(0, options))
        try:
            check(server.port, data, users)
            print(f"{item_count(data):,} items, {len(users)} users\n")
            print("| one connection: lists/s | p50 ms | p99 ms | "
                  f"{options.connections} connections: lists/s | p50 ms | p99 ms | times |\n|---|---|---|---|---|---|---|")
            for _ in range(options.rounds):
                alone, together = (load(server.port, script, count, options.seconds, on_core(1, options))
                                   for count in (1, options.connections))
                print(f"| {alone[0]:,.0f} | {alone[1]:.2f} | {alone[2]:.2f} | {together[0]:,.0f} | {together[1]:.2f} | {together[2]:.2f} | "
                      f"{together[0] / alone[0]:.2f} |", flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
