"""`tollgate costs` and `tollgate reconcile` on the ledger of a gateway that runs."""

import csv
import datetime
import io
import json
import subprocess
import time
from decimal import Decimal

import pytest
from clock import ShiftedClock
from gateway import CONFIG, PROGRAM, Gateway, total, wait_until

GATEWAY_CONFIG = CONFIG + """\
baselines:
  - {name: all-managed, target: managed/large}
  - {name: on-gpu, target: gpu/llama}
"""


def today():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


def not_just_before_midnight(seconds=20):
    """What is spent today is to be asked for today."""
    left = 86400 - time.time() % 86400
    if left < seconds:
        time.sleep(left)


def tollgate(*arguments):
    run = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=30)
    return run.returncode, run.stdout, run.stderr


def costs(gateway, *arguments):
    code, out, _ = tollgate("costs", "--config", gateway.config_path, "--json", *arguments)
    assert code == 0, out
    return json.loads(out)


@pytest.fixture(scope="module")
def spent(gateway):
    """A gateway that has served some requests, one of them of unknown cost."""
    not_just_before_midnight()
    for n in range(6):
        gateway.chat(f"hello {n}", model="managed/large")
        gateway.chat(f"hello {n}", model="gpu/llama")
    gateway.chat("[[sim-fault: garbage]]", model="managed/large")
    gateway.request("POST", "/v1/embeddings", {"model": "managed/embed", "input": "some text"})
    wait_until(lambda: gateway.rows("SELECT count(*) AS n FROM request")[0]["n"] == 14)
    return gateway


def test_costs_are_those_of_the_ledger_and_of_the_metrics(spent):
    report = costs(spent, "--by", "target")
    spend = spent.metrics()["tollgate_spend_usd_total"]
    for row in report["rows"]:
        (known,) = spent.rows("SELECT sum(input_pusd + cached_input_pusd + cache_write_pusd + output_pusd + request_pusd + gpu_pusd) AS p"
                              " FROM attempt WHERE target = (SELECT id FROM name WHERE text = ?)", row["target"])
        assert Decimal(row["usd_known"]) == Decimal(known["p"]) / 10**12 == total(spend, target=row["target"])
    assert {row["target"]: row["usd"] is None for row in report["rows"]} == {"gpu/llama": False, "managed/embed": False, "managed/large": True}
    assert sum(Decimal(row["usd_known"]) for row in report["rows"]) == Decimal(report["total"]["usd_known"])
    assert report["total"]["requests"] == 14 and report["total"]["unpriced_attempts"] == 1


def test_every_dimension_splits_the_same_sum(spent):
    whole = costs(spent)["total"]["usd_known"]
    for by in ("team", "model", "route", "key", "day", "hour", "tier", "outcome", "team,model,route,target,key,day,hour,tier,outcome"):
        assert sum(Decimal(row["usd_known"]) for row in costs(spent, "--by", by)["rows"]) == Decimal(whole), by


def test_the_table_says_unknown_and_a_total_without_colour_off_a_terminal(spent):
    code, out, err = tollgate("costs", "--config", spent.config_path, "--by", "outcome", "--baselines")
    assert code == 0 and "\033" not in out
    assert [line.split()[0] for line in out.splitlines()[2:] if line and not line.startswith("-")][:4] == ["outcome", "ok", "upstream_garbage", "total"]
    assert "unknown" in out and "all-managed" in out and "not known" in err


def test_focus_has_its_columns_and_the_whole_known_cost(spent):
    code, out, err = tollgate("costs", "--config", spent.config_path, "--focus")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 1 and "no row stands for them" in err
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(costs(spent)["total"]["usd_known"])
    for row in rows:
        assert None not in row and None not in row.values()
        assert row["BilledCost"] == row["EffectiveCost"] == row["ListCost"] == row["ContractedCost"]
        assert row["ChargeCategory"] == "Usage" and row["BillingCurrency"] == "USD" and row["ServiceCategory"] == "AI and Machine Learning"
        assert row["ChargePeriodStart"] == f"{today()}T00:00:00Z" or row["ChargePeriodStart"] < row["ChargePeriodEnd"]
        if row["ListUnitPrice"]:
            assert Decimal(row["ListUnitPrice"]) * Decimal(row["PricingQuantity"]) == Decimal(row["ListCost"])
        json.loads(row["Tags"])
    assert any(row["ListUnitPrice"] == "0.0000025" for row in rows)


def test_baselines_agree_in_costs_and_metrics_and_leave_out_what_does_not_apply(spent):
    baselines = costs(spent, "--baselines")["total"]["baselines"]
    managed, on_gpu = baselines["all-managed"], baselines["on-gpu"]
    assert managed["compared_requests"] == 12 and managed["unknown_requests"] == 1
    assert Decimal(managed["savings_usd"]) == Decimal(managed["usd"]) - Decimal(managed["actual_usd"]) != 0
    assert on_gpu == {"compared_requests": 0, "unknown_requests": 13, "usd": None, "actual_usd": None, "savings_usd": None}
    metrics = spent.metrics()
    assert total(metrics["tollgate_baseline_spend_usd_total"], baseline="all-managed") == Decimal(managed["usd"])
    assert total(metrics["tollgate_baseline_unknown_requests_total"], baseline="on-gpu") == 13


@pytest.mark.parametrize("arguments, code, said", [
    (["--by", "colour"], 2, "--by knows no 'colour'"),
    (["--since", "soon"], 2, "no point in time"),
    (["--since", "today", "--until", "2020-01-01"], 2, "does not lie after"),
    (["--json", "--csv"], 2, "excludes"),
    (["--ledger", "/nowhere/ledger.db"], 3, "there is no ledger at"),
    (["--config", "/nowhere/tollgate.yaml"], 3, "cannot be opened"),
])
def test_wrong_questions_are_answered_with_what_is_wrong(arguments, code, said):
    got, _, err = tollgate("costs", *arguments)
    assert got == code and said in err, err


def usage_export(rows):
    head = "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,input_tokens,output_tokens,input_cached_tokens\n"
    day = int(datetime.datetime.fromisoformat(f"{today()}T00:00:00+00:00").timestamp())
    return head + "".join(f"{day},{day + 86400},,,proj,{n}.0,,key,{model},false,{i},{o},{c}\n" for model, n, i, o, c in rows)


def test_reconcile_agrees_with_an_export_of_what_the_ledger_holds_and_explains_what_differs(spent, tmp_path):
    rows = {row["target"]: row for row in costs(spent, "--by", "target", "--since", today())["rows"]}
    large, embed = rows["managed/large"]["tokens"], rows["managed/embed"]["tokens"]
    true = [("large-2026-01-01", 7, large["input"] + large["cached_input"], large["output"], large["cached_input"]), ("embed", 1, embed["input"], 0, 0)]
    export = tmp_path / "completions_usage.csv"
    export.write_text(usage_export(true))
    code, out, err = tollgate("reconcile", "--config", spent.config_path, "--invoice", export, "--backend", "managed", "--json")
    assert code == 0, out + err
    assert json.loads(out)["agrees"] and json.loads(out)["differences"] == []

    export.write_text(usage_export([("large", 9, true[0][2], true[0][3] + 1_000_000, true[0][4]), ("other", 1, 5, 5, 0)]))
    code, out, err = tollgate("reconcile", "--ledger", spent.ledger_path, "--config", spent.config_path, "--invoice", export, "--backend", "managed")
    assert code == 1, out + err
    for said in ("other: missing in ledger", "embed: missing in invoice", "large: tokens, output", "differs: 2 of 3"):
        assert said in out, out


def test_an_export_with_bytes_that_are_no_text_is_reported_and_not_fatal(spent, tmp_path):
    export = tmp_path / "export.csv"
    export.write_bytes(usage_export([("MODEL", 1, 5, 5, 0)]).encode().replace(b"MODEL", b"gpt\xff\xfe\x1b"))
    code, out, err = tollgate("reconcile", "--config", spent.config_path, "--invoice", export, "--backend", "managed", "--json")
    assert code == 1 and any(row["kind"] == "missing_in_ledger" for row in json.loads(out)["differences"]), err


@pytest.mark.parametrize("text, code, said", [
    ("a,b\n1,2\n", 1, "no export that is known"),
    ("", 1, "is empty"),
    (None, 3, "cannot read"),
])
def test_an_export_that_cannot_be_read_is_refused(spent, tmp_path, text, code, said):
    export = tmp_path / "export.csv"
    if text is not None:
        export.write_text(text)
    got, _, err = tollgate("reconcile", "--config", spent.config_path, "--invoice", export, "--backend", "managed")
    assert got == code and said in err, err


def test_old_requests_fold_into_daily_sums_and_costs_stay_the_same(tmp_path):
    clock = ShiftedClock(tmp_path)
    clock.behind(10 * 86400)
    gateway = Gateway(GATEWAY_CONFIG, clock.environment)
    try:
        gateway.start()
        for n in range(20):
            gateway.chat(f"hello {n}", model="managed/large" if n % 2 else "gpu/llama")
        assert gateway.stop() == 0, gateway.log()
        clock.behind(0)
        question = ("--since", "30d", "--until", today(), "--by", "day,target", "--baselines")
        before = costs(gateway, *question)
        gateway.write_config(GATEWAY_CONFIG.replace('ledger.db"}', 'ledger.db", keep_days: 3}').replace('LEDGER"}', 'LEDGER", keep_days: 3}'))
        gateway.returncode = None
        gateway.start()
        gateway.chat("today")
        wait_until(lambda: gateway.rows("SELECT count(*) AS n FROM request")[0]["n"] <= 2, 10, "old requests to be folded")
        after = costs(gateway, *question)
        assert after["rows"] == before["rows"] and after["total"]["requests"] == 20
        assert gateway.rows("SELECT sum(sum) AS n FROM daily_sums WHERE measure = 'requests'")[0]["n"] >= 19
        assert gateway.stop() == 0, gateway.log()
    finally:
        if gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait()
        gateway.directory.cleanup()
