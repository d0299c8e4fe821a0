"""The official SDK for Python, unmodified: chat, streams, tools, completions, embeddings, models."""

import json
import re
from decimal import Decimal

import pytest
from openai import OpenAI

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


@pytest.fixture(scope="module")
def client(gateway):
    with OpenAI(base_url=gateway.url, api_key="none", max_retries=0, timeout=30) as made:
        yield made


def ask(client, content, **members):
    return client.chat.completions.create(
        model=members.pop("model", "auto"), messages=[{"role": "user", "content": content}], **members)


def test_an_answer_has_text_and_usage(client):
    answer = ask(client, "[[sim-echo: Paris it is]] What is the capital of France?")
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content == "Paris it is"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_every_answer_says_where_it_came_from_and_what_it_cost(client):
    raw = client.chat.completions.with_raw_response.create(
        model="auto", messages=[{"role": "user", "content": "What is the capital of France?"}])
    headers = raw.headers
    assert headers["x-tollgate-route"] == "auto"
    assert headers["x-tollgate-target"] == "gpu/llama"
    assert re.fullmatch(r"[01]\.\d{3} (SIMPLE|MEDIUM|COMPLEX|REASONING)", headers["x-tollgate-complexity"])
    assert headers["x-tollgate-reason"]
    assert Decimal(headers["x-tollgate-cost-usd"]) > 0
    assert headers["x-tollgate-request-id"] == headers["x-request-id"] == raw.parse()._request_id


def test_a_hard_request_goes_to_the_managed_model(client):
    proof = ("Prove rigorously that there are infinitely many primes congruent to 3 modulo 4, then derive the asymptotic density "
             "step by step. Show each lemma, analyse the complexity of the sieve, and compare with Dirichlet's theorem.")
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=[{"role": "user", "content": proof}])
    assert raw.headers["x-tollgate-target"] == "managed/large", raw.headers["x-tollgate-complexity"]


def test_a_target_can_be_named(client):
    raw = client.chat.completions.with_raw_response.create(model="managed/large", messages=[{"role": "user", "content": "Hello"}])
    assert raw.headers["x-tollgate-target"] == "managed/large"


def test_the_cost_of_a_managed_answer_is_tokens_times_price(client):
    raw = client.chat.completions.with_raw_response.create(
        model="managed/large", messages=[{"role": "user", "content": "[[sim-tokens: 100]] Hello"}])
    usage = raw.parse().usage
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0
    assert usage.completion_tokens == 100
    cost = ((usage.prompt_tokens - cached) * Decimal("2.50") + cached * Decimal("1.25") + 100 * Decimal("10")) / 1_000_000
    assert Decimal(raw.headers["x-tollgate-cost-usd"]) == cost


def test_usage_cost_is_added_when_asked_for(client):
    raw = client.chat.completions.with_raw_response.create(
        model="managed/large", messages=[{"role": "user", "content": "Hello"}], extra_body={"usage": {"include": True}})
    body = json.loads(raw.http_response.text, parse_float=Decimal)
    assert Decimal(body["usage"]["cost"]) == Decimal(raw.headers["x-tollgate-cost-usd"])
    assert "cost" not in ask(client, "Hello").usage.model_dump()


# Pitfall 36: a client that closes at the end mark taken for one that left.
@pytest.mark.parametrize("model", ["gpu/llama", "managed/large"])
def test_a_stream_gives_the_text_piece_by_piece(client, model):
    chunks = list(ask(client, "[[sim-echo: one two three four five]]", model=model, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "one two three four five"
    assert len(chunks) > 3
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("model", ["gpu/llama", "managed/large"])
def test_without_include_usage_a_stream_has_no_usage(client, model):
    for chunk in ask(client, "Hello", model=model, stream=True):
        assert chunk.usage is None
        assert chunk.choices


@pytest.mark.parametrize("model", ["gpu/llama", "managed/large"])
def test_with_include_usage_the_last_chunk_alone_has_it(client, model):
    chunks = list(ask(client, "[[sim-tokens: 12]] Hello", model=model, stream=True, stream_options={"include_usage": True}))
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 12


def test_a_stream_with_usage_include_has_its_cost(client):
    *_, last = ask(client, "Hello", model="managed/large", stream=True, stream_options={"include_usage": True},
                   extra_body={"usage": {"include": True}})
    assert Decimal(str(last.usage.model_extra["cost"])) > 0


def test_a_tool_call_comes_back_whole(client):
    answer = ask(client, "What is the weather in Oslo?", tools=[WEATHER], tool_choice="required")
    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments), dict)


@pytest.mark.parametrize("model", ["gpu/llama", "managed/large"])
def test_a_tool_call_in_a_stream_adds_up(client, model):
    name, arguments, reason = "", "", None
    for chunk in ask(client, "What is the weather in Oslo?", model=model, tools=[WEATHER], tool_choice="required", stream=True):
        for choice in chunk.choices:
            reason = choice.finish_reason or reason
            for call in choice.delta.tool_calls or []:
                name += call.function.name or ""
                arguments += call.function.arguments or ""
    assert (name, reason) == ("get_weather", "tool_calls")
    assert isinstance(json.loads(arguments), dict)


def test_the_stream_helper_of_the_sdk_works(client):
    with client.chat.completions.stream(model="auto", messages=[{"role": "user", "content": "[[sim-echo: a b c]]"}]) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.content == "a b c"


def test_completions_work_whole_and_as_a_stream(client):
    whole = client.completions.create(model="gpu/llama", prompt="Once upon a time")
    assert whole.object == "text_completion" and whole.choices[0].text
    pieces = list(client.completions.create(model="gpu/llama", prompt="Once upon a time", stream=True))
    assert "".join(piece.choices[0].text for piece in pieces if piece.choices)


# Pitfall 21: embeddings, which have no output, unpriced or charged for some.
def test_embeddings_work_in_the_sdk_s_default_encoding_and_as_floats(client):
    # The SDK asks for base64 by itself and decodes it.
    packed = client.embeddings.create(model="managed/embed", input=["one", "two"])
    plain = client.embeddings.create(model="managed/embed", input=["one", "two"], encoding_format="float")
    assert [e.index for e in packed.data] == [0, 1]
    assert len(packed.data[0].embedding) == len(plain.data[0].embedding) > 0
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert packed.usage.prompt_tokens > 0


def test_models_lists_virtual_models_and_every_target(client):
    ids = [model.id for model in client.models.list()]
    assert {"auto", "gpu/llama", "managed/large", "managed/embed"} <= set(ids)
    assert client.models.retrieve("auto").id == "auto"


def test_a_constraint_keeps_data_at_home(client):
    hard = "Prove rigorously, step by step, with every lemma, that the sieve is complete. " * 20
    raw = client.chat.completions.with_raw_response.create(
        model="auto", messages=[{"role": "user", "content": hard}], extra_headers={"x-data-class": "phi"})
    assert raw.headers["x-tollgate-target"] == "gpu/llama"
