"""Cascade routes: the first target's answer is checked, and one that fails is asked for again of a stronger target; every attempt is
charged, in the ledger, and within the constraints."""

import http.server
import json
import threading
from decimal import Decimal

import pytest
from gateway import Gateway, total

CONFIG = """\
version: 1
server: {listen: "127.0.0.1:0", reactors: 1}
admin: {listen: "127.0.0.1:0"}
ledger: {url: "sqlite:LEDGER"}
backends:
  cheap:
    dialect: openai
    url: http://127.0.0.1:CHEAP
    api_key: k
    trust: internal
    models:
      m: {capability: 0.5, prices: {input_usd_per_million_tokens: "1", output_usd_per_million_tokens: "1"}}
      twin: {capability: 0.4, prices: {input_usd_per_million_tokens: "1.5", output_usd_per_million_tokens: "1.5"}}
  strong:
    dialect: openai
    url: http://127.0.0.1:STRONG
    api_key: k
    models:
      m: {capability: 1.0, prices: {input_usd_per_million_tokens: "10", output_usd_per_million_tokens: "10"}}
constraints:
  - name: stay
    when: {header: {x-data-class: phi}}
    require: {trust: internal}
routes:
  - {name: ladder, when: {model: auto}, cascade: true, among: [cheap/m, cheap/twin, strong/m]}
  - {name: plain, when: {model: plain}, among: [cheap/m, strong/m]}
"""
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {"n": {"type": "integer"}},
                                                                        "required": ["n"]}}}


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(asked)
        status, text, finish = self.server.says
        usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
        head = {"id": "a", "object": "chat.completion", "created": 1, "model": asked["model"]}
        kind = "application/json"
        if status != 200:
            body = json.dumps({"error": {"message": "no", "type": "server_error"}}).encode()
        elif asked.get("stream"):
            kind = "text/event-stream"
            events = [{**head, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}, {**head, "choices": [], "usage": usage}]
            body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
        else:
            message = {"role": "assistant", "content": text}
            body = json.dumps({**head, "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage}).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Ladder:
    """A gateway before two upstreams that say what they are told to."""

    def __init__(self):
        self.cheap, self.strong = (http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) for _ in range(2))
        for server in (self.cheap, self.strong):
            server.asked, server.says = [], (200, "fine", "stop")
            threading.Thread(target=server.serve_forever, daemon=True).start()
        config = CONFIG.replace("CHEAP", str(self.cheap.server_port)).replace("STRONG", str(self.strong.server_port))
        self.gateway = Gateway(config)

    def ask(self, cheap, strong=(200, "better", "stop"), model="auto", headers=None, **members):
        """(status, headers, body) with these answers of the two; what they were asked is in `asked`."""
        self.cheap.says, self.strong.says = (each if isinstance(each, tuple) else (200, each, "stop") for each in (cheap, strong))
        self.cheap.asked.clear()
        self.strong.asked.clear()
        status, headers, body = self.gateway.chat("What?", model=model, headers=headers, **members)
        self.asked = [each["model"] for each in self.cheap.asked], [each["model"] for each in self.strong.asked]
        return status, headers, body

    def attempts(self, headers):
        return [(row["target"], row["result"], Decimal(row["usd"]) if row["usd"] is not None else None) for row in self.gateway.wait_for_row(headers["x-tollgate-request-id"])]


@pytest.fixture(scope="module")
def ladder():
    made = Ladder()
    with made.gateway:
        yield made
    for server in (made.cheap, made.strong):
        server.shutdown()


def content(body):
    return json.loads(body)["choices"][0]["message"]["content"]


def test_an_answer_that_passes_its_check_is_the_only_one(ladder):
    status, headers, body = ladder.ask("fine")
    assert (status, content(body), ladder.asked) == (200, "fine", (["m"], []))
    assert headers["x-tollgate-target"] == "cheap/m"
    assert ladder.attempts(headers) == [("cheap/m", "ok", Decimal("0.00015"))]


@pytest.mark.parametrize("says, reason, members", [
    ("", "empty", {}),
    ("I'm sorry, but I can't help with that.", "refusal", {}),
    ((200, "The first", "length"), "truncated", {}),
    ((200, "Once", "content_filter"), "refusal", {}),
    ("{\"n\": 1", "invalid_json", {"response_format": {"type": "json_object"}}),
    ("{\"n\": \"one\"}", "schema", {"response_format": SCHEMA}),
    ("blah " * 200, "garbage", {}),
])
def test_what_fails_its_check_is_asked_for_again(ladder, says, reason, members):
    before = total(ladder.gateway.metrics().get("tollgate_escalations_total", {}), route="ladder", reason=reason)
    better = "{\"n\": 1}" if members else "better"
    status, headers, body = ladder.ask(says, better, **members)
    assert (status, content(body)) == (200, better)
    assert ladder.asked == (["m"], ["m"]), "not the twin, which is less capable than the one that failed"
    assert headers["x-tollgate-target"] == "strong/m"
    assert headers["x-tollgate-reason"].startswith(f"escalated: cheap/m failed its check ({reason}); ")
    # Both are charged: 150 tokens at 1 and at 10 dollars a million.
    assert ladder.attempts(headers) == [("cheap/m", "escalated", Decimal("0.00015")), ("strong/m", "ok", Decimal("0.0015"))]
    assert Decimal(headers["x-tollgate-cost-usd"]) == Decimal("0.00165")
    rows = ladder.gateway.rows("SELECT target, result, attempts, usd FROM requests WHERE request = ?", headers["x-tollgate-request-id"])
    assert [{**row, "usd": Decimal(row["usd"])} for row in rows] == [{"target": "strong/m", "result": "ok", "attempts": 2, "usd": Decimal("0.00165")}]
    after = total(ladder.gateway.metrics()["tollgate_escalations_total"], route="ladder", reason=reason)
    assert after - before == 1


def test_without_cascade_nothing_is_checked(ladder):
    status, headers, body = ladder.ask("", model="plain")
    assert (status, content(body), ladder.asked) == (200, "", (["m"], []))


def test_a_stream_is_passed_on_as_it_comes(ladder):
    status, headers, body = ladder.ask("I'm sorry, but I can't help with that.", stream=True)
    assert status == 200 and b"sorry" in body and b"better" not in body
    assert ladder.asked == (["m"], [])


@pytest.mark.parametrize("strong", [(503, "", ""), (400, "", ""), (500, "", "")])
def test_an_answer_that_failed_its_check_is_better_than_none(ladder, strong):
    status, headers, body = ladder.ask("I cannot help with that.", strong)
    assert (status, content(body)) == (200, "I cannot help with that.")
    assert headers["x-tollgate-target"] == "cheap/m"
    assert headers["x-tollgate-reason"].startswith("kept though its check failed (refusal): no other target answered; ")
    attempts = ladder.attempts(headers)
    assert [(target, usd is not None) for target, _, usd in attempts] == [("cheap/m", True), ("strong/m", True)]
    assert attempts[0][1] == "escalated" and attempts[1][1] != "ok"
    assert ladder.gateway.rows("SELECT target, result FROM requests WHERE request = ?", headers["x-tollgate-request-id"]) == [{"target": "cheap/m", "result": "ok"}]
    assert Decimal(headers["x-tollgate-cost-usd"]) == Decimal("0.00015")


def test_the_last_answer_is_passed_on_whatever_it_is(ladder):
    status, headers, body = ladder.ask("", "I cannot help with that.")
    assert (status, content(body)) == (200, "I cannot help with that.")
    assert [row[1] for row in ladder.attempts(headers)] == ["escalated", "ok"]


def test_no_escalation_leaves_a_constraint(ladder):
    status, headers, body = ladder.ask("", headers={"x-data-class": "phi"})
    assert (status, content(body), ladder.asked) == (200, "", (["m"], []))
    assert headers["x-tollgate-target"] == "cheap/m"


def test_clients_that_ask_for_the_cost_get_that_of_both(ladder):
    _, headers, body = ladder.ask("", usage={"include": True})
    assert Decimal(str(json.loads(body, parse_float=Decimal)["usage"]["cost"])) == Decimal("0.00165")
