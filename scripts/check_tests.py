#!/usr/bin/env python3
"""Tests of the tests: breaks the code one line at a time, and expects the tests named to go red.

scripts/mutations.toml lists the mutations. Each worker has a private copy of the tree under build/mutants/, builds it
with ccache, checks that the tests are green there, then applies one mutation after the other. Fails when a mutation
survives, no longer applies (its text must stand in the file exactly once, whatever the layout), or does not compile.

  ./dev check-tests              all of them
  ./dev check-tests csv          those whose name, file or tests contain the text
  ./dev check-tests --list       names and files, and whether each still applies
"""

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

import source_tree

MUTANTS = source_tree.ROOT / "build" / "mutants"
LIST = "scripts/mutations.toml"
TEST_SECONDS_MAX = 120  # for one test: a mutation may well make it endless
FAILED_TEST = re.compile(r"^\s+\d+ - (.+) \((.+)\)$", re.MULTILINE)
NO_TESTS = "No tests were found"
CONFIGURE = ["cmake", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_CXX_FLAGS=-O1",
             "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache", "-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON"]


@dataclass(frozen=True)
class Mutation:
    name: str     # what breaks, in a few words
    file: str
    find: str     # stands exactly once in the file, not counting layout
    replace: str
    program: str  # the target to build before testing
    tests: str    # what `ctest -R` selects: the tests expected to go red

    def places(self, text):
        """Where it stands in the text; line breaks and spaces are alike, so that a new layout leaves it applicable."""
        return list(re.finditer(r"\s+".join(re.escape(word) for word in self.find.split()), text))

    def apply(self, text):
        place = self.places(text)[0]
        return text[:place.start()] + self.replace + text[place.end():]


@dataclass(frozen=True)
class Outcome:
    mutation: Mutation
    word: str     # caught, SURVIVED, STALE or BROKEN
    detail: str
    seconds: float = 0.0

    @property
    def good(self):
        return self.word == "caught"


def read_mutations():
    table = tomllib.loads((source_tree.ROOT / LIST).read_text())
    mutations = []
    for entry in table["mutation"]:
        folder = Path(entry["file"]).parts[1]
        mutations.append(Mutation(**({"program": f"{folder}_test", "tests": f"^{folder}/"} | entry)))
    names = [mutation.name for mutation in mutations]
    if doubles := {name for name in names if names.count(name) > 1}:
        sys.exit(f"{LIST}: names must differ: {', '.join(sorted(doubles))}")
    return mutations


def why_not_applicable(mutation):
    """Empty when the mutation applies to the tree as it is."""
    path = source_tree.ROOT / mutation.file
    if not path.is_file():
        return "the file is gone"
    text = path.read_text()
    count = len(mutation.places(text))
    if count != 1:
        return f"its text stands there {count} times"
    return "" if mutation.apply(text) != text else "it changes nothing"


class Copy:
    """A private copy of the tree and its build. Thread rule: one thread an object."""

    def __init__(self, number):
        self.tree = MUTANTS / str(number) / "tree"
        self.build = MUTANTS / str(number) / "build"

    def refresh(self):
        """Brings the copy to the state of the tree; files that did not change keep their times."""
        wanted = set(source_tree.files())
        for name in wanted:
            source, target = source_tree.ROOT / name, self.tree / name
            if not target.is_file() or target.read_bytes() != source.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        for path in [path for path in self.tree.rglob("*") if path.is_file()]:
            if str(path.relative_to(self.tree)) not in wanted:
                path.unlink()

    def run(self, command, **options):
        # The path from build to tree is the same in every copy, so that what one compiled the other finds.
        cache = {"CCACHE_DIR": str(MUTANTS / "ccache"), "CCACHE_BASEDIR": str(MUTANTS), "CCACHE_NOHASHDIR": "1",
                 "CCACHE_MAXSIZE": "2G"}
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, env=os.environ | cache, check=False, **options)

    def configure(self, training):
        return self.run([*CONFIGURE, "-S", str(self.tree), "-B", str(self.build),
                         f"-DPERENNIAL_TRAINING={'ON' if training else 'OFF'}"])

    def compile(self, programs, jobs):
        return self.run(["ninja", "-C", str(self.build), "-j", str(jobs), *programs])

    def test(self, tests, jobs):
        """(whether all passed, output). Through ctest, as ./dev test does: each test is a process of its own."""
        done = self.run(["ctest", "--test-dir", str(self.build), "-R", tests, "--no-tests=error", "--stop-on-failure",
                         "--timeout", str(TEST_SECONDS_MAX), "-j", str(jobs)])
        return done.returncode == 0, done.stdout

    def read(self, name):
        return (self.tree / name).read_text()

    def write(self, name, text):
        (self.tree / name).write_text(text)


def last_lines(text, count=12):
    return "\n".join(text.strip().splitlines()[-count:])


def first_error(text):
    return next((line.strip() for line in text.splitlines() if "error:" in line), last_lines(text, 1))


def failed_test(output):
    failed = FAILED_TEST.search(output)
    return f"{failed[1]}, {failed[2]}".replace(", Failed", "") if failed else last_lines(output, 1)


def check_green(copy, mutations, jobs):
    """{tests: why they prove nothing as the tree stands}."""
    reasons = {}
    for tests in sorted({mutation.tests for mutation in mutations}):
        passed, output = copy.test(tests, jobs)
        if NO_TESTS in output:
            reasons[tests] = f"no test is called {tests}"
        elif not passed:
            reasons[tests] = f"red without the mutation: {failed_test(output)}"
    return reasons


def try_mutation(copy, mutation, jobs):
    original = copy.read(mutation.file)
    copy.write(mutation.file, mutation.apply(original))
    try:
        compiled = copy.compile([mutation.program], jobs)
        if compiled.returncode != 0:
            return "BROKEN", f"does not compile: {first_error(compiled.stdout)}"
        passed, output = copy.test(mutation.tests, jobs)
        return ("SURVIVED", f"{mutation.tests} stayed green") if passed else ("caught", failed_test(output))
    finally:
        copy.write(mutation.file, original)


def work(copy, todo, outcomes, jobs, reasons):
    while True:
        try:
            mutation = todo.get_nowait()
        except queue.Empty:
            return
        started = time.monotonic()
        if reason := reasons.get(mutation.tests):
            outcome = Outcome(mutation, "BROKEN", reason)
        else:
            outcome = Outcome(mutation, *try_mutation(copy, mutation, jobs), time.monotonic() - started)
        outcomes.append(outcome)
        print(f"  {outcome.word:8}  {mutation.name}  ({outcome.detail})", flush=True)


def prepare(copies, mutations, jobs):
    """Builds the first copy and checks that it is green; the other copies build out of the cache later."""
    programs = sorted({mutation.program for mutation in mutations})
    training = any(mutation.program.startswith("training") for mutation in mutations)
    for copy in copies:
        copy.refresh()
        configured = copy.configure(training)
        if configured.returncode != 0:
            sys.exit(f"cmake could not configure {copy.tree}:\n{last_lines(configured.stdout)}")
    compiled = copies[0].compile(["-k", "0", *programs], jobs)
    if compiled.returncode != 0:
        print(f"not everything builds without a mutation: {first_error(compiled.stdout)}", flush=True)
    return check_green(copies[0], mutations, jobs)


def run(mutations, workers, jobs):
    copies = [Copy(number) for number in range(workers)]
    print(f"building {len({mutation.program for mutation in mutations})} test programs without a mutation", flush=True)
    reasons = prepare(copies, mutations, jobs)
    todo, outcomes = queue.Queue(), []
    for mutation in mutations:
        todo.put(mutation)
    jobs_each = max(1, jobs // workers)
    threads = [threading.Thread(target=work, args=(copy, todo, outcomes, jobs_each, reasons)) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def print_table(outcomes, order):
    outcomes = sorted(outcomes, key=lambda outcome: order[outcome.mutation.name])
    width = max(len(outcome.mutation.name) for outcome in outcomes)
    files = max(len(outcome.mutation.file) for outcome in outcomes)
    print(f"\n{'result':8}  {'mutation':{width}}  {'file':{files}}  {'time':>6}  caught by, or why not")
    for outcome in outcomes:
        print(f"{outcome.word:8}  {outcome.mutation.name:{width}}  {outcome.mutation.file:{files}}  "
              f"{outcome.seconds:4.0f} s  {outcome.detail}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="", help="only mutations whose name, file or tests contain it")
    parser.add_argument("--list", action="store_true", help="show them, and whether each applies; run nothing")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("PERENNIAL_JOBS", os.cpu_count() or 1)))
    arguments = parser.parse_args()
    wanted = arguments.pattern.lower()
    mutations = [mutation for mutation in read_mutations()
                 if wanted in f"{mutation.name} {mutation.file} {mutation.program} {mutation.tests}".lower()]
    if not mutations:
        sys.exit(f"{LIST} has no mutation with '{arguments.pattern}' in its name, file or tests")
    order = {mutation.name: index for index, mutation in enumerate(mutations)}
    outcomes = [Outcome(mutation, "STALE", f"{reason}: mend its entry in {LIST}")
                for mutation in mutations if (reason := why_not_applicable(mutation))]
    if arguments.list:
        stale = {outcome.mutation for outcome in outcomes}
        for mutation in mutations:
            print(f"{'STALE' if mutation in stale else 'applies':8}  {mutation.file:36}  {mutation.name}")
    else:
        stale = {outcome.mutation for outcome in outcomes}
        sound = [mutation for mutation in mutations if mutation not in stale]
        if sound:
            outcomes += run(sound, min(2, arguments.jobs, len(sound)), arguments.jobs)
        print_table(outcomes, order)
        caught = sum(outcome.good for outcome in outcomes)
        print(f"\n{caught} of {len(outcomes)} mutations caught")
    return 0 if all(outcome.good for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
