"""docs/openapi/admin.yaml held against the running server: what is documented answers in the documented shape, what is served is documented."""

import json
import re

import pytest
import yaml
from gateway import CONFIG, ROOT, wait_until
from shape import misshapen, resolved

DOCUMENT = yaml.safe_load((ROOT / "docs/openapi/admin.yaml").read_text())
GATEWAY_CONFIG = CONFIG.replace("backends:\n", """\
backends:
  burst: {dialect: vllm, simulated: {seed: 3}, pool: {billing: serverless, gpus: 1, usd_per_gpu_second: "0.001"}, models: {small: {}}}
""", 1) + """\
baselines:
  - {name: all-managed, target: managed/large}
budgets:
  - {name: all, limit_usd: "100", per: month}
  - {name: lately, limit_usd: "5", rolling: 1h, mode: soft, when_over: warn}
"""
PROMPT = {"request": {"model": "auto", "messages": [{"role": "user", "content": "What is the capital of France?"}]}}
BODIES = {"/admin/v1/check": {"config": CONFIG}, "/admin/v1/simulate": {"config": CONFIG}}
OPERATIONS = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item]


def shape_of(operation, status, content_type):
    answer = resolved(DOCUMENT, operation["responses"][str(status)])
    return answer["content"][content_type.split(";")[0]]["schema"]


def ask(gateway, path, method, body=None, headers=None):
    status, got, answer = gateway.request(method.upper(), path, body, headers, port=gateway.admin_port)
    return status, got["content-type"], answer


@pytest.fixture(scope="module")
def busy(gateway):
    """One with decisions to show."""
    for prompt in ("Hello", "Prove that there are infinitely many primes.", "x" * 500):
        assert gateway.chat(prompt)[0] == 200
    gateway.chat("Hello", model="no-such-model")
    wait_until(lambda: len(json.loads(gateway.admin("/admin/v1/decisions")[1])["decisions"]) == 4, 10, "the decisions")
    return gateway


def path_to_ask(gateway, path):
    path = path.replace("{name}", "burst" if path.endswith("/warm") else "gpu")
    if "{id}" not in path:
        return path
    return path.replace("{id}", json.loads(gateway.admin("/admin/v1/decisions?limit=1")[1])["decisions"][0]["id"])


@pytest.mark.parametrize("path, method", [each for each in OPERATIONS if each[0] != "/admin/v1/events"])
def test_what_is_documented_answers_as_documented(busy, path, method):
    operation = DOCUMENT["paths"][path][method]
    status, content_type, answer = ask(busy, path_to_ask(busy, path), method, BODIES.get(path, PROMPT) if "requestBody" in operation else None)
    assert status == min(map(int, operation["responses"])), answer
    schema = shape_of(operation, status, content_type)
    if content_type.startswith("application/json"):
        assert list(misshapen(DOCUMENT, schema, json.loads(answer))) == []


def test_events_are_overviews_and_decisions(busy):
    events = busy.events(3)
    schemas = {"overview": {"$ref": "#/components/schemas/Overview"}, "decisions": {"type": "array", "items": {"$ref": "#/components/schemas/Decision"}}}
    assert {name for name, _ in events} == set(schemas)
    for name, data in events:
        assert list(misshapen(DOCUMENT, schemas[name], data)) == []


def test_decisions_have_no_members_that_are_not_documented(busy):
    decision = json.loads(busy.admin("/admin/v1/decisions")[1])["decisions"][0]
    brief, whole = (DOCUMENT["components"]["schemas"][name]["properties"] for name in ("Decision", "WholeDecision"))
    assert set(decision) == set(brief)
    assert set(json.loads(busy.admin(f"/admin/v1/decisions/{decision['id']}")[1])) == set(brief) | set(whole)


REFUSALS = [("/admin/v1/decisions?limit=0", "get", None, 400), ("/admin/v1/decisions?limit=many", "get", None, 400), ("/admin/v1/decisions/req_none", "get", None, 404),
            ("/admin/v1/explain", "post", {}, 400), ("/admin/v1/explain", "post", {"request": {"model": "auto"}}, 400), ("/admin/v1/send", "post", {"request": 1}, 400),
            ("/admin/v1/check", "post", {}, 400), ("/admin/v1/simulate", "post", {"config": "nonsense: 1"}, 400), ("/admin/v1/simulate", "post", {"config": CONFIG, "since": "soon"}, 400),
            ("/admin/v1/simulate", "post", {"config": CONFIG, "since": "2026-01-01", "until": "2026-01-02"}, 404), ("/admin/v1/advice?since=soon", "get", None, 400),
            ("/admin/v1/advice?html=x", "get", None, 400),
            ("/admin/v1/send", "post", {"request": {**PROMPT["request"], "model": "no-such-model"}}, 404),
            ("/admin/v1/backends/gpu/warm", "post", None, 409), ("/admin/v1/backends/gpu/warm", "get", None, 404)]


@pytest.mark.parametrize("path, method, body, status", REFUSALS)
def test_refusals_are_documented_too(busy, path, method, body, status):
    got, content_type, answer = ask(busy, path, method, body)
    documented = re.sub(r"/decisions/.*", "/decisions/{id}", path.split("?")[0]).replace("/gpu/", "/{name}/")
    assert got == status, answer
    assert list(misshapen(DOCUMENT, shape_of(DOCUMENT["paths"][documented][method], got, content_type), json.loads(answer))) == []


def test_every_path_that_the_server_knows_is_documented():
    known = set()
    for source in sorted((ROOT / "gateway/admin").glob("*.cpp")):
        known |= set(re.findall(r'"(/(?:admin/v1/[a-z_/]+|-/[a-z]+|metrics|healthz|readyz|))"', source.read_text()))
    known = {path if path == "/" else path.rstrip("/") for path in known}      # what goes on is named below it
    assert known <= {path.replace("/{id}", "") for path in DOCUMENT["paths"]} | set(DOCUMENT["paths"])
    assert {path for path in DOCUMENT["paths"] if "{" not in path} <= known


@pytest.mark.parametrize("path, method", OPERATIONS)
def test_another_method_is_refused_and_says_which_is_right(busy, path, method):
    known = {each.upper() for each in DOCUMENT["paths"][path]}
    assert method.upper() in known
    other = next(each for each in ("POST", "GET", "DELETE") if each not in known)
    status, headers, _ = busy.request(other, path_to_ask(busy, path), {}, port=busy.admin_port)
    assert (status, set(headers["allow"].split(", "))) == (405, known)


def test_what_is_not_documented_is_not_there(busy):
    assert ask(busy, "/admin/v1/nothing", "get")[0] == 404
