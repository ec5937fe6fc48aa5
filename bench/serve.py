#!/usr/bin/env python3
"""How many recommendations a second does one core answer, beside a bare Boost.Beast server that returns the same bytes?

Serves a data directory that has a model on one core, and asks for random users of it from the other, over loopback,
then the bare server in the same way, several rounds of both. Checks first that each user's list is the one that
`perennial recommend` gives, which reads each user's history once: what is measured is users to whom nothing happens
meanwhile. With --anew no list is one that was kept. Wants wrk and two cores.
./dev bench serve DATA [--connections 16] [--seconds 5] [--rounds 3] [--threads 1] [--anew]
"""
import argparse
import json
import pathlib
import re
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import urllib.parse
import urllib.request

from server_process import PERENNIAL, ROOT, ServerProcess

BARE = ROOT / "build/release/bench/bare_beast"
ASK = """local users = {%s}
local turn = 0
request = function()
  turn = turn %% #users + 1
  return wrk.format("GET", "/v1/recommend?user_id=" .. users[turn] .. "%s")
end
"""


def need_wrk():
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed: apt-get install wrk")


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
        return reply.read()


def users_of(data, count):
    """Some users of the log, far from each other."""
    with sqlite3.connect(f"file:{data}/log.db?mode=ro", uri=True) as log:
        names = [name for name, in log.execute("SELECT name FROM users WHERE name <> '' ORDER BY id")]
    return [urllib.parse.quote(name, safe="") for name in names[:: max(1, len(names) // count)][:count]]


def check(port, data, users):
    for user in users[20:]:
        get(port, f"/v1/recommend?user_id={user}")
    for user in users[:20]:
        served = json.loads(get(port, f"/v1/recommend?user_id={user}"))["items"]
        told = subprocess.run([PERENNIAL, "recommend", "--data", data, "--json", urllib.parse.unquote(user)], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        want = json.loads(told)["items"]
        if [item["item_id"] for item in served] != [item["item_id"] for item in want]:
            raise SystemExit(f"user {user}: the server's list is not that of `perennial recommend`")


def asking_by_turns(users, anew):
    """A script for wrk that asks for the users by turns; anew: with a window of a century, which no kept list answers."""
    return ASK % (", ".join(f'"{user}"' for user in users), "&exclude_seen=36500d" if anew else "")


def load(port, script, connections, seconds, before=("taskset", "-c", "1")):
    """requests/s, and the 50th and 99th percentile of latency in milliseconds."""
    told = subprocess.run([*before, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s",
                           script, f"http://127.0.0.1:{port}"], check=True, stdout=subprocess.PIPE, text=True).stdout
    if "Non-2xx" in told:
        raise SystemExit(told)
    unit = {"us": 1e-3, "ms": 1, "s": 1e3}
    quantile = {int(share): float(value) * unit[name]
                for share, value, name in re.findall(r"^\s+(\d+)%\s+([\d.]+)(us|ms|s)$", told, re.MULTILINE)}
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1]), quantile[50], quantile[99]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a data directory with a model; what is served is logged to it, so take a copy")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1, help="of the server, on its one core: 16 to share scans of a large catalogue")
    parser.add_argument("--anew", action="store_true", help="ask with a window of a century, which no kept list answers")
    options = parser.parse_args()
    need_wrk()
    users = users_of(options.data, options.users)
    with tempfile.TemporaryDirectory() as folder:
        script, body, config = (pathlib.Path(folder) / name for name in ("ask.lua", "body", "serve.toml"))
        script.write_text(asking_by_turns(users, options.anew))
        config.write_text(f"[server]\nthreads = {options.threads}\nport = 0\n")
        server = ServerProcess(options.data, "--config", config, before=("taskset", "-c", "0"))
        bare, port = None, server.port
        try:
            check(port, options.data, users)
            body.write_bytes(get(port, f"/v1/recommend?user_id={users[0]}"))
            bare = subprocess.Popen(["taskset", "-c", "0", BARE, body], stdout=subprocess.PIPE, text=True)
            bare_port = int(bare.stdout.readline())
            print(f"{options.connections} connections, {len(users)} users, {body.stat().st_size} bytes a reply\n")
            print("| requests/s | p50 ms | p99 ms | bare Beast requests/s | p99 ms | share |\n|---|---|---|---|---|---|")
            shares = []
            for _ in range(options.rounds):
                ours, theirs = (load(each, script, options.connections, options.seconds) for each in (port, bare_port))
                shares.append(ours[0] / theirs[0])
                print(f"| {ours[0]:,.0f} | {ours[1]:.3f} | {ours[2]:.3f} | {theirs[0]:,.0f} | {theirs[2]:.3f} | {shares[-1]:.1%} |",
                      flush=True)
            print(f"\nshare of the bare server: {statistics.median(shares):.1%}")
            lines = get(port, "/metrics").decode().splitlines()
            took = {line.split()[0]: float(line.split()[1]) for line in lines if line.startswith("perennial_recommend_duration_seconds_")
                    and "{" not in line}
            count, total = (next(value for name, value in took.items() if name.endswith(end)) for end in ("_count", "_sum"))
            print(f"in the server itself: {1e6 * total / count:.1f} us a list on average")
        finally:
            server.stop()
            if bare is not None:
                bare.terminate()
                bare.wait(timeout=30)


if __name__ == "__main__":
    main()
