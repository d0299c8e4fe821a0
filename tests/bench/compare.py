"""Tollgate, nginx and HAProxy in front of the same cheap upstream, in turn (A B C A B C …), one worker thread each.

The proxy runs on one CPU, upstream and load on another. Figures are medians over the rounds; ratios to HAProxy are taken within a
round, so that what else the machine does falls out. Tollgate does its whole work: key, parsing, classification, decision, metering,
ledger, metrics.

    ./dev bench                  about four minutes
    ./dev bench --quick          one short round, to see that it works
    ./dev bench --write          and writes the tables to docs/performance.md
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import proxies
from proxies import BUILD, KEY, LOAD_CPU, ROOT

BY_HAND = "## Where the time goes"   # from here on docs/performance.md is kept
GATES = {"1 KB": 1.5, "8 KB": 1.5, "64 KB": 1.5, "stream chunk": 1.2, "1 KB, libcurl": 2.3, "1 KB, TLS upstream": 1.5}


def load(port, **options):
    flags = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = ["taskset", "-c", LOAD_CPU, BUILD / "bench_load", "--port", str(port), "--key", KEY, "--model", "auto", *flags]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    result = json.loads(ran.stdout)
    if result["errors"] or result["mixed_up"]:
        raise SystemExit(f"wrong answers from port {port}: {ran.stdout}")
    return result


class Measured:
    """{(row, program): [figure of each round]}"""

    def __init__(self):
        self.rounds = {}

    def add(self, row, program, figure):
        self.rounds.setdefault((row, program), []).append(figure)

    def median(self, row, program):
        return statistics.median(self.rounds[row, program])

    def ratio(self, row, program, to="HAProxy"):
        own, other = self.rounds[row, program], self.rounds.get((row, to))
        return statistics.median(a / b for a, b in zip(own, other)) if other else None


class Bench:
    def __init__(self, directory, seconds, rounds):
        self.directory, self.seconds, self.rounds = directory, seconds, rounds
        self.cpu, self.per_second, self.p50, self.p99, self.memory, self.chunk_delay = (Measured() for _ in range(6))

    def saturated(self, row, program, body_bytes):
        before = program.cpu_seconds()
        result = load(program.port, connections=32, seconds=self.seconds, body_bytes=body_bytes)
        self.cpu.add(row, self.kind(program), (program.cpu_seconds() - before) * 1e6 / result["answered"])
        self.per_second.add(row, self.kind(program), result["per_second"])

    def at_fixed_rate(self, row, program, direct_port, body_bytes, rate):
        direct = load(direct_port, connections=64, seconds=self.seconds, rate=rate, body_bytes=body_bytes)
        result = load(program.port, connections=64, seconds=self.seconds, rate=rate, body_bytes=body_bytes)
        self.p50.add(row, self.kind(program), result["p50_us"] - direct["p50_us"])
        self.p99.add(row, self.kind(program), result["p99_us"] - direct["p99_us"])

    def streams(self, row, program, count):
        before = program.cpu_seconds()
        result = load(program.port, connections=count, seconds=self.seconds, stream=1)
        self.cpu.add(row, self.kind(program), (program.cpu_seconds() - before) * 1e6 / result["chunks"])
        self.chunk_delay.add(row, self.kind(program), result["chunk_p99_us"])

    def memory_of_streams(self, program, count):
        """Of a process that has served a little but never a stream; while all are open."""
        load(program.port, connections=8, seconds=0.3)
        before, most = program.rss_bytes(), 0
        command = ["taskset", "-c", LOAD_CPU, BUILD / "bench_load", "--port", str(program.port), "--key", KEY, "--model", "auto",
                   "--connections", str(count), "--requests", str(count), "--stream", "1", "--seconds", "20"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            while running.poll() is None:
                most = max(most, program.rss_bytes())
                time.sleep(0.05)
            result = json.loads(running.stdout.read())
        if result["errors"] or result["mixed_up"] or result["answered"] != count:
            raise SystemExit(f"wrong answers from {program.name}: {result}")
        self.memory.add("memory", self.kind(program), (most - before) / count / 1024)
        self.chunk_delay.add(f"{count} at once", self.kind(program), result["chunk_p99_us"])

    @staticmethod
    def kind(program):
        return program.name.split(" ")[0]

    def run(self):
        started = []

        def keep(program):
            started.append(program)
            proxies.ready(program.port)
            return program

        try:
            self.measure(keep)
        finally:
            for program in reversed(started):
                program.stop()

    def measure(self, keep):
        at = self.directory
        upstream = keep(proxies.upstream(at))
        slow = keep(proxies.upstream(at, chunks=100, interval_us=20_000))
        certificates = proxies.Certificates(at)
        tls = keep(proxies.tls_upstream(at, upstream.port, certificates))
        plain = [keep(make(at, upstream.port)) for make in (proxies.gateway, proxies.nginx, proxies.haproxy)]
        streaming = [keep(make(at, slow.port, name=f"{name} streaming")) for make, name in
                     ((proxies.gateway, "tollgate"), (proxies.nginx, "nginx"), (proxies.haproxy, "HAProxy"))]
        curl = keep(proxies.gateway(at, upstream.port, name="tollgate curl", transport="curl"))
        over_tls = [keep(make(at, tls.port, name=f"{name} tls", tls=certificates)) for make, name in
                    ((proxies.gateway, "tollgate"), (proxies.nginx, "nginx"), (proxies.haproxy, "HAProxy"))]
        for program in streaming:
            self.memory_of_streams(program, 2000)
        for number in range(self.rounds):
            print(f"round {number + 1} of {self.rounds}", flush=True)
            for row, size in (("1 KB", 1024), ("8 KB", 8192), ("64 KB", 65536)):
                for program in plain:
                    self.saturated(row, program, size)
            for program in (curl, plain[2]):
                self.saturated("1 KB, libcurl", program, 1024)
            for program in over_tls:
                self.saturated("1 KB, TLS upstream", program, 1024)
            for row, size in (("1 KB", 1024), ("8 KB", 8192)):
                for program in plain:
                    self.at_fixed_rate(row, program, upstream.port, size, 2000)
            for program in streaming:
                self.streams("stream chunk", program, 500)


PROGRAMS = ("tollgate", "nginx", "HAProxy")


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + ["| " + " | ".join(row) + " |" for row in rows])


def cell(measured, row, program, form):
    return form.format(measured.median(row, program)) if (row, program) in measured.rounds else "–"


def report(bench):
    cpu = []
    for row in ("1 KB", "8 KB", "64 KB", "1 KB, libcurl", "1 KB, TLS upstream", "stream chunk"):
        ratio = bench.cpu.ratio(row, "tollgate")
        cpu.append([row, *(cell(bench.cpu, row, program, "{:.1f}") for program in PROGRAMS), f"{ratio:.2f}", f"≤ {GATES[row]}",
                    "yes" if ratio <= GATES[row] else "**no**"])
    rate = [[row, *(cell(bench.per_second, row, program, "{:,.0f}") for program in PROGRAMS)]
            for row in ("1 KB", "8 KB", "64 KB", "1 KB, libcurl", "1 KB, TLS upstream")]
    delay = [[row, *(f"{cell(bench.p50, row, program, '{:+.0f}')} / {cell(bench.p99, row, program, '{:+.0f}')}" for program in PROGRAMS)]
             for row in ("1 KB", "8 KB")]
    streams = [["memory per open stream, KiB", *(cell(bench.memory, "memory", program, "{:.1f}") for program in PROGRAMS)],
               ["p99 delay of a chunk, 2,000 started at once, ms", *(f"{bench.chunk_delay.median('2000 at once', p) / 1000:.1f}" for p in PROGRAMS)],
               ["p99 delay of a chunk, 500 streams, ms", *(f"{bench.chunk_delay.median('stream chunk', p) / 1000:.1f}" for p in PROGRAMS)]]
    return "\n\n".join([
        "CPU microseconds per request, or per chunk of a stream, of the proxy's process (all its threads); saturated, but for the\nstreams "
        "(500 of them, a chunk every 20 ms each):",
        table(["", *PROGRAMS, "ratio to HAProxy", "gate", "met"], cpu),
        "Requests per second, saturated, 32 connections:", table(["", *PROGRAMS], rate),
        "Delay added at 2,000 requests/s, p50 / p99 in microseconds over the same without a proxy:", table(["", *PROGRAMS], delay),
        "Streams:", table(["", *PROGRAMS], streams)])


def first_line(*command):
    ran = subprocess.run(command, capture_output=True, text=True)
    return ((ran.stdout or ran.stderr).splitlines() or ["?"])[0]


def machine():
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    return (f"{model}, {os.cpu_count()} CPUs (virtual), Linux {platform.release().split('-')[0]}, {first_line(str(BUILD / 'tollgate'), '--version')}, "
            f"{first_line('nginx', '-v').replace('nginx version: ', '')}, {' '.join(first_line('haproxy', '-v').split()[:3])}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of a second each")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    given = parser.parse_args()
    if given.quick:
        given.seconds, given.rounds = 1, 1
    with tempfile.TemporaryDirectory(prefix="tollgate-bench-") as directory:
        bench = Bench(directory, given.seconds, given.rounds)
        bench.run()
    text = report(bench)
    print(f"\n{machine()}\n\n{text}")
    if given.write:
        said = (f"# Performance\n\nWritten by `./dev bench --write` on {datetime.date.today()}: {given.rounds} rounds of {given.seconds:g} s each, the three in turn.\n"
                f"Machine: {machine()}. Everything runs on this one machine: the proxy on one CPU with one worker thread, upstream and load on\nanother. "
                f"Tollgate checks the key, parses, classifies, decides, meters, and writes its ledger and metrics; nginx and HAProxy pass bytes on.\n"
                f"Compare ratios, not figures: CPU per request depends on the machine and on the load.\n\n")
        (ROOT / "docs").mkdir(exist_ok=True)
        written = ROOT / "docs/performance.md"
        by_hand = written.read_text().partition(BY_HAND)[2] if written.exists() else ""
        written.write_text(said + text + "\n" + (f"\n{BY_HAND}{by_hand}" if by_hand else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
