"""A gateway under a scripted load, a Prometheus that scrapes it, and what both know when it is over."""

import hashlib
import json
import math
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from gateway import CONFIG, PROGRAM, ROOT, Gateway, wait_until
from queries import ready_to_run

SCRAPE_SECONDS = 0.5
LOAD_SECONDS = 18
KEYS = {"red": "tg-red-key-of-the-test", "blue": "tg-blue-key-of-the-test"}
SIMPLE = ["Hello", "What is the capital of France?", "Say yes.", "Translate 'bread' into French."]
HARD = ["Prove by induction that the sum of the first n odd numbers is a square, then refactor the proof into a lemma and derive its "
        "time complexity step by step, comparing three algorithms.",
        "Write a C++ class for a lock-free queue, analyse its memory ordering, and explain why each fence is needed."]


def config():
    keys = "".join(f'    - {{name: {team}-app, team: {team}, sha256: "{hashlib.sha256(key.encode()).hexdigest()}"}}\n' for team, key in KEYS.items())
    timed = CONFIG.replace("models:\n      llama:", "engine: {interval_seconds: 0.5, per_request_metrics: true}\n    models:\n      llama:")
    # One that is full with a single request, a route that spills over from it, and one whose answers are checked.
    timed = timed.replace("      embed:\n", """      narrow: {concurrency_max: 1, prices: {input_usd_per_million_tokens: "1", output_usd_per_million_tokens: "2"}}
      embed:\n""", 1)
    # One whose keys its provider refuses, and a serverless pool that the autopilot steers.
    timed = timed.replace("backends:\n", """backends:
  keyed:
    dialect: openai
    simulated: {seed: 3, slots: 8}
    api_keys: [first-key-of-the-test, second-key-of-the-test]
    models: {m: {prices: {input_usd_per_million_tokens: "1", output_usd_per_million_tokens: "2"}}}
  reporting:
    dialect: openrouter
    simulated: {seed: 5, slots: 8, decode_tokens_per_second: 500, decode_tokens_per_second_total: 10000, output_tokens_mean: 20}
    models: {m: {prices: {input_usd_per_million_tokens: "1", output_usd_per_million_tokens: "2"}}}
  serverless:
    dialect: vllm
    simulated: {seed: 4, slots: 64, prefill_tokens_per_second: 200000, decode_tokens_per_second: 500, decode_tokens_per_second_total: 100000, output_tokens_mean: 20}
    pool: {billing: serverless, gpu: L4, gpus: 1, usd_per_gpu_second: "0.000001", cold_start_seconds: 0.1, idle_timeout_seconds: 1, requests_per_worker: 8}
    models: {small: {}}
""", 1)
    timed += """\
  - {name: spill, when: {model: spill}, choose: first, among: [managed/narrow, managed/large]}
  - {name: steered, when: {model: steered}, choose: cheapest, autopilot: true, among: [serverless/small, managed/large]}
  - {name: checked, when: {model: checked}, choose: first, among: [gpu/llama, managed/large], cascade: true}
  - {name: faq, when: {model: faq}, among: [managed/large], cache: {max_age_seconds: 600}}
"""
    timed += "autopilot: {dwell_seconds: 1, window_seconds: 3}\n"
    timed += "shadow: {share: 0.3, target: managed/large, judge: managed/large}\n"
    return timed + f"auth:\n  keys:\n{keys}baselines:\n  - {{name: all-managed, target: managed/large}}\n" \
        + "budgets:\n  - {name: company, limit_usd: \"1000\", per: month}\nlimits:\n  - {name: each-key, each: key, requests_per_minute: 1000000}\n"


def costs(gateway, *arguments):
    run = subprocess.run([PROGRAM, "costs", "--config", gateway.config_path, "--json", "--since", "1d", *arguments], capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


class Prometheus:
    """Debian's Prometheus on a free port, with the rules that are shipped; stopped by its id."""

    def __init__(self, admin_port):
        self.directory = tempfile.TemporaryDirectory(prefix="tollgate-prometheus-")
        path = pathlib.Path(self.directory.name)
        shipped = (ROOT / "metrics/prometheus/prometheus.yaml").read_text()
        text = shipped.replace("scrape_interval: 15s", f"scrape_interval: {int(SCRAPE_SECONDS * 1000)}ms").replace("evaluation_interval: 30s", "evaluation_interval: 1s")
        text = text.replace("rules/*.yaml", str(path / "rules/*.yaml")).replace("tollgate:9090", f"127.0.0.1:{admin_port}")
        assert text.count("127.0.0.1") == 1 and "500ms" in text and "interval: 1s" in text
        (path / "prometheus.yaml").write_text(text)
        (path / "rules").mkdir()
        for rules in (ROOT / "metrics/prometheus/rules").glob("*.yaml"):      # evaluated each second, or this would take minutes
            (path / "rules" / rules.name).write_text(re.sub(r"^    interval: \w+\n", "", rules.read_text(), flags=re.M))
        self.log = path / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["prometheus", f"--config.file={path / 'prometheus.yaml'}", f"--storage.tsdb.path={path / 'data'}",
                                             "--web.listen-address=127.0.0.1:0"], stdout=log, stderr=log)
        try:
            self.port = int(wait_until(self._listening, 20, "Prometheus to listen"))
            wait_until(self._ready, 20, "Prometheus to be ready")
            wait_until(lambda: self.instant('up{job="tollgate"} == 1'), 20, "the first scrape")
        except BaseException:
            self.stop()
            raise

    def _listening(self):
        assert self.process.poll() is None, self.log.read_text()
        found = re.search(r'msg="Listening on" address=\S+?:(\d+)', self.log.read_text())
        return found and found[1]

    def _ready(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5).status == 200
        except urllib.error.URLError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.directory.cleanup()

    def ask(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{parameters.get('query')}\n{refused.read().decode()}") from refused

    def instant(self, query, at=None):
        """[(labels, value)]"""
        data = self.ask("query", query=query, **({"time": at} if at else {}))
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(row["metric"], float(row["value"][1])) for row in data["result"]]

    def range(self, query, start, end, step=1):
        """[(labels, [(time, value)])]"""
        data = self.ask("query_range", query=query, start=start, end=end, step=step)
        return [(row["metric"], [(float(t), float(v)) for t, v in row["values"]]) for row in data["result"]]

    def scalar(self, query, at=None):
        rows = self.instant(query, at)
        assert len(rows) == 1, f"{query}: {rows}"
        return rows[0][1]


class Load:
    """The script: what each client sends in turn, until the time is over. `crowd(share of the time that is over)`: how many of `clients_max` ask."""

    def __init__(self, gateway, crowd=lambda share: 3, clients_max=3):
        self.gateway, self.crowd, self.clients_max = gateway, crowd, clients_max

    def chat(self, team, prompt, model="auto", **more):
        return self.gateway.chat(prompt, model=model, headers={"authorization": f"Bearer {KEYS[team]}"}, **more)

    def one_round(self, team, n):
        self.chat(team, SIMPLE[n % len(SIMPLE)])
        self.chat(team, HARD[n % len(HARD)], stream=True)
        self.chat(team, SIMPLE[n % len(SIMPLE)], stream=True, max_tokens=12)
        self.chat(team, HARD[n % len(HARD)], model="managed/large", stream=True)
        self.chat(team, "[[sim-echo: this is no JSON]] x", model="checked", response_format={"type": "json_object"})
        self.chat(team, '[[sim-tokens: 12]] [[sim-usage: "cost": 0.00005]] x', model="reporting/m")    # its provider says what it billed
        self.chat(team, SIMPLE[n % len(SIMPLE)], model="faq")     # from the second round on answered from memory
        for _ in range(4):                                        # so many that the autopilot has something to measure
            self.chat(team, SIMPLE[n % len(SIMPLE)], model="steered")
        long = threading.Thread(target=self.chat, args=(team, "[[sim-tokens: 24]] x", "spill"))
        long.start()
        time.sleep(0.015)
        self.chat(team, "Hello", model="spill")
        long.join()
        # Whoever is asked echoes this, a judge too: it scores it so.
        _, headers, _ = self.chat(team, '[[sim-echo: {"score": 0.9}]] x', model="gpu/llama")
        self.gateway.request("POST", "/v1/feedback", {"request_id": headers["x-tollgate-request-id"], "rating": "good"}, {"authorization": f"Bearer {KEYS[team]}"})
        if n % 5 == 0:
            self.chat(team, "[[sim-fault: status=503]] x", model="gpu/llama")      # asked again
            self.chat(team, "[[sim-fault: status=413]] x", model="checked")        # too long: goes to the longer context
            self.chat(team, "[[sim-fault: status=401]] x", model="keyed/m")        # the key rests
            self.chat(team, "[[sim-fault: garbage]]", model="managed/large")
            self.gateway.chat("Hello", headers={"authorization": "Bearer wrong"})
            self.gateway.request("POST", "/v1/embeddings", {"model": "managed/embed", "input": "some text"}, {"authorization": f"Bearer {KEYS[team]}"})

    def run(self, seconds):
        begin = time.monotonic()
        failures = []

        def client(number):
            n, team = 0, "blue" if number % 3 == 2 else "red"
            try:
                while (share := (time.monotonic() - begin) / seconds) < 1:
                    if number >= self.crowd(share):
                        time.sleep(0.1)
                        continue
                    self.one_round(team, n)
                    n += 1
            except Exception as failure:    # told to the test, which runs in another thread
                failures.append(failure)

        clients = [threading.Thread(target=client, args=(number,)) for number in range(self.clients_max)]
        for each in clients:
            each.start()
        for each in clients:
            each.join()
        assert not failures, failures


class Stack:
    """Everything at rest again after the load: Prometheus has seen the last of it, and the ledger holds all."""

    def __init__(self, seconds=LOAD_SECONDS, **script):
        self.load_seconds, self.script = seconds, script

    def __enter__(self):
        self.gateway = Gateway(config()).start()
        try:
            load = Load(self.gateway, **self.script)
            for team in KEYS:
                for n in (0, len(SIMPLE)):   # twice the same: series that appear with their first count, of the cache's hits too, exist before the first scrape
                    load.one_round(team, n)
            self._settled()
            assert self.gateway.request("GET", "/admin/v1/advice", port=self.gateway.admin_port)[0] == 200     # it is worked out when somebody asks, and now and then
            self.before = self.books()
            self.prometheus = Prometheus(self.gateway.admin_port)
            try:
                self._scraped_again()
                self.start = time.time()
                self._scraped_again()        # a sample of before the load lies within the time that is looked at
                load.run(self.load_seconds)
                self._settled()
                self._scraped_again()
                self.end = time.time()
                self.after = self.books()
            except BaseException:
                self.prometheus.stop()
                raise
        except BaseException:
            self.gateway.stop()
            raise
        return self

    def __exit__(self, *_):
        self.prometheus.stop()
        self.gateway.stop()
        self.gateway.directory.cleanup()

    def books(self):
        by = {dimension: costs(self.gateway, "--by", dimension)["rows"] for dimension in ("team", "target", "route", "tier")}
        return {"total": costs(self.gateway, "--baselines")["total"], **by}

    def _settled(self):
        wait_until(lambda: self.gateway.metrics()["tollgate_ledger_requests_waiting"][frozenset()] == 0, 20, "the ledger to have all")

    def _scraped_again(self):
        query = 'scrape_samples_scraped{job="tollgate"}'
        began = time.time()
        wait_until(lambda: any(t > began + 2 * SCRAPE_SECONDS for _, values in self.prometheus.range(query, began, time.time() + 1, 0.1)
                               for t, _ in values if t < time.time()), 20, "two more scrapes")

    def asked(self, target, window=4):
        """[(labels, values)] of a panel's query over the load: one value, or one for each second, nan where there is none."""
        query = ready_to_run(target["expr"], self.seconds, window=window)
        if target["instant"]:
            return [(labels, [value]) for labels, value in self.prometheus.instant(query, self.end)]
        rows = []
        for labels, points in self.prometheus.range(query, self.start, self.end):
            at = {round(time - self.start): value for time, value in points}
            rows.append((labels, [at.get(second, math.nan) for second in range(self.seconds + 1)]))
        return rows

    @property
    def seconds(self):
        return round(self.end - self.start)
