"""Answers are looked at for their form, and judged, in whatever protocol they were asked for and given."""

import json

import fleet
import pytest
from gateway import Gateway, wait_until
from test_shadow import FLEET, SHADOW, Fleet

CONFIG = f"""\
version: 1
server: {{listen: "127.0.0.1:0", reactors: 1}}
admin: {{listen: "127.0.0.1:0"}}
ledger: {{url: "sqlite:LEDGER"}}
format_checks: {{share: 1}}
backends:
  claude: {{dialect: anthropic, simulated: {fleet.ENGINE}, models: {{m: {{context_tokens: 200000, prices: {fleet.PRICES}}}}}}}
  openai: {{dialect: openai, responses: true, simulated: {fleet.ENGINE}, models: {{m: {{context_tokens: 200000, prices: {fleet.PRICES}}}}}}}
  home: {{dialect: vllm, trust: internal, simulated: {fleet.ENGINE}, models: {{m: {{context_tokens: 200000, prices: {fleet.PRICES}}}}}}}
"""
REFUSAL = "[[sim-echo: I'm sorry, but I can't help with that.]]"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}


@pytest.fixture(scope="module")
def gateway():
    with Gateway(CONFIG) as running:
        yield running
        assert running.stop() == 0, running.log()


def ask(gateway, form, model, content, stream, json_schema=False):
    if form == "messages":
        body = {"max_tokens": 1000, "messages": [{"role": "user", "content": content}]}
        if json_schema:
            body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    else:
        body = {"input": content}
        if json_schema:
            body["text"] = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA}}
    status, headers, text = gateway.request("POST", f"/v1/{form}", {"model": model, "stream": stream, **body})
    assert status == 200, text
    return headers["x-tollgate-request-id"], text.decode()


def verdict(gateway, request_id):
    rows = wait_until(lambda: gateway.rows("SELECT verdict FROM outcomes WHERE request = ? AND source = 'format'", request_id), 10, "a look at the answer")
    return rows[0]["verdict"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("form, model", [("messages", "claude/m"), ("messages", "home/m"), ("responses", "openai/m"), ("responses", "home/m")],
                         ids=["messages-native", "messages-translated", "responses-native", "responses-translated"])
def test_the_form_of_every_answer_is_looked_at(gateway, form, model, stream):
    for content, schema, expected in (("Hello", False, "ok"), (REFUSAL, False, "refusal"), ("A city, please", True, "ok"),
                                      ("[[sim-echo: none that I know]]", True, "invalid_json"), ('[[sim-echo: {"town": 1}]]', True, "schema")):
        request_id, text = ask(gateway, form, model, content, stream, schema)
        assert verdict(gateway, request_id) == expected, (content, text)


def test_the_simulated_openai_answers_responses_itself(gateway):
    _, text = ask(gateway, "responses", "openai/m", "Hello", False)
    answer = json.loads(text)
    assert answer["id"].startswith("resp_req_") and answer["service_tier"] == "default"
    assert gateway.engine_requests("openai")[0]["endpoint"] == "/v1/responses"


def test_the_simulated_anthropic_counts_tokens_itself(gateway):
    asked = {"model": "claude/m", "messages": [{"role": "user", "content": "Hello there"}]}
    status, headers, counted = gateway.request("POST", "/v1/messages/count_tokens", asked)
    assert status == 200 and "x-tollgate-count" not in headers, counted
    _, _, said = gateway.request("POST", "/v1/messages", {**asked, "max_tokens": 5})
    assert json.loads(counted)["input_tokens"] == json.loads(said)["usage"]["input_tokens"]


# -- shadow evaluation --

KIN = FLEET.replace("constraints:", f"  kin: {{dialect: anthropic, trust: internal, simulated: {fleet.ENGINE}, models: {{small: {{context_tokens: 100000, prices: {fleet.PRICES}}}}}}}\n"
                                    f"  cousin: {{dialect: openai, responses: true, trust: internal, simulated: {fleet.ENGINE}, "
                                    f"models: {{small: {{context_tokens: 100000, prices: {fleet.PRICES}}}}}}}\nconstraints:")


@pytest.fixture(scope="module")
def judged():
    with Fleet(SHADOW, KIN) as running:
        yield running


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("form, model", [("messages", "own/small"), ("messages", "kin/small"), ("responses", "own/small"), ("responses", "cousin/small")])
def test_answers_in_every_protocol_are_repeated_and_judged(judged, form, model, stream):
    before = judged.ends().get("judged", 0)
    request_id, _ = ask(judged.gateway, form, model, "Where is [[sim-echo: small answer]] ?", stream)
    wait_until(lambda: judged.ends().get("judged", 0) == before + 1, 15, f"the evaluation, {judged.ends()}")
    again = json.loads(judged.far.bodies[-1])
    assert [m["role"] for m in again["messages"]] == ["user"] and again["messages"][0]["content"].startswith("Where is") and again["model"] == "large"
    assert not {"stream", "metadata", "cache_control"} & set(again)
    seen = json.loads(judged.court.bodies[-1])["messages"][1]["content"]
    assert "[user]\nWhere is" in seen and "small answer\n--- candidate answer" in seen and "large answer" in seen
    outcome, = wait_until(lambda: judged.gateway.rows("SELECT * FROM outcomes WHERE request = ?", request_id), 10, "the outcome")
    assert (outcome["source"], outcome["verdict"]) == ("judge", "good")


def test_an_agents_turn_is_judged_with_its_tools_and_results(judged):
    before = judged.ends().get("judged", 0)
    body = {"model": "own/small", "max_tokens": 500, "system": [{"type": "text", "text": "You look things up.", "cache_control": {"type": "ephemeral"}}],
            "tools": [{"name": "look_up", "description": "Looks it up", "input_schema": {"type": "object"}}],
            "messages": [{"role": "user", "content": "What is the answer?"},
                         {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm", "signature": "tollgate-unsigned"},
                                                           {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"q": "answer"}}]},
                         {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "42"}]}]}
    status, _, text = judged.gateway.request("POST", "/v1/messages", body)
    assert status == 200, text
    wait_until(lambda: judged.ends().get("judged", 0) == before + 1, 15, f"the evaluation, {judged.ends()}")
    again = json.loads(judged.far.bodies[-1])
    assert [m["role"] for m in again["messages"]] == ["system", "user", "assistant", "tool"] and "cache_control" not in judged.far.bodies[-1] and "thinking" not in judged.far.bodies[-1]
    seen = json.loads(judged.court.bodies[-1])["messages"][1]["content"]
    assert "look_up: Looks it up" in seen and '[calls the tool look_up with {"q":"answer"}]' in seen and "[tool]\n42" in seen


def test_what_the_strong_target_cannot_be_told_is_not_evaluated(judged):
    before = judged.ends().get("unsuitable", 0)
    picture = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    document = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    for part in (picture, document):
        body = {"model": "kin/small", "max_tokens": 50, "messages": [{"role": "user", "content": [{"type": "text", "text": "Read"}, part]}]}
        status, _, text = judged.gateway.request("POST", "/v1/messages", body)
        if status == 200:
            before += 1
            wait_until(lambda: judged.ends().get("unsuitable", 0) == before, 15, f"it to be left out, {judged.ends()}")


@pytest.mark.parametrize("form, model", [("messages", "kin/small"), ("responses", "own/small")])
def test_constraints_hold_for_what_was_said_in_any_protocol(judged, form, model):
    before, asked = judged.ends().get("forbidden", 0), len(judged.far.bodies)
    body = {"max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]} if form == "messages" else {"input": "Hello"}
    status, _, text = judged.gateway.request("POST", f"/v1/{form}", {"model": model, **body}, {"x-data-class": "phi"})
    assert status == 200, text
    wait_until(lambda: judged.ends().get("forbidden", 0) == before + 1, 15, "the constraint to be asked")
    assert len(judged.far.bodies) == asked
