"""The providers' own SDKs, unmodified, straight to the simulated backends: what the simulator says is what these read."""

import base64

import anthropic
import boto3
import botocore.config
import dialects
import pytest
from google import genai
from google.genai import types

GATEWAY_CONFIG = dialects.CONFIG
QUESTION = "[[sim-echo: Grüße, 世界]] Hello"


@pytest.fixture(scope="module")
def claude(gateway):
    return anthropic.Anthropic(base_url=f"http://127.0.0.1:{gateway.simulated['anthropic']}", api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def gemini(gateway):
    return genai.Client(api_key="none", http_options=types.HttpOptions(base_url=f"http://127.0.0.1:{gateway.simulated['gemini']}"))


@pytest.fixture(scope="module")
def bedrock(gateway):
    return boto3.client("bedrock-runtime", endpoint_url=f"http://127.0.0.1:{gateway.simulated['bedrock']}", region_name="eu-central-1",
                        aws_access_key_id="a", aws_secret_access_key="b", config=botocore.config.Config(retries={"max_attempts": 1}))


def test_anthropic_whole_streamed_and_with_a_tool(claude):
    asked = dict(model="m", max_tokens=100, messages=[{"role": "user", "content": QUESTION}])
    answer = claude.messages.create(**asked)
    assert answer.content[0].text == "Grüße, 世界"
    assert (answer.stop_reason, answer.usage.output_tokens > 0) == ("end_turn", True)
    with claude.messages.stream(**asked) as stream:
        assert "".join(stream.text_stream) == "Grüße, 世界"
        assert stream.get_final_message().usage.output_tokens == answer.usage.output_tokens
    tool = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
    with claude.messages.stream(model="m", max_tokens=100, tools=[tool], messages=[{"role": "user", "content": "get_weather in Paris"}]) as stream:
        final = stream.get_final_message()
    assert final.stop_reason == "tool_use"
    assert "city" in final.content[-1].input


def test_anthropic_refuses_what_the_real_one_refuses(claude):
    for wrong in (dict(messages=[]), dict(messages=[{"role": "user", "content": [{"type": "text", "text": " "}]}]), dict(extra_body={"temperature": 1.5})):
        with pytest.raises(anthropic.BadRequestError):
            claude.messages.create(**{"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}], **wrong})


def test_gemini_whole_streamed_and_with_a_tool(gemini):
    answer = gemini.models.generate_content(model="m", contents=QUESTION)
    assert answer.text == "Grüße, 世界"
    assert answer.usage_metadata.candidates_token_count > 0
    pieces = list(gemini.models.generate_content_stream(model="m", contents=QUESTION))
    assert "".join(p.text or "" for p in pieces) == "Grüße, 世界"
    assert pieces[-1].candidates[0].finish_reason == types.FinishReason.STOP
    tool = types.Tool(function_declarations=[types.FunctionDeclaration(
        name="get_weather", parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})])
    called = gemini.models.generate_content(model="m", contents="get_weather in Paris", config=types.GenerateContentConfig(
        tools=[tool], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)))
    assert called.function_calls[0].name == "get_weather"


def test_bedrock_whole_streamed_and_with_a_tool(bedrock):
    asked = dict(modelId="m", messages=[{"role": "user", "content": [{"text": QUESTION}]}])
    answer = bedrock.converse(**asked)
    assert answer["output"]["message"]["content"][0]["text"] == "Grüße, 世界"
    events = list(bedrock.converse_stream(**asked)["stream"])
    assert "".join(e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e) == "Grüße, 世界"
    assert events[-1]["metadata"]["usage"]["outputTokens"] == answer["usage"]["outputTokens"]
    tool = {"toolSpec": {"name": "get_weather", "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}}
    called = bedrock.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "get_weather in Paris"}]}], toolConfig={"tools": [tool]})
    assert called["stopReason"] == "tool_use"
    pixel = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
    seen = bedrock.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "x"}, {"image": {"format": "png", "source": {"bytes": pixel}}}]}])
    assert seen["usage"]["inputTokens"] > 200
