"""Messages and Responses on the wire: what goes to a target that speaks the client's own protocol, and that no rule is passed by."""

import http.client
import http.server
import json
import threading

import fleet
import pytest
from gateway import Gateway, total

EVENTS = [
    {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "content": [], "stop_reason": None,
                                          "usage": {"input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 1}, "new_member": 1}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "new_block", "x": [1, 2]}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "new_delta", "y": "Grüße"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "to <EMA"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "IL_1>!"}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "new_reason"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]
WHOLE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "content": [{"type": "new_block", "x": [1, 2]}, {"type": "text", "text": "to <EMAIL_1>!"}],
         "stop_reason": "new_reason", "usage": {"input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 5}, "new_member": 1}


class Anthropic:
    """An upstream of Anthropic's dialect that keeps what it gets."""

    def __init__(self):
        self.requests = []
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                upstream.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                kind = "application/json"
                if self.path.endswith("count_tokens"):
                    data = b'{"input_tokens": 4711}'
                elif body.get("stream"):
                    kind = "text/event-stream"
                    data = "".join(f"event: {e['type']}\ndata: {json.dumps(e, ensure_ascii=False)}\n\n" for e in EVENTS).encode()
                else:
                    data = json.dumps(WHOLE).encode()
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]


@pytest.fixture(scope="module")
def upstream():
    made = Anthropic()
    yield made
    made.server.shutdown()


@pytest.fixture(scope="module")
def gateway(upstream):
    config = f"""\
version: 1
server: {{listen: "127.0.0.1:0", reactors: 1}}
admin: {{listen: "127.0.0.1:0"}}
ledger: {{url: "sqlite:LEDGER"}}
backends:
  claude:
    dialect: anthropic
    url: http://127.0.0.1:{upstream.port}
    models: {{m: {{upstream: claude-x, context_tokens: 200000, prices: {fleet.PRICES}}}}}
  home:
    dialect: vllm
    trust: internal
    simulated: {fleet.ENGINE}
    models: {{m: {{context_tokens: 200000, prices: {fleet.PRICES}}}}}
constraints:
  - {{name: cards-stay, when: {{pii: [card]}}, require: {{trust: internal}}}}
  - {{name: masked, when: {{pii: [email]}}, action: mask, restore: true}}
routes:
  - {{name: both, when: {{model: both}}, choose: first, among: [claude/m, home/m]}}
"""
    with Gateway(config) as running:
        yield running
        assert running.stop() == 0, running.log()


def ask(gateway, path="/v1/messages", headers=None, **members):
    body = {"model": "claude/m", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}], **members}
    status, answered, data = gateway.request("POST", path, body, headers)
    return status, answered, data.decode()


def events_of(text):
    return [json.loads(part.split("\ndata: ", 1)[1]) for part in text.split("\n\n") if part]


STRANGE = {"unheard_of": {"deep": [1, 2.5, None, "ü"]}, "messages": [{"role": "user", "content": [{"type": "new_block", "x": 1}, {"type": "text", "text": "Hello", "citations": {"enabled": True}}]}]}


def test_what_nobody_here_has_heard_of_survives_on_the_way_up_and_down(gateway, upstream):
    status, headers, text = ask(gateway, "/v1/messages?beta=true", {"anthropic-beta": "a-1,b-2", "anthropic-version": "2023-06-01"}, **STRANGE)
    assert status == 200, text
    path, sent, body = upstream.requests[-1]
    assert path == "/v1/messages"
    assert (sent["anthropic-beta"], sent["anthropic-version"]) == ("a-1,b-2", "2023-06-01")
    assert body == {"model": "claude-x", "max_tokens": 50, **STRANGE}
    assert json.loads(text) == WHOLE
    row = gateway.wait_for_row(headers["x-tollgate-request-id"])[0]
    assert (row["input"], row["cached_input"], row["output"], row["usage_source"]) == (7, 3, 5, "exact")


def test_a_stream_goes_on_as_it_came(gateway):
    _, headers, text = ask(gateway, stream=True, **STRANGE)
    assert events_of(text) == EVENTS
    row = gateway.wait_for_row(headers["x-tollgate-request-id"])[0]
    assert (row["input"], row["cached_input"], row["output"], row["usage_source"]) == (7, 3, 5, "exact")


@pytest.mark.parametrize("stream", [False, True])
def test_masking_reaches_members_nobody_here_has_heard_of_and_blocks_get_values_back(gateway, upstream, stream):
    _, headers, text = ask(gateway, stream=stream, metadata={"user_id": "jane@example.com"}, unheard_of=["jane@example.com"])
    body = upstream.requests[-1][2]
    assert "jane" not in json.dumps(body)
    assert body["unheard_of"] == [body["metadata"]["user_id"]] == ["<EMAIL_1>"]
    if stream:
        said = "".join(event["delta"]["text"] for event in events_of(text) if event["type"] == "content_block_delta" and "text" in event["delta"])
    else:
        said = json.loads(text)["content"][1]["text"]
    assert said == "to jane@example.com!"
    assert headers["x-tollgate-masked"] == "1"


def test_constraints_see_members_nobody_here_has_heard_of(gateway, upstream):
    before = len(upstream.requests)
    status, _, text = ask(gateway, unheard_of="4556 7375 8689 9855")
    assert (status, json.loads(text)["error"]["type"]) == (403, "permission_error")
    status, headers, _ = ask(gateway, model="both", system="My card is 4556 7375 8689 9855")
    assert (status, headers["x-tollgate-target"]) == (200, "home/m")
    status, _, text = ask(gateway, "/v1/messages/count_tokens", model="claude/m", system="4556 7375 8689 9855")
    assert status == 403
    assert len(upstream.requests) == before


def test_pictures_are_no_documents_that_nobody_can_read(gateway):
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo" * 50}}
    status, _, text = ask(gateway, model="claude/m", messages=[{"role": "user", "content": [picture]}])
    assert status in (200, 404, 400), text
    assert "cards-stay" not in text


def test_tokens_are_counted_by_who_would_answer(gateway, upstream):
    status, headers, text = ask(gateway, "/v1/messages/count_tokens")
    assert json.loads(text) == {"input_tokens": 4711}
    assert "x-tollgate-count" not in headers
    path, _, body = upstream.requests[-1]
    assert (path, body["model"], "max_tokens" in body) == ("/v1/messages/count_tokens", "claude-x", False)
    status, headers, text = ask(gateway, "/v1/messages/count_tokens", model="home/m")
    assert (status, headers["x-tollgate-count"]) == (200, "estimated")
    assert json.loads(text)["input_tokens"] > 0


def test_what_waits_gets_pings():
    config = fleet.CONFIG.replace("reactors: 1", "reactors: 1, keepalive_comment_seconds: 1")
    with Gateway(config) as gateway:
        for path, sign in (("/v1/messages", "event: ping\ndata: {\"type\": \"ping\"}\n\n"), ("/v1/responses", ": keep-alive\n\n")):
            text = "[[sim-fault: stall=3]] [[sim-tokens: 20]] x"
            body = {"model": "openai/m", "max_tokens": 50, "stream": True, "messages": [{"role": "user", "content": text}]}
            if path == "/v1/responses":
                body = {"model": "openai/m", "stream": True, "input": text}
            connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
            connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
            answer, seen = connection.getresponse(), ""
            while sign not in seen:
                seen += answer.read1(65536).decode()
            assert "delta" in seen[:seen.index(sign)]
            connection.close()


def test_cascades_check_what_was_said_in_any_protocol():
    with Gateway(fleet.CONFIG) as gateway:
        refusal = "[[sim-echo: I'm sorry, but I can't help with that.]]"
        for path, body in (("/v1/messages", {"max_tokens": 50, "messages": [{"role": "user", "content": refusal}]}), ("/v1/responses", {"input": refusal})):
            status, headers, text = gateway.request("POST", path, {"model": "checked", **body})
            assert status == 200, text
            assert len(gateway.wait_for_row(headers["x-tollgate-request-id"])) == 2
            assert "escalated" in headers["x-tollgate-reason"] or "kept" in headers["x-tollgate-reason"]
            assert b"sorry" in text
        requests = gateway.metrics()["tollgate_requests_total"]
        assert total(requests, route="checked") == 2


def test_errors_before_a_body_is_read_have_the_clients_shape(gateway):
    status, headers, body = gateway.request("GET", "/v1/messages")
    assert (status, json.loads(body)["type"]) == (405, "error")
    assert headers["request-id"]
    status, _, body = gateway.request("POST", "/v1/messages", b"not json")
    assert (status, json.loads(body)["error"]["type"]) == (400, "invalid_request_error")
    status, _, body = gateway.request("POST", "/v1/messages", b'{"model":"a","model":"b","messages":[]}')
    assert "duplicate" in json.loads(body)["error"]["message"]
    status, _, body = gateway.request("POST", "/v1/messages", b'{"model":"claude/m","messages":' + b"[" * 5000)
    assert status == 400
    status, _, body = gateway.request("GET", "/v1/responses/resp_1")
    assert (status, "keeps no answers" in json.loads(body)["error"]["message"]) == (404, True)


def test_explain_and_classify_read_all_three_protocols(gateway, tmp_path):
    import subprocess
    from gateway import PROGRAM
    bodies = {"messages": {"model": "both", "system": "My card is 4556 7375 8689 9855", "messages": [{"role": "user", "content": "Hello"}]},
              "responses": {"model": "both", "instructions": "My card is 4556 7375 8689 9855", "input": "Hello"},
              "chat": {"model": "both", "messages": [{"role": "system", "content": "My card is 4556 7375 8689 9855"}, {"role": "user", "content": "Hello"}]}}
    scores = set()
    for name, body in bodies.items():
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(body))
        told = subprocess.run([PROGRAM, "explain", "--config", gateway.config_path, "-f", file, "--json"], capture_output=True, text=True, timeout=30)
        plan = json.loads(told.stdout)
        assert "cards-stay" in told.stdout, told
        assert plan["complexity"]
        line = subprocess.run([PROGRAM, "classify", "--jsonl"], input=json.dumps(body) + "\n", capture_output=True, text=True, timeout=30)
        scores.add(json.loads(line.stdout)["score"])
    assert len(scores) == 1


def test_limits_and_budgets_hold_for_all():
    config = fleet.CONFIG + "limits:\n  - {name: few, requests_per_minute: 2}\n"
    with Gateway(config) as gateway:
        said = [gateway.request("POST", "/v1/messages", {"model": "openai/m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}) for _ in range(3)]
        assert [status for status, _, _ in said] == [200, 200, 429]
        assert json.loads(said[2][2])["error"]["type"] == "rate_limit_error"
        assert gateway.request("POST", "/v1/responses", {"model": "openai/m", "input": "x"})[0] == 429
