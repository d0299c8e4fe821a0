#!/usr/bin/env python3
"""A scripted day on a simulated fleet: what the autopilot's bill is against every fixed policy's. ./dev demo-day

    demo/day.py                 the day in simulated time: the router's own code and the gateway's own accounting, some 150,000 requests
    demo/day.py --hours 3       the same day passed through in fewer hours (the test's form)
    demo/day.py --live          a minute of it through a running gateway with simulated engines, the autopilot and two fixed policies

The day: few requests at night, many at noon; a burst at 06:30 and one at 20:30; at 13:00 the cheapest managed host doubles its price; from
15:00 to 17:30 one of the two rented GPUs is gone, and is billed all the same. Two rented GPUs, a serverless pool, the same open model at two managed hosts.

Every figure is what `tollgate simulate --json` says, which decides each request by the router's code and bills pools by the gateway's. A policy that
does not use a pool is not billed for it. The same --seed gives the same table. Exit code 1: a fixed policy is cheaper than the autopilot beyond the 95 % interval.
"""

import argparse
import concurrent.futures
import json
import math
import pathlib
import random
import sqlite3
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests/support")]
import gateway as running  # noqa: E402

BEGIN_US = 1_793_577_600_000_000       # 2026-11-02, a Monday, midnight UTC
IDS_BEGIN_MS = 1_735_689_600_000       # ids count milliseconds since 2025 (metrics/records.cpp)
INPUT, OUTPUT = 1500, 400              # tokens of a request, in the mean
PRICE_CHANGE, LOST, BACK = 13, 15, 17.5   # hours of the day
BURSTS = ((6.5, 6.6, 6), (20.5, 20.7, 6))   # from, to, requests a second more
TARGETS = ["gpu-a/llama", "gpu-b/llama", "serverless/llama", "host-a/llama", "host-b/llama"]
MS_PER_TOKEN = {"gpu-a/llama": 20, "gpu-b/llama": 20, "serverless/llama": 20, "host-a/llama": 16, "host-b/llama": 12}

ALL = list(range(len(TARGETS)))
# Name, targets in the route's order, what else the route says.
POLICIES = [
    ("managed, one host", [3], "choose: first"),
    ("managed, the cheaper host", [3, 4], "choose: cheapest"),
    ("rented, then managed", [0, 1, 3, 4], "choose: cheapest"),
    ("rented, then serverless", [0, 1, 2], "choose: first"),
    ("serverless, then managed", [2, 3, 4], "choose: first"),
    ("rented, serverless, managed", ALL, "choose: first"),
    ("cheapest, marginal", ALL, "choose: cheapest"),
    ("cheapest, loaded", ALL, "choose: cheapest, cost_basis: loaded"),
]
AUTOPILOT = ("autopilot", ALL, "choose: cheapest, autopilot: true")


def say(text=""):
    print(text, flush=True)


def rate(hour):
    """Requests a second at an hour of the day."""
    base = 0.25 + 5.5 * max(0.0, math.sin((hour - 6.5) / 13 * math.pi)) ** 1.5 if 6.5 < hour < 19.5 else 0.25
    return base + sum(more for begin, end, more in BURSTS if begin <= hour < end)


def clock(hour, hours):
    """The time of day at which the scripted hour comes when the day is passed through in so many hours."""
    minutes = round(hour * hours / 24 * 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def config(targets, rules, hours, ledger):
    """The fleet as far as these targets need it, and one route."""
    calibrated = "prefill_tokens_per_second: 40000, decode_tokens_per_second: 600"   # twelve requests at once at full speed
    price = "input_usd_per_million_tokens: \"{0}\", output_usd_per_million_tokens: \"{0}\""
    changed = f", timed: [{{daily: \"{clock(PRICE_CHANGE, hours)}-{clock(24, hours) if hours < 24 else '00:00'}\", prices: {{{price.format('1.80')}}}}}]"
    backends = {
        0: f"  gpu-a: {{dialect: vllm, url: \"http://127.0.0.1:9\", pool: {{billing: dedicated, gpu: H100, gpus: 1, usd_per_gpu_hour: \"2.49\", {calibrated}}}, models: {{llama: {{concurrency_max: 12}}}}}}",
        1: f"  gpu-b: {{dialect: vllm, url: \"http://127.0.0.1:9\", pool: {{billing: dedicated, gpu: H100, gpus: 1, usd_per_gpu_hour: \"2.49\", {calibrated}}}, models: {{llama: {{concurrency_max: 12}}}}}}",
        2: "  serverless: {dialect: vllm, url: \"http://127.0.0.1:9\", pool: {billing: serverless, gpu: H100, gpus: 1, usd_per_gpu_second: \"0.0010972\", cold_start_seconds: 45, "
           "idle_timeout_seconds: 60, workers_max: 6, requests_per_worker: 12}, models: {llama: {concurrency_max: 72}}}",
        3: f"  host-a: {{dialect: openai, url: \"http://127.0.0.1:9\", models: {{llama: {{prices: {{{price.format('0.90')}{changed}}}}}}}}}",
        4: f"  host-b: {{dialect: openai, url: \"http://127.0.0.1:9\", models: {{llama: {{prices: {{{price.format('1.20')}}}}}}}}}",
    }
    among = ", ".join(TARGETS[i] for i in targets)
    return ("version: 1\nserver: {listen: \"127.0.0.1:0\", reactors: 1}\nadmin: {listen: \"127.0.0.1:0\"}\n"
            f"ledger: {{url: \"sqlite:{ledger}\"}}\nlog: {{level: warn}}\nspill_over: {{back_at: 0.9}}\n"
            "backends:\n" + "\n".join(backends[i] for i in targets) + f"\nroutes:\n  - {{name: auto, when: {{model: auto}}, {rules}, among: [{among}]}}\n")


def varints(*values):
    out = bytearray()
    for value in values:
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
    return bytes(out)


def facts(score, text_bytes, first, down):
    """metrics/decision_facts.cpp, version 1."""
    bits = struct.unpack("<I", struct.pack("<f", score))[0]
    return varints(1, 0, first, text_bytes, 2, 0, 0, 1, 0, bits, 0, 0, down, 0, 0, 0)


def arrivals(hours, rng):
    """Random (Poisson) arrivals: (microseconds since the beginning, hour of the scripted day)."""
    at, peak = 0.0, max(rate(hour / 100) for hour in range(2400))
    while True:
        at += rng.expovariate(peak)
        if at >= hours * 3600:
            return
        hour = at / 3600 / hours * 24
        if rng.random() * peak < rate(hour):
            yield int(at * 1e6), hour


def record(path, hours, seed):
    """The day's requests as a ledger. Each target answered some, so that its speed is measured; what down means is noted as the gateway does."""
    rng = random.Random(seed)
    made = running.Gateway(config(ALL, "choose: first", hours, path).replace(str(path), "LEDGER"))
    with made:
        made.chat("hello")             # no engine answers: the request is recorded all the same, with names and questions
        made.stop()
        with sqlite3.connect(made.ledger_path) as source, sqlite3.connect(path) as target:
            source.backup(target)
    database = sqlite3.connect(path)
    for text in ("auto", "ok", "", *TARGETS):
        database.execute("INSERT OR IGNORE INTO name(text) VALUES(?)", (text,))
    name = dict(database.execute("SELECT text, id FROM name"))
    asked = database.execute("SELECT asked FROM decision LIMIT 1").fetchone()[0]
    for table in ("request", "attempt", "coverage", "decision", "pool_hour"):
        database.execute(f"DELETE FROM {table}")
    requests, attempts, noted = [], [], []
    last_ms, sequence = 0, 0
    for number, (at, hour) in enumerate(arrivals(hours, rng)):
        at += BEGIN_US
        ms = at // 1000 - IDS_BEGIN_MS
        sequence = sequence + 1 if ms == last_ms else 0
        last_ms = ms
        request_id = ms << 22 | sequence
        inputs, output = int(INPUT * rng.lognormvariate(-0.125, 0.5)) + 20, int(OUTPUT * rng.lognormvariate(-0.125, 0.5)) + 10
        down = 0b10 if LOST <= hour < BACK else 0
        place = number % len(TARGETS) if not down else (0, 2, 3, 4)[number % 4]
        first = 80_000 + inputs * 25
        took = first + (output - 1) * MS_PER_TOKEN[TARGETS[place]] * 1000
        target = name[TARGETS[place]]
        requests.append((request_id, at, took, name["auto"], name["auto"], name[""], name[""], target, 300_000, 1, 0, 1, name["ok"], 200, 1, inputs * 4))
        attempts.append((request_id, 1, target, name["ok"], 200, 3, 0, 2, 0, first, took, inputs, 0, 0, output, 0, 0, 0, 0, 0, 0, 0))
        noted.append((request_id, asked, facts(0.3, inputs * 4, place, down)))
    database.executemany(f"INSERT INTO request VALUES({','.join('?' * 16)})", requests)
    columns = ("request,number,target,result,http_status,usage_source,pool_method,pricing,started_after_us,first_token_after_us,ended_after_us,"
               "input,cached_input,cache_write,output,reasoning,input_pusd,cached_input_pusd,cache_write_pusd,output_pusd,request_pusd,gpu_pusd")
    database.executemany(f"INSERT INTO attempt({columns}) VALUES({','.join('?' * 22)})", attempts)
    database.executemany("INSERT INTO decision VALUES(?,?,?)", noted)
    database.commit()
    database.close()
    return len(requests)


def simulate(directory, ledger, hours, policy):
    """`tollgate simulate`: the autopilot (after) against one fixed policy (before)."""
    files = {}
    for name, targets, rules in (AUTOPILOT, policy):
        files[name] = directory / f"{name.replace(' ', '-').replace(',', '')}.yaml"
        files[name].write_text(config(targets, rules, hours, ledger))
    ran = subprocess.run([running.PROGRAM, "simulate", "--config", files[AUTOPILOT[0]], "--against", files[policy[0]], "--since", "2026-11-02", "--until", "2026-11-03", "--json"],
                         capture_output=True, text=True, timeout=600)
    if ran.returncode != 0:
        raise RuntimeError(f"{policy[0]}: {ran.stderr}{ran.stdout}")
    return json.loads(ran.stdout)


def side(page, when):
    """What one of the two worlds came to."""
    pools = page["pools"][when]
    whole, first = page["latency"]["whole"][when], page["latency"]["first_token"][when]
    usd = float(page["cost"][f"usd_{when}"])
    billed = sum(float(pool["usd_billed"]) for pool in pools)
    served = {each["name"]: each[when]["requests"] for each in page["targets"] if each[when]["requests"]}
    return {"usd": usd, "managed_usd": usd - billed, "pools_usd": billed, "idle_usd": sum(float(pool["usd_idle"]) for pool in pools),
            "cold_starts": sum(pool["cold_starts"] for pool in pools), "refused": sum(each[when]["refused"] for each in page["routes"]), "first_ms": first["mean_ms"], "first_p95_ms": first["p95_ms"],
            "mean_ms": whole["mean_ms"], "p95_ms": whole["p95_ms"], "at_risk": page["quality"][f"at_risk_{when}"], "served": served,
            "busy": {pool["pool"]: pool["busy_ratio"] for pool in pools},
            "autopilot": {pool["pool"]: pool["autopilot"] for pool in pools if "autopilot" in pool}}


def table(report):
    hours = report["hours"]
    say(f"{report['requests']} requests in {hours:g} hours, seed {report['seed']}\n")
    say(f"{'policy':<30}{'$ bill':>9}{'managed':>9}{'pools':>9}{'of it idle':>11}{'boots':>7}{'refused':>9}{'first token':>13}{'p95':>8}{'answer':>9}{'autopilot saves, 95 %':>27}")
    for row in report["policies"]:
        saves = "" if row["name"] == AUTOPILOT[0] else f"${row['saves']:.2f} ({row['saves_interval'][0]:.2f} to {row['saves_interval'][1]:.2f})"
        say(f"{row['name']:<30}{row['usd']:>9.2f}{row['managed_usd']:>9.2f}{row['pools_usd']:>9.2f}{row['idle_usd']:>11.2f}{row['cold_starts']:>7}{row['refused']:>9}"
            f"{row['first_ms']:>10.0f} ms{row['first_p95_ms'] / 1000:>6.1f} s{row['mean_ms'] / 1000:>7.1f} s{saves:>27}")
    for pool, kept in report["policies"][-1]["autopilot"].items():
        say(f"\nAutopilot: {pool} open {100 * kept['open_ratio']:.1f} % of the day; opened {kept['opened']} times, closed {kept['closed']} times.")
    say("Quality is the same everywhere: one model. Requests of which the complexity is above the target's capability: 0.")


def day(options):
    with tempfile.TemporaryDirectory(prefix="tollgate-day-") as place:
        directory = pathlib.Path(place)
        ledger = directory / "day.db"
        count = record(ledger, options.hours, options.seed)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            pages = list(pool.map(lambda policy: simulate(directory, ledger, options.hours, policy), POLICIES))
    rows = []
    for (name, _, _), page in zip(POLICIES, pages):
        low, high = page["cost"]["difference_interval"]
        rows.append({"name": name, **side(page, "before"), "saves": -float(page["cost"]["usd_difference"]), "saves_interval": [-high, -low]})
    rows.sort(key=lambda row: -row["usd"])
    rows.append({"name": AUTOPILOT[0], **side(pages[0], "after")})
    return {"requests": count, "hours": options.hours, "seed": options.seed, "policies": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24, help="how many hours the day is passed through in (default: 24)")
    parser.add_argument("--seed", type=int, default=1, help="decides arrivals and lengths (default: 1)")
    parser.add_argument("--jobs", type=int, default=1, help="simulations at once; each uses two cores (default: 1)")
    parser.add_argument("--live", action="store_true", help="a compressed day through a running gateway instead")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    options = parser.parse_args()
    if not 1 <= options.hours <= 24:
        parser.error("--hours is from 1 to 24")
    if options.live:
        import day_live
        return day_live.main(options)
    report = day(options)
    if options.json:
        say(json.dumps(report, indent=2))
    else:
        table(report)
    lost = [row["name"] for row in report["policies"] if row.get("saves_interval", [0, 0])[1] < 0]
    if lost:
        say(f"cheaper than the autopilot: {', '.join(lost)}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
