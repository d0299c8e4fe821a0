"""`tollgate calibrate`, as a person would use it: on a ledger, on request bodies, and written into the configuration."""

import json
import sqlite3
import subprocess

from gateway import CONFIG, PROGRAM, ROOT, Gateway, total, wait_until

EASY = ["What is the capital of France?", "Hi!", "Translate 'good morning' into German.", "How many legs has a spider?"]
HARD = ["Prove that there are infinitely many primes of the form 4k+3, and derive a bound.",
        "Design a distributed lock service, weigh three options and argue why yours is correct under partitions."]


def calibrate(*arguments, code=0, stdin=None):
    ran = subprocess.run([PROGRAM, "calibrate", *map(str, arguments)], capture_output=True, text=True, timeout=60, input=stdin)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran


def bodies(rows):
    return "".join(json.dumps({"messages": [{"role": "user", "content": text}], **more}) + "\n" for text, more in rows)


def served(gateway, prompts=(EASY * 4 + HARD * 2)):
    for prompt in prompts:
        assert gateway.chat(prompt)[0] == 200
    assert gateway.stop() == 0


def test_a_ledgers_traffic_is_cut_at_the_wanted_share():
    with Gateway() as gateway:
        served(gateway)
        page = json.loads(calibrate("-c", gateway.config_path, "--since", "1h", "--strong-share", "0.2", "--json").stdout)
        assert page["requests"] == 20 and page["weak"] == ["gpu/llama"] and page["strong"] == ["managed/large"]
        assert page["chosen"]["strong_share"] == 0.2
        assert page["quality_source"] == "none" and page["chosen"]["quality_kept"] is None
        shares = [point["strong_share"] for point in page["curve"]]
        assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
        costs = [float(point["cost_usd"]) for point in page["curve"]]
        assert costs[0] == 0 and costs == sorted(costs)      # the pool is paid for anyway; each request more at the API costs more
        scores = [float(row["complexity"]) for row in gateway.rows("SELECT complexity FROM requests")]
        assert sum(score > page["chosen"]["score_above"] for score in scores) == 4
        text = calibrate("-c", gateway.config_path, "--strong-share", "0.2").stdout
        assert "backends.gpu.models.llama.capability" in text and "20.0 %" in text and "few" in text


def test_ratings_in_the_ledger_say_what_quality_is_kept():
    with Gateway() as gateway:
        served(gateway, EASY * 20 + HARD * 10)
        with sqlite3.connect(gateway.ledger_path) as ledger:
            strong = "(SELECT id FROM name WHERE text = 'managed/large')"
            ledger.execute(f"INSERT INTO outcome SELECT id, 0, CASE WHEN target = {strong} OR complexity_ppm % 3 <> 0 THEN 0 ELSE 1 END, NULL, arrived_us, NULL FROM request")
        ledger.close()
        page = json.loads(calibrate("-c", gateway.config_path, "--strong-share", "0.2", "--json").stdout)
        assert page["quality_source"] == "rated" and page["outcomes"]["weak"] >= 80
        assert 0.3 < page["chosen"]["quality_kept"] <= 1
        best = json.loads(calibrate("-c", gateway.config_path, "--quality", "1", "--json").stdout)["chosen"]
        assert best["quality_kept"] == 1 and best["strong_share"] > 0


def test_evaluations_are_no_traffic_and_their_scores_say_what_quality_is_kept():
    with Gateway(CONFIG + "shadow: {share: 1, target: managed/large, judge: managed/large, waiting_max: 1000}\n") as gateway:
        for prompt in EASY * 20:
            assert gateway.chat(prompt + ' [[sim-echo: {"score": 0.9}]]')[0] == 200
        wait_until(lambda: total(gateway.metrics()["tollgate_shadow_evaluations_total"], result="judged") == 80, 30, "80 scores")
        assert gateway.stop() == 0
        page = json.loads(calibrate("-c", gateway.config_path, "--strong-share", "0.2", "--json").stdout)
        assert page["requests"] == 80 and page["quality_source"] == "rated" and page["outcomes"]["weak"] == 80
        assert "(shadow)" not in json.dumps(page)


def test_known_outcomes_of_request_bodies_choose_the_cheapest_boundary():
    with Gateway() as gateway:
        assert gateway.stop() == 0
        rows = [(text, {"weak_ok": 1, "strong_ok": True}) for text in EASY] + [(text, {"weak_ok": 0, "strong_ok": 1}) for text in HARD]
        page = json.loads(calibrate("-c", gateway.config_path, "--jsonl", "-", "--quality", "1", "--json", stdin=bodies(rows)).stdout)
        assert page["quality_source"] == "paired" and page["chosen"]["strong_requests"] == 2
        assumed = calibrate("-c", gateway.config_path, "--jsonl", "-", "--quality", "0.9", stdin=bodies((text, {}) for text in EASY + HARD)).stdout
        assert "ASSUMED" in assumed
        wrong = calibrate("-c", gateway.config_path, "--jsonl", "-", "--quality", "0.9", code=1, stdin=bodies([("x", {"weak_ok": 7})]))
        assert "line 1: weak_ok and strong_ok" in wrong.stderr


def test_writing_changes_the_values_and_nothing_else(tmp_path):
    path = tmp_path / "tollgate.yaml"
    before = (ROOT / "config/demo.yaml").read_text()
    path.write_text(before)
    rows = bodies((text, {}) for text in EASY + HARD)
    lines = calibrate("-c", path, "--jsonl", "-", "--strong-share", "0.3", "--yaml", stdin=rows).stdout
    assert path.read_text() == before                    # printing is not writing
    assert "llama-70b: {capability:" in lines
    calibrate("-c", path, "--jsonl", "-", "--strong-share", "0.3", "--write", stdin=rows)
    after = path.read_text()
    kept = [line for line in after.splitlines() if line in before.splitlines()]
    assert len(before.splitlines()) - len(kept) == 1     # only the capability; its comment is still there
    assert "# trusted with requests up to this complexity" in next(line for line in after.splitlines() if "capability" in line and "0.6" not in line.split("#")[0])
    check = subprocess.run([PROGRAM, "check", path], capture_output=True, text=True, timeout=30)
    assert check.returncode == 0, check.stderr
    page = json.loads(calibrate("-c", path, "--jsonl", "-", "--strong-share", "0.3", "--json", stdin=rows).stdout)
    assert page["changes"] == []                         # it is there already


def test_what_cannot_be_is_said():
    with Gateway() as gateway:
        assert gateway.stop() == 0
        assert "no requests" in calibrate("-c", gateway.config_path, "--strong-share", "0.2", code=1).stderr
        assert "--strong-share or --quality" in calibrate("-c", gateway.config_path, "--write", code=2).stderr
        assert "no route 'x'" in calibrate("-c", gateway.config_path, "--route", "x", code=1).stderr
        gateway.write_config(CONFIG.replace("capability: 0.6", "capability: 1.0"))
        assert "different capabilities" in calibrate("-c", gateway.config_path, "--strong-share", "0.2", code=1).stderr
    assert "there is no ledger at" in calibrate("-c", ROOT / "config/demo.yaml", "--ledger", "/nowhere/x.db", "--strong-share", "0.2", code=3).stderr
