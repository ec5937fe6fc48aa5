#!/usr/bin/env python3
"""How does the cost of a training step grow with histories' length, the catalogue, the width and the threads?

Runs bench/training_speed, a shape at a time, and prints a table; --svg FILE draws it.
./dev bench training_cost [--svg docs/training_cost.svg] [--seconds 5]
"""
import argparse
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build/release/bench/training_speed"

# What is varied, the flag, its values, and what else the shape needs. Windows follow the histories.
SWEEPS = (
    ("length of histories", "--length", (50, 100, 200, 500, 1000, 2000), lambda value: ("--window", value)),
    ("items, full softmax", "--items", (1_000, 3_416, 12_000, 20_000), lambda value: ()),
    ("items, 4,096 negatives", "--items", (20_000, 150_000, 1_000_000), lambda value: ("--negatives", 4096)),
    ("width", "--width", (32, 64, 128, 256), lambda value: ("--heads", value // 32, "--feed-forward", 4 * value)),
    ("threads", "--threads", (1, 2), lambda value: ()),
)


def measure(flags, seconds):
    """tokens/s, share of the peak of the same run in percent, MFLOP a token, and MiB that the process held at most."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    child = subprocess.Popen([PROGRAM, "--json", "--seconds", str(seconds), *map(str, flags)], env=environment,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    text = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit(f"training_speed {' '.join(map(str, flags))} failed")
    row = json.loads(text)
    return int(row["tokens_a_second"]), 100 * row["share_of_peak"], row["mflop_a_token"], usage.ru_maxrss // 1024


def draw(sweeps, machine):
    """One small chart a sweep: tokens/s over what varies, a bar a value, its share of the peak below."""
    width, height, left, top = 320, 200, 20, 44
    parts = []
    for index, (name, rows) in enumerate(sweeps):
        x0 = left + (index % 3) * (width + 30)
        y0 = top + index // 3 * (height + 70)
        most = max(speed for _, speed, _ in rows)
        step = width / len(rows)
        parts.append(f'<text x="{x0}" y="{y0 - 8}" font-weight="bold">{name}</text>')
        for i, (value, speed, share) in enumerate(rows):
            bar = (height - 40) * speed / most
            x, y = x0 + i * step, y0 + height - 20 - bar
            parts.append(f'<rect x="{x:.0f}" y="{y:.0f}" width="{step * 0.7:.0f}" height="{bar:.0f}" fill="#4a7fb5"/>')
            parts.append(f'<text x="{x:.0f}" y="{y - 4:.0f}">{speed / 1000:.1f} k</text>')
            parts.append(f'<text x="{x:.0f}" y="{y0 + height - 4:.0f}">{value:,}</text>')
            parts.append(f'<text x="{x:.0f}" y="{y0 + height + 10:.0f}" fill="#777">{share:.0f} %</text>')
    rows = (len(sweeps) + 2) // 3
    size = (left + 3 * (width + 30), top + rows * (height + 70))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" font-family="sans-serif" font-size="11">\n'
            f'<rect width="100%" height="100%" fill="white"/>\n'
            f'<text x="{left}" y="18">Tokens a second of a training step, and its share of the machine\'s peak: {machine}</text>\n'
            + "\n".join(parts) + "\n</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--svg", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--machine", default="this machine", help="what the drawing calls it")
    options = parser.parse_args()
    subprocess.run([ROOT / "dev", "build", "training_speed"], check=True, stdout=subprocess.DEVNULL)
    sweeps = []
    for name, flag, values, others in SWEEPS:
        print(f"\n| {name} | tokens/s | share of the peak | MFLOP a token | MiB |\n|---|---|---|---|---|")
        rows = []
        for value in values:
            speed, share, flop, memory = measure((flag, value, *others(value)), options.seconds)
            rows.append((value, speed, share))
            print(f"| {value:,} | {speed:,} | {share:.1f} % | {flop:.2f} | {memory:,} |", flush=True)
        sweeps.append((name, rows))
    if options.svg:
        options.svg.write_text(draw(sweeps, options.machine))


if __name__ == "__main__":
    main()
