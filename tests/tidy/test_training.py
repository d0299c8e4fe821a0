"""The labelled requests in the repository are what their cores give: whoever trains again trains on the same."""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_labelled_requests_are_what_the_cores_give():
    ran = subprocess.run([sys.executable, ROOT / "training/generate.py", "--check"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_model_in_the_program_is_of_this_programs_terms():
    terms = (ROOT / "router/terms.cpp").read_text()
    with open(ROOT / "router/model.json", encoding="utf-8") as file:
        model = json.load(file)
    unknown = [term for term in model["terms"] if f'"{term}"' not in terms]
    assert not unknown, "train again: router/model.json names terms that router/terms.cpp has not"
