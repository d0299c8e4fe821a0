"""The official SDK for Python, unmodified, to backends that speak Anthropic's, Google's and Bedrock's protocols."""

import json
from decimal import Decimal

import dialects
import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

GATEWAY_CONFIG = dialects.CONFIG
WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def client(gateway):
    with OpenAI(base_url=gateway.url, api_key="none", max_retries=0, timeout=30) as made:
        yield made


@pytest.fixture(params=dialects.DIALECTS)
def model(request):
    return request.param + "/m"


def ask(client, model, content, **members):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}], **members)


def test_an_answer_has_text_usage_and_a_cost_to_the_last_digit(client, model, gateway):
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "[[sim-echo: Grüße, 世界 😀]] Hello"}])
    answer = raw.parse()
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.content == "Grüße, 世界 😀"
    assert answer.choices[0].finish_reason == "stop"
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 0
    cost = (usage.prompt_tokens * Decimal(3) + usage.completion_tokens * Decimal(15)) / 1_000_000
    assert Decimal(raw.headers["x-tollgate-cost-usd"]) == cost
    row = gateway.wait_for_row(raw.headers["x-tollgate-request-id"])[0]
    assert row["usage_source"] == "exact"
    truth = gateway.engine_requests(model.split("/")[0])[0]
    assert (truth["prompt_tokens"], truth["generated_tokens"]) == (usage.prompt_tokens, usage.completion_tokens)


def test_a_stream_is_the_same_text_piece_by_piece_and_ends_with_its_usage(client, model):
    whole = ask(client, model, "Tell me something.")
    stream = ask(client, model, "Tell me something.", stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    assert len([c for c in chunks if c.choices and c.choices[0].delta.content]) > 3
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert len({c.id for c in chunks}) == 1


def test_max_tokens_ends_an_answer_with_length(client, model):
    answer = ask(client, model, "[[sim-tokens: 50]] Go on.", max_tokens=7)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 7


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_loop_comes_round(client, model, stream):
    messages = [{"role": "user", "content": "Use get_weather for Paris, then answer."}]
    first = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER], stream=stream)
    if stream:
        calls, reason = {}, None
        for chunk in first:
            for choice in chunk.choices:
                reason = choice.finish_reason or reason
                for call in choice.delta.tool_calls or []:
                    kept = calls.setdefault(call.index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
                    kept["id"] += call.id or ""
                    kept["function"]["name"] += call.function.name or ""
                    kept["function"]["arguments"] += call.function.arguments or ""
        calls = [calls[i] for i in sorted(calls)]
    else:
        reason = first.choices[0].finish_reason
        calls = [c.model_dump() for c in first.choices[0].message.tool_calls]
    assert reason == "tool_calls"
    assert [c["function"]["name"] for c in calls] == ["get_weather"]
    assert "city" in json.loads(calls[0]["function"]["arguments"])
    messages += [{"role": "assistant", "content": None, "tool_calls": calls},
                 {"role": "tool", "tool_call_id": calls[0]["id"], "content": "18 degrees and sunny"}]
    last = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
    assert last.choices[0].finish_reason == "stop"
    assert last.choices[0].message.content


def test_a_forced_tool_is_called(client, model):
    answer = ask(client, model, "Nothing to do with it", tools=[WEATHER], tool_choice={"type": "function", "function": {"name": "get_weather"}})
    assert answer.choices[0].message.tool_calls[0].function.name == "get_weather"


def test_an_image_is_passed_on(client, model, gateway):
    plain = ask(client, model, "What is this?")
    seen = ask(client, model, [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PIXEL}}])
    assert seen.usage.prompt_tokens > plain.usage.prompt_tokens + 100


def test_structured_output_parses(client, model):
    class City(BaseModel):
        name: str
        people: int

    answer = client.chat.completions.parse(model=model, messages=[{"role": "user", "content": "Paris"}], response_format=City)
    assert isinstance(answer.choices[0].message.parsed, City)


def test_what_cannot_be_said_is_refused_by_name_or_dropped_and_told(client, model):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, model, "x", logprobs=True)
    assert refused.value.param == "logprobs"
    assert "drop_unsupported" in str(refused.value)
    raw = client.chat.completions.with_raw_response.create(
        model=model.replace("/", "-lenient/"), messages=[{"role": "user", "content": "x"}], logprobs=True)
    assert raw.headers["x-tollgate-dropped"] == "logprobs"
    assert raw.parse().choices[0].message.content


def test_what_the_first_target_cannot_say_goes_to_one_that_can(client, gateway):
    raw = client.chat.completions.with_raw_response.create(
        model="fallback", messages=[{"role": "user", "content": "x"}], logit_bias={"50": 1})
    assert raw.headers["x-tollgate-target"] == "plain/m"
    rows = gateway.wait_for_row(raw.headers["x-tollgate-request-id"])
    assert [row["target"] for row in rows] == ["anthropic/m", "plain/m"]
    assert rows[0]["cost_usd"] in (None, "0") if "cost_usd" in rows[0] else True


@pytest.mark.parametrize("status, error", [(400, openai.BadRequestError), (429, openai.RateLimitError), (500, openai.InternalServerError),
                                           (529, openai.InternalServerError)])
def test_errors_are_the_sdks_own(client, model, status, error):
    with pytest.raises(error) as raised:
        ask(client, model, f"[[sim-fault: status={status}]] x")
    assert raised.value.status_code == {500: 502, 529: 503}.get(status, status)
    assert raised.value.body["message"]


def test_an_error_before_the_first_token_of_a_stream_goes_to_the_next_target(client):
    with pytest.raises(openai.InternalServerError, match="asked for by a fault") as error:   # the second target fails alike
        client.chat.completions.create(model="fallback", messages=[{"role": "user", "content": "[[sim-fault: error-event=0]] x"}], stream=True)
    assert error.value.status_code == 502


def test_a_client_that_leaves_stops_the_engine_and_is_charged_for_what_was_read(client, model, gateway):
    stream = client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": "[[sim-tokens: 3000]] x"}], stream=True)
    id = stream.headers["x-tollgate-request-id"]
    chunks = stream.parse()
    for _ in range(5):
        next(chunks)
    chunks.close()
    row = gateway.wait_for_row(id)[0]
    assert row["result"] == "client_gone"
    assert row["usage_source"] in ("estimated", "continuous")
    assert row["input"] > 0
    from gateway import wait_until
    wait_until(lambda: any(r["aborted_at"] for r in gateway.engine_requests(model.split("/")[0])), 5, "the engine to stop")
