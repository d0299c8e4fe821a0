"""What the documents for users say of the program is true: configuration keys, refusals; and no tracked file is left unread."""

import json
import pathlib
import re
import subprocess

import checks
import generate_docs
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
DOCUMENTS = [name for name in FILES if name.endswith(".md")]
SCHEMA = json.loads((ROOT / "config/schema.json").read_text())
# Codes that no client can see: read at start-up only, or the client is gone.
UNSEEN = {"hedge_lost", "io_failed", "bad_config", "client_gone", "escalated"}
# A busy upstream that says 503 has a code of its own (config/fault.cpp: code_of); a head that is too large a status of its own.
VARIANTS = {("503", "upstream_overloaded"), ("431", "request_too_large"), ("403", "constraint_rejected"),
            ("404", "request_not_found"), ("503", "budget_unavailable")}


def is_key(path, schema=SCHEMA):
    """True if the dotted path names a key of the configuration; where names are free, any name will do."""
    if not path:
        return True
    name, *rest = path
    for each in generate_docs.branches(schema, SCHEMA["$defs"]):
        each = each.get("items", each) if each.get("type") == "array" else each
        for level in generate_docs.branches(each, SCHEMA["$defs"]):
            inner = level.get("properties", {}).get(name, level.get("additionalProperties"))
            if isinstance(inner, dict) and is_key(rest, inner):
                return True
    return False


def unknown_keys(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        for code in re.findall(r"`([^`]+)`", line):
            key = re.fullmatch(r"([a-z_]+)((?:\[\])?(?:\.[A-Za-z_]+(?:\[\])?)+)(?:: .*)?", code)
            if key and key[1] in SCHEMA["properties"] and not (ROOT / code).exists():
                if not is_key((key[1] + key[2]).replace("[]", "").split(".")):
                    yield f"{path}:{number}: '{code}' is no key of the configuration"


def table_of_faults(source):
    """(status, code) of each row of the table in config/fault.cpp."""
    for status, code in re.findall(r'Again::\w+,\s*(\d+),\s*(?:\w+|"[^"]*"),\s*"(\w+)"', source):
        yield status, code


def refusals_in(text):
    section = text.split("## What each refusal means", 1)[1].split("\n## ", 1)[0]
    for statuses, codes in re.findall(r"^\| ([\d, ]+) \| ([^|]+) \|", section, re.M):
        statuses, codes = statuses.split(", "), re.findall(r"`(\w+)`", codes)
        yield from zip(statuses if len(statuses) > 1 else statuses * len(codes), codes)


def raised(code_name, sources):
    return re.search(rf"Fault::{code_name}\b", sources) is not None


def wrong_refusals(document, faults, sources):
    """Refusals that are documented and do not exist, and those that the program gives and nobody is told of."""
    table = set(table_of_faults(faults))
    told = set(refusals_in(document))
    names = {code: name for name, code in re.findall(r'Row\{Fault::(\w+),\s*\{[^}]*"(\w+)"\}\}', faults)}
    for status, code in sorted(told - table - VARIANTS):
        yield f"docs/operations.md: {status} {code} is not in config/fault.cpp"
    for status, code in sorted(told & table):
        if code in names and not raised(names[code], sources):
            yield f"docs/operations.md: {status} {code} is told of, but nothing raises it"
    for status, code in sorted((table | VARIANTS) - told):
        if code not in UNSEEN and (code not in names or raised(names[code], sources)):
            yield f"docs/operations.md: {status} {code} is missing"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_names_only_keys_that_exist(name):
    assert not list(unknown_keys(name, (ROOT / name).read_text()))


def test_each_refusal_that_clients_can_meet_is_explained():
    sources = "".join((ROOT / name).read_text() for name in FILES
                      if name.endswith(".cpp") and name.split("/")[0] in ("gateway", "router", "backends") and "simulator" not in name
                      and "shadow" not in name)  # how evaluations end no client sees
    findings = wrong_refusals((ROOT / "docs/operations.md").read_text(), (ROOT / "config/fault.cpp").read_text(), sources)
    assert not list(findings)


def test_no_tracked_file_of_any_kind_holds_what_is_of_one_machine():
    findings = []
    for name in FILES:
        if name.startswith("tests/tidy/checks") or not (ROOT / name).is_file():
            continue
        try:
            findings += checks.of_this_machine(name, (ROOT / name).read_text())
        except UnicodeDecodeError:
            continue
    assert not findings, "\n" + "\n".join(findings)


# That each rule can fail.

def test_a_key_that_does_not_exist_is_found():
    good = ("`server.drain_seconds` `ledger.commit_interval_ms` `auth.keys` `auth.keys[].team` `backends.gpu.pool.gpus` "
            "`backends.NAME.models.NAME.prices.usd_per_request` `routes[].when.input_tokens.from` `server.rs`?")
    assert [finding.split("'")[1] for finding in unknown_keys("x.md", good)] == ["server.rs"]
    assert not list(unknown_keys("x.md", "`config/check.cpp` `tollgate.db` `usage.cost` `choices.delta`"))
    assert list(unknown_keys("x.md", "line\n`backends.gpu.pool.gpuz`")) == ["x.md:2: 'backends.gpu.pool.gpuz' is no key of the configuration"]


def test_a_refusal_that_is_wrong_or_missing_is_found():
    faults = ('Row{Fault::too_large, {"too_large", Whose::client, Again::no, 413, bad, "request_too_large"}},\n'
              'Row{Fault::draining,\n    {"draining", Whose::ours, Again::no, 503, server, "shutting_down"}},\n'
              'Row{Fault::over_budget, {"over_budget", Whose::client, Again::no, 402, "insufficient_quota", "budget_exceeded"}},\n')
    document = ("## What each refusal means\n\n| status | code |\n|---|---|\n| 413, 431 | `request_too_large`, `request_too_large` |\n"
                "| 403 | `constraint_rejected` |\n| 404 | `request_not_found` |\n| 503 | `budget_unavailable` |\n{}")
    told = "| 503 | `shutting_down`, `upstream_overloaded` |\n"
    sources = "fail(Fault::too_large) fail(Fault::draining)"
    assert not list(wrong_refusals(document.format(told), faults, sources))
    assert list(wrong_refusals(document.format(told.replace("503", "502")), faults, sources)) == [
        "docs/operations.md: 502 shutting_down is not in config/fault.cpp", "docs/operations.md: 502 upstream_overloaded is not in config/fault.cpp",
        "docs/operations.md: 503 shutting_down is missing", "docs/operations.md: 503 upstream_overloaded is missing"]
    assert list(wrong_refusals(document.format(told), faults, "Fault::too_large")) == [
        "docs/operations.md: 503 shutting_down is told of, but nothing raises it"]
    assert list(wrong_refusals(document.format(told), faults, sources + "Fault::over_budget")) == ["docs/operations.md: 402 budget_exceeded is missing"]


def test_every_accounting_pitfall_is_held_by_a_test_or_said_to_be_open():
    rows = re.findall(r"^\| (\d+) \|.*\| ([^|]*) \|$", (ROOT / "docs/money/pitfalls.md").read_text(), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 41))
    named = set()
    for path in [*ROOT.glob("tests/**/*_test.cpp"), *ROOT.glob("tests/**/test_*.py")]:
        for numbers in re.findall(r"[Pp]itfalls? (\d+(?:, \d+)*)(?=:)", path.read_text()):
            named |= {int(number) for number in numbers.split(", ")}
        named |= {int(number) for number in re.findall(r"[Pp]itfall.*?; (\d+): ", path.read_text())}
    held = {int(number) for number, by in rows if by == "tests"}
    assert held - named == set(), "said to be held by a test that does not name it"
    assert named - held == set(), "a test names it, the document does not"
    assert all(by.startswith("not here: ") for number, by in rows if int(number) not in held)
