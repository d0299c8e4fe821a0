"""`tollgate simulate`, as a person would use it: real traffic through the gateway, then other rules tried on it."""

import json
import subprocess
from decimal import Decimal

from gateway import CONFIG, PROGRAM, Gateway

EASY, HARD = "Hi", ("Prove rigorously that every finite group of odd order is solvable, derive each lemma step by step, compare three "
                    "alternative proofs, and analyse why the character theory is needed.")


def simulate(*arguments, code=0):
    ran = subprocess.run([PROGRAM, "simulate", *map(str, arguments)], capture_output=True, text=True, timeout=100)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran


def traffic(gateway):
    for i in range(20):
        assert gateway.chat(EASY)[0] == 200
        assert gateway.chat(HARD)[0] == 200
        assert gateway.chat(HARD, headers={"x-data-class": "phi"})[0] == 200
        assert gateway.chat(EASY, model="managed/large", stream=True)[0] == 200
    assert gateway.chat(EASY, model="nothing-like-it")[0] == 404
    assert gateway.stop() == 0


def test_replaying_the_configuration_in_force_reproduces_the_ledger():
    with Gateway() as gateway:
        traffic(gateway)
        page = json.loads(simulate("--config", gateway.config_path, "--against", gateway.config_path, "--since", "1h", "--json").stdout)
        assert page["line"].startswith("Replay fidelity: 81 of 81 decisions that depend on recorded facts come out as in the ledger (100 %)")
        fidelity = page["fidelity"]
        assert fidelity["cost_within_interval"] is True
        assert fidelity["without_facts"] == 0
        assert fidelity["differences"] == []
        recorded = sum(Decimal(row["usd"]) for row in gateway.rows("SELECT usd FROM attempts"))
        assert Decimal(fidelity["usd_recorded"]) == recorded
        assert abs(Decimal(fidelity["usd_replayed"]) - recorded) < recorded / 50
        assert page["changed"] == 0
        assert page["constraints"][0]["covered"] == 20


def test_a_changed_configuration_moves_what_it_should_and_says_why():
    with Gateway() as gateway:
        traffic(gateway)
        changed = gateway.path / "new.yaml"
        text = CONFIG.replace("LEDGER", str(gateway.ledger_path))
        changed.write_text(text.replace("among: [gpu/llama, managed/large]", "among: [managed/large]"))
        page = json.loads(simulate("--config", changed, "--against", gateway.config_path, "--since", "1h", "--json").stdout)
        rows = gateway.rows("SELECT count(*) AS n FROM requests WHERE route = 'auto' AND target = 'gpu/llama'")
        kept_home = 20   # the constraint leaves no target on the route
        moved = {(m["from"], m["to"]): m for m in page["moves"]}
        assert page["changed"] == rows[0]["n"]
        assert moved[("gpu/llama", "(refused)")]["requests"] == kept_home
        assert moved[("gpu/llama", "(refused)")]["why"] == "constraint_unsatisfied"
        assert moved[("gpu/llama", "managed/large")]["requests"] == rows[0]["n"] - kept_home
        assert "not among" in moved[("gpu/llama", "managed/large")]["why"]
        low, high = page["cost"]["difference_interval"]
        assert low <= float(page["cost"]["usd_difference"]) <= high
        again = simulate("--config", changed, "--against", gateway.config_path, "--since", "1h", "--json").stdout
        assert json.loads(again)["cost"] == page["cost"]
        text = simulate("--config", changed, "--since", "1h").stdout
        assert text.startswith("Replay fidelity: not known without --against")
        assert "What cannot be known" in text


def test_wrong_usage_is_told():
    with Gateway() as gateway:
        gateway.stop()
        assert "holds no requests" in simulate("--config", gateway.config_path, code=1).stderr
        assert "--since" in simulate("--config", gateway.config_path, "--since", "soon", code=2).stderr
        assert simulate("--config", gateway.config_path, "--against", "missing.yaml", code=3).stderr
        simulate("--config", gateway.config_path, "--scale", "0", code=2)


def test_a_sweep_finds_what_more_trust_saves_and_risks():
    with Gateway() as gateway:
        traffic(gateway)
        page = json.loads(simulate("--config", gateway.config_path, "--since", "1h", "--sweep", "complexity.threshold=0.1..0.9:5", "--json").stdout)
        points = page["points"]
        assert [p["value"] for p in points] == [0.1, 0.3, 0.5, 0.7, 0.9]
        assert points[0]["at_risk"] <= points[-1]["at_risk"]
        assert Decimal(points[0]["usd"]) > Decimal(points[-1]["usd"])
        text = simulate("--config", gateway.config_path, "--since", "1h", "--sweep", "complexity.threshold=0.1..0.9:5").stdout
        assert "At risk" in text
        assert "settings are" in simulate("--config", gateway.config_path, "--since", "1h", "--sweep", "x=0..1", code=2).stderr


def test_more_traffic_and_more_hardware_are_tried_together():
    with Gateway() as gateway:
        traffic(gateway)
        page = json.loads(simulate("--config", gateway.config_path, "--since", "1h", "--scale", "3x", "--add-pool", "gpu", "--json").stdout)
        before, after = page["pools"]["before"][0], page["pools"]["after"][0]
        assert abs(Decimal(after["usd_billed"]) - 2 * Decimal(before["usd_billed"])) < Decimal("0.000001")
        assert after["requests"] == before["requests"] >= 3 * 40
        assert "there is no pool" in simulate("--config", gateway.config_path, "--add-pool", "cloud", code=2).stderr
