"""Anthropic's SDK for Python, unmodified, to backends of every dialect."""

import json
from decimal import Decimal

import anthropic
import fleet
import pytest
from gateway import wait_until

GATEWAY_CONFIG = fleet.CONFIG
WEATHER = {"name": "get_weather", "description": "The weather in a city",
           "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
TIME = {"name": "get_time", "description": "The time in a city",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def client(gateway):
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{gateway.port}", api_key="none", max_retries=0, timeout=30) as made:
        yield made


@pytest.fixture(params=fleet.TARGETS)
def model(request):
    return request.param


def user(content):
    return [{"role": "user", "content": content}]


def test_an_answer_has_text_usage_and_a_cost_to_the_last_digit(client, model, gateway):
    raw = client.messages.with_raw_response.create(
        model=model, max_tokens=100, system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        metadata={"user_id": "user_" + "a" * 90}, messages=user("[[sim-echo: Grüße, 世界 😀]] Hello"))
    answer = raw.parse()
    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn")
    assert [block.text for block in answer.content] == ["Grüße, 世界 😀"]
    assert answer.id.startswith("msg_")
    assert raw.headers["request-id"] == raw.headers["x-tollgate-request-id"] == answer._request_id
    assert raw.headers["x-tollgate-target"] == model
    cost = (answer.usage.input_tokens * Decimal(3) + answer.usage.output_tokens * Decimal(15)) / 1_000_000
    assert Decimal(raw.headers["x-tollgate-cost-usd"]) == cost
    row = gateway.wait_for_row(raw.headers["x-tollgate-request-id"])[0]
    assert row["usage_source"] == "exact"
    truth = gateway.engine_requests(model.split("/")[0])[0]
    assert (truth["prompt_tokens"], truth["generated_tokens"]) == (answer.usage.input_tokens, answer.usage.output_tokens)


def test_a_stream_is_the_same_text_piece_by_piece(client, model):
    whole = client.messages.create(model=model, max_tokens=200, messages=user("Tell me something."))
    with client.messages.stream(model=model, max_tokens=200, messages=user("Tell me something.")) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == final.content[0].text == whole.content[0].text
    assert len(pieces) > 3
    assert final.stop_reason == "end_turn"
    assert (final.usage.input_tokens, final.usage.output_tokens) == (whole.usage.input_tokens, whole.usage.output_tokens)


def test_the_events_of_a_stream_come_in_their_order(client, model):
    with client.messages.create(model=model, max_tokens=50, messages=user("[[sim-echo: a b c]]"), stream=True) as stream:
        types = [event.type for event in stream]
    assert types[0] == "message_start"
    assert types[1] == "content_block_start"
    assert set(types[2:-3]) == {"content_block_delta"}
    assert types[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_max_tokens_ends_an_answer(client, model):
    answer = client.messages.create(model=model, max_tokens=7, messages=user("[[sim-tokens: 50]] Go on."))
    assert (answer.stop_reason, answer.usage.output_tokens) == ("max_tokens", 7)


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_loop_with_parallel_calls_comes_round(client, model, stream):
    messages = user("Use get_weather and get_time for Paris, then answer.")
    asked = dict(model=model, max_tokens=500, tools=[WEATHER, TIME])
    if stream:
        with client.messages.stream(messages=messages, **asked) as running:
            first = running.get_final_message()
    else:
        first = client.messages.create(messages=messages, **asked)
    assert first.stop_reason == "tool_use"
    calls = [block for block in first.content if block.type == "tool_use"]
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    assert all("city" in call.input for call in calls)
    assert len({call.id for call in calls}) == 2
    messages += [{"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]},
                 {"role": "user", "content": [
                     {"type": "tool_result", "tool_use_id": calls[0].id, "content": "18 degrees"},
                     {"type": "tool_result", "tool_use_id": calls[1].id, "content": [{"type": "text", "text": "noon"}], "is_error": True},
                     {"type": "text", "text": "Go on."}]}]
    last = client.messages.create(messages=messages, **asked)
    assert last.stop_reason == "end_turn"
    assert last.content[0].text


def test_a_forced_tool_is_called(client, model):
    answer = client.messages.create(model=model, max_tokens=200, tools=[WEATHER], tool_choice={"type": "tool", "name": "get_weather"}, messages=user("Nothing"))
    assert answer.content[-1].name == "get_weather"


def test_an_image_is_passed_on_and_one_in_a_tool_result_too(client, model):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    plain = client.messages.create(model=model, max_tokens=20, messages=user("What is this?"))
    seen = client.messages.create(model=model, max_tokens=20, messages=user([{"type": "text", "text": "What is this?"}, image]))
    assert seen.usage.input_tokens > plain.usage.input_tokens + 100
    if model == "anthropic/m":
        return   # the simulated one does not look into results
    loop = user("get_weather") + [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "a map"}, image]}]}]
    shown = client.messages.create(model=model, max_tokens=20, tools=[WEATHER], messages=loop)
    assert shown.usage.input_tokens > plain.usage.input_tokens + 100


def test_structured_output_is_asked_for(client, model):
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": False}
    answer = client.messages.create(model=model, max_tokens=200, messages=user("Paris"),
                                    extra_body={"output_config": {"format": {"type": "json_schema", "schema": schema}}})
    assert isinstance(json.loads(answer.content[0].text)["name"], str)


def test_stop_sequences_are_heeded(client, model):
    answer = client.messages.create(model=model, max_tokens=100, stop_sequences=["three"], messages=user("[[sim-echo: one two three four]]"))
    assert "four" not in answer.content[0].text


def test_what_a_coding_agent_sends_is_understood(client, model):
    """The shape of an agent's request: beta in the query, blocks with cache_control everywhere, thinking, many tools."""
    tools = [{**WEATHER, "name": f"tool_{i}", "cache_control": {"type": "ephemeral"}} for i in range(20)]
    if model == "bedrock/m":
        return   # its thinking is a member of its own models, which the simulated engine refuses
    with client.beta.messages.stream(
            model=model, max_tokens=32000, betas=["interleaved-thinking-2025-05-14"], extra_body={"temperature": 1}, tools=tools,
            system=[{"type": "text", "text": "You are an agent."}, {"type": "text", "text": "Work.", "cache_control": {"type": "ephemeral"}}],
            thinking={"type": "enabled", "budget_tokens": 1500},
            metadata={"user_id": "user_1_account__session_2"},
            messages=[{"role": "user", "content": [{"type": "text", "text": "<system-reminder>x</system-reminder>"},
                                                   {"type": "text", "text": "[[sim-echo: done]] Hi", "cache_control": {"type": "ephemeral"}}]}]) as stream:
        assert stream.get_final_message().content[-1].text == "done"


@pytest.mark.parametrize("status, error", [(400, anthropic.BadRequestError), (429, anthropic.RateLimitError), (500, anthropic.InternalServerError),
                                           (529, anthropic.APIStatusError)])
def test_errors_are_the_sdks_own(client, model, status, error):
    with pytest.raises(error) as raised:
        client.messages.create(model=model, max_tokens=10, messages=user(f"[[sim-fault: status={status}]] x"))
    body = raised.value.body
    assert body["type"] == "error"
    assert body["error"]["message"]
    assert body["request_id"] == raised.value.request_id


@pytest.mark.parametrize("asked, error", [
    (dict(messages=[]), anthropic.BadRequestError), (dict(model="nobody"), anthropic.NotFoundError),
    (dict(messages=user([{"type": "tool_result", "content": "x"}])), anthropic.BadRequestError),
    (dict(tools=[{"name": "x"}]), anthropic.BadRequestError)])
def test_a_wrong_request_is_refused_in_the_clients_form(client, asked, error):
    with pytest.raises(error) as raised:
        client.messages.create(**{"model": "openai/m", "max_tokens": 5, "messages": user("x"), **asked})
    assert raised.value.body["type"] == "error"


def test_a_stream_that_breaks_off_ends_with_an_error_event(client, model):
    seen = []
    with pytest.raises(anthropic.APIError):
        with client.messages.stream(model=model, max_tokens=100, messages=user("[[sim-fault: cut=5]] [[sim-tokens: 50]] x")) as stream:
            seen.extend(stream.text_stream)
    assert seen


def test_a_client_that_leaves_stops_the_engine_and_is_charged(client, model, gateway):
    raw = client.messages.with_raw_response.create(model=model, max_tokens=5000, messages=user("[[sim-tokens: 3000]] x"), stream=True)
    id = raw.headers["x-tollgate-request-id"]
    events = raw.parse()
    for _ in range(6):
        next(events)
    events.close()
    row = gateway.wait_for_row(id)[0]
    assert row["result"] == "client_gone"
    assert row["usage_source"] in ("estimated", "continuous")
    wait_until(lambda: any(r["aborted_at"] for r in gateway.engine_requests(model.split("/")[0])), 5, "the engine to stop")


def test_what_cannot_be_said_is_refused_by_name_or_dropped_and_told(client, model):
    search = {"type": "web_search_20250305", "name": "web_search"}
    if model == "anthropic/m":
        return
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.messages.create(model=model, max_tokens=10, tools=[search], messages=user("x"))
    assert "web_search_20250305" in str(refused.value)
    raw = client.messages.with_raw_response.create(model=model.replace("/", "-lenient/"), max_tokens=10, tools=[search], messages=user("x"))
    assert "web_search_20250305" in raw.headers["x-tollgate-dropped"]


def test_what_the_first_target_cannot_say_goes_to_one_that_can(client, gateway):
    raw = client.messages.with_raw_response.create(model="fallback", max_tokens=10, extra_body={"top_k": 5}, messages=user("x"))
    assert raw.headers["x-tollgate-target"] == "anthropic/m"
    assert [row["target"] for row in gateway.wait_for_row(raw.headers["x-tollgate-request-id"])] == ["openai/m", "anthropic/m"]


@pytest.mark.parametrize("stream", [False, True])
def test_personal_data_is_masked_on_the_way_and_put_back(client, model, stream, gateway):
    asked = dict(model=model, max_tokens=100, messages=user("[[sim-echo: write to jane.doe@example.com soon]]"), extra_headers={"x-test-mask": "yes"})
    if stream:
        with client.messages.stream(**asked) as running:
            answer = running.get_final_message()
            masked = running.response.headers["x-tollgate-masked"]
    else:
        raw = client.messages.with_raw_response.create(**asked)
        answer, masked = raw.parse(), raw.headers["x-tollgate-masked"]
    assert masked == "1"
    assert answer.content[0].text == "write to jane.doe@example.com soon"


def test_tokens_are_counted(client, model):
    few = client.messages.count_tokens(model=model, messages=user("Hello"))
    many = client.messages.count_tokens(model=model, messages=user("Hello " * 1000), tools=[WEATHER])
    assert 0 < few.input_tokens < 50 < many.input_tokens


def test_models_are_listed_as_anthropic_lists_them(client, gateway):
    assert {"fallback", "anthropic/m"} <= {model.id for model in client.models.list()}
    assert client.models.retrieve("openai/m").type == "model"
    status, headers, body = gateway.request("HEAD", "/v1/models")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0


def test_keys_are_taken_from_either_header():
    from gateway import Gateway, CONFIG
    import hashlib
    key = "tg-" + "k" * 40
    keys = f"auth:\n  keys:\n    - {{name: tester, sha256: \"{hashlib.sha256(key.encode()).hexdigest()}\"}}\n"
    with Gateway(fleet.CONFIG + keys) as gateway:
        url = f"http://127.0.0.1:{gateway.port}"
        for credentials in (dict(api_key=key), dict(auth_token=key)):
            client = anthropic.Anthropic(base_url=url, max_retries=0, **credentials)
            assert client.messages.create(model="openai/m", max_tokens=10, messages=user("x")).content
        with pytest.raises(anthropic.AuthenticationError):
            anthropic.Anthropic(base_url=url, max_retries=0, api_key="wrong").messages.create(model="openai/m", max_tokens=10, messages=user("x"))
