"""Do the stages and forecasts derived from a simulated shop's events agree with the truth behind them?

./dev bench stage_truth [--users N] [--months N] [--seed N] [--config FILE]: simulates a shop, imports it, and prints two confusion
matrices at its end: how far each visitor has truly come against the stage, and whether they truly are here, drifting or gone against the
overlay. Then how forecasts correlate with the true probabilities, which follow from how often a visitor comes (a quarter of it while
drifting, never when gone) and how often a visit ends in an order.
"""
import argparse
import csv
import json
import math
import pathlib
import subprocess
import tempfile
from collections import Counter

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "build/release/src/perennial"
STAGES = ["acquisition", "activation", "retention", "expansion", "advocacy"]
OVERLAYS = ["none", "at_risk", "churned", "won_back"]
PACE = {"here": 1, "here again": 1, "drifting": 0.25, "gone": 0}
REACHED = {"acquired": 0, "activated": 1, "repeat": 2, "upgraded": 3}
STATES = {"drifting": "drifting", "recovered": "here again", "churned": "gone"}


def run(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout


def truths(folder):
    """By user id: how far, in which state, visits a week now, orders a visit."""
    users = [json.loads(line) for line in open(folder / "truth.jsonl", encoding="utf-8") if '"kind":"user"' in line]
    came = {user["user_id"] for user in users if user["signed_up"]}
    told = {}
    for user in users:
        names = [change["stage"] for change in user["stages"]]
        far = max([REACHED.get(name, 0) for name in names], default=0)
        if any(guest in came for guest in user["invited"]):
            far = 4
        states = [STATES[name] for name in names if name in STATES]
        state = states[-1] if states else "here"
        told[user["user_id"]] = (far, state, user["sessions_per_week"] * PACE[state], user["buys_per_session"])
    return told


def print_matrix(title, rows, columns, counts):
    print(f"\n{title}\n\n| truth | {' | '.join(columns)} | users |\n|{'---|' * (len(columns) + 2)}")
    for row in rows:
        numbers = [counts[row, column] for column in columns]
        print(f"| {row} | {' | '.join(f'{number:,}' for number in numbers)} | {sum(numbers):,} |")


def ranks(values):
    """From 0; of equal values the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranked, begin = [0.0] * len(values), 0
    while begin < len(order):
        end = begin
        while end < len(order) and values[order[end]] == values[order[begin]]:
            end += 1
        for i in order[begin:end]:
            ranked[i] = (begin + end - 1) / 2
        begin = end
    return ranked


def correlation(a, b):
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    both = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b))
    return both / math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))


def print_correlations(forecasts, truth):
    true_probabilities = {
        "return_7d": lambda visits, orders: 1 - math.exp(-visits),
        "return_30d": lambda visits, orders: 1 - math.exp(-visits * 30 / 7),
        "buy_30d": lambda visits, orders: 1 - math.exp(-visits * orders * 30 / 7),
    }
    print("\nForecasts against true probabilities\n\n| question | users | Pearson | Spearman |\n|---|---|---|---|")
    for question, probability in true_probabilities.items():
        asked = [row for row in forecasts if row[question]]
        told = [float(row[question]) for row in asked]
        true = [probability(*truth[row["user_id"]][2:]) for row in asked]
        print(f"| {question} | {len(asked):,} | {correlation(told, true):.3f} | {correlation(ranks(told), ranks(true)):.3f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=4000)
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--config", help="of the stages")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        shop, data = pathlib.Path(scratch) / "shop", pathlib.Path(scratch) / "data"
        run("simulate", shop, "--users", args.users, "--months", args.months, "--seed", args.seed)
        run("import", "--data", data, *sorted(shop.glob("events-*.jsonl")))
        year, month = 2025 + args.months // 12, 1 + args.months % 12
        config = ["--config", args.config] if args.config else []
        asked = ("--data", data, "--at", f"{year}-{month:02}-01", *config)
        listed = run("lifecycle", "users", *asked, "--limit", 10**8, "--csv")
        run("lifecycle", "forecast", *asked, "--fit")
        forecasts = list(csv.DictReader(run("lifecycle", "forecast", *asked, "--everyone", "--csv").splitlines()))
        derived = {row["user_id"]: row for row in csv.DictReader(listed.splitlines())}
        stages, overlays, agree = Counter(), Counter(), 0
        truth = truths(shop)
        for user, (far, state, *_) in truth.items():
            row = derived.pop(user)
            stages[STAGES[far], row["stage"]] += 1
            agree += STAGES[far] == row["stage"]
            if row["stage"] != "acquisition":
                overlays[state, row["overlay"] or "none"] += 1
    print_matrix("How far", STAGES, STAGES, stages)
    print(f"\nSame stage: {agree:,} of {sum(stages.values()):,} visitors, {100 * agree / sum(stages.values()):.1f} %.")
    print_matrix("Whether still here, of those beyond acquisition", ["here", "here again", "drifting", "gone"], OVERLAYS, overlays)
    print_correlations(forecasts, truth)
    if derived:
        print(f"\n{len(derived)} derived users are no visitors of the shop: merges are wrong")


if __name__ == "__main__":
    main()
