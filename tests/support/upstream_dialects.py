"""What upstreams of several dialects answer, when all is well and when it is not: of the project's own making, in their wire formats."""

import binascii
import json
import re
import struct

TEXT = ["Grüße ", "aus ", "日本 ", "— ", "ende."]
ANSWER = "".join(TEXT)
USAGE = (11, 7)             # input, output


def whole_openai(usage=True):
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}]}
    if usage:
        answer["usage"] = {"prompt_tokens": USAGE[0], "completion_tokens": USAGE[1], "total_tokens": sum(USAGE)}
    return answer


def stream_openai(usage=True):
    def chunk(choices, **more):
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more}

    yield None, chunk([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
    for word in TEXT:
        yield None, chunk([{"index": 0, "delta": {"content": word}, "finish_reason": None}])
    yield None, chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    if usage:
        yield None, chunk([], usage={"prompt_tokens": USAGE[0], "completion_tokens": USAGE[1], "total_tokens": sum(USAGE)})
    yield None, "[DONE]"


def whole_anthropic(usage=True):
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": ANSWER}],
              "stop_reason": "end_turn", "stop_sequence": None}
    if usage:
        answer["usage"] = {"input_tokens": USAGE[0], "output_tokens": USAGE[1]}
    return answer


def stream_anthropic(usage=True):
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None}
    if usage:
        message["usage"] = {"input_tokens": USAGE[0], "output_tokens": 1}
    yield "message_start", {"type": "message_start", "message": message}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for word in TEXT:
        yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    last = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}}
    if usage:
        last["usage"] = {"output_tokens": USAGE[1]}
    yield "message_delta", last
    yield "message_stop", {"type": "message_stop"}


def gemini_part(text, finish=None, usage=False):
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    answer = {"candidates": [candidate], "modelVersion": "m", "responseId": "r1"}
    if usage:
        answer["usageMetadata"] = {"promptTokenCount": USAGE[0], "candidatesTokenCount": USAGE[1], "totalTokenCount": sum(USAGE)}
    return answer


def whole_gemini(usage=True):
    return gemini_part(ANSWER, "STOP", usage)


def stream_gemini(usage=True):
    for word in TEXT[:-1]:
        yield None, gemini_part(word)
    yield None, gemini_part(TEXT[-1], "STOP", usage)


def whole_bedrock(usage=True):
    answer = {"output": {"message": {"role": "assistant", "content": [{"text": ANSWER}]}}, "stopReason": "end_turn", "metrics": {"latencyMs": 5}}
    if usage:
        answer["usage"] = {"inputTokens": USAGE[0], "outputTokens": USAGE[1], "totalTokens": sum(USAGE)}
    return answer


def stream_bedrock(usage=True):
    yield "messageStart", {"role": "assistant"}
    for word in TEXT:
        yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}}
    yield "contentBlockStop", {"contentBlockIndex": 0}
    yield "messageStop", {"stopReason": "end_turn"}
    last = {"metrics": {"latencyMs": 5}}
    if usage:
        last["usage"] = {"inputTokens": USAGE[0], "outputTokens": USAGE[1], "totalTokens": sum(USAGE)}
    yield "metadata", last


def sse(event, data, newline=b"\n"):
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    head = b"event: " + event.encode() + newline if event else b""
    return head + b"data: " + text.encode() + newline + newline


def frame(event, data, kind="event"):
    """AWS's application/vnd.amazon.eventstream."""
    def header(name, value):
        return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()

    payload = (data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)).encode()
    headers = header(":event-type" if kind == "event" else ":exception-type", event) + header(":content-type", "application/json") + header(":message-type", kind)
    prelude = struct.pack(">II", len(payload) + len(headers) + 16, len(headers))
    body = prelude + struct.pack(">I", binascii.crc32(prelude)) + headers + payload
    return body + struct.pack(">I", binascii.crc32(body))


class Dialect:
    def __init__(self, name, whole, stream, error, path, framed=False, ends_by_mark=True):
        self.name, self.whole, self.stream, self.error, self.path = name, whole, stream, error, path
        self.framed, self.ends_by_mark = framed, ends_by_mark

    def events(self, usage=True, newline=b"\n"):
        return [frame(*event) if self.framed else sse(*event, newline=newline) for event in self.stream(usage)]

    def error_event(self):
        """As this dialect reports trouble in the middle of a stream; None: it has no way to."""
        if self.framed:
            return frame("modelStreamErrorException", {"message": "overloaded in the middle"}, kind="exception")
        return sse("error" if self.name == "anthropic" else None, self.error(500, "overloaded in the middle"))

    @property
    def stream_type(self):
        return "application/vnd.amazon.eventstream" if self.framed else "text/event-stream"


def error_openai(status, message):
    return {"error": {"message": message, "type": "server_error", "param": None, "code": None}}


def error_anthropic(status, message):
    kinds = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large",
             429: "rate_limit_error", 529: "overloaded_error"}
    return {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": message}}


def error_gemini(status, message):
    return {"error": {"code": status, "message": message, "status": "INTERNAL"}}


def error_bedrock(status, message):
    return {"message": message}


DIALECTS = {dialect.name: dialect for dialect in (
    Dialect("openai", whole_openai, stream_openai, error_openai, re.compile(r"/chat/completions")),
    Dialect("anthropic", whole_anthropic, stream_anthropic, error_anthropic, re.compile(r"/v1/messages")),
    Dialect("gemini", whole_gemini, stream_gemini, error_gemini, re.compile(r"/v1beta/models/([^:]+):(generate|stream)"), ends_by_mark=False),
    Dialect("bedrock", whole_bedrock, stream_bedrock, error_bedrock, re.compile(r"/model/([^/]+)/converse(-stream)?"), framed=True))}
