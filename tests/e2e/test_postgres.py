"""Several gateways on one ledger in PostgreSQL: kills, a database that stops, connections that are cut. Nothing lost, nothing doubled.

TOLLGATE_SEED repeats a run's choices, not its timing.
"""

import json
import os
import random
import signal
import subprocess
import threading
import time
from decimal import Decimal

import pytest
from gateway import CONFIG, PROGRAM, ROOT, Gateway, wait_until
from postgres import PostgresServer, binaries
from test_kill import CLIENTS, client

pytestmark = pytest.mark.skipif(binaries() is None, reason="no PostgreSQL server is installed (package postgresql)")

KILLS = int(os.environ.get("TOLLGATE_POSTGRES_KILLS", 30))
SEED = int(os.environ.get("TOLLGATE_SEED", random.randrange(1 << 31)))
FEEDBACK = "feedback: {comments: true}\n"


@pytest.fixture(scope="module")
def server():
    with PostgresServer() as running:
        yield running


class Fleet:
    """Gateways on one new database, in front of the same pool: each bills its part."""

    def __init__(self, server, count, more="", shared=None, ledger="commit_interval_ms: 10", environment=None):
        self.server, self.database = server, server.fresh_database()
        url = server.url(self.database)
        self.gateways = []
        for _ in range(count):
            config = CONFIG.replace('{url: "sqlite:LEDGER"}', f'{{url: "{url}", files: "LEDGER", {ledger}}}')
            config = config.replace("pool: {billing", f"pool: {{gateways: {shared or count}, billing")
            self.gateways.append(Gateway(config + more, environment))

    def __enter__(self):
        for gateway in self.gateways:
            gateway.start()
        return self

    def __exit__(self, *_):
        for gateway in self.gateways:
            if gateway.process.poll() is None:
                gateway.process.kill()
                gateway.process.wait()
            gateway.directory.cleanup()

    def stop(self):
        for gateway in self.gateways:
            assert gateway.stop() == 0, gateway.log()

    def rows(self, sql):
        return self.server.rows(self.database, sql)

    def number(self, sql):
        return self.server.number(self.database, sql)


class Load:
    """Clients of one gateway until it is told to stop. What fails while the gateway lives is a failure, unless it is allowed."""

    def __init__(self, gateway, seed):
        self.gateway, self.seen, self.sent, self.failures, self.stop = gateway, [], [], [], threading.Event()

        def run(number):
            try:
                client(gateway, seed * 1000 + number, self.seen, self.sent, self.stop)
            except BaseException as failure:
                self.failures.append(failure)

        self.crowd = [threading.Thread(target=run, args=(n,)) for n in range(CLIENTS // 2)]
        for each in self.crowd:
            each.start()

    def end(self):
        self.stop.set()
        for each in self.crowd:
            each.join(30)
        assert not self.failures, self.failures[:3]


def check(fleet, loads):
    """Every request that a client heard of is there once, with what it was told."""
    rows = fleet.rows("SELECT request, usd, input_tokens, output_tokens, recovered FROM requests")
    known = {row["request"]: row for row in rows}
    assert len(known) == len(rows)
    seen = [entry for load in loads for entry in load.seen]
    assert len({entry.request for entry in seen}) == len(seen), "two gateways gave the same id"
    lost = [entry.request for entry in seen if entry.request not in known]
    assert not lost, f"{len(lost)} of {len(seen)} lost: {lost[:5]}"
    assert len(rows) <= sum(len(load.sent) for load in loads)
    for entry in seen:
        if not entry.complete:
            continue
        row = known[entry.request]
        if entry.cost is not None:
            assert Decimal(row["usd"]) == Decimal(entry.cost), (entry.request, row)
        assert (int(row["input_tokens"]), int(row["output_tokens"])) == (entry.usage["prompt_tokens"], entry.usage["completion_tokens"])
    assert fleet.number("SELECT count(*) FROM attempt a WHERE NOT EXISTS(SELECT 1 FROM request r WHERE r.id=a.request)") == 0
    # The law of every pool, and its attributed line is what its requests were charged.
    for row in fleet.rows("SELECT n.text, sum(billed_pusd-attributed_pusd-idle_pusd-cold_start_pusd-minimum_pusd-down_pusd-rounding_pusd) AS rest "
                          "FROM pool_hour p JOIN name n ON n.id=p.pool GROUP BY 1"):
        assert int(row["rest"]) == 0, row
    attributed = fleet.number("SELECT coalesce(sum(attributed_pusd),0) FROM pool_hour")
    assert attributed == fleet.number("SELECT coalesce(sum(gpu_pusd),0) FROM attempt")
    return rows


def test_two_gateways_write_one_ledger_while_either_is_killed(server):
    print("TOLLGATE_SEED", SEED)
    choice = random.Random(SEED)
    fleet = Fleet(server, 2)
    with fleet:
        loads = [Load(gateway, SEED + n) for n, gateway in enumerate(fleet.gateways)]
        old = []
        for kill in range(KILLS):
            victim = choice.randrange(2)
            time.sleep(choice.uniform(0.02, 0.25))
            gateway = fleet.gateways[victim]
            loads[victim].stop.set()
            gateway.process.send_signal(signal.SIGKILL)
            gateway.process.wait()
            loads[victim].end()
            old.append(loads[victim])
            gateway.start()
            loads[victim] = Load(gateway, SEED + 10 + kill)
        for load in loads:
            load.end()
        fleet.stop()
        rows = check(fleet, old + loads)
        recovered = sum(row["recovered"] == "1" for row in rows)
        print(f"{KILLS} kills, {len(rows)} requests, {recovered} settled at a restart: 0 lost, 0 doubled")
        assert fleet.number("SELECT count(DISTINCT (id>>7)&127) FROM request") == 2


def test_requests_are_served_while_the_database_is_away_until_the_slots_are_full(server):
    fleet = Fleet(server, 2, ledger="open_requests_max: 16")
    with fleet:
        first = fleet.gateways[0]
        answers = {}

        def chat():
            status, headers, body = first.chat("hello", model="managed/large")
            if status == 200:
                answers[headers["x-tollgate-request-id"]] = Decimal(headers["x-tollgate-cost-usd"])
            return status, body

        def metric(name):
            return first.metrics()[name][frozenset()]

        assert chat()[0] == 200
        for how in (signal.SIGINT, signal.SIGQUIT):
            wait_until(lambda: metric("tollgate_ledger_requests_waiting") == 0, 30, "all to be written")
            server.stop(how)
            for _ in range(6):
                assert chat()[0] == 200
            wait_until(lambda: metric("tollgate_ledger_reachable") == 0, 30, "a commit to fail")
            status, body = first.admin("/readyz")
            said = json.loads(body)
            assert status == 200 and said["ready"] and "postgresql://" in said["ledger"] and "wait in this gateway's files" in said["ledger"], said
            assert metric("tollgate_ledger_writable") == 1 and metric("tollgate_ledger_requests_waiting") >= 6
            wait_until(lambda: chat()[0] == 503, 60, "the slots to be full")
            wait_until(lambda: metric("tollgate_ledger_writable") == 0, 30, "the next try to see it")
            assert b"ledger_full" in chat()[1]
            assert first.admin("/readyz")[0] == 503
            server.start()
            wait_until(lambda: chat()[0] == 200, 60, "the ledger to be writable")
            wait_until(lambda: metric("tollgate_ledger_reachable") == 1, 30)
            assert first.admin("/readyz")[0] == 200
        fleet.stop()
        rows = {row["request"]: Decimal(row["usd"]) for row in fleet.rows("SELECT request, usd FROM requests")}
        assert rows == answers


def test_a_start_waits_for_the_database(server):
    fleet = Fleet(server, 1)
    gateway = fleet.gateways[0]
    server.stop()
    try:
        starting = threading.Thread(target=gateway.start)
        starting.start()
        wait_until(lambda: (gateway.path / "log").exists() and "this start waits for it" in gateway.log(), 20, "the log to say so")
        server.start()
        starting.join(30)
        assert gateway.chat("hello")[0] == 200
        fleet.stop()
        assert fleet.number("SELECT count(*) FROM request") == 1
    finally:
        if server.process is None:
            server.start()
        fleet.__exit__()


def test_budgets_begin_with_a_gateways_own_spend_and_are_listed_for_all(server):
    budgets = 'budgets:\n  - {name: all, limit_usd: "100", per: month}\n'
    fleet = Fleet(server, 2, budgets)
    with fleet:
        spent = []
        for gateway, count in zip(fleet.gateways, (2, 3)):
            costs = [Decimal(gateway.chat("hello", model="managed/large")[1]["x-tollgate-cost-usd"]) for _ in range(count)]
            spent.append(sum(costs))
        fleet.stop()
        for gateway in fleet.gateways:
            gateway.returncode = None
            gateway.start()
        for gateway, own in zip(fleet.gateways, spent):
            said = json.loads(gateway.admin("/admin/v1/budgets")[1])["budgets"][0]
            assert Decimal(said["spent_usd"]) == own, (said, spent)
        listed = run("budgets", "--json", "--config", fleet.gateways[0].config_path)
        assert Decimal(json.loads(listed.stdout)["budgets"][0]["spent_usd"]) == sum(spent), listed.stdout + listed.stderr
        table = run("budgets", "--config", fleet.gateways[0].config_path).stdout
        assert "All gateways that write this ledger together" in table
        costs = json.loads(run("costs", "--json", "--since", "today", "--config", fleet.gateways[1].config_path).stdout)
        assert costs["total"]["requests"] == 5 and Decimal(costs["total"]["usd"]) == sum(spent)
        for gateway in fleet.gateways:
            gateway.returncode = None
        fleet.stop()


def test_the_pages_what_if_and_advice_read_the_ledger_of_all(server):
    """In processes of their own, which get the password in neither their arguments nor their environment."""
    fleet = Fleet(server, 2, ledger='password: "${DB_PASSWORD}"', environment={"DB_PASSWORD": "hunter2 with: and \\"})
    with fleet:
        for gateway in fleet.gateways:
            for _ in range(4):
                assert gateway.chat("hello", model="auto")[0] == 200
        wait_until(lambda: fleet.number("SELECT count(*) FROM request") == 8)
        first = fleet.gateways[0]
        text = json.loads(first.admin("/admin/v1/config")[1])["text"]
        assert "hunter2" not in text and "postgresql://" in text
        status, _, body = first.request("POST", "/admin/v1/simulate", {"config": text}, port=first.admin_port, timeout=100)
        assert status == 200, body
        assert json.loads(body)["line"].startswith("Replay fidelity: 8 of 8 decisions"), body
        status, body = first.admin("/admin/v1/advice")
        assert status == 200 and json.loads(body), body
        fleet.stop()


def test_connections_that_are_cut_under_load_lose_and_double_nothing(server):
    print("TOLLGATE_SEED", SEED)
    choice = random.Random(SEED)
    fleet = Fleet(server, 2)
    with fleet:
        loads = [Load(gateway, SEED + n) for n, gateway in enumerate(fleet.gateways)]
        for _ in range(40):
            time.sleep(choice.uniform(0.01, 0.1))
            fleet.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='tollgate' AND datname=current_database()")
        time.sleep(0.5)
        for load in loads:
            load.end()
        fleet.stop()
        assert len(check(fleet, loads)) > 50


def test_gateways_that_start_together_agree_on_one_schema(server):
    fleet = Fleet(server, 3)
    starts = [threading.Thread(target=gateway.start) for gateway in fleet.gateways]
    try:
        for each in starts:
            each.start()
        for each in starts:
            each.join()
        for gateway in fleet.gateways:
            assert gateway.chat("hello")[0] == 200
        fleet.stop()
        assert fleet.number("SELECT count(*) FROM request") == 3
    finally:
        fleet.__exit__()


def test_a_pool_is_billed_by_one_gateway(server):
    fleet = Fleet(server, 2, shared=1)
    second = fleet.gateways[1]
    fleet.gateways[0].start()
    try:
        with pytest.raises(RuntimeError) as refused:
            second.start()
        assert "the pool gpu is billed by the gateway on" in str(refused.value)
        assert fleet.gateways[0].stop() == 0
        second.start()      # it has ended: whoever comes next goes on with its bill
        assert second.stop() == 0
        assert fleet.number("SELECT count(*) FROM pool_clock WHERE taken_over=0") == 1
    finally:
        fleet.__exit__()


def test_a_rating_reaches_a_request_that_another_gateway_served(server):
    with Fleet(server, 2, FEEDBACK) as fleet:
        served, rated = fleet.gateways
        _, headers, _ = served.chat("hello", model="managed/large")
        request = headers["x-tollgate-request-id"]
        wait_until(lambda: fleet.number("SELECT count(*) FROM request") == 1)
        status, _, body = rated.request("POST", "/v1/feedback", {"request_id": request, "rating": "good"})
        assert status in (200, 201, 204), body
        assert fleet.rows("SELECT request, verdict FROM outcomes") == [{"request": request, "verdict": "good"}]
        fleet.stop()


def run(*command, environment=None):
    return subprocess.run([PROGRAM, *map(str, command)], capture_output=True, text=True, cwd=ROOT, env={**os.environ, **(environment or {})})


DAY = 86_400
PERIOD = [part for name, moment in (("--since", time.time() - DAY), ("--until", time.time() + DAY))
          for part in (name, time.strftime("%Y-%m-%d", time.gmtime(moment)))]
COMMANDS = [["costs", "--by", "team,day", "--json", "--baselines", *PERIOD], ["costs", "--by", "target,hour,outcome", "--json", *PERIOD],
            ["costs", "--by", "key,tier,model,route", "--csv", *PERIOD], ["costs", "--focus", *PERIOD],
            ["costs", "--pools", "--by", "pool,hour", "--json", *PERIOD], ["prove", "--constraint", "phi-stays-home", "--all", "--json", *PERIOD],
            ["outcomes", "--json", *PERIOD], ["outcomes", "--list", "--json", *PERIOD], ["advise", "--json", *PERIOD], ["budgets", "--json"],
            ["simulate", "--json", *PERIOD], ["calibrate", "--strong-share", "0.3", "--json", *PERIOD], ["train", "--dry-run", "--json"]]


def test_every_command_reads_a_copy_as_it_reads_the_original(server):
    budgets = 'budgets:\n  - {name: all, limit_usd: "100", per: month}\n'
    baselines = "baselines:\n  - {name: all-managed, target: managed/large}\n"
    complexity = "complexity: {correction: none.json}\n"
    with Gateway(CONFIG + budgets + baselines + FEEDBACK + complexity) as gateway:
        choice = random.Random(SEED)
        for n in range(120):
            headers = {"x-data-class": "phi"} if n % 4 == 0 else {}
            status, answered, _ = gateway.chat("word " * choice.randint(1, 400), model=choice.choice(["auto", "managed/large", "gpu/llama"]), headers=headers)
            if status == 200 and n % 3 == 0:
                gateway.request("POST", "/v1/feedback", {"request_id": answered["x-tollgate-request-id"], "rating": choice.choice(["good", "bad"])})
        assert gateway.stop() == 0, gateway.log()
        database = server.fresh_database()
        url = server.url(database)
        for again in (False, True):
            copied = run("ledger", "copy", "--from", gateway.ledger_path, "--to", url, "--json")
            assert copied.returncode == 0, copied.stderr
            tables = json.loads(copied.stdout)["tables"]
            assert tables["request"]["read"] >= 120
            assert all(table["written"] == (0 if again else table["read"]) for table in tables.values()), tables
        for command in COMMANDS:
            outputs = []
            for ledger, shown in ((str(gateway.ledger_path), str(gateway.ledger_path)), (url, url.split("?")[0])):
                done = run(command[0], "--config", gateway.config_path, "--ledger", ledger, *command[1:])
                assert done.returncode in (0, 1), (command, done.stderr)
                outputs.append((done.returncode, done.stdout.replace(shown, "LEDGER").replace('"all_gateways": true', '"all_gateways": false')))
            assert outputs[0] == outputs[1], command


def test_a_ledger_that_cannot_be_reached_is_said_without_its_password(server, tmp_path):
    config = tmp_path / "tollgate.yaml"
    environment = {"PASSWORD": "hunter2"}
    away = '{url: "postgresql://me@127.0.0.1:1/ledger?sslmode=disable", password: "${PASSWORD}", start_wait_seconds: 0, files: OWN}'
    config.write_text(CONFIG.replace('{url: "sqlite:LEDGER"}', away.replace("OWN", str(tmp_path / "own"))))
    assert run("check", "--config", config, environment=environment).returncode == 0
    for command in (["serve"], ["costs"], ["outcomes"]):
        done = run(*command, "--config", config, environment=environment)
        assert done.returncode == 3, done
        assert "hunter2" not in done.stdout + done.stderr
        assert "postgresql://me@127.0.0.1:1/ledger" in done.stderr, done.stderr
    config.write_text(CONFIG.replace("sqlite:LEDGER", "postgresql://me:${PASSWORD}@127.0.0.1:1/ledger"))
    done = run("check", "--config", config, environment=environment)
    assert done.returncode == 1 and "password_file" in done.stderr and "hunter2" not in done.stdout + done.stderr
    secret = tmp_path / "password"
    secret.write_text("hunter3\n")
    database = server.fresh_database()
    config.write_text(CONFIG.replace('{url: "sqlite:LEDGER"}', f'{{url: "{server.url(database)}", password_file: "{secret}", files: "{tmp_path}/own"}}'))
    assert "holds no tollgate ledger" in run("costs", "--config", config).stderr


def test_tls_is_what_the_url_asks_for(tmp_path):
    with PostgresServer(tls=True) as server:
        database = server.fresh_database()
        secret = tmp_path / "password"
        secret.write_text("hunter2\n")

        def ledger(parameters, host="localhost"):
            return f'{{url: "postgresql://tollgate@{host}:{server.port}/{database}?{parameters}", password_file: "{secret}", files: "LEDGER", start_wait_seconds: 0}}'

        def configured(parameters, **place):
            return CONFIG.replace('{url: "sqlite:LEDGER"}', ledger(parameters, **place))

        with Gateway(configured(f"sslmode=verify-full&sslrootcert={server.certificate}")) as gateway:
            assert gateway.chat("hello")[0] == 200
            wait_until(lambda: server.number(database, "SELECT count(*) FROM request") == 1)
            used = server.rows(database, "SELECT ssl, version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename='tollgate'")
            assert used and all(row["ssl"] == "t" and row["version"] == "TLSv1.3" for row in used), used
            text = json.loads(gateway.admin("/admin/v1/config")[1])["text"]       # the page's what-if connects with the password, too
            status, _, body = gateway.request("POST", "/admin/v1/simulate", {"config": text}, port=gateway.admin_port, timeout=100)
            assert status == 200 and json.loads(body)["line"].startswith("Replay fidelity: 1 of 1"), body
            assert gateway.stop() == 0
        config = tmp_path / "tollgate.yaml"
        stranger = tmp_path / "stranger.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key", "-out", stranger, "-subj", "/CN=localhost", "-days", "2"],
                       check=True, capture_output=True)
        for parameters, place, why in ((f"sslmode=verify-full&sslrootcert={stranger}", {}, "certificate"),
                                       (f"sslmode=verify-full&sslrootcert={server.certificate}", {"host": "127.0.0.1"}, "does not match"),
                                       ("sslmode=disable", {}, "no encryption")):
            config.write_text(configured(parameters, **place).replace("LEDGER", str(tmp_path / "own")))
            for command in ("serve", "costs"):
                refused = run(command, "--config", config)
                assert refused.returncode == 3 and why in refused.stderr and "hunter2" not in refused.stderr, refused.stderr
        secret.write_text("wrong\n")
        config.write_text(configured("sslmode=require").replace("LEDGER", str(tmp_path / "own")))
        assert "password authentication failed" in run("costs", "--config", config).stderr
