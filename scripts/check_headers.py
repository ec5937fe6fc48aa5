#!/usr/bin/env python3
"""Checks that each header compiles alone, included twice, so that it needs no other header before it.

Writes a ninja file of one check a header: they run side by side, and only those whose text, or whose includes' text,
changed since the last time. Headers that include libtorch share one translation unit: parsing it costs 13 s and more.
"""

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path

import source_tree
from compile_flags import CompileFlags

FOLDER = source_tree.ROOT / "build" / "check-headers"
TORCH = re.compile(r"^\s*#\s*include\s*<(torch|ATen|c10)/", re.MULTILINE)
QUOTED = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
RULE = """\
ninja_required_version = 1.10
rule header
  command = g++ $flags -Wall -Wextra -Wno-unused-function -x c++ -fsyntax-only -MD -MF $out.d -MT $out $in && touch $out
  depfile = $out.d
  deps = gcc
  description = $what
"""


def write_if_changed(path, text):
    """So that ninja sees a new time only with a new text."""
    if not path.is_file() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def with_libtorch(headers, read):
    """Those that include libtorch themselves or through another of them."""
    texts = {name: read(name) or "" for name in headers}
    found = {name for name, text in texts.items() if TORCH.search(text)}
    while more := {name for name, text in texts.items()
                   if name not in found and any(f"src/{include}" in found for include in QUOTED.findall(text))}:
        found |= more
    return found


def units(headers):
    """{name of the unit: the headers in it}."""
    heavy = with_libtorch(headers, source_tree.text_of)
    together = {}
    for name in headers:
        unit = f"{Path(name).parts[1]}/with_libtorch" if name in heavy else name.removeprefix("src/")
        together.setdefault(unit, []).append(name)
    return together


def escape(text):
    return text.replace("$", "$$").replace(" ", "$ ").replace(":", "$:")


def write_ninja(headers, flags):
    lines = [RULE]
    for unit, names in units(headers).items():
        source = FOLDER / f"{unit}.cc"
        includes = "".join(f'#include "{name.removeprefix("src/")}"\n' for name in names)
        write_if_changed(source, includes * 2)
        lines.append(f"build {escape(unit)}.ok: header {escape(str(source))}")
        lines.append(f"  flags = {shlex.join(flags.of_folder(Path(unit).parts[0])).replace('$', '$$')}")
        lines.append(f"  what = {' '.join(names)}")
    write_if_changed(FOLDER / "build.ninja", "\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/release", help="the build folder with compile_commands.json")
    parser.add_argument("--jobs", default="2")
    arguments = parser.parse_args()
    headers = [name for name in source_tree.files(".h") if name.startswith("src/")]
    flags = CompileFlags(source_tree.ROOT / arguments.build)
    if not flags.knows_folder("training"):
        heavy = with_libtorch(headers, source_tree.text_of)
        headers = [name for name in headers if name not in heavy]
        print(f"skipped {len(heavy)} headers that include libtorch: {arguments.build} is built without training")
    write_ninja(headers, flags)
    ninja = ["ninja", "--quiet", "-C", str(FOLDER), "-k", "0", "-j", arguments.jobs]
    done = subprocess.run(ninja, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout)
        print("A header must include what it uses: the errors above name what is missing.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
