"""The fault matrix: what every fault of an upstream looks like to the client and in the ledger, for each dialect, whole and as a stream, by
both transports; that another target takes over where nothing was answered yet; and that nothing leaks or hangs."""

import collections
import concurrent.futures
import json
import pathlib
import time

import pytest
from bad_upstream import BadUpstream
from gateway import Gateway, wait_until
from upstream_dialects import ANSWER, DIALECTS
from upstream_faults import FAULTS, SECRET, STATUSES
from wire import Wire, chat_body

TRANSPORTS = {"native": "auto", "curl": "curl"}
TLS = ["good", "unknown-ca", "expired", "other-host", "speaks-plain", "silent", "resets", "garbage"]
PRICES = '{input_usd_per_million_tokens: "3", output_usd_per_million_tokens: "15"}'
LIMITS = "{connect_seconds: 0.6, first_byte_seconds: 0.6, silence_seconds: 0.6, total_seconds: 10}"
PATIENT = "{connect_seconds: 30, first_byte_seconds: 30, silence_seconds: 30}"    # where nothing is to be waited for in vain
DEADLINE = 12    # seconds: no case may take longer, but for the 70 MB of a huge event on a busy machine


def model(name, fault):
    return f"      {name}: {{upstream: {fault}, context_tokens: 100000, prices: {PRICES}}}\n"


def backend(name, dialect, url, transport, models, limits=LIMITS):
    aws = "    aws: {region: eu-central-1}\n" if dialect == "bedrock" else ""
    return (f"  {name}:\n    dialect: {dialect}\n    url: {url}\n    api_key: {SECRET}\n{aws}    transport: {transport}\n    timeouts: {limits}\n    retry: {{retries: 0}}\n    breaker: {{unreachable_failures: 1000}}\n    models:\n"
            + "".join(model(*one) for one in models))


def names(fault, dialect, transport):
    """The model that meets the fault, and the route that has another target behind it."""
    if transport == "tls":
        return f"{dialect}-{fault}/m", f"fallback-{dialect}-{fault}"
    place = f"{dialect}-{transport}"
    own = fault in ("refused", "deaf", "huge-event")
    return (f"{place}-{fault}/m" if own else f"{place}/{fault}"), f"fallback-{place}-{fault}"


def config(upstream):
    plain = f"http://127.0.0.1:{upstream.port}"
    text = ['version: 1\nserver: {listen: "127.0.0.1:0", reactors: 1}\nadmin: {listen: "127.0.0.1:0"}\nledger: {url: "sqlite:LEDGER"}\nbackends:\n']
    routes = []
    for dialect in DIALECTS:
        prefix = "/v1" if dialect == "openai" else ""
        for transport, key in TRANSPORTS.items():
            name = f"{dialect}-{transport}"
            text.append(backend(name, dialect, plain + prefix, key, [(fault, fault) for fault in FAULTS]))
            text.append(backend(f"{name}-refused", dialect, f"http://127.0.0.1:{upstream.closed_port}{prefix}", key, [("m", "ok")]))
            text.append(backend(f"{name}-deaf", dialect, f"http://127.0.0.1:{upstream.full_port}{prefix}", key, [("m", "ok")]))
            text.append(backend(f"{name}-huge-event", dialect, plain + prefix, key, [("m", "huge-event")], PATIENT))    # 70 MB take their time
            places = [(fault, names(fault, dialect, transport)[0]) for fault in [*FAULTS, "refused", "deaf"]]
            routes += [(f"{name}-{fault}", target, f"{dialect}-{transport}/ok") for fault, target in places]
        for kind in TLS:
            text.append(backend(f"{dialect}-tls-{kind}", dialect, f"https://127.0.0.1:{upstream.tls[kind]}{prefix}", "auto", [("m", "ok")],
                                PATIENT if kind == "good" else LIMITS))
            routes.append((f"{dialect}-tls-{kind}", f"{dialect}-tls-{kind}/m", f"{dialect}-native/ok"))
    text.append("routes:\n")
    text += [f"  - {{name: {name}, when: {{model: fallback-{name}}}, choose: first, among: [{target}, {good}]}}\n" for name, target, good in routes]
    return "".join(text)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with BadUpstream(tmp_path_factory.mktemp("upstream")) as upstream:
        with Gateway(config(upstream), environment={"SSL_CERT_FILE": upstream.ca}) as gateway:
            gateway.upstream = upstream
            yield gateway


class Seen:
    """What the client saw of one request."""

    def __init__(self, gateway, model, stream):
        began = time.monotonic()
        with Wire(gateway.port, timeout=60) as wire:
            wire.post(chat_body("Say something.", model=model, **({"stream": True, "stream_options": {"include_usage": True}} if stream else {})))
            answer = wire.answer()
        self.seconds = time.monotonic() - began
        self.status, self.headers, self.body = answer.status, answer.headers, answer.body
        self.text, self.usage, self.error, self.done = "", None, None, False
        self.streamed = "text/event-stream" in answer.headers["content-type"]
        if self.streamed:
            self.read_events()
        else:
            self.read_whole()

    def read_whole(self):
        value = json.loads(self.body)
        self.error = value.get("error")
        if self.status == 200:
            self.text, self.usage, self.done = value["choices"][0]["message"]["content"], value.get("usage"), True

    def read_events(self):
        text = self.body.decode("utf-8")           # no half characters, wherever it was cut
        assert text.replace("\r\n", "\n").endswith("\n\n"), "the stream ends within an event"
        for event in text.replace("\r\n", "\n").split("\n\n"):
            data = "\n".join(line[5:].lstrip(" ") for line in event.split("\n") if line.startswith("data:"))
            if not data:
                continue
            assert not self.done and not self.error, f"something follows the end: {data[:200]}"
            if data == "[DONE]":
                self.done = True
                continue
            value = json.loads(data)
            self.error = value.get("error")
            self.usage = value.get("usage") or self.usage
            for choice in value.get("choices", []):
                self.text += choice["delta"].get("content") or ""


# -- what is to be seen ---------------------------------------------------------------------------------------------------------------
# (status, the ledger's result, pricing) of an answer that failed before anything of it was passed on. A fault that two transports
# tell apart differently has two results.

BROKE_OFF, TIMEOUT, GARBAGE = {"upstream_broke_off"}, {"upstream_timeout"}, {"upstream_garbage"}
UNREACHABLE, ERROR = (502, {"upstream_unreachable"}, "not_billed"), (502, {"upstream_status"}, "not_billed")

WHOLE = {
    **dict.fromkeys(["reset-before-head", "close-before-head", "endless-informational", "reset-after-head", "close-after-head", "cut-within-body",
                     "reset-within-body", "no-end-mark"], (502, BROKE_OFF, "unpriced")),
    **dict.fromkeys(["close-within-head", "huge-head", "bad-chunk-size"], (502, BROKE_OFF | GARBAGE, "unpriced")),
    **dict.fromkeys(["stall-before-head", "stall-within-head", "stall-after-head", "stall-within-body"], (504, TIMEOUT, "unpriced")),
    **dict.fromkeys(["no-http", "empty-body", "html-page", "garbage-bytes", "wrong-shape", "ends-within-body", "huge-event"], (502, GARBAGE, "unpriced")),
    **dict.fromkeys(["html-page-502", "error-at-once", "error-in-the-middle"], ERROR),
    **dict.fromkeys(["refused", "deaf", *(f"tls-{kind}" for kind in TLS if kind != "good")], UNREACHABLE),
    **dict.fromkeys(["status-401", "status-403"], (502, {"upstream_credentials"}, "not_billed")),
    **dict.fromkeys(["status-408", "status-504"], (504, TIMEOUT, "unpriced")),
    **dict.fromkeys(["status-500", "status-502"], ERROR),
    **dict.fromkeys(["status-503", "status-529"], (503, {"upstream_busy"}, "not_billed")),
    "status-429": (429, {"upstream_busy"}, "not_billed"),
    **{f"status-{status}": (status, {"upstream_refused"}, "not_billed") for status in (400, 413, 422)},
    **{f"status-{status}": (status, {"upstream_busy"}, "not_billed") for status in (409, 425)},
    "status-404": (502, {"upstream_refused"}, "not_billed"),
}
# The head of a stream's answer came, then nothing: what was read until then is estimated.
STREAM = {**WHOLE,
          **dict.fromkeys(["reset-after-head", "close-after-head", "empty-body"], (502, BROKE_OFF, "priced")),
          "stall-after-head": (504, TIMEOUT, "priced")}
HARMLESS = {"ok", "tls-good", "gzipped", "byte-by-byte", "one-chunk", "until-close", "informational-first", "crlf-lines", "with-comments",
            "several-data-lines", "usage-missing", "usage-twice", "whole-for-a-stream"}
# Faults in the middle of a stream, with what the client is told there. The error of an upstream itself has no code.
MIDDLE = {**dict.fromkeys(["cut-within-body", "ends-within-body", "reset-within-body", "no-end-mark"], ("upstream_broke_off", BROKE_OFF)),
          "stall-within-body": ("upstream_timeout", TIMEOUT), "error-in-the-middle": (None, {"upstream_status"})}
# Where the first event of a dialect is not yet part of the answer, these come before anything was passed on.
MIDDLE_OF_SOME = {"garbage-bytes": ("upstream_broke_off", BROKE_OFF), "huge-event": ("upstream_invalid_answer", GARBAGE)}
NOT_THE_NEXT_TARGETS = {f"status-{status}" for status in (400, 422)}     # about the request itself
# Their target rests afterwards: later cases find it so, and go elsewhere, or are told to wait without being sent.
RESTING = {"status-429", "status-503", "status-529"}


def begun(fault, dialect, stream):
    """What the client is told after the answer began; None: it has not begun, or nothing is wrong."""
    if not stream:
        return None
    return MIDDLE.get(fault) or (MIDDLE_OF_SOME.get(fault) if dialect in ("openai", "gemini") else None)


def failure(fault, dialect, stream):
    if fault in ("error-at-once", "error-in-the-middle") and dialect == "bedrock" and not stream:
        return 502, GARBAGE, "unpriced"          # {"message": …} with a status of 200 is no error of Bedrock's
    if stream and fault == "wrong-shape" and dialect != "openai":
        return 502, BROKE_OFF, "priced"          # events of unknown kinds are passed over: then the stream just ends
    if stream and fault == "garbage-bytes" and dialect == "anthropic":
        return 502, BROKE_OFF, "priced"          # its first event told the input
    if stream and fault == "huge-event" and dialect == "anthropic":
        return 502, GARBAGE, "priced"
    if stream and fault == "bad-chunk-size":
        return 502, BROKE_OFF | GARBAGE, None    # as the transport sees it
    return (STREAM if stream else WHOLE)[fault]


CASES = [(fault, dialect, transport, stream) for fault in [*FAULTS, "refused", "deaf"] for dialect in DIALECTS for transport in TRANSPORTS
         for stream in (False, True)]
CASES += [(f"tls-{kind}", dialect, "tls", stream) for kind in TLS for dialect in DIALECTS for stream in (False, True)]


@pytest.fixture(scope="module")
def played(place):
    """All cases, several at a time, for most of their time is waiting: {case: (alone, with another target) or what went wrong}."""
    def play(case):
        try:
            return [Seen(place, model, case[3]) for model in names(*case[:3])]
        except Exception as error:      # of one case: its test fails, the others go on
            return error

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = dict(zip(CASES, pool.map(play, CASES)))
    wanted = sum(2 for result in results.values() if isinstance(result, list))
    wait_until(lambda: place.rows("SELECT count(*) AS n FROM requests")[0]["n"] >= wanted, 20, "all requests in the ledger")
    place.attempts = collections.defaultdict(list)
    for row in place.rows("SELECT * FROM attempts ORDER BY request, number"):
        place.attempts[row["request"]].append(row)
    return results


def case_name(case):
    fault, dialect, transport, stream = case
    return f"{fault}-{dialect}-{transport}-{'stream' if stream else 'whole'}"


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_a_fault_is_told_and_recorded_as_what_it_is(place, played, case):
    fault, dialect, _, stream = case
    if isinstance(played[case], Exception):
        raise played[case]
    seen = played[case][0]
    attempts = place.attempts[seen.headers["x-tollgate-request-id"]]
    if fault in RESTING and not attempts:
        assert seen.status == 429 and "retry-after" in seen.headers
        return
    assert len(attempts) == 1 and (seen.seconds < DEADLINE or fault == "huge-event")
    assert SECRET not in seen.body.decode() and "127.0.0.1" not in seen.body.decode()
    (attempt,) = attempts
    if fault in HARMLESS:
        expect_an_answer(seen, attempt, fault)
        assert seen.streamed == stream        # also where the upstream answers in one piece
    elif expected := begun(fault, dialect, stream):
        code, results = expected
        assert (seen.status, seen.streamed, seen.error["code"], seen.done) == (200, True, code, False)
        assert ANSWER.startswith(seen.text) and seen.error["message"] and attempt["result"] in results
        assert seen.text == "" or attempt["pricing"] == "priced" and attempt["output"] > 0
    else:
        status, results, pricing = failure(fault, dialect, stream)
        assert (seen.status, seen.streamed, seen.text) == (status, False, "") and seen.error["message"] and seen.error["type"]
        assert attempt["result"] in results and (pricing is None or attempt["pricing"] == pricing)
        assert ("retry-after" in seen.headers) == (fault in ("status-429", "status-503"))


def expect_an_answer(seen, attempt, fault):
    assert seen.error is None, seen.error
    assert (seen.status, seen.text, seen.done) == (200, ANSWER, True)
    assert (attempt["result"], attempt["pricing"], attempt["output"]) == ("ok", "priced", 7)
    if fault == "usage-missing":
        assert attempt["usage_source"] == "estimated"
    else:
        assert (attempt["usage_source"], attempt["input"]) == ("exact", 11)
        assert (seen.usage["prompt_tokens"], seen.usage["completion_tokens"]) == (11, 7)


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_another_target_answers_where_nothing_was_passed_on_yet(place, played, case):
    fault, dialect, _, stream = case
    if isinstance(played[case], Exception):
        raise played[case]
    seen = played[case][1]
    attempts = place.attempts[seen.headers["x-tollgate-request-id"]]
    assert seen.seconds < DEADLINE or fault == "huge-event"
    if fault in HARMLESS:
        assert seen.done and len(attempts) == 1
    elif begun(fault, dialect, stream) or fault in NOT_THE_NEXT_TARGETS:
        assert seen.error and len(attempts) == 1          # no second answer behind half of the first
    else:
        assert (seen.status, seen.text, seen.error, seen.done) == (200, ANSWER, None, True)
        results = [attempt["result"] == "ok" for attempt in attempts]
        assert results == [False, True] or (fault in RESTING and results == [True])
        assert seen.headers["x-tollgate-target"] == attempts[-1]["target"]


def test_nothing_is_left_behind(place, played):
    def in_flight():
        return sum(value for name, series in place.metrics().items() if name == "tollgate_requests_in_flight" for value in series.values())

    wait_until(lambda: in_flight() == 0, 10, "no request in flight")
    # Aborted calls are closed, not kept: what is open are the listeners and connections that may serve again.
    wait_until(lambda: place.upstream.open <= 40, 10, "closed connections at the upstream")
    descriptors = len(list(pathlib.Path(f"/proc/{place.process.pid}/fd").iterdir()))
    assert descriptors < 150, f"{descriptors} descriptors are open after {2 * len(CASES)} requests"


def test_the_matrix_covers_every_fault(played):
    assert len(CASES) >= 900
    assert set(FAULTS) - HARMLESS - set(WHOLE) == set()
    assert {f"status-{status}" for status in STATUSES} <= set(WHOLE)


# -- with a second attempt beside the first: a part of the matrix -------------------------------------------------------------------------

HEDGE = "hedge: {after_seconds_min: 0.05, unlearned_after_seconds: 0.1, samples_min: 1000, share_max: 1}"
HEDGED = [(fault, dialect, stream) for number, fault in enumerate([*FAULTS, "refused", "deaf"]) if fault != "huge-event"
          for dialect in (list(DIALECTS)[number % len(DIALECTS)], list(DIALECTS)[(number + 1) % len(DIALECTS)]) for stream in (False, True)]


def hedging_config(upstream):
    """The plain targets of the matrix, and two routes for each case: the first attempt meets the fault, or the second does while the first
    is silent. Another target stands behind both."""
    text = config(upstream)
    for fault, dialect in sorted({(fault, dialect) for fault, dialect, _ in HEDGED}):
        target = names(fault, dialect, "native")[0]
        quiet = f"{dialect}-native/{'stall-within-head' if fault == 'stall-before-head' else 'stall-before-head'}"
        good = f"{dialect}-curl/ok"
        text += f"  - {{name: h1-{dialect}-{fault}, when: {{model: h1-{dialect}-{fault}}}, choose: first, {HEDGE}, among: [{target}, {good}]}}\n"
        text += f"  - {{name: h2-{dialect}-{fault}, when: {{model: h2-{dialect}-{fault}}}, choose: first, {HEDGE}, among: [{quiet}, {target}, {good}]}}\n"
    text = text.replace("breaker: {unreachable_failures", "breaker: {failures: 1000, unreachable_failures")   # each case meets its fault
    return text.replace("server: {", "attempts_max: 3\nserver: {", 1)


@pytest.fixture(scope="module")
def hedged(tmp_path_factory):
    with BadUpstream(tmp_path_factory.mktemp("hedged")) as upstream, Gateway(hedging_config(upstream), environment={"SSL_CERT_FILE": upstream.ca}) as gateway:
        gateway.upstream = upstream
        yield gateway


@pytest.mark.parametrize("case", HEDGED, ids=lambda case: f"{case[0]}-{case[1]}-{'stream' if case[2] else 'whole'}")
@pytest.mark.parametrize("place", ["first", "second"])
def test_a_fault_beside_another_attempt(hedged, place, case):
    fault, dialect, stream = case
    seen = Seen(hedged, f"h{1 if place == 'first' else 2}-{dialect}-{fault}", stream)
    assert seen.seconds < DEADLINE and SECRET not in seen.body.decode()
    rows = hedged.wait_for_row(seen.headers["x-tollgate-request-id"])
    results = [row["result"] for row in rows]
    assert len(rows) <= 3 and results.count("ok") <= 1
    if begun(fault, dialect, stream) or fault in NOT_THE_NEXT_TARGETS and place == "first":
        if seen.error:                                    # it had begun to answer, or refused for good: as without a hedge
            assert "ok" not in results
            return
    assert (seen.status, seen.text, seen.error, seen.done) == (200, ANSWER, None, True), (seen.error, results)
    assert results.count("ok") == 1 and rows[results.index("ok")]["target"] == seen.headers["x-tollgate-target"]


def test_hedged_faults_leave_nothing_behind(hedged):
    wait_until(lambda: sum(hedged.metrics()["tollgate_requests_in_flight"].values()) == 0, 10, "no request in flight")
    wait_until(lambda: hedged.upstream.open <= 40, 10, "closed connections at the upstream")
    sums = hedged.rows("SELECT (SELECT count(*) FROM attempt) AS attempts, (SELECT sum(attempts) FROM request) AS said")[0]
    assert sums["attempts"] == sums["said"] and len(HEDGED) * 2 >= 100
