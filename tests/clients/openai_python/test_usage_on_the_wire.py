"""What the SDK hides: `usage: null` and no `usage` look alike to it, so these read the bytes that it was sent."""

import json
from decimal import Decimal

import pytest
from openai import OpenAI

TARGETS = ["gpu/llama", "managed/large"]


@pytest.fixture(scope="module")
def client(gateway):
    with OpenAI(base_url=gateway.url, api_key="none", max_retries=0, timeout=30) as made:
        yield made


def events(client, **members):
    """The stream's data lines as they came, without the end mark, which must be there once, last."""
    with client.chat.completions.with_streaming_response.create(
            messages=[{"role": "user", "content": "[[sim-tokens: 6]] Hello"}], stream=True, **members) as raw:
        lines = [line.removeprefix("data: ") for line in raw.iter_lines() if line.startswith("data: ")]
    assert lines.count("[DONE]") == 1 and lines[-1] == "[DONE]"
    return lines[:-1]


@pytest.mark.parametrize("model", TARGETS)
@pytest.mark.parametrize("asked", [{}, {"stream_options": {"include_usage": False}}, {"extra_body": {"usage": {"include": False}}}])
def test_who_does_not_ask_for_usage_gets_no_member_of_that_name(client, model, asked):
    assert not [line for line in events(client, model=model, **asked) if '"usage"' in line]


@pytest.mark.parametrize("model", TARGETS)
def test_who_asks_gets_null_until_the_last_event_as_from_openai_itself(client, model):
    *before, last = [json.loads(line) for line in events(client, model=model, stream_options={"include_usage": True})]
    assert all(event["usage"] is None for event in before)
    assert last["choices"] == [] and last["usage"]["completion_tokens"] == 6
    assert "cost" not in last["usage"]


@pytest.mark.parametrize("model", TARGETS)
def test_who_asks_for_the_cost_of_a_stream_need_not_ask_for_usage_too(client, model):
    *_, last = [json.loads(line, parse_float=Decimal) for line in events(client, model=model, extra_body={"usage": {"include": True}})]
    assert last["usage"]["cost"] > 0
    if model == "managed/large":
        usage = last["usage"]
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        charge = (usage["prompt_tokens"] - cached) * Decimal("2.50") + cached * Decimal("1.25") + 6 * Decimal("10")
        assert usage["cost"] == charge / 1_000_000


def test_an_embedding_has_its_cost_when_asked(client):
    answer = client.embeddings.create(model="managed/embed", input="one two three", extra_body={"usage": {"include": True}})
    assert Decimal(str(answer.usage.model_extra["cost"])) == answer.usage.prompt_tokens * Decimal("0.02") / 1_000_000


# The SDK writes the slash of a name as %2F in the path.
@pytest.mark.parametrize("model", TARGETS)
def test_a_target_can_be_retrieved_by_its_name(client, model):
    assert client.models.retrieve(model).id == model
