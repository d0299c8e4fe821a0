"""Budgets end to end: no limit is ever passed, little of it stays unused, nothing stays reserved, a restart forgets nothing."""

import json
import random
import re
import signal
import socket
import subprocess
import threading
import time
from decimal import Decimal

from support.gateway import CONFIG, PROGRAM, Gateway, wait_until

# Dear tokens, so that a dollar is soon spent.
DEAR = CONFIG.replace('output_usd_per_million_tokens: "10.00"', 'output_usd_per_million_tokens: "1000"')


def budget(gateway, name):
    report = json.loads(gateway.admin("/admin/v1/budgets")[1])
    return next(each for each in report["budgets"] if each["budget"] == name)


def nothing_reserved(gateway, name):
    wait_until(lambda: Decimal(budget(gateway, name)["reserved_usd"]) == 0, 10, "holds to be given back")
    return budget(gateway, name)


def ledger_sum(gateway):
    """As budgets count: an attempt of unknown cost, such as one that was left before anything came, as a quarter of its bytes as input."""
    rows = gateway.rows("SELECT a.usd, r.input_bytes FROM attempts a JOIN requests r ON r.request = a.request")
    unknown = sum(row["input_bytes"] for row in rows if row["usd"] is None)
    return sum((Decimal(row["usd"] or 0) for row in rows), Decimal(0)) + unknown * Decimal("0.0000025") / 4


def error_of(body):
    return json.loads(body)["error"]


class Client(threading.Thread):
    """Asks until the budget refuses it three times: answers of random length, streams, and some that it walks away from."""

    def __init__(self, gateway, seed):
        super().__init__()
        self.gateway, self.random, self.statuses = gateway, random.Random(seed), []

    def run(self):
        while self.statuses.count(402) < 3:
            most, kind = self.random.randint(2, 40), self.random.random()
            if kind < 0.1:
                self.walk_away(most)
                continue
            status, _, _ = self.gateway.chat(model="managed/large", max_tokens=most, stream=kind < 0.5)
            self.statuses.append(status)

    def walk_away(self, most):
        body = json.dumps({"model": "managed/large", "max_tokens": most, "stream": True, "messages": [{"role": "user", "content": "Hello"}]})
        with socket.create_connection(("127.0.0.1", self.gateway.port)) as connection:
            connection.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
            time.sleep(self.random.random() * 0.05)   # anywhere in the answer


def test_64_clients_never_pass_a_hard_budget_and_leave_little_of_it_unused():
    """Pitfall 34: a budget is not checked before and charged after; what a request may cost is reserved before it is sent."""
    seed = random.randrange(2**32)
    print("seed", seed)
    with Gateway(DEAR + 'budgets: [{name: dollar, limit_usd: "1.00", per: month, time_zone: Europe/Berlin}]\n') as gateway:
        clients = [Client(gateway, seed + i) for i in range(64)]
        seen = []

        def look():
            now = budget(gateway, "dollar")
            seen.append((Decimal(now["spent_usd"]), Decimal(now["reserved_usd"])))
        for i, client in enumerate(clients):
            client.start()
            if i % 8 == 7:   # the dollar may be gone before a busy machine has started them all
                look()
        while any(client.is_alive() for client in clients):
            look()
            time.sleep(0.02)
        for client in clients:
            client.join(60)
        assert set(sum((client.statuses for client in clients), [])) == {200, 402}
        assert max(spent + held for spent, held in seen) <= 1 and any(held > 0 for _, held in seen)
        end = nothing_reserved(gateway, "dollar")
        assert Decimal("0.95") <= Decimal(end["spent_usd"]) <= 1
        assert Decimal(end["overrun_usd"]) == 0 and end["refused"] >= 192
        gateway.stop()
        assert ledger_sum(gateway) == Decimal(end["spent_usd"])


def test_a_refusal_names_the_budget_what_is_left_and_when_it_resets():
    with Gateway(DEAR + 'budgets: [{name: cent, limit_usd: "0.01", per: day}]\n') as gateway:
        status, headers, body = gateway.chat(model="managed/large", max_tokens=9)
        assert status == 200
        spent = Decimal(headers["x-tollgate-cost-usd"])
        status, headers, body = gateway.chat(model="managed/large", max_tokens=1000)
        error = error_of(body)
        assert (status, error["code"], error["type"], error["param"]) == (402, "budget_exceeded", "insufficient_quota", None)
        assert f"the budget 'cent' of $0.01 has ${Decimal('0.01') - spent} left (${spent} spent" in error["message"]
        assert "at managed/large" in error["message"]
        assert "no reset of the budget will allow it" in error["message"] and "retry-after" not in headers
        status, headers, body = gateway.chat(model="managed/large", max_tokens=9)
        error = error_of(body)
        assert status == 402 and re.search(r"it resets at \d{4}-\d\d-\d\dT00:00:00Z", error["message"]) and 0 < int(headers["retry-after"]) <= 86400
        assert "x-tollgate-target" not in headers
        # What goes elsewhere is not concerned; a stream is refused in the same way.
        assert gateway.chat(model="managed/large", max_tokens=1000, stream=True)[0] == 402
        assert gateway.metrics()["tollgate_budget_refused_total"][frozenset({("budget", "cent")})] == 3


def test_what_was_spent_survives_a_restart_a_kill_and_a_reload():
    def config(limit):
        return DEAR + f'budgets:\n  - {{name: month, limit_usd: "{limit}", per: month}}\n  - {{name: rolls, rolling: 24h, model: large, limit_usd: 5}}\n'
    gateway = Gateway(config("0.05"))
    with gateway:
        for stream in (False, True):
            assert gateway.chat(model="large", max_tokens=9, stream=stream)[0] == 200
        before = nothing_reserved(gateway, "month")
        assert Decimal(before["spent_usd"]) > 0
        gateway.stop()
        gateway.returncode = None
        gateway.start()
        assert budget(gateway, "month")["spent_usd"] == budget(gateway, "rolls")["spent_usd"] == before["spent_usd"]
        gateway.process.send_signal(signal.SIGKILL)
        gateway.process.wait()
        gateway.start()
        assert budget(gateway, "month")["spent_usd"] == budget(gateway, "rolls")["spent_usd"] == before["spent_usd"]
        # A reload: the limit changes, what was spent does not; a new budget knows what was spent before it was there.
        gateway.write_config(config("0.0001") + "  - {name: late, limit_usd: 1, per: day, model: \"*\"}\n")
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "late" in gateway.admin("/admin/v1/budgets")[1], 10, "the reload")
        assert budget(gateway, "month")["spent_usd"] == budget(gateway, "late")["spent_usd"] == before["spent_usd"]
        assert budget(gateway, "month")["limit_usd"] == "0.0001" and budget(gateway, "month")["remaining_usd"] == "0"
        assert gateway.chat(model="large", max_tokens=9)[0] == 402


def test_soft_budgets_warn_or_choose_the_cheapest_target():
    routes = DEAR.replace("choose: cheapest", "choose: first").replace("among: [gpu/llama, managed/large]", "among: [managed/large, gpu/llama]")
    for over, target in (("warn", "managed/large"), ("cheaper", "gpu/llama")):
        with Gateway(routes + f'budgets: [{{name: soft, limit_usd: "0.000001", per: hour, mode: soft, when_over: {over}, route: auto}}]\n') as gateway:
            status, headers, _ = gateway.chat(max_tokens=9)
            assert (status, headers["x-tollgate-target"], headers["x-tollgate-budget-warning"]) == (200, target, "soft")
            assert gateway.chat(max_tokens=9, stream=True)[1]["x-tollgate-budget-warning"] == "soft"
            # Asked for by name, it is another route's.
            assert "x-tollgate-budget-warning" not in gateway.chat(model="managed/large", max_tokens=9)[1]
            now = nothing_reserved(gateway, "soft")
            assert (now["warned"], now["diverted"], now["refused"]) == (2, 2 if over == "cheaper" else 0, 0)
            assert gateway.log().count("a soft budget is used up") == 1
            if over == "cheaper":
                assert "managed/large: budget soft" in headers["x-tollgate-reason"]


def test_an_unknown_price_is_refused_unless_the_budget_says_what_it_counts_for():
    unpriced = re.sub(r"\n        prices: \{input_usd_per_million_tokens: \"2.50\".*?\}", "", CONFIG, flags=re.S)
    with Gateway(unpriced + 'budgets: [{name: hard, limit_usd: "1", per: day}]\n') as gateway:
        status, _, body = gateway.chat(model="managed/large", max_tokens=9)
        assert status == 402 and "allows no attempt whose cost is not known" in error_of(body)["message"]
        # Where another target of the route has a price, that one serves.
        assert gateway.chat(max_tokens=9)[1]["x-tollgate-target"] == "gpu/llama"
    with Gateway(unpriced + 'budgets: [{name: hard, limit_usd: "1", per: day, unpriced_usd: "0.4"}]\n') as gateway:
        assert [gateway.chat(model="managed/large", max_tokens=9)[0] for _ in range(3)] == [200, 200, 402]
        end = nothing_reserved(gateway, "hard")
        assert (end["spent_usd"], end["unpriced_attempts"]) == ("0.8", 2)
        gateway.stop()
        gateway.returncode = None
        gateway.start()
        assert budget(gateway, "hard")["spent_usd"] == "0.8"


def test_attempts_that_fail_give_back_what_they_held():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        config = DEAR.replace("constraints:", f"""\
  dead:
    dialect: openai
    url: http://127.0.0.1:{nobody.getsockname()[1]}
    models: {{large: {{prices: {{input_usd_per_million_tokens: 1, output_usd_per_million_tokens: 1000}}}}}}
constraints:""").replace("choose: cheapest", "choose: first").replace("[gpu/llama, managed/large]", "[dead/large, managed/large]")
        with Gateway(config + 'budgets: [{name: all, limit_usd: "1", per: day}, {name: dead, limit_usd: "1", per: day, target: "dead/*"}]\n') as gateway:
            answers = [gateway.chat(max_tokens=9) for _ in range(3)]
            assert {status for status, _, _ in answers} == {200}
            assert sum(Decimal(headers["x-tollgate-cost-usd"]) for _, headers, _ in answers) == Decimal(nothing_reserved(gateway, "all")["spent_usd"])
            assert nothing_reserved(gateway, "dead")["spent_usd"] == "0"


def test_a_client_bounds_the_cost_of_its_request():
    with Gateway(DEAR) as gateway:
        header = "x-tollgate-max-cost-usd"
        status, headers, body = gateway.chat(model="managed/large", max_tokens=100, headers={header: "0.05"})
        error = error_of(body)
        assert (status, error["code"], error["param"]) == (402, "budget_exceeded", header)
        assert "at managed/large" in error["message"]
        assert gateway.chat(model="managed/large", max_tokens=100, headers={header: "0.2"})[0] == 200
        # Of several targets, those that may cost more are out.
        status, headers, _ = gateway.chat(max_tokens=100, headers={header: "0.05"})
        assert (status, headers["x-tollgate-target"]) == (200, "gpu/llama")
        assert "managed/large: max_cost" in headers["x-tollgate-reason"]
        for wrong in ("cheap", "-1", "1e-3"):
            status, _, body = gateway.chat(headers={header: wrong})
            assert (status, error_of(body)["param"]) == (400, header)


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=30)


def test_the_command_shows_budgets_from_the_ledger_and_from_the_gateway():
    budgets = 'budgets: [{name: day, limit_usd: "0.01", per: day, time_zone: Asia/Tokyo}, {name: rolls, rolling: 24h, mode: soft, limit_usd: 5}]\n'
    with Gateway(DEAR + budgets) as gateway:
        status, headers, _ = gateway.chat(model="managed/large", max_tokens=9)
        spent = headers["x-tollgate-cost-usd"]
        gateway.wait_for_row(headers["x-request-id"])
        for more, reserved in (["--config", gateway.config_path], "?"), (["--url", f"http://127.0.0.1:{gateway.admin_port}"], "0"):
            table = run("budgets", *more)
            assert table.returncode == 0, table.stderr
            cells = next(line for line in table.stdout.splitlines() if line.startswith("day")).split()
            percent = f"{Decimal(spent) * 10000:.1f}".removesuffix(".0")
            assert cells[:6] == ["day", "hard", "day", "0.01", spent, reserved] and cells[7] == percent
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT15:00:00Z", cells[8])   # midnight in Tokyo
            report = json.loads(run("budgets", "--json", *more).stdout)
            assert [each["budget"] for each in report["budgets"]] == ["day", "rolls"]
            assert report["budgets"][0]["spent_usd"] == report["budgets"][1]["spent_usd"] == spent
            assert report["budgets"][1]["resets"] is None and report["live"] == (reserved == "0")
        gateway.write_config(DEAR + budgets.replace('"0.01"', '"0.000001"'))
        assert run("budgets", "--config", gateway.config_path).returncode == 1
    failed = run("budgets", "--url", "http://127.0.0.1:1")
    assert failed.returncode == 3 and "cannot ask http://127.0.0.1:1/admin/v1/budgets" in failed.stderr


def test_limits_are_told_in_headers_and_refuse_with_429():
    limits = 'limits:\n  - {name: few, each: model, model: auto, requests_per_minute: 3, tokens_per_minute: 100000}\n  - {name: all, each: all, requests_per_minute: 100}\n'
    with Gateway(CONFIG + limits) as gateway:
        for left in (2, 1, 0):
            status, headers, _ = gateway.chat(max_tokens=9, stream=left == 1)
            assert status == 200
            assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("3", str(left))
            assert re.fullmatch(r"\d+(\.\d+)?s|\d+ms|\d+m\d+s", headers["x-ratelimit-reset-requests"])
            assert headers["x-ratelimit-limit-tokens"] == "100000" and int(headers["x-ratelimit-remaining-tokens"]) < 100000
        status, headers, body = gateway.chat(max_tokens=9)
        error = error_of(body)
        assert (status, error["code"], error["type"]) == (429, "rate_limit_exceeded", "rate_limit_error")
        assert "the limit 'few' allows 3 requests per minute; try again in" in error["message"]
        assert 1 <= int(headers["retry-after"]) <= 20 and headers["x-ratelimit-remaining-requests"] == "0"
        # Another model has an allowance of the shared limit only.
        status, headers, _ = gateway.chat(model="managed/large", max_tokens=9)
        assert (status, headers["x-ratelimit-limit-requests"]) == (200, "100") and "x-ratelimit-limit-tokens" not in headers
        series = gateway.metrics()["tollgate_rate_limited_total"]
        assert series[frozenset({("limit", "few"), ("kind", "requests")})] == 1


def test_reserved_tokens_of_a_limit_become_those_that_were_used():
    with Gateway(CONFIG + "limits: [{name: tokens, each: all, tokens_per_minute: 3000}]\n") as gateway:
        assert gateway.chat(max_tokens=2500)[0] == 200       # reserves nearly all, uses some twenty
        status, headers, _ = gateway.chat(max_tokens=2500)
        assert status == 200 and int(headers["x-ratelimit-remaining-tokens"]) < 600
        status, headers, body = gateway.chat(max_tokens=10000)
        assert status == 429 and "retry-after" not in headers and "this request alone asks for up to" in error_of(body)["message"]


def test_without_budgets_and_limits_nothing_is_said_of_them():
    with Gateway(CONFIG) as gateway:
        _, headers, _ = gateway.chat(max_tokens=9)
        assert not [name for name in headers if name.startswith("x-ratelimit") or "budget" in name]
        assert not [name for name in gateway.metrics() if "budget" in name or name.startswith("tollgate_rate_limited")]
        assert json.loads(gateway.admin("/admin/v1/budgets")[1]) == {"live": True, "budgets": []}
        assert run("budgets", "--config", gateway.config_path).stdout == "no budgets are configured\n"
