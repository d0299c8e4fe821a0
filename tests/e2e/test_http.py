"""HTTP itself: framing, pipelining, slow clients, limits, and requests that try to mean two things."""

import json
import time

import pytest
from gateway import CONFIG
from wire import Wire, chat_body, wait_seconds

GATEWAY_CONFIG = CONFIG.replace(
    'server: {listen: "127.0.0.1:0", reactors: 2}',
    'server: {listen: "127.0.0.1:0", reactors: 2, head_timeout_seconds: 0.5, body_timeout_seconds: 0.5, idle_timeout_seconds: 0.7,\n'
    '         head_bytes_max: 8192}')


def echoed(answer):
    return json.loads(answer.body)["choices"][0]["message"]["content"]


def test_pipelined_requests_are_answered_in_order(gateway):
    with Wire(gateway.port) as wire:
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{}"
        bodies = [chat_body(f"[[sim-echo: number {n}]]") for n in range(20)]
        wire.send("".join(head.format(len(body), body) for body in bodies))
        assert [echoed(wire.answer()) for _ in bodies] == [f"number {n}" for n in range(20)]


def test_a_request_pipelined_behind_a_stream_is_answered_after_it(gateway):
    with Wire(gateway.port) as wire:
        wire.post(chat_body("[[sim-tokens: 30]]", stream=True))
        wire.post(chat_body("[[sim-echo: second]]"))
        assert wire.answer().body.endswith(b"data: [DONE]\n\n")
        assert echoed(wire.answer()) == "second"


def test_a_request_cut_into_single_bytes_is_understood(gateway):
    body = chat_body("[[sim-echo: slow but sure]]")
    text = f"POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
    with Wire(gateway.port) as wire:
        for at in range(len(text)):
            wire.send(text[at:at + 1])
        assert echoed(wire.answer()) == "slow but sure"


@pytest.mark.parametrize("size", [1, 7, 100000])
def test_a_chunked_body_is_read_and_the_connection_goes_on(gateway, size):
    body = chat_body("[[sim-echo: in chunks]]").encode()
    with Wire(gateway.port) as wire:
        for _ in range(2):
            wire.send("POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n")
            for at in range(0, len(body), size):
                piece = body[at:at + size]
                wire.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            wire.send("0\r\n\r\n")
            assert echoed(wire.answer()) == "in chunks"


def test_expect_100_continue_is_answered(gateway):
    body = chat_body("[[sim-echo: went on]]")
    with Wire(gateway.port) as wire:
        wire.send(f"POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: {len(body)}\r\n\r\n")
        assert wire.head()[0] == 100
        wire.send(body)
        assert echoed(wire.answer()) == "went on"


def test_connection_close_is_honoured(gateway):
    with Wire(gateway.port) as wire:
        wire.post(chat_body(), headers="connection: close\r\n")
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert wire.closed()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_a_stream_that_breaks_off_ends_properly_and_its_connection_goes_on(gateway, path):
    prompt = "[[sim-fault: cut-bytes=900]] [[sim-tokens: 400]]"
    body = {"model": "auto", "stream": True, "max_tokens": 400, "messages": [{"role": "user", "content": prompt}]}
    if path == "/v1/responses":
        body = {"model": "auto", "stream": True, "input": prompt}
    with Wire(gateway.port) as wire:
        for _ in range(3):
            wire.post(json.dumps(body), path=path)
            answer = wire.answer()
            assert answer.status == 200
            assert "connection" not in answer.headers
            assert b"error" in answer.body.strip().split(b"\n\n")[-1]
        wire.post(chat_body("[[sim-echo: still here]]"))
        assert echoed(wire.answer()) == "still here"


def test_an_http_1_0_client_is_served_and_its_connection_closed(gateway):
    body = chat_body()
    with Wire(gateway.port) as wire:
        wire.send(f"POST /v1/chat/completions HTTP/1.0\r\nhost: t\r\ncontent-length: {len(body)}\r\n\r\n{body}")
        assert wire.answer().status == 200
        assert wire.closed()


def test_a_slow_head_is_408(gateway):
    with Wire(gateway.port) as wire:
        began = time.monotonic()
        wire.send("POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\n")
        assert wire.answer().status == 408
        assert wait_seconds(began) < 3
        assert wire.closed()


def test_a_dripping_head_gets_no_more_time(gateway):
    with Wire(gateway.port) as wire:
        began = time.monotonic()
        wire.send("POST /v1/chat/completions HTTP/1.1\r\n")
        wire.socket.settimeout(0.1)
        while wait_seconds(began) < 5:
            wire.send("x-drip: 1\r\n")
            try:
                if not wire._more() or wire.buffer:
                    break
            except TimeoutError:
                pass
        wire.socket.settimeout(5)
        assert wire.answer().status == 408
        assert wait_seconds(began) < 3


def test_a_slow_body_is_408(gateway):
    with Wire(gateway.port) as wire:
        wire.send("POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-length: 100\r\n\r\n{")
        refused = wire.answer()
        assert (refused.status, refused.error()["code"]) == (408, "request_timeout")
        assert wire.closed()


def test_an_idle_connection_is_closed_without_a_word(gateway):
    with Wire(gateway.port) as wire:
        wire.post(chat_body())
        assert wire.answer().status == 200
        assert wire.closed()


def test_a_head_beyond_its_limit_is_431(gateway):
    with Wire(gateway.port) as wire:
        wire.post(chat_body(), headers=f"x-big: {'x' * 9000}\r\n")
        refused = wire.answer()
        assert refused.status == 431 and refused.headers["connection"] == "close"


BODY = chat_body("[[sim-tokens: 2]]")
SMUGGLED = "GET /v1/models HTTP/1.1\r\nhost: t\r\n\r\n"
AMBIGUOUS = {
    "a length and chunks": f"content-length: {len(BODY)}\r\ntransfer-encoding: chunked\r\n",
    "chunks and a length": f"transfer-encoding: chunked\r\ncontent-length: {len(BODY)}\r\n",
    "two lengths": f"content-length: {len(BODY)}\r\ncontent-length: 3\r\n",
    "two equal lengths": f"content-length: {len(BODY)}\r\ncontent-length: {len(BODY)}\r\n",
    "a list of different lengths": f"content-length: {len(BODY)}, 3\r\n",
    "a signed length": f"content-length: +{len(BODY)}\r\n",
    "a negative length": "content-length: -1\r\n",
    "a hexadecimal length": "content-length: 0x10\r\n",
    "a length beyond 64 bits": "content-length: 99999999999999999999999\r\n",
    "space before the colon": f"content-length : {len(BODY)}\r\n",
    "an unknown coding": "transfer-encoding: xchunked\r\n",
    "chunks inside gzip": "transfer-encoding: chunked, gzip\r\n",
    "a bare LF": f"content-length: {len(BODY)}\nx-a: b\r\n",
    "a NUL in a value": f"content-length: {len(BODY)}\r\nx-a: \0\r\n",
    "a name with a space": f"content-length: {len(BODY)}\r\nx a: b\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_an_ambiguous_head_is_refused_and_nothing_behind_it_is_a_request(gateway, name):
    with Wire(gateway.port) as wire:
        wire.send(f"POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\n{AMBIGUOUS[name]}\r\n{BODY}{SMUGGLED}")
        refused = wire.answer()
        assert 400 <= refused.status < 500, refused.body
        assert refused.headers["connection"] == "close"
        assert wire.closed()


def test_a_folded_line_belongs_to_the_line_before_it_and_is_no_header(gateway):
    with Wire(gateway.port) as wire:
        wire.post(BODY, headers="x-a: b\r\n transfer-encoding: chunked\r\n")
        assert wire.answer().status in (200, 400)


@pytest.mark.parametrize("chunk", ["-2\r\nab", "0x2\r\nab", "+2\r\nab", "zz\r\n", "fffffffffffffffff\r\n", "2\r\nabc\r\n", "2\nab\r\n"])
def test_a_bad_chunk_is_refused(gateway, chunk):
    with Wire(gateway.port) as wire:
        wire.send(f"POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n{chunk}")
        assert 400 <= wire.answer().status < 500
        assert wire.closed()


@pytest.mark.parametrize("line", ["GET", "GET /", "GET / HTTP/9.9", "G\x01T / HTTP/1.1", "GET  / HTTP/1.1", "\x16\x03\x01\x02\x00", "PRI * HTTP/2.0"])
def test_nonsense_instead_of_a_request_line_is_refused(gateway, line):
    with Wire(gateway.port) as wire:
        wire.send(f"{line}\r\n\r\n")
        assert 400 <= wire.answer().status < 600
        assert wire.closed()


def test_requests_that_an_sdk_sends_again_are_counted_apart(gateway):
    """Pitfall 39: an SDK's own retries look like new requests."""
    name = "tollgate_client_retries_total"
    before = gateway.metrics()[name][frozenset()]
    assert gateway.chat("Hello", headers={"x-stainless-retry-count": "0"})[0] == 200
    assert gateway.metrics()[name][frozenset()] == before
    assert gateway.chat("Hello", headers={"x-stainless-retry-count": "1"})[0] == 200
    assert gateway.metrics()[name][frozenset()] == before + 1
