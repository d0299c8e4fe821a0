"""Keys of the admin port: who gets in with them, what is open without, and that a reload cannot take the last one away."""

import base64
import hashlib
import json
import os
import subprocess

import pytest

from gateway import CONFIG, PROGRAM, Gateway

KEY = "tg-admin-key-of-the-test"
HASH = hashlib.sha256(KEY.encode()).hexdigest()
ADMIN = 'admin: {listen: "127.0.0.1:0"}'
GUARDED = CONFIG.replace(ADMIN, f'admin: {{listen: "127.0.0.1:0", keys: [{{name: ops, sha256: "{HASH}"}}]}}')
GATEWAY_CONFIG = GUARDED


def ask(gateway, path, authorization=None, method="GET"):
    return gateway.request(method, path, headers={"authorization": authorization} if authorization else {}, port=gateway.admin_port)


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("authorization", [f"Bearer {KEY}", f"bearer  {KEY} ", basic("anyone", KEY), basic("", KEY)])
def test_a_key_opens_every_page(gateway, authorization):
    for path in ("/", "/metrics", "/admin/v1/pools", "/admin/v1/budgets"):
        status, _, body = ask(gateway, path, authorization)
        assert status == 200 and body
    assert ask(gateway, "/-/reload", authorization, "POST")[0] == 200


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer ", "Bearer tg-wrong", f"Bearer {HASH}", basic("ops", "wrong"), basic(KEY, ""), "Basic ====",
                                           "Basic " + base64.b64encode(KEY.encode()).decode(), "Basic " + "QUFB" * 2000, f"Digest {KEY}"])
def test_without_a_key_nothing_is_said(gateway, authorization):
    for path, method in (("/", "GET"), ("/metrics", "GET"), ("/admin/v1/pools?x=/healthz", "GET"), ("/-/reload", "POST"), ("/nothing", "GET"), ("/healthz/../metrics", "GET")):
        status, headers, body = ask(gateway, path, authorization, method)
        assert status == 401 and headers["www-authenticate"].startswith("Basic "), path
        assert KEY.encode() not in body and b"tollgate_requests_total" not in body and b"admin.keys" in body


def test_service_managers_need_no_key_and_learn_no_names(gateway):
    for path in ("/healthz", "/readyz"):
        status, _, body = ask(gateway, path)
        assert status == 200 and json.loads(body) == {"ready": True}
    assert b"gpu/llama" in ask(gateway, "/readyz", f"Bearer {KEY}")[2]


def test_a_key_of_a_client_is_none_of_the_admin_port():
    client = hashlib.sha256(b"tg-client").hexdigest()
    with Gateway(GUARDED + f'auth:\n  keys:\n    - {{name: app, team: app, sha256: "{client}"}}\n') as running:
        assert ask(running, "/metrics", "Bearer tg-client")[0] == 401
        assert running.chat(headers={"authorization": f"Bearer {KEY}"})[0] == 401
        assert running.chat(headers={"authorization": "Bearer tg-client"})[0] == 200


def test_commands_take_the_key_from_the_environment(gateway):
    url = f"http://127.0.0.1:{gateway.admin_port}"
    for command in ("pools", "budgets"):
        def run(key):
            environment = {**os.environ, "TOLLGATE_ADMIN_KEY": key}
            return subprocess.run([PROGRAM, command, "--url", url, "--json"], capture_output=True, text=True, timeout=30, env=environment)
        assert run(KEY).returncode == 0
        without, wrong = run(""), run("tg-wrong")
        assert without.returncode == wrong.returncode == 3
        assert "TOLLGATE_ADMIN_KEY" in without.stderr and "TOLLGATE_ADMIN_KEY" in wrong.stderr and "tg-wrong" not in wrong.stderr


def test_an_address_that_others_reach_needs_a_key(tmp_path):
    path = tmp_path / "open.yaml"
    path.write_text(CONFIG.replace(ADMIN, 'admin: {listen: "0.0.0.0:9"}'))
    checked = subprocess.run([PROGRAM, "check", path], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 1 and "admin.keys is empty" in checked.stderr
    path.write_text(GUARDED.replace("127.0.0.1:0\", keys", "0.0.0.0:9\", keys"))
    checked = subprocess.run([PROGRAM, "check", path], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stderr


def test_a_reload_takes_no_key_away_while_others_reach_the_port():
    reachable = GUARDED.replace("127.0.0.1:0\", keys", "0.0.0.0:0\", keys")
    with Gateway(reachable) as running:
        running.write_config(CONFIG)
        status, _, body = ask(running, "/-/reload", f"Bearer {KEY}", "POST")
        assert status == 400 and b"admin port" in body
        assert ask(running, "/metrics")[0] == 401
        second = hashlib.sha256(b"tg-second").hexdigest()
        running.write_config(reachable.replace(HASH, second))
        assert ask(running, "/-/reload", f"Bearer {KEY}", "POST")[0] == 200
        assert ask(running, "/metrics", f"Bearer {KEY}")[0] == 401 and ask(running, "/metrics", "Bearer tg-second")[0] == 200


def test_keys_new_makes_a_key_for_the_admin_port():
    made = subprocess.run([PROGRAM, "keys", "new", "--name", "prometheus", "--admin", "--json"], capture_output=True, text=True, timeout=30)
    key = json.loads(made.stdout)
    assert hashlib.sha256(key["key"].encode()).hexdigest() == key["sha256"] and "team" not in key
    shown = subprocess.run([PROGRAM, "keys", "new", "--name", "prometheus", "--admin"], capture_output=True, text=True, timeout=30).stdout
    assert "admin.keys" in shown and "team" not in shown
    for wrong in (["--name", "x"], ["--name", "x", "--admin", "--team", "y"]):
        assert subprocess.run([PROGRAM, "keys", "new", *wrong], capture_output=True, timeout=30).returncode == 2
