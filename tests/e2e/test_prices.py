"""The price book on the command line: imported as a whole or not at all, and used by the gateway."""

import gzip
import json
import subprocess

from gateway import PROGRAM


def tollgate(*arguments, **more):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, **more)


def listed(usd):
    """A list in LiteLLM's form, prices per token."""
    return {f"m-{n}": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": usd, "output_cost_per_token": 2e-06} for n in range(40)}


def write(path, data):
    path.write_text(json.dumps(data))
    return path


def test_a_list_is_imported_as_a_whole_or_the_old_book_stays(tmp_path):
    book = tmp_path / "prices.json"
    made = tollgate("prices", "import", write(tmp_path / "list.json", listed(1e-06)), "--to", book)
    assert made.returncode == 0, made.stderr
    before = book.read_bytes()
    half = tmp_path / "half.json"
    half.write_text((tmp_path / "list.json").read_text()[:500])
    packed = tmp_path / "cut.json.gz"
    packed.write_bytes(gzip.compress((tmp_path / "list.json").read_bytes())[:200])
    changed = listed(1e-06)
    changed["m-7"]["input_cost_per_token"] = 1.1e-05
    for refused in (half, packed, write(tmp_path / "dear.json", changed), write(tmp_path / "few.json", dict(list(listed(1e-06).items())[:10]))):
        answer = tollgate("prices", "import", refused, "--to", book)
        assert answer.returncode == 1, refused
        assert book.read_bytes() == before, refused
    assert "openai/m-7: input went from 1 to 11 USD per million" in tollgate("prices", "import", tmp_path / "dear.json", "--to", book).stderr
    assert tollgate("prices", "import", tmp_path / "nowhere.json", "--to", book).returncode == 3
    assert tollgate("prices", "import", tmp_path / "dear.json", "--to", book, "--force").returncode == 0
    assert book.read_bytes() != before
    assert not list(tmp_path.glob("*.new.*"))


def test_prices_per_million_taken_for_prices_per_token_are_refused(tmp_path):
    known = {f"gpt-4o{suffix}": {"litellm_provider": "openai", "input_cost_per_token": 2.5, "output_cost_per_token": 10.0}
             for suffix in ("", "-mini")}
    answer = tollgate("prices", "import", write(tmp_path / "list.json", known), "--to", tmp_path / "prices.json")
    assert answer.returncode == 1 and "refused as a whole" in answer.stderr
    assert not (tmp_path / "prices.json").exists()


def test_list_show_and_diff_speak_of_the_same_prices(tmp_path):
    book = tmp_path / "prices.json"
    tollgate("prices", "import", write(tmp_path / "list.json", listed(1e-06)), "--to", book)
    models = json.loads(tollgate("prices", "list", "--prices", book, "--json").stdout)["models"]
    assert len(models) == 40 and models[0]["usd_per_million"] == {"input": "1", "output": "2"}
    shown = json.loads(tollgate("prices", "show", "openai", "m-3", "--prices", book, "--json").stdout)
    assert shown["tariffs"][0]["usd_per_million"]["output"] == "2"
    assert tollgate("prices", "show", "openai", "m-99", "--prices", book).returncode == 1
    assert tollgate("prices", "diff", book, "--prices", book).returncode == 0
    other = listed(1e-06)
    other["m-3"]["output_cost_per_token"] = 4e-06
    told = tollgate("prices", "diff", write(tmp_path / "other.json", other), "--prices", book)
    assert told.returncode == 1 and told.stdout == "     openai/m-3 output: 2 -> 4\n"


def test_usages_are_priced_line_by_line():
    lines = [{"id": 1, "provider": "openai", "model": "gpt-4o", "api": "chat", "usage": {"prompt_tokens": 1000, "completion_tokens": 10}},
             {"id": 2, "provider": "openai", "model": "no-such-model", "api": "chat", "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
             {"id": 3, "provider": "openai", "model": "gpt-4o", "api": "chat", "usage": {"completion_tokens": 1}}]
    ran = tollgate("price", "--jsonl", input="\n".join(map(json.dumps, lines)) + "\nnonsense\n")
    first, second, third, fourth = map(json.loads, ran.stdout.splitlines())
    assert (first["status"], first["input_usd"], first["output_usd"], first["usd"], first["id"]) == ("priced", "0.0025", "0.0001", "0.0026", 1)
    assert first["lines"][0] == {"kind": "input", "quantity": 1000, "usd_per_million": "2.5", "usd": "0.0025"}
    assert (second["status"], third["status"], fourth["status"]) == ("unpriced", "invalid", "invalid")
    assert ran.returncode == 1
