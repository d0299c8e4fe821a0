"""How routes choose, through the gateway and its simulated fleet: spill-over, speed, weights, conversations, conditions; and what
`tollgate explain` and `tollgate check` say of them."""

import http.client
import json
import subprocess

import pytest
from gateway import PROGRAM, Gateway, total, wait_until

ENGINE = "slots: 64, prefill_tokens_per_second: 1000000, decode_tokens_per_second_total: 100000, output_tokens_mean: 20"
CONFIG = f"""\
version: 1
server: {{listen: "127.0.0.1:0", reactors: 1}}
admin: {{listen: "127.0.0.1:0"}}
ledger: {{url: "sqlite:LEDGER"}}
backends:
  gpu:
    dialect: vllm
    simulated: {{seed: 1, {ENGINE}, decode_tokens_per_second: 100}}
    trust: internal
    pool: {{billing: dedicated, gpu: H100, gpus: 1, usd_per_gpu_hour: "2.49"}}
    models: {{llama: {{capability: 0.9, concurrency_max: 4}}}}
  queue:
    dialect: vllm
    simulated: {{seed: 5, slots: 1, prefill_tokens_per_second: 1000000, decode_tokens_per_second: 100, decode_tokens_per_second_total: 100}}
    pool: {{billing: dedicated, gpu: H100, gpus: 1, usd_per_gpu_hour: "2.49"}}
    engine: {{interval_seconds: 0.2}}
    models: {{m: {{capability: 0.9}}}}
  slow:
    dialect: openai
    simulated: {{seed: 2, slots: 64, prefill_tokens_per_second: 60, decode_tokens_per_second: 200,
                decode_tokens_per_second_total: 100000, output_tokens_mean: 20}}
    models: {{m: {{capability: 0.9, prices: {{input_usd_per_million_tokens: "0.1", output_usd_per_million_tokens: "0.1"}}}}}}
  small:
    dialect: openai
    simulated: {{seed: 3, {ENGINE}, decode_tokens_per_second: 500}}
    models: {{m: {{capability: 0.9, prices: {{input_usd_per_million_tokens: "2", output_usd_per_million_tokens: "4"}}}}}}
  large:
    dialect: openai
    simulated: {{seed: 4, {ENGINE}, decode_tokens_per_second: 500}}
    models:
      m:
        capability: 1.0
        prices: {{input_usd_per_million_tokens: "3", cached_input_usd_per_million_tokens: "0.3", output_usd_per_million_tokens: "4"}}
constraints:
  - name: phi-stays-home
    when: {{header: {{x-data-class: phi}}}}
    require: {{trust: internal}}
spill_over: {{back_at: 0.5}}
routes:
  - {{name: busy, when: {{model: by-load, load: {{of: gpu/llama, from: 1}}}}, among: large/m}}
  - {{name: idle, when: {{model: by-load}}, among: small/m}}
  - {{name: nights, when: {{model: by-time, time: {{from: "22:00", to: "06:00", days: [fri]}}}}, among: small/m}}
  - {{name: days, when: {{model: by-time}}, among: large/m}}
  - {{name: eval, when: {{model: by-sender, metadata: {{purpose: eval}}}}, among: small/m}}
  - {{name: beta, when: {{model: by-sender, user: "beta-*"}}, among: large/m}}
  - {{name: anyone, when: {{model: by-sender}}, among: gpu/llama}}
  - {{name: queued, when: {{model: queued}}, among: [queue/m, small/m]}}
  - {{name: queue-idle, when: {{model: by-queue, load: {{of: queue/m, below: 1}}}}, among: gpu/llama}}
  - {{name: queue-full, when: {{model: by-queue}}, among: small/m}}
  - {{name: spill, when: {{model: spill}}, among: [gpu/llama, large/m, small/m]}}
  - {{name: fast, when: {{model: fast}}, choose: fastest, among: [slow/m, small/m]}}
  - {{name: hurry, when: {{model: hurry}}, first_token_ms: 100, among: [slow/m, small/m]}}
  - {{name: draw, when: {{model: draw}}, choose: weighted, among: [{{target: small/m, weight: 3}}, {{target: large/m, weight: 1}}]}}
  - {{name: talk, when: {{model: talk}}, sticky: true, among: [small/m, large/m]}}
  - {{name: able, when: {{model: able}}, min_capability: 0.95, choose: first, among: [small/m, large/m]}}
"""


@pytest.fixture(scope="module")
def fleet():
    with Gateway(CONFIG) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def talkers():
    """A fleet of its own: forecasts learn from what was asked before."""
    with Gateway(CONFIG) as gateway:
        yield gateway


def went(gateway, model, content="Hello", **more):
    """(target, reason) of a request."""
    status, headers, body = gateway.chat(content, model=model, **more)
    assert status == 200, body
    return headers["x-tollgate-target"], headers["x-tollgate-reason"]


class Stream:
    """A stream that is under way until it is closed."""

    def __init__(self, gateway, model, headers=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hello [[sim-tokens: 3000]]"}]}
        self.connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json", **(headers or {})})
        self.answer = self.connection.getresponse()
        self.target = self.answer.getheader("x-tollgate-target")
        self.answer.readline()

    def close(self):
        self.answer.close()
        self.connection.close()


def in_flight(gateway, target):
    listed = json.loads(gateway.admin("/admin/v1/backends")[1])["targets"]
    return next(each["in_flight"] for each in listed if each["target"] == target)


@pytest.fixture
def full_pool(fleet):
    """The pool with as many requests as it takes."""
    streams = [Stream(fleet, "gpu/llama") for _ in range(4)]
    yield streams
    for stream in streams:
        stream.close()
    wait_until(lambda: in_flight(fleet, "gpu/llama") == 0, what="the pool to be idle")
    assert went(fleet, "spill")[0] == "gpu/llama"


def test_requests_spill_over_and_come_back_with_hysteresis(fleet, full_pool):
    spilled = total(fleet.metrics()["tollgate_spillovers_total"], route="spill") if "tollgate_spillovers_total" in fleet.metrics() else 0
    target, reason = went(fleet, "spill")
    assert target == "small/m"
    assert reason.startswith("spill-over: gpu/llama is saturated; cheapest of 2 with room: $")
    full_pool.pop().close()
    wait_until(lambda: in_flight(fleet, "gpu/llama") == 3)
    assert went(fleet, "spill")[0] == "small/m", "a load of 0.75 is above back_at"
    full_pool.pop().close()
    wait_until(lambda: in_flight(fleet, "gpu/llama") == 2)
    assert went(fleet, "spill")[0] == "gpu/llama"
    series = fleet.metrics()["tollgate_spillovers_total"]
    assert total(series, route="spill", **{"from": "gpu/llama", "to": "small/m"}) - spilled == 2


def test_no_byte_spills_over_a_constraint(fleet, full_pool):
    before = [len(fleet.engine_requests(name)) for name in ("small", "large", "slow")]
    target, reason = went(fleet, "spill", headers={"x-data-class": "phi"})
    assert target == "gpu/llama"
    assert reason.startswith("only one of 3 left ("), reason
    assert [len(fleet.engine_requests(name)) for name in ("small", "large", "slow")] == before


def test_a_condition_on_load_sees_the_load_of_now(fleet, full_pool):
    assert went(fleet, "by-load")[0] == "large/m"
    full_pool.pop().close()
    wait_until(lambda: in_flight(fleet, "gpu/llama") == 3)
    assert went(fleet, "by-load")[0] == "small/m"


def test_an_engines_own_queue_is_load_too(fleet):
    wait_until(lambda: went(fleet, "by-queue")[0] == "gpu/llama", what="the engine's load to be known")
    assert went(fleet, "queued", "Hello [[sim-tokens: 2]]")[0] == "queue/m"
    waiting = []
    for _ in range(6):                      # one works, five wait: more than spill_over.waiting_requests
        connection = http.client.HTTPConnection("127.0.0.1", fleet.port, timeout=30)
        body = {"model": "queue/m", "stream": True, "messages": [{"role": "user", "content": "Hello [[sim-tokens: 3000]]"}]}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        waiting.append(connection)
    try:
        wait_until(lambda: went(fleet, "by-queue")[0] == "small/m", what="the queue to be seen")
        target, reason = went(fleet, "queued")
        assert target == "small/m" and reason.startswith("spill-over: queue/m is saturated; ")
    finally:
        for connection in waiting:
            connection.close()
    wait_until(lambda: went(fleet, "by-queue")[0] == "gpu/llama", what="the queue to be empty again")


def test_the_fastest_is_found_and_the_slow_ruled_out(fleet):
    for model in ("slow/m", "small/m"):
        for _ in range(2):
            status, _, body = fleet.chat("Tell me something about the weather of the coming days, please", model=model, stream=True)
            assert status == 200 and b"[DONE]" in body
    wait_until(lambda: went(fleet, "fast")[1].startswith("fastest of 2 that can"), what="both speeds to be known")
    target, reason = went(fleet, "fast")
    assert target == "small/m" and " ms to the whole answer against " in reason
    target, reason = went(fleet, "fast", stream=True)
    assert target == "small/m" and " ms to the first token against " in reason
    # slow/m is by far the cheaper, but too slow for this route.
    assert went(fleet, "hurry")[0] == "small/m"


def test_weights_are_shares_of_the_requests(fleet):
    drawn = [went(fleet, "draw")[0] for _ in range(120)]
    assert 70 <= drawn.count("small/m") <= 108      # 90 expected, more than four standard deviations around
    assert drawn.count("small/m") + drawn.count("large/m") == 120
    reasons = {went(fleet, "draw") for _ in range(20)}
    assert reasons <= {("small/m", "weighted: drawn with 3 of 4 shares"), ("large/m", "weighted: drawn with 1 of 4 shares")}


def test_a_conversation_stays_where_its_cache_is(talkers):
    opening = "You shall read this. " * 1500
    session = {"x-tollgate-session": "s-1"}
    assert went(talkers, "talk", opening)[0] == "small/m", "without a cache the cheaper one"
    assert went(talkers, "large/m", opening, headers=session)[0] == "large/m"
    target, reason = went(talkers, "talk", opening, headers=session)
    assert target == "large/m"
    assert reason.startswith("sticky: this conversation's last turn went here, "), reason
    assert went(talkers, "talk", opening, headers={"x-tollgate-session": "s-2"})[0] == "small/m", "another conversation"


def test_a_conversation_is_known_by_how_it_begins(talkers):
    opening = {"role": "user", "content": "Let us talk about ships. " * 1500}
    first = {"model": "large/m", "messages": [opening]}
    answer = json.loads(talkers.request("POST", "/v1/chat/completions", first)[2])["choices"][0]["message"]
    later = {"model": "talk", "messages": [opening, answer, {"role": "user", "content": "And sails?"}]}
    _, headers, _ = talkers.request("POST", "/v1/chat/completions", later)
    assert headers["x-tollgate-target"] == "large/m"
    assert headers["x-tollgate-reason"].startswith("sticky: ")


def test_what_a_sender_says_of_itself(fleet):
    assert went(fleet, "by-sender")[0] == "gpu/llama"
    assert went(fleet, "by-sender", user="beta-7")[0] == "large/m"
    assert went(fleet, "by-sender", user="beta-7", metadata={"purpose": "Eval"})[0] == "small/m"


def test_capability_can_be_asked_for(fleet):
    assert went(fleet, "able")[0] == "large/m"


def explain(gateway, *arguments):
    done = subprocess.run([PROGRAM, "explain", "--config", gateway.config_path, "--json", *arguments], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_explain_shows_decisions_for_other_times_and_states(fleet):
    assert explain(fleet, "--model", "by-time", "--at", "2026-11-20T22:30", "Hi")["route"] == "nights"       # a Friday
    assert explain(fleet, "--model", "by-time", "--at", "2026-11-21T05:59", "Hi")["route"] == "nights"
    assert explain(fleet, "--model", "by-time", "--at", "2026-11-21T06:00", "Hi")["route"] == "days"
    assert explain(fleet, "--model", "by-time", "--at", "2026-11-21T23:00", "Hi")["route"] == "days"

    spilled = explain(fleet, "--model", "spill", "--state", "gpu/llama: in_flight=4", "Hi")
    assert spilled["spilled_from"] == "gpu/llama"
    assert [(step["target"], step["saturated"]) for step in spilled["steps"]] == [("small/m", False), ("large/m", False), ("gpu/llama", True)]
    queued = explain(fleet, "--model", "spill", "--state", "gpu/llama: waiting=4", "Hi")
    assert queued["steps"][0]["why"] == "spill_over"

    late = explain(fleet, "--model", "hurry", "--state", "slow/m: first_token_ms=400", "Hi")
    assert late["ruled_out"] == [{"target": "slow/m", "why": "first_token", "expected_ms": 400}]
    assert explain(fleet, "--model", "talk", "--state", "large/m: cached=20000", "x" * 80000)["steps"][0]["why"] == "sticky"


def test_explain_names_what_it_does_not_understand(fleet):
    for arguments, said in ((["--state", "gpu/lama: down"], "did you mean 'gpu/llama'?"), (["--state", "gpu/llama: lazy"], "'lazy' is not understood"),
                            (["--at", "yesterdayish"], "--at")):
        done = subprocess.run([PROGRAM, "explain", "--config", fleet.config_path, *arguments, "Hi"], capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and said in done.stderr, done.stderr


def test_check_finds_what_can_never_happen(fleet, tmp_path):
    config = tmp_path / "tollgate.yaml"
    config.write_text(CONFIG + "  - {name: late, when: {model: draw, tools: true}, among: small/m}\n")
    done = subprocess.run([PROGRAM, "check", "--config", config], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0
    assert "route late never matches: route draw before it takes everything it would" in done.stderr
    config.write_text(CONFIG + "  - {name: odd, when: {model: odd}, choose: weighted, among: [{target: small/m, weight: 0}]}\n")
    done = subprocess.run([PROGRAM, "check", "--config", config], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "every target has weight 0" in done.stderr
