"""kill -9 at random points of a live load: what clients received is in the ledger, once, with the cost they were told.

Pitfall 35: a crash loses spend that was in memory. TOLLGATE_KILLS sets how many.
TOLLGATE_SEED repeats a run's choices, not its timing.
"""

import http.client
import json
import os
import random
import signal
import threading
import time
from decimal import Decimal

from gateway import CONFIG, Gateway
from wire import Wire, chat_body

KILLS = int(os.environ.get("TOLLGATE_KILLS", 200))
CLIENTS = 8
BASELINES = """\
baselines:
  - {name: all-managed, target: managed/large}
"""


class Seen:
    """What one client learnt of one request before the gateway died."""

    def __init__(self, request, complete=False, cost=None, usage=None):
        self.request, self.complete, self.cost, self.usage = request, complete, cost, usage


def whole_answer(gateway, choice, seen):
    model = choice.choice(["auto", "gpu/llama", "managed/large"])
    prompt = f"{'word ' * choice.randint(1, 200)}[[sim-tokens: {choice.randint(1, 40)}]]"
    status, headers, body = gateway.chat(prompt, model=model)
    entry = Seen(headers["x-tollgate-request-id"])
    if status == 200:
        entry.complete, entry.cost = True, headers["x-tollgate-cost-usd"]
        entry.usage = json.loads(body)["usage"]
    seen.append(entry)


def stream(gateway, choice, seen):
    model = choice.choice(["auto", "gpu/llama", "managed/large"])
    leave_after = choice.choice([None, None, choice.randint(1, 20)])
    with Wire(gateway.port) as wire:
        wire.post(chat_body(f"[[sim-tokens: {choice.randint(1, 60)}]]", model=model, stream=True,
                            stream_options={"include_usage": True}))
        status, headers = wire.head()
        entry = Seen(headers["x-tollgate-request-id"])
        seen.append(entry)     # known from the head on, whatever becomes of the stream
        text = b""
        while status == 200 and (leave_after is None or text.count(b"data: ") < leave_after):
            piece = wire.chunk()
            if not piece:
                break
            text += piece
        if b"data: [DONE]" in text:
            entry.complete = True
            events = [json.loads(line[6:]) for line in text.split(b"\n") if line.startswith(b"data: {")]
            entry.usage = next(event["usage"] for event in events if event.get("usage"))


def client(gateway, seed, seen, sent, stop):
    choice = random.Random(seed)
    while not stop.is_set():
        sent.append(1)
        try:
            choice.choice([whole_answer, stream])(gateway, choice, seen)
        except (OSError, http.client.HTTPException, EOFError, AssertionError, IndexError, ValueError, KeyError):
            if not stop.is_set() and gateway.process.poll() is None:
                raise


def kill_under_load(gateway, seed, seen, sent):
    """One life of the gateway: load until it is killed at some point between 20 and 250 ms later."""
    stop, failures = threading.Event(), []

    def run(number):
        try:
            client(gateway, seed * 1000 + number, seen, sent, stop)
        except BaseException as failure:     # shown by the test, not lost in the thread
            failures.append(failure)

    crowd = [threading.Thread(target=run, args=(n,)) for n in range(CLIENTS)]
    for each in crowd:
        each.start()
    time.sleep(random.Random(seed).uniform(0.02, 0.25))
    stop.set()                               # from here on failures are the kill's
    gateway.process.send_signal(signal.SIGKILL)
    gateway.process.wait()
    for each in crowd:
        each.join(30)
    assert not failures, failures[:3]


def test_kills_lose_no_request_that_a_client_heard_of_and_double_none():
    seed = int(os.environ.get("TOLLGATE_SEED", random.randrange(1 << 31)))
    print("TOLLGATE_SEED", seed)
    seen, sent = [], []
    gateway = Gateway(CONFIG + BASELINES)
    try:
        for kill in range(KILLS):
            gateway.start()
            kill_under_load(gateway, seed + kill, seen, sent)
        gateway.start()                      # takes in what the last kill left
        assert gateway.stop() == 0, gateway.log()
        check_ledger(gateway, seen, sent)
    finally:
        if gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait()
        gateway.directory.cleanup()


def check_ledger(gateway, seen, sent):
    rows = {row["request"]: row for row in gateway.rows(
        "SELECT request, usd, result, recovered, input_tokens, output_tokens FROM requests")}
    assert len(rows) == gateway.rows("SELECT count(*) AS n FROM request")[0]["n"]
    ids = [entry.request for entry in seen]
    assert len(set(ids)) == len(ids)
    lost = [request for request in ids if request not in rows]
    assert not lost, f"{len(lost)} of {len(ids)} lost: {lost[:5]}"
    assert not list(gateway.path.glob("*.damaged-*")), "a kill left a slot that the next start did not believe"
    # Requests that no client heard of were cut off before their head; there cannot be more rows than were sent.
    assert len(rows) <= len(sent)
    complete = [entry for entry in seen if entry.complete]
    for entry in complete:
        row = rows[entry.request]
        if entry.cost is not None:
            assert Decimal(row["usd"]) == Decimal(entry.cost), (entry.request, dict(row))
        assert (row["input_tokens"], row["output_tokens"]) == (entry.usage["prompt_tokens"], entry.usage["completion_tokens"]), dict(row)
    # No attempt without its request, a baseline for each: also for what a kill left open.
    assert gateway.rows("SELECT count(*) AS n FROM attempt WHERE request NOT IN (SELECT id FROM request)")[0]["n"] == 0
    assert gateway.rows("SELECT count(*) AS n FROM baseline")[0]["n"] == len(rows)
    recovered = sum(row["recovered"] for row in rows.values())
    print(f"{KILLS} kills, {len(sent)} requests sent, {len(ids)} heard of, {len(complete)} complete, {recovered} settled at a restart: 0 lost, 0 doubled")
    assert recovered > 0 and len(complete) > KILLS
