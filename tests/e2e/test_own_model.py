"""A complexity model of one's own (complexity.model): used by everything that judges requests, checked at every load."""

import json
import signal
import subprocess

import pytest
from gateway import CONFIG, PROGRAM, ROOT, Gateway, wait_until

BUILT_IN = json.loads((ROOT / "router" / "model.json").read_text())
QUESTION = "What is the capital of France?"
OWN = CONFIG + "complexity: {model: own.json}\n"


def model_that_says(tier):
    """The built-in model with its borders moved, so that every request comes out as one tier."""
    levels = {"SIMPLE": [900, 901, 902], "REASONING": [-902, -901, -900]}[tier]
    return json.dumps({**BUILT_IN, "heads": [{**head, "levels": levels} for head in BUILT_IN["heads"]]})


def tollgate(folder, *arguments, **more):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, cwd=folder, **more)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "gw.yaml").write_text(OWN)
    (tmp_path / "own.json").write_text(model_that_says("REASONING"))
    return tmp_path


def test_explain_classify_and_calibrate_judge_by_it(folder):
    said = tollgate(folder, "explain", "--config", "gw.yaml", "--json", QUESTION)
    assert json.loads(said.stdout)["complexity"]["tier"] == "REASONING", said.stderr
    line = json.dumps({"id": 1, "messages": [{"role": "user", "content": QUESTION}]}) + "\n"
    own = tollgate(folder, "classify", "--jsonl", "--config", "gw.yaml", input=line)
    built_in = tollgate(folder, "classify", "--jsonl", input=line)
    assert json.loads(own.stdout)["tier"] == "REASONING" and json.loads(built_in.stdout)["tier"] == "SIMPLE"


def test_check_shows_it_and_says_what_is_wrong_with_it(folder):
    fine = tollgate(folder, "check", "--config", "gw.yaml")
    assert fine.returncode == 0 and "complexity is judged by own.json (" in fine.stdout, fine.stderr
    assert "own.json (" in json.loads(tollgate(folder, "check", "--config", "gw.yaml", "--json").stdout)["complexity_model"]

    (folder / "own.json").write_text(json.dumps({**BUILT_IN, "terms": ["other"] * 3}))
    broken = tollgate(folder, "check", "--config", "gw.yaml")
    assert broken.returncode == 1
    line = OWN[:OWN.index("own.json")].count("\n") + 1
    assert f"gw.yaml:{line}:21: complexity.model: own.json: was trained for other terms than this program's: train it again" in broken.stderr, broken.stderr
    for command in (["explain", "--config", "gw.yaml", QUESTION], ["serve", "--config", "gw.yaml"]):
        refused = tollgate(folder, *command)
        assert refused.returncode != 0 and "other terms" in refused.stdout + refused.stderr, command


def test_check_remarks_a_correction_of_another_model(folder):
    (folder / "gw.yaml").write_text(CONFIG + "complexity: {model: own.json, correction: c.json}\n")
    (folder / "c.json").write_text('{"format": "tollgate-correction", "version": 1, "base_model": "00000001"}')
    said = tollgate(folder, "check", "--config", "gw.yaml")
    assert said.returncode == 0
    assert "complexity.correction is not used: c.json: it was fitted to another base model" in said.stderr


def test_a_reload_brings_another_model_and_a_broken_one_leaves_the_old():
    with Gateway(CONFIG) as own:
        def tier():
            return own.chat(QUESTION)[1]["x-tollgate-complexity"].split()[-1]

        assert tier() == "SIMPLE"
        (own.path / "own.json").write_text(model_that_says("REASONING"))
        own.write_config(OWN)
        own.process.send_signal(signal.SIGHUP)
        wait_until(lambda: tier() == "REASONING", 10, "the own model")
        (own.path / "own.json").write_text("{")
        own.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "own.json: is not a complexity model" in own.log(), 10, "the refusal")
        assert tier() == "REASONING"
