"""A gateway whose routes use the response cache, before two upstreams that count what they are asked. For tests."""

import hashlib
import http.server
import json
import threading

from gateway import Gateway, wait_until

KEYS = {"red-one": "tg-red-one", "red-two": "tg-red-two", "blue-one": "tg-blue-one", "cheap": "tg-cheap"}
CONFIG = """\
version: 1
server: {listen: "127.0.0.1:0", reactors: 2}
admin: {listen: "127.0.0.1:0"}
ledger: {url: "sqlite:LEDGER"}
auth:
  keys:
    - {name: red-one, team: red, sha256: "HASH(red-one)"}
    - {name: red-two, team: red, sha256: "HASH(red-two)"}
    - {name: blue-one, team: blue, sha256: "HASH(blue-one)"}
    - {name: cheap, team: cheap, sha256: "HASH(cheap)"}
budgets:
  - {name: cheap, team: cheap, limit_usd: "0.002", per: day}
backends:
  home:
    dialect: openai
    url: http://127.0.0.1:HOME
    api_key: k
    trust: internal
    models:
      m: {upstream: HOMEMODEL, capability: 0.5, prices: {input_usd_per_million_tokens: "1", output_usd_per_million_tokens: "1"}}
  away:
    dialect: openai
    url: http://127.0.0.1:AWAY
    api_key: k
    models:
      m: {capability: 1.0, prices: {input_usd_per_million_tokens: "10", output_usd_per_million_tokens: "10"}}
      free: {capability: 1.0}
constraints:
  - {name: phi, when: {header: {x-data-class: phi}}, require: {trust: internal}}
  - {name: nobody, when: {header: {x-data-class: secret}}, action: reject}
  - {name: hide, when: {header: {x-hide: "yes"}, pii: email}, action: mask, restore: true}
routes:
  - {name: faq, when: {model: faq}, choose: first, among: [away/m, home/m], cache: {max_age_seconds: AGE}}
  - {name: mine, when: {model: mine}, choose: first, among: [away/m], cache: {max_age_seconds: 600, scope: key}}
  - {name: exact, when: {model: exact}, choose: first, among: [away/m], cache: {max_age_seconds: 600, sampled: false}}
  - {name: unpriced, when: {model: unpriced}, choose: first, among: [away/free], cache: {max_age_seconds: 600}}
  - {name: plain, when: {model: plain}, choose: first, among: [away/m]}
"""


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server = self.server
        with server.lock:
            server.asked.append(asked)
            number = len(server.asked)
        status, finish = server.status, server.finish
        text = server.text or f"{server.name} says {number}: {asked['messages'][-1]['content']}"
        usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
        head = {"id": f"a{number}", "object": "chat.completion", "created": 1, "model": asked["model"]}
        kind = "application/json"
        if status != 200:
            body = json.dumps({"error": {"message": "no", "type": "server_error"}}).encode()
        elif asked.get("stream"):
            kind = "text/event-stream"
            words = [text[i:i + 5] for i in range(0, len(text), 5)]
            events = [{**head, "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]} for word in words]
            events += [{**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}, {**head, "choices": [], "usage": usage}]
            body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
            body += b"" if server.breaks_off else b"data: [DONE]\n\n"
            body = body[:len(body) // 2] if server.breaks_off else body
        else:
            message = {"role": "assistant", "content": text}
            body = json.dumps({**head, "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage}).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        if server.breaks_off:
            self.send_header("connection", "close")
            self.close_connection = True
        else:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Cached:
    """A gateway with a cache before two upstreams that count what they are asked."""

    def __init__(self, age="600", more=""):
        self.home, self.away = (http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) for _ in range(2))
        for name, server in (("home", self.home), ("away", self.away)):
            server.name, server.asked, server.lock = name, [], threading.Lock()
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.well()
        self.gateway = Gateway(self.config(age) + more)

    def config(self, age="600", model="home-model"):
        text = CONFIG.replace("AGE", age).replace("HOMEMODEL", model)
        for name, key in KEYS.items():
            text = text.replace(f"HASH({name})", hashlib.sha256(key.encode()).hexdigest())
        return text.replace(":HOME", f":{self.home.server_port}").replace(":AWAY", f":{self.away.server_port}")

    def well(self):
        for server in (self.home, self.away):
            server.status, server.finish, server.text, server.breaks_off = 200, "stop", None, False

    @property
    def asked(self):
        return len(self.home.asked) + len(self.away.asked)

    def post(self, path, body, key="red-one", **headers):
        return self.gateway.request("POST", path, body, {"authorization": f"Bearer {KEYS[key]}", **{k.replace("_", "-"): v for k, v in headers.items()}})

    def chat(self, content, key="red-one", model="faq", members=None, **headers):
        body = {"model": model, "messages": [{"role": "user", "content": content}], **(members or {})}
        return self.post("/v1/chat/completions", body, key, **headers)

    def row(self, headers):
        return wait_until(lambda: self.gateway.rows("SELECT * FROM requests WHERE request = ?", headers["x-tollgate-request-id"]), what="the row")[0]
