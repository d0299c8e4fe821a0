"""The fault matrix once more, for clients that speak Messages and Responses: each fault ends in their own protocol, with a whole answer, an error
or an error event, and the ledger says what it says of a chat completion."""

import collections
import concurrent.futures
import json
import time

import pytest
from bad_upstream import BadUpstream
from gateway import Gateway, wait_until
from test_faults import DEADLINE, HARMLESS, NOT_THE_NEXT_TARGETS, SECRET, begun, case_name, config, failure, names
from upstream_dialects import ANSWER
from upstream_faults import FAULTS
from wire import Wire

FORMS = {"messages": "/v1/messages", "responses": "/v1/responses"}
# Passed on as it came, and translated from two protocols. Of each form a gateway of its own: its breakers have seen nothing of the other.
DIALECTS = {"messages": ("anthropic", "openai", "bedrock"), "responses": ("openai", "anthropic")}
# 70 MB of an event; and refusals after which a target rests, so that the next case would not be its first (test_faults.py has them).
LEFT_OUT = ("huge-event", "status-429", "status-503")
CASES = [(fault, dialect, form, stream) for fault in [*FAULTS, "refused"] if fault not in LEFT_OUT for form in FORMS for dialect in DIALECTS[form]
         for stream in (False, True)]


class Seen:
    """What the client saw of one request."""

    def __init__(self, gateway, model, form, stream):
        body = {"model": model, "stream": stream}
        body.update({"max_tokens": 100, "messages": [{"role": "user", "content": "Say something."}]} if form == "messages" else {"input": "Say something."})
        data = json.dumps(body)
        began = time.monotonic()
        with Wire(gateway.port, timeout=60) as wire:
            wire.send(f"POST {FORMS[form]} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n{data}")
            answer = wire.answer()
        self.seconds = time.monotonic() - began
        self.form, self.status, self.headers = form, answer.status, answer.headers
        self.body = answer.body.decode("utf-8")         # no half characters, wherever it was cut
        self.text, self.usage, self.error, self.done = "", None, None, False
        self.streamed = "text/event-stream" in answer.headers["content-type"]
        if self.streamed:
            self.read_events()
        elif self.status == 200:
            self.read_whole(json.loads(self.body))
        else:
            self.error = json.loads(self.body)["error"]
            assert form == "responses" or json.loads(self.body)["type"] == "error"

    def read_whole(self, value):
        self.done, self.usage = True, value.get("usage")
        if self.form == "messages":
            self.text = "".join(block["text"] for block in value["content"])
        else:
            self.text = "".join(part["text"] for item in value["output"] for part in item["content"])

    def read_events(self):
        text = self.body.replace("\r\n", "\n")
        assert text.endswith("\n\n"), "the stream ends within an event"
        for event in text.split("\n\n"):
            data = "\n".join(line[5:].lstrip(" ") for line in event.split("\n") if line.startswith("data:"))
            if not data:
                continue
            value = json.loads(data)
            kind = value.get("type")
            assert not self.done and (not self.error or kind == "response.failed"), f"something follows the end: {data[:200]}"
            if kind == "error":
                self.error = value.get("error") or value
            elif kind == "content_block_delta":
                self.text += value["delta"]["text"]
            elif kind == "response.output_text.delta":
                self.text += value["delta"]
            elif kind == "message_delta":
                self.usage = value.get("usage")
            elif kind == "message_stop" or kind == "response.completed":
                self.done = True
                self.usage = value["response"]["usage"] if "response" in value else self.usage


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    with BadUpstream(tmp_path_factory.mktemp("upstream")) as upstream:
        environment = {"SSL_CERT_FILE": upstream.ca}
        with Gateway(config(upstream), environment) as one, Gateway(config(upstream), environment) as other:
            yield dict(zip(FORMS, (one, other)))


@pytest.fixture(scope="module")
def played(places):
    def play(case):
        fault, dialect, form, stream = case
        try:
            return [Seen(places[form], model, form, stream) for model in names(fault, dialect, "native")]
        except Exception as error:      # of one case: its test fails, the others go on
            return error

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = dict(zip(CASES, pool.map(play, CASES)))
    for form, place in places.items():
        wanted = sum(2 for case, result in results.items() if case[2] == form and isinstance(result, list))
        wait_until(lambda: place.rows("SELECT count(*) AS n FROM requests")[0]["n"] >= wanted, 20, "all requests in the ledger")
        place.attempts = collections.defaultdict(list)
        for row in place.rows("SELECT * FROM attempts ORDER BY request, number"):
            place.attempts[row["request"]].append(row)
    return results


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_a_fault_is_told_in_the_clients_protocol(places, played, case):
    fault, dialect, form, stream = case
    if isinstance(played[case], Exception):
        raise played[case]
    seen = played[case][0]
    (attempt,) = places[form].attempts[seen.headers["x-tollgate-request-id"]]
    assert seen.seconds < DEADLINE
    assert SECRET not in seen.body and "127.0.0.1" not in seen.body
    native = form == "messages" and dialect == "anthropic"
    if fault in HARMLESS:
        assert (seen.status, seen.text, seen.done, seen.error) == (200, ANSWER, True, None)
        assert (attempt["result"], attempt["pricing"], attempt["output"]) == ("ok", "priced", 7)
        if fault != "usage-missing":
            assert attempt["usage_source"] == "exact" and seen.usage["output_tokens"] == 7
    elif fault == "garbage-bytes" and dialect == "openai" and stream:
        # The role is told, and nothing to say in this protocol comes of that: the answer has not begun.
        assert (seen.status, seen.streamed, attempt["result"]) == (502, False, "upstream_broke_off")
    elif expected := begun(fault, dialect, stream):
        assert (seen.status, seen.streamed, seen.done) == (200, True, False)
        assert ANSWER.startswith(seen.text) and seen.error["message"] and attempt["result"] in expected[1]
    else:
        status, results, _ = failure(fault, dialect, stream)
        assert seen.error["message"], seen.body
        if not (native and stream):
            assert (seen.status, seen.streamed, seen.text) == (status, False, "")
            assert attempt["result"] in results


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_another_target_answers_where_nothing_was_passed_on_yet(places, played, case):
    fault, dialect, form, stream = case
    if isinstance(played[case], Exception):
        raise played[case]
    seen = played[case][1]
    attempts = places[form].attempts[seen.headers["x-tollgate-request-id"]]
    if (fault, dialect, form, stream) == ("wrong-shape", "anthropic", "messages", True):
        assert seen.error             # events of unknown kinds are passed on as they came, and bind the client to this target
    elif fault not in HARMLESS and not begun(fault, dialect, stream) and fault not in NOT_THE_NEXT_TARGETS:
        assert (seen.status, seen.text, seen.error, seen.done) == (200, ANSWER, None, True)
        assert [attempt["result"] == "ok" for attempt in attempts] == [False, True]
