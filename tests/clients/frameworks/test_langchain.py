"""LangChain, unmodified, through the gateway: each of its ways to a model completes a tool loop."""

import os

os.environ.setdefault("LANGSMITH_TRACING", "false")   # nothing is sent anywhere but to the gateway

import fleet
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

GATEWAY_CONFIG = fleet.CONFIG


@tool
def get_weather(city: str) -> str:
    """The weather in a city"""
    return f"18 degrees in {city}"


def chat_of(way, model, gateway):
    if way == "anthropic":
        return ChatAnthropic(model=model, base_url=f"http://127.0.0.1:{gateway.port}", api_key="none", max_tokens=300, max_retries=0, timeout=30)
    return ChatOpenAI(model=model, base_url=gateway.url, api_key="none", max_retries=0, timeout=30, use_responses_api=way == "responses")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", fleet.TARGETS)
@pytest.mark.parametrize("way", ["chat", "responses", "anthropic"])
def test_a_tool_loop_comes_round(way, model, stream, gateway):
    chat = chat_of(way, model, gateway).bind_tools([get_weather])

    def ask(messages):
        if not stream:
            return chat.invoke(messages)
        said = None
        for piece in chat.stream(messages):
            said = piece if said is None else said + piece
        return said

    messages = [HumanMessage("Use get_weather for Paris, then answer.")]
    called = ask(messages)
    assert [call["name"] for call in called.tool_calls] == ["get_weather"]
    messages.append(called)
    messages += [ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"]) for call in called.tool_calls]
    said = ask(messages)
    assert not said.tool_calls
    assert said.text if isinstance(said.text, str) else said.text()
