"""The response cache: what is answered from memory and what is not, in all three forms, what the books say of it, and that no answer crosses
a team or a constraint."""

import json
import os
import random
import subprocess
import threading
from decimal import Decimal

import pytest
from cached import Cached
from gateway import PROGRAM, total, wait_until


@pytest.fixture(scope="module")
def cached():
    made = Cached()
    with made.gateway:
        yield made
    for server in (made.home, made.away):
        server.shutdown()


@pytest.fixture(autouse=True)
def healthy(request):
    yield
    if "cached" in request.fixturenames:
        request.getfixturevalue("cached").well()


def test_a_request_that_was_answered_before_is_answered_from_memory(cached):
    status, first, body = cached.chat("once")
    assert (status, first["x-tollgate-cache"]) == (200, "miss")
    assert first["x-tollgate-cost-usd"] == "0.0015"
    before = cached.asked
    status, again, same = cached.chat("once")
    assert (status, same, cached.asked) == (200, body, before), "byte for byte, and nobody was asked"
    assert again["x-tollgate-cache"] == "hit"
    assert int(again["age"]) >= 0
    assert again["x-tollgate-target"] == "away/m" and again["x-tollgate-route"] == "faq"
    assert again["x-tollgate-reason"].startswith("answered from memory: away/m gave it ") and again["x-tollgate-reason"].endswith("saves $0.0015")
    assert again["x-tollgate-cost-usd"] == "0"
    assert again["x-tollgate-request-id"] != first["x-tollgate-request-id"]


def test_pitfall_30_a_hit_is_a_row_that_costs_nothing_with_what_it_saved(cached):
    """Pitfall 30: an answer from the gateway's cache is charged."""
    _, first, _ = cached.chat("money")
    metrics = cached.gateway.metrics()
    spent, saved = total(metrics["tollgate_spend_usd_total"]), total(metrics["tollgate_cache_saved_usd_total"], target="away/m", team="red")
    attempts = total(metrics["tollgate_attempts_total"])
    _, hit, _ = cached.chat("money")
    row = cached.row(hit)
    assert (row["usd"], row["attempts"], row["target"] or "", row["result"], row["http_status"]) == ("0.000000000000", 0, "", "ok", 200)
    assert (row["cached_from"], Decimal(row["usd_saved"])) == ("away/m", Decimal("0.0015"))
    assert (row["route"], row["team"], row["input_tokens"]) == ("faq", "red", 0)
    assert cached.gateway.rows("SELECT * FROM attempts WHERE request = ?", hit["x-tollgate-request-id"]) == []
    origin = cached.gateway.rows("SELECT c.origin = r.id AS same FROM cached c JOIN requests q ON q.id = c.request JOIN requests r ON r.request = ? WHERE q.request = ?",
                                 first["x-tollgate-request-id"], hit["x-tollgate-request-id"])
    assert origin == [{"same": 1}]
    metrics = cached.gateway.metrics()
    assert total(metrics["tollgate_spend_usd_total"]) == spent
    assert total(metrics["tollgate_attempts_total"]) == attempts
    assert total(metrics["tollgate_cache_saved_usd_total"], target="away/m", team="red") - saved == Decimal("0.0015")


def test_usage_stays_and_its_cost_is_zero_for_those_who_ask(cached):
    asks = {"usage": {"include": True}}
    _, _, body = cached.chat("cost", members=asks)
    assert json.loads(body)["usage"]["cost"] == 0.0015
    _, headers, body = cached.chat("cost", members=asks)
    usage = json.loads(body)["usage"]
    assert headers["x-tollgate-cache"] == "hit"
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["cost"], usage["cached"]) == (100, 50, 0, True)
    _, headers, body = cached.chat("cost")
    assert headers["x-tollgate-cache"] == "hit" and "cost" not in json.loads(body)["usage"]


def events_of(body):
    return [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]


def test_a_stream_is_replayed_event_by_event(cached):
    members = {"stream": True}
    status, first, body = cached.chat("stream of words", members=members)
    assert (status, first["x-tollgate-cache"]) == (200, "miss")
    before = cached.asked
    status, again, same = cached.chat("stream of words", members=members)
    assert (again["x-tollgate-cache"], same, cached.asked) == ("hit", body, before)
    assert again["content-type"] == "text/event-stream" and again["transfer-encoding"] == "chunked"
    assert again["x-tollgate-cost-usd"] == "0"
    assert body.endswith(b"data: [DONE]\n\n") and len(events_of(body)) > 3
    _, whole, _ = cached.chat("stream of words")
    assert whole["x-tollgate-cache"] == "miss", "a whole answer is another thing"
    row = cached.row(again)
    assert (row["stream"], row["cached_from"], Decimal(row["usd_saved"])) == (1, "away/m", Decimal("0.0015"))


def test_a_stream_that_asks_for_its_cost_says_that_it_was_cached(cached):
    members = {"stream": True, "usage": {"include": True}, "stream_options": {"include_usage": True}}
    _, first, body = cached.chat("stream with cost", members=members)
    assert events_of(body)[-1]["usage"]["cost"] == 0.0015
    _, again, body = cached.chat("stream with cost", members=members)
    usage = events_of(body)[-1]["usage"]
    assert (again["x-tollgate-cache"], usage["cost"], usage["cached"], usage["total_tokens"]) == ("hit", 0, True, 150)
    _, third, same = cached.chat("stream with cost", members=members)
    assert (third["x-tollgate-cache"], same) == ("hit", body)


FORMS = {
    "chat": ("/v1/chat/completions", {"model": "faq", "messages": [{"role": "user", "content": "TEXT"}]}),
    "messages": ("/v1/messages", {"model": "faq", "max_tokens": 500, "messages": [{"role": "user", "content": "TEXT"}]}),
    "responses": ("/v1/responses", {"model": "faq", "input": "TEXT"}),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("form", list(FORMS))
def test_clients_of_every_form_get_their_own_form_back(cached, form, stream):
    path, body = FORMS[form]
    body = json.loads(json.dumps(body).replace("TEXT", f"form {form} {stream}"))
    if stream:
        body["stream"] = True
    _, first, answer = cached.post(path, body)
    before = cached.asked
    status, again, same = cached.post(path, body)
    assert (first["x-tollgate-cache"], again["x-tollgate-cache"], status) == ("miss", "hit", 200)
    assert (same, cached.asked) == (answer, before)
    assert again["content-type"] == first["content-type"]


def test_another_team_never_gets_it(cached):
    cached.chat("between teams")
    assert cached.chat("between teams", key="red-two")[1]["x-tollgate-cache"] == "hit", "the team's other key does"
    assert cached.chat("between teams", key="blue-one")[1]["x-tollgate-cache"] == "miss"


def test_scope_key_keeps_it_to_the_key(cached):
    cached.chat("mine", model="mine")
    assert cached.chat("mine", model="mine")[1]["x-tollgate-cache"] == "hit"
    assert cached.chat("mine", model="mine", key="red-two")[1]["x-tollgate-cache"] == "miss"


def test_sampled_false_keeps_to_temperature_zero(cached):
    assert cached.chat("dice", model="exact")[1]["x-tollgate-cache"] == "bypass"
    assert cached.chat("dice", model="exact")[1]["x-tollgate-cache"] == "bypass"
    assert cached.chat("dice", model="exact", members={"temperature": 0})[1]["x-tollgate-cache"] == "miss"
    assert cached.chat("dice", model="exact", members={"temperature": 0})[1]["x-tollgate-cache"] == "hit"


def test_a_route_without_it_says_nothing(cached):
    for _ in range(2):
        assert "x-tollgate-cache" not in cached.chat("plain", model="plain")[1]
    assert cached.chat("plain", model="away/m")[1].get("x-tollgate-cache") is None


def test_clients_may_refuse_it(cached):
    def ask(control):
        return cached.chat("control", cache_control=control)[1]["x-tollgate-cache"]
    assert ask("no-store") == "miss"
    assert ask("no-store") == "miss", "it was not kept"
    assert ask("no-cache") == "bypass"
    assert ask("max-age=600") == "hit", "no-cache asks anew, and the new answer is kept"
    assert ask("max-age=0, x") in ("miss", "hit")
    assert ask("no-cache, no-store") == "bypass"
    body = cached.chat("control")[2]
    fresh = cached.chat("control", cache_control="no-cache")[2]
    assert fresh != body and cached.chat("control")[2] == fresh


@pytest.mark.parametrize("trouble", ["truncated", "filtered", "refused", "empty", "error", "own limit"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_what_is_no_good_answer_is_not_kept(cached, trouble, stream):
    members = {"stream": True} if stream else {}
    if trouble == "own limit":
        members["max_tokens"] = 5
    cached.away.finish = {"truncated": "length", "own limit": "length", "filtered": "content_filter"}.get(trouble, "stop")
    cached.away.text = {"refused": "I'm sorry, but I can't help with that.", "empty": " "}.get(trouble)
    if trouble == "error":
        cached.away.status = cached.home.status = 400
    asks = [cached.chat(f"bad {trouble}", members=members)[1].get("x-tollgate-cache") for _ in range(2)]
    assert asks == ["miss", "miss"]


def test_a_stream_that_breaks_off_is_not_kept(cached):
    cached.away.breaks_off = True
    cached.chat("breaks off", members={"stream": True})
    cached.well()
    _, headers, body = cached.chat("breaks off", members={"stream": True})
    assert headers["x-tollgate-cache"] == "miss" and body.endswith(b"data: [DONE]\n\n")


def test_an_answer_from_where_the_request_may_not_go_is_none(cached):
    cached.chat("private")
    _, headers, body = cached.chat("private", x_data_class="phi")
    assert (headers["x-tollgate-cache"], headers["x-tollgate-target"]) == ("miss", "home/m")
    # What home answered may be given to both.
    assert cached.chat("private", x_data_class="phi")[1]["x-tollgate-cache"] == "hit"
    assert cached.chat("private")[1]["x-tollgate-target"] == "home/m"
    status, headers, _ = cached.chat("private", x_data_class="secret")
    assert status == 403 and "x-tollgate-cache" not in headers


def test_what_was_sent_masked_is_kept_apart_from_what_was_not(cached):
    text = "write to ann@example.org"
    cached.chat(text)
    assert "ann@example.org" in cached.away.asked[-1]["messages"][0]["content"]
    _, headers, body = cached.chat(text, x_hide="yes")
    assert headers["x-tollgate-cache"] == "miss", "it came of text that may not be sent now"
    assert "ann@example.org" not in cached.away.asked[-1]["messages"][0]["content"] and b"ann@example.org" in body
    _, again, same = cached.chat(text, x_hide="yes")
    assert (again["x-tollgate-cache"], again["x-tollgate-masked"], same) == ("hit", "1", body)
    assert cached.chat(text)[1]["x-tollgate-cache"] == "miss"


def test_prove_lists_answers_from_memory(cached):
    cached.chat("proof", x_data_class="phi")
    _, headers, _ = cached.chat("proof", x_data_class="phi")
    assert headers["x-tollgate-cache"] == "hit"
    cached.row(headers)
    said = subprocess.run([PROGRAM, "prove", "--constraint", "phi", "--ledger", cached.gateway.ledger_path, "--json"], capture_output=True, text=True, check=True)
    proof = json.loads(said.stdout)
    mine = [each for each in proof["attempts"] if each["request"] == headers["x-tollgate-request-id"]]
    assert [(each["attempt"], each["cached"], each["target"], each["verdict"]) for each in mine] == [(0, True, "home/m", "inside")]
    assert proof["summary"]["answers_from_cache"] >= 1 and proof["summary"]["held"]


def test_costs_show_what_was_saved(cached):
    cached.chat("costs")
    _, headers, _ = cached.chat("costs")
    cached.row(headers)
    said = subprocess.run([PROGRAM, "costs", "--by", "route", "--ledger", cached.gateway.ledger_path, "--json"], capture_output=True, text=True, check=True)
    rows = {row["route"]: row for row in json.loads(said.stdout)["rows"]}
    known = cached.gateway.rows("SELECT count(*) AS hits, total(usd_saved IS NULL) AS unknown FROM requests WHERE route = 'faq' AND cached_from IS NOT NULL")[0]
    assert rows["faq"]["cached_requests"] == known["hits"] > 0
    saved = sum(Decimal(row["usd_saved"]) for row in cached.gateway.rows("SELECT usd_saved FROM requests WHERE route = 'faq' AND usd_saved IS NOT NULL"))
    assert Decimal(rows["faq"]["saved_usd_known"]) == saved
    table = subprocess.run([PROGRAM, "costs", "--ledger", cached.gateway.ledger_path], capture_output=True, text=True, check=True).stdout
    assert "cached" in table and "USD saved" in table


def test_what_is_not_known_stays_unknown(cached):
    _, first, _ = cached.chat("free?", model="unpriced")
    assert first["x-tollgate-cost-usd"] == "unknown"
    _, hit, _ = cached.chat("free?", model="unpriced")
    assert (hit["x-tollgate-cache"], hit["x-tollgate-cost-usd"]) == ("hit", "0")
    assert hit["x-tollgate-reason"].endswith("what it saves is not known")
    row = cached.row(hit)
    assert (row["usd"], row["usd_saved"], row["cached_from"]) == ("0.000000000000", None, "away/free")
    assert total(cached.gateway.metrics()["tollgate_cache_unknown_savings_total"], target="away/free") >= 1


def test_a_budget_that_is_used_up_does_not_stand_in_the_way(cached):
    members = {"max_tokens": 100}
    assert cached.chat("budget", key="cheap", model="mine", members=members)[0] == 200
    assert cached.chat("another", key="cheap", model="mine", members=members)[0] == 402, "0.0015 of 0.002 is spent, and this may cost 0.001"
    spent = total(cached.gateway.metrics()["tollgate_budget_spent_usd"], budget="cheap")
    status, headers, _ = cached.chat("budget", key="cheap", model="mine", members=members)
    assert (status, headers["x-tollgate-cache"]) == (200, "hit"), "it costs nothing"
    assert total(cached.gateway.metrics()["tollgate_budget_spent_usd"], budget="cheap") == spent == Decimal("0.0015")


def test_feedback_on_a_cached_answer_is_the_hits_own(cached):
    _, first, _ = cached.chat("rate me")
    _, hit, _ = cached.chat("rate me")
    cached.row(hit)
    status, _, _ = cached.post("/v1/feedback", {"request_id": hit["x-tollgate-request-id"], "rating": "bad"})
    assert status in (200, 202, 204)
    rows = wait_until(lambda: cached.gateway.rows("SELECT request FROM outcomes WHERE verdict = 'bad'"), what="the rating")
    assert {row["request"] for row in rows} == {hit["x-tollgate-request-id"]}
    assert total(cached.gateway.metrics()["tollgate_outcomes_total"], source="feedback", target="away/m") == 0
    said = subprocess.run([PROGRAM, "outcomes", "--ledger", cached.gateway.ledger_path], capture_output=True, text=True, check=True).stdout
    assert "(cache)" in said


def test_the_operator_may_clear_it(cached):
    cached.chat("clear")
    assert cached.chat("clear")[1]["x-tollgate-cache"] == "hit"
    assert total(cached.gateway.metrics()["tollgate_cache_entries"]) > 0
    status, body = cached.gateway.admin("/admin/v1/cache/clear", "POST")
    assert status == 200 and json.loads(body)["cleared"] > 0
    assert total(cached.gateway.metrics()["tollgate_cache_entries"]) == 0 == total(cached.gateway.metrics()["tollgate_cache_bytes"])
    assert cached.chat("clear")[1]["x-tollgate-cache"] == "miss"


def test_a_reload_keeps_answers_of_targets_that_mean_the_same_and_forgets_the_others():
    made = Cached()
    with made.gateway as gateway:
        made.chat("kept", x_data_class="phi")
        assert made.chat("kept", x_data_class="phi")[1]["x-tollgate-cache"] == "hit"
        gateway.write_config(made.config() + "attempts_max: 2\n")
        assert gateway.admin("/-/reload", "POST")[0] == 200
        assert made.chat("kept", x_data_class="phi")[1]["x-tollgate-cache"] == "hit", "nothing about its target changed"
        gateway.write_config(made.config(model="another-model"))
        assert gateway.admin("/-/reload", "POST")[0] == 200
        _, headers, _ = made.chat("kept", x_data_class="phi")
        assert headers["x-tollgate-cache"] == "miss", "home/m is another model now"
        assert made.home.asked[-1]["model"] == "another-model"
        gateway.write_config(made.config().replace(", cache: {max_age_seconds: 600}", "").replace(", cache: {max_age_seconds: 600, scope: key}", "").replace(
            ", cache: {max_age_seconds: 600, sampled: false}", ""))
        assert gateway.admin("/-/reload", "POST")[0] == 200
        assert total(gateway.metrics()["tollgate_cache_bytes"]) == 0, "no route uses it: nothing is kept"
        assert "x-tollgate-cache" not in made.chat("kept")[1]


def test_an_old_answer_is_asked_for_again():
    made = Cached(age="0.001")
    with made.gateway:
        first = made.chat("old")[2]
        wait_until(lambda: made.chat("old")[2] != first, what="an answer that is too old to be asked for again")


def test_a_retry_that_helped_is_kept_as_what_it_cost():
    made = Cached()
    with made.gateway:
        made.away.status = 500
        _, first, _ = made.chat("retried")
        assert first["x-tollgate-target"] == "home/m"
        made.well()
        _, hit, _ = made.chat("retried")
        assert (hit["x-tollgate-cache"], hit["x-tollgate-target"]) == ("hit", "home/m")
        assert Decimal(made.row(hit)["usd_saved"]) == Decimal("0.00015"), "the attempt that answered, at home's price"


def test_whatever_is_asked_no_answer_crosses_a_team_or_a_constraint():
    """Random requests of teams under constraints: an answer that is given is one that this team was given, by a target that this request may
    go to, and sent there as this request would be."""
    seed = int(os.environ.get("TOLLGATE_SEED", random.randrange(1 << 31)))
    print("TOLLGATE_SEED", seed)
    dice = random.Random(seed)
    made = Cached()
    given = {}   # answer → (team, target, masked)
    hits = 0
    with made.gateway:
        for _ in range(600):
            text = dice.choice(["alpha", "beta", "mail bob@example.org", "gamma"])
            key = dice.choice(["red-one", "red-two", "blue-one"])
            headers = {}
            if dice.random() < 0.4:
                headers["x_data_class"] = "phi"
            if dice.random() < 0.4:
                headers["x_hide"] = "yes"
            if dice.random() < 0.1:
                headers["cache_control"] = dice.choice(["no-cache", "no-store"])
            if dice.random() < 0.02:
                made.gateway.admin("/admin/v1/cache/clear", "POST")
            members = {"stream": True} if dice.random() < 0.3 else {}
            status, answer, body = made.chat(text, key=key, members=members, **headers)
            assert status == 200, body
            team, target = key.split("-")[0], answer["x-tollgate-target"]
            masked = "x-tollgate-masked" in answer
            if "x_data_class" in headers:
                assert target == "home/m", (seed, headers)
            if target == "away/m":
                assert masked == ("x_hide" in headers and "@" in text), (seed, headers, text)
            if answer["x-tollgate-cache"] == "hit":
                hits += 1
                assert given[body] == (team, target, masked), (seed, headers, text)
            else:
                assert body not in given
                given[body] = (team, target, masked)
    assert hits > 100


def test_many_at_once_are_all_answered_and_all_recorded():
    made = Cached()
    with made.gateway as gateway:
        outcomes = []

        def ask(number):
            for i in range(20):
                outcomes.append(made.chat(f"crowd {i % 5}")[1]["x-tollgate-cache"])
        threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(outcomes) == 160 and outcomes.count("hit") > 80
        counted = wait_until(lambda: gateway.rows("SELECT count(*) AS n FROM requests WHERE result = 'ok' HAVING count(*) = 160"), what="160 rows")
        assert counted == [{"n": 160}]
        metrics = gateway.metrics()
        assert total(metrics["tollgate_cache_requests_total"], route="faq", result="hit") == outcomes.count("hit")
        assert gateway.rows("SELECT count(*) AS n FROM cached") == [{"n": outcomes.count("hit")}]
