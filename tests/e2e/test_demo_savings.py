"""`./dev demo-savings` on a small sample: its figures hang together, and are the ledger's."""

import csv
import gzip
import json
import os
import subprocess
import sys

from gateway import PROGRAM, ROOT

sys.path.insert(0, str(ROOT / "demo"))
import workload  # noqa: E402


def test_the_workload_is_decided_by_its_seed_and_fills_every_slot():
    one, same, other = (workload.requests(100, seed) for seed in (1, 1, 2))
    assert [request.body() for request in one] == [request.body() for request in same]
    assert [request.text for request in one] != [request.text for request in other]
    assert len(one) == 100 and {request.tier for request in one} == set(workload.TIERS.values())
    lines, materials = workload.read()
    assert len(lines) >= 100 and len({text for _, _, text in lines}) == len(lines)
    for request in workload.requests(400, 3):
        assert "{report" not in request.text and "<<" not in request.text and "|" not in request.text.split("```")[0], request.text


def test_the_workload_is_not_what_the_model_learned_from():
    learned = {" ".join(json.loads(line)["messages"][-1]["content"].lower().split()) for line in (ROOT / "training/requests.jsonl").open(encoding="utf-8")}
    lines, _ = workload.read()
    long_ones = [text for _, _, text in lines if len(text) > 60 and "{" not in text]
    assert not [text for text in long_ones if " ".join(text.replace("\\n", " ").lower().split()) in learned]


def test_a_small_replay_saves_and_says_what_quality_it_keeps(tmp_path):
    with gzip.open(tmp_path / "own.csv.gz", "wt", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["prompt", "group", "weak_ok", "strong_ok"])
        for request in workload.requests(120, 5):
            rows.writerow([request.text, request.kind, int(request.tier in ("SIMPLE", "MEDIUM")), 1])
    ran = subprocess.run([sys.executable, ROOT / "demo/savings.py", "--requests", "30", "--prompts", "20", "--outcomes", tmp_path, "--json"],
                         capture_output=True, text=True, timeout=150, env={**os.environ, "TOLLGATE_PROGRAM": str(PROGRAM)})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    report = json.loads(ran.stdout)
    own = report["workload"]
    assert own["requests"] == sum(row["requests"] for row in own["by_tier"].values()) >= 29
    assert abs(own["charged_usd"] - sum(row["charged_usd"] for row in own["by_tier"].values())) < 1e-9
    assert abs(own["all_managed_usd"] - sum(row["all_managed_usd"] for row in own["by_tier"].values())) < 1e-9
    assert 0 < own["saved"] < 1 and own["saved_with_idle"] <= own["saved"]
    assert 0.8 <= own["quality_kept"] <= 1
    [outcomes] = report["outcomes"]
    assert outcomes["name"] == "own" and outcomes["prompts"] == 20 and outcomes["calibrated_on"] == 100
    assert outcomes["quality_kept"] > 0.7 and outcomes["weak_quality"] < outcomes["strong_quality"] == 1
