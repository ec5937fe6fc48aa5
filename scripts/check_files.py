#!/usr/bin/env python3
"""Checks on every file of the tree: its name, its length, and that it names nothing of one machine.

Fails on vague file names, on paths of somebody's machine, and on addresses of package registries (also those that this
machine's own tools are set up with, read at run time). Warns about source files over 600 lines.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import source_tree

LINES_MAX = 600
VAGUE = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}
SOURCES = (".h", ".cc", ".py", ".sh", ".ts", ".tsx", ".js", ".css", ".md")
MACHINE_PATH = re.compile(r"(?<![\w.$}~-])/(?:home/[a-z]\w*|Users/\w+|root|work|mnt/[a-z]\w*)/[\w.-]+")
REGISTRY = re.compile(r"https?://(?:[\w-]+\.)*(?:registry|pypi|proxy|repo\d?|deb|mirrors?|snapshot|packages|pythonhosted)\.[\w.-]+")
# What these files say is the rule itself, or text that others wrote.
EXEMPT = {"scripts/check_files.py", "scripts/check_scripts_test.py", "LICENSE"}


def output_of(*command):
    if shutil.which(command[0]) is None:
        return ""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout
    except subprocess.TimeoutExpired:
        return ""


def read_if_there(path):
    try:
        return Path(path).expanduser().read_text(errors="replace")
    except OSError:
        return ""


def registry_hosts():
    """The hosts that apt, pip, npm, cargo and go are set up with here."""
    text = output_of("apt-get", "indextargets", "--format", "$(SITE)")
    text += "".join(read_if_there(path) for path in ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf", "~/.npmrc",
                                                     "/etc/npmrc", "~/.cargo/config.toml", "~/.m2/settings.xml"))
    names = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "NPM_CONFIG_REGISTRY", "npm_config_registry", "GOPROXY", "UV_INDEX_URL")
    text += " ".join(os.environ.get(name, "") for name in names)
    hosts = set(re.findall(r"https?://(?:[^/@\s\"']*@)?([\w-]+(?:\.[\w-]+)+)", text))
    # XML namespaces and code hosts stand in such files too.
    return {host for host in hosts if not host.endswith(("apache.org", "w3.org", "github.com"))}


def check_name(name):
    for part in Path(name).parts:
        vague = VAGUE & set(re.split(r"[^a-z]+", part.lower()))
        if vague:
            yield f"{name}:1: '{vague.pop()}' says nothing; name the file for the thing in it"


def check_text(name, text, hosts):
    for number, line in enumerate(text.splitlines(), 1):
        if path := MACHINE_PATH.search(line):
            yield f"{name}:{number}: a path of one machine: {path[0]}"
        address = REGISTRY.search(line)
        host = address[0] if address else next((host for host in hosts if host in line), None)
        if host:
            yield (f"{name}:{number}: the address of a package registry ({host}); leave it to each machine's set-up "
                   "(npm: config set omit-lockfile-registry-resolved true)")


def main():
    hosts = registry_hosts()
    breaches = []
    for name in source_tree.files():
        breaches += check_name(name)
        text = source_tree.text_of(name)
        if text is None:
            continue
        if name not in EXEMPT:
            breaches += check_text(name, text, hosts)
        lines = text.count("\n")
        if name.endswith(SOURCES) and lines > LINES_MAX:
            print(f"{name}:1: warning: {lines} lines; over {LINES_MAX} is usually two files")
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
