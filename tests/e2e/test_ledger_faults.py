"""The ledger when things go wrong: a full disk, a clock that goes back, damaged files. Refused (503) rather than unrecorded."""

import os
import random
import resource
import signal
import subprocess
from decimal import Decimal

import pytest
from clock import ShiftedClock
from gateway import CONFIG, PROGRAM, Gateway, wait_until


def chats(gateway, count, **members):
    """{request id: cost} of answers that a client received whole."""
    answers = {}
    for n in range(count):
        status, headers, _ = gateway.chat(f"hello {n}", model="managed/large", **members)
        assert status == 200
        answers[headers["x-tollgate-request-id"]] = Decimal(headers["x-tollgate-cost-usd"])
    return answers


def recorded(gateway):
    return {row["request"]: Decimal(row["usd"]) for row in gateway.rows("SELECT request, usd FROM requests")}


def kill(gateway):
    gateway.process.send_signal(signal.SIGKILL)
    gateway.process.wait()


def clean_up(gateway):
    if gateway.process.poll() is None:
        kill(gateway)
    gateway.directory.cleanup()


def test_a_full_disk_refuses_new_requests_and_loses_none_that_was_answered():
    gateway = Gateway().start()
    try:
        answers = chats(gateway, 3)
        wait_until(lambda: len(recorded(gateway)) == 3)
        # As on a full disk, the write-ahead log cannot grow: every process may have such a limit.
        used = max(path.stat().st_size for path in gateway.path.glob("ledger.db*") if path.suffix not in (".slots", ".pools"))
        before = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (used + 4096, before[1]))
        status = 200
        for n in range(500):
            status, headers, body = gateway.chat(f"more {n}", model="managed/large")
            if status != 200:
                break
            answers[headers["x-tollgate-request-id"]] = Decimal(headers["x-tollgate-cost-usd"])
        assert status == 503 and b"ledger_full" in body
        assert gateway.metrics()["tollgate_ledger_writable"][frozenset()] == 0
        assert gateway.chat("once more")[0] == 503
        # Room again: it goes on by itself, and what was answered meanwhile is all there.
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, before)
        wait_until(lambda: gateway.metrics()["tollgate_ledger_writable"][frozenset()] == 1, 10, "the ledger to be writable")
        answers |= chats(gateway, 2)
        assert gateway.stop() == 0, gateway.log()
        rows = recorded(gateway)
        assert {request: rows.get(request) for request in answers} == answers
        assert len(rows) == len(answers)
    finally:
        clean_up(gateway)


def test_a_process_killed_on_a_full_disk_still_has_every_answer_after_the_restart():
    gateway = Gateway().start()
    try:
        answers = chats(gateway, 3)
        wait_until(lambda: len(recorded(gateway)) == 3)
        used = max(path.stat().st_size for path in gateway.path.glob("ledger.db*") if path.suffix not in (".slots", ".pools"))
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (used, used))
        for n in range(500):
            status, headers, _ = gateway.chat(f"more {n}", model="managed/large")
            if status != 200:
                break
            answers[headers["x-tollgate-request-id"]] = Decimal(headers["x-tollgate-cost-usd"])
        assert len(answers) > 3, "one at least was under way when the disk was full"
        kill(gateway)
        gateway.start()
        assert gateway.stop() == 0, gateway.log()
        assert recorded(gateway) == answers
    finally:
        clean_up(gateway)


@pytest.mark.parametrize("damage", ["truncated", "zeroed", "garbled"])
def test_a_damaged_end_of_the_write_ahead_log_loses_nothing(damage):
    gateway = Gateway().start()
    choice = random.Random(int(os.environ.get("TOLLGATE_SEED", 7)))
    try:
        answers = {}
        for _ in range(5):      # five commits at least
            answers |= chats(gateway, 2)
            wait_until(lambda: len(recorded(gateway)) == len(answers))
        kill(gateway)
        log = gateway.path / "ledger.db-wal"
        size, cut = log.stat().st_size, choice.randint(1, 4096)
        with open(log, "r+b") as file:
            if damage == "truncated":
                file.truncate(size - cut)
            else:
                file.seek(size - 4096)
                file.write(bytes(4096) if damage == "zeroed" else choice.randbytes(4096))
        gateway.start()
        assert gateway.stop() == 0, gateway.log()
        assert recorded(gateway) == answers
    finally:
        clean_up(gateway)


@pytest.mark.parametrize("damage", ["header", "truncated", "not a database"])
def test_a_damaged_ledger_is_refused_at_the_start_with_what_to_do_and_left_as_it_is(damage):
    gateway = Gateway().start()
    try:
        chats(gateway, 40)
        assert gateway.stop() == 0
        good = gateway.ledger_path.read_bytes()
        bad = {"header": bytes(100) + good[100:], "truncated": good[:-4096], "not a database": b"hello, this is text\n" * 400}[damage]
        gateway.ledger_path.write_bytes(bad)
        started = subprocess.run([PROGRAM, "serve", "--config", gateway.config_path], cwd=gateway.path, capture_output=True, text=True, timeout=20)
        assert started.returncode in (1, 3), started.stderr
        assert "restore it from a backup" in started.stderr, started.stderr
        assert gateway.ledger_path.read_bytes() == bad
        costs = subprocess.run([PROGRAM, "costs", "--ledger", gateway.ledger_path, "--by", "team,key"], capture_output=True, text=True, timeout=20)
        assert costs.returncode == 3 and "docs/money/ledger.md" in costs.stderr, costs.stderr + costs.stdout
    finally:
        clean_up(gateway)


def test_a_clock_that_goes_back_loses_and_doubles_nothing(tmp_path):
    clock = ShiftedClock(tmp_path)
    gateway = Gateway(CONFIG, clock.environment)
    try:
        gateway.start()
        answers = chats(gateway, 5)
        clock.behind(7200)
        later = chats(gateway, 5)
        wait_until(lambda: len(recorded(gateway)) == 10)
        kill(gateway)
        gateway.start()         # with the clock still behind: new ids must not meet old ones
        later |= chats(gateway, 5)
        assert gateway.stop() == 0, gateway.log()
        assert recorded(gateway) == answers | later
        rows = gateway.rows("SELECT id, arrived_us, duration_us FROM request ORDER BY id")
        assert min(row["duration_us"] for row in rows) >= 0
        latest = max(row["arrived_us"] for row in rows)       # ids of two reactors rise by themselves, not in the order of arrival
        assert sum(row["arrived_us"] < latest - 7_000_000_000 for row in rows) == 10, "the shim has moved the clock"
        # Reports find them where the clock said they were.
        costs = subprocess.run([PROGRAM, "costs", "--ledger", gateway.ledger_path, "--since", "1d", "--csv", "--by", "target"], capture_output=True, text=True, timeout=20)
        assert ",15,15,0," in costs.stdout, costs.stdout
    finally:
        clean_up(gateway)
