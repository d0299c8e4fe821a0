"""The configurations that are shipped as examples: valid without a remark, and each decides as its text says."""

import hashlib
import json
import os
import re
import subprocess

import pytest

from gateway import PROGRAM, ROOT

FILES = sorted([*ROOT.glob("examples/*.yaml"), *ROOT.glob("deploy/compose/config/*.yaml"), *ROOT.glob("deploy/kubernetes/**/tollgate.yaml"),
                *ROOT.glob("deploy/debian/tollgate.yaml")])
NAMES = [str(path.relative_to(ROOT)) for path in FILES]
URLS = {"VLLM_URL": "http://gpu-a:8000", "BURST_URL": "https://burst.example/openai"}


def needed(path):
    """The variables that the file names, comments aside, and gives no default."""
    text = re.sub(r"(^|\s)#.*", "", path.read_text())
    return re.findall(r"\$\{([A-Z0-9_]+)(?:\}|:\?)", text)


def environment(path):
    """A value for each of them: a hash, an address, or a dummy key."""
    given = {}
    for name in needed(path):
        given[name] = hashlib.sha256(name.encode()).hexdigest() if name.endswith("SHA256") else URLS.get(name, "dummy")
    # Containers find it mounted as a secret.
    return {**os.environ, "REDIS_PASSWORD_FILE": str(ROOT / "deploy/compose/demo-redis-password"),
            "POSTGRES_PASSWORD_FILE": str(ROOT / "deploy/compose/demo-postgres-password"), **given}


def tollgate(path, *arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, env=environment(path), cwd=ROOT)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_an_example_is_valid_without_a_remark(path):
    checked = tollgate(path, "check", "--strict", str(path))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_an_example_says_what_its_secrets_are_when_they_are_missing(path):
    names = needed(path)
    bare = {name: value for name, value in os.environ.items() if name not in names}
    checked = subprocess.run([PROGRAM, "check", str(path)], capture_output=True, text=True, timeout=60, env=bare)
    assert checked.returncode == (1 if names else 0)
    for name in names:
        assert name in checked.stderr, checked.stderr


def explain(name, prompt, *arguments):
    path = ROOT / name
    asked = tollgate(path, "explain", prompt, "--config", str(path), "--json", *arguments)
    assert asked.returncode in (0, 1), asked.stderr
    return json.loads(asked.stdout)


def targets(name, prompt, *arguments):
    """The targets of the plan, the first to be asked first."""
    return [step["target"] for step in explain(name, prompt, *arguments)["steps"]]


HARD = "Prove by induction that the sum of the first n odd numbers is a square, then derive the time complexity of computing it step by step."


def test_a_laptop_answers_what_it_can_and_what_is_private():
    assert targets("examples/laptop.yaml", "Hello")[0] == "laptop/small"
    assert targets("examples/laptop.yaml", HARD)[0].startswith("openai/")
    assert targets("examples/laptop.yaml", HARD, "--header", "x-data-class: private") == ["laptop/small"]


def test_a_gpu_box_keeps_patient_data_at_home_and_asks_openai_for_the_rest():
    assert targets("examples/real-backends.yaml", "What is the capital of France?")[0] == "home/llama-70b"
    assert targets("examples/real-backends.yaml", HARD)[0].startswith("openai/")
    assert targets("examples/real-backends.yaml", HARD, "--header", "x-data-class: phi") == ["home/llama-70b"]


def test_a_hospital_keeps_patient_data_in_its_clinical_zone():
    name = "examples/hospital.yaml"
    assert targets(name, "Which forms does a new colleague need?")[0] == "office/general-14b"
    for more in (["--header", "x-data-class: phi"], ["--team", "clinic"]):
        assert targets(name, "Which forms does a new colleague need?", *more) == ["clinical/medical-70b"]
    assert targets(name, "Write to anna.berger@example.org that her results are here.") == ["clinical/medical-70b"]
    refused = explain(name, "password: gR7-velvet-91x please log in for me")
    assert "refused" in refused and "no-secrets" in json.dumps(refused)


def test_peaks_go_to_serverless_workers_and_then_to_the_managed_model():
    name = "examples/serverless-burst.yaml"
    assert targets(name, "Hello")[0] == "rented/llama-70b"
    full = ["--state", "rented/llama-70b: in_flight=24, waiting=6"]
    assert targets(name, "Hello", *full)[0] == "openai/gpt-4.1-mini", "a cold start is not worth one request"
    assert targets(name, "Hello", *full, "--state", "burst/llama-70b: workers=1, in_flight=15, answer_ms=500")[0] == "burst/llama-70b"
    assert targets(name, "Hello", "--state", "rented/llama-70b: down", "--state", "burst/llama-70b: down")[0] == "openai/gpt-4.1-mini"


def test_a_company_keeps_customers_in_the_eu_and_evaluates_at_night():
    name = "examples/company.yaml"
    assert targets(name, HARD, "--header", "x-data-class: customer") == ["gpu/llama-70b"]
    assert explain(name, "Hello", "--team", "support")["route"] == "support-trial"
    masked = explain(name, "Call +49 30 901820 about the invoice. " + HARD)
    assert "masked-outside" in json.dumps(masked)


def test_the_demonstrations_of_the_containers_decide():
    assert targets("deploy/compose/config/demo.yaml", "Hello")[0] == "own-gpus/llama-70b"
    assert targets("deploy/compose/config/demo.yaml", HARD)[0] == "managed/large"
    assert targets("deploy/compose/config/vllm.yaml", "Hello")[0] == "gpu/local"
