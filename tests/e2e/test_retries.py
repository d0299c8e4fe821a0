"""Attempts made again: which failures, after which wait, never past the deadline, never after the first byte, each one in the ledger."""

import email.utils
import time

import pytest

from failing_upstream import FailingUpstream, refusal
from gateway import Gateway, total, wait_until
from small_fleet import attempts, config, waits

@pytest.mark.parametrize("failure, name", [(refusal(503), "upstream_busy"), (refusal(500), "upstream_status"), ("reset", "upstream_broke_off"),
                                           (refusal(425), "upstream_busy"), (refusal(409), "upstream_busy")])
@pytest.mark.parametrize("stream", [False, True])
def test_a_lone_target_is_asked_again_and_every_attempt_is_in_the_ledger(failure, name, stream):
    with FailingUpstream([failure]) as upstream, Gateway(config(one=(upstream.url, ""))) as gateway:
        status, headers, body = gateway.chat(stream=stream)
        assert status == 200 and (b"[DONE]" in body) == stream
        assert attempts(gateway, headers) == [("one/m", name), ("one/m", "ok")]
        assert "retry 1 after " + name in headers["x-tollgate-reason"]
        assert 0.12 <= waits(upstream)[0] < 2
        assert total(gateway.metrics()["tollgate_retries_total"], target="one/m") == 1


def test_retries_end_and_the_last_failure_is_told():
    with FailingUpstream(then=refusal(500)) as upstream, Gateway(config(one=(upstream.url, ""))) as gateway:
        status, headers, _ = gateway.chat()
        assert status == 502 and headers["x-should-retry"] == "false"
        assert attempts(gateway, headers) == [("one/m", "upstream_status")] * 3
        first, second = waits(upstream)
        assert 0.12 <= first and 0.25 <= second


def test_another_target_is_asked_at_once_and_the_first_one_again_only_when_all_have_failed():
    with FailingUpstream(then=refusal(503)) as bad, FailingUpstream([refusal(503)]) as second:
        with Gateway(config(bad=(bad.url, "retry: {first_wait_seconds: 1, wait_seconds_max: 2}"), second=(second.url, ""))) as gateway:
            began = time.monotonic()
            status, headers, _ = gateway.chat()
            assert status == 200 and time.monotonic() - began < 1
            assert attempts(gateway, headers) == [("bad/m", "upstream_busy"), ("second/m", "upstream_busy"), ("second/m", "ok")]


def test_a_route_may_prefer_the_same_target():
    with FailingUpstream([refusal(500)]) as upstream, FailingUpstream() as second:
        with Gateway(config(route="choose: first, retry: {prefer: same_target}", one=(upstream.url, ""), second=(second.url, ""))) as gateway:
            _, headers, _ = gateway.chat()
            assert attempts(gateway, headers) == [("one/m", "upstream_status"), ("one/m", "ok")] and not second.seen


@pytest.mark.parametrize("header", [{"retry-after": "1"}, {"retry-after-ms": "1000"},
                                    lambda: {"retry-after": email.utils.formatdate(time.time() + 2, usegmt=True)}])
def test_retry_after_is_waited_for(header):
    said = header() if callable(header) else header
    with FailingUpstream([refusal(429, said)]) as upstream, Gateway(config(one=(upstream.url, ""))) as gateway:
        if callable(header):
            upstream.script[0]["headers"] = header()
        assert gateway.chat()[0] == 200
        assert 0.95 <= waits(upstream)[0] < 3


def test_who_asks_for_a_longer_wait_than_the_rules_allow_is_not_asked_again():
    with FailingUpstream(then=refusal(429, {"retry-after": "30"})) as upstream, Gateway(config(one=(upstream.url, ""))) as gateway:
        began = time.monotonic()
        status, headers, _ = gateway.chat()
        assert status == 429 and 29 <= int(headers["retry-after"]) <= 30 and time.monotonic() - began < 2 and len(upstream.seen) == 1


def test_no_retry_past_the_deadline():
    with FailingUpstream(then=refusal(429, {"retry-after": "2"})) as upstream:
        with Gateway(config(one=(upstream.url, "timeouts: {total_seconds: 1.5}"))) as gateway:
            began = time.monotonic()
            assert gateway.chat()[0] == 429
            assert time.monotonic() - began < 1.5 and len(upstream.seen) == 1


def test_what_is_the_requests_own_fault_is_not_sent_again():
    with FailingUpstream(then=refusal(400)) as upstream, Gateway(config(one=(upstream.url, ""))) as gateway:
        assert gateway.chat()[0] == 400 and len(upstream.seen) == 1


def test_retries_can_be_switched_off_and_chosen():
    with FailingUpstream(then=refusal(500)) as upstream:
        with Gateway(config(one=(upstream.url, "retry: {retries: 0}"))) as gateway:
            assert gateway.chat()[0] == 502 and len(upstream.seen) == 1
        with Gateway(config(one=(upstream.url, "retry: {on: busy}"))) as gateway:
            assert gateway.chat()[0] == 502 and len(upstream.seen) == 2


def test_a_client_that_leaves_during_the_wait_is_not_retried_for():
    with FailingUpstream(then=refusal(503, {"retry-after": "1"})) as upstream, Gateway(config(one=(upstream.url, ""))) as gateway:
        try:
            gateway.request("POST", "/v1/chat/completions", {"model": "auto", "messages": [{"role": "user", "content": "x"}]}, timeout=0.3)
        except TimeoutError:
            pass
        time.sleep(1.5)
        assert len(upstream.seen) == 1
        (row,) = wait_until(lambda: gateway.rows("SELECT result FROM requests"), 5, "the request in the ledger")
        assert row["result"] == "client_gone"


def test_a_dead_provider_costs_at_most_one_failed_attempt_per_breaker_window():
    with FailingUpstream(then="reset") as dead, FailingUpstream() as good:
        rules = "breaker: {failures: 1, open_seconds: 0.5, open_seconds_max: 0.5}"
        with Gateway(config(dead=(dead.url, rules), good=(good.url, ""))) as gateway:
            began = time.monotonic()
            while time.monotonic() - began < 3:
                status, headers, _ = gateway.chat()
                assert status == 200 and headers["x-tollgate-target"] == "good/m"
            windows = (time.monotonic() - began) / 0.5
            assert 2 <= len(dead.seen) <= windows + 1
            assert all(wait >= 0.49 for wait in waits(dead))
            assert len(good.seen) > 3 * len(dead.seen)
