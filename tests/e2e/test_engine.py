"""The engine's own word: what it says of its load and its tokens, whose they are, and what they cost."""

import concurrent.futures
import contextlib
import json
import os
import random
import socket
import subprocess
import threading
import time
from decimal import Decimal

import pytest
from gateway import CONFIG, PROGRAM, Gateway, total, wait_until

# Slower than the other files' fleet: a foreign request must be seen while it runs.
ENGINE = "engine: {interval_seconds: 0.2}\n    models:\n      llama:"
GATEWAY_CONFIG = CONFIG.replace("models:\n      llama:", ENGINE)

LINES = ("attributed", "idle", "foreign", "cold_start", "rounding")


def pool_of(gateway):
    return json.loads(gateway.admin("/admin/v1/pools")[1])["pools"][0]


def engine_of(gateway, backend="gpu"):
    backends = json.loads(gateway.admin("/admin/v1/backends")[1])["backends"]
    return next(entry["engine"] for entry in backends if entry["backend"] == backend)


def wait_for_engine(gateway, holds, what, backend="gpu"):
    def look():
        engine = engine_of(gateway, backend)
        return engine if engine and holds(engine) else None
    return wait_until(look, 15, what)


def served(engine, own):
    """Both sides known and compared up to `own` answer tokens of ours."""
    return engine["generation_tokens"] and engine["generation_tokens"]["own"] >= own


def ask_past_the_gateway(gateway, tokens, backend="gpu"):
    """A request straight to the engine; its usage."""
    body = {"model": "meta-llama/Llama-3.3-70B-Instruct", "messages": [{"role": "user", "content": f"[[sim-tokens: {tokens}]]"}]}
    status, _, answer = gateway.request("POST", "/v1/chat/completions", body, port=gateway.simulated[backend])
    assert status == 200, answer
    return json.loads(answer)["usage"]


def test_own_counts_are_the_engines_and_three_prices_come_of_them():
    with Gateway(GATEWAY_CONFIG) as gateway:
        wait_for_engine(gateway, lambda engine: engine["kind"] == "vllm", "the first look at the engine")
        own = 0
        for stream in (False, True, False):
            status, _, body = gateway.chat("[[sim-tokens: 300]]", model="gpu/llama", stream=stream)
            assert status == 200, body
            own += 300
        engine = wait_for_engine(gateway, lambda e: served(e, own), "the engine's count of our requests")
        for side in ("prompt_tokens", "generation_tokens"):
            tokens = engine[side]
            assert tokens["engine"] == tokens["own"] > 0 and tokens["foreign"] == tokens["unexplained"] == 0, engine
            assert tokens["drift_ratio"] == 0
        assert engine["error"] is None and engine["running"] == engine["waiting"] == 0 and engine["kv_cache_usage"] is not None
        pool = wait_until(lambda: (lambda p: p if p["usd_per_million_tokens"]["busy"] else None)(pool_of(gateway)), 10, "a price")
        price = {basis: Decimal(amount) for basis, amount in pool["usd_per_million_tokens"].items()}
        assert price["loaded"] > price["busy"] > price["marginal"] == 0
        assert 0 < pool["busy_ratio"] < 1 and pool["foreign_requests"] == 0
        metrics = gateway.metrics()
        assert metrics["tollgate_engine_token_drift_ratio"][frozenset({("backend", "gpu"), ("type", "generation")})] == 0
        assert total(metrics["tollgate_pool_usd_per_million_tokens"], pool="gpu", basis="loaded") > 0
        assert total(metrics["tollgate_engine_tokens_total"], backend="gpu", type="generation") == own
        assert total(metrics["tollgate_engine_scrape_failures_total"], backend="gpu") == 0


def pools_command(*arguments):
    return subprocess.run([PROGRAM, "pools", *map(str, arguments)], capture_output=True, text=True, timeout=20)


def test_the_command_line_shows_what_the_gateway_knows():
    with Gateway(GATEWAY_CONFIG) as gateway:
        url = f"http://127.0.0.1:{gateway.admin_port}"
        gateway.chat("[[sim-tokens: 100]]", model="gpu/llama")
        wait_for_engine(gateway, lambda e: served(e, 100), "the engine's count")
        wait_until(lambda: pool_of(gateway)["usd_per_million_tokens"]["busy"], 10, "a price")
        shown = pools_command("--url", url)
        assert shown.returncode == 0, shown.stderr
        for word in ("USD attributed", "USD idle", "$/M loaded", "unexplained", "vllm", "0.0%"):
            assert word in shown.stdout, shown.stdout
        known = json.loads(pools_command("--url", url, "--json").stdout)
        assert known["pools"][0]["pool"] == "gpu" and known["backends"][0]["engine"]["kind"] == "vllm"
        data_port = pools_command("--url", f"http://127.0.0.1:{gateway.port}")
        assert data_port.returncode == 3 and "not as a gateway's admin port does" in data_port.stderr
    gone = pools_command("--url", url)
    assert gone.returncode == 3 and url in gone.stderr


# Pitfall 38: idle hardware that no line shows, or that is shown as idle while others use it.
def test_work_that_did_not_pass_the_gateway_is_foreign_and_not_idle():
    with Gateway(GATEWAY_CONFIG) as gateway:
        wait_for_engine(gateway, lambda engine: engine["generation_tokens"], "the first look at the engine")
        assert Decimal(pool_of(gateway)["foreign_usd"]) == 0
        used, began = {}, time.monotonic()
        stranger = threading.Thread(target=lambda: used.update(ask_past_the_gateway(gateway, 1500)))
        stranger.start()
        seen = wait_for_engine(gateway, lambda engine: engine["foreign_requests"] == 1, "the stranger's request")
        assert seen["running"] == 1
        wait_until(lambda: pool_of(gateway)["foreign_requests"] == 1, 5, "the pool to know it")
        stranger.join()
        ran = time.monotonic() - began
        assert used["completion_tokens"] == 1500
        engine = wait_for_engine(gateway, lambda e: e["generation_tokens"]["foreign"] == 1500, "the stranger's tokens")
        assert engine["prompt_tokens"]["foreign"] == used["prompt_tokens"]
        assert engine["generation_tokens"]["own"] == 0 and engine["generation_tokens"]["drift_ratio"] == 1
        wait_until(lambda: pool_of(gateway)["foreign_requests"] == 0, 5, "the pool to be idle again")
        pool = pool_of(gateway)
        # At 2 x 2.49 USD an hour, as long as it ran, less or more the time until somebody looked.
        foreign_seconds = float(pool["foreign_usd"]) * 3600 / 4.98
        assert ran - 1 < foreign_seconds < ran + 2, (ran, pool)
        assert sum(Decimal(pool[f"{line}_usd"]) for line in LINES) == Decimal(pool["billed_usd"])
        metrics = gateway.metrics()
        assert total(metrics["tollgate_foreign_tokens_total"], backend="gpu", type="generation") == 1500
        assert total(metrics["tollgate_pool_gpu_seconds_total"], state="foreign") > 4
        time.sleep(0.5)
        assert pool_of(gateway)["foreign_usd"] == pool["foreign_usd"]       # idle again, not foreign for ever


def test_in_mixed_traffic_every_token_is_ours_or_foreign_and_none_is_both():
    seed = int(os.environ.get("TOLLGATE_SEED", random.randrange(1 << 31)))
    print("TOLLGATE_SEED", seed)
    ours, theirs, lock = [], [], threading.Lock()
    with Gateway(GATEWAY_CONFIG) as gateway:
        wait_for_engine(gateway, lambda engine: engine["generation_tokens"], "the first look at the engine")
        end = time.monotonic() + 5

        def ask(number):
            dice = random.Random(seed + number)
            while time.monotonic() < end:
                tokens = dice.randrange(1, 200)
                if number % 4 == 0:
                    used, into = ask_past_the_gateway(gateway, tokens), theirs
                else:
                    status, _, body = gateway.chat(f"[[sim-tokens: {tokens}]]", model="gpu/llama")
                    assert status == 200, body
                    used, into = json.loads(body)["usage"], ours
                with lock:
                    into.append(used)
                if dice.random() < 0.2:
                    time.sleep(dice.random() / 2)

        with concurrent.futures.ThreadPoolExecutor(8) as crowd:
            done = [crowd.submit(ask, number) for number in range(8)]
            while not all(each.done() for each in done):
                engine, pool = engine_of(gateway), pool_of(gateway)
                with lock:
                    known = sum(used["completion_tokens"] for used in theirs)
                # Of those that are being generated some may be counted, but never ours.
                assert engine["generation_tokens"]["foreign"] <= known + 2 * 200, engine
                assert sum(Decimal(pool[f"{line}_usd"]) for line in LINES) == Decimal(pool["billed_usd"])
                time.sleep(0.1)
            for each in done:
                each.result()
        for side, key in (("prompt_tokens", "prompt_tokens"), ("generation_tokens", "completion_tokens")):
            expected = sum(used[key] for used in ours), sum(used[key] for used in theirs)
            engine = wait_for_engine(gateway, lambda e: (e[side]["own"], e[side]["foreign"]) == expected, f"{side} to be {expected}")
            assert engine[side]["unexplained"] == 0 and engine[side]["engine"] == sum(expected)


@contextlib.contextmanager
def simulator(*arguments):
    process = subprocess.Popen([PROGRAM, "sim", "--json", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(20)


OUTSIDE = """\
version: 1
server: {{listen: "127.0.0.1:0", reactors: 1}}
admin: {{listen: "127.0.0.1:0"}}
ledger: {{url: "sqlite:LEDGER"}}
backends:
  gpu:
    dialect: vllm
    url: {url}
    trust: internal
    pool: {{billing: dedicated, gpus: 1, usd_per_gpu_hour: "3.60"}}
    engine: {{{engine}}}
    models: {{m: {{upstream: simulated-model, context_tokens: 8192, capability: 0.6}}}}
routes: [{{name: all, choose: first, among: [gpu/m]}}]
"""


@pytest.mark.parametrize("name", ["vllm", "vllm-old", "sglang", "llamacpp", "tgi", "trtllm"])
def test_engines_are_known_by_their_own_names(name):
    with simulator("--metrics-as", name, "--time-scale", "10") as engine:
        with Gateway(OUTSIDE.format(url=engine["url"], engine="interval_seconds: 0.2")) as gateway:
            wait_for_engine(gateway, lambda e: e["kind"], "the engine's name")
            # Twice the same long prompt: the second one is found in the engine's cache.
            for _ in range(2):
                status, _, body = gateway.chat("[[sim-tokens: 40]] " + "word " * 400, model="gpu/m")
                assert status == 200, body
            seen = wait_for_engine(gateway, lambda e: e["running"] == 0 and (name == "trtllm" or served(e, 80)), "the counts")
            assert seen["kind"] == ("vllm" if name.startswith("vllm") else name)
            assert seen["waiting"] == 0
            assert (seen["kv_cache_usage"] is None) == (name in ("llamacpp", "tgi"))
            for side in ("prompt_tokens", "generation_tokens"):
                if name == "trtllm":
                    assert seen[side] is None       # it tells no tokens: unknown, not 0
                else:
                    assert seen[side]["engine"] == seen[side]["own"] > 0 and seen[side]["drift_ratio"] == 0, seen


def test_an_engine_that_cannot_be_read_is_unknown_and_said_so_once():
    with simulator("--personality", "openai") as engine:
        with Gateway(OUTSIDE.format(url=engine["url"], engine="interval_seconds: 0.2")) as gateway:
            wait_for_engine(gateway, lambda e: e["error"], "the failure")
            wait_until(lambda: total(gateway.metrics()["tollgate_engine_scrape_failures_total"]) >= 3, 10, "three failures")
            engine_now = engine_of(gateway)
            assert "404" in engine_now["error"]
            assert engine_now["running"] is None and engine_now["foreign_requests"] is None and engine_now["prompt_tokens"] is None
            assert "tollgate_engine_running" not in gateway.metrics()
            assert gateway.log().count("the engine's metrics cannot be read") == 1
            assert pool_of(gateway)["foreign_requests"] is None
            gateway.write_config(gateway.config_path.read_text().replace("engine: {", "engine: {metrics: off, "))
            gateway.admin("/-/reload", "POST")
            assert engine_of(gateway) is None


@contextlib.contextmanager
def page_server(answer):
    """Answers every connection by answer(socket); says how to reach it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection):
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                answer(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def silent(connection):
    connection.recv(1)


def trickling(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b"#")
        time.sleep(0.05)


def endless(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"# nothing\n" * 10000)


def broken_off(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nvllm:num_requests_running 3\n")


def web_page(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\nconnection: close\r\n\r\n<html>hi</html>")


@pytest.mark.parametrize("answer, said", [(silent, ""), (trickling, ""), (endless, "8 MiB"), (broken_off, ""), (web_page, "HTML")])
def test_a_page_that_is_none_holds_nothing_up(answer, said):
    with page_server(answer) as url, Gateway(OUTSIDE.format(url=url, engine="interval_seconds: 0.2")) as gateway:
        engine = wait_for_engine(gateway, lambda e: e["error"], "the failure")
        assert said in engine["error"] and engine["running"] is None, engine
        wait_until(lambda: total(gateway.metrics()["tollgate_engine_scrape_failures_total"]) >= 2, 10, "it to be tried again")
        began = time.monotonic()
        assert gateway.stop() == 0, gateway.log()
        assert time.monotonic() - began < 5, "a scrape under way does not hold up the end"


def test_an_engine_that_begins_anew_loses_no_count():
    with Gateway(GATEWAY_CONFIG) as gateway:
        wait_for_engine(gateway, lambda engine: engine["generation_tokens"], "the first look at the engine")
        gateway.chat("[[sim-tokens: 100]]", model="gpu/llama")
        wait_for_engine(gateway, lambda e: served(e, 100), "the first count")
        gateway.write_config(gateway.config_path.read_text().replace("seed: 1", "seed: 7"))     # another simulated engine
        gateway.admin("/-/reload", "POST")
        wait_for_engine(gateway, lambda e: not e["generation_tokens"] or e["generation_tokens"]["own"] == 0, "the new engine")
        wait_for_engine(gateway, lambda e: e["generation_tokens"], "the new engine's first count")
        gateway.chat("[[sim-tokens: 50]]", model="gpu/llama")
        engine = wait_for_engine(gateway, lambda e: served(e, 50), "the second count")
        assert engine["generation_tokens"]["engine"] == 50 and engine["generation_tokens"]["foreign"] == 0
        assert total(gateway.metrics()["tollgate_engine_tokens_total"], type="generation") == 150


@pytest.mark.parametrize("wants", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_an_engines_own_timings_are_taken_and_shown_only_to_who_asked(stream, wants):
    with simulator() as engine:
        with Gateway(OUTSIDE.format(url=engine["url"], engine="interval_seconds: 0.2, per_request_metrics: true")) as gateway:
            asked = {"include_metrics": True} if wants else {}
            status, _, body = gateway.chat("[[sim-tokens: 20]]", model="gpu/m", stream=stream, usage={"include": True}, **asked)
            assert status == 200, body
            assert (b"time_to_first_token_ms" in body) == wants and (b'"metrics"' in body) == wants
            if not stream:
                assert Decimal(str(json.loads(body)["usage"]["cost"])) > 0
            else:
                assert body.endswith(b"data: [DONE]\n\n")
                for event in body.split(b"\n\n"):
                    if event.startswith(b"data: {"):
                        json.loads(event[6:])
            metrics = gateway.metrics()
            for name in ("ttft", "generation", "queue"):
                assert metrics[f"tollgate_engine_{name}_seconds_count"][frozenset({("target", "gpu/m")})] == 1
            assert total(metrics["tollgate_engine_generation_seconds_sum"]) > Decimal("0.05")


def test_without_per_request_metrics_a_clients_wish_reaches_the_engine():
    with simulator() as engine:
        with Gateway(OUTSIDE.format(url=engine["url"], engine="metrics: on")) as gateway:
            _, _, body = gateway.chat("[[sim-tokens: 20]]", model="gpu/m", include_metrics=True)
            assert json.loads(body)["metrics"]["generation_time_ms"] > 0
            _, _, body = gateway.chat("[[sim-tokens: 20]]", model="gpu/m")
            assert "metrics" not in json.loads(body)
