"""What a bad upstream does, by name (see bad_upstream.py)."""

import asyncio
import binascii
import gzip
import json
import struct

from upstream_dialects import frame, gemini_part, sse

SECRET = "sk-upstream-secret-0123456789"
PAGE = f"<html><body><h1>502 Bad Gateway</h1>upstream said {SECRET}</body></html>"

# Each fault is a coroutine (connection, asked) -> whether the connection may serve on.

FAULTS = {}
STATUSES = (400, 401, 403, 404, 408, 409, 413, 422, 425, 429, 500, 502, 503, 504, 529)


def fault(function):
    FAULTS[function.__name__.replace("_", "-")] = function
    return function


def whole_bytes(asked, usage=True):
    return json.dumps(asked.dialect.whole(usage), ensure_ascii=False).encode()


async def send_whole(connection, body, **headers):
    await connection.head(content_length=len(body), **headers)
    await connection.send(body)
    return True


async def begin_stream(connection, asked):
    await connection.head(content_type=asked.dialect.stream_type, transfer_encoding="chunked")


async def send_events(connection, events, ends=True):
    for event in events:
        await connection.chunk(event)
    if ends:
        await connection.send(b"0\r\n\r\n")
    return ends


async def answer(connection, asked, usage=True, newline=b"\n"):
    if not asked.streams:
        return await send_whole(connection, whole_bytes(asked, usage))
    await begin_stream(connection, asked)
    return await send_events(connection, asked.dialect.events(usage, newline))


@fault
async def ok(connection, asked):
    return await answer(connection, asked)


@fault
async def reset_before_head(connection, asked):
    connection.reset()


@fault
async def close_before_head(connection, asked):
    return False


@fault
async def stall_before_head(connection, asked):
    await connection.stall()


@fault
async def stall_within_head(connection, asked):
    await connection.send(b"HTTP/1.1 200 OK\r\ncontent-ty")
    await connection.stall()


@fault
async def close_within_head(connection, asked):
    await connection.send(b"HTTP/1.1 200 OK\r\ncontent-ty")


@fault
async def no_http(connection, asked):
    await connection.send(b"220 mail.example ESMTP ready\r\n\r\n")


@fault
async def huge_head(connection, asked):
    await connection.send(b"HTTP/1.1 200 OK\r\n")
    for number in range(64):
        await connection.send(b"x-%d: " % number + b"y" * 32768 + b"\r\n")


@fault
async def endless_informational(connection, asked):
    for _ in range(2000):
        await connection.send(b"HTTP/1.1 102 Processing\r\n\r\n")


@fault
async def reset_after_head(connection, asked):
    await connection.head(content_type=asked.dialect.stream_type if asked.streams else "application/json", content_length=5000)
    await asyncio.sleep(0.02)
    connection.reset()


@fault
async def close_after_head(connection, asked):
    await connection.head(content_type=asked.dialect.stream_type if asked.streams else "application/json", content_length=5000)


@fault
async def stall_after_head(connection, asked):
    await connection.head(content_type=asked.dialect.stream_type if asked.streams else "application/json", content_length=5000)
    await connection.stall()


@fault
async def empty_body(connection, asked):
    await connection.head(content_type=asked.dialect.stream_type if asked.streams else "application/json", content_length=0)
    return True


@fault
async def html_page(connection, asked):
    return await send_whole(connection, PAGE.encode(), content_type="text/html")


@fault
async def html_page_502(connection, asked):
    await connection.head(status=502, content_type="text/html", content_length=len(PAGE))
    await connection.send(PAGE.encode())
    return True


@fault
async def bad_chunk_size(connection, asked):
    await begin_stream(connection, asked) if asked.streams else await connection.head(transfer_encoding="chunked")
    await connection.send(b"zz\r\nwhat\r\n")


@fault
async def garbage_bytes(connection, asked):
    garbage = bytes(range(256)) * 4
    if not asked.streams:
        return await send_whole(connection, garbage)
    await begin_stream(connection, asked)
    return await send_events(connection, [asked.dialect.events()[0], garbage])


@fault
async def wrong_shape(connection, asked):
    """Valid JSON, that is no answer."""
    if not asked.streams:
        return await send_whole(connection, b'{"hello": ["world"]}')
    await begin_stream(connection, asked)
    event = frame("chunk", {"hello": ["world"]}) if asked.dialect.framed else sse(None, {"hello": ["world"]})
    return await send_events(connection, [event])


@fault
async def cut_within_body(connection, asked):
    """In the middle of an event, and there of a character."""
    body = whole_bytes(asked)
    if not asked.streams:
        await connection.head(content_length=len(body))
        return await connection.send(body[:body.index("ü".encode()) + 1])
    events = asked.dialect.events()
    cut = next(i for i, event in enumerate(events) if "日".encode() in event)
    await begin_stream(connection, asked)
    await send_events(connection, [*events[:cut], events[cut][:events[cut].index("日".encode()) + 1]], ends=False)


@fault
async def ends_within_body(connection, asked):
    """The same cut, but HTTP says that this was all."""
    body = whole_bytes(asked)
    if not asked.streams:
        return await send_whole(connection, body[:body.index("ü".encode()) + 1])
    events = asked.dialect.events()
    cut = next(i for i, event in enumerate(events) if "日".encode() in event)
    await begin_stream(connection, asked)
    return await send_events(connection, [*events[:cut], events[cut][:events[cut].index("日".encode()) + 1]])


@fault
async def reset_within_body(connection, asked):
    body = whole_bytes(asked)
    if not asked.streams:
        await connection.head(content_length=len(body))
        await connection.send(body[:20])
    else:
        await begin_stream(connection, asked)
        await send_events(connection, asked.dialect.events()[:3], ends=False)
    await asyncio.sleep(0.02)
    connection.reset()


@fault
async def stall_within_body(connection, asked):
    body = whole_bytes(asked)
    if not asked.streams:
        await connection.head(content_length=len(body))
        await connection.send(body[:20])
    else:
        await begin_stream(connection, asked)
        await send_events(connection, asked.dialect.events()[:3], ends=False)
    await connection.stall()


@fault
async def no_end_mark(connection, asked):
    """All of the text, but what says that it is complete: the last events of a stream."""
    if not asked.streams:
        body = whole_bytes(asked)
        await connection.head(content_length=len(body) + 1)
        return await connection.send(body)
    events = asked.dialect.events()
    last = max(i for i, event in enumerate(events) if b"ende" in event)
    await begin_stream(connection, asked)
    return await send_events(connection, events[:last])


@fault
async def error_at_once(connection, asked):
    """200, then the error."""
    if not asked.streams:
        return await send_whole(connection, json.dumps(asked.dialect.error(500, "overloaded in the middle")).encode())
    await begin_stream(connection, asked)
    return await send_events(connection, [asked.dialect.error_event()])


@fault
async def error_in_the_middle(connection, asked):
    if not asked.streams:
        return await error_at_once(connection, asked)
    await begin_stream(connection, asked)
    return await send_events(connection, [*asked.dialect.events()[:3], asked.dialect.error_event()])


@fault
async def huge_event(connection, asked):
    if not asked.streams:
        await connection.head(transfer_encoding="chunked")
        await connection.chunk(b'{"x": "')
        for _ in range(70):
            await connection.chunk(b"y" * (1 << 20))
        return False
    await begin_stream(connection, asked)
    await connection.chunk(asked.dialect.events()[0])
    if asked.dialect.framed:
        await connection.chunk(struct.pack(">II", 1 << 31, 0) + struct.pack(">I", binascii.crc32(struct.pack(">II", 1 << 31, 0))))
    for _ in range(40):
        await connection.chunk((b"" if asked.dialect.framed else b"data: ") + b"y" * (1 << 20))
    return False


# The rest is odd, but no fault: the client must not notice.

@fault
async def gzipped(connection, asked):
    body = whole_bytes(asked) if not asked.streams else b"".join(asked.dialect.events())
    packed = gzip.compress(body)
    await connection.head(content_type=asked.dialect.stream_type if asked.streams else "application/json", content_length=len(packed), content_encoding="gzip")
    await connection.send(packed)
    return True


@fault
async def byte_by_byte(connection, asked):
    """A slow drip: every piece ends within an event, and often within a character."""
    body = whole_bytes(asked) if not asked.streams else b"".join(asked.dialect.events())
    await connection.head(content_type=asked.dialect.stream_type if asked.streams else "application/json", content_length=len(body))
    for at in range(0, len(body), 3):
        await connection.send(body[at:at + 3])
        if at % 60 == 0:
            await asyncio.sleep(0.001)
    return True


@fault
async def one_chunk(connection, asked):
    body = whole_bytes(asked) if not asked.streams else b"".join(asked.dialect.events())
    if asked.streams:
        await begin_stream(connection, asked)
    else:
        await connection.head(transfer_encoding="chunked")
    await connection.chunk(body)
    await connection.send(b"0\r\n\r\n")
    return True


@fault
async def until_close(connection, asked):
    """Neither length nor chunks: the end of the connection is the end of the body."""
    body = whole_bytes(asked) if not asked.streams else b"".join(asked.dialect.events())
    await connection.send(f"HTTP/1.1 200 OK\r\ncontent-type: {asked.dialect.stream_type if asked.streams else 'application/json'}\r\nconnection: close\r\n\r\n".encode())
    await connection.send(body)


@fault
async def informational_first(connection, asked):
    await connection.send(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
    return await answer(connection, asked)


@fault
async def crlf_lines(connection, asked):
    return await answer(connection, asked, newline=b"\r\n")


@fault
async def with_comments(connection, asked):
    if not asked.streams or asked.dialect.framed:
        return await answer(connection, asked)
    await begin_stream(connection, asked)
    events = []
    for event in asked.dialect.events():
        events += [b": still here\n\n", b"id: 7\nretry: 100\n" + event]
    return await send_events(connection, events)


@fault
async def several_data_lines(connection, asked):
    if not asked.streams or asked.dialect.framed:
        return await answer(connection, asked)
    await begin_stream(connection, asked)
    events = []
    for name, data in asked.dialect.stream(True):
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, indent=1)
        lines = "".join(f"data: {line}\n" for line in text.split("\n"))
        events.append(((f"event: {name}\n" if name else "") + lines + "\n").encode())
    return await send_events(connection, events)


@fault
async def usage_missing(connection, asked):
    return await answer(connection, asked, usage=False)


@fault
async def usage_twice(connection, asked):
    """An early count, then the right one: the last one counts."""
    if not asked.streams:
        return await answer(connection, asked)
    events = asked.dialect.events()
    early = {"openai": lambda: sse(None, {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [],
                                          "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}}),
             "anthropic": lambda: sse("message_delta", {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 3}}),
             "gemini": lambda: sse(None, {**gemini_part(""), "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 3, "totalTokenCount": 14}}),
             "bedrock": lambda: frame("metadata", {"usage": {"inputTokens": 11, "outputTokens": 3, "totalTokens": 14}, "metrics": {"latencyMs": 1}})}
    await begin_stream(connection, asked)
    return await send_events(connection, [events[0], early[asked.dialect.name](), *events[1:]])


@fault
async def whole_for_a_stream(connection, asked):
    """JSON where a stream was asked for."""
    return await send_whole(connection, whole_bytes(asked))


def status_fault(status):
    async def play(connection, asked):
        body = json.dumps(asked.dialect.error(status, f"the model is not well ({status})")).encode()
        await connection.head(status=status, content_length=len(body), **({"retry_after": 7} if status in (429, 503) else {}))
        await connection.send(body)
        return True
    FAULTS[f"status-{status}"] = play


for number in STATUSES:
    status_fault(number)
