"""Rules tried and advice asked for through the admin port: the same as the command line says, without secrets, without harm."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
from decimal import Decimal

import pytest
from gateway import CONFIG, PROGRAM, Gateway, wait_until

KEY, AWAY = "sk-live-0123456789abcdef", "sk-of-the-environment-42"
WITH_SECRETS = CONFIG.replace("    dialect: openai\n", f"    dialect: openai\n    api_key: {KEY}   # ours\n").replace("    trust: internal\n", "    trust: internal\n    api_key: ${GPU_KEY}\n", 1)
EASY, HARD = "Hi", "Prove rigorously that every finite group of odd order is solvable, derive each lemma step by step, and compare three alternative proofs."


def post(gateway, path, body, headers=None, timeout=100):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=timeout)
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json", **(headers or {})})
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, answer.headers, text


def get(gateway, path):
    status, headers, text = gateway.request("GET", path, port=gateway.admin_port)
    return status, headers, text


def simulations_of(gateway):
    pid, found = gateway.process.pid, []
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        for child in file.read().split():
            try:
                if b"simulate" in pathlib.Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
            except (FileNotFoundError, ProcessLookupError):
                pass
    return found


def caught(gateway):
    """The process of a simulation that was just asked for, standing still from now on."""
    end = time.monotonic() + 20
    while not (found := simulations_of(gateway)):
        assert time.monotonic() < end, "no simulation was started"
    os.kill(found[0], signal.SIGSTOP)
    return found[0]


@pytest.fixture(scope="module")
def busy():
    with Gateway(WITH_SECRETS, {"GPU_KEY": AWAY}) as gateway:
        for _ in range(10):
            assert gateway.chat(EASY)[0] == 200
            assert gateway.chat(HARD)[0] == 200
            assert gateway.chat(HARD, headers={"x-data-class": "phi"})[0] == 200
        wait_until(lambda: gateway.rows("SELECT count(*) AS n FROM requests")[0]["n"] == 30, 10, "the ledger")
        yield gateway


@pytest.fixture
def text(busy):
    return json.loads(get(busy, "/admin/v1/config")[2])["text"]


def test_the_text_to_start_from_holds_no_secret(busy, text):
    assert KEY not in text and AWAY not in text
    assert "api_key: ${GPU_KEY}\n" in text and "TOLLGATE_KEPT_1:?" in text and "   # ours\n" in text
    written = busy.config_path.read_text()
    assert len(text.splitlines()) == len(written.splitlines())
    assert text.replace(text.split("api_key: ")[2].split("   #")[0], KEY) == written


def test_unchanged_it_is_valid_and_moves_nothing(busy, text):
    checked = json.loads(post(busy, "/admin/v1/check", {"config": text})[2])
    assert checked["valid"] is True and checked["errors"] == []
    status, _, answer = post(busy, "/admin/v1/simulate", {"config": text})
    report = json.loads(answer)
    assert status == 200, answer
    assert report["line"].startswith("Replay fidelity: 30 of 30 decisions") and report["changed"] == 0 and report["cost"]["usd_difference"] == "0"
    assert report["after"] == "the edited configuration" and report["not_known"]["left_out"] == 0


def test_the_report_is_that_of_the_command_line(busy, text, tmp_path):
    edited = text.replace("among: [gpu/llama, managed/large]", "among: [managed/large]")
    until = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 5))
    status, _, answer = post(busy, "/admin/v1/simulate", {"config": edited, "since": "today", "until": until, "scale": 2, "seed": 7})
    assert status == 200, answer
    (tmp_path / "new.yaml").write_text(busy.config_path.read_text().replace("among: [gpu/llama, managed/large]", "among: [managed/large]"))
    ran = subprocess.run([PROGRAM, "simulate", "--config", tmp_path / "new.yaml", "--against", busy.config_path, "--since", "today", "--until", until, "--scale", "2", "--seed", "7", "--json"],
                         capture_output=True, text=True, timeout=100, env={**os.environ, "GPU_KEY": AWAY}, check=True)
    mine, theirs = json.loads(answer), json.loads(ran.stdout)
    for report in (mine, theirs):
        for name in ("before", "after"):
            report.pop(name)
    assert mine == theirs
    assert mine["changed"] > 0 and Decimal(mine["cost"]["usd_difference"]) > 0


def test_mistakes_have_their_place(busy, text):
    edited = text.replace("choose: cheapest", "choose: dearest")
    line = edited.splitlines().index("    choose: dearest") + 1
    errors = json.loads(post(busy, "/admin/v1/check", {"config": edited})[2])["errors"]
    assert errors[0]["line"] == line and errors[0]["column"] == 13 and "dearest" in errors[0]["message"]
    status, _, answer = post(busy, "/admin/v1/simulate", {"config": edited})
    error = json.loads(answer)["error"]
    assert status == 400 and error["code"] == "invalid_config" and error["findings"][0]["line"] == line and "/dev/fd" not in answer.decode()
    assert json.loads(post(busy, "/admin/v1/check", {"config": "a: [1\n"})[2])["valid"] is False


@pytest.mark.parametrize("line", ["prices: {file: /etc/passwd}", "prices: {file: /nonexistent}"])
def test_no_file_is_read_that_the_configuration_in_force_does_not_name(busy, text, line):
    for path in ("/admin/v1/check", "/admin/v1/simulate"):
        answer = post(busy, path, {"config": text + line + "\n"})[2].decode()
        assert "is not named by the configuration in force" in answer and "root:" not in answer


def test_no_variable_of_the_gateway_gets_out(busy, text):
    for name in ("GPU_KEY", "TOLLGATE_KEPT_1", "PATH", "HOME"):
        edited = text.replace("- name: auto", f"- name: r-${{{name}}}", 1) + f"# ${{{name}}}\n"
        for path in ("/admin/v1/check", "/admin/v1/simulate"):
            answer = post(busy, path, {"config": edited})[2].decode()
            assert KEY not in answer and AWAY not in answer and os.environ["PATH"] not in answer
    answer = post(busy, "/admin/v1/check", {"config": text + 'log: {level: "${PATH}"}\n'})[2].decode()
    assert os.environ["PATH"] not in answer


def test_nothing_in_force_changes(busy, text):
    before = get(busy, "/admin/v1/config")[2], busy.config_path.read_bytes()
    post(busy, "/admin/v1/simulate", {"config": text.replace("choose: cheapest", "choose: first")})
    assert (get(busy, "/admin/v1/config")[2], busy.config_path.read_bytes()) == before
    assert busy.metrics()["tollgate_config_last_reload_successful"][frozenset()] == 1


def test_progress_comes_as_events(busy, text):
    status, headers, answer = post(busy, "/admin/v1/simulate", {"config": text}, {"accept": "text/event-stream"})
    assert status == 200 and headers["content-type"] == "text/event-stream" and "default-src 'none'" in headers["content-security-policy"]
    name, data = answer.decode().strip().split("\n\n")[-1].split("\n")
    assert name == "event: result" and json.loads(data.removeprefix("data: "))["requests"] == 30
    answer = post(busy, "/admin/v1/simulate", {"config": "x: 1"}, {"accept": "text/event-stream"})[2].decode()
    assert "event: error\n" in answer and '"code":"invalid_config"' in answer


@pytest.mark.parametrize("body", [None, [], {}, {"config": 1}, {"config": "a", "more": 1}, {"config": "a", "since": "x" * 200}, {"config": "a", "since": "a\nb"}, {"config": "a", "add_pool": "gpu"},
                                  {"config": "a", "since": ""}])
def test_what_is_no_question_is_refused(busy, body):
    assert post(busy, "/admin/v1/simulate", body)[0] == 400


def test_options_are_never_taken_for_others(busy, text):
    status, _, answer = post(busy, "/admin/v1/simulate", {"config": text, "since": "--help"})
    assert status == 400 and "--since" in json.loads(answer)["error"]["message"]
    status, _, answer = post(busy, "/admin/v1/simulate", {"config": text, "add_pool": ["cloud"]})
    assert status == 400 and "there is no pool 'cloud'" in json.loads(answer)["error"]["message"]


def test_other_sites_cannot_ask(busy, text):
    for path in ("/admin/v1/check", "/admin/v1/simulate"):
        assert post(busy, path, {"config": text}, {"origin": "http://evil.example"})[0] == 403
        assert post(busy, path, {"config": text}, {"sec-fetch-site": "cross-site"})[0] == 403
        assert post(busy, path, {"config": text}, {"content-type": "text/plain"})[0] == 400
        assert post(busy, path, {"config": text}, {"host": "evil.example"})[0] == 403
    for path in ("/admin/v1/config", "/admin/v1/advice"):
        assert busy.request("GET", path, headers={"sec-fetch-site": "cross-site"}, port=busy.admin_port)[0] == 403


def test_keys_are_asked_for():
    made = json.loads(subprocess.run([PROGRAM, "keys", "new", "--admin", "--name", "ops", "--json"], capture_output=True, text=True, check=True).stdout)
    config = CONFIG.replace('admin: {listen: "127.0.0.1:0"}', f'admin: {{listen: "127.0.0.1:0", keys: [{{name: ops, sha256: {made["sha256"]}}}]}}')
    with Gateway(config) as gateway:
        for method, path in (("GET", "/admin/v1/config"), ("GET", "/admin/v1/advice"), ("POST", "/admin/v1/check"), ("POST", "/admin/v1/simulate")):
            assert gateway.request(method, path, {"config": ""}, port=gateway.admin_port)[0] == 401
        text = json.loads(gateway.request("GET", "/admin/v1/config", headers={"authorization": f"Bearer {made['key']}"}, port=gateway.admin_port)[2])["text"]
        assert made["sha256"] not in text


def stream_of(gateway, body):
    """A simulation under way: its process is running."""
    payload = json.dumps(body).encode()
    client = socket.create_connection(("127.0.0.1", gateway.admin_port))
    client.sendall(b"POST /admin/v1/simulate HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/event-stream\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(payload), payload))
    return client


def test_one_runs_at_a_time_and_ends_when_its_client_leaves(busy, text):
    client = stream_of(busy, {"config": text, "scale": 1000})
    process = caught(busy)
    wait_until(lambda: os.getpriority(os.PRIO_PROCESS, process) == 19, 5, "its priority: set after it started, so that it may be seen before")
    status, _, answer = post(busy, "/admin/v1/simulate", {"config": text})
    assert status == 409 and json.loads(answer)["error"]["code"] == "busy"
    assert busy.chat(EASY)[0] == 200, "serving goes on"
    assert json.loads(post(busy, "/admin/v1/check", {"config": text})[2])["valid"] is True
    client.close()
    wait_until(lambda: not simulations_of(busy), 20, "its end")
    wait_until(lambda: post(busy, "/admin/v1/simulate", {"config": text})[0] == 200, 20, "the gateway to have seen its end")


def test_its_process_holds_no_connection_of_a_client(busy, text):
    done = threading.Event()

    def hold():
        with socket.create_connection(("127.0.0.1", busy.port)):
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    client = stream_of(busy, {"config": text, "scale": 1000})
    try:
        process = caught(busy)
        sockets = []
        for number in os.listdir(f"/proc/{process}/fd"):
            try:
                sockets.append(os.readlink(f"/proc/{process}/fd/{number}"))
            except FileNotFoundError:
                pass
        assert not [each for each in sockets if each.startswith("socket:")]
    finally:
        done.set()
        holder.join()
        client.close()


def test_a_gateway_that_stops_takes_its_simulation_along():
    with Gateway() as gateway:
        assert gateway.chat(EASY)[0] == 200
        wait_until(lambda: gateway.rows("SELECT count(*) AS n FROM requests")[0]["n"] == 1, 10, "the ledger")
        text = json.loads(get(gateway, "/admin/v1/config")[2])["text"]
        client = stream_of(gateway, {"config": text, "scale": 1000})
        process = caught(gateway)
        assert gateway.stop() == 0
        client.close()
        assert not os.path.exists(f"/proc/{process}")


def test_an_empty_ledger_is_said():
    with Gateway() as gateway:
        text = json.loads(get(gateway, "/admin/v1/config")[2])["text"]
        status, _, answer = post(gateway, "/admin/v1/simulate", {"config": text})
        assert status == 404 and json.loads(answer)["error"]["code"] == "no_requests"
        status, _, answer = get(gateway, "/admin/v1/advice")
        assert (status, json.loads(answer)) == (200, [])


def test_more_requests_than_asked_for_are_left_out_and_counted(busy):
    ran = subprocess.run([PROGRAM, "simulate", "--config", busy.config_path, "--since", "1h", "--requests-max", "10", "--json", "--progress"], capture_output=True, text=True, timeout=100,
                         env={**os.environ, "GPU_KEY": AWAY}, check=True)
    report = json.loads(ran.stdout)
    assert report["requests"] == 10 and report["not_known"]["left_out"] == busy.rows("SELECT count(*) AS n FROM requests")[0]["n"] - 10
    for line in ran.stderr.splitlines():
        assert set(json.loads(line)["progress"]) == {"step", "share"}


def test_advice_is_that_of_the_command_line_and_kept(busy):
    status, headers, answer = get(busy, "/admin/v1/advice")
    assert status == 200, answer
    pages = json.loads(answer)
    assert {page["target"] for page in pages} == {"gpu/llama", "managed/large"}
    again = get(busy, "/admin/v1/advice")
    assert again[2] == answer and int(again[1]["age"]) >= int(headers["age"]) >= 0
    metrics = busy.metrics()
    (own,) = [page for page in pages if page["target"] == "gpu/llama"]
    for tier in ("serverless", "dedicated", "owned"):
        said = next(Decimal(each["per_month"]["usd"]) for each in own["tiers"] if each["tier"] == tier)
        assert float(metrics["tollgate_advice_usd_per_month"][frozenset({("workload", "gpu/llama"), ("tier", tier)})]) == pytest.approx(float(said))
    assert metrics["tollgate_advice_info"][frozenset({("workload", "gpu/llama"), ("advice", own["advice"])})] == 1
    asked = "tokens_per_day=30M&model=llama-3.3-70b&gpu=h100x2&no_team"
    ran = subprocess.run([PROGRAM, "advise", "--tokens-per-day", "30M", "--model", "llama-3.3-70b", "--gpu", "h100x2", "--no-team", "--json"], capture_output=True, text=True, timeout=60, check=True)
    assert get(busy, "/admin/v1/advice?" + asked)[2].decode() == ran.stdout


def test_advice_takes_what_the_pool_is_configured_with(busy):
    (own,) = json.loads(get(busy, "/admin/v1/advice?target=gpu/llama&since=1h")[2])
    assert (own["gpu"], own["gpus_per_replica"]) == ("H100", 2)
    (rented,) = [tier for tier in own["tiers"] if tier["tier"] == "dedicated"]
    assert "own price" in rented["where"]
    hardware = sum(Decimal(line["per_month"]["usd"]) for line in rented["lines"] if line["what"] != "operations")
    assert hardware == pytest.approx(Decimal("4.98") * 730 * own["replicas"], rel=Decimal("1e-6"))
    assert own["constrained_share"] > 0 and "under a constraint" in own["decision"][1]["found"]
    assert get(busy, "/admin/v1/advice?gpu=%zz")[0] == 400 and get(busy, "/admin/v1/advice?json=1")[0] == 400
