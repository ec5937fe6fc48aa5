#!/usr/bin/env python3
"""The files of the repository: those that git tracks or would track, so a new file is checked before it is added.

Without git (an exported tree) it walks the folders instead, leaving out what .gitignore names.
As a program it prints the files with the endings given: source_tree.py [--null] .h .cc
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IGNORED_FOLDERS = {"build", ".git", "node_modules", "perennial-data", "perennial-demo", "__pycache__"}


def git(*arguments):
    """The output of a git command in the tree; None when git is missing, fails, or this is no repository."""
    # The tree may belong to another user than the one who checks it, as in a container.
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def walk():
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in IGNORED_FOLDERS)
        for name in sorted(names):
            yield str((Path(folder) / name).relative_to(ROOT))


def files(*endings):
    """Paths from the root, sorted; only those with one of the endings, when any is given."""
    listed = git("ls-files", "-coz", "--exclude-standard")
    names = walk() if listed is None else sorted(name for name in set(listed.split("\0")) if name)
    return [name for name in names if (not endings or name.endswith(endings)) and (ROOT / name).is_file()]


def text_of(name):
    """The file as text, or None when it is binary."""
    data = (ROOT / name).read_bytes()
    if b"\0" in data[:8192]:
        return None
    return data.decode("utf-8", errors="replace")


def changed_files():
    """What a reviewer of this work would look at, against the main branch: committed, or not yet.

    On the main branch itself it is the last commit. Lines changed by file; empty when git cannot tell.
    """
    head = git("rev-parse", "HEAD")
    if head is None:
        return {}
    base = next((found for branch in ("origin/main", "main") if (found := git("merge-base", "HEAD", branch))), None)
    if base is None or base == head:
        base = git("rev-parse", "--verify", "-q", "HEAD~") or head
    lines = {}
    for row in (git("diff", "--numstat", "--no-renames", base.strip()) or "").splitlines():
        added, removed, name = row.split("\t")
        lines[name] = (int(added) + int(removed)) if added != "-" else 0
    for name in (git("ls-files", "-oz", "--exclude-standard") or "").split("\0"):
        if name:
            lines[name] = len((text_of(name) or "").splitlines())
    return {name: count for name, count in lines.items() if (ROOT / name).is_file()}


def main():
    arguments = sys.argv[1:]
    end = "\n"
    if arguments[:1] == ["--null"]:
        end, arguments = "\0", arguments[1:]
    sys.stdout.write("".join(name + end for name in files(*arguments)))


if __name__ == "__main__":
    main()
