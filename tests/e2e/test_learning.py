"""Ratings, format checks, and a complexity score that learns from them: through the running program."""

import concurrent.futures
import hashlib
import itertools
import json
import random
import signal
import subprocess

import pytest
from gateway import CONFIG, PROGRAM, Gateway, total, wait_until
from wire import Wire, chat_body

KEYS = {"ann": "tg-ann-key", "bob": "tg-bob-key"}
AUTH = "auth:\n  keys:\n" + "".join(
    f'    - {{name: {name}, team: research, sha256: "{hashlib.sha256(key.encode()).hexdigest()}"}}\n' for name, key in KEYS.items())
LEARNING = CONFIG + "format_checks: {share: 1}\nfeedback: {comments: true}\ncomplexity: {correction: correction.json}\n"
GATEWAY_CONFIG = LEARNING + AUTH
REFUSAL = "I'm sorry, but I can't help with that."


def bearer(name):
    return {"authorization": f"Bearer {KEYS[name]}"}


def chat(gateway, content, name="ann", **members):
    status, headers, body = gateway.chat(content, headers=bearer(name), model=members.pop("model", "gpu/llama"), **members)
    assert status == 200, body
    return headers["x-tollgate-request-id"]


def rate(gateway, request_id, name="ann", **members):
    status, _, body = gateway.request("POST", "/v1/feedback", {"request_id": request_id, **members}, bearer(name))
    return status, json.loads(body)


def outcomes_of(gateway, request_id, source):
    return gateway.rows("SELECT verdict, score, comment FROM outcomes WHERE request = ? AND source = ?", request_id, source)


def tollgate(gateway, *arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120, cwd=gateway.path)


# -- feedback --

def test_a_rating_is_in_the_ledger_when_it_is_answered(gateway):
    request_id = chat(gateway, "Hello")
    status, said = rate(gateway, request_id, rating="bad", score=0.2, comment="wrong year")
    assert (status, said) == (200, {"object": "feedback", "request_id": request_id, "rating": "bad", "score": 0.2, "changed": True})
    assert outcomes_of(gateway, request_id, "feedback") == [{"verdict": "bad", "score": "0.200000", "comment": "wrong year"}]


def test_the_same_rating_again_changes_nothing_and_another_replaces_it(gateway):
    request_id = chat(gateway, "Hello")
    assert rate(gateway, request_id, rating="good")[1]["changed"] is True
    assert rate(gateway, request_id, rating="good")[1]["changed"] is False
    assert rate(gateway, request_id, rating="bad")[1]["changed"] is True
    assert [row["verdict"] for row in outcomes_of(gateway, request_id, "feedback")] == ["bad"]


def test_only_the_key_that_made_a_request_rates_it(gateway):
    request_id = chat(gateway, "Hello", name="ann")
    status, said = rate(gateway, request_id, name="bob", rating="good")
    assert (status, said["error"]["code"], said["error"]["param"]) == (404, "request_not_found", "request_id")
    assert rate(gateway, "req_0000000000001", rating="good")[1]["error"]["code"] == "request_not_found"
    assert outcomes_of(gateway, request_id, "feedback") == []
    status, _, body = gateway.request("POST", "/v1/feedback", {"request_id": request_id, "rating": "good"})
    assert (status, json.loads(body)["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("members, param", [({"rating": "fine"}, "rating"), ({"score": 2}, "score"), ({}, "rating"), ({"rating": "good", "who": 1}, "who")])
def test_a_wrong_rating_is_refused_by_the_name_of_its_member(gateway, members, param):
    status, said = rate(gateway, "req_0000000000001", **members)
    assert (status, said["error"]["param"]) == (400, param)


def test_feedback_takes_post_only(gateway):
    status, headers, _ = gateway.request("GET", "/v1/feedback", headers=bearer("ann"))
    assert (status, headers["allow"]) == (405, "POST")


# -- format checks --

def format_of(gateway, request_id):
    return wait_until(lambda: outcomes_of(gateway, request_id, "format"), 10, "a look at the answer's form")[0]["verdict"]


def test_served_answers_are_looked_at_for_their_form(gateway):
    assert format_of(gateway, chat(gateway, "Hello")) == "ok"
    assert format_of(gateway, chat(gateway, f"[[sim-echo: {REFUSAL}]]")) == "refusal"
    asked = {"response_format": {"type": "json_object"}}
    assert format_of(gateway, chat(gateway, "Give me JSON", **asked)) == "ok"


def test_streams_are_looked_at_too(gateway):
    for prompt, verdict in (("Hello", "ok"), (f"[[sim-echo: {REFUSAL}]]", "refusal")):
        with Wire(gateway.port) as wire:
            wire.post(chat_body(prompt, model="gpu/llama", stream=True), headers=f"authorization: Bearer {KEYS['ann']}\r\n")
            _, headers = wire.head()
            while wire.chunk():
                pass
        assert format_of(gateway, headers["x-tollgate-request-id"]) == verdict


def test_outcomes_are_counted_and_listed(gateway):
    request_id = chat(gateway, f"[[sim-echo: {REFUSAL}]]")
    format_of(gateway, request_id)
    rate(gateway, request_id, rating="bad")
    assert total(gateway.metrics()["tollgate_outcomes_total"], target="gpu/llama", source="format", verdict="refusal") >= 1
    listed = tollgate(gateway, "outcomes", "--ledger", gateway.ledger_path, "--list", "--json")
    assert listed.returncode == 0, listed.stderr
    mine = [row for row in json.loads(listed.stdout)["outcomes"] if row["request"] == request_id]
    assert sorted((row["source"], row["verdict"]) for row in mine) == [("feedback", "bad"), ("format", "refusal")]
    sums = json.loads(tollgate(gateway, "outcomes", "--ledger", gateway.ledger_path, "--json").stdout)["outcomes"]
    assert any(row["verdict"] == "refusal" and row["count"] >= 1 for row in sums)
    assert "refusal" in tollgate(gateway, "outcomes", "--ledger", gateway.ledger_path).stdout


def test_without_its_key_no_answer_is_looked_at():
    with Gateway(CONFIG) as plain:
        status, headers, _ = plain.chat("Hello")
        assert status == 200
        plain.wait_for_row(headers["x-tollgate-request-id"])
        assert plain.rows("SELECT count(*) AS n FROM outcomes")[0]["n"] == 0
        assert plain.rows("SELECT count(*) AS n FROM features")[0]["n"] == 1


# -- train --

EASY = "Tell me about the weather in spring."
HARD = "Look at this.\n```\nint f(int a) { return a; }\n```\nIs it right?"


def complexity(gateway, prompt):
    _, headers, _ = gateway.chat(f"{prompt} [[sim-tokens: 1]]", model="gpu/llama")
    return float(headers["x-tollgate-complexity"].split()[0])


def judged_traffic(gateway, count, verdict_of):
    """Rated requests to the weaker target; every fifth rating is against the rule, as people are."""
    def one(number):
        choice = random.Random(number)
        hard = choice.random() < 0.5
        prompt = (HARD if hard else EASY) + " please" * choice.randint(0, 20)
        _, headers, _ = gateway.chat(f"{prompt} [[sim-tokens: 1]]", model="gpu/llama")
        bad = verdict_of(hard, choice, float(headers["x-tollgate-complexity"].split()[0]))
        status, _, _ = gateway.request("POST", "/v1/feedback", {"request_id": headers["x-tollgate-request-id"], "rating": "bad" if bad else "good"})
        assert status == 200
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(count)))


def test_train_installs_what_is_better_and_takes_it_back():
    with Gateway(LEARNING) as own:
        assert tollgate(own, "train", "--config", own.config_path).returncode == 1, "nothing to learn from yet"
        judged_traffic(own, 400, lambda hard, choice, score: hard != (choice.random() < 0.2))
        easy, hard = complexity(own, EASY), complexity(own, HARD)
        dry = tollgate(own, "train", "--config", own.config_path, "--dry-run", "--json")
        assert dry.returncode == 0, dry.stdout + dry.stderr
        said = json.loads(dry.stdout)
        assert said["rows"] == 400 and said["better"] and said["installed"] is None
        assert said["after"]["auc"] > said["before"]["auc"] - 0.01
        assert said["after"]["log_loss"] < said["before"]["log_loss"]
        assert not (own.path / "correction.json").exists()

        done = tollgate(own, "train", "--config", own.config_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "installed as correction.json" in done.stdout
        own.process.send_signal(signal.SIGHUP)
        wait_until(lambda: total(own.metrics()["tollgate_complexity_corrected"]) == 1, 10, "the correction to be read")
        assert complexity(own, HARD) == pytest.approx(0.8, abs=0.12)
        assert complexity(own, EASY) == pytest.approx(0.2, abs=0.12)

        again = tollgate(own, "train", "--config", own.config_path)
        assert again.returncode == 1 and "not installed" in again.stdout, "the same outcomes teach nothing new"
        back = tollgate(own, "train", "--config", own.config_path, "--rollback")
        assert back.returncode == 0, back.stderr
        own.process.send_signal(signal.SIGHUP)
        wait_until(lambda: total(own.metrics()["tollgate_complexity_corrected"]) == 0, 10, "the base model to be back")
        assert (complexity(own, EASY), complexity(own, HARD)) == (easy, hard)


def test_train_installs_nothing_where_ratings_follow_no_rule():
    with Gateway(LEARNING) as own:
        # Ratings that come as often as the base score says they will, spread evenly: nothing is left to learn.
        spread = itertools.count()
        judged_traffic(own, 300, lambda hard, choice, score: next(spread) * 0.6180339887 % 1 < score)
        done = tollgate(own, "train", "--config", own.config_path)
        assert done.returncode == 1 and not (own.path / "correction.json").exists(), done.stdout + done.stderr


def test_a_correction_that_cannot_be_used_stops_no_start_and_no_old_one():
    with Gateway(LEARNING) as own:
        before = complexity(own, HARD)
        (own.path / "correction.json").write_text('{"format": "tollgate-correction", "version": 99}')
        own.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "correction.json" in own.log(), 10, "the reload to be refused")
        assert complexity(own, HARD) == before
        assert own.stop() == 0
        own.returncode = None
        own.start()
        assert complexity(own, HARD) == before
        assert "the installed correction is not used" in own.log()
