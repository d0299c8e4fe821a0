"""Providers that say what an answer cost are charged that, and the prices are held against it (pitfall 32)."""

import json
from decimal import Decimal

import pytest
from gateway import CONFIG, total
from wire import Wire, chat_body

PRICES = 'prices: {input_usd_per_million_tokens: "1", output_usd_per_million_tokens: "2"}'
GATEWAY_CONFIG = CONFIG.replace("backends:\n", f"""backends:
  router:
    dialect: openrouter
    simulated: {{seed: 5, decode_tokens_per_second: 2000, decode_tokens_per_second_total: 100000, prefill_tokens_per_second: 200000}}
    models: {{m: {{{PRICES}}}, bare: {{}}}}
  grok:
    dialect: xai
    simulated: {{seed: 6, decode_tokens_per_second: 2000, decode_tokens_per_second_total: 100000, prefill_tokens_per_second: 200000}}
    models: {{m: {{{PRICES}}}}}
  plain:
    dialect: openai
    simulated: {{seed: 7, decode_tokens_per_second: 2000, decode_tokens_per_second_total: 100000, prefill_tokens_per_second: 200000}}
    models: {{m: {{{PRICES}}}}}
""", 1)

SAID = {"router/m": ('"cost": 0.0125', "0.0125"), "router/bare": ('"cost": 4.45e-06, "is_byok": false', "0.00000445"),
        "grok/m": ('"cost_in_usd_ticks": 37756000', "0.0037756")}


def charged(gateway, model, said, stream, **more):
    status, headers, body = gateway.chat(f"[[sim-tokens: 10]] [[sim-usage: {said}]]", model=model, stream=stream, **more)
    assert status == 200
    (attempt,) = gateway.wait_for_row(headers["x-tollgate-request-id"])
    return attempt, headers, body


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", SAID)
def test_what_the_provider_says_is_the_charge(gateway, model, stream):
    usage, expected = SAID[model]
    attempt, headers, _ = charged(gateway, model, usage, stream)
    assert Decimal(attempt["usd"]) == Decimal(expected)
    assert (attempt["usage_source"], attempt["output"]) == ("exact", 10)
    if not stream:
        assert headers["x-tollgate-cost-usd"] == expected


def test_the_client_is_told_the_same(gateway):
    _, _, body = charged(gateway, "router/m", '"cost": 0.0125', False, usage={"include": True})
    assert json.loads(body, parse_float=Decimal)["usage"]["cost"] == Decimal("0.0125")


def test_with_a_key_of_ones_own_both_bills_count(gateway):
    usage = '"cost": 0.0005, "is_byok": true, "cost_details": {"upstream_inference_cost": 0.01}'
    assert Decimal(charged(gateway, "router/m", usage, False)[0]["usd"]) == Decimal("0.0105")


@pytest.mark.parametrize("usage", ['"cost": -1', '"cost": null', '"cost": 0, "is_byok": true'])
def test_without_a_usable_word_the_prices_stand(gateway, usage):
    attempt, _, _ = charged(gateway, "router/m", usage, False)
    assert Decimal(attempt["usd"]) == (Decimal(attempt["input"]) + 2 * Decimal(attempt["output"])) / 10**6


def test_who_is_not_known_to_say_what_it_billed_is_not_believed(gateway):
    attempt, _, _ = charged(gateway, "plain/m", '"cost": 0', False)
    assert Decimal(attempt["usd"]) == (Decimal(attempt["input"]) + 2 * Decimal(attempt["output"])) / 10**6 > 0


def test_a_stream_that_breaks_off_costs_what_the_prices_say(gateway):
    with Wire(gateway.port) as wire:
        wire.post(chat_body("[[sim-tokens: 50]] [[sim-usage: \"cost\": 5]] [[sim-fault: cut-bytes=2500]]", model="router/m", stream=True))
        answer = wire.answer()
    (attempt,) = gateway.wait_for_row(answer.headers["x-tollgate-request-id"])
    assert attempt["result"] == "upstream_broke_off" and 0 < Decimal(attempt["usd"]) < Decimal("0.001")


def test_the_prices_are_held_against_what_was_said(gateway):
    before = gateway.metrics()
    attempt, _, _ = charged(gateway, "router/m", '"cost": 0.5', False)
    charged(gateway, "router/bare", '"cost": 0.5', False)      # nothing to hold it against
    after = gateway.metrics()

    def grown(name, **labels):
        return total(after[name], **labels) - total(before.get(name, {}), **labels)

    assert grown("tollgate_reported_spend_usd_total", target="router/m") == Decimal("0.5")
    by_prices = (Decimal(attempt["input"]) + 2 * Decimal(attempt["output"])) / 10**6
    assert grown("tollgate_reported_spend_by_prices_usd_total", target="router/m") == by_prices
    assert total(after["tollgate_reported_spend_usd_total"], target="router/bare") == 0
