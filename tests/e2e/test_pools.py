"""The hardware's bill: by the hour in the ledger, across restarts and kills, serverless workers, seconds that providers report."""

import csv
import http.server
import io
import json
import signal
import subprocess
import threading
import time
from decimal import Decimal

import pytest
from clock import ShiftedClock
from gateway import CONFIG, PROGRAM, Gateway, total, wait_until

RENT_PER_SECOND = Decimal("4.98") / 3600        # of the pool `gpu`: two H100 at 2.49 USD an hour
LINES = ("attributed", "idle", "cold_start", "minimum", "down", "rounding")


def pools(gateway, *arguments):
    run = subprocess.run([PROGRAM, "costs", "--pools", "--json", "--config", gateway.config_path, *arguments], capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    for row in [*report["rows"], report["total"]]:
        assert sum(Decimal(row["usd"][line]) for line in LINES) == Decimal(row["usd"]["billed"]), row
    return report


def attributed(gateway):
    """What the ledger's attempts were charged for hardware."""
    return Decimal(gateway.rows("SELECT coalesce(sum(gpu_pusd), 0) AS p FROM attempt")[0]["p"]) / 10**12


def again(gateway):
    gateway.returncode = None
    return gateway.start()


@pytest.fixture
def stopped(tmp_path):
    """Gateways that a test starts and stops itself, on a wall clock that can be moved."""
    clock = ShiftedClock(tmp_path)
    made = []

    def make(config=CONFIG):
        made.append(Gateway(config, clock.environment))
        return made[-1], clock

    yield make
    for gateway in made:
        if gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait()
        gateway.directory.cleanup()


def test_rented_hardware_is_billed_while_the_gateway_is_down(stopped):
    gateway, clock = stopped()
    clock.behind(3 * 3600)
    gateway.start()
    for n in range(4):
        assert gateway.chat(f"hello {n}", model="gpu/llama")[0] == 200
    assert gateway.stop() == 0, gateway.log()
    before = pools(gateway)["total"]["usd"]
    assert Decimal(before["attributed"]) == attributed(gateway) > 0
    assert before["down"] == "0"
    clock.behind(0)
    again(gateway)
    gateway.chat("hello again", model="gpu/llama")
    assert total(gateway.metrics()["tollgate_pool_cost_usd_total"], pool="gpu", state="down") > 10
    assert gateway.stop() == 0, gateway.log()
    after = pools(gateway)["total"]["usd"]
    assert Decimal(after["attributed"]) == attributed(gateway) > Decimal(before["attributed"])
    # Three hours, and what the test itself took between the two runs.
    assert 0 <= Decimal(after["down"]) - 3 * 3600 * RENT_PER_SECOND < 60 * RENT_PER_SECOND
    hours = pools(gateway, "--by", "hour")["rows"]
    assert len(hours) in (4, 5) and hours == sorted(hours, key=lambda row: row["hour"])
    for whole in hours[1:-1]:
        assert abs(Decimal(whole["usd"]["billed"]) - Decimal("4.98")) <= Decimal("0.000000000004")


def test_a_killed_gateway_leaves_a_bill_that_adds_up(stopped):
    gateway, _ = stopped()
    gateway.start()
    started = time.time()
    for n in range(3):
        gateway.chat(f"hello {n}", model="gpu/llama")
        gateway.process.send_signal(signal.SIGKILL)
        gateway.process.wait()
        again(gateway)
    elapsed = Decimal(time.time() - started)
    assert gateway.stop() == 0, gateway.log()
    usd = pools(gateway)["total"]["usd"]
    assert Decimal(usd["attributed"]) == attributed(gateway) > 0
    assert elapsed * RENT_PER_SECOND <= Decimal(usd["billed"]) < (elapsed + 30) * RENT_PER_SECOND


SERVERLESS = CONFIG.replace('pool: {billing: dedicated, gpu: H100, gpus: 2, usd_per_gpu_hour: "2.49"}',
                            'pool: {billing: serverless, gpu: H100, gpus: 1, usd_per_gpu_second: "0.001", cold_start_seconds: 0.05, '
                            'idle_timeout_seconds: 0.2, increment_seconds: 1}')


def test_a_serverless_worker_is_billed_from_its_start_to_its_stop_and_scales_to_zero():
    with Gateway(SERVERLESS) as gateway:
        gateway.chat("hello [[sim-tokens: 100]]", model="gpu/llama")
        wait_until(lambda: total(gateway.metrics()["tollgate_pool_billed_usd_total"], pool="gpu") == Decimal("0.001"), 10, "the worker to stop")
        cost = gateway.metrics()["tollgate_pool_cost_usd_total"]
        assert total(cost, pool="gpu", state="cold_start") == Decimal("0.00005")
        assert total(cost, pool="gpu", state="idle") == Decimal("0.0002")
        assert total(cost, pool="gpu", state="attributed") > 0 and total(cost, pool="gpu", state="minimum") > 0
        time.sleep(1.2)         # longer than an increment: nothing is up, nothing is billed
        assert total(gateway.metrics()["tollgate_pool_billed_usd_total"], pool="gpu") == Decimal("0.001")
        assert gateway.stop() == 0
        assert Decimal(pools(gateway)["total"]["usd"]["billed"]) == Decimal("0.001")
        assert Decimal(pools(gateway)["total"]["usd"]["attributed"]) == attributed(gateway)


TOKENS = CONFIG.replace('usd_per_gpu_hour: "2.49"}', 'usd_per_gpu_hour: "2.49", prefill_tokens_per_second: 200000, decode_tokens_per_second: 100000}')


@pytest.mark.parametrize("method, config", [("time", CONFIG), ("tokens", TOKENS)])
def test_rows_say_how_the_hardware_was_shared(method, config):
    with Gateway(config) as gateway:
        for stream in (False, True):
            _, headers, _ = gateway.chat("hello [[sim-tokens: 50]]", model="gpu/llama", stream=stream)
            (row,) = gateway.wait_for_row(headers["x-tollgate-request-id"])
            assert row["pool_method"] == method and Decimal(row["usd"]) > 0
        assert gateway.stop() == 0
        assert Decimal(pools(gateway)["total"]["usd"]["attributed"]) == attributed(gateway)


def test_a_long_prompt_pays_for_its_prefill():
    """A stream runs while a prompt is computed that keeps the engine busy for two seconds."""
    slow = CONFIG.replace("prefill_tokens_per_second: 200000", "prefill_tokens_per_second: 10000")
    paid = {}
    for attribution in ("time", "tokens"):
        config = slow.replace('usd_per_gpu_hour: "2.49"}', f'usd_per_gpu_hour: "2.49", attribution: {attribution}, prefill_tokens_per_second: 10000, '
                                                           'decode_tokens_per_second: 100000}')
        with Gateway(config) as gateway:
            ids = {}

            def ask(name, text, gateway=gateway, ids=ids):
                ids[name] = gateway.chat(text, model="gpu/llama", stream=True)[1]["x-tollgate-request-id"]

            chats = [threading.Thread(target=ask, args=(f"chat{n}", "hello [[sim-tokens: 1500]]")) for n in range(3)]
            for chat in chats:
                chat.start()
            time.sleep(0.3)
            ask("long", "word " * 20_000 + "[[sim-tokens: 3]]")
            for chat in chats:
                chat.join()
            cost = {name: Decimal(gateway.wait_for_row(request)[0]["usd"]) for name, request in ids.items()}
            paid[attribution] = cost["long"] / sum(cost.values())
    assert paid["tokens"] > 2 * paid["time"], paid


class Reporting(http.server.BaseHTTPRequestHandler):
    """A provider that says in a header or in its answer how long it bills, or not at all: as the prompt asks."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        wish = body["messages"][0]["content"]
        answer = {"id": "x", "object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
                  "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}}
        if wish == "json":
            answer["metrics"] = {"predict_time": 2.5}
        if body.get("stream"):
            chunk = {"id": "x", "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}
            last = {"id": "x", "choices": [], "usage": answer["usage"], **({"metrics": answer["metrics"]} if wish == "json" else {})}
            text = "".join(f"data: {json.dumps(event)}\n\n" for event in (chunk, last)) + "data: [DONE]\n\n"
        else:
            text = json.dumps(answer)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if body.get("stream") else "application/json")
        self.send_header("content-length", str(len(text)))
        if wish == "header":
            self.send_header("X-Billed-Ms", "1250")
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.mark.parametrize("transport", ["auto", "curl"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("place, usd", [("header", "0.00125"), ("json", "0.0025")])
def test_a_call_costs_the_seconds_its_provider_reports(place, usd, stream, transport):
    provider = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reporting)
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    where = "{header: x-billed-ms, unit: ms}" if place == "header" else "{json: metrics.predict_time}"
    config = f"""\
version: 1
server: {{listen: "127.0.0.1:0"}}
admin: {{listen: "127.0.0.1:0"}}
ledger: {{url: "sqlite:LEDGER"}}
backends:
  calls:
    dialect: openai
    url: http://127.0.0.1:{provider.server_port}
    transport: {transport}
    pool: {{billing: reported, gpus: 1, usd_per_gpu_second: "0.001", billed_seconds: {where}}}
    models: {{m: {{}}}}
"""
    try:
        with Gateway(config) as gateway:
            _, headers, _ = gateway.chat(place, model="calls/m", stream=stream)
            (row,) = gateway.wait_for_row(headers["x-tollgate-request-id"])
            assert (row["pricing"], row["pool_method"], Decimal(row["usd"])) == ("priced", "reported", Decimal(usd))
            _, headers, _ = gateway.chat("neither", model="calls/m", stream=stream)
            (row,) = gateway.wait_for_row(headers["x-tollgate-request-id"])
            assert row["pricing"] == "unpriced" and row["usd"] is None
            assert total(gateway.metrics()["tollgate_pool_billed_usd_total"], pool="calls") == Decimal(usd)
    finally:
        provider.shutdown()


def test_pools_are_printed_as_a_table_and_as_csv(gateway):
    gateway.chat("hello", model="gpu/llama")

    def print_pools(*arguments):
        return subprocess.run([PROGRAM, "costs", "--pools", "--config", gateway.config_path, *arguments], capture_output=True, text=True, timeout=30)

    table = print_pools("--by", "pool,day")
    assert table.returncode == 0 and "USD billed" in table.stdout and "total" in table.stdout
    rows = list(csv.DictReader(io.StringIO(print_pools("--csv", "--by", "pool,hour").stdout)))
    assert rows and all(sum(Decimal(row[f"usd_{line}"]) for line in LINES) == Decimal(row["usd_billed"]) for row in rows)
    wrong = print_pools("--by", "team")
    assert wrong.returncode == 2 and "pool, day, hour" in wrong.stderr
