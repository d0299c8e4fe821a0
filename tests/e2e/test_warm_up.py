"""Pools that scale to zero: woken on request, and forecast with the cold start that a request would pay for."""

import json
import subprocess
import time
from decimal import Decimal

import pytest
from gateway import PROGRAM, Gateway, total, wait_until
from recording_upstream import Upstream

CONFIG = """\
version: 1
server: {listen: "127.0.0.1:0", reactors: 2}
admin: {listen: "127.0.0.1:0"}
ledger: {url: "sqlite:LEDGER"}
backends:
  burst:
    dialect: vllm
    url: BURST
    trust: internal
    pool: {billing: serverless, gpu: H100, gpus: 1, usd_per_gpu_second: "0.001", cold_start_seconds: 0.3, idle_timeout_seconds: IDLE, requests_per_worker: 8}
    models: {small: {upstream: up-small, context_tokens: 100000}, more: {upstream: up-more, context_tokens: 100000}}
  home:
    dialect: vllm
    url: HOME
    pool: {billing: dedicated, gpu: H100, gpus: 1, usd_per_gpu_hour: "2.49"}
    models: {m: {context_tokens: 100000}}
  far:
    dialect: openai
    url: HOME
    models: {large: {context_tokens: 100000, prices: {input_usd_per_million_tokens: "10", output_usd_per_million_tokens: "20"}}}
routes: [{name: auto, when: {model: auto}, choose: cheapest, among: [burst/small, far/large], cost_basis: marginal}]
"""


class Fleet:
    def __init__(self, more="", idle="60"):
        self.burst, self.home = Upstream(), Upstream()
        self.gateway = Gateway(CONFIG.replace("BURST", self.burst.url).replace("HOME", self.home.url).replace("IDLE", idle) + more)

    def __enter__(self):
        self.gateway.start()
        return self

    def __exit__(self, *_):
        self.gateway.stop()
        self.gateway.directory.cleanup()
        self.burst.close()
        self.home.close()

    def warm(self, name="burst", method="POST", query=""):
        status, body = self.gateway.admin(f"/admin/v1/backends/{name}/warm{query}", method)
        return status, json.loads(body)

    def wait_for(self, state):
        return wait_until(lambda: (lambda now: now if now["state"] == state else None)(self.warm(method="GET")[1]), 15, f"the warm-up to be {state}")

    def pool(self, name="burst"):
        return next(p for p in json.loads(self.gateway.admin("/admin/v1/pools")[1])["pools"] if p["pool"] == name)

    def rows(self):
        return self.gateway.rows("SELECT r.*, a.target AS asked, a.usd AS spent, a.result AS outcome, a.usage_source FROM requests r "
                                 "JOIN attempts a ON a.request_id = r.id WHERE r.purpose = 'warm-up' ORDER BY r.id")

    def command(self, *arguments, name="burst"):
        return subprocess.run([PROGRAM, "pools", "warm", name, "--url", f"http://127.0.0.1:{self.gateway.admin_port}", *arguments],
                              capture_output=True, text=True, timeout=30)


@pytest.fixture
def fleet():
    with Fleet() as running:
        yield running


def test_a_cold_pool_is_woken_by_one_token_and_the_books_close(fleet):
    assert fleet.pool()["state"] == "cold" and fleet.pool()["warm_up"] is None and fleet.warm(method="GET")[0] == 404
    status, begun = fleet.warm()
    assert (status, begun["backend"], begun["target"], begun["state"]) == (202, "burst", "burst/small", "booting")
    up = fleet.wait_for("up")
    assert up["calls"] == 1 and up["error"] is None
    assert json.loads(fleet.burst.bodies[0]) == {"model": "up-small", "messages": [{"role": "user", "content": "ping"}], "max_tokens": 1}
    wait_until(lambda: fleet.pool()["state"] == "warm", 5, "the worker to be ready by its rules")
    assert fleet.pool()["workers_up"] == 1 and fleet.pool()["warm_up"]["state"] == "up"
    row, = wait_until(fleet.rows, 10, "the row")
    assert (row["route"], row["asked"], row["outcome"], row["usage_source"], row["team"], row["key"]) == ("(warm-up)", "burst/small", "ok", "exact", "", "")
    assert Decimal(row["spent"]) == Decimal(up["charged_usd"])
    metrics = fleet.gateway.metrics()
    assert total(metrics.get("tollgate_requests_total", {})) == 0 == total(metrics.get("tollgate_attempts_total", {}))
    assert total(metrics["tollgate_route_spend_usd_total"], route="(warm-up)") == Decimal(up["charged_usd"])
    pool = {name[:-4]: Decimal(usd) for name, usd in fleet.pool().items() if name.endswith("_usd")}
    assert pool["cold_start"] == Decimal("0.0003"), "a boot of 0.3 s at $0.001 a second, on its own line"
    assert pool["attributed"] == Decimal(row["spent"])
    assert pool["billed"] == sum(pool[line] for line in ("attributed", "idle", "foreign", "cold_start", "minimum", "down", "rounding"))


def test_while_it_boots_there_is_one_warm_up_and_every_call_of_it_is_a_row(fleet):
    fleet.burst.status = 503
    first = fleet.warm()[1]
    wait_until(lambda: fleet.warm(method="GET")[1]["calls"] >= 1, 10, "the first call")
    again = fleet.warm()[1]
    assert again["state"] == "booting" and again["seconds"] >= first["seconds"] and again["error"]
    assert len(fleet.burst.bodies) <= 2, "asking again sends nothing"
    fleet.burst.status = 200
    up = fleet.wait_for("up")
    assert up["calls"] == len(fleet.burst.bodies) >= 2
    rows = wait_until(lambda: (lambda all_: all_ if len(all_) == up["calls"] else None)(fleet.rows()), 10, "the rows")
    assert [row["outcome"] for row in rows[:-1]] == ["upstream_busy"] * (len(rows) - 1) and rows[-1]["outcome"] == "ok"
    assert sum(Decimal(row["spent"]) for row in rows) == Decimal(up["charged_usd"])


def test_what_no_wait_mends_ends_it_at_once(fleet):
    fleet.burst.status = 401
    fleet.warm()
    failed = fleet.wait_for("failed")
    assert failed["calls"] == 1 and failed["error"]
    assert fleet.warm()[1]["state"] == "booting", "the next one begins anew"


def test_what_cannot_be_warmed_is_refused_by_name(fleet):
    for name, code in (("home", "nothing_to_warm"), ("far", "nothing_to_warm")):
        status, body = fleet.warm(name)
        assert (status, body["error"]["code"]) == (409, code) and name in body["error"]["message"]
    assert fleet.warm("nobody")[0] == 404
    assert fleet.warm(query="?model=other")[0] == 404
    status, _ = fleet.warm(method="DELETE")
    assert status == 405
    fleet.gateway.admin("/admin/v1/backends/burst/drain", "POST")
    assert fleet.warm()[1]["error"]["code"] == "backend_drained"
    assert not fleet.burst.bodies


def test_another_model_of_the_backend_can_be_asked(fleet):
    assert fleet.warm(query="?model=more")[1]["target"] == "burst/more"
    fleet.wait_for("up")
    assert json.loads(fleet.burst.bodies[0])["model"] == "up-more"


@pytest.mark.parametrize("rules, said", [
    ('constraints: [{name: all-eu, when: {model: ["*"]}, require: {trust: external}}]\n', "constraint"),
    ('budgets: [{name: none, limit_usd: "0.000001", per: month}]\n', "budget")])
def test_constraints_and_budgets_hold_for_it(rules, said):
    with Fleet(rules) as fleet:
        fleet.warm()
        failed = fleet.wait_for("failed")
        assert said in failed["error"] and failed["calls"] == 0
        assert not fleet.burst.bodies and not fleet.rows()


def test_the_command_waits_and_says_how_it_ended(fleet):
    done = fleet.command("--wait")
    assert done.returncode == 0, done.stderr
    assert "burst/small: up after" in done.stdout and "1 call, charged 0" in done.stdout
    report = json.loads(fleet.command("--wait", "--json").stdout)
    assert report["state"] == "up" and report["calls"] == 1
    refused = fleet.command(name="home")
    assert refused.returncode == 1 and "nothing to warm" in refused.stderr
    fleet.burst.status = 401
    failed = fleet.command("--wait")
    assert failed.returncode == 1 and "failed" in failed.stdout
    fleet.burst.status = 503
    late = fleet.command("--wait", "--timeout-seconds", "0.3")
    assert late.returncode == 1 and "not up within 0.3 s" in late.stderr


def test_a_shutdown_waits_for_no_boot(fleet):
    fleet.burst.status = 503
    fleet.warm()
    wait_until(lambda: fleet.burst.bodies, 10, "the first call")
    began = time.monotonic()
    assert fleet.gateway.stop() == 0, fleet.gateway.log()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("dialect, billing", [
    ("replicate", 'billing: reported, gpus: 1, usd_per_gpu_second: "0.001"'), ("runpod", 'billing: reported, gpus: 1, usd_per_gpu_second: "0.001"'),
    ("fal", 'billing: serverless, gpus: 1, usd_per_gpu_second: "0.001", idle_timeout_seconds: 1')])
def test_job_platforms_are_woken_by_a_job(dialect, billing):
    config = f"""\
version: 1
server: {{listen: "127.0.0.1:0", reactors: 1}}
admin: {{listen: "127.0.0.1:0"}}
ledger: {{url: "sqlite:LEDGER"}}
backends:
  burst: {{dialect: {dialect}, simulated: {{seed: 1}}, pool: {{{billing}}}, models: {{m: {{upstream: org/app, context_tokens: 10000}}}}}}
"""
    with Gateway(config) as gateway:
        assert gateway.admin("/admin/v1/backends/burst/warm", "POST")[0] == 202
        up = wait_until(lambda: (lambda now: now if now["state"] != "booting" else None)(json.loads(gateway.admin("/admin/v1/backends/burst/warm")[1])), 15, "the job")
        assert up["state"] == "up", up
        assert Decimal(up["charged_usd"]) > 0


def test_no_probe_keeps_a_serverless_worker_up(fleet):
    wait_until(lambda: fleet.home.connections, 10, "the probe of the hardware that is up anyway")
    assert fleet.burst.connections == 0


def test_a_cold_pool_is_forecast_with_its_boot_and_a_warm_one_by_its_work():
    with Fleet(idle="10") as fleet:
        gateway = fleet.gateway

        def asked():
            status, _, body = gateway.request("POST", "/admin/v1/explain", {"request": {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}}, port=gateway.admin_port)
            assert status == 200, body
            return {step["target"]: Decimal(step["forecast_usd"]) for step in json.loads(body)["steps"]}

        def offline(*state):
            told = subprocess.run([PROGRAM, "explain", "Hello", "--config", gateway.config_path, "--json", *state], capture_output=True, text=True, timeout=30)
            assert told.returncode == 0, told.stderr
            return {step["target"]: Decimal(step["forecast_usd"]) for step in json.loads(told.stdout)["steps"]}

        cold = asked()
        assert list(cold) == ["far/large", "burst/small"] == list(offline())
        work = Decimal("0.015")          # 300 tokens at 0.05 s: nothing was learned yet
        assert cold["burst/small"] == Decimal("0.0003") + work + Decimal("0.010") == offline()["burst/small"]
        assert gateway.chat()[1]["x-tollgate-target"] == "far/large"
        fleet.warm()
        fleet.wait_for("up")
        warm = wait_until(lambda: (lambda now: now if now["burst/small"] == work else None)(asked()), 2, "the decision to know of the worker")
        assert warm == offline("--state", "burst/small: workers=1") | {"far/large": warm["far/large"]}
