"""`./dev demo-day` in a shorter form: the autopilot's bill is no fixed policy's loss, and the same seed gives the same day."""

import json
import subprocess
import sys

from gateway import PROGRAM, ROOT


def day(*arguments):
    ran = subprocess.run([sys.executable, ROOT / "demo/day.py", "--hours", "3", "--json", *arguments], capture_output=True, text=True, timeout=280, env={"TOLLGATE_PROGRAM": str(PROGRAM)})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout)


def test_no_fixed_policy_is_cheaper_than_the_autopilot_over_a_short_day():
    report = day()
    *fixed, autopilot = report["policies"]
    assert autopilot["name"] == "autopilot" and len(fixed) == 8
    for row in fixed:
        assert row["saves_interval"][1] >= 0, f"{row['name']} is cheaper beyond the interval: {row}"
        assert abs(row["saves"] - (row["usd"] - autopilot["usd"])) < 1e-6
    assert sum(row["saves"] > 0 for row in fixed) == len(fixed), [(row["name"], row["saves"]) for row in fixed]
    assert {row["refused"] for row in report["policies"]} == {0} and {row["at_risk"] for row in report["policies"]} == {0}
    # It did what it is for: opened and closed, booted less than who always wakes a worker, and kept what is rented as busy as they do.
    kept = autopilot["autopilot"]["serverless"]
    always = next(row for row in fixed if row["name"] == "rented, serverless, managed")
    assert kept["opened"] >= 1 and kept["closed"] >= 1 and 0 < kept["open_ratio"] < 1
    assert autopilot["cold_starts"] < always["cold_starts"]
    assert abs(autopilot["busy"]["gpu-a"] - always["busy"]["gpu-a"]) < 0.02
    assert autopilot["managed_usd"] > 0
