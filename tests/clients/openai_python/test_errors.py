"""Errors, time-outs, aborts and crowds, as the official SDK for Python meets them."""

import asyncio
import hashlib
import time

import openai
import pytest
from gateway import CONFIG, Gateway, wait_until
from openai import AsyncOpenAI, OpenAI

KEY = "tg-" + "5a" * 32
SMALL_KEY = "tg-" + "a5" * 32
GATEWAY_CONFIG = CONFIG + f"""\
auth:
  keys:
    - {{name: tests, team: qa, sha256: "{hashlib.sha256(KEY.encode()).hexdigest()}"}}
    - {{name: small, team: qa, sha256: "{hashlib.sha256(SMALL_KEY.encode()).hexdigest()}", models: ["gpu/*"]}}
"""


@pytest.fixture(scope="module")
def client(gateway):
    with OpenAI(base_url=gateway.url, api_key=KEY, max_retries=0, timeout=30) as made:
        yield made


def ask(client, content="Hello", model="gpu/llama", **members):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}], **members)


def test_a_wrong_type_is_a_bad_request_error_that_names_the_field(client):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, extra_body={"max_tokens": "many"})
    assert caught.value.param == "max_tokens"
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id


def test_an_unknown_key_is_an_authentication_error(client, gateway):
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(client.with_options(api_key="tg-wrong"))
    assert caught.value.code == "invalid_api_key"
    assert "tg-wrong" not in gateway.log() + str(caught.value)


def test_a_model_that_the_key_may_not_use_is_a_permission_error(client):
    with pytest.raises(openai.PermissionDeniedError) as caught:
        ask(client.with_options(api_key=SMALL_KEY), model="managed/large")
    assert caught.value.code == "model_not_allowed"


def test_an_unknown_model_is_a_not_found_error(client):
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, model="no-such-model")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


@pytest.mark.parametrize("stream", [False, True])
def test_a_429_is_a_rate_limit_error_with_its_retry_after(stream):
    with Gateway(GATEWAY_CONFIG) as own, OpenAI(base_url=own.url, api_key=KEY, max_retries=0, timeout=30) as client:    # the target then rests
        with pytest.raises(openai.RateLimitError) as caught:
            ask(client, "[[sim-fault: status=429,retry-after=7]]", stream=stream)
        assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_5xx_is_an_internal_server_error(client, status):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, f"[[sim-fault: status={status}]]", model="managed/large")
    assert caught.value.status_code >= 500


def test_an_upstream_s_wrong_credentials_are_not_the_client_s(client):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, "[[sim-fault: status=401]]", model="managed/large")
    assert caught.value.code == "upstream_credentials"


def test_garbage_from_an_upstream_is_an_internal_server_error(client):
    with pytest.raises(openai.InternalServerError):
        ask(client, "[[sim-fault: garbage]]", model="managed/large")


def test_a_stream_that_breaks_off_raises_and_does_not_look_complete(client):
    seen = []
    with pytest.raises(openai.APIError):
        for chunk in ask(client, "[[sim-fault: cut=5]] [[sim-tokens: 50]]", stream=True):
            seen.append(chunk)
    assert seen and seen[-1].choices[0].finish_reason is None


def test_an_sdk_time_out_aborts_the_upstream(client, gateway):
    with pytest.raises(openai.APITimeoutError):
        ask(client.with_options(timeout=0.3), "time-out [[sim-fault: delay=5s]]")
    wait_until(lambda: any(r["finish_reason"] == "abort" and "delay" in r["fault"] for r in gateway.engine_requests("gpu")), 5,
               "the engine to see the abort")


def test_closing_a_stream_stops_the_engine(client, gateway):
    with ask(client, "[[sim-tokens: 5000]]", stream=True) as stream:
        for number, chunk in enumerate(stream):
            answer_id = chunk.id
            if number == 5:
                break
    record = wait_until(lambda: next((r for r in gateway.engine_requests("gpu") if r["response_id"] == answer_id), None), 5,
                        "the engine's record")
    assert record["finish_reason"] == "abort"
    assert record["generated_tokens"] < 1000


def test_the_sdk_does_not_repeat_what_the_gateway_has_already_tried(client, gateway):
    before = len(gateway.engine_requests("managed"))
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client.with_options(max_retries=3), "[[sim-fault: status=500]]", model="managed/large")
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(gateway.engine_requests("managed")) == before + 3      # the gateway's own two retries, and none of the SDK's


@pytest.mark.parametrize("stream", [False, True])
def test_200_at_once_and_none_mixed_up(gateway, stream):
    async def one(client, number):
        text = f"answer number {number} of many"
        made = await client.chat.completions.create(
            model="auto" if number % 2 else "managed/large", stream=stream,
            messages=[{"role": "user", "content": f"[[sim-echo: {text}]]"}])
        if not stream:
            return made.choices[0].message.content == text
        return "".join([c.choices[0].delta.content or "" async for c in made if c.choices]) == text

    async def crowd():
        async with AsyncOpenAI(base_url=gateway.url, api_key=KEY, max_retries=0, timeout=60) as client:
            return await asyncio.gather(*(one(client, number) for number in range(200)))

    assert all(asyncio.run(crowd()))
