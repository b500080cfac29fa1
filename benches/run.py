#!/usr/bin/env python3
"""Measures libus3 against what users would pick instead, and against the limits of the kernel.

    run.py BUILD LIB_DIR [--soft LIB_DIR] [--runs N] [--results FILE] [GROUP...]

BUILD holds the programs of benches/c and us3-sink, LIB_DIR the library; --soft names one that was built without the
processor's SHA instructions. Every case runs as a process of its own, in turn with the others of its group, so
that a machine that is busy for a while is so for all of them. What is printed is the median of the runs.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

MIB = 1 << 20
GIB = 1 << 30


class Bench:
    """The programs, the files and the sink."""

    def __init__(self, build, library, soft, folder):
        self.build, self.folder = os.path.abspath(build), folder
        self.library, self.soft = os.path.abspath(library), soft and os.path.abspath(soft)
        self.ca = os.path.join(folder, "ca.pem")
        self.sink = subprocess.Popen([self.program("us3-sink"), self.ca], stdout=subprocess.PIPE, text=True)
        ready = self.sink.stdout.readline()
        self.http, self.https = re.search(r"http=(\S+) https=(\S+)", ready).groups()
        self.port = self.http.rsplit(":", 1)[1]

    def program(self, name):
        return os.path.join(self.build, name)

    def file(self, size):
        """A file of random bytes, in the page cache."""
        path = os.path.join(self.folder, str(size))
        if not os.path.exists(path):
            block = os.urandom(MIB)
            with open(path, "wb") as file:
                for _ in range(max(size // MIB, 1)):
                    file.write(block[: min(size, MIB)])
        return path

    def measure(self, command, soft=False):
        """Runs a command once: its wall and CPU seconds, its peak memory in MiB, the CPU seconds of the service, and
        what it printed."""
        out = os.path.join(self.folder, "cost")
        environment = dict(os.environ, LD_LIBRARY_PATH=self.soft if soft else self.library)
        run = [self.program("measure"), out] + [str(word) for word in command]
        service = self.service_cpu()
        printed = subprocess.run(run, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
        with open(out) as file:
            wall, cpu, peak, status = file.read().split()
        if status != "0":
            raise RuntimeError(f"{' '.join(run)} ended with status {status}")
        facts = dict(line.split() for line in printed.splitlines() if len(line.split()) == 2)
        return {"wall": float(wall), "cpu": float(cpu), "peak": float(peak) / 1024,
                "service": self.service_cpu() - service,
                **{name: float(value) for name, value in facts.items()}}

    def service_cpu(self):
        """CPU seconds of the sink so far: it runs on the same cores, and bounds what a client can reach."""
        with open(f"/proc/{self.sink.pid}/stat") as file:
            user, system = file.read().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    # ---- commands ------------------------------------------------------------------------------

    def raw(self, how, size, *more):
        return [self.program("raw"), how, self.port, self.file(size), *more]

    def upload(self, size, *options, tls=False):
        address = ["-c", self.ca, self.https] if tls else [self.http]
        return [self.program("upload"), *options, *address, self.file(size)]

    def curl(self, size, tls=False):
        trust = ["--cacert", self.ca] if tls else []
        url = (self.https if tls else self.http) + "/key"
        return ["curl", "--silent", "--show-error", "--fail", "--output", os.devnull, *trust,
                "--upload-file", self.file(size), url]

    def curl_loop(self, size, count):
        return [self.program("curl_loop"), self.http + "/key", self.file(size), count]


def groups(bench):
    """The cases: by group, name to command. A name that ends in "no SHA-NI" runs with the soft library."""
    have_curl = shutil.which("curl") is not None
    have_loop = os.path.exists(bench.program("curl_loop"))
    if not have_curl or not have_loop:
        print("curl or libcurl is not installed: left out, and with it the targets that compare with it", file=sys.stderr)
    parts = {
        "sendfile, 10 connections": bench.raw("sendfile", GIB, 10),
        "pread + send, 10 connections": bench.raw("copy", GIB, 10),
        "libus3, 10 parts": bench.upload(GIB, "-m", "parts", "-u"),
        "libus3, 10 parts, ETags verified": bench.upload(GIB, "-m", "parts"),
        "libus3, 10 parts, ETags verified, no SHA-NI": bench.upload(GIB, "-m", "parts"),
    }
    put = {
        "pread + send": bench.raw("put", 256 * MIB),
        "curl -T": bench.curl(256 * MIB),
        "libus3": bench.upload(256 * MIB, "-u"),
        "libus3, ETag verified": bench.upload(256 * MIB),
        "libus3, ETag verified, no SHA-NI": bench.upload(256 * MIB),
    }
    tls = {
        "curl -T, https": bench.curl(256 * MIB, tls=True),
        "libus3, https": bench.upload(256 * MIB, "-u", tls=True),
        "libus3, https, ETag verified": bench.upload(256 * MIB, tls=True),
    }
    small = {
        "raw socket": bench.raw("small", 4096, 2000),
        "libcurl loop": bench.curl_loop(4096, 2000),
        "libus3, one thread": bench.upload(4096, "-n", 2000),
        "libus3, one thread, ETags not verified": bench.upload(4096, "-n", 2000, "-u"),
        "libus3, 32 threads": bench.upload(4096, "-n", 2000, "-t", 32),
    }
    many = {
        "libus3, all at once": bench.upload(MIB, "-m", "many", "-n", 1000),
        "libus3, 8 at a time": bench.upload(MIB, "-n", 1000, "-t", 8),
        "libus3, 16 at a time": bench.upload(MIB, "-n", 1000, "-t", 16),
        "libus3, 32 at a time": bench.upload(MIB, "-n", 1000, "-t", 32),
    }
    rest = {
        "an idle client, 3 s": bench.upload(4096, "-m", "idle", "-n", 3),
        "to the first byte": bench.upload(4096, "-m", "first"),
        "loading the library": [bench.program("load"), os.path.join(bench.library, "libus3.so")],
    }
    found = {"parts": parts, "put": put, "tls": tls, "small": small, "many": many, "rest": rest}

    def possible(name):
        return (have_curl or "curl -T" not in name) and (have_loop or "loop" not in name) \
            and (bench.soft or "no SHA-NI" not in name)
    return {group: {name: command for name, command in cases.items() if possible(name)}
            for group, cases in found.items()}


TITLES = {
    "parts": "1 GiB in parts of 4 MiB",
    "put": "256 MiB in one PutFile",
    "tls": "256 MiB in one PutFile over TLS",
    "small": "2,000 PutFiles of 4 KiB, one connection for each thread",
    "many": "1,000 PutFiles of 1 MiB, ETags verified",
    "rest": "The client itself",
}


class Results:
    """Every run of every case."""

    def __init__(self):
        self.runs = {}

    def add(self, case, run):
        self.runs.setdefault(case, []).append(run)

    def median(self, case, figure):
        return statistics.median(run[figure] for run in self.runs[case])

    def ratio(self, case, other, figure):
        """The median of the ratios within one round: a machine that is busy for a while does not show."""
        pairs = zip(self.runs[case], self.runs[other])
        return statistics.median(one[figure] / two[figure] for one, two in pairs)

    def has(self, *cases):
        return all(case in self.runs for case in cases)


def run(bench, chosen, count):
    results = Results()
    for group, cases in groups(bench).items():
        if chosen and group not in chosen:
            continue
        for round_number in range(count + 1):
            print(f"\r{group}: round {round_number} of {count}  ", end="", file=sys.stderr, flush=True)
            for name, command in cases.items():
                one = bench.measure(command, soft="no SHA-NI" in name)
                # The first warms up.
                if round_number > 0:
                    results.add(name, one)
        print(file=sys.stderr)
    return results


def targets(results, bench):
    """What is asked for, what was found, and the limit."""
    found = []

    def target(number, what, value, limit, unit, *cases):
        if results.has(*cases):
            found.append((number, what, value(), limit, unit))
    idle, parts, copy = "an idle client, 3 s", "libus3, 10 parts", "pread + send, 10 connections"
    ratio, median = results.ratio, results.median

    def above_idle(case):
        return lambda: median(case, "peak") - median(idle, "peak")
    target(1, "parts: CPU against pread + send", lambda: ratio(parts, copy, "cpu"), 1.4, "×", parts, copy)
    target(1, "parts: wall against pread + send", lambda: ratio(parts, copy, "wall"), 1.5, "×", parts, copy)
    target(1, "parts: peak above an idle client", above_idle(parts), 16, "MiB", parts, idle)
    for name in ("libus3, 10 parts, ETags verified", "libus3, 10 parts, ETags verified, no SHA-NI"):
        short = name.replace("libus3, 10 ", "")
        target(2, f"{short}: CPU", lambda name=name: median(name, "cpu"), 3.0, "s/GiB", name)
        target(2, f"{short}: wall against its CPU", lambda name=name: statistics.median(
            one["wall"] / one["cpu"] for one in results.runs[name]), 0.6, "×", name)
        target(2, f"{short}: peak above an idle client", above_idle(name), 16, "MiB", name, idle)
    target(3, "PutFile: CPU against curl -T", lambda: ratio("libus3", "curl -T", "cpu"), 1.15, "×", "libus3", "curl -T")
    target(3, "PutFile: peak above an idle client", above_idle("libus3"), 8, "MiB", "libus3", idle)
    one, loop, threads = "libus3, one thread", "libcurl loop", "libus3, 32 threads"
    target(4, "small puts: CPU against a libcurl loop", lambda: ratio(one, loop, "cpu"), 1.0, "×", one, loop)
    target(4, "small puts: time of one thread against 32", lambda: ratio(one, threads, "wall"), -3.0, "×", one, threads)
    many = "libus3, all at once"
    some = [f"libus3, {count} at a time" for count in (8, 16, 32)]
    target(5, "1,000 at once: peak", lambda: median(many, "peak"), 64, "MiB", many)
    target(5, "1,000 at once: threads", lambda: median(many, "threads"), 64, "", many)
    target(5, "1,000 at once: time against the best number at a time", lambda: statistics.median(
        run["wall"] / min(results.runs[case][number]["wall"] for case in some)
        for number, run in enumerate(results.runs[many])), 1.3, "×", many, *some)
    target(5, "idle client: threads", lambda: median(idle, "client_threads"), 2, "", idle)
    target(5, "idle client: memory", lambda: median(idle, "client_kib") / 1024, 2, "MiB", idle)
    target(5, "idle client: wake-ups in 3 s", lambda: median(idle, "wakeups"), 0, "", idle)
    target(6, "TLS: CPU against curl -T", lambda: ratio("libus3, https", "curl -T, https", "cpu"), 1.25, "×",
           "libus3, https", "curl -T, https")
    target(7, "client_new to the first byte", lambda: median("to the first byte", "first_byte_ms"), 5, "ms",
           "to the first byte")
    target(7, "loading the library", lambda: median("loading the library", "load_ms"), 5, "ms", "loading the library")
    size = os.path.getsize(os.path.realpath(os.path.join(bench.library, "libus3.so")))
    found.append((8, "libus3.so, stripped of debug information", size / 1e6, 4.5, "MB"))
    return found


# ---- the report --------------------------------------------------------------------------------

def machine():
    with open("/proc/cpuinfo") as file:
        text = file.read()
    model = re.search(r"model name\s*: (.*)", text)
    flags = re.search(r"(?:flags|Features)\s*: (.*)", text)
    flags = flags.group(1).split() if flags else []
    told = ", ".join(f"{flag} {'yes' if flag in flags else 'no'}" for flag in ("sha_ni", "avx2", "avx512f"))
    kernel = os.uname().release.split("-")[0]
    return f"{model.group(1) if model else os.uname().machine}, {os.cpu_count()} cores ({told}), Linux {kernel}"


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(cases, results):
    lines = [row("", "CPU s", "least", "wall s", "peak MiB", "service's CPU s"), "|---|--:|--:|--:|--:|--:|"]
    for name in cases:
        least = min(one["cpu"] for one in results.runs[name])
        lines.append(row(name, f"{results.median(name, 'cpu'):.3f}", f"{least:.3f}",
                         f"{results.median(name, 'wall'):.3f}", f"{results.median(name, 'peak'):.1f}",
                         f"{results.median(name, 'service'):.2f}"))
    return lines


def report(bench, results, count):
    lines = [f"Machine: {machine()}. Medians of {count} interleaved runs; loopback, warm page cache.", ""]
    for group, cases in groups(bench).items():
        cases = [name for name in cases if results.has(name)]
        if cases:
            lines += [f"## {TITLES[group]}", "", *table(cases, results), ""]
    lines += ["## Targets", "", row("", "what", "target", "measured", ""), "|--:|---|--:|--:|---|"]
    for number, what, value, limit, unit in targets(results, bench):
        at_least = limit < 0
        met = value >= -limit if at_least else value <= limit
        lines.append(row(number, what, f"{'≥' if at_least else '≤'} {abs(limit)} {unit}".strip(),
                         f"{value:.2f} {unit}".strip(), "met" if met else "**missed**"))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("library")
    parser.add_argument("--soft", metavar="LIB_DIR")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--results", metavar="FILE")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=" ".join(TITLES))
    given = parser.parse_intermixed_args()
    unknown = set(given.groups) - set(TITLES)
    if unknown:
        parser.error(f"no such group: {' '.join(unknown)}; there are {' '.join(TITLES)}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(given.build, given.library, given.soft, folder)
        try:
            results = run(bench, given.groups, given.runs)
            text = report(bench, results, given.runs)
        finally:
            bench.sink.kill()
            bench.sink.wait()
    print(text)
    if given.results and not given.groups:
        with open(given.results, "w") as file:
            file.write(f"# Benchmarks\n\nWritten by `make bench`; docs/performance.md explains them.\n\n{text}")


if __name__ == "__main__":
    main()
