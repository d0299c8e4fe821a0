"""Providers' rate limits, several keys of one provider, and requests that a target will not have for what they hold."""

import json
import time

import pytest

from failing_upstream import FailingUpstream, refusal
from gateway import Gateway, total
from small_fleet import attempts, config


def test_a_429_sends_the_next_request_elsewhere_until_its_time_is_over():
    with FailingUpstream([refusal(429, {"retry-after": "2"})]) as limited, FailingUpstream() as second:
        with Gateway(config(limited=(limited.url, ""), second=(second.url, ""))) as gateway:
            _, headers, _ = gateway.chat()
            assert attempts(gateway, headers) == [("limited/m", "upstream_busy"), ("second/m", "ok")]
            _, headers, _ = gateway.chat()
            assert attempts(gateway, headers) == [("second/m", "ok")] and len(limited.seen) == 1
            assert "limited/m: rate_limited for" in headers["x-tollgate-reason"]
            ready = json.loads(gateway.admin("/readyz")[1])
            assert {t["target"]: t["state"] for t in ready["targets"]} == {"limited/m": "rate_limited", "second/m": "up"}
            assert 0 < total(gateway.metrics()["tollgate_target_rate_limited_seconds"], target="limited/m") <= 2
            time.sleep(2)
            _, headers, _ = gateway.chat()
            assert headers["x-tollgate-target"] == "limited/m"


@pytest.mark.parametrize("headers", [
    {"x-ratelimit-limit-requests": "1", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "30s"},
    {"anthropic-ratelimit-requests-limit": "1", "anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2099-01-01T00:00:00Z"},
    {"x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": "2", "x-ratelimit-reset-tokens": "1m0s"},
])
def test_what_answers_say_is_left_is_heeded_before_the_provider_refuses(headers):
    with FailingUpstream(headers=headers) as limited, FailingUpstream() as second:
        with Gateway(config(limited=(limited.url, ""), second=(second.url, ""))) as gateway:
            assert gateway.chat()[1]["x-tollgate-target"] == "limited/m"
            assert gateway.chat("word " * 100)[1]["x-tollgate-target"] == "second/m"
            assert len(limited.seen) == 1


def test_the_last_target_is_waited_for_if_that_is_short_and_else_refused_without_asking():
    with FailingUpstream([refusal(429, {"retry-after": "1"})]) as limited:
        with Gateway(config(limited=(limited.url, ""))) as gateway:
            gateway.chat()                                   # waits for the retry, and is served
            assert len(limited.seen) == 2
            limited.script = [refusal(429, {"retry-after": "20"})]
            assert gateway.chat()[0] == 429
            began = time.monotonic()
            status, headers, body = gateway.chat()
            assert status == 429 and time.monotonic() - began < 1 and len(limited.seen) == 3
            assert 18 <= int(headers["retry-after"]) <= 20 and "the provider's rate limit for limited/m is used up" in json.loads(body)["error"]["message"]


def by_key(answers):
    """An upstream that answers by the key it was asked with."""
    def answer(_, headers):
        return answers.get(headers.get("authorization", "").removeprefix("Bearer "))
    return answer


KEYS = "api_keys: [sk-one, sk-two, sk-three]"


def test_keys_are_taken_in_turn():
    with FailingUpstream() as upstream, Gateway(config(one=(upstream.url, KEYS))) as gateway:
        for _ in range(30):
            assert gateway.chat()[0] == 200
        assert set(upstream.keys) == {"sk-one", "sk-two", "sk-three"}


@pytest.mark.parametrize("status, result", [(401, "upstream_credentials"), (403, "upstream_credentials"), (429, "upstream_busy")])
def test_a_key_that_is_refused_does_not_condemn_the_others(status, result):
    answer = by_key({"sk-two": refusal(status, {"retry-after": "60"} if status == 429 else None)})
    with FailingUpstream(then=answer) as upstream, Gateway(config(one=(upstream.url, KEYS))) as gateway:
        for _ in range(30):
            code, headers, _ = gateway.chat()
            assert code == 200
            rows = attempts(gateway, headers)
            assert rows in ([("one/m", "ok")], [("one/m", result), ("one/m", "ok")])
        assert upstream.keys.count("sk-two") == 1, "it rests"
        assert total(gateway.metrics()["tollgate_retries_total"], reason="key") == 1
        backends = json.loads(gateway.admin("/admin/v1/backends")[1])["backends"]
        assert [key["key"][:2] for key in backends[0]["keys"]] == ["1 ", "2 ", "3 "]
        if status != 429:
            assert [key["usable"] for key in backends[0]["keys"]] == [True, False, True]
            assert total(gateway.metrics()["tollgate_upstream_key_refusals_total"], backend="one", key="2") == 1
        everything = gateway.log() + gateway.admin("/admin/v1/backends")[1] + gateway.admin("/metrics")[1] + gateway.admin("/readyz")[1]
        assert not any(key in everything for key in ("sk-one", "sk-two", "sk-three"))
        assert total(gateway.metrics()["tollgate_breaker_state"]) == 0


def test_when_every_key_is_used_up_the_next_target_is_asked():
    with FailingUpstream(then=refusal(429, {"retry-after": "60"})) as upstream, FailingUpstream() as second:
        with Gateway(config(one=(upstream.url, KEYS), second=(second.url, ""))) as gateway:
            _, headers, _ = gateway.chat()
            assert attempts(gateway, headers) == [("one/m", "upstream_busy")] * 3 + [("second/m", "ok")]
            assert sorted(upstream.keys) == ["sk-one", "sk-three", "sk-two"]
            _, headers, _ = gateway.chat()
            assert attempts(gateway, headers) == [("second/m", "ok")]


TOO_LONG = refusal(400, code="context_length_exceeded", message="This model's maximum context length is 1000 tokens.")
FILTERED = refusal(400, code="content_filter", message="filtered")


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_too_long_goes_to_targets_with_a_longer_context_only(stream):
    with FailingUpstream(then=TOO_LONG) as small, FailingUpstream() as same, FailingUpstream() as large:
        fleet = config(small=(small.url, ""), same=(same.url, ""), large=(large.url, ""), contexts={"small": 1000, "same": 1000, "large": 100000})
        with Gateway(fleet) as gateway:
            for _ in range(7):
                status, headers, _ = gateway.chat(stream=stream)
                assert status == 200
                assert attempts(gateway, headers) == [("small/m", "upstream_refused"), ("large/m", "ok")]
            assert not same.seen and total(gateway.metrics()["tollgate_breaker_state"]) == 0
            assert total(gateway.metrics()["tollgate_content_fallbacks_total"], target="small/m", reason="context_length") == 7


def test_without_a_longer_context_the_client_is_told():
    with FailingUpstream(then=TOO_LONG) as small, FailingUpstream() as same:
        with Gateway(config(small=(small.url, ""), same=(same.url, ""))) as gateway:
            status, _, body = gateway.chat()
            assert status == 400 and json.loads(body)["error"]["code"] == "context_length_exceeded" and not same.seen


def test_a_content_filter_sends_a_request_elsewhere_only_if_the_route_says_so():
    with FailingUpstream(then=FILTERED) as strict, FailingUpstream() as second:
        with Gateway(config(strict=(strict.url, ""), second=(second.url, ""))) as gateway:
            status, _, body = gateway.chat()
            assert status == 400 and json.loads(body)["error"]["code"] == "content_filter" and not second.seen
        with Gateway(config(route="choose: first, on_content_filter: next_target", strict=(strict.url, ""), second=(second.url, ""))) as gateway:
            status, headers, _ = gateway.chat()
            assert status == 200 and attempts(gateway, headers) == [("strict/m", "upstream_refused"), ("second/m", "ok")]


@pytest.mark.parametrize("status, reason", [(404, "model_unknown"), (413, "too_large")])
def test_what_only_this_backend_cannot_take_goes_to_another(status, reason):
    with FailingUpstream(then=refusal(status)) as wrong, FailingUpstream() as second:
        with Gateway(config(wrong=(wrong.url, ""), second=(second.url, ""))) as gateway:
            code, headers, _ = gateway.chat()
            assert code == 200 and attempts(gateway, headers) == [("wrong/m", "upstream_refused"), ("second/m", "ok")]
            assert total(gateway.metrics()["tollgate_content_fallbacks_total"], target="wrong/m", reason=reason) == 1
            assert gateway.chat(model="wrong/m")[0] == (502 if status == 404 else status)
