"""The Responses API of OpenAI's SDK for Python, unmodified, to backends of every dialect."""

import json
from decimal import Decimal

import fleet
import openai
import pytest
from gateway import Gateway, wait_until
from openai import OpenAI
from pydantic import BaseModel

GATEWAY_CONFIG = fleet.CONFIG
WEATHER = {"type": "function", "name": "get_weather", "description": "The weather in a city",
           "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def client(gateway):
    with OpenAI(base_url=gateway.url, api_key="none", max_retries=0, timeout=30) as made:
        yield made


@pytest.fixture(params=fleet.TARGETS)
def model(request):
    return request.param


def test_an_answer_has_text_usage_and_a_cost_to_the_last_digit(client, model, gateway):
    raw = client.responses.with_raw_response.create(model=model, instructions="Be brief.", input="[[sim-echo: Grüße, 世界 😀]] Hello")
    answer = raw.parse()
    assert (answer.object, answer.status, answer.store) == ("response", "completed", False)
    assert answer.output_text == "Grüße, 世界 😀"
    assert answer.instructions == "Be brief."
    usage = answer.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens > 0
    assert (usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens) == (0, 0)
    cost = (usage.input_tokens * Decimal(3) + usage.output_tokens * Decimal(15)) / 1_000_000
    assert Decimal(raw.headers["x-tollgate-cost-usd"]) == cost
    assert gateway.wait_for_row(raw.headers["x-tollgate-request-id"])[0]["usage_source"] == "exact"


def test_a_stream_has_its_events_in_their_order_and_the_same_text(client, model):
    whole = client.responses.create(model=model, input="Tell me something.")
    events = list(client.responses.create(model=model, input="Tell me something.", stream=True))
    types = [event.type for event in events]
    assert types[:4] == ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    assert types[-4:] == ["response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"]
    assert set(types[4:-4]) == {"response.output_text.delta"}
    assert len(types) > 12
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text
    assert events[-1].response.usage == whole.usage
    assert events[-1].response.output_text == whole.output_text


def test_the_stream_helper_of_the_sdk_works(client, model):
    with client.responses.stream(model=model, input="[[sim-echo: a b c]]") as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text == "a b c"


def test_a_limit_on_tokens_ends_an_answer_as_incomplete(client, model):
    answer = client.responses.create(model=model, input="[[sim-tokens: 50]] Go on.", max_output_tokens=16)
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert answer.usage.output_tokens == 16
    last = list(client.responses.create(model=model, input="[[sim-tokens: 50]] Go on.", max_output_tokens=16, stream=True))[-1]
    assert (last.type, last.response.status) == ("response.incomplete", "incomplete")


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_loop_comes_round(client, model, stream):
    conversation = [{"role": "user", "content": "Use get_weather for Paris, then answer."}]
    if stream:
        with client.responses.stream(model=model, input=conversation, tools=[WEATHER]) as running:
            types = [event.type for event in running]
            first = running.get_final_response()
        assert "response.function_call_arguments.done" in types
    else:
        first = client.responses.create(model=model, input=conversation, tools=[WEATHER])
    calls = [item for item in first.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["get_weather"]
    assert "city" in json.loads(calls[0].arguments)
    conversation += [item.to_dict() for item in first.output]
    conversation.append({"type": "function_call_output", "call_id": calls[0].call_id, "output": "18 degrees and sunny"})
    last = client.responses.create(model=model, input=conversation, tools=[WEATHER])
    assert last.output_text


def test_a_forced_tool_is_called(client, model):
    answer = client.responses.create(model=model, input="Nothing to do with it", tools=[WEATHER], tool_choice={"type": "function", "name": "get_weather"})
    assert answer.output[-1].name == "get_weather"


def test_an_image_is_passed_on(client, model):
    plain = client.responses.create(model=model, input="What is this?")
    seen = client.responses.create(model=model, input=[{"role": "user", "content": [
        {"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": PIXEL}]}])
    assert seen.usage.input_tokens > plain.usage.input_tokens + 100


def test_structured_output_parses(client, model):
    class City(BaseModel):
        name: str
        people: int

    assert isinstance(client.responses.parse(model=model, input="Paris", text_format=City).output_parsed, City)


@pytest.mark.parametrize("member", [dict(previous_response_id="resp_1"), dict(background=True), dict(conversation="conv_1"),
                                    dict(input=[{"type": "item_reference", "id": "msg_1"}])])
def test_what_needs_a_memory_is_refused_by_name(client, member):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**{"model": "openai/m", "input": "x", **member})
    assert refused.value.code == "unsupported"
    assert "keeps none" in str(refused.value)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_1")


def test_what_cannot_be_said_is_refused_by_name_or_dropped_and_told(client, model):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=model, input="x", tools=[{"type": "web_search"}])
    assert "web_search" in str(refused.value)
    raw = client.responses.with_raw_response.create(model=model.replace("/", "-lenient/"), input="x", tools=[{"type": "web_search"}])
    assert "web_search" in raw.headers["x-tollgate-dropped"]


@pytest.mark.parametrize("status, error", [(400, openai.BadRequestError), (429, openai.RateLimitError), (500, openai.InternalServerError)])
def test_errors_are_the_sdks_own(client, model, status, error):
    with pytest.raises(error):
        client.responses.create(model=model, input=f"[[sim-fault: status={status}]] x")


def test_a_stream_that_breaks_off_says_so_in_events(client, model):
    events = list(client.responses.create(model=model, input="[[sim-fault: cut=5]] [[sim-tokens: 50]] x", stream=True))
    assert [event.type for event in events[-2:]] == ["error", "response.failed"]
    assert events[-1].response.error.message
    assert events[-1].response.output[0].content[0].text


def test_a_client_that_leaves_stops_the_engine_and_is_charged(client, model, gateway):
    raw = client.responses.with_raw_response.create(model=model, input="[[sim-tokens: 3000]] x", stream=True)
    id = raw.headers["x-tollgate-request-id"]
    events = raw.parse()
    for _ in range(8):
        next(events)
    events.close()
    assert gateway.wait_for_row(id)[0]["result"] == "client_gone"
    wait_until(lambda: any(r["aborted_at"] for r in gateway.engine_requests(model.split("/")[0])), 5, "the engine to stop")


@pytest.mark.parametrize("stream", [False, True])
def test_personal_data_is_masked_on_the_way_and_put_back(client, model, stream):
    asked = dict(model=model, input="[[sim-echo: write to jane.doe@example.com soon]]", extra_headers={"x-test-mask": "yes"})
    if stream:
        answer = list(client.responses.create(stream=True, **asked))[-1].response
    else:
        raw = client.responses.with_raw_response.create(**asked)
        assert raw.headers["x-tollgate-masked"] == "1"
        answer = raw.parse()
    assert answer.output_text == "write to jane.doe@example.com soon"


@pytest.fixture(scope="module")
def outer(gateway):
    """A second gateway whose only backend answers /v1/responses itself: the first one."""
    config = f"""\
version: 1
server: {{listen: "127.0.0.1:0", reactors: 1}}
admin: {{listen: "127.0.0.1:0"}}
ledger: {{url: "sqlite:LEDGER"}}
backends:
  inner:
    dialect: openai
    url: http://127.0.0.1:{gateway.port}
    responses: true
    models:
      m: {{upstream: anthropic/m, context_tokens: 200000, images: true, prices: {fleet.PRICES}}}
      nobody: {{upstream: nobody}}
constraints:
  - {{name: masked, when: {{pii: [email], header: {{x-test-mask: "yes"}}}}, action: mask, restore: true}}
"""
    with Gateway(config) as running:
        with OpenAI(base_url=running.url, api_key="none", max_retries=0, timeout=30) as made:
            yield running, made


def test_a_backend_that_answers_responses_gets_them_as_they_came(outer):
    gateway, client = outer
    raw = client.responses.with_raw_response.create(model="inner/m", input="[[sim-echo: a b c]]", metadata={"k": "v"}, store=True)
    answer = raw.parse()
    assert (answer.output_text, answer.metadata, answer.store) == ("a b c", {"k": "v"}, False)
    row = gateway.wait_for_row(raw.headers["x-tollgate-request-id"])[0]
    assert (row["usage_source"], row["output"]) == ("exact", answer.usage.output_tokens)
    events = list(client.responses.create(model="inner/m", input="[[sim-echo: a b c]]", stream=True))
    assert events[-1].type == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))


@pytest.mark.parametrize("stream", [False, True])
def test_masked_values_come_back_in_what_is_passed_on(outer, stream):
    _, client = outer
    asked = dict(model="inner/m", input="[[sim-echo: write to jane.doe@example.com soon]]", extra_headers={"x-test-mask": "yes"})
    if not stream:
        assert client.responses.create(**asked).output_text == "write to jane.doe@example.com soon"
        return
    events = list(client.responses.create(stream=True, **asked))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "write to jane.doe@example.com soon"
    assert events[-1].response.output_text == "write to jane.doe@example.com soon"


def test_errors_of_what_is_passed_on_are_the_sdks_own(outer):
    _, client = outer
    with pytest.raises(openai.InternalServerError, match="check the target's upstream"):     # a target that is configured wrongly is not the client's fault
        client.responses.create(model="inner/nobody", input="x")
    with pytest.raises(openai.APIError):
        for event in client.responses.create(model="inner/m", input="[[sim-fault: cut=5]] [[sim-tokens: 50]] x", stream=True):
            if event.type in ("error", "response.failed"):
                raise openai.APIError("told", None, body=None)
