"""Constraints through the real program: upstreams that record every byte that reaches them."""

import json
import pathlib
import random
import sqlite3
import subprocess
import threading

import pytest

from gateway import PROGRAM, Gateway
from recording_upstream import Upstream

EMAIL, CARD, IBAN = "jane.doe@firma.example", "4526 0181 5908 3012", "DE16 7114 7104 9746 5075 29"


@pytest.fixture
def upstreams():
    made = {"home": Upstream(), "cloud": Upstream()}
    yield made
    for upstream in made.values():
        upstream.close()


HEAD = """\
version: 1
server: {listen: "127.0.0.1:0", reactors: 1}
admin: {listen: "127.0.0.1:0"}
ledger: {url: "sqlite:LEDGER"}
"""


def config(upstreams, constraints, order=("cloud/big", "home/llama"), transport="native", extra=""):
    lines = [HEAD, extra, "backends:"]
    for name, model in (("home", "llama"), ("cloud", "big")):
        trust = "internal" if name == "home" else "external"
        lines.append(f"  {name}: {{dialect: openai, url: '{upstreams[name].url}', trust: {trust}, transport: {transport}, "
                     f"labels: {{region: {'eu' if name == 'home' else 'us'}}}, models: {{{model}: {{}}}}}}")
    lines += ["constraints:"] if constraints else []
    lines += [f"  - {c}" for c in constraints]
    lines.append(f"routes: [{{name: auto, when: {{model: auto}}, choose: first, among: [{', '.join(order)}]}}]")
    return "\n".join(lines).replace("transport: native, ", "") + "\n"


def prove(gateway, *arguments):
    return subprocess.run([PROGRAM, "prove", "--ledger", gateway.ledger_path, *arguments], capture_output=True, text=True, timeout=30)


def content(answer):
    return json.loads(answer)["choices"][0]["message"]["content"]


def streamed(answer):
    text = ""
    for line in answer.decode().splitlines():
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                text += choice["delta"].get("content") or ""
    return text


def test_personal_data_stays_home(upstreams):
    with Gateway(config(upstreams, ["{name: pii-home, when: {pii: true}, require: {trust: internal}}"])) as gateway:
        assert gateway.chat("What is 2 + 2?")[1]["x-tollgate-target"] == "cloud/big"
        status, headers, _ = gateway.chat(f"Write to {EMAIL}")
        assert (status, headers["x-tollgate-target"]) == (200, "home/llama")
        # In a tool's result and in a call's arguments as well.
        for message in ({"role": "tool", "tool_call_id": "1", "content": f"card {CARD}"},
                        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {
                            "name": "pay", "arguments": json.dumps({"iban": IBAN})}}]}):
            body = {"model": "auto", "messages": [message, {"role": "user", "content": "go on"}]}
            assert gateway.request("POST", "/v1/chat/completions", body)[1]["x-tollgate-target"] == "home/llama"
        assert len(upstreams["cloud"].bodies) == 1
        # Named by the client, the outside target refuses it too.
        status, _, answer = gateway.chat(f"Write to {EMAIL}", model="cloud/big")
        assert status == 403 and json.loads(answer)["error"]["code"] == "constraint_unsatisfied"
        assert "pii-home" in json.loads(answer)["error"]["message"] and EMAIL not in answer.decode()
        assert len(upstreams["cloud"].bodies) == 1


def test_a_rejection_names_the_kinds_and_never_the_value(upstreams):
    with Gateway(config(upstreams, ["{name: no-cards, when: {pii: [card, secret]}, action: reject}"])) as gateway:
        status, headers, answer = gateway.chat(f"charge {CARD} and mail {EMAIL}")
        error = json.loads(answer)["error"]
        assert status == 403 and error["code"] == "constraint_rejected" and error["param"] == "messages"
        assert "no-cards" in error["message"] and "card" in error["message"] and "email" not in error["message"]
        assert "4526" not in answer.decode() + str(headers)
        gateway.stop()
        assert not upstreams["cloud"].bodies and not upstreams["home"].bodies
        for path in gateway.path.iterdir():
            assert b"4526 0181" not in path.read_bytes() and EMAIL.encode() not in path.read_bytes(), path
        proof = prove(gateway, "--constraint", "no-cards", "--json")
        summary = json.loads(proof.stdout)["summary"]
        assert proof.returncode == 0 and summary["requests_refused_before_any_attempt"] == 1 and summary["outside"] == 0


@pytest.mark.parametrize("transport", ["native", "curl"])
def test_masked_values_never_leave_and_come_back_in_the_answer(upstreams, transport):
    upstreams["cloud"].answer = lambda request: "You said: " + request["messages"][-1]["content"] + " <EMAIL_9>"
    constraint = "{name: masked, when: {pii: [email, card]}, action: mask, restore: true}"
    with Gateway(config(upstreams, [constraint], transport=transport)) as gateway:
        text = f"Mail {EMAIL}, card {CARD}, again {EMAIL}\nquote \" end"
        status, headers, answer = gateway.chat(text)
        assert status == 200 and headers["x-tollgate-masked"] == "2" and headers["x-tollgate-target"] == "cloud/big"
        sent = json.loads(upstreams["cloud"].bodies[-1])
        assert sent["messages"][0]["content"] == "Mail <EMAIL_1>, card <CARD_1>, again <EMAIL_1>\nquote \" end"
        assert sent["model"] == "big"
        assert content(answer) == "You said: " + text + " <EMAIL_9>"
        status, headers, answer = gateway.chat(text, stream=True)
        assert streamed(answer) == "You said: " + text + " <EMAIL_9>" and headers["x-tollgate-masked"] == "2"
        # An internal target gets the original.
        gateway.chat(text, model="home/llama")
        assert json.loads(upstreams["home"].bodies[-1])["messages"][0]["content"] == text
        gateway.stop()
        assert all(EMAIL not in body and "4526" not in body for body in upstreams["cloud"].bodies)
        for path in gateway.path.iterdir():
            assert EMAIL.encode() not in path.read_bytes(), path
        proof = prove(gateway, "--constraint", "masked", "--json")
        assert proof.returncode == 0
        summary = json.loads(proof.stdout)["summary"]
        assert (summary["masked"], summary["inside"], summary["outside"]) == (2, 1, 0)


def test_without_restore_the_client_sees_placeholders(upstreams):
    upstreams["cloud"].answer = lambda request: request["messages"][-1]["content"]
    with Gateway(config(upstreams, ["{name: masked, when: {pii: [email]}, action: mask}"])) as gateway:
        assert content(gateway.chat(f"to {EMAIL}")[2]) == "to <EMAIL_1>"
        assert streamed(gateway.chat(f"to {EMAIL}", stream=True)[2]) == "to <EMAIL_1>"


def test_a_fallback_is_masked_or_not_by_its_own_target(upstreams):
    constraint = "{name: masked, when: {pii: [email]}, action: mask, restore: true}"
    upstreams["home"].answer = upstreams["cloud"].answer = lambda request: request["messages"][-1]["content"]
    with Gateway(config(upstreams, [constraint])) as gateway:
        upstreams["cloud"].status = 500
        status, headers, answer = gateway.chat(f"to {EMAIL} <EMAIL_1>")
        assert status == 200 and headers["x-tollgate-target"] == "home/llama" and "x-tollgate-masked" not in headers
        assert content(answer) == f"to {EMAIL} <EMAIL_1>"      # nothing is put back into what was never masked
        assert json.loads(upstreams["cloud"].bodies[0])["messages"][0]["content"] == "to <EMAIL_1> <EMAIL_1>"
        gateway.stop()
        proof = prove(gateway, "--constraint", "masked", "--csv")
        assert [line.rsplit(",", 1)[1] for line in proof.stdout.splitlines()] == ["verdict", "masked", "inside"]


def test_keywords_in_several_languages(upstreams):
    words = '["projekt falke", "机密", "СЕКРЕТНО"]'
    with Gateway(config(upstreams, [f"{{name: words, when: {{keywords: {words}}}, require: {{trust: internal}}}}"])) as gateway:
        for text, target in (("Über Projekt\n FALKE", "home/llama"), ("这是机密文件", "home/llama"), ("совершенно секретно", "home/llama"),
                             ("Projekt Falken", "cloud/big"), ("nichts", "cloud/big")):
            assert gateway.chat(text)[1]["x-tollgate-target"] == target, text


def test_proof_knows_what_held_then(upstreams):
    """Rows from before the constraint, a constraint that changes, a backend whose trust changes, and attempts past it."""
    with Gateway(config(upstreams, [])) as gateway:
        gateway.chat("before")
        with_rule = config(upstreams, ["{name: phi, when: {header: {x-data-class: phi}}, require: {trust: internal, region: eu}}"])
        gateway.write_config(with_rule)
        gateway.process.send_signal(1)
        phi = {"x-data-class": "phi"}
        for _ in range(100):
            if gateway.chat("now", headers=phi)[1]["x-tollgate-target"] == "home/llama":
                break
        gateway.chat("uncovered")
        upstreams["home"].status = 500
        assert gateway.chat("fails", headers=phi)[0] == 502
        gateway.stop()
        seen = len([1 for body in upstreams["home"].bodies])
        proof = prove(gateway, "--constraint", "phi")
        assert proof.returncode == 0, proof.stdout + proof.stderr
        assert "internal, region=eu" in proof.stdout and "inside" in proof.stdout and "not recorded: " in proof.stdout
        assert f"{seen} attempts covered by phi" in proof.stdout
        # As if a bug had sent one outside: the auditor must see it.
        with sqlite3.connect(gateway.ledger_path) as ledger:
            ledger.execute("UPDATE attempt SET target=(SELECT id FROM name WHERE text='cloud/big') WHERE request="
                           "(SELECT max(request) FROM coverage WHERE covered<>0)")
        proof = prove(gateway, "--constraint", "phi", "--json")
        outside = [a for a in json.loads(proof.stdout)["attempts"] if a["verdict"] == "OUTSIDE"]
        assert proof.returncode == 1 and len(outside) == 3 and outside[0]["stood"] == "external, region=us"      # it and its two retries
        assert prove(gateway, "--constraint", "phy").returncode == 2
        assert prove(gateway, "--constraint", "phi", "--since", "soon").returncode == 2


def test_a_killed_gateway_still_proves(upstreams):
    hold = threading.Event()
    upstreams["home"].answer = lambda request: hold.wait(20) and "late" or "late"
    constraints = ["{name: phi, when: {header: {x-data-class: phi}}, require: {trust: internal}}"]
    with Gateway(config(upstreams, constraints)) as gateway:
        threading.Thread(target=lambda: pytest.raises(Exception, gateway.chat, "slow", headers={"x-data-class": "phi"}), daemon=True).start()
        while not upstreams["home"].bodies:
            hold.wait(0.02)
        gateway.process.kill()
        gateway.process.wait()
        hold.set()
        gateway.returncode = None
        gateway.start()
        gateway.stop()
        summary = json.loads(prove(gateway, "--constraint", "phi", "--json").stdout)["summary"]
        assert (summary["inside"], summary["requests_recovered"], summary["outside"]) == (1, 1, 0)


def test_no_byte_leaves_whatever_fails(upstreams):
    """Many requests with known contents over upstreams that fail at random: the outside one never sees what it must not."""
    generator = random.Random(20261121)
    constraints = ["{name: cards-home, when: {pii: card}, require: {region: eu}}",
                   "{name: mails-masked, when: {pii: email}, action: mask, restore: true}",
                   "{name: phi, when: {header: {x-data-class: phi}}, require: {trust: internal}}",
                   "{name: no-accounts, when: {pii: iban}, action: reject}"]
    with Gateway(config(upstreams, constraints)) as gateway:
        for round_number in range(120):
            for upstream in upstreams.values():
                upstream.status = generator.choice([200, 200, 500, 429, 503])
            secrets = [s for s in (EMAIL, CARD, IBAN) if generator.random() < 0.4]
            phi = generator.random() < 0.3
            marker = f"round-{round_number}"
            before = {name: len(u.bodies) for name, u in upstreams.items()}
            gateway.chat(f"{marker} phi={phi} " + " and ".join(secrets), stream=generator.random() < 0.5,
                         headers={"x-data-class": "phi"} if phi else {},
                         model=generator.choice(["auto", "auto", "cloud/big", "home/llama"]))
            for body in upstreams["cloud"].bodies[before["cloud"]:]:
                assert EMAIL not in body and CARD not in body and IBAN not in body and not phi, body
            for body in upstreams["home"].bodies[before["home"]:]:
                assert IBAN not in body
        gateway.stop()
        for name in ("cards-home", "mails-masked", "phi", "no-accounts"):
            proof = prove(gateway, "--constraint", name, "--json")
            assert proof.returncode == 0 and json.loads(proof.stdout)["summary"]["outside"] == 0, proof.stdout
        assert upstreams["cloud"].bodies and upstreams["home"].bodies


RESOLVER = pathlib.Path(__file__).resolve().parents[1] / "support" / "other_resolver.c"


@pytest.mark.parametrize("transport", ["native", "curl"])
def test_air_gap_refuses_a_name_that_resolves_elsewhere(upstreams, transport, tmp_path):
    """A resolver of the test's own answers for gpu.lan: first 127.0.0.1, then an address that is not private (TEST-NET-1)."""
    library, answer = tmp_path / "resolver.so", tmp_path / "answer"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, RESOLVER, "-ldl"], check=True)
    port = upstreams["home"].server.server_address[1]
    text = HEAD + f"""\
air_gap: true
backends:
  home: {{dialect: openai, url: "http://gpu.lan:{port}", trust: internal, transport: {transport}, models: {{llama: {{}}}}}}
""".replace("transport: native, ", "")
    environment = {"LD_PRELOAD": str(library), "OTHER_RESOLVER_FILE": str(answer), "http_proxy": "http://192.0.2.9:1", "HTTP_PROXY": "http://192.0.2.9:1",
                   "all_proxy": "http://192.0.2.9:1"}
    answer.write_text("192.0.2.1")
    with Gateway(text, environment) as gateway:
        status, _, body = gateway.chat("hello", model="home/llama")
        assert status == 502 and "air_gap" in json.loads(body)["error"]["message"], body
        assert not upstreams["home"].bodies
        # Names that map to the same in other clothes are refused as well.
        for other in ("::ffff:192.0.2.1", "169.254.169.254", "100.64.0.1", "fe80::1", "2001:db8::1"):
            answer.write_text(other)
            status, _, body = gateway.chat("hello", model="home/llama")
            assert status in (502, 503) and b"air_gap" in body + b"air_gap" * (status == 503), (other, body)
    answer.write_text("127.0.0.1")
    with Gateway(text, environment) as gateway:
        assert gateway.chat("hello", model="home/llama")[0] == 200
        assert len(upstreams["home"].bodies) == 1      # and no proxy of the environment was asked
