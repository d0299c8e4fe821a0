"""`tollgate advise`, as a person would use it: from parameters and from a ledger."""

import json
import subprocess
from decimal import Decimal
from html.parser import HTMLParser

from gateway import PROGRAM, Gateway, wait_until


def advise(*arguments, code=0):
    ran = subprocess.run([PROGRAM, "advise", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran


def test_assumed_traffic_is_compared_on_every_tier():
    page = json.loads(advise("--tokens-per-day", "30M", "--input-share", "0.75", "--model", "llama-3.3-70b", "--gpu", "h100x2", "--json").stdout)[0]
    tiers = [t["tier"] for t in page["tiers"]]
    assert tiers[-3:] == ["serverless", "dedicated", "owned"]
    assert tiers.count("managed") >= 3
    managed = [Decimal(t["per_month"]["usd"]) for t in page["tiers"] if t["tier"] == "managed"]
    assert managed == sorted(managed)
    for tier in page["tiers"]:
        assert sum(Decimal(line["per_month"]["usd"]) for line in tier["lines"]) == Decimal(tier["per_month"]["usd"])
    assert page["advice"] == "managed"
    assert 0 < page["utilisation"] < 0.2
    assert page["break_even"]["dedicated_over_managed_tokens_per_day"] > 30e6


def test_the_page_for_people_says_its_assumptions_and_its_advice():
    text = advise("--tokens-per-day", "2B", "--model", "llama-3.3-70b", "--usd-per-gpu-hour", "2").stdout
    assert "speeds assumed" in text and "Advice:" in text and "break-even" in text


def test_what_is_not_known_is_asked_for():
    assert "--prefill-tokens-per-second" in advise("--tokens-per-day", "1M", "--model", "llama-3.3-70b", "--gpu", "l4", code=1).stderr
    assert "--model is missing" in advise("--tokens-per-day", "1M", code=2).stderr
    assert "h100x2" in advise("--tokens-per-day", "1M", "--model", "m-7b", "--gpu", "h100x0", code=2).stderr
    assert "30M" in advise("--tokens-per-day", "many", "--model", "m-7b", code=2).stderr
    page = json.loads(advise("--tokens-per-day", "1M", "--model", "nobody-sells-this-7b", "--json").stdout)[0]
    assert "price book" in page["tiers"][0]["unknown"]


def test_a_ledgers_traffic_is_measured():
    with Gateway() as gateway:
        for _ in range(5):
            assert gateway.chat("Hello")[0] == 200
        assert gateway.stop() == 0
        pages = json.loads(advise("--ledger", gateway.ledger_path, "--since", "1h", "--model", "llama-3.3-70b", "--json").stdout)
        assert len(pages) == 1
        page = pages[0]
        rows = gateway.rows("SELECT sum(input + cached_input) AS i, sum(output) AS o FROM attempt")[0]
        assert page["measured"] is True
        assert round(page["input_tokens_per_day"] / 24) == rows["i"]
        assert round(page["output_tokens_per_day"] / 24) == rows["o"]
        assert "gpu/llama" in page["source"]
        assert page["serverless"]["cold_starts"] >= 1
        assert "no answers" in advise("--ledger", gateway.ledger_path, "--target", "managed/none", code=1).stderr


def test_a_configuration_that_is_named_says_what_the_ledgers_pools_are():
    with Gateway() as gateway:
        for _ in range(3):
            assert gateway.chat("Hello")[0] == 200
        assert gateway.stop() == 0
        (page,) = json.loads(advise("--ledger", gateway.ledger_path, "--config", gateway.config_path, "--since", "1h", "--json").stdout)
        assert page["gpus_per_replica"] == 2 and page["model"] == "meta-llama/Llama-3.3-70B-Instruct"
        assert page["managed_ruled_out"] is None
        (own,) = json.loads(advise("--ledger", gateway.ledger_path, "--config", gateway.config_path, "--since", "1h", "--needs-own-weights", "--json").stdout)
        assert own["managed_ruled_out"] == "own weights are needed" and own["advice"] != "managed"


def test_the_report_is_one_page_that_needs_nothing_from_outside(tmp_path):
    report = tmp_path / "report.html"
    advise("--tokens-per-day", "200M", "--model", "llama-3.3-70b", "--gpu", "h100x2", "--html", report)
    page = report.read_text()
    assert page.startswith("<!doctype html>") and page.count("<svg") == 3
    assert "Break-even points" in page and "step by step" in page
    for outside in ("<script", "src=", "http://", "https://", "@import", "url("):
        assert outside not in page, outside
    parsed = HTMLParser()
    parsed.feed(page)
    assert "cannot write" in advise("--tokens-per-day", "1M", "--model", "llama-3.3-70b", "--html", tmp_path / "no" / "such.html", code=3).stderr


def test_each_pools_break_even_is_exported():
    with Gateway() as gateway:
        for _ in range(3):
            assert gateway.chat("Hello")[0] == 200

        def ratio():
            family = gateway.metrics().get("tollgate_pool_break_even_ratio", {})
            return family.get(frozenset({("pool", "gpu"), ("against", "list")}))
        found = wait_until(ratio, 20, "tollgate_pool_break_even_ratio")
        metrics = gateway.metrics()
        managed = metrics["tollgate_pool_managed_usd_per_million_tokens"][frozenset({("pool", "gpu"), ("against", "list")})]
        assert found > 0 and 0 < managed < 10
        assert not any(("against", "managed/large") in labels for labels in metrics["tollgate_pool_break_even_ratio"])   # another model
