"""One number everywhere: the live page, Prometheus, `tollgate costs` and the ledger say the same of the same window."""

import datetime
import json
import socket
import subprocess
import time
from decimal import Decimal

import pytest
from browser import Browser, find_browser
from clock import ShiftedClock
from gateway import CONFIG, PROGRAM, Gateway, total, wait_until

AGREE = CONFIG + """\
baselines:
  - {name: all-managed, target: managed/large}
"""
MONEY = "input_pusd + cached_input_pusd + cache_write_pusd + output_pusd + request_pusd + gpu_pusd"
TOKENS = "SELECT sum(input + cached_input + cache_write) AS i, sum(output) AS o FROM attempt"


def overview(gateway):
    return json.loads(gateway.admin("/admin/v1/overview")[1])


def costs(gateway, *arguments):
    ran = subprocess.run([PROGRAM, "costs", "--config", gateway.config_path, "--since", "today", "--json", *arguments], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)["total"]


def traffic(gateway, rounds=4):
    """Of every kind: small, large, failed, refused, of unknown cost, whole, streamed, given up."""
    sent = 0
    for n in range(rounds):
        gateway.chat(f"Hello {n}")
        gateway.chat("Prove rigorously that there are infinitely many primes.")
        gateway.chat(f"Tell me a story {n}", stream=True)
        gateway.chat("[[sim-fault: garbage]]", model="managed/large")
        gateway.chat("Hello", model="no-such-model")
        gateway.request("POST", "/v1/embeddings", {"model": "managed/embed", "input": "some text"})
        sent += 6
    body = json.dumps({"model": "managed/large", "stream": True, "messages": [{"role": "user", "content": "Go on"}], "max_tokens": 500}).encode()
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        assert client.recv(200)
    return sent + 1


def settled(gateway, requests):
    """The overview once the ledger has them all."""
    return wait_until(lambda: (said := overview(gateway))["requests"]["today"] == requests and said["ledger"]["requests_waiting"] == 0 and said["today"]["complete"] and said,
                      15, f"{requests} requests in today's sums")


def assert_same(gateway, said):
    """The page's API, the ledger by SQL, and `tollgate costs`."""
    (row,) = gateway.rows(f"SELECT sum({MONEY}) AS p, sum(gpu_pusd) AS g FROM attempt")
    (tokens,) = gateway.rows(TOKENS)
    reported = costs(gateway, "--baselines")
    assert Decimal(said["spend"]["today_usd"]) == Decimal(row["p"]) / 10**12 == Decimal(reported["usd_known"])
    assert Decimal(said["bill"]["managed_usd"]) == Decimal(row["p"] - row["g"]) / 10**12
    assert said["requests"]["today"] == gateway.rows("SELECT count(*) AS n FROM request")[0]["n"] == reported["requests"]
    assert said["spend"]["unpriced_attempts_today"] == reported["unpriced_attempts"] > 0
    assert (said["requests"]["input_tokens_today"], said["requests"]["output_tokens_today"]) == (tokens["i"], tokens["o"])
    (saved,), baseline = said["savings"], reported["baselines"]["all-managed"]
    assert Decimal(saved["baseline_usd"]) == Decimal(baseline["usd"]) > 0
    assert Decimal(saved["requests_only_usd"]) == Decimal(baseline["savings_usd"])
    assert (saved["compared_requests"], saved["unknown_requests"]) == (baseline["compared_requests"], baseline["unknown_requests"])
    assert Decimal(saved["today_usd"]) == Decimal(saved["baseline_usd"]) - Decimal(said["bill"]["today_usd"])
    assert Decimal(said["bill"]["today_usd"]) == Decimal(said["bill"]["managed_usd"]) + Decimal(said["bill"]["hardware_usd"])


@pytest.fixture(scope="module")
def noon():
    """Midnight UTC is not when this runs: the window is one day for everybody."""
    now = datetime.datetime.now(datetime.timezone.utc)
    if now.hour == 23 and now.minute > 55:
        time.sleep((60 - now.minute) * 60)


def test_page_prometheus_costs_and_ledger_agree(noon):
    with Gateway(AGREE) as gateway:
        sent = traffic(gateway)
        said = settled(gateway, sent)
        assert_same(gateway, said)
        before, pools, after = gateway.metrics(), overview(gateway), gateway.metrics()
        assert total(before["tollgate_spend_usd_total"]) == Decimal(said["spend"]["today_usd"])
        assert total(before["tollgate_requests_total"]) == sent
        assert total(before["tollgate_requests_total"], outcome="ok") == sent - said["requests"]["failed_today"]
        assert total(before["tollgate_unpriced_requests_total"]) == said["spend"]["unpriced_attempts_today"]
        hardware = Decimal(pools["bill"]["hardware_usd"])
        second = Decimal("4.98") / 3600      # hardware is added to the second
        assert total(before["tollgate_pool_billed_usd_total"]) - second <= hardware <= total(after["tollgate_pool_billed_usd_total"]) + second
        assert before["tollgate_pool_busy_ratio"][frozenset({("pool", "gpu")})] == pytest.approx(Decimal(str(pools["pools"][0]["busy_ratio"])), abs=Decimal("0.2"))
        # What people see is what the API says.
        if find_browser():
            with Browser() as browser:
                page = browser.page(f"http://127.0.0.1:{gateway.admin_port}/")
                page.wait("document.querySelector('#figure-today .value').title")
                assert page.run("document.querySelector('#figure-today .value').title") == f"${said['spend']['today_usd']}"


def test_they_agree_after_a_restart_and_after_a_kill(noon):
    with Gateway(AGREE) as gateway:
        sent = traffic(gateway, 2)
        settled(gateway, sent)
        gateway.stop()
        gateway.returncode = None
        gateway.start()
        assert_same(gateway, settled(gateway, sent))
        sent += traffic(gateway, 2)
        assert_same(gateway, settled(gateway, sent))
        gateway.process.kill()
        gateway.process.wait()
        gateway.start()
        assert_same(gateway, settled(gateway, sent))
        pools = json.loads(subprocess.run([PROGRAM, "costs", "--config", gateway.config_path, "--since", "today", "--pools", "--json"], capture_output=True, text=True,
                                          timeout=30, check=True).stdout)
        said = overview(gateway)
        recorded = Decimal(pools["total"]["usd"]["billed"])
        assert Decimal(0) <= Decimal(said["bill"]["hardware_usd"]) - recorded < Decimal("0.1")
        gateway.returncode = None


def test_a_new_day_begins_at_zero_and_a_restart_leaves_yesterday_out(tmp_path, noon):
    clock = ShiftedClock(tmp_path)
    now = datetime.datetime.now(datetime.timezone.utc)
    today = now.strftime("%Y-%m-%dT00:00:00Z")
    clock.behind(int((now - now.replace(hour=0, minute=0, second=0)).total_seconds()) + 120)
    with Gateway(AGREE, clock.environment) as gateway:
        settled(gateway, traffic(gateway, 1))
        assert overview(gateway)["today"]["since"] < today
        clock.behind(0)
        said = wait_until(lambda: (said := overview(gateway))["today"]["since"] == today and said, 10, "the new day")
        assert said["requests"]["today"] == 0 and said["spend"]["today_usd"] == "0" and Decimal(said["bill"]["hardware_usd"]) < Decimal("0.1")
        sent = traffic(gateway, 1)
        said = settled(gateway, sent)
        assert Decimal(said["spend"]["today_usd"]) == Decimal(costs(gateway)["usd_known"]) > 0
        gateway.stop()
        gateway.returncode = None
        gateway.start()
        said = settled(gateway, sent)
        assert Decimal(said["spend"]["today_usd"]) == Decimal(costs(gateway)["usd_known"]) > 0
