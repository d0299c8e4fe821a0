"""Serverless GPUs that run requests as jobs: Replicate, RunPod and fal by their own protocols, and the simulator's imitation of them."""

import time
from decimal import Decimal

import pytest
from gateway import Gateway, wait_until
from job_provider import JobProvider
from wire import Wire, chat_body

ENGINE = "{seed: 3, slots: 64, prefill_tokens_per_second: 200000, decode_tokens_per_second: 500, decode_tokens_per_second_total: 100000, output_tokens_mean: 20}"
UPSTREAMS = {"replicate": "meta/llama", "runpod": "abc123/llama", "fal": "fal-ai/any-llm"}
POOLS = {"replicate": '{billing: reported, gpus: 1, usd_per_gpu_second: "0.0014"}', "runpod": '{billing: reported, gpus: 1, usd_per_gpu_second: "0.0014"}',
         "fal": '{billing: serverless, gpus: 1, usd_per_gpu_second: "0.001", idle_timeout_seconds: 60}'}


def config(place):
    text = 'version: 1\nserver: {listen: "127.0.0.1:0", reactors: 1}\nadmin: {listen: "127.0.0.1:0"}\nledger: {url: "sqlite:LEDGER"}\nbackends:\n'
    for name, upstream in UPSTREAMS.items():
        text += (f"  {name}:\n    dialect: {name}\n    {place}\n    pool: {POOLS[name]}\n    timeouts: {{first_byte_seconds: 5, total_seconds: 8}}\n"
                 f"    models: {{m: {{upstream: {upstream}, context_tokens: 8192}}}}\n")
    return text + f"""\
  managed:
    dialect: openai
    simulated: {ENGINE}
    models: {{m: {{context_tokens: 8192, prices: {{input_usd_per_million_tokens: "3", output_usd_per_million_tokens: "15"}}}}}}
routes:
  - {{name: fallback, when: {{model: fallback}}, choose: first, among: [replicate/m, managed/m]}}
"""


@pytest.fixture()
def provider():
    provider = JobProvider()
    yield provider
    provider.close()


@pytest.fixture()
def gateway(provider):
    with Gateway(config(f"url: {provider.url}\n    api_key: secret-of-provider")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def simulated():
    with Gateway(config(f"simulated: {ENGINE}")) as gateway:
        yield gateway


def text_of(answer):
    return answer["choices"][0]["message"]["content"]


@pytest.mark.parametrize("name", UPSTREAMS)
def test_a_job_is_submitted_asked_about_and_answered(gateway, provider, name):
    import json
    status, headers, body = gateway.chat("answer", model=f"{name}/m")
    assert status == 200, body
    assert text_of(json.loads(body)) == "the answer"
    path, sent, _ = provider.submitted[0]
    assert path == {"replicate": "/v1/models/meta/llama/predictions", "runpod": "/abc123/runsync", "fal": "/fal-ai/any-llm"}[name]
    assert {k.lower(): v for k, v in sent.items()}["authorization"] == ("Key " if name == "fal" else "Bearer ") + "secret-of-provider"
    assert len(provider.asked) == 3 + (name == "fal")
    (row,) = gateway.wait_for_row(headers["x-tollgate-request-id"])
    assert row["result"] == "ok" and provider.cancelled == []
    if name != "fal":      # what they bill: 1.25 s at 0.0014
        assert (row["input"], row["output"], row["usage_source"]) == (4, 2, "exact")
        assert Decimal(headers["x-tollgate-cost-usd"]) == Decimal("0.00175")


@pytest.mark.parametrize("name", UPSTREAMS)
def test_a_client_that_asked_for_a_stream_gets_one(gateway, name):
    with Wire(gateway.port) as wire:
        wire.post(chat_body("answer", model=f"{name}/m", stream=True))
        answer = wire.answer()
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/event-stream")
    assert b'"content":"the answer"' in answer.body and answer.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("name", UPSTREAMS)
def test_a_job_that_fails_says_why(gateway, provider, name):
    import json
    status, headers, body = gateway.chat("fail", model=f"{name}/m")
    assert status == 502 and "CUDA out of memory" in json.loads(body)["error"]["message"]
    rows = gateway.wait_for_row(headers["x-tollgate-request-id"])
    assert {row["result"] for row in rows} == {"upstream_status"} and len(rows) == len(provider.submitted) == 3      # a fault is tried again twice
    time.sleep(0.1)
    assert provider.cancelled == []          # it has ended: there is nothing to cancel


def test_a_job_that_fails_goes_to_the_next_target(gateway):
    status, headers, _ = gateway.chat("fail", model="fallback")
    assert status == 200 and headers["x-tollgate-target"] == "managed/m"


def test_a_submission_that_is_refused_is_told(gateway):
    import json
    status, _, body = gateway.chat("refuse", model="replicate/m")
    assert status == 422 and "not what this model takes" in json.loads(body)["error"]["message"]


def test_questions_that_fail_now_and_then_do_not_lose_the_job(gateway, provider):
    status, _, _ = gateway.chat("flaky", model="runpod/m")
    assert status == 200 and len(provider.submitted) == 1


@pytest.mark.parametrize("name", UPSTREAMS)
def test_a_client_that_leaves_ends_its_job(gateway, provider, name):
    with Wire(gateway.port) as wire:
        wire.post(chat_body("never", model=f"{name}/m"))
        wait_until(lambda: provider.asked, 5, "the first question")
    wait_until(lambda: provider.cancelled, 5, "the job to be cancelled")
    assert provider.cancelled == [{"replicate": ("POST", "/v1/predictions/job1/cancel"), "runpod": ("POST", "/abc123/cancel/job1"),
                                   "fal": ("PUT", "/fal-ai/any-llm/requests/job1/cancel")}[name]]


def test_a_job_that_does_not_end_is_given_up_and_cancelled(gateway, provider):
    began = time.monotonic()
    status, _, _ = gateway.chat("never", model="replicate/m")
    assert status == 504 and 7 < time.monotonic() - began < 12
    wait_until(lambda: provider.cancelled, 5, "the job to be cancelled")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", UPSTREAMS)
def test_the_simulator_speaks_it(simulated, name, stream):
    with Wire(simulated.port) as wire:
        wire.post(chat_body("[[sim-echo: from a job]]", model=f"{name}/m", stream=stream))
        answer = wire.answer()
    assert answer.status == 200 and b"from a job" in answer.body
    (row,) = simulated.wait_for_row(answer.headers["x-tollgate-request-id"])
    assert row["result"] == "ok" and row["pricing"] == "priced"
    if name != "fal":
        assert row["pool_method"] == "reported"
