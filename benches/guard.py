#!/usr/bin/env python3
"""Counts instructions, which repeat where times do not, and fails when they are far more than they were.

    guard.py BUILD LIB_DIR [--update]

The numbers stand in benches/guard.json: what the library itself executes for one more unit of work, counted by
valgrind as the difference between much and little of it, so that starting does not count. --update writes them anew.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

MIB = 1 << 20
HERE = os.path.dirname(os.path.abspath(__file__))
BASELINE = os.path.join(HERE, "guard.json")

# How much more is still fine: threads that wait for each other do not always take the same way.
MARGIN = 1.5


def instructions(command, library):
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--fair-sched=yes"]
    run = subprocess.run(valgrind + command, env=dict(os.environ, LD_LIBRARY_PATH=library),
                         stderr=subprocess.PIPE, text=True)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not found:
        sys.exit(f"guard: {' '.join(command)} failed under valgrind:\n{run.stderr}")
    return int(found.group(1))


def counts(build, library, folder):
    """Millions of instructions by what they are for."""
    sink = subprocess.Popen([os.path.join(build, "us3-sink"), os.path.join(folder, "ca.pem")],
                            stdout=subprocess.PIPE, text=True)
    try:
        url = re.search(r"http=(\S+)", sink.stdout.readline()).group(1)

        def count(*options, size):
            path = os.path.join(folder, str(size))
            with open(path, "wb") as file:
                file.truncate(size)
            return instructions([os.path.join(build, "upload"), *options, url, path], library)

        def parts(*options):
            return 16 * (count("-m", "parts", *options, size=80 * MIB) - count("-m", "parts", *options, size=16 * MIB))
        small = count("-n", "1010", size=4096) - count("-n", "10", size=4096)
        # How many parts are hashed together is chance, and under valgrind the more so: hence one at a time.
        found = {"1 GiB in parts": parts("-u"), "1 GiB in parts one by one, ETags verified": parts("-j", "1"),
                 "1,000 PutFiles of 4 KiB": small}
    finally:
        sink.kill()
        sink.wait()
    return {name: round(number / 1e6) for name, number in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("library")
    parser.add_argument("--update", action="store_true")
    given = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("guard: NOT CHECKED: valgrind is not installed (Debian: apt-get install valgrind)", file=sys.stderr)
        sys.exit(1 if os.environ.get("REQUIRE_ALL") == "1" else 0)
    with tempfile.TemporaryDirectory() as folder:
        found = counts(given.build, os.path.abspath(given.library), folder)
    if given.update:
        with open(BASELINE, "w") as file:
            json.dump(found, file, indent=4)
            file.write("\n")
        return
    with open(BASELINE) as file:
        baseline = json.load(file)
    failed = False
    for name, number in found.items():
        most = baseline[name] * MARGIN
        verdict = "ok  " if number <= most else "FAIL"
        failed |= number > most
        print(f"{verdict}  {name}: {number} million instructions, at most {most:.0f}")
    if failed:
        sys.exit("guard: the library does much more than it did; find out why, or, if it must, see CONTRIBUTING.md")


if __name__ == "__main__":
    main()
