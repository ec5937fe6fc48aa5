#!/usr/bin/env python3
"""Checks the arrows between the folders of src/ against scripts/layers.txt; prints file:line for each breach.

The arrows must form a DAG, every folder of src/ must be listed, an include must name its folder ("log/event_log.h"),
src/CMakeLists.txt may link no folder that may not be included, and only src/training may include libtorch.
With a folder as its argument it checks that tree instead: that is how scripts/check_scripts_test.py tests it.
"""

import re
import sys
from pathlib import Path

import source_tree

LAYERS = "scripts/layers.txt"
TORCH_FOLDER = "training"
QUOTED = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
TORCH = re.compile(r"^\s*#\s*include\s*[<\"]((?:torch|ATen|c10|caffe2)/[^>\"]*)")
CMAKE_CALL = re.compile(r"perennial_folder\(\s*(\w+)([^)]*)\)")


def read_layers(text):
    """({folder: folders it may include}, breaches)."""
    allowed, lines, breaches = {}, {}, []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        folder, colon, rest = line.partition(":")
        if not colon or not re.fullmatch(r"\w+", folder):
            breaches.append(f"{LAYERS}:{number}: not of the form 'folder: folders it may include'")
        elif folder in allowed:
            breaches.append(f"{LAYERS}:{number}: {folder} is listed twice")
        else:
            allowed[folder], lines[folder] = set(rest.split()), number
    for folder, others in allowed.items():
        for other in sorted(others - allowed.keys()):
            breaches.append(f"{LAYERS}:{lines[folder]}: {folder} may include {other}, which is not listed itself")
        if folder in others:
            breaches.append(f"{LAYERS}:{lines[folder]}: {folder} lists itself")
    return allowed, breaches


def find_cycle(allowed):
    """The folders of one cycle in order, the first repeated at the end; None when the arrows are a DAG."""
    finished, path = set(), []

    def visit(folder):
        if folder in path:
            return path[path.index(folder):] + [folder]
        if folder in finished:
            return None
        path.append(folder)
        for other in sorted(allowed.get(folder, ())):
            if other != folder and (cycle := visit(other)):
                return cycle
        path.pop()
        finished.add(folder)
        return None

    return next((cycle for folder in allowed if (cycle := visit(folder))), None)


def check_includes(name, text, allowed):
    folder = Path(name).parts[1]
    for number, line in enumerate(text.splitlines(), 1):
        if (torch := TORCH.match(line)) and folder != TORCH_FOLDER:
            yield f"{name}:{number}: includes <{torch[1]}>; only src/{TORCH_FOLDER} may include libtorch"
            continue
        if not (quoted := QUOTED.match(line)):
            continue
        other, slash, _ = quoted[1].partition("/")
        if not slash or other in (".", ".."):
            yield f'{name}:{number}: "{quoted[1]}" must be written from src/: "folder/file.h"'
        elif other not in allowed:
            yield f'{name}:{number}: "{quoted[1]}" is in no folder that {LAYERS} lists; a library goes in <>'
        elif other != folder and other not in allowed[folder]:
            may = " ".join(sorted(allowed[folder])) or "nothing"
            yield f"{name}:{number}: {folder} may not include {other} (it may include: {may})"


def check_links(name, text, allowed):
    """The links of CMake against the arrows; a call may span lines, so the line is found from its offset."""
    text = re.sub(r"#.*", "", text)
    for call in CMAKE_CALL.finditer(text):
        folder = call[1]
        for link in re.finditer(r"perennial_(\w+)", call[2]):
            if folder in allowed and link[1] != folder and link[1] not in allowed[folder]:
                number = text.count("\n", 0, call.start(2) + link.start()) + 1
                yield f"{name}:{number}: {folder} links perennial_{link[1]}, which {LAYERS} does not allow"


def check(names, read):
    """Every breach in the files named; `read` gives a file's text."""
    allowed, breaches = read_layers(read(LAYERS))
    if cycle := find_cycle(allowed):
        breaches.append(f"{LAYERS}: the arrows are no DAG: {' -> '.join(cycle)}")
    unlisted = set()
    for name in names:
        parts = Path(name).parts
        if parts[0] != "src":
            continue
        if len(parts) > 2 and parts[1] not in allowed:
            unlisted.add(parts[1])
        elif len(parts) > 3 and name.endswith((".h", ".cc")):
            breaches.append(f"{name}:1: folders under src/ have one level")
        elif len(parts) == 3 and name.endswith((".h", ".cc")):
            breaches += check_includes(name, read(name), allowed)
        elif name == "src/CMakeLists.txt":
            breaches += check_links(name, read(name), allowed)
    breaches += [f"{LAYERS}: src/{folder} is not listed" for folder in sorted(unlisted)]
    return breaches


def main():
    if len(sys.argv) > 1:
        source_tree.ROOT = Path(sys.argv[1]).resolve()
    breaches = check(source_tree.files(), source_tree.text_of)
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
