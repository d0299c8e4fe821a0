"""No byte reaches a target outside a constraint: random configurations, requests with known contents, and faults, through the real program.
The judge knows what was put into each request, and looks only at what the upstreams received, from evaluations after the answer too. TOLLGATE_SEED repeats a run's choices."""

import json
import os
import random
import re
import subprocess

from gateway import PROGRAM, Gateway, total, wait_until
from recording_upstream import Upstream

VALUES = {"email": "jane.doe@firma.example", "card": "4526 0181 5908 3012", "iban": "DE16 7114 7104 9746 5075 29",
          "phone": "+49 171 1234567", "ssn": "219-45-6789", "api_key": "ghp_" + "J2OXtPAtLpByQxCGClbaNFDpCWNX0D1lZEzg"}
BACKENDS = {"home": ("internal", "eu"), "branch": ("internal", "us"), "cloud": ("external", "us"), "partner": ("external", "eu")}
HEDGE = "hedge: {after_seconds_min: 0.02, unlearned_after_seconds: 0.02, samples_min: 1000, share_max: 1},"
FAULTS = [200, 200, 200, 500, 429, 503, 400, "reset", "cut"]


class Constraint:
    def __init__(self, number, choose):
        self.name = f"c{number}"
        self.pii = choose.sample(sorted(VALUES), choose.randint(1, 3)) if choose.random() < 0.7 else []
        self.header = choose.random() < (0.2 if self.pii else 0.6)
        self.word = choose.random() < (0.1 if self.pii or self.header else 1)
        self.action = choose.choice(["constrain", "mask", "mask", "reject"]) if self.pii else "constrain"
        self.trust = "internal" if choose.random() < 0.6 else None
        self.region = choose.choice(["eu", "us"]) if choose.random() < 0.5 or (not self.trust and self.action == "constrain") else None
        if self.action == "mask" and not self.trust and not self.region:
            self.trust = "internal"                     # what the program takes where nothing is written

    def yaml(self, choose):
        when = ([f"pii: [{', '.join(self.pii)}]"] if self.pii else []) + (["header: {x-class: phi}"] if self.header else []) + (
            ["keywords: [nothing, projekt falke]"] if self.word else [])
        require = ([f"trust: {self.trust}"] if self.trust else []) + ([f"region: {self.region}"] if self.region else [])
        parts = [f"name: {self.name}", f"when: {{{', '.join(when)}}}", f"action: {self.action}"]
        parts += [f"require: {{{', '.join(require)}}}"] if self.action != "reject" else []
        parts += ["restore: true"] if self.action == "mask" and choose.random() < 0.5 else []
        return f"  - {{{', '.join(parts)}}}"

    def covers(self, held, phi, word):
        return (not self.pii or bool(set(self.pii) & held)) and (not self.header or phi) and (not self.word or word)

    def allows(self, backend, body):
        trust, region = BACKENDS[backend]
        inside = (not self.trust or self.trust == trust) and (not self.region or self.region == region)
        if self.action == "reject":
            return False
        return inside or (self.action == "mask" and not any(VALUES[kind] in body for kind in self.pii))


def config(upstreams, constraints, strong, judge, hedges, choose):
    lines = ['version: 1', 'server: {listen: "127.0.0.1:0", reactors: 1}', 'admin: {listen: "127.0.0.1:0"}', 'ledger: {url: "sqlite:LEDGER"}',
             "attempts_max: 4", "backends:"]
    for name, (trust, region) in BACKENDS.items():
        transport = "transport: curl, " if choose.random() < 0.3 else ""
        lines.append(f"  {name}: {{dialect: openai, url: '{upstreams[name].url}', trust: {trust}, {transport}labels: {{region: {region}}}, models: {{m: {{}}}}}}")
    order = [f"{name}/m" for name in choose.sample(sorted(BACKENDS), len(BACKENDS))]
    lines += ["constraints:", *(c.yaml(choose) for c in constraints), f"routes: [{{name: auto, when: {{model: auto}}, choose: first, {HEDGE if hedges else ''} among: [{', '.join(order)}]}}]"]
    if strong:
        lines.append(f"shadow: {{share: 1, target: {strong}/m, judge: {judge}/m, concurrency_max: {choose.randint(1, 3)}}}")
    return "\n".join(lines) + "\n"


def is_evaluated(status, headers, strong):
    backend = headers.get("x-tollgate-target", "").split("/")[0]
    return bool(strong) and status == 200 and BACKENDS[backend][0] == "internal" and backend != strong


def message(held, word, number, choose):
    parts = [VALUES[kind] for kind in held] + (["Projekt Falke"] if word else [])
    choose.shuffle(parts)
    text = f"bitte nr{number}x: " + ", ".join(parts) + "."
    frame = choose.randrange(4)
    if frame == 0:
        return [{"role": "user", "content": text}]
    if frame == 1:
        return [{"role": "user", "content": [{"type": "text", "text": text}]}]
    if frame == 2:
        return [{"role": "tool", "tool_call_id": "1", "content": json.dumps({"result": text})}, {"role": "user", "content": "go on"}]
    return [{"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {
        "name": "f", "arguments": json.dumps({"x": text})}}]}, {"role": "user", "content": "go on"}]


def run(choose, upstreams, requests):
    constraints = [Constraint(i, choose) for i in range(choose.randint(1, 4))]
    strong, judge = (choose.choice(sorted(BACKENDS)) for _ in range(2)) if choose.random() < 0.7 else (None, None)
    hedges = choose.random() < 0.6
    attempts = evaluations = 0
    asked = []                                         # what each request held, by its number
    for upstream in upstreams.values():
        upstream.bodies = []
    with Gateway(config(upstreams, constraints, strong, judge, hedges, choose)) as gateway:
        for number in range(requests):
            for upstream in upstreams.values():
                upstream.status, upstream.delay = choose.choice(FAULTS), choose.choice([0, 0.08]) if hedges else 0
            held = {kind for kind in VALUES if choose.random() < 0.3}
            phi, word = choose.random() < 0.3, choose.random() < 0.3
            body = {"model": choose.choice(["auto", "auto", "auto", *(f"{name}/m" for name in BACKENDS)]), "messages": message(held, word, number, choose),
                    "stream": choose.random() < 0.5}
            asked.append((held, phi, word))
            status, headers, _ = gateway.request("POST", "/v1/chat/completions", body, {"x-class": "phi"} if phi else {})
            if is_evaluated(status, headers, strong):
                evaluations += 1
                wait_until(lambda: total(gateway.metrics()["tollgate_shadow_evaluations_total"]) == evaluations, 20, f"{evaluations} evaluations")
        hedged = int(total(gateway.metrics().get("tollgate_hedges_total", {})))
        gateway.stop()
        for name, upstream in upstreams.items():
            for received in upstream.bodies:           # also of an attempt that was cut off before it was read
                attempts += 1
                for constraint in constraints:
                    if constraint.covers(*asked[int(re.search(r"nr(\d+)x", received).group(1))]):
                        assert constraint.allows(name, received), (constraint.__dict__, name, received)
        for constraint in constraints:
            proof = subprocess.run([PROGRAM, "prove", "--ledger", gateway.ledger_path, "--constraint", constraint.name, "--json"],
                                   capture_output=True, text=True, timeout=30)
            assert proof.returncode == 0 and json.loads(proof.stdout)["summary"]["outside"] == 0, proof.stdout + proof.stderr
    return attempts, evaluations, hedged


def test_no_byte_reaches_a_target_outside_a_constraint():
    seed = int(os.environ.get("TOLLGATE_SEED", random.randrange(1 << 31)))
    print("TOLLGATE_SEED", seed)
    choose = random.Random(seed)
    upstreams = {name: Upstream(lambda request: "ok " + json.dumps(request["messages"][-1]["content"])) for name in BACKENDS}
    try:
        attempts = evaluations = hedged = rounds = 0
        # Ten configurations, and more where those that were drawn leave little to shadow or to hedge.
        while rounds < 10 or (rounds < 40 and not (attempts > 100 and evaluations > 20 and hedged > 5)):
            attempts, evaluations, hedged = map(sum, zip((attempts, evaluations, hedged), run(choose, upstreams, 40)))
            rounds += 1
        print(rounds, "configurations,", attempts, "attempts,", evaluations, "evaluations,", hedged, "hedges")
        assert attempts > 100 and evaluations > 20 and hedged > 5
    finally:
        for upstream in upstreams.values():
            upstream.close()
