#!/usr/bin/env python3
"""Ten minutes of everything at once: does a server answer all of it, as fast as when it is quiet, and without growing?

Simulates a shop, trains on it, and serves it. First a minute of lists alone; then lists and events (some looked for in the next answer),
two training runs, whose models are taken up, and a rule that comes and goes, each list checked; each minute it is decided who gets a
letter, which goes to a file, after the quiet minute. Tells errors, resident memory by minute,
and the p99 that the server itself measured, quiet and busy.
./dev bench soak [--minutes 10] [--lists 200] [--events 500] [--memory 1G]
"""
import argparse
import http.client
import json
import pathlib
import re
import subprocess
import tempfile
import threading
import time

from serve import users_of
from server_process import PERENNIAL, ROOT, ServerProcess

LOAD = ROOT / "build/release/bench/ingest_load"
RULES = """
[actions.letter]
channel = "email"
goal = "value"
worth = 10
expected_effect = 0.05
repeat = "1 per 1h"
from = "{begins}"

[arbiter]
export_file = "{file}"
plan_minutes = 1
"""


class Reader(threading.Thread):
    """Asks for lists at a rate, and checks each."""

    def __init__(self, port, users, per_second):
        super().__init__(daemon=True)
        self.port, self.users, self.step = port, users, 1 / per_second
        self.lists, self.errors, self.models, self.forbidden = 0, [], set(), frozenset()
        self.seen_after_rule = 0
        self.done = threading.Event()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        due = time.monotonic()
        while not self.done.is_set():
            due += self.step
            time.sleep(max(0, due - time.monotonic()))
            forbidden = self.forbidden
            try:
                connection.request("GET", f"/v1/recommend?user_id={self.users[self.lists % len(self.users)]}")
                reply = connection.getresponse()
                body = reply.read()
                if reply.status != 200:
                    self.errors.append(f"{reply.status} {body[:200]}")
                    continue
                told = json.loads(body)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.errors.append(repr(error))
                connection.close()
                continue
            self.lists += 1
            self.models.add(told["model"])
            if len(told["items"]) != 10 or told["fallback"] not in (None, "control_group"):
                self.errors.append(f"{len(told['items'])} items, fallback {told['fallback']}")
            self.seen_after_rule += sum(bool(forbidden & categories(item)) for item in told["items"])
            if self.lists % 3 == 0:
                self.click(connection, told)

    def click(self, connection, told):
        """The answer changes the next one."""
        event = {"userId": self.users[(self.lists - 1) % len(self.users)], "event": "Product Clicked",
                 "properties": {"product_id": told["items"][0]["item_id"], "recommendation_id": told["recommendation_id"]}}
        connection.request("POST", "/v1/track", json.dumps(event), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        reply.read()
        if reply.status != 200:
            self.errors.append(f"a click got {reply.status}")


def categories(item):
    named = item.get("category", [])
    return frozenset([named] if isinstance(named, str) else named)


def metrics(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    return connection.getresponse().read().decode()


def durations(port):
    """Lists by upper bound of the seconds that they took in the server."""
    return {float(bound): int(float(count)) for bound, count in
            re.findall(r'^perennial_recommend_duration_seconds_bucket\{le="([^"]+)"\} ([\d.e+]+)$', metrics(port), re.MULTILINE)}


def quantile(before, after, share):
    """The bucket's bound under which the share of the lists between lies, interpolated in the bucket."""
    counts = sorted((bound, count - before.get(bound, 0)) for bound, count in after.items())
    wanted, low, below = share * counts[-1][1], 0.0, 0
    for bound, count in counts:
        if count >= wanted:
            return low + (bound - low) * (wanted - below) / max(1, count - below) if bound != float("inf") else float("inf")
        low, below = bound, count
    return float("inf")


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii"))[1]) / 1024


def run(*arguments):
    subprocess.run([PERENNIAL, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--lists", type=int, default=200, help="a second")
    parser.add_argument("--events", type=int, default=500, help="a second")
    parser.add_argument("--memory", default="1G")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        data, shop = folder / "data", folder / "shop"
        run("simulate", "--users", 4000, "--items", 2000, "--months", 4, shop)
        run("import", "--data", data, shop / "items.jsonl", *sorted(shop.glob("events-*.jsonl")))
        train = ["train", "--data", str(data), "--holdout", "time", "--max-epochs", "3", "--members", "1"]
        run(*train)
        sent = folder / "sent.jsonl"
        begins = time.strftime("%FT%TZ", time.gmtime(time.time() + 75))  # after the quiet minute
        (data / "perennial.toml").write_text(RULES.format(file=sent, begins=begins), encoding="utf-8")
        users = users_of(data, 1000)
        server = ServerProcess(data, "--port", "0", "--memory", options.memory)
        port = server.port
        reader = Reader(port, users, options.lists)
        reader.start()
        time.sleep(10)  # until each has been asked for
        start = durations(port)
        time.sleep(60)
        quiet = durations(port)
        events = subprocess.Popen([LOAD, str(port), "8", str(60 * options.minutes), "1", str(options.events)], stdout=subprocess.PIPE, text=True)
        trainings, memory, rule = 0, [], data / "rules.json"
        training = None
        for minute in range(options.minutes):
            if trainings < 2 and (training is None or training.poll() is not None):
                training = subprocess.Popen([PERENNIAL, *train], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                trainings += 1
            if minute == options.minutes // 2:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", f"/v1/recommend?user_id={users[0]}")
                forbidden = categories(json.loads(connection.getresponse().read())["items"][0])
                rule.write_text(json.dumps({"rules": [{"name": "soak", "filter": {"not": {"category": sorted(forbidden)}}}]}), encoding="utf-8")
                time.sleep(5)
                reader.forbidden = forbidden
                time.sleep(55)
            else:
                time.sleep(60)
            memory.append(resident(server.process.pid))
        busy = durations(port)
        told = events.communicate(timeout=120)[0].split()
        reader.done.set()
        reader.join()
        if training.poll() is None:
            training.wait()
        server.stop()
        complaints = server.complaints()
        print(f"{reader.lists:,} lists, {int(told[0]):,} events, each 20th found in the next answer, p99 {told[3]} ms; {trainings} trainings, "
              f"{len(reader.models)} models served; errors: {len(reader.errors)} {reader.errors[:3]}; complaints of the server: {complaints[:3]}")
        letters = [json.loads(line)["action_id"] for line in sent.open(encoding="utf-8")]
        twice = len(letters) - len(set(letters))
        print(f"{len(letters):,} letters in the file, {twice} of them twice")
        print(f"items of {', '.join(sorted(reader.forbidden))} after the rule forbade them: {reader.seen_after_rule}")
        print("resident MiB by minute: " + " ".join(f"{each:.0f}" for each in memory))
        quiet_p99, busy_p99 = quantile(start, quiet, 0.99), quantile(quiet, busy, 0.99)
        print(f"p99 in the server: quiet {1e3 * quiet_p99:.2f} ms, busy {1e3 * busy_p99:.2f} ms, {busy_p99 / quiet_p99:.1f} times")
        if reader.errors or complaints or reader.seen_after_rule or twice or not letters or busy_p99 > 3 * quiet_p99:
            raise SystemExit("that is not as it should be")


if __name__ == "__main__":
    main()
