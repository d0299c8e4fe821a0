"""A second attempt beside a slow first one: who answers, who is cut off, what both cost, and where no second attempt is made."""

import concurrent.futures
import json
import signal
import subprocess
import threading
import time
from decimal import Decimal

import pytest
from failing_upstream import FailingUpstream, refusal
from gateway import PROGRAM, Gateway, total, wait_until
from small_fleet import attempts, config as fleet_of
from wire import Wire, chat_body

HEDGE = "hedge: {after_seconds_min: 0.1, unlearned_after_seconds: 0.15, share_max: 1}"
PRICES = '{input_usd_per_million_tokens: "3", output_usd_per_million_tokens: "15"}'
FORMS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}


def engine(prefill):
    return f"{{seed: 1, slots: 64, prefill_tokens_per_second: {prefill}, decode_tokens_per_second: 400, decode_tokens_per_second_total: 4000, output_tokens_mean: 12}}"


def config(first=10, second=100000, dialects=("vllm", "openai"), hedge=HEDGE, top="", more=""):
    """Two simulated engines; the numbers are prompt tokens per second: what makes the first token come late."""
    text = f'version: 1\nserver: {{listen: "127.0.0.1:0", reactors: 1}}\nadmin: {{listen: "127.0.0.1:0"}}\nledger: {{url: "sqlite:LEDGER"}}\n{top}backends:\n'
    for name, dialect, prefill, trust in (("first", dialects[0], first, "internal"), ("second", dialects[1], second, "external")):
        text += f"  {name}:\n    dialect: {dialect}\n    trust: {trust}\n    simulated: {engine(prefill)}\n    models: {{m: {{context_tokens: 100000, prices: {PRICES}}}}}\n"
    return text + more + f"routes:\n  - {{name: auto, when: {{model: auto}}, choose: first, among: [first/m, second/m], {hedge}}}\n"


def body_of(form, stream, text="Hello there, how are you doing today?"):
    if form == "chat":
        return {"model": "auto", "stream": stream, "messages": [{"role": "user", "content": text}], **({"stream_options": {"include_usage": True}} if stream else {})}
    if form == "messages":
        return {"model": "auto", "stream": stream, "max_tokens": 200, "messages": [{"role": "user", "content": text}]}
    return {"model": "auto", "stream": stream, "input": text}


def ask(gateway, form="chat", stream=False, headers=None, **members):
    return gateway.request("POST", FORMS[form], {**body_of(form, stream), **members}, headers)


def is_whole(form, stream, body):
    if not stream:
        return bool(json.loads(body))
    return {"chat": b"[DONE]", "messages": b"event: message_stop", "responses": b"event: response.completed"}[form] in body


def slow(seconds, answer=None):
    def late(*_):
        time.sleep(seconds)
        return answer
    return late


# -- who wins -------------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("form", FORMS)
def test_a_slow_first_target_is_hedged_cut_off_and_paid_for(form, stream):
    with Gateway(config()) as gateway:
        began = time.monotonic()
        status, headers, body = ask(gateway, form, stream)
        took = time.monotonic() - began
        assert status == 200 and is_whole(form, stream, body) and took < 1
        assert headers["x-tollgate-target"] == "second/m"
        assert headers["x-tollgate-reason"].startswith("hedged: first/m had not answered after 1")
        lost, won = gateway.wait_for_row(headers["x-tollgate-request-id"])
        assert (lost["target"], lost["result"], lost["usage_source"], lost["pricing"]) == ("first/m", "hedge_lost", "estimated", "priced")
        assert (won["target"], won["result"]) == ("second/m", "ok")
        assert lost["input"] > 0 and lost["output"] == 0 and Decimal(lost["usd"]) > 0
        sum_of_both = Decimal(lost["usd"]) + Decimal(won["usd"])
        (row,) = gateway.rows("SELECT target, usd, result, attempts FROM requests")
        assert (row["target"], row["result"], row["attempts"]) == ("second/m", "ok", 2) and Decimal(row["usd"]) == sum_of_both
        if not stream:
            assert Decimal(headers["x-tollgate-cost-usd"]) == sum_of_both
        metrics = gateway.metrics()
        assert total(metrics["tollgate_spend_usd_total"]) == sum_of_both
        assert total(metrics["tollgate_attempts_total"], target="first/m", result="hedge_lost") == 1
        assert total(metrics.get("tollgate_hedges_total", {}), route="auto", target="second/m", result="won") == 1
        assert total(metrics["tollgate_breaker_state"]) == 0
        # The engine itself says when it was cut off: while the winner was still answering, or within milliseconds of it.
        (cut,) = wait_until(lambda: [r for r in gateway.engine_requests("first") if r["aborted_at"]], 5, "the engine to see the end")
        (answered,) = [r for r in gateway.engine_requests("second") if r["stream"] == stream]
        first_token = answered["started_at"] + answered["ttft_seconds"] if stream else answered["finished_at"]
        assert cut["finish_reason"] == "abort" and cut["aborted_at"] - first_token < 0.1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_first_target_that_answers_before_the_second_one_wins(stream):
    with Gateway(config(first=45, second=1)) as gateway:
        status, headers, body = ask(gateway, stream=stream)
        assert status == 200 and is_whole("chat", stream, body) and headers["x-tollgate-target"] == "first/m"
        assert headers["x-tollgate-reason"].startswith("hedge at second/m after 1") and " lost; " in headers["x-tollgate-reason"]
        assert attempts(gateway, headers) == [("first/m", "ok"), ("second/m", "hedge_lost")]
        (row,) = gateway.rows("SELECT target, usd FROM requests")
        assert row["target"] == "first/m"
        assert Decimal(row["usd"]) == sum(Decimal(r["usd"]) for r in gateway.rows("SELECT usd FROM attempts")) == total(gateway.metrics()["tollgate_spend_usd_total"])
        assert total(gateway.metrics().get("tollgate_hedges_total", {}), result="lost") == 1
        wait_until(lambda: [r for r in gateway.engine_requests("second") if r["aborted_at"]], 5, "the second to be cut off")


def test_a_quick_first_target_is_not_hedged():
    with Gateway(config(first=100000)) as gateway:
        _, headers, _ = ask(gateway, stream=True)
        assert attempts(gateway, headers) == [("first/m", "ok")] and "hedge" not in headers["x-tollgate-reason"]
        assert not gateway.engine_requests("second")


def test_a_share_of_a_pool_accrues_until_the_loser_is_cut_off():
    pool = "    pool: {billing: dedicated, gpu: H100, gpus: 1, usd_per_gpu_hour: \"3600\"}\n"
    text = config().replace("    models: {m: {context_tokens: 100000, prices: " + PRICES + "}}", pool + "    models: {m: {context_tokens: 100000}}", 1)
    with Gateway(text) as gateway:
        _, headers, _ = ask(gateway, stream=True)
        lost, _ = gateway.wait_for_row(headers["x-tollgate-request-id"])
        gpu = Decimal(gateway.rows("SELECT gpu_pusd FROM attempt ORDER BY number LIMIT 1")[0]["gpu_pusd"]) / 10**12
        assert lost["result"] == "hedge_lost" and Decimal("0.1") < gpu < Decimal("1.5"), gpu     # a dollar a second, alone in it


# -- one that fails -------------------------------------------------------------------------------------------------------------------

def test_a_second_attempt_that_fails_leaves_the_first_one_running():
    with FailingUpstream(delay=0.5) as first, FailingUpstream(then=refusal(500)) as second:
        with Gateway(fleet_of(route="choose: first, " + HEDGE, first=(first.url, ""), second=(second.url, ""))) as gateway:
            status, headers, _ = gateway.chat()
            assert status == 200 and attempts(gateway, headers) == [("first/m", "ok"), ("second/m", "upstream_status")]
            assert "hedge at second/m after" in headers["x-tollgate-reason"] and "failed (upstream_status)" in headers["x-tollgate-reason"]
            assert total(gateway.metrics().get("tollgate_hedges_total", {}), result="failed") == 1


def test_a_first_attempt_that_fails_leaves_the_second_one_running():
    with FailingUpstream([slow(0.3, refusal(500))]) as first, FailingUpstream(delay=0.4) as second:
        with Gateway(fleet_of(route="choose: first, " + HEDGE, first=(first.url, ""), second=(second.url, ""))) as gateway:
            status, headers, _ = gateway.chat()
            assert status == 200 and attempts(gateway, headers) == [("first/m", "upstream_status"), ("second/m", "ok")]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_when_both_fail_the_rest_of_the_plan_goes_on(stream):
    with FailingUpstream([slow(0.4, refusal(500))]) as first, FailingUpstream(then=refusal(503)) as second, FailingUpstream() as third:
        with Gateway(fleet_of(route="choose: first, " + HEDGE, first=(first.url, ""), second=(second.url, ""), third=(third.url, ""))) as gateway:
            status, headers, _ = gateway.chat(stream=stream)
            assert status == 200 and headers["x-tollgate-target"] == "third/m"
            assert attempts(gateway, headers) == [("first/m", "upstream_status"), ("second/m", "upstream_busy"), ("third/m", "ok")]
            assert len(first.seen) == len(second.seen) == 1


def test_when_all_have_failed_they_are_asked_again_as_ever():
    with FailingUpstream([slow(0.3, refusal(500))]) as first, FailingUpstream([refusal(500)]) as second:
        with Gateway(fleet_of(route="choose: first, " + HEDGE, first=(first.url, ""), second=(second.url, ""))) as gateway:
            status, headers, _ = gateway.chat()
            assert status == 200
            assert attempts(gateway, headers)[:2] == [("first/m", "upstream_status"), ("second/m", "upstream_status")]
            assert len(attempts(gateway, headers)) == 3 and "retry 1 after upstream_status" in headers["x-tollgate-reason"]


def test_what_the_first_target_refuses_for_good_ends_the_race():
    with FailingUpstream([slow(0.3, refusal(400))]) as first, FailingUpstream(delay=2) as second:
        with Gateway(fleet_of(route="choose: first, " + HEDGE, first=(first.url, ""), second=(second.url, ""))) as gateway:
            began = time.monotonic()
            status, headers, _ = gateway.chat()
            assert status == 400 and time.monotonic() - began < 1
            assert attempts(gateway, headers) == [("first/m", "upstream_refused"), ("second/m", "hedge_lost")]


def test_an_answer_that_cannot_be_read_does_not_win():
    with FailingUpstream(delay=0.5) as first, FailingUpstream(then={"status": 200, "headers": {}, "body": ["no", "answer"]}) as second:
        with Gateway(fleet_of(route="choose: first, " + HEDGE, first=(first.url, ""), second=(second.url, ""))) as gateway:
            status, headers, _ = gateway.chat()
            assert status == 200 and attempts(gateway, headers) == [("first/m", "ok"), ("second/m", "upstream_garbage")]


def test_hedges_count_as_attempts():
    with FailingUpstream([slow(0.3, refusal(500))]) as first, FailingUpstream(then=refusal(500)) as second, FailingUpstream() as third:
        places = dict(first=(first.url, ""), second=(second.url, ""), third=(third.url, ""))
        with Gateway(fleet_of(route="choose: first, " + HEDGE, attempts_max=2, **places)) as gateway:
            status, headers, _ = gateway.chat()
            assert status == 502 and len(attempts(gateway, headers)) == 2 and not third.seen


# -- who leaves, and when the time is up ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_client_that_leaves_cuts_both_off(stream):
    with Gateway(config(first=1, second=1)) as gateway:
        with Wire(gateway.port) as wire:
            wire.post(chat_body("Hello there, how are you?", model="auto", stream=stream))
            wait_until(lambda: json.loads(gateway.request("GET", "/load", port=gateway.simulated["second"])[2]) and
                       total(gateway.metrics().get("tollgate_requests_in_flight", {})) == 1, 5, "the request")
            time.sleep(0.5)
        rows = wait_until(lambda: gateway.rows("SELECT target, result FROM attempts ORDER BY number"), 5, "the ledger")
        assert [(r["target"], r["result"]) for r in rows] == [("first/m", "client_gone"), ("second/m", "client_gone")]
        for name in ("first", "second"):
            wait_until(lambda: [r for r in gateway.engine_requests(name) if r["aborted_at"]], 5, f"{name} to be cut off")
        assert total(gateway.metrics().get("tollgate_hedges_total", {}), result="cut_short") == 1
        assert total(gateway.metrics()["tollgate_breaker_state"]) == 0


def test_the_total_deadline_ends_both():
    text = config(first=1, second=1).replace("    models: {m", "    timeouts: {total_seconds: 0.6}\n    models: {m")
    with Gateway(text) as gateway:
        began = time.monotonic()
        status, headers, _ = ask(gateway)
        assert status == 504 and time.monotonic() - began < 2
        assert attempts(gateway, headers) == [("first/m", "upstream_timeout"), ("second/m", "upstream_timeout")]


def test_long_silence_is_broken_by_comments_as_ever():
    text = config(first=4, second=4).replace('reactors: 1}', 'reactors: 1, keepalive_comment_seconds: 0.3}')
    with Gateway(text) as gateway:
        status, headers, body = ask(gateway, stream=True)
        assert status == 200 and body.count(b": keep-alive") >= 2 and body.index(b": keep-alive") == 0 and b"[DONE]" in body
        rows = attempts(gateway, headers)
        assert sorted(result for _, result in rows) == ["hedge_lost", "ok"]
        assert (headers["x-tollgate-target"], "ok") in rows, "who is named in the head is who answers"


# -- where none is made ---------------------------------------------------------------------------------------------------------------

def expect_no_hedge(gateway, headers=None, reason="no_target", **members):
    status, said, _ = ask(gateway, headers=headers, **members)
    assert status == 200 and attempts(gateway, said) == [("first/m", "ok")], said["x-tollgate-reason"]
    assert not gateway.engine_requests("second")
    assert total(gateway.metrics().get("tollgate_hedges_left_out_total", {}), reason=reason) == 1


def test_a_constraint_holds_for_hedges():
    rule = 'constraints:\n  - {name: home, when: {header: {x-data-class: phi}}, require: {trust: internal}}\n'
    third = config(first=40, more=rule).replace("among: [first/m, second/m]", "among: [first/m, second/m]")
    with Gateway(third) as gateway:
        # With one target left there is nobody to hedge at: the plan has one step.
        status, said, _ = ask(gateway, headers={"x-data-class": "phi"})
        assert status == 200 and attempts(gateway, said) == [("first/m", "ok")] and not gateway.engine_requests("second")


def test_a_masking_constraint_masks_each_as_it_must():
    rule = "constraints:\n  - {name: masked, when: {pii: [email]}, action: mask, restore: true, require: {trust: internal}}\n"
    with FailingUpstream(delay=1.5) as first, FailingUpstream() as second:
        text = fleet_of(route="choose: first, " + HEDGE, top=rule, first=(first.url, "trust: internal"), second=(second.url, "trust: external"))
        with Gateway(text) as gateway:
            status, headers, _ = gateway.chat("write to jane.doe@firma.example")
            assert status == 200 and attempts(gateway, headers) == [("first/m", "hedge_lost"), ("second/m", "ok")]
            assert "jane.doe@firma.example" in json.dumps(first.seen[0][2]) and "jane.doe" not in json.dumps(second.seen[0][2])
            assert headers["x-tollgate-masked"] == "1"


def test_a_budget_for_both_is_held_or_no_second_attempt_is_made():
    # Each attempt may cost up to 100 tokens at $15 per million and its prompt: one fits, two do not.
    budget = 'budgets:\n  - {name: all, limit_usd: "0.0028", per: day}\n'
    with Gateway(config(first=40, top=budget)) as gateway:
        expect_no_hedge(gateway, max_tokens=100)
        assert total(gateway.metrics()["tollgate_budget_reserved_usd"]) == 0


def test_the_clients_own_bound_on_cost_holds_for_both_together():
    with Gateway(config(first=40)) as gateway:
        expect_no_hedge(gateway, headers={"x-tollgate-max-cost-usd": "0.0028"}, max_tokens=100)


def test_a_drained_backend_gets_no_hedges():
    with Gateway(config(first=40)) as gateway:
        gateway.admin("/admin/v1/backends/second/drain", method="POST")
        status, said, _ = ask(gateway)
        assert status == 200 and attempts(gateway, said) == [("first/m", "ok")] and not gateway.engine_requests("second")


def test_hedges_are_at_most_their_share_of_the_requests():
    hedge = HEDGE.replace("share_max: 1", "share_max: 0.1")
    with Gateway(config(first=45, hedge=hedge)) as gateway:
        requests = 40
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: ask(gateway), range(requests)))
        assert all(status == 200 for status, _, _ in answers)
        metrics = gateway.metrics()
        made = total(metrics.get("tollgate_hedges_total", {}))
        assert 1 <= made <= 1 + requests // 10
        assert total(metrics.get("tollgate_hedges_left_out_total", {}), reason="no_share") >= 20


def test_what_is_slow_is_learned_from_what_was_served():
    hedge = "hedge: {after_seconds_min: 0.05, unlearned_after_seconds: 9, share_max: 1}"
    slow_one = threading.Event()

    def late(*_):
        if slow_one.is_set():
            time.sleep(2)
        return None

    with FailingUpstream(then=late) as first, FailingUpstream() as second:
        with Gateway(fleet_of(route="choose: first, " + hedge, first=(first.url, ""), second=(second.url, ""))) as gateway:
            for _ in range(20):
                gateway.chat(stream=True)
            assert not second.seen
            slow_one.set()
            status, headers, _ = gateway.chat(stream=True)
            assert status == 200 and headers["x-tollgate-target"] == "second/m"
            waited = int(headers["x-tollgate-reason"].split("after ")[1].split(" ms")[0])
            assert 50 <= waited < 1000, "the 95th percentile, not the time for what is not known"
            status, headers, _ = gateway.chat()
            assert headers["x-tollgate-target"] == "first/m", "whole answers are learned apart from streams"
            known = gateway.metrics()["tollgate_first_answer_seconds"]
            assert 0 < total(known, target="first/m", answers="stream") < 1


def test_a_hedge_does_not_move_a_conversation():
    hedge = HEDGE + ", sticky: true"
    text = config(hedge=hedge).replace("choose: first", "choose: cheapest")
    with Gateway(text) as gateway:
        headers = {"x-tollgate-session": "one"}
        _, said, _ = ask(gateway, headers=headers)
        first = said["x-tollgate-target"]
        assert first == "second/m"      # the conversation begins where the answer came from
        _, said, _ = ask(gateway, headers=headers)
        assert said["x-tollgate-target"] in ("first/m", "second/m")


# -- what tells of it -----------------------------------------------------------------------------------------------------------------

def test_explain_says_what_would_be_hedged():
    with Gateway(config()) as gateway:
        said = subprocess.run([PROGRAM, "explain", "--config", gateway.config_path, "--model", "auto", "Hello"], capture_output=True, text=True, check=False)
        assert "hedge at second/m after the 95th percentile of first/m (100 ms to 10000 ms)" in said.stdout, said.stdout + said.stderr


def test_prove_lists_a_hedge_as_any_attempt():
    rule = "constraints:\n  - {name: watched, when: {header: {x-class: a}}, require: {trust: [internal]}}\n"
    both = config(more=rule).replace("trust: external", "trust: internal").replace("[internal]", "internal")
    with Gateway(both) as gateway:
        _, headers, _ = ask(gateway, headers={"x-class": "a"})
        assert len(attempts(gateway, headers)) == 2
        said = subprocess.run([PROGRAM, "prove", "--constraint", "watched", "--ledger", gateway.ledger_path, "--json"], capture_output=True, text=True, check=False)
        assert said.returncode == 0 and said.stdout.count('"first/m"') == 1 and said.stdout.count('"second/m"') == 1, said.stdout + said.stderr


def test_the_live_page_shows_both_attempts():
    with Gateway(config()) as gateway:
        ask(gateway)
        def seen():
            decisions = json.loads(gateway.admin("/admin/v1/decisions")[1])["decisions"]
            return decisions if decisions else None
        (decision,) = wait_until(seen, 5, "the decision")
        shown = gateway.admin(f"/admin/v1/decisions/{decision['id']}")[1]
        assert "hedged: first/m" in shown and "hedge_lost" in shown and json.loads(shown)


# -- kill -9 --------------------------------------------------------------------------------------------------------------------------

def test_a_kill_with_two_attempts_open_loses_nothing_and_doubles_nothing():
    with Gateway(config(first=1, second=1)) as gateway:
        with Wire(gateway.port) as whole, Wire(gateway.port) as streamed:
            whole.post(chat_body("Hello there, how are you?", model="auto"))
            streamed.post(chat_body("Hello there, how are you?", model="auto", stream=True))
            time.sleep(0.6)                 # both have their second attempt by now
            gateway.process.send_signal(signal.SIGKILL)
            gateway.process.wait()
        gateway.start()
        rows = wait_until(lambda: gateway.rows("SELECT request, target, result FROM attempts ORDER BY request, number"), 5, "the rows")
        assert [(r["target"], r["result"]) for r in rows] == [("first/m", "internal"), ("second/m", "internal")] * 2
        assert gateway.rows("SELECT count(*) AS n, sum(recovered) AS r FROM requests") == [{"n": 2, "r": 2}]
        assert not list(gateway.path.glob("*.damaged-*"))
        _, headers, _ = ask(gateway, stream=True, messages=[{"role": "user", "content": "x"}])
        assert len(attempts(gateway, headers)) == 2, "and it goes on"


# -- serverless pools -------------------------------------------------------------------------------------------------------------------

def test_a_hedge_wakes_no_serverless_pool_and_goes_to_one_that_is_up():
    pool = "pool: {billing: serverless, gpu: H100, gpus: 1, usd_per_gpu_second: \"0.001\", cold_start_seconds: 0.05, idle_timeout_seconds: 600, workers_max: 1, requests_per_worker: 8}"
    text = config().replace("  second:\n    dialect: openai\n", f"  second:\n    dialect: vllm\n    {pool}\n").replace(f"simulated: {engine(100000)}\n    models: {{m: {{context_tokens: 100000, prices: {PRICES}}}}}",
                                                                                                                f"simulated: {engine(100000)}\n    models: {{m: {{context_tokens: 100000}}}}")
    assert "serverless" in text
    with Gateway(text) as gateway:
        status, headers, _ = ask(gateway)
        assert (status, headers["x-tollgate-target"]) == (200, "first/m"), "its worker would have to start"
        assert total(gateway.metrics()["tollgate_hedges_left_out_total"], route="auto", reason="no_target") == 1
        assert ask(gateway, model="second/m")[0] == 200, "asked for by name: it starts"
        wait_until(lambda: ask(gateway)[1]["x-tollgate-target"] == "second/m", what="a hedge to the worker that is up")
