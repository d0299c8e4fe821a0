"""Start, check, keys, reload, drain, admin pages, logs."""

import hashlib
import json
import signal
import socket
import subprocess
import time

import pytest
from gateway import CONFIG, PROGRAM, ROOT, Gateway, wait_until
from wire import Wire, chat_body


def tollgate(*arguments, **more):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=30, **more)


# -- the command line --

BROKEN = {
    "an unknown key": ("attempts_maximum: 3\n", "attempts_max"),
    "a wrong type": ("attempts_max: many\n", "attempts_max"),
    "a route to an unknown target": ("  - {name: extra, among: [gpu/lama]}\n", "gpu/llama"),
    "an unset variable": ("log: {level: \"${NO_SUCH_VARIABLE}\"}\n", "NO_SUCH_VARIABLE"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_check_names_file_line_column_and_what_would_be_right(tmp_path, name):
    more, expected = BROKEN[name]
    path = tmp_path / "broken.yaml"
    path.write_text(CONFIG + more)
    line = (CONFIG + more).rstrip("\n").count("\n") + 1
    checked = tollgate("check", path)
    assert checked.returncode == 1
    assert f"{path}:{line}:" in checked.stderr
    assert expected in checked.stderr


def test_check_finds_a_file_that_is_not_yaml_and_one_that_is_not_there(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("backends: [unclosed\n")
    assert tollgate("check", path).returncode == 1
    missing = tmp_path / "none.yaml"
    for command in (["check", missing], ["serve", "--config", missing], ["explain", "--config", missing, "Hello"]):
        assert tollgate(*command).returncode == 3, command


def test_check_passes_the_configurations_of_this_repository():
    assert tollgate("check", ROOT / "config/demo.yaml").returncode == 0


def test_serve_does_not_start_on_a_broken_configuration(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text(CONFIG + "unknown: 1\n")
    started = tollgate("serve", "--config", path)
    assert started.returncode == 1 and "unknown" in started.stderr


def test_no_start_without_keys_on_an_address_that_others_reach(tmp_path):
    path = tmp_path / "open.yaml"
    path.write_text(CONFIG.replace('server: {listen: "127.0.0.1:0"', 'server: {listen: "0.0.0.0:0"'))
    started = tollgate("serve", "--config", path)
    assert started.returncode == 1 and "auth" in started.stderr


def test_an_empty_secret_is_an_error(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text(CONFIG.replace("    dialect: openai\n", "    dialect: openai\n    api_key: ${EMPTY}\n"))
    assert tollgate("check", path, env={"EMPTY": ""}).returncode == 1


def test_a_port_that_is_taken_is_an_error_of_its_own(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        path = tmp_path / "taken.yaml"
        path.write_text(CONFIG.replace('listen: "127.0.0.1:0"', f'listen: "127.0.0.1:{taken.getsockname()[1]}"', 1)
                        .replace("LEDGER", str(tmp_path / "l.db")))
        started = tollgate("serve", "--config", path)
    assert started.returncode == 3 and "127.0.0.1" in started.stderr


def test_wrong_usage_is_2():
    assert tollgate("serve", "--no-such-option").returncode == 2
    assert tollgate().returncode == 2
    assert tollgate("--help").returncode == 0


def test_a_key_that_keys_new_makes_opens_the_gateway():
    made = json.loads(tollgate("keys", "new", "--name", "ann", "--team", "research", "--json").stdout)
    assert hashlib.sha256(made["key"].encode()).hexdigest() == made["sha256"]
    keys = f'auth:\n  keys:\n    - {{name: ann, team: research, sha256: "{made["sha256"]}"}}\n'
    with Gateway(CONFIG + keys) as gateway:
        assert gateway.chat()[0] == 401
        status, headers, _ = gateway.chat(headers={"authorization": f"Bearer {made['key']}"})
        assert status == 200
        gateway.wait_for_row(headers["x-tollgate-request-id"])
        row = gateway.rows("SELECT team, key FROM requests WHERE request = ?", headers["x-tollgate-request-id"])[0]
        assert row == {"team": "research", "key": "ann"}
        assert gateway.stop() == 0
        assert made["key"] not in gateway.log()


# -- the admin port --

def test_health_and_readiness(gateway):
    assert gateway.admin("/healthz")[0] == 200
    wait_until(lambda: gateway.admin("/readyz")[0] == 200, 5, "readiness")
    status, body = gateway.admin("/readyz")
    assert json.loads(body)["ready"] is True
    assert gateway.admin("/nothing")[0] == 404
    assert gateway.admin("/metrics", method="POST")[0] == 405


# -- reload --

def second_route(config):
    return config + "  - {name: second, when: {model: second}, choose: first, among: [managed/large]}\n"


@pytest.mark.parametrize("by", ["signal", "file", "admin"])
def test_a_good_configuration_takes_effect_and_open_streams_go_on(by):
    with Gateway() as gateway, Wire(gateway.port) as wire:
        wire.post(chat_body("[[sim-tokens: 300]]", model="gpu/llama", stream=True))
        assert wire.head()[0] == 200
        assert gateway.chat(model="second")[0] == 404
        gateway.write_config(second_route(CONFIG))
        if by == "signal":
            gateway.process.send_signal(signal.SIGHUP)
        if by == "admin":
            assert gateway.admin("/-/reload", method="POST")[0] == 200
        wait_until(lambda: gateway.chat(model="second")[0] == 200, 10, "the new route")
        body = b""
        while chunk := wire.chunk():
            body += chunk
        assert body.endswith(b"data: [DONE]\n\n")
        assert gateway.metrics()["tollgate_config_last_reload_successful"][frozenset()] == 1


@pytest.mark.parametrize("by", ["signal", "file", "admin"])
def test_a_bad_configuration_keeps_the_old_one_and_says_so(by):
    with Gateway() as gateway:
        gateway.write_config(CONFIG + "nonsense: 1\n")
        if by == "signal":
            gateway.process.send_signal(signal.SIGHUP)
        if by == "admin":
            status, body = gateway.admin("/-/reload", method="POST")
            assert status == 400 and "nonsense" in body
        wait_until(lambda: gateway.metrics()["tollgate_config_last_reload_successful"][frozenset()] == 0, 10, "the failed reload")
        assert gateway.chat()[0] == 200
        assert "nonsense" in gateway.log()
        gateway.write_config(second_route(CONFIG))
        wait_until(lambda: gateway.chat(model="second")[0] == 200, 10, "the mended file")


# -- the end --

def test_sigterm_lets_streams_finish_refuses_new_ones_and_commits():
    with Gateway() as gateway:
        with Wire(gateway.port) as wire:
            wire.post(chat_body("[[sim-tokens: 400]]", model="gpu/llama", stream=True))
            status, headers = wire.head()
            gateway.process.send_signal(signal.SIGTERM)
            wait_until(lambda: gateway.admin("/readyz")[0] == 503, 5, "readiness to go")
            with pytest.raises(OSError):
                socket.create_connection(("127.0.0.1", gateway.port), timeout=2)
            body = b""
            while chunk := wire.chunk():
                body += chunk
            assert body.endswith(b"data: [DONE]\n\n")
        assert gateway.stop() == 0
        rows = gateway.rows("SELECT usage_source, output, result FROM attempts WHERE request = ?", headers["x-tollgate-request-id"])
        assert rows == [{"usage_source": "exact", "output": 400, "result": "ok"}]


def test_sigterm_closes_idle_connections_at_once():
    with Gateway() as gateway:
        with Wire(gateway.port) as idle:
            idle.post(chat_body())
            assert idle.answer().status == 200
            began = time.monotonic()
            assert gateway.stop() == 0
            assert time.monotonic() - began < 3
            assert idle.closed()


def test_a_stream_that_does_not_end_in_time_is_cut_and_still_in_the_ledger():
    config = CONFIG.replace("reactors: 2}", "reactors: 2, drain_seconds: 0.5}")
    with Gateway(config) as gateway:
        with Wire(gateway.port) as wire:
            wire.post(chat_body("[[sim-tokens: 100000]]", model="gpu/llama", stream=True))
            _, headers = wire.head()
            wire.chunk()
            began = time.monotonic()
            assert gateway.stop() == 0
            assert time.monotonic() - began < 5
        rows = gateway.rows("SELECT usage_source, output FROM attempts WHERE request = ?", headers["x-tollgate-request-id"])
        assert rows[0]["usage_source"] == "continuous" and rows[0]["output"] > 0


def test_a_second_sigterm_ends_at_once():
    with Gateway() as gateway, Wire(gateway.port) as wire:
        wire.post(chat_body("[[sim-tokens: 100000]]", model="gpu/llama", stream=True))
        wire.head()
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: gateway.admin("/readyz")[0] == 503, 5, "the drain")
        began = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        gateway.returncode = gateway.process.wait(10)
        assert time.monotonic() - began < 5


def test_killed_at_work_the_ledger_loses_nothing():
    with Gateway() as gateway:
        with Wire(gateway.port) as wire:
            wire.post(chat_body("[[sim-tokens: 100000]]", model="gpu/llama", stream=True))
            _, headers = wire.head()
            done = [gateway.chat()[1]["x-tollgate-request-id"] for _ in range(20)]
            for _ in range(200):
                wire.chunk()
            gateway.process.kill()
            gateway.process.wait()
        gateway.start()
        for request in done:
            assert len(gateway.wait_for_row(request)) == 1
        cut = gateway.wait_for_row(headers["x-tollgate-request-id"])
        assert cut[0]["usage_source"] == "continuous" and cut[0]["output"] > 0
        assert gateway.rows("SELECT recovered FROM requests WHERE request = ?", headers["x-tollgate-request-id"]) == [{"recovered": 1}]


# -- logs --

@pytest.mark.parametrize("form", ["text", "json"])
def test_the_access_log_has_a_line_per_request_and_no_prompt_and_no_key(form):
    key = "tg-" + "c4" * 32
    keys = f'auth:\n  keys:\n    - {{name: canary, team: qa, sha256: "{hashlib.sha256(key.encode()).hexdigest()}"}}\n'
    with Gateway(CONFIG + keys + f"log: {{format: {form}}}\n") as gateway:
        authorization = {"authorization": f"Bearer {key}"}
        prompt, answer = "canary-in-the-prompt", "canary-in-the-answer"
        seen = [gateway.chat(f"{prompt} [[sim-echo: {answer}]]", headers=authorization)[1],
                gateway.chat(f"{prompt} [[sim-echo: {answer}]]", headers=authorization, stream=True)[1],
                gateway.chat(f"{prompt} [[sim-fault: status=500]]", model="managed/large", headers=authorization)[1],
                gateway.chat(f"{prompt}", headers={"authorization": "Bearer tg-canary-of-a-wrong-key"})[1]]
        gateway.request("POST", "/v1/chat/completions", b'{"model": "auto", "canary-in-the-prompt', authorization)
        assert gateway.stop() == 0
        log = gateway.log()
        ids = [headers["x-request-id"] for headers in seen]
        lines = [line for line in log.splitlines() if any(request in line for request in ids)]
        assert len(lines) == len(ids)
        if form == "json":
            assert all(json.loads(line) for line in log.splitlines())
        ledger = b"".join(path.read_bytes() for path in gateway.path.glob("ledger.db*"))
        for secret in (prompt, answer, key, key[3:], "tg-canary"):
            assert secret not in log
            assert secret.encode() not in ledger
