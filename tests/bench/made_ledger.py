"""A ledger of any size, as a gateway would have written it, to measure `tollgate simulate` and `tollgate advise` on.

    python3 tests/bench/made_ledger.py --requests 1000000 --days 7 ledger.db
    time tollgate simulate --config ledger.db.yaml --against ledger.db.yaml --ledger ledger.db --since 8d

The program itself makes the empty ledger and answers one request, whose names and tables the made rows use; the configuration stands
beside the ledger. Traffic has days and nights, bursts, and five teams. Deterministic from --seed.
"""

import argparse
import math
import pathlib
import random
import shutil
import sqlite3
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from gateway import CONFIG, Gateway  # noqa: E402

RATE_PUSD = {"input": 2_500_000, "output": 10_000_000}   # a token of managed/large
POOL_PUSD_PER_US = 4_980_000_000_000 / 3_600_000_000      # 2 x $2.49 an hour
TEAMS = ["search", "support", "billing", "research", "mobile"]


def varints(*values):
    out = bytearray()
    for value in values:
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
    return bytes(out)


def facts(score, text_bytes, first):
    """metrics/decision_facts.cpp, version 1, without rare things."""
    bits = struct.unpack("<I", struct.pack("<f", score))[0]
    return varints(1, 0, first, text_bytes, 3, 0, 0, 1, 0, bits, 0b111, 0, 0, 0, 0, 0)


def arrivals(count, days, now_us, rng, growth=0.0):
    """Rising times over so many days: busy at noon, quiet at night, less at weekends, with bursts."""
    hours = []
    begin_us = now_us - days * 86_400_000_000
    for hour in range(days * 24):
        of_day = (begin_us // 3_600_000_000 + hour) % 24
        weekday = (begin_us // 86_400_000_000 + 4 + hour // 24) % 7
        weight = 0.15 + max(0.0, math.sin((of_day - 6) / 24 * 2 * math.pi)) * (0.4 if weekday in (6, 0) else 1.0)
        hours.append(weight * (4 if rng.random() < 0.02 else 1) * (1 + growth) ** (hour / 168))
    scale = count / sum(hours)
    times = []
    for hour, weight in enumerate(hours):
        for _ in range(round(weight * scale)):
            times.append(begin_us + hour * 3_600_000_000 + rng.randrange(3_600_000_000))
    times.sort()
    return times


def shared(spans):
    """What each of the spans [(begin, end)] owes of a pool's time when those at work share it evenly, and the busy time by hour."""
    events = sorted([(begin, 1, i) for i, (begin, _) in enumerate(spans)] + [(end, 0, i) for i, (_, end) in enumerate(spans)])
    value, running, at = 0.0, 0, 0
    began, owed, busy = [0.0] * len(spans), [0.0] * len(spans), {}
    for time_us, begins, i in events:
        if running:
            value += (time_us - at) / running
            while at < time_us:
                end = min(time_us, (at // 3_600_000_000 + 1) * 3_600_000_000)
                busy[at // 3_600_000_000] = busy.get(at // 3_600_000_000, 0) + end - at
                at = end
        at = time_us
        if begins:
            began[i] = value
        else:
            owed[i] = value - began[i]
        running += 1 if begins else -1
    return owed, busy


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ledger", type=pathlib.Path)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--size", type=float, default=1.0, help="so many times the usual tokens a request")
    parser.add_argument("--growth", type=float, default=0.0, help="more traffic every week, as a share of it: 0.05")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with Gateway(CONFIG) as gateway:
        assert gateway.chat("Hello")[0] == 200
        assert gateway.chat("Hello", model="managed/large")[0] == 200
        gateway.stop()
        shutil.copy(gateway.ledger_path, options.ledger)
        config = gateway.config_path.read_text().replace(str(gateway.ledger_path), str(options.ledger.resolve()))
        options.ledger.with_name(options.ledger.name + ".yaml").write_text(config)
    database = sqlite3.connect(options.ledger)
    database.execute("PRAGMA synchronous=OFF")
    database.execute("PRAGMA journal_mode=MEMORY")
    for team in TEAMS:
        database.execute("INSERT OR IGNORE INTO name(text) VALUES(?)", (team,))
    name = dict(database.execute("SELECT text, id FROM name"))
    asked = database.execute("SELECT asked FROM decision LIMIT 1").fetchone()[0]
    rules = database.execute("SELECT rules FROM coverage LIMIT 1").fetchone()[0]
    for table in ("request", "attempt", "coverage", "decision", "pool_hour"):
        database.execute(f"DELETE FROM {table}")
    now_us = int(time.time()) * 1_000_000
    request_rows, attempt_rows, coverage_rows, fact_rows = [], [], [], []
    epoch_ms = 1_735_689_600_000   # ids count milliseconds since 2025 (metrics/records.cpp)
    spans, pool_attempts = [], []
    last_ms, sequence = 0, 0
    for at in arrivals(options.requests, options.days, now_us, rng, options.growth):
        ms = at // 1000 - epoch_ms
        sequence = sequence + 1 if ms == last_ms else 0
        last_ms = ms
        request_id = ms << 22 | sequence
        score = struct.unpack("<f", struct.pack("<f", min(0.999, rng.betavariate(2, 3))))[0]
        pool = score <= 0.6
        target = name["gpu/llama" if pool else "managed/large"]
        inputs, output = int(options.size * rng.lognormvariate(6, 1)) + 10, int(options.size * rng.lognormvariate(5, 0.7)) + 5
        first = int(30_000 + inputs * (5 if pool else 2))
        took = first + output * (2_000 if pool else 4_000)
        ppm = round(score * 1e6)
        tier = 0 if score < 0.25 else 1 if score < 0.5 else 2 if score < 0.75 else 3
        request_rows.append((request_id, at, took, name["auto"], name["auto"], name[rng.choice(TEAMS)], name[""], target, ppm, tier, 0, 1, name["ok"], 200, 1, inputs * 4))
        money = (0, 0, 0, 0, 0, 0) if pool else (inputs * RATE_PUSD["input"], 0, 0, output * RATE_PUSD["output"], 0, 0)
        attempt_rows.append((request_id, 1, target, name["ok"], 200, 3, 1 if pool else 0, 0, 0, first, took, inputs, 0, 0, output, 0, *money))
        coverage_rows.append((request_id, rules, 0, 0))
        fact_rows.append((request_id, asked, facts(score, inputs * 4, 0 if pool else 1)))
        if pool:
            spans.append((at, at + took))
            pool_attempts.append(len(attempt_rows) - 1)
    owed, busy_us = shared(spans)
    for index, share in zip(pool_attempts, owed):
        attempt_rows[index] = attempt_rows[index][:-1] + (round(share * POOL_PUSD_PER_US),)
    database.executemany(f"INSERT INTO request VALUES({','.join('?' * 16)})", request_rows)
    columns = ("request,number,target,result,http_status,usage_source,pool_method,pricing,started_after_us,first_token_after_us,ended_after_us,"
               "input,cached_input,cache_write,output,reasoning,input_pusd,cached_input_pusd,cache_write_pusd,output_pusd,request_pusd,gpu_pusd")
    database.executemany(f"INSERT INTO attempt({columns}) VALUES({','.join('?' * 22)})", attempt_rows)
    database.executemany("INSERT INTO coverage VALUES(?,?,?,?)", coverage_rows)
    database.executemany("INSERT INTO decision VALUES(?,?,?)", fact_rows)
    hour_pusd = 4_980_000_000_000
    for hour in range((now_us - options.days * 86_400_000_000) // 3_600_000_000, now_us // 3_600_000_000):
        busy = busy_us.get(hour, 0)
        attributed = round(busy * POOL_PUSD_PER_US)
        database.execute("INSERT INTO pool_hour VALUES(?,?,?,?,?,0,0,0,0,?,?,0,0,0)",
                         (name["gpu"], hour, hour_pusd, attributed, hour_pusd - attributed, 2 * busy, 2 * (3_600_000_000 - busy)))
    database.commit()
    database.close()
    print(f"{len(request_rows)} requests over {options.days} days in {options.ledger}, configuration {options.ledger}.yaml")


if __name__ == "__main__":
    main()
