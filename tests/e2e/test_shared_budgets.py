"""Budgets and limits over several gateways: the law of one budget holds for all of them together, whatever dies, restarts or is cut off."""

import json
import random
import signal
import subprocess
import threading
import time
from contextlib import ExitStack
from decimal import Decimal

import pytest

from support.gateway import CONFIG, PROGRAM, Gateway, wait_until
from support.redis import Bridge, Redis
from test_budgets import DEAR, Client, budget, error_of, ledger_sum

DOLLAR = 10**12
BUDGET = 'budgets: [{name: dollar, limit_usd: "1.00", per: month, time_zone: Europe/Berlin}]\n'


def shared(url, name, more=""):
    return f'shared: {{url: "{url}", gateway: {name}, report_seconds: 0.1, grace_seconds: 0.6{more}}}\n'


def fleet(stack, url, count=3, budgets=BUDGET, more="", base=DEAR):
    return [stack.enter_context(Gateway(base + budgets + shared(url, f"gw-{i}", more))) for i in range(count)]


def settled(gateways, name):
    """When nobody holds anything and every gateway has said so: what the budget says."""
    def still():
        for gateway in gateways:
            now = budget(gateway, name)
            if Decimal(now["reserved_usd"]) or Decimal(now["shared"]["own_reserved_usd"]):
                return False
        return len({budget(gateway, name)["spent_usd"] for gateway in gateways}) == 1
    wait_until(still, 20, "holds to be given back and reports to arrive")
    return budget(gateways[0], name)


class Watch(threading.Thread):
    """Samples what the store has granted, and what each gateway says: both never above the limit."""

    def __init__(self, redis, gateways, name, limit=DOLLAR):
        super().__init__(daemon=True)
        self.redis, self.gateways, self.name, self.limit = redis, gateways, name, limit
        self.samples, self.passed, self.most, self.done = 0, [], 0, False

    def run(self):
        while not self.done:
            try:
                for key, lines in self.redis.windows(self.name).items():
                    granted, used = sum(line[0] for line in lines.values()), sum(line[1] + line[2] for line in lines.values())
                    self.most = max(self.most, used)
                    if granted > self.limit:
                        self.passed.append((key, lines))
                for gateway in self.gateways:
                    now = budget(gateway, self.name)
                    if (Decimal(now["spent_usd"]) + Decimal(now["reserved_usd"])) * DOLLAR > self.limit:
                        self.passed.append(now)
                self.samples += 1
            except (OSError, StopIteration):
                pass   # a gateway or the store is away
            time.sleep(0.02)

    def stop(self):
        self.done = True
        self.join(10)
        assert not self.passed, self.passed[:3]
        assert self.samples > 5
        return self.most


def spend_it_all(gateways, seed, count=64):
    clients = [Client(gateways[i % len(gateways)], seed + i) for i in range(count)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(120)
        assert not client.is_alive()
    return sum((client.statuses for client in clients), [])


def test_three_gateways_and_64_clients_never_pass_one_dollar_and_use_nearly_all_of_it():
    seed = random.randrange(2**32)
    print("seed", seed)
    with Redis() as redis, ExitStack() as stack:
        gateways = fleet(stack, redis.url)
        watch = Watch(redis, gateways, "dollar")
        watch.start()
        statuses = spend_it_all(gateways, seed)
        assert set(statuses) == {200, 402}
        watch.stop()
        end = settled(gateways, "dollar")
        assert Decimal("0.9") <= Decimal(end["spent_usd"]) <= 1 and Decimal(end["overrun_usd"]) == 0
        assert end["shared"]["gateways"] == 3
        each = [Decimal(budget(gateway, "dollar")["shared"]["own_spent_usd"]) for gateway in gateways]
        assert all(own > 0 for own in each) and sum(each) == Decimal(end["spent_usd"])
        series = gateways[0].metrics()
        key = frozenset({("budget", "dollar")})
        assert abs(series["tollgate_budget_spent_usd"][key] - Decimal(end["spent_usd"])) < Decimal("1e-9")
        assert series["tollgate_shared_up"][frozenset()] == 1 and float(series["tollgate_budget_own_spent_usd"][key]) == pytest.approx(float(each[0]))
        for gateway in gateways:
            gateway.stop()
        assert sum(ledger_sum(gateway) for gateway in gateways) == Decimal(end["spent_usd"])
        (lines,) = redis.windows("dollar").values()   # all leases were given back
        assert sum(line[0] for line in lines.values()) == sum(line[1] for line in lines.values()) == Decimal(end["spent_usd"]) * DOLLAR


def test_a_refusal_says_what_all_gateways_have_spent_and_needs_the_store_to_say_so():
    with Redis() as redis, ExitStack() as stack:
        a, b = fleet(stack, redis.url, 2, 'budgets: [{name: dime, limit_usd: "0.10", per: day}]\n')
        status, headers, _ = a.chat(model="managed/large", max_tokens=60)
        assert status == 200
        spent = Decimal(headers["x-tollgate-cost-usd"])
        wait_until(lambda: Decimal(budget(b, "dime")["spent_usd"]) == spent, 10, "the other gateway's spend")
        status, _, body = b.chat(model="managed/large", max_tokens=95)
        message = error_of(body)["message"]
        assert status == 402 and f"the budget 'dime' of $0.1 has ${Decimal('0.1') - spent} left (${spent} spent" in message
        assert b.chat(model="managed/large", max_tokens=2)[0] == 200
        report = json.loads(subprocess.run([PROGRAM, "budgets", "--json", "--config", a.config_path], capture_output=True, text=True, timeout=30).stdout)
        assert report["shared"] and report["budgets"][0]["spent_usd"] == str(spent)


def test_a_killed_gateway_s_lease_is_settled_from_its_ledger_or_freed_by_the_operator():
    with Redis() as redis, ExitStack() as stack:
        gateways = fleet(stack, redis.url)
        victim, others = gateways[0], gateways[1:]
        watch = Watch(redis, others, "dollar")
        watch.start()
        clients = [Client(gateway, 7 + i) for i, gateway in enumerate(others * 8)]
        stop = threading.Event()

        def until_killed():
            while not stop.is_set():
                try:
                    victim.chat(model="managed/large", max_tokens=20)
                except OSError:
                    return
        doomed = [threading.Thread(target=until_killed) for _ in range(8)]
        for each in clients + doomed:
            each.start()
        wait_until(lambda: any(Decimal(budget(victim, "dollar")["shared"][name]) > 0 for name in ("own_spent_usd",)), 20, "it to spend")
        victim.process.send_signal(signal.SIGKILL)
        victim.process.wait()
        stop.set()
        for each in clients + doomed:
            each.join(120)
        watch.stop()
        (lines,) = redis.windows("dollar").values()
        assert lines["gw-0"][0] >= lines["gw-0"][1] + lines["gw-0"][2]
        # It comes back: what it really spent is in its ledger, and no more than that counts.
        victim.start()
        end = settled(gateways, "dollar")
        own = Decimal(budget(victim, "dollar")["shared"]["own_spent_usd"])
        assert Decimal(end["spent_usd"]) <= 1
        assert redis.windows("dollar").popitem()[1]["gw-0"][1] == own * DOLLAR
        assert own == ledger_sum(victim)
        # Killed for good: the operator frees what it had leased.
        victim.process.send_signal(signal.SIGKILL)
        victim.process.wait()
        freed = subprocess.run([PROGRAM, "budgets", "--free", "gw-0", "--json", "--config", victim.config_path], capture_output=True, text=True, timeout=30)
        assert freed.returncode == 0, freed.stderr
        line = redis.windows("dollar").popitem()[1]["gw-0"]
        assert line[0] == line[1] == own * DOLLAR and json.loads(freed.stdout)["windows"][0]["spent_usd"] == str(own)
        nobody = subprocess.run([PROGRAM, "budgets", "--free", "gw-9", "--config", victim.config_path], capture_output=True, text=True, timeout=30)
        assert nobody.returncode == 1 and "knows no gateway gw-9" in nobody.stdout


@pytest.mark.parametrize("keep", [True, False], ids=["with what it held", "empty"])
def test_a_store_that_restarts_under_load_forgets_nothing(keep):
    seed = random.randrange(2**32)
    print("seed", seed)
    with Redis(keep=keep) as redis, ExitStack() as stack:
        gateways = fleet(stack, redis.url)
        watch = Watch(redis, gateways, "dollar")
        watch.start()
        clients = [Patient(gateways[i % 3], seed + i) for i in range(24)]
        for client in clients:
            client.start()
        wait_until(lambda: watch.most > DOLLAR // 5, 60, "a fifth to be used")
        redis.kill()
        time.sleep(0.3)   # an outage
        redis.start()
        for client in clients:
            client.join(120)
            assert not client.is_alive()
        watch.stop()
        end = settled(gateways, "dollar")
        assert Decimal("0.9") <= Decimal(end["spent_usd"]) <= 1
        assert set(sum((client.statuses for client in clients), [])) <= {200, 402, 503}
        assert any(gateway.metrics()["tollgate_shared_losses_total"][frozenset()] > 0 for gateway in gateways) == (not keep)
        for gateway in gateways:
            gateway.stop()
        assert sum(ledger_sum(gateway) for gateway in gateways) == Decimal(end["spent_usd"])


class Patient(Client):
    """Goes on while the budget cannot be known, too."""

    def walk_away(self, most):
        self.gateway.chat(model="managed/large", max_tokens=most)


def test_a_gateway_that_is_cut_off_spends_its_lease_and_then_says_that_it_does_not_know():
    with Redis() as redis, ExitStack() as stack:
        bridge = Bridge(redis.socket)
        stack.callback(bridge.close)
        quick = ", timeout_seconds: 0.3, grant_wait_seconds: 0.5"
        cut = stack.enter_context(Gateway(DEAR + BUDGET + shared(bridge.url, "cut", quick)))
        free = stack.enter_context(Gateway(DEAR + BUDGET + shared(redis.url, "free", quick)))
        for gateway in (cut, free):
            wait_until(lambda gateway=gateway: budget(gateway, "dollar")["shared"]["granting"], 10, "the new store's grace to be over")
            assert gateway.chat(model="managed/large", max_tokens=20)[0] == 200
        bridge.cut()
        statuses = []
        while 503 not in statuses and len(statuses) < 400:
            status, headers, body = cut.chat(model="managed/large", max_tokens=20)
            statuses.append(status)
        assert statuses[-1] == 503 and set(statuses[:-1]) <= {200}
        assert error_of(body)["code"] == "budget_unavailable" and int(headers["retry-after"]) >= 1
        wait_until(lambda: cut.metrics()["tollgate_shared_up"][frozenset()] == 0, 10, "the loss to be noticed")
        ready = json.loads(cut.admin("/readyz")[1])
        assert ready["ready"] and "no answer within 300 ms" in ready["shared"]
        assert cut.log().count("the store does not answer") == 1
        # The other uses up what it can get: all but what the lost one had leased, which is free for both when that is back.
        spend_it_all([free], 3, 8)
        bridge.mend()
        wait_until(lambda: cut.metrics()["tollgate_shared_up"][frozenset()] == 1, 10, "it to be back")
        assert Decimal(settled([cut, free], "dollar")["spent_usd"]) <= 1
        spend_it_all([cut, free], 4, 8)
        assert Decimal("0.9") < Decimal(settled([cut, free], "dollar")["spent_usd"]) <= 1
        assert cut.chat(model="managed/large", max_tokens=100)[0] == 402


def test_on_loss_local_goes_on_with_what_was_left():
    with Redis() as redis, ExitStack() as stack:
        a, b = fleet(stack, redis.url, 2, 'budgets: [{name: half, limit_usd: "0.5", per: day}]\n', ", on_loss: local, timeout_seconds: 0.3, grant_wait_seconds: 0.5")
        wait_until(lambda: budget(a, "half")["shared"]["granting"], 10, "the new store's grace to be over")
        assert a.chat(model="managed/large", max_tokens=200)[0] == 200
        spent = Decimal(budget(a, "half")["shared"]["own_spent_usd"])
        wait_until(lambda: Decimal(budget(b, "half")["spent_usd"]) >= spent > 0, 10, "the spend to be known")
        redis.kill()
        wait_until(lambda: b.metrics()["tollgate_shared_up"][frozenset()] == 0, 10, "the loss to be noticed")
        statuses = [b.chat(model="managed/large", max_tokens=50)[0] for _ in range(3)]
        assert statuses == [200] * 3
        while b.chat(model="managed/large", max_tokens=50)[0] == 200:
            pass
        assert spent + Decimal(budget(b, "half")["shared"]["own_spent_usd"]) <= Decimal("0.5")


def test_a_second_process_of_one_name_fences_the_first():
    with Redis() as redis, ExitStack() as stack:
        first = stack.enter_context(Gateway(DEAR + BUDGET + shared(redis.url, "same", ", grant_wait_seconds: 0.3")))
        wait_until(lambda: budget(first, "dollar")["shared"]["granting"], 10, "the new store's grace to be over")
        assert first.chat(model="managed/large", max_tokens=2)[0] == 200
        second = stack.enter_context(Gateway(DEAR + BUDGET + shared(redis.url, "same")))
        assert second.chat(model="managed/large", max_tokens=2)[0] == 200
        wait_until(lambda: first.metrics()["tollgate_shared_fenced"][frozenset()] == 1, 10, "the first to notice")
        assert second.metrics()["tollgate_shared_fenced"][frozenset()] == 0
        assert first.chat(model="managed/large", max_tokens=500)[0] == 503
        assert "another process reports as gateway 'same'" in json.loads(first.admin("/readyz")[1])["shared"]


def test_a_gateway_keeps_the_name_it_was_given_over_restarts():
    with Redis() as redis, Gateway(DEAR + BUDGET + f'shared: {{url: "{redis.url}", report_seconds: 0.1, grace_seconds: 0.4}}\n') as gateway:
        assert gateway.chat(model="managed/large", max_tokens=9)[0] == 200
        name = (gateway.path / "ledger.db.sharing").read_text().strip()
        spent = settled([gateway], "dollar")["spent_usd"]
        gateway.stop()
        gateway.returncode = None
        gateway.start()
        wait_until(lambda: budget(gateway, "dollar")["shared"]["granting"], 10, "the store")
        assert budget(gateway, "dollar")["spent_usd"] == spent
        (lines,) = redis.windows("dollar").values()
        assert list(lines) == [name]


def test_soft_and_rolling_budgets_and_budgets_of_ones_own():
    budgets = """budgets:
  - {name: soft, limit_usd: "0.02", per: hour, mode: soft}
  - {name: rolls, limit_usd: "0.05", rolling: 24h, wait_seconds: 0}
  - {name: own, limit_usd: "5", per: day, shared: false}
"""
    with Redis() as redis, ExitStack() as stack:
        a, b = fleet(stack, redis.url, 2, budgets)
        assert "x-tollgate-budget-warning" not in b.chat(model="managed/large", max_tokens=2)[1]
        while Decimal(budget(a, "soft")["spent_usd"]) < Decimal("0.02"):
            assert a.chat(model="managed/large", max_tokens=20)[0] == 200
        wait_until(lambda: Decimal(budget(b, "soft")["spent_usd"]) >= Decimal("0.02"), 10, "the spend to be known")
        assert b.chat(model="managed/large", max_tokens=2)[1]["x-tollgate-budget-warning"] == "soft"
        status, headers, body = b.chat(model="managed/large", max_tokens=48)
        assert status == 402 and "'rolls'" in error_of(body)["message"] and int(headers["retry-after"]) > 0
        assert budget(a, "own")["shared"] is None and not redis.windows("own")
        assert Decimal(budget(a, "own")["spent_usd"]) != Decimal(budget(b, "own")["spent_usd"])


def test_a_limit_of_requests_is_one_for_all_gateways():
    limit, seconds = 120, 4
    with Redis() as redis, ExitStack() as stack:
        gateways = fleet(stack, redis.url, 3, f"limits: [{{name: all, each: all, requests_per_minute: {limit}}}]\n", base=CONFIG)
        statuses, begun = [], time.monotonic()

        def ask(gateway):
            while time.monotonic() - begun < seconds:
                statuses.append(gateway.chat(max_tokens=2))
        threads = [threading.Thread(target=ask, args=(gateway,)) for gateway in gateways * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        served = [headers for status, headers, _ in statuses if status == 200]
        passed = time.monotonic() - begun
        # What one bucket lets through: a minute's worth, and what has come back since. Not one more.
        assert len(served) <= limit + limit * passed / 60 and len(served) >= limit * 0.95
        assert {headers["x-ratelimit-limit-requests"] for headers in served} == {str(limit)}
        refused = [(headers, body) for status, headers, body in statuses if status == 429]
        assert refused and all(int(headers["retry-after"]) >= 1 for headers, _ in refused)
        assert {status for status, _, _ in statuses} == {200, 429}
        # The store goes: each lets its even part through.
        redis.kill()
        wait_until(lambda: gateways[0].metrics()["tollgate_shared_up"][frozenset()] == 0, 10, "the loss to be noticed")
        assert {gateways[0].chat(max_tokens=2)[0] for _ in range(20)} <= {200, 429}


def test_places_for_requests_at_once_are_shared():
    slow = CONFIG.replace("decode_tokens_per_second: 500", "decode_tokens_per_second: 20")
    with Redis() as redis, ExitStack() as stack:
        gateways = fleet(stack, redis.url, 2, "limits: [{name: few, each: all, concurrent_requests: 4}]\n", base=slow)
        statuses = []
        threads = [threading.Thread(target=lambda g=gateway: statuses.append(g.chat(max_tokens=30)[0])) for gateway in gateways * 6]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert statuses.count(200) == 4 and statuses.count(429) == 8
        wait_until(lambda: gateways[1].chat(max_tokens=1)[0] == 200, 10, "a place to be free")


def test_a_store_behind_tls_is_reached_if_its_certificate_is_right(tmp_path):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=tmp_path, timeout=60)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "1", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    import socket
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tls = ["--tls-port", str(port), "--tls-cert-file", tmp_path / "cert.pem", "--tls-key-file", tmp_path / "key.pem", "--tls-auth-clients", "no"]
    with Redis(options=tls) as redis:
        redis.ask("ACL", "SETUSER", "gate", "on", ">pass-word", "~tollgate:*", "+@all")
        section = f'shared: {{url: "rediss://gate@localhost:{port}/0", password: "${{STORE_PASSWORD}}", report_seconds: 0.1, grace_seconds: 0.4, ca_file: "{tmp_path}/cert.pem"}}\n'
        with Gateway(DEAR + BUDGET + section, environment={"STORE_PASSWORD": "pass-word"}) as gateway:
            assert gateway.chat(model="managed/large", max_tokens=9)[0] == 200
            assert "pass-word" not in gateway.log()
        wrong = section.replace(f', ca_file: "{tmp_path}/cert.pem"', "").replace("grace_seconds", "grant_wait_seconds: 0.2, grace_seconds")
        with Gateway(DEAR + BUDGET + wrong, environment={"STORE_PASSWORD": "pass-word"}) as gateway:
            assert gateway.chat(model="managed/large", max_tokens=9)[0] == 503
            wait_until(lambda: "certificate is not accepted" in json.loads(gateway.admin("/readyz")[1])["shared"], 10, "the handshake to fail")


def test_check_says_what_is_wrong_with_the_section():
    cases = {
        'shared: {url: "http://x"}': "redis://host:6379/0, rediss://host:6379/0 (TLS) or unix:///path/to/redis.sock was expected",
        "shared: {on_loss: refuse}": "url",
        'shared: {url: "redis://x", user: ann}': "a user has a password",
        'shared: {url: "redis://x", ca_file: a.pem}': "only rediss:// checks a certificate",
        'shared: {url: "redis://x", grace_seconds: 0.2}': "must be at least twice report_seconds",
        'shared: {url: "redis://x", on_loss: ignore}': "refuse",
    }
    with Gateway(CONFIG + BUDGET) as gateway:
        for section, said in cases.items():
            gateway.write_config(CONFIG + BUDGET + section + "\n")
            checked = subprocess.run([PROGRAM, "check", gateway.config_path], capture_output=True, text=True, timeout=30)
            assert checked.returncode == 1 and said in checked.stderr + checked.stdout, section
        gateway.write_config(CONFIG + 'shared: {url: "redis://:secret-word@x"}\n')
        checked = subprocess.run([PROGRAM, "check", gateway.config_path], capture_output=True, text=True, timeout=30)
        assert checked.returncode == 1 and "neither budgets nor limits to share" in checked.stderr + checked.stdout
        assert "secret-word" not in checked.stderr + checked.stdout
