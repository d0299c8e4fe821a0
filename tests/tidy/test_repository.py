"""The rules of checks.py, on every file that git knows; and the generated documents are current."""

import pathlib
import subprocess

import checks
import generate_docs
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
CODE = (".cpp", ".hpp", ".py", ".js")
CPP = (".cpp", ".hpp")
TEXT = (*CODE, ".md", ".yaml", ".yml", ".json", ".txt", ".cmake", ".sh", ".toml", ".ini")


def of(*endings):
    return [path for path in FILES if path.endswith(endings) and (ROOT / path).exists()]


RULES = {
    "file length": (checks.too_long, of(*CODE)),
    "direction of includes": (checks.wrong_direction, of(*CPP)),
    "no floats in money": (checks.float_in_money, of(*CPP)),
    "shapes with co_await": (checks.co_await_shapes, of(".cpp")),
    "words and names": (checks.banned_words, [path for path in of(*TEXT) if not path.startswith("tests/tidy/checks")]),
    "nothing of one machine": (checks.of_this_machine, [path for path in of(*TEXT) if not path.startswith("tests/tidy/checks")]),
    "form of the changelog": (checks.changelog_form, ["CHANGELOG.md"]),
}


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule):
    check, paths = RULES[rule]
    findings = [finding for path in paths for finding in check(path, (ROOT / path).read_text())]
    assert not findings, "\n" + "\n".join(findings)


@pytest.mark.parametrize("name", generate_docs.DOCUMENTS)
def test_a_generated_document_is_current(name):
    assert (ROOT / name).read_text() == generate_docs.DOCUMENTS[name](ROOT), f"{name} is out of date: run python3 tests/tidy/generate_docs.py"
