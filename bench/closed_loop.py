#!/usr/bin/env python3
"""Does acting on users gain what `perennial lifecycle gain` says?

A simulated shop draws actions in its first six months. Then every two weeks the arbiter decides by what the log holds, its decisions go
into the log, the visitors react, and what they do goes into the log: four times. What that gained is measured against the control group,
and compared with the truth: the same shop in which nothing was done for anybody.
./dev bench closed_loop [--users 20000] [--seed 42]
"""
import argparse
import collections
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

from server_process import PERENNIAL

CHANNELS = {"voucher": "email", "letter": "email", "nag": "push", "nothing": ""}
ACTION = """
[actions.{name}]
channel = "{channel}"
goal = "value"
worth = 25
cost = 0.1
traits = "email"
repeat = "1 per 13d"
"""
RULES = "".join(ACTION.format(name=name, channel=channel) for name, channel in CHANNELS.items() if channel) + """
[arbiter]
holdout_share = 0.2
explore_share = 0.05

[arbiter.caps]
all = "1 per 13d"
"""
START = datetime.datetime(2025, 7, 2, 7, 55)  # two weeks after the last campaign
PLANS, MONTHS, CAMPAIGN_MONTHS = 4, 8, 6
END = "2025-09-01T00:00:00.000Z"
ACTIVE = {"Product Viewed", "Product Clicked", "Product Added", "Checkout Started", "Order Completed"}


def iso(time):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def perennial(*arguments):
    return subprocess.run([PERENNIAL, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout


class Shop:
    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.given = folder / "given.jsonl"
        self.given.touch()

    def simulate(self, name, given):
        shop = self.folder / name
        arguments = ["--given", self.given] if given else []
        perennial("simulate", shop, "--users", self.options.users, "--seed", self.options.seed, "--months", MONTHS, "--campaigns",
                  "--campaign-months", CAMPAIGN_MONTHS, *arguments)
        return shop

    def events(self, shop, since, until):
        """Lines of [since, until)."""
        for month in sorted(shop.glob("events-*.jsonl")):
            with month.open(encoding="utf-8") as lines:
                for line in lines:
                    if since <= line[line.rindex('"timestamp":"') + 13:][:24] < until:
                        yield line


def act(shop, data, config, at):
    """Decides, logs the decisions and gives them to the visitors; how many of each."""
    told = json.loads(perennial("lifecycle", "actions", "--data", data, "--config", config, "--at", at, "--json"))
    counts = collections.Counter()
    records = shop.folder / "decided.jsonl"
    with records.open("w", encoding="utf-8") as log, shop.given.open("a", encoding="utf-8") as given:
        for decision in told["decisions"]:
            action, user = decision["action"], decision["user_id"]
            counts[action] += 1
            properties = {"action": action, "channel": CHANNELS[action], "cost": decision["cost"], "propensity": decision["propensity"]}
            if decision["drawn"]:
                properties["chances"] = decision["chances"]
            log.write(json.dumps({"type": "track", "userId": user, "event": "Action Given", "messageId": f"{at}-{user}", "timestamp": at,
                                  "properties": properties}) + "\n")
            if action != "nothing":
                given.write(json.dumps({"user_id": user, "action": action, "decided_at": at}) + "\n")
    perennial("import", "--data", data, records)
    return told, counts


def outcomes(shop, folder, since):
    """What each visitor did in the time: orders, revenue, and whether there was anything in the last 30 days."""
    orders, revenue, active = collections.Counter(), collections.Counter(), set()
    late = iso(datetime.datetime.fromisoformat(END[:-1]) - datetime.timedelta(days=30))
    for line in shop.events(folder, since, END):
        event = json.loads(line)
        user = event["messageId"].split("-")[2]
        if event.get("event") == "Order Completed":
            orders[user] += 1
            revenue[user] += event["properties"]["revenue"]
        if event.get("event") in ACTIVE and event["timestamp"] >= late:
            active.add(user)
    return {"retained": len(active), "converted": len(orders), "revenue": sum(revenue.values())}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shop, data, config = Shop(folder, options), folder / "data", folder / "actions.toml"
        config.write_text(RULES, encoding="utf-8")
        alone = shop.simulate("alone", given=False)
        perennial("import", "--data", data, alone / "items.jsonl")
        now, imported = alone, ""
        for plan in range(PLANS):
            at = iso(START + plan * datetime.timedelta(days=14))
            part = folder / "part.jsonl"
            with part.open("w", encoding="utf-8") as out:
                out.writelines(shop.events(now, imported, at))
            perennial("import", "--data", data, part)
            imported = at
            told, counts = act(shop, data, config, at)
            effects = ", ".join(f"{action['name']} {action['effect']:+.4f} +- {action['effect_standard_error']:.4f}" for action in told["actions"])
            print(f"{at[:10]}: {dict(sorted(counts.items()))} of {told['users']:,} users, {told['held_out']:,} held out; mean effects {effects}; "
                  f"expected gain {told['gain']:,.0f}", flush=True)
            now = shop.simulate("acted", given=True)
        part = folder / "part.jsonl"
        with part.open("w", encoding="utf-8") as out:
            out.writelines(shop.events(now, imported, END))
        perennial("import", "--data", data, part)

        since = iso(START)
        print("\n" + perennial("lifecycle", "gain", "--data", data, "--config", config, "--since", since, "--at", END))
        measured = json.loads(perennial("lifecycle", "gain", "--data", data, "--config", config, "--since", since, "--at", END, "--json"))
        with_actions, without = outcomes(shop, now, since), outcomes(shop, alone, since)
        print(f"{'a user acted on':16} {'truth':>9}   measured [95 %]")
        missed = []
        for name, measure in measured["measures"].items():
            truth = (with_actions[name] - without[name]) / measured["users_acted_on"]
            low, high = measure["gain_low"], measure["gain_high"]
            print(f"{name:16} {truth:9.4f}   {measure['gain']:.4f} [{low:.4f}, {high:.4f}]{'' if low <= truth <= high else '  outside'}")
            deviation = (high - low) / (2 * 1.96)
            missed += [] if abs(truth - measure["gain"]) <= 3.3 * deviation else [name]  # once in a thousand by chance
        print(f"revenue of all: {with_actions['revenue']:,.0f} EUR with actions, {without['revenue']:,.0f} without")
        sys.exit(f"far from the truth: {', '.join(missed)}" if missed else None)


if __name__ == "__main__":
    main()
