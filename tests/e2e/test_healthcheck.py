"""tollgate healthcheck: what containers and service managers ask."""

import socket
import subprocess

from gateway import CONFIG, PROGRAM, Gateway


def healthcheck(*arguments):
    return subprocess.run([PROGRAM, "healthcheck", *map(str, arguments)], capture_output=True, text=True, timeout=20)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_a_gateway_that_can_serve_is_well(gateway):
    url = f"http://127.0.0.1:{gateway.admin_port}"
    for more in ([], ["--live"]):
        asked = healthcheck("--url", url, *more)
        assert asked.returncode == 0 and asked.stdout, asked.stderr
    quiet = healthcheck("--url", url + "/", "--quiet")
    assert quiet.returncode == 0 and not quiet.stdout + quiet.stderr


def test_the_configuration_says_where_the_gateway_is():
    port = free_port()
    with Gateway(CONFIG.replace('admin: {listen: "127.0.0.1:0"}', f'admin: {{listen: "127.0.0.1:{port}"}}')) as running:
        asked = healthcheck("--config", running.config_path)
        assert asked.returncode == 0, asked.stderr
    asked = healthcheck("--url", f"http://127.0.0.1:{port}")
    assert asked.returncode == 3 and str(port) in asked.stderr


def test_what_it_cannot_ask_it_says(gateway):
    free = healthcheck("--config", gateway.config_path)     # port 0: any free one
    assert free.returncode == 2 and "--url" in free.stderr
    wrong = healthcheck("--url", "https://somewhere")
    assert wrong.returncode == 2 and "http://127.0.0.1:9090" in wrong.stderr
    missing = healthcheck("--config", "/nowhere/tollgate.yaml")
    assert missing.returncode != 0 and "/nowhere/tollgate.yaml" in missing.stderr


def test_as_json_it_says_the_same_to_programs(gateway):
    import json
    url = f"http://127.0.0.1:{gateway.admin_port}"
    for more, answer in ([], None), (["--live"], "ok"):
        asked = healthcheck("--url", url, "--json", *more)
        said = json.loads(asked.stdout)
        assert asked.returncode == 0 and (said["ok"], said["status"], said["error"]) == (True, 200, None)
        assert said["answer"] == answer if answer else said["answer"]["ready"]
    asked = healthcheck("--url", f"http://127.0.0.1:{free_port()}", "--json")
    said = json.loads(asked.stdout)
    assert asked.returncode == 3 and (said["ok"], said["status"]) == (False, None) and said["error"]
