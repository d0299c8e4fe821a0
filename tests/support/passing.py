"""For tests of endpoints that are passed through: a gateway between two upstreams that answer as each test says and keep what they were asked."""

import hashlib
import http.client
import http.server
import json
import threading

import pytest
from gateway import Gateway, wait_until

KEYS = {"red": "tg-red", "blue": "tg-blue", "narrow": "tg-narrow"}
CONFIG = """\
version: 1
server: {listen: "127.0.0.1:0", reactors: 2, body_bytes_max: 65536}
admin: {listen: "127.0.0.1:0"}
ledger: {url: "sqlite:LEDGER"}
auth:
  keys:
    - {name: red, team: red, sha256: "HASH(red)"}
    - {name: blue, team: blue, sha256: "HASH(blue)"}
    - {name: narrow, team: red, models: [nothing], sha256: "HASH(narrow)"}
attempts_max: 3
backends:
  up: &up
    dialect: openai
    url: http://127.0.0.1:UP
    api_key: the-providers-key
    timeouts: {silence_seconds: 1, first_byte_seconds: 2}
    breaker: {failures: 100, unreachable_failures: 100}
    retry: {retries: 1, first_wait_seconds: 0.01}
    models:
      m: {prices: {input_usd_per_million_tokens: "1", output_usd_per_million_tokens: "1"}}
      pictures:
        upstream: pictures-1
        serves: images
        prices: {input_usd_per_million_tokens: "5", output_usd_per_million_tokens: "0", input_image_usd_per_million_tokens: "10",
                 output_image_usd_per_million_tokens: "40"}
      drawn: {upstream: drawn-3, serves: images, prices: {usd_per_image: {"1024x1024/hd": "0.08", "1024x1024": "0.04", auto: "0.02"}}}
      unpriced: {serves: images}
      voice: {serves: speech, prices: {usd_per_million_characters: "15"}}
      ears: {upstream: whisper-1, serves: transcriptions, prices: {usd_per_audio_minute: "0.006"}}
      judge: {upstream: judge-1, serves: moderations, prices: {usd_per_request: "0"}}
      files: {serves: files, prices: {usd_per_request: "0.001"}}
      batches: {serves: batches, prices: {usd_per_request: "0"}}
  spare:
    dialect: openai
    url: http://127.0.0.1:SPARE
    retry: {retries: 0}
    models:
      pictures: {upstream: spare-pictures, serves: images, prices: {usd_per_image: "0.03"}}
      files: {serves: files}
passthrough: {body_bytes_max: 8388608, spool_bytes_max: 12582912}
constraints:
  - {name: phi, when: {header: {x-data-class: phi}}, require: {trust: internal}}
  - {name: cards, when: {header: {x-guard: "on"}, pii: card}, action: reject}
  - {name: hide, when: {header: {x-hide: "on"}, pii: email}, action: mask}
budgets:
  - {name: blues, team: blue, limit_usd: "0.10", per: day}
routes:
  - {name: auto, when: {model: auto}, among: [up/m]}
  - {name: art, when: {model: art}, choose: first, among: [up/pictures, spare/pictures]}
  - {name: keep, choose: first, among: [up/files, up/batches]}
"""


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        self.server.asked.append({"method": self.command, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body})
        self.server.says(self)

    do_GET = do_POST = do_DELETE = answer

    def reply(self, status=200, body=b"{}", kind="application/json", length=True, extra=()):
        self.send_response(status)
        self.send_header("content-type", kind)
        for name, value in extra:
            self.send_header(name, value)
        if length:
            self.send_header("content-length", str(len(body)))
        else:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        if length:
            self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n" % len(data) + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, *_):
        pass


def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    made.asked, made.says = [], lambda handler: handler.reply()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return made


def form(*fields, boundary="b"):
    """(name, value) or (name, value, file name, type)"""
    body = b""
    for name, value, *file in fields:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if file:
            body += f'; filename="{file[0]}"\r\nContent-Type: {file[1]}'.encode()
        body += b"\r\n\r\n" + (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


class Passed:
    def __init__(self, config=CONFIG):
        self.up, self.spare = server(), server()
        text = config.replace(":UP", f":{self.up.server_port}").replace(":SPARE", f":{self.spare.server_port}")
        for name, key in KEYS.items():
            text = text.replace(f"HASH({name})", hashlib.sha256(key.encode()).hexdigest())
        self.gateway = Gateway(text)

    def ask(self, method, path, body=None, says=None, key="red", content_type="application/json", **headers):
        self.up.asked.clear()
        self.spare.asked.clear()
        self.up.says = says or (lambda handler: handler.reply())
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        sent = {"authorization": f"Bearer {KEYS[key]}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        if body is not None:
            sent["content-type"] = content_type
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=30)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def form(self, path, *fields, **more):
        return self.ask("POST", path, form(*fields), content_type="multipart/form-data; boundary=b", **more)

    def row(self, headers):
        return wait_until(lambda: self.gateway.rows("SELECT * FROM requests WHERE request = ?", headers["x-tollgate-request-id"]), what="the row")[0]


def file_says(file_id):
    return lambda handler: handler.reply(200, json.dumps({"id": file_id, "object": "file", "bytes": 3}).encode())


def make_file(passed, file_id, key="red"):
    assert passed.form("/v1/files", ("purpose", "batch"), ("file", "abc", "a.jsonl", "application/json"), says=file_says(file_id), key=key)[0] == 200


@pytest.fixture(scope="module")
def passed():
    made = Passed()
    with made.gateway:
        yield made
    made.up.shutdown()
    made.spare.shutdown()


@pytest.fixture(autouse=True)
def quiet(request):
    if "passed" in request.fixturenames:
        made = request.getfixturevalue("passed")
        made.spare.says = lambda handler: handler.reply()
        made.up.asked.clear()
        made.spare.asked.clear()
