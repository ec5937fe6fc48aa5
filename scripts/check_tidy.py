#!/usr/bin/env python3
"""clang-tidy over what this work changed, against the main branch, or over the files named.

A file that clang cannot parse fails the check, and so do the findings in FATAL, which are nearly always bugs; the rest
of .clang-tidy is printed for the reader to judge (silence a wrong one with NOLINT and a reason). Bounded: the FILES_MAX
sources with the most changed lines, tests last. A changed header is looked at through the source of the same name.
"""

import argparse
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import source_tree
from compile_flags import CompileFlags

COMMANDS = source_tree.ROOT / "build" / "check-tidy"
FILES_MAX = 12
UNPARSABLE = "/torch/csrc/api/include"  # compiled with it: clang 14 rejects libtorch 1.13's own headers in C++20 (an incomplete c10::IValue)
SECONDS_MAX = 120  # for one file; parsing libtorch and Boost takes most of it
FATAL = ",".join((
    "bugprone-use-after-move", "bugprone-dangling-handle", "bugprone-infinite-loop", "bugprone-undelegated-constructor",
    "bugprone-unused-raii", "bugprone-sizeof-*", "bugprone-suspicious-memset-usage", "bugprone-too-small-loop-variable",
    "modernize-use-override", "clang-analyzer-core.StackAddressEscape", "clang-analyzer-cplusplus.NewDelete"))
FINDING = re.compile(r"^(.*?):(\d+):(\d+): (warning|error): (.*)$", re.MULTILINE)


def sources_of(changed, flags):
    """{source to look at: changed lines}, headers counted for the source beside them."""
    lines = {}
    for name, count in changed.items():
        source = str(Path(name).with_suffix(".cc"))
        if name.endswith((".h", ".cc")) and flags.has(source) and not flags.mention(source, UNPARSABLE):
            lines[source] = lines.get(source, 0) + count
    return lines


def look_at(name):
    """(name, what clang-tidy printed, whether it failed)."""
    command = ["clang-tidy", "-p", str(COMMANDS), "--quiet", f"--warnings-as-errors={FATAL}",
               "--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-everything", str(source_tree.ROOT / name)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        return name, f"{name}:1:1: warning: not looked at: clang-tidy took over {SECONDS_MAX} s", False
    output = done.stdout.replace(f"{source_tree.ROOT}/", "")
    if done.returncode != 0 and not FINDING.search(output):
        output += done.stderr
    return name, output.strip(), done.returncode != 0


def blocks_of(output):
    """Each finding with its lines of code and notes; the whole as one when there is none in it."""
    starts = [found.start() for found in FINDING.finditer(output)] or [0]
    ends = starts[1:] + [len(output)]
    return [block for start, end in zip(starts, ends) if (block := output[start:end].rstrip())]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/release", help="the build folder with compile_commands.json")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("files", nargs="*", help="instead of what changed")
    arguments = parser.parse_args()
    flags = CompileFlags(source_tree.ROOT / arguments.build)
    if not flags.by_file:
        print(f"skipped: no {arguments.build}/compile_commands.json; './dev build' makes it")
        return 0
    flags.write(COMMANDS)
    changed = {name: 0 for name in arguments.files} or source_tree.changed_files()
    lines = sources_of(changed, flags)
    chosen = sorted(lines, key=lambda name: (name.endswith("_test.cc"), -lines[name], name))
    if not arguments.files and len(chosen) > FILES_MAX:
        print(f"{len(chosen)} changed sources; looking at {FILES_MAX}: tests last, most changed lines first")
        chosen = chosen[:FILES_MAX]

    findings, failed = set(), []
    with ThreadPoolExecutor(arguments.jobs) as workers:
        for name, output, fails in workers.map(look_at, chosen):
            for block in blocks_of(output):
                # A finding in a header comes up in every source that includes it.
                headline = block.split("\n")[0]
                if headline not in findings:
                    findings.add(headline)
                    print(block)
            if fails:
                failed.append(name)
    print(f"clang-tidy: {len(chosen)} files, {len(findings)} findings, {len(failed)} files with findings that fail")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
