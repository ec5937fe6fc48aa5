#!/usr/bin/env python3
"""Does a server lead a million users through a journey within its memory, and answer as fast as when it is quiet?

Makes a log of a year until now (or takes the one in --folder), trains one epoch on it, and serves it with --memory: first a while of lists
and events alone; then started anew, and after a minute everybody comes onto a journey, whose first step goes to a file. Checks that each user
who may have it got it, once. Tells how long it took from the moment on from which they might have it, the p99 that the server itself
measured, quiet and since that moment, the most memory, and how long the next start takes with all that in the log.
./dev bench journey [--users 1000000] [--events 6700000] [--memory 1G] [--lists 200] [--rate 500] [--quiet 60] [--folder KEEP]
"""
import argparse
import collections
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from memory import Server, make_data, mebibytes
from serve import users_of
from server_process import ROOT
from soak import Reader, durations, metrics, quantile
from stage_report import DAYS

LOAD = ROOT / "build/release/bench/ingest_load"
HOLDOUT, EXPLORE = 0.05, 0.05
OTHERS = 20_000  # users of ingest_load
RULES = """
[actions.letter]
channel = "email"
goal = "value"
worth = 10
cost = 0.01
expected_effect = 0.05
from = "{begins}"

[actions.note]
channel = "email"
goal = "value"
worth = 10
cost = 0.01
expected_effect = 0.05

[journeys.welcome]
trigger = "signal active"
steps = "letter, wait 7d, note"
patience = "800d"

[arbiter]
holdout_share = {holdout}
explore_share = {explore}
export_file = "{file}"
plan_minutes = 1

[arbiter.caps]
email = "1 per 1d"
"""
LONGEST = 3600  # seconds that a journey may take


class Phase:
    """Lists and events at their rates, until end()."""

    def __init__(self, server, users, options):
        self.server = server
        self.reader = Reader(server.port, users, options.lists)
        self.reader.start()
        self.events = subprocess.Popen([LOAD, str(server.port), "8", str(LONGEST), "1", str(options.rate)], stdout=subprocess.DEVNULL)
        time.sleep(10)  # until each has been asked for

    def measure(self):
        self.before = durations(self.server.port)

    def end(self):
        """The p99 of the lists since measure(), in seconds."""
        p99 = quantile(self.before, durations(self.server.port), 0.99)
        self.events.terminate()
        self.events.wait()
        self.reader.done.set()
        self.reader.join()
        if self.reader.errors:
            raise SystemExit(f"{len(self.reader.errors)} errors: {self.reader.errors[:3]}")
        return p99


def value_of(text, name):
    return sum(float(value) for value in re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? ([\d.e+]+)$", text, re.MULTILINE))


def follow(server):
    """Waits until all that was decided is handed over: for how many nothing was drawn, and the seconds."""
    began = time.monotonic()
    while time.monotonic() - began < LONGEST:
        time.sleep(0.5)
        told = [line for line in server.said if " planned for " in line and not re.search(r": [\d,]{1,5} decisions", line)]
        if told:
            text = metrics(server.port)
            nothing = value_of(text, 'perennial_actions_decided_total{action="nothing"}')
            if value_of(text, "perennial_actions_waiting") == 0:
                print(told[0].strip())
                return nothing, time.monotonic() - began
    raise SystemExit(f"not over after {LONGEST} s:\n" + "".join(server.said[-5:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=6_700_000)
    parser.add_argument("--memory", default="1G")
    parser.add_argument("--lists", type=int, default=200, help="a second")
    parser.add_argument("--rate", type=int, default=500, help="events a second")
    parser.add_argument("--quiet", type=int, default=60, help="seconds of lists and events alone")
    parser.add_argument("--folder", type=pathlib.Path, help="keep the data here, or use those that are here")
    options = parser.parse_args()
    options.ask, options.start = 1, int(time.time()) - (DAYS + 1) * 86400
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        data = scratch / "log"
        if options.folder:
            make_data(options.folder / "log", scratch, options)
            shutil.copytree(options.folder / "log", data)
        else:
            make_data(data, scratch, options)
        users = users_of(data, 1000)

        server = Server(data, options.memory)
        phase = Phase(server, users, options)
        phase.measure()
        time.sleep(options.quiet)
        quiet = phase.end()
        server.stop()

        sent = scratch / "sent.jsonl"
        config = scratch / "journey.toml"
        begins = time.time() + 60  # the first plan is made by then, for nobody
        config.write_text(RULES.format(holdout=HOLDOUT, explore=EXPLORE, file=sent, begins=time.strftime("%FT%TZ", time.gmtime(begins))),
                          encoding="utf-8")
        server = Server(data, options.memory, "--config", config)
        phase = Phase(server, users, options)
        time.sleep(begins - time.time())
        phase.measure()
        nothing, seconds = follow(server)
        busy = phase.end()
        most = server.stop()
        complaints = server.complaints()

        got = (json.loads(line)["user_id"] for line in sent.open(encoding="utf-8"))
        given = collections.Counter(user for user in got if user.startswith("user-"))  # not those whom the events bring
        twice = sum(count > 1 for count in given.values())
        expected = options.users * (1 - HOLDOUT)
        print(f"{len(given):,} of {options.users:,} users have the letter ({expected:,.0f} are not held out on average; nothing was "
              f"drawn for {nothing:,.0f}, of the {OTHERS:,} whom the events bring too), {twice} of them twice, after {seconds:.0f} s; complaints of the server: {complaints[:3]}")
        print(f"p99 of lists in the server: quiet {1e3 * quiet:.2f} ms, meanwhile {1e3 * busy:.2f} ms, {busy / quiet:.1f} times; "
              f"{most:.0f} MiB at most")
        server = Server(data, options.memory, "--config", config)
        print(f"the next start: serving after {server.started:.1f} s, {server.most_mebibytes():.0f} MiB at most")
        server.stop()
        deviation = (options.users * HOLDOUT * (1 - HOLDOUT)) ** 0.5
        if twice or abs(expected - len(given) - nothing) > 5 * deviation + EXPLORE * OTHERS:
            raise SystemExit("that is not each user once")
        if most > mebibytes(options.memory):
            raise SystemExit(f"that is more than {options.memory}")
        if busy > 3 * quiet:
            raise SystemExit("that is more than 3 times")


if __name__ == "__main__":
    main()
