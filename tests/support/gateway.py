"""A running gateway for tests: starts `tollgate serve` on free ports, reads them from its output, stops it by SIGTERM."""

import http.client
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from decimal import Decimal

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("TOLLGATE_PROGRAM", ROOT / "build/release/tollgate"))

# The demonstration's fleet, faster: a self-hosted pool, a managed API, and embeddings.
CONFIG = """\
version: 1
server: {listen: "127.0.0.1:0", reactors: 2}
admin: {listen: "127.0.0.1:0"}
ledger: {url: "sqlite:LEDGER"}
backends:
  gpu:
    dialect: vllm
    simulated: {seed: 1, slots: 256, prefill_tokens_per_second: 200000, decode_tokens_per_second: 500,
                decode_tokens_per_second_total: 100000, output_tokens_mean: 20}
    trust: internal
    pool: {billing: dedicated, gpu: H100, gpus: 2, usd_per_gpu_hour: "2.49"}
    models:
      llama: {upstream: meta-llama/Llama-3.3-70B-Instruct, context_tokens: 131072, capability: 0.6}
  managed:
    dialect: openai
    simulated: {seed: 2, slots: 256, prefill_tokens_per_second: 200000, decode_tokens_per_second: 500,
                decode_tokens_per_second_total: 100000, output_tokens_mean: 20}
    models:
      large:
        context_tokens: 400000
        capability: 1.0
        images: true
        prices: {input_usd_per_million_tokens: "2.50", cached_input_usd_per_million_tokens: "1.25",
                 output_usd_per_million_tokens: "10.00"}
      embed:
        serves: embeddings
        context_tokens: 8192
        prices: {input_usd_per_million_tokens: "0.02"}
constraints:
  - name: phi-stays-home
    when: {header: {x-data-class: [phi, pii]}}
    require: {trust: internal}
routes:
  - name: auto
    when: {model: auto}
    choose: cheapest
    among: [gpu/llama, managed/large]
    cost_basis: marginal
"""


class Gateway:
    """`with Gateway() as gateway: …`; after stop(), returncode and log tell how it ended."""

    def __init__(self, config=CONFIG, environment=None):
        self.directory = tempfile.TemporaryDirectory(prefix="tollgate-test-")
        self.path = pathlib.Path(self.directory.name)
        self.ledger_path = self.path / "ledger.db"
        self.config_path = self.path / "tollgate.yaml"
        self.write_config(config)
        self.environment = {**os.environ, **(environment or {})}
        self.simulated = {}
        self.returncode = None

    def write_config(self, config):
        # In one step, as editors do: a reader never sees half a file.
        fresh = self.config_path.with_suffix(".new")
        fresh.write_text(config.replace("LEDGER", str(self.ledger_path)))
        fresh.rename(self.config_path)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        self.directory.cleanup()

    def start(self):
        self.output = []
        with open(self.path / "log", "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--config", self.config_path], stdout=subprocess.PIPE, stderr=log, text=True,
                cwd=self.path, env=self.environment)
        ready = threading.Event()
        threading.Thread(target=self._read_output, args=(ready,), daemon=True).start()
        # A process closes its output a moment before it can be waited for.
        if not ready.wait(20) or not any(line.startswith("Costs and counters") for line in self.output):
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"the gateway did not start:\n{''.join(self.output)}\n{self.log()}")
        return self

    def _read_output(self, ready):
        for line in self.process.stdout:
            self.output.append(line)
            words = line.split()
            if words[:1] == ["data"]:
                self.port = int(words[1].rsplit(":", 1)[1])
            elif words[:1] == ["admin"]:
                self.admin_port = int(words[1].rsplit(":", 1)[1])
            elif words[:1] == ["simulated"]:
                self.simulated[words[1]] = int(words[2].rsplit(":", 1)[1])
            elif line.startswith("Costs and counters"):
                ready.set()
        ready.set()

    def stop(self, timeout=40):
        if self.returncode is None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            try:
                self.returncode = self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.returncode

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def log(self):
        return (self.path / "log").read_text(errors="replace")

    # -- HTTP --

    def request(self, method, path, body=None, headers=None, port=None, timeout=30):
        """One request on a connection of its own: (status, headers as a lower-case dict, body as bytes)."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        try:
            if isinstance(body, (dict, list)):
                body = json.dumps(body).encode()
            connection.request(method, path, body, {"content-type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def chat(self, content="Hello", model="auto", headers=None, **members):
        body = {"model": model, "messages": [{"role": "user", "content": content}], **members}
        return self.request("POST", "/v1/chat/completions", body, headers)

    def admin(self, path, method="GET"):
        status, _, body = self.request(method, path, port=self.admin_port)
        return status, body.decode()

    def events(self, count, timeout=15):
        """The first events of the live page's stream, as (name, data)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=timeout)
        try:
            connection.request("GET", "/admin/v1/events")
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("content-type")) == (200, "text/event-stream")
            found, name = [], None
            while len(found) < count:
                line = answer.readline().decode().rstrip("\n")
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    found.append((name, json.loads(line.removeprefix("data: "))))
            return found
        finally:
            connection.close()

    def engine_requests(self, backend):
        """What the simulated engine itself says of its last requests, the newest first."""
        _, _, body = self.request("GET", "/sim/requests?limit=10000", port=self.simulated[backend])
        return json.loads(body)["requests"]

    # -- books --

    def metrics(self):
        """{name: {frozenset of label pairs: value as Decimal}}"""
        return parse_metrics(self.admin("/metrics")[1])

    def rows(self, sql, *arguments):
        """Rows of the ledger as dicts; the ledger must be committed (see wait_for_rows)."""
        connection = sqlite3.connect(f"file:{self.ledger_path}?mode=ro", uri=True, timeout=10)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(sql, arguments)]
        finally:
            connection.close()

    def wait_for_row(self, request_id, timeout=10):
        """The attempts of a request, once they are durable."""
        return wait_until(lambda: self.rows("SELECT * FROM attempts WHERE request = ? ORDER BY number", request_id), timeout,
                          f"request {request_id} in the ledger")


def wait_until(ask, timeout=10, what="the condition"):
    """The first true answer of ask(); polls, for what another process does has no event here."""
    end = time.monotonic() + timeout
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s in vain for {what}")
        time.sleep(0.01)


def decimal_of(value):
    """A sample is a double printed with 16 digits, of which 15 are those of the number that was meant."""
    return Decimal(f"{float(value):.15g}")


def parse_metrics(text):
    families = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        series, value = line.rsplit(" ", 1)
        name, _, labels = series.partition("{")
        pairs = [pair.split("=", 1) for pair in labels.rstrip("}").split(",") if pair] if labels else []
        families.setdefault(name, {})[frozenset((k, v.strip('"')) for k, v in pairs)] = decimal_of(value)
    return families


def total(family, **labels):
    """The sum of a family's series that have these labels."""
    return sum((value for series, value in family.items() if set(labels.items()) <= series), Decimal(0))
