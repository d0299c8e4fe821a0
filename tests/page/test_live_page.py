"""The live page's HTTP: its files and their policy, its stream, explaining and sending, and what other sites may not do."""

import base64
import hashlib
import json
import re
import time

from gateway import CONFIG, ROOT, Gateway, wait_until

GATEWAY_CONFIG = CONFIG + """\
baselines:
  - {name: all-managed, target: managed/large}
"""
HOSTILE = "<img src=x onerror=alert(1)>\"'`${7*7}"


def typed(content, model="auto", headers=None, **more):
    return {"request": {"model": model, "messages": [{"role": "user", "content": content}], **more}, "headers": headers or {}}


def post(gateway, path, body, headers=None):
    return gateway.request("POST", path, body, headers, port=gateway.admin_port)


def get(gateway, path, headers=None):
    return gateway.request("GET", path, headers=headers, port=gateway.admin_port)


def newest(gateway, **wanted):
    """The newest decision that has these members; a request is sampled just after its answer is out."""
    def find():
        decisions = json.loads(gateway.admin("/admin/v1/decisions")[1])["decisions"]
        return next((each for each in decisions if all(each[name] == value for name, value in wanted.items())), None)

    brief = wait_until(find, 10, f"a decision with {wanted}")
    return brief, json.loads(gateway.admin(f"/admin/v1/decisions/{brief['id']}")[1])


def files_of_page(gateway):
    """What the page loads: the files that it names, and those that its scripts import."""
    found, left = set(), re.findall(r'(?:src|href)="(/page/[^"]+)"', gateway.admin("/")[1])
    while left:
        path = left.pop()
        if path not in found and path.endswith(".js"):
            left += [f"/page/{name}" for name in re.findall(r'from "\./([a-z]+\.js)"', gateway.admin(path)[1])]
        found.add(path)
    return found


# -- files and policy --

def test_the_page_and_all_its_parts_are_served_from_the_program(gateway):
    status, headers, body = get(gateway, "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert body.decode() == (ROOT / "gateway/page/index.html").read_text()
    parts = files_of_page(gateway)
    assert parts == {f"/page/{path.name}" for path in (ROOT / "gateway/page").iterdir() if path.suffix != ".html"}
    for part in parts:
        status, headers, body = get(gateway, part)
        assert status == 200 and body.decode() == (ROOT / "gateway" / part.lstrip("/")).read_text()


def test_the_policy_allows_nothing_but_this_origin_and_nothing_within_the_page(gateway):
    for path in ("/", "/page/main.js", "/admin/v1/overview", "/metrics", "/nothing"):
        headers = get(gateway, path)[1]
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    html = gateway.admin("/")[1]
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=", html)


def test_the_page_loads_less_than_150_kb(gateway):
    assert sum(len(get(gateway, path)[2]) for path in files_of_page(gateway) | {"/"}) < 150_000


def test_no_script_turns_text_into_markup():
    for script in (ROOT / "gateway/page").glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script.read_text()), script


# -- decisions --

def test_hostile_names_come_through_as_json_text(gateway):
    gateway.chat("Hello", model=HOSTILE)
    decision, whole = newest(gateway, model=HOSTILE)
    assert decision["outcome"] == "model_not_found" and decision["target"] is None and decision["cost_usd"] == "0"
    assert whole["explanation"]["refused"]["message"]


def test_a_decision_says_what_the_answer_said_and_what_the_ledger_keeps(gateway):
    _, headers, _ = gateway.chat("What is the capital of France?")
    brief, whole = newest(gateway, id=headers["x-tollgate-request-id"])
    assert (brief["target"], brief["reason"], brief["cost_usd"]) == (headers["x-tollgate-target"], headers["x-tollgate-reason"], headers["x-tollgate-cost-usd"])
    (attempt,), (row,) = whole["tries"], gateway.wait_for_row(brief["id"])
    assert (attempt["input_tokens"], attempt["output_tokens"], attempt["target"]) == (row["input"], row["output"], row["target"])
    assert whole["explanation"]["steps"][0]["target"] == brief["target"]


def test_a_streamed_request_is_explained_though_its_text_was_given_up_when_it_began(gateway):
    prompt = "Prove rigorously, with all lemmas, that every finite group of odd order is solvable."
    _, headers, _ = gateway.chat(prompt, stream=True)
    _, whole = newest(gateway, id=headers["x-tollgate-request-id"])
    explained = json.loads(post(gateway, "/admin/v1/explain", typed(prompt))[2])
    assert whole["model"] == "auto" and whole["stream"] is True
    assert whole["explanation"]["complexity"] == explained["complexity"] and whole["explanation"]["complexity"]["terms"]


def test_no_prompt_is_in_anything_that_the_page_gets(gateway):
    _, headers, _ = gateway.chat("The canary sings at dawn 4711")
    brief, whole = newest(gateway, id=headers["x-tollgate-request-id"])
    assert "canary" not in json.dumps([brief, whole]) + json.dumps(gateway.events(2)) + gateway.admin("/admin/v1/overview")[1]


def test_the_stream_brings_new_decisions_within_seconds(gateway):
    before = {decision["id"] for _, data in gateway.events(2) if isinstance(data, list) for decision in data}
    made = gateway.chat("Hello again")[1]["x-tollgate-request-id"]
    assert made not in before
    wait_until(lambda: made in json.dumps(gateway.events(2)), 10, "the decision in the stream")


# -- explaining and sending --

def test_an_explanation_sends_nothing_and_records_nothing(gateway):
    before = len(gateway.engine_requests("gpu")) + len(gateway.engine_requests("managed"))
    requests = json.loads(gateway.admin("/admin/v1/overview")[1])["requests"]["today"]
    status, _, body = post(gateway, "/admin/v1/explain", typed("What is the capital of France?"))
    explained = json.loads(body)
    assert status == 200 and explained["steps"][0]["target"] == "gpu/llama" and explained["complexity"]["tier"] == "SIMPLE"
    assert len(gateway.engine_requests("gpu")) + len(gateway.engine_requests("managed")) == before
    assert json.loads(gateway.admin("/admin/v1/overview")[1])["requests"]["today"] == requests


def test_what_is_explained_is_what_happens_when_it_is_sent(gateway):
    for prompt in ("What is the capital of France?", "Prove rigorously, with all lemmas, that every finite group of odd order is solvable."):
        explained = json.loads(post(gateway, "/admin/v1/explain", typed(prompt))[2])
        status, headers, _ = post(gateway, "/admin/v1/send", typed(prompt))
        assert status == 200 and headers["x-tollgate-target"] == explained["steps"][0]["target"]
        # But for the forecasts, which follow what each reactor has learned meanwhile.
        said, happened = (re.sub(r"\$[0-9.]+", "$", reason) for reason in (explained["steps"][0]["reason"], headers["x-tollgate-reason"]))
        assert said == happened


def test_headers_take_part(gateway):
    hard = "Prove rigorously, with all lemmas, that every finite group of odd order is solvable."
    explained = json.loads(post(gateway, "/admin/v1/explain", typed(hard, headers={"X-Data-Class": "phi"}))[2])
    assert explained["constraints"] == ["phi-stays-home"] and "managed/large" not in [step["target"] for step in explained.get("steps", [])]


def test_what_is_sent_is_streamed_recorded_and_charged_like_any_request(gateway):
    status, headers, body = post(gateway, "/admin/v1/send", typed("Hello", stream=True, usage={"include": True}))
    events = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
    assert status == 200 and headers["content-type"].startswith("text/event-stream") and "content-security-policy" in headers
    (row,) = gateway.wait_for_row(headers["x-tollgate-request-id"])
    assert events[-1]["usage"]["completion_tokens"] == row["output"]


def test_headers_that_would_change_the_request_itself_are_refused(gateway):
    for name in ("authorization", "host", "transfer-encoding", "x-a\r\nb", "x-", "content-length"):
        assert post(gateway, "/admin/v1/send", typed("Hello", headers={name: "1"}))[0] == 400
    assert post(gateway, "/admin/v1/send", typed("Hello", headers={"x-data-class": "phi\r\nauthorization: x"}))[0] == 400


KEYED = CONFIG + """\
auth:
  keys:
    - {name: web, team: web, sha256: "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", models: [auto]}
"""


def test_sending_takes_a_key_where_keys_are_configured():
    with Gateway(KEYED) as gateway:
        assert json.loads(gateway.admin("/admin/v1/overview")[1])["access"]["needs_key"] is True
        assert post(gateway, "/admin/v1/send", typed("Hello"))[0] == 401
        assert post(gateway, "/admin/v1/send", typed("Hello"), {"x-tollgate-api-key": "wrong"})[0] == 401
        assert post(gateway, "/admin/v1/explain", typed("Hello"), {"x-tollgate-api-key": "wrong"})[0] == 403
        key = {"x-tollgate-api-key": "secret"}
        assert post(gateway, "/admin/v1/send", typed("Hello"), key)[0] == 200
        assert post(gateway, "/admin/v1/send", typed("Hello", model="gpu/llama"), key)[0] == 403
        assert post(gateway, "/admin/v1/explain", typed("Hello", model="gpu/llama"), key)[0] == 403
        assert newest(gateway, team="web")
        assert "secret" not in gateway.log()


# -- other sites --

def test_what_a_page_of_another_site_sends_is_refused(gateway):
    own = f"http://127.0.0.1:{gateway.admin_port}"
    for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
                    {"origin": f"http://127.0.0.1:{gateway.port}"}):
        for path in ("/admin/v1/explain", "/admin/v1/send", "/-/reload"):
            assert post(gateway, path, typed("Hello"), headers)[0] == 403, (path, headers)
        assert get(gateway, "/admin/v1/overview", headers)[0] == 403
    assert post(gateway, "/admin/v1/explain", typed("Hello"), {"origin": own, "sec-fetch-site": "same-origin"})[0] == 200


def test_a_form_cannot_send_anything(gateway):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert post(gateway, "/admin/v1/send", typed("Hello"), {"content-type": kind})[0] == 400


def test_a_name_that_leads_here_does_not_open_the_port(gateway):
    for host in ("evil.example", "evil.example:9090", "127.0.0.1.evil.example:80"):
        for path in ("/", "/admin/v1/overview", "/admin/v1/events"):
            assert get(gateway, path, {"host": host})[0] == 403, (path, host)
        assert get(gateway, "/metrics", {"host": host})[0] == 200
    for host in ("localhost", f"localhost:{gateway.admin_port}", "127.0.0.1", "[::1]:9090", "10.0.0.7:9090"):
        assert get(gateway, "/admin/v1/overview", {"host": host})[0] == 200, host


# -- what it costs the gateway --

def test_decisions_are_sampled_and_never_flood_the_page(gateway):
    started = time.monotonic()
    sent = 0
    while time.monotonic() - started < 3:
        sent += gateway.chat("Hi")[0] == 200
    events = [data for name, data in gateway.events(6) if name == "decisions"]
    assert sent >= 40 and all(len(data) <= 50 for data in events)
    assert len(json.loads(gateway.admin("/admin/v1/decisions?limit=200")[1])["decisions"]) <= 200


# -- where a key is asked for --

ADMIN_KEYED = CONFIG.replace('admin: {listen: "127.0.0.1:0"}', 'admin: {listen: "127.0.0.1:0", keys: [{name: ops, sha256: "' + hashlib.sha256(b"admin-secret").hexdigest() + '"}]}')


def test_the_page_its_stream_and_its_box_take_the_admin_key():
    basic = {"authorization": "Basic " + base64.b64encode(b"me:admin-secret").decode()}
    bearer = {"authorization": "Bearer admin-secret"}
    with Gateway(ADMIN_KEYED) as gateway:
        for path in ("/", "/page/main.js", "/admin/v1/overview", "/admin/v1/events", "/admin/v1/decisions", "/metrics"):
            status, headers, _ = get(gateway, path)
            assert status == 401 and headers["www-authenticate"].startswith("Basic"), path
        for path in ("/admin/v1/explain", "/admin/v1/send", "/-/reload"):
            assert post(gateway, path, typed("Hello"))[0] == 401
        for key in (basic, bearer):
            assert get(gateway, "/admin/v1/overview", key)[0] == get(gateway, "/", key)[0] == 200
            assert post(gateway, "/admin/v1/send", typed("Hello"), key)[0] == 200
        # A browser sends what it knows along, whoever asks it to.
        assert post(gateway, "/admin/v1/send", typed("Hello"), {**basic, "origin": "http://evil.example"})[0] == 403
        assert get(gateway, "/admin/v1/overview", {**basic, "host": "gateway.internal:9090"})[0] == 200
        assert get(gateway, "/healthz")[0] == 200
