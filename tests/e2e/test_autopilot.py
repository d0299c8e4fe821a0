"""The autopilot on a simulated fleet: a burst spills, a lost GPU and its return, a changed price; each switch explained and bounded."""

import contextlib
import json
import subprocess
import threading
import time

import pytest
from gateway import PROGRAM, Gateway, total, wait_until

ENGINE = "slots: 64, prefill_tokens_per_second: 200000, decode_tokens_per_second: 100, decode_tokens_per_second_total: 6400, output_tokens_mean: 20"
# Workers of a thousandth of a dollar a second; a request costs as much at the managed host.
CONFIG = """\
version: 1
server: {listen: "127.0.0.1:0", reactors: 1}
admin: {listen: "127.0.0.1:0"}
ledger: {url: "sqlite:LEDGER"}
backends:
  gpu:
    dialect: vllm
    GPU
    breaker: {failures: 2, open_seconds: 0.5, open_seconds_max: 1}
    pool: {billing: dedicated, gpu: H100, gpus: 1, usd_per_gpu_hour: "2.49"}
    models: {llama: {upstream: simulated-model, concurrency_max: 4}}
  serverless:
    dialect: vllm
    simulated: {seed: 2, ENGINE}
    pool: {billing: serverless, gpu: H100, gpus: 1, usd_per_gpu_second: "0.001", cold_start_seconds: 0.5, idle_timeout_seconds: 1, workers_max: 2, requests_per_worker: 8}
    models: {llama: {}}
  host:
    dialect: openai
    simulated: {seed: 3, ENGINE}
    models: {llama: {prices: {input_usd_per_million_tokens: "0", output_usd_per_million_tokens: "0", usd_per_request: "PRICE"}}}
autopilot: {dwell_seconds: 1, window_seconds: 1.5}
routes:
  - {name: auto, when: {model: auto}, choose: cheapest, autopilot: true, among: [gpu/llama, serverless/llama, host/llama]}
"""


def config(price="0.001", gpu="simulated: {seed: 1, ENGINE}"):
    return CONFIG.replace("PRICE", price).replace("GPU", gpu).replace("ENGINE", ENGINE)


class Load:
    """Clients that ask one after the other, until the block ends; what they were answered is kept, the newest last."""

    def __init__(self, gateway, clients):
        self.gateway, self.seen, self.stopping = gateway, [], threading.Event()
        self.threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self):
        while not self.stopping.is_set():
            status, headers, _ = self.gateway.chat("[[sim-tokens: 20]] x")
            self.seen.append((status, headers.get("x-tollgate-target", ""), headers.get("x-tollgate-reason", "")))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def came(self, target, words, since=0):
        return any(status == 200 and to == target and words in reason for status, to, reason in self.seen[since:])


def held(gateway):
    (pool,) = json.loads(gateway.admin("/admin/v1/overview")[1])["autopilot"]
    return pool


@contextlib.contextmanager
def engine(port=0):
    """A stand-alone simulated engine, on a port of its own choice."""
    process = subprocess.Popen([PROGRAM, "sim", "--json", "--listen", f"127.0.0.1:{port}", "--decode-tps", "100", "--decode-tps-total", "6400", "--slots", "64"], stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())["url"], process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(10)
        process.stdout.close()


def test_a_burst_spills_is_measured_and_goes_to_the_serverless_pool_while_that_pays():
    with Gateway(config()) as gateway:
        assert gateway.chat("[[sim-tokens: 20]] x")[1]["x-tollgate-reason"] == "autopilot: paid for and has room"
        with Load(gateway, 12) as load:
            wait_until(lambda: load.came("host/llama", "gpu/llama is saturated; serverless/llama closed"), 10, "the first requests to spill")
            wait_until(lambda: load.came("serverless/llama", "serverless/llama open"), 20, "the pool to open")
            wait_until(lambda: held(gateway)["why"] == "above_break_even", 20, "a measured break-even")
            since = len(load.seen)
            wait_until(lambda: load.came("serverless/llama", "requests/s, worth from", since), 10, "the numbers in the reason")
            # The first answer's time less a boot, which this engine does not need, until a worker that was up has answered.
            pool = wait_until(lambda: 0.1 < (pool := held(gateway))["service_seconds"] < 2 and pool, 20, "the time of an answer")
        assert pool["break_even_requests_per_second"] < pool["requests_per_second"]
        assert pool["elsewhere_usd_per_request"] == "0.001"
        assert all(status == 200 for status, _, _ in load.seen)
        wait_until(lambda: not held(gateway)["open"], 30, "the pool to close when the burst is over")
        metrics = gateway.metrics()
        assert total(metrics["tollgate_autopilot_switches_total"], to="open") == held(gateway)["opened"]
        assert held(gateway)["opened"] - held(gateway)["closed"] == 0
        assert total(metrics["tollgate_autopilot_decisions_total"], standing="open", target="serverless/llama") > 0
        assert total(metrics["tollgate_autopilot_decisions_total"], standing="paid_for", target="gpu/llama") > 0
        assert "the autopilot opens a pool" in gateway.log() and "the autopilot closes a pool" in gateway.log()


def test_at_the_border_it_switches_at_most_once_in_a_time_of_rest():
    with Gateway(config(price="0.00006").replace("window_seconds: 1.5", "window_seconds: 1")) as gateway:
        began = time.monotonic()
        with Load(gateway, 12) as load:
            wait_until(lambda: len(load.seen) > 300, 30, "some traffic")
        pool, took = held(gateway), time.monotonic() - began
        assert pool["opened"] + pool["closed"] <= took + 2   # a trial's end does not rest


def test_a_lost_gpu_and_its_return():
    with engine() as (url, process):
        with Gateway(config(gpu=f"url: {url}")) as gateway:
            with Load(gateway, 4) as load:
                wait_until(lambda: load.came("gpu/llama", "paid for and has room"), 10, "the GPU to serve")
                process.terminate()
                process.wait(10)
                wait_until(lambda: load.came("serverless/llama", "serverless/llama open"), 30, "the pool to take what the GPU had")
                since = len(load.seen)
                with engine(int(url.rsplit(":", 1)[1])):
                    wait_until(lambda: load.came("gpu/llama", "paid for and has room", since), 30, "the GPU to be asked again")
                    since = len(load.seen)
                    wait_until(lambda: not held(gateway)["open"], 30, "the pool to close")
                    wait_until(lambda: len(load.seen) > since, 10, "one more answer")
            assert all(status == 200 for status, _, _ in load.seen)


def test_a_changed_price_switches_within_seconds_and_says_so():
    with Gateway(config()) as gateway:
        with Load(gateway, 12) as load:
            wait_until(lambda: held(gateway)["why"] == "above_break_even" and load.came("serverless/llama", "open"), 30, "the pool to open")
            gateway.write_config(config(price="0.000001"))
            since = len(load.seen)
            wait_until(lambda: load.came("host/llama", "serverless/llama closed", since), 15, "the cheap host to be preferred")
            (pool,) = [held(gateway)]
            assert pool["why"] == "below_break_even" and pool["elsewhere_usd_per_request"] == "0.000001"
            gateway.write_config(config())
            since = len(load.seen)
            wait_until(lambda: load.came("serverless/llama", "serverless/llama open", since), 15, "the pool to open again")


def test_switched_off_nothing_of_it_is_there():
    with Gateway(config().replace("autopilot: true, ", "")) as gateway:
        reason = gateway.chat("Hello")[1]["x-tollgate-reason"]
        assert "autopilot" not in reason
        assert json.loads(gateway.admin("/admin/v1/overview")[1])["autopilot"] == []
        assert not [name for name in gateway.metrics() if name.startswith("tollgate_autopilot")]
        gateway.write_config(config())
        wait_until(lambda: "autopilot" in gateway.chat("Hello")[1]["x-tollgate-reason"], 10, "the reload")
        gateway.write_config(config().replace("autopilot: true, ", ""))
        wait_until(lambda: "autopilot" not in gateway.chat("Hello")[1]["x-tollgate-reason"], 10, "the reload")


def test_what_was_decided_is_decided_again_by_simulate_and_a_what_if_shows_it():
    with Gateway(config()) as gateway:
        with Load(gateway, 12) as load:
            wait_until(lambda: held(gateway)["why"] == "above_break_even" and load.came("serverless/llama", "worth from"), 30, "the pool to open")
        assert gateway.stop() == 0
        without = gateway.path / "without.yaml"
        without.write_text(gateway.config_path.read_text().replace("autopilot: true, ", ""))
        ran = subprocess.run([PROGRAM, "simulate", "--config", without, "--against", gateway.config_path, "--since", "1h", "--json"], capture_output=True, text=True, timeout=100)
        assert ran.returncode == 0, ran.stderr
        page = json.loads(ran.stdout)
        for each in page["fidelity"]["decisions"]:
            assert each["same"] == each["decisions"], page["line"]
        assert {each["depend_on"] for each in page["fidelity"]["decisions"]} >= {"what the autopilot held of serverless pools"}
        (pool,) = [pool for pool in page["pools"]["before"] if "autopilot" in pool]
        assert pool["pool"] == "serverless"
        assert not [pool for pool in page["pools"]["after"] if "autopilot" in pool]


@pytest.mark.parametrize("state, first", [("open", "serverless/llama"), ("closed", "host/llama")])
def test_explain_shows_what_would_be_if_a_pool_were_open_or_closed(state, first):
    with Gateway(config()) as gateway:
        ran = subprocess.run([PROGRAM, "explain", "--config", gateway.config_path, "--json", "--state", "gpu/llama: in_flight=4", "--state", f"serverless/llama: {state}", "Hello"],
                             capture_output=True, text=True, timeout=30)
        step = json.loads(ran.stdout)["steps"][0]
        assert step["target"] == first and step["why"] == "autopilot", ran.stdout
