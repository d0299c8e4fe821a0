#!/usr/bin/env python3
"""What Tollgate saves on a mixed workload, and what quality is kept: ./dev demo-savings

    demo/savings.py                          replay demo/workload.txt through the simulated fleet of demo/fleet.yaml
    demo/savings.py --outcomes DIRECTORY     also prompts with the known outcomes of a weak and a strong model: files NAME.csv.gz with
                                             the columns prompt, group, weak_ok, strong_ok

Every amount of money is the ledger's: `tollgate costs --baselines` and `tollgate costs --pools`. Which requests go where is decided by the seed
and the program alone; the GPUs' share is measured by the clock and differs a little from run to run.

The rule for quality where nobody judged the answers: the weak model is right on what was labelled SIMPLE or MEDIUM and wrong on all that was
labelled COMPLEX or REASONING; the strong model is always right. That is the strictest reading of the labels.
"""

import argparse
import collections
import csv
import gzip
import hashlib
import http.client
import json
import pathlib
import queue
import random
import statistics
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests/support")]
import gateway as running  # noqa: E402
import workload  # noqa: E402

WEAK, STRONG = "own-gpus/weak-70b", "managed/strong"
HARD = ("COMPLEX", "REASONING")
AT_ONCE = 64                 # below the pool's concurrency_max: nothing spills over, so where requests go does not depend on the clock
EVALUATION_TOKENS = 300      # length of an answer to a prompt of an evaluation


def say(text=""):
    print(text, flush=True)


def key_of(team):
    return f"demo-key-of-{team.lower()}"


def fleet(capability=None):
    keys = [{"name": team.lower(), "team": team.lower(), "sha256": hashlib.sha256(key_of(team).encode()).hexdigest()}
            for team in [*workload.TIERS.values(), "evaluation"]]
    text = (HERE / "fleet.yaml").read_text().replace("KEYS", json.dumps(keys))
    return text if capability is None else text.replace("capability: 0.5", f"capability: {capability}")


class Answered:
    def __init__(self, status, headers, seconds):
        self.status, self.seconds = status, seconds
        self.target = headers.get("x-tollgate-target")
        self.request = headers.get("x-tollgate-request-id")
        self.score = float(headers.get("x-tollgate-complexity", "0").split()[0])


def replay(port, bodies):
    """Each (body, team) once, AT_ONCE at a time: what was answered, in the same order."""
    waiting, answered = queue.SimpleQueue(), [None] * len(bodies)
    for item in enumerate(bodies):
        waiting.put(item)

    def work():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while True:
            try:
                index, (body, team) = waiting.get_nowait()
            except queue.Empty:
                return connection.close()
            began = time.monotonic()
            connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json", "authorization": f"Bearer {key_of(team)}"})
            answer = connection.getresponse()
            answer.read()
            answered[index] = Answered(answer.status, {k.lower(): v for k, v in answer.getheaders()}, time.monotonic() - began)

    threads = [threading.Thread(target=work) for _ in range(min(AT_ONCE, len(bodies)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failed = [each for each in answered if each is None or each.status != 200]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(answered)} requests failed")
    return answered


class Books:
    """What the ledger says after the gateway has stopped."""

    def __init__(self, config):
        self.config = config
        self.total = self.costs()["total"]

    def ask(self, *arguments):
        ran = subprocess.run([running.PROGRAM, "costs", "--config", self.config, "--since", "1h", "--json", *arguments], capture_output=True, text=True, timeout=60)
        if ran.returncode != 0:
            raise RuntimeError(ran.stderr)
        return json.loads(ran.stdout)

    def costs(self, by="target"):
        return self.ask("--by", by, "--baselines")

    def pool(self):
        return self.ask("--pools")["total"]


def usd(text):
    return float(text)


def served(bodies, capability=None):
    """Starts a gateway, replays, stops it; the answers and its books, which are valid while the caller's block lasts."""
    gateway = running.Gateway(fleet(capability))
    gateway.start()
    try:
        answered = replay(gateway.port, bodies)
    finally:
        code = gateway.stop()
    if code != 0:
        raise RuntimeError(f"the gateway ended with {code}:\n{gateway.log()}")
    return gateway, answered, Books(gateway.config_path)


def saved(books, pool):
    """What everything cost, what it would have cost managed, and the same with the hardware's whole bill; from the ledger alone."""
    baseline = usd(books.total["baselines"]["all-managed"]["usd"])
    charged = usd(books.total["usd"])
    idle = usd(pool["usd"]["billed"]) - usd(pool["usd"]["attributed"])
    return {"all_managed_usd": baseline, "charged_usd": charged, "gpu_usd": usd(books.total["usd_by_kind"]["gpu"]), "gpu_idle_usd": idle,
            "saved": 1 - charged / baseline, "saved_with_idle": 1 - (charged + idle) / baseline}


def break_even(books, pool):
    """The share of their time that the GPUs must work, as full as here, to cost no more than the managed API for the same requests."""
    rows = [row for row in books.costs()["rows"] if row["target"] == WEAK]
    if not rows or usd(rows[0]["baselines"]["all-managed"]["usd"]) == 0:
        return None
    return usd(pool["usd"]["attributed"]) / usd(rows[0]["baselines"]["all-managed"]["usd"])


def own_workload(options):
    requests = workload.requests(options.requests, options.seed)
    gateway, answered, books = served([(request.body(), request.tier) for request in requests])
    with gateway.directory:
        pool = books.pool()
        wrong = [(request, each) for request, each in zip(requests, answered) if each.target == WEAK and request.tier in HARD]
        dear = [(request, each) for request, each in zip(requests, answered) if each.target == STRONG and request.tier not in HARD]
        cost_of = {row["request"]: usd(row["usd"]) for row in gateway.rows("SELECT request, usd FROM requests")}
        report = {"requests": len(requests), "seed": options.seed, "tiers": dict(collections.Counter(request.tier for request in requests)),
                  "to_strong": sum(each.target == STRONG for each in answered) / len(answered), **saved(books, pool),
                  "quality_kept": 1 - len(wrong) / len(requests), "wrong": len(wrong), "needlessly_strong": len(dear),
                  "needlessly_strong_usd": sum(cost_of[each.request] for _, each in dear), "gpu_break_even": break_even(books, pool)}
        report["seconds"] = {target: statistics.median(each.seconds for each in answered if each.target == target) for target in (WEAK, STRONG)}
        report["by_tier"] = {}
        for row in books.costs("team")["rows"]:
            tier, baseline = row["team"].upper(), usd(row["baselines"]["all-managed"]["usd"])
            report["by_tier"][tier] = {"requests": row["requests"], "all_managed_usd": baseline, "charged_usd": usd(row["usd"]), "saved": 1 - usd(row["usd"]) / baseline,
                                       "to_strong": sum(e.target == STRONG for r, e in zip(requests, answered) if r.tier == tier) / row["requests"]}
        report["examples"] = [{"kind": request.kind, "tier": request.tier, "score": each.score, "text": " ".join(request.text.split())[:70]}
                              for request, each in {request.text: (request, each) for request, each in wrong}.values()][:5]
        return report


def prompts_of(path, count, seed):
    """A sample of a file: (prompt, weak_ok, strong_ok)."""
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        rows = [(row["prompt"], float(row["weak_ok"]), float(row["strong_ok"])) for row in csv.DictReader(file)]
    random.Random(f"{seed} {path.name}").shuffle(rows)
    return rows[:count]


def body_of(prompt):
    return {"model": "auto", "max_tokens": EVALUATION_TOKENS, "messages": [{"role": "user", "content": prompt}]}


def calibrated(rows, wanted):
    """The boundary that keeps so much of the strong model's quality on these rows, by `tollgate calibrate`."""
    gateway = running.Gateway(fleet())
    with gateway.directory:
        lines = "".join(json.dumps({**body_of(prompt), "weak_ok": weak, "strong_ok": strong}) + "\n" for prompt, weak, strong in rows)
        ran = subprocess.run([running.PROGRAM, "calibrate", "--config", gateway.config_path, "--jsonl", "-", "--quality", str(wanted), "--json"],
                             input=lines, capture_output=True, text=True, timeout=120)
        if ran.returncode != 0:
            raise RuntimeError(ran.stderr)
        return json.loads(ran.stdout)["chosen"]["score_above"]


def evaluation(path, options, wanted):
    """One half of a sample calibrates the boundary, the other half is replayed and judged."""
    rows = prompts_of(path, options.prompts * 8, options.seed)
    judged, others = rows[:min(options.prompts, len(rows) // 2)], rows[min(options.prompts, len(rows) // 2):]
    bound = calibrated(others, wanted)
    gateway, answered, books = served([(body_of(prompt), "evaluation") for prompt, _, _ in judged], bound)
    with gateway.directory:
        quality = sum(strong if each.target == STRONG else weak for (_, weak, strong), each in zip(judged, answered)) / len(judged)
        of_strong, of_weak = sum(strong for _, _, strong in judged) / len(judged), sum(weak for _, weak, _ in judged) / len(judged)
        return {"name": path.name.removesuffix(".csv.gz"), "prompts": len(judged), "calibrated_on": len(others), "boundary": bound,
                "to_strong": sum(each.target == STRONG for each in answered) / len(answered), "weak_quality": of_weak, "strong_quality": of_strong,
                "quality_kept": quality / of_strong, **saved(books, books.pool())}


def percent(share):
    return f"{100 * share:.1f} %"


def print_own(report):
    say(f"{report['requests']} requests of demo/workload.txt, seed {report['seed']}; boundary at a score of 0.5; {percent(report['to_strong'])} went to {STRONG}, the others to {WEAK}\n")
    say(f"{'labelled':<12}{'requests':>9}{'to strong':>11}{'all managed':>14}{'Tollgate':>12}{'saved':>9}")
    for tier in workload.TIERS.values():
        if row := report["by_tier"].get(tier):
            say(f"{tier:<12}{row['requests']:>9}{percent(row['to_strong']):>11}{row['all_managed_usd']:>14.4f}{row['charged_usd']:>12.4f}{percent(row['saved']):>9}")
    say(f"{'all':<12}{report['requests']:>9}{percent(report['to_strong']):>11}{report['all_managed_usd']:>14.4f}{report['charged_usd']:>12.4f}{percent(report['saved']):>9}")
    say(f"{'  with the time in which the GPUs stood idle':<46}{report['charged_usd'] + report['gpu_idle_usd']:>12.4f}{percent(report['saved_with_idle']):>9}")
    say("  USD, from the ledger (tollgate costs --baselines, --pools)")
    say(f"\nQuality kept: {percent(report['quality_kept'])} of the strong model's, by the labels: {report['wrong']} of {report['requests']} requests that need the strong model went to the weak one.")
    say("\nWhere it loses")
    for each in report["examples"]:
        say(f"  taken for easy ({each['score']:.2f}): {each['tier']} {each['kind']}: {each['text']}")
    say(f"  {report['needlessly_strong']} easy requests went to the strong model: ${report['needlessly_strong_usd']:.4f} that need not have been paid")
    if report["gpu_break_even"]:
        say(f"  the GPUs pay only if they work more than {percent(report['gpu_break_even'])} of the time, as full as here; below that the managed API is cheaper for the same requests")
    slower = report["seconds"][WEAK] - report["seconds"][STRONG]
    say(f"  median time to the whole answer: {report['seconds'][WEAK]:.1f} s from the GPUs, {report['seconds'][STRONG]:.1f} s from the managed API{' (of longer answers)' if slower < 0 else ''}")


def print_outcomes(reports, wanted):
    say(f"\nKnown outcomes: the boundary set by `tollgate calibrate --quality {wanted:g}` on one part of each file, judged on another")
    say(f"{'file':<14}{'prompts':>8}{'boundary':>10}{'to strong':>11}{'weak':>8}{'strong':>8}{'kept':>9}{'all managed':>13}{'Tollgate':>10}{'saved':>9}")
    for each in reports:
        say(f"{each['name']:<14}{each['prompts']:>8}{each['boundary']:>10.3f}{percent(each['to_strong']):>11}{percent(each['weak_quality']):>8}{percent(each['strong_quality']):>8}"
            f"{percent(each['quality_kept']):>9}{each['all_managed_usd']:>13.4f}{each['charged_usd']:>10.4f}{percent(each['saved']):>9}")
    total, cost = sum(each["all_managed_usd"] for each in reports), sum(each["charged_usd"] for each in reports)
    say(f"{'all':<51}{'':>8}{percent(statistics.fmean(each['quality_kept'] for each in reports)):>9}{total:>13.4f}{cost:>10.4f}{percent(1 - cost / total):>9}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=500, help="requests of the workload to replay (default: 500)")
    parser.add_argument("--seed", type=int, default=1, help="decides words, order and samples (default: 1)")
    parser.add_argument("--outcomes", type=pathlib.Path, help="a directory of NAME.csv.gz with prompts and known outcomes, or one such file")
    parser.add_argument("--prompts", type=int, default=120, help="prompts of each such file to replay (default: 120)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    options = parser.parse_args()
    if options.requests < 20 or options.prompts < 20:
        parser.error("fewer than 20 requests say nothing")
    files = []
    if options.outcomes:
        files = sorted(options.outcomes.glob("*.csv.gz")) if options.outcomes.is_dir() else [options.outcomes]
        if not files or not files[0].is_file():
            parser.error(f"{options.outcomes} holds no NAME.csv.gz")
    wanted = 0.95
    report = own_workload(options)
    if not options.json:
        print_own(report)
    outcomes = [evaluation(path, options, wanted) for path in files]
    if options.json:
        say(json.dumps({"workload": report, "outcomes": outcomes}, indent=2))
    elif outcomes:
        print_outcomes(outcomes, wanted)


if __name__ == "__main__":
    main()
