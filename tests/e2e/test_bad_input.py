"""Bad bodies: a clear error of OpenAI's shape, and the connection goes on where HTTP allows."""

import json

import pytest
from gateway import wait_until
from wire import Wire, chat_body

MESSAGES = '"messages":[{"role":"user","content":"hi"}]'
BAD = {
    "not JSON": ("hello", None),
    "empty": ("", None),
    "cut off": ('{"model":"auto",' + MESSAGES, None),
    "something behind the object": ('{"model":"auto",' + MESSAGES + "} x", None),
    "an array": ("[1,2]", None),
    "a string": ('"hello"', None),
    "a duplicate model": ('{"model":"auto","model":"managed/large",' + MESSAGES + "}", "model"),
    "a duplicate key in another spelling": ('{"model":"auto","mod\\u0065l":"managed/large",' + MESSAGES + "}", "model"),
    "a duplicate stream": ('{"model":"auto","stream":false,"stream":true,' + MESSAGES + "}", "stream"),
    "no messages": ('{"model":"auto"}', "messages"),
    "no messages in the list": ('{"model":"auto","messages":[]}', "messages"),
    "no model": ("{" + MESSAGES + "}", "model"),
    "model of a wrong type": ('{"model":7,' + MESSAGES + "}", "model"),
    "messages of a wrong type": ('{"model":"auto","messages":"hi"}', "messages"),
    "a message of a wrong type": ('{"model":"auto","messages":["hi"]}', None),
    "stream of a wrong type": ('{"model":"auto","stream":"yes",' + MESSAGES + "}", "stream"),
    "max_tokens of a wrong type": ('{"model":"auto","max_tokens":"9",' + MESSAGES + "}", "max_tokens"),
    "negative max_tokens": ('{"model":"auto","max_tokens":-1,' + MESSAGES + "}", "max_tokens"),
    "max_tokens beyond 64 bits": ('{"model":"auto","max_tokens":99999999999999999999,' + MESSAGES + "}", "max_tokens"),
    "n of zero": ('{"model":"auto","n":0,' + MESSAGES + "}", "n"),
    "NaN": ('{"model":"auto","temperature":NaN,' + MESSAGES + "}", None),
    "stream_options of a wrong type": ('{"model":"auto","stream":true,"stream_options":[],' + MESSAGES + "}", "stream_options"),
    "invalid UTF-8": (b'{"model":"auto","messages":[{"role":"user","content":"\xff\xfe"}]}', None),
    "a raw control character": (b'{"model":"auto","messages":[{"role":"user","content":"a\x00b"}]}', None),
    "10,000 levels": ('{"model":"auto",' + MESSAGES + ',"metadata":' + "[" * 10_000 + "]" * 10_000 + "}", None),
    "10,000 levels, never closed": ('{"model":"auto","messages":' + "[" * 10_000, None),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_body_is_refused_and_the_connection_goes_on(gateway, name):
    body, param = BAD[name]
    with Wire(gateway.port) as wire:
        wire.post(body)
        refused = wire.answer()
        assert refused.status == 400, refused.body
        error = refused.error()
        assert set(error) == {"message", "type", "param", "code"}
        assert error["type"] == "invalid_request_error" and error["message"]
        if param is not None:
            assert error["param"] == param
        wire.post(chat_body("[[sim-echo: still here]]"))
        assert json.loads(wire.answer().body)["choices"][0]["message"]["content"] == "still here"


def test_an_unknown_model_is_404_and_the_connection_goes_on(gateway):
    with Wire(gateway.port) as wire:
        wire.post(chat_body(model="no-such"))
        refused = wire.answer()
        assert (refused.status, refused.error()["code"]) == (404, "model_not_found")
        wire.post(chat_body())
        assert wire.answer().status == 200


@pytest.mark.parametrize("announce", [True, False])
def test_25_megabytes_are_413(gateway, announce):
    with Wire(gateway.port) as wire:
        size = 25 * 1024 * 1024
        if announce:
            wire.send(f"POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-length: {size}\r\n\r\n")
            wire.send(b"x" * size)
        else:
            wire.send("POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(25):
                wire.send(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
        refused = wire.answer()
        assert (refused.status, refused.error()["code"]) == (413, "request_too_large")
        assert refused.headers["connection"] == "close"
    assert gateway.chat()[0] == 200


def test_a_body_just_below_the_limit_is_served(gateway):
    body = chat_body("[[sim-tokens: 3]]", padding="x" * (15 * 1024 * 1024), model="managed/large")
    with Wire(gateway.port, timeout=60) as wire:
        wire.post(body)
        assert wire.answer().status == 200


def test_unknown_paths_and_methods_are_404_and_405(gateway):
    with Wire(gateway.port) as wire:
        wire.send("GET /v1/nothing HTTP/1.1\r\nhost: t\r\n\r\n")
        assert wire.answer().status == 404
        wire.send("GET /v1/chat/completions HTTP/1.1\r\nhost: t\r\n\r\n")
        refused = wire.answer()
        assert (refused.status, refused.headers["allow"]) == (405, "POST")
        wire.send("DELETE /v1/models HTTP/1.1\r\nhost: t\r\n\r\n")
        refused = wire.answer()
        assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")
        wire.send("GET /admin/v1/pools HTTP/1.1\r\nhost: t\r\n\r\n")
        assert wire.answer().status == 404      # the admin port's pages are not on the data port


def test_members_that_name_another_destination_change_nothing(gateway):
    for member in ("api_base", "base_url", "api_key", "custom_host", "url"):
        status, headers, _ = gateway.chat("Hello", **{member: "http://127.0.0.1:1/"})
        assert status in (200, 400)
        if status == 200:
            assert headers["x-tollgate-target"] == "gpu/llama"


def test_refusals_are_counted_by_reason(gateway):
    bad = frozenset({("reason", "bad_request")})
    counted = lambda: gateway.metrics().get("tollgate_refused_total", {}).get(bad, 0)   # noqa: E731
    before = counted()
    gateway.request("POST", "/v1/chat/completions", b"nonsense")
    wait_until(lambda: counted() == before + 1, 5, "the refusal to be counted")          # which is done once the answer is out
