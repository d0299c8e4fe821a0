"""What rare kinds of usage cost, through the gateway: an upstream of the test's own says what it used."""

import http.server
import json
import threading
from decimal import Decimal

import pytest
from gateway import Gateway, total, wait_until

CONFIG = """\
version: 1
server: {listen: "127.0.0.1:0", reactors: 1}
admin: {listen: "127.0.0.1:0"}
ledger: {url: "sqlite:LEDGER"}
backends:
  api:
    dialect: openai
    url: http://127.0.0.1:PORT
    api_key: k
    models:
      omni:
        prices:
          input_usd_per_million_tokens: "2.50"
          cached_input_usd_per_million_tokens: "1.25"
          output_usd_per_million_tokens: "10"
          input_audio_usd_per_million_tokens: "40"
          output_audio_usd_per_million_tokens: "80"
          usd_per_web_search: "0.01"
          service_tiers:
            flex: {input_usd_per_million_tokens: "1.25", output_usd_per_million_tokens: "5"}
"""


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer = {}

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        content = {"id": "a", "object": "chat.completion", "created": 1, "model": asked["model"]}
        if asked.get("stream"):
            chunk = {**content, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}
            events = [chunk, {**chunk, "choices": [], **self.answer}]
            body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
        else:
            message = {"role": "assistant", "content": "hi"}
            body = json.dumps({**content, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], **self.answer}).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if asked.get("stream") else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def api():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Gateway(CONFIG.replace("PORT", str(server.server_port))) as gateway:
        yield gateway
    server.shutdown()


def cost_of(gateway, answer, stream=False, **more):
    """What the ledger says one such answer cost: USD, or None where it is unknown; and the attempt's row."""
    Upstream.answer = answer
    body = {"model": "api/omni", "messages": [{"role": "user", "content": "hi"}], **more}
    if stream:
        body["stream"] = True
    before = gateway.rows("SELECT count(*) AS n FROM attempt")[0]["n"]
    assert gateway.request("POST", "/v1/chat/completions", body)[0] == 200
    wait_until(lambda: gateway.rows("SELECT count(*) AS n FROM attempt")[0]["n"] == before + 1)
    row = gateway.rows("SELECT * FROM attempts ORDER BY request_id DESC LIMIT 1")[0]
    return None if row["usd"] is None else Decimal(row["usd"]), row


AUDIO = {"usage": {"prompt_tokens": 1000, "completion_tokens": 300, "total_tokens": 1300, "num_search_queries": 2,
                   "prompt_tokens_details": {"audio_tokens": 400, "cached_tokens": 100, "cached_tokens_details": {"audio_tokens": 0}},
                   "completion_tokens_details": {"audio_tokens": 200}}}


@pytest.mark.parametrize("stream", [False, True])
def test_audio_and_searches_have_lines_of_their_own(api, stream):
    usd, row = cost_of(api, AUDIO, stream)
    lines = {kind: Decimal(row[f"usd_{kind}"]) for kind in ("input", "cached_input", "output", "input_audio", "output_audio", "web_search")}
    assert lines == {"input": Decimal("0.00125"), "cached_input": Decimal("0.000125"), "output": Decimal("0.001"),
                     "input_audio": Decimal("0.016"), "output_audio": Decimal("0.016"), "web_search": Decimal("0.02")}
    assert usd == sum(lines.values())
    spend = api.metrics()["tollgate_spend_usd_total"]
    assert total(spend, kind="web_search") % Decimal("0.02") == 0 < total(spend, kind="output_audio")


def test_the_tier_that_served_is_charged_and_an_unknown_one_is_unpriced(api):
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    standard, flex = Decimal("0.0035"), Decimal("0.00175")
    assert cost_of(api, {"usage": usage, "service_tier": "default"}, service_tier="flex")[0] == standard
    assert cost_of(api, {"usage": usage, "service_tier": "flex"}, service_tier="auto")[0] == flex
    assert cost_of(api, {"usage": usage, "service_tier": "flex"}, stream=True, service_tier="flex")[0] == flex
    assert cost_of(api, {"usage": usage}, service_tier="flex")[0] == flex
    usd, row = cost_of(api, {"usage": usage, "service_tier": "priority"})
    assert usd is None and row["pricing"] == "unpriced" and row["service_tier"] == "other"


def test_how_much_of_the_audio_was_cached_must_be_known(api):
    usage = {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101, "prompt_tokens_details": {"audio_tokens": 80, "cached_tokens": 30}}
    assert cost_of(api, {"usage": usage})[0] is None
