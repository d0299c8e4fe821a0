"""Endpoints that are passed through: what goes up and what does not, where it goes, what comes back and how, what it costs, and what the
rules make of requests that cannot be read."""

import hashlib
import http.client
import json
import os
import socket
import threading
from decimal import Decimal

import pytest
from gateway import Gateway, total, wait_until
from passing import CONFIG, KEYS, Passed, file_says, form, make_file, passed, quiet  # noqa: F401


def test_a_request_goes_up_with_the_targets_model_and_its_answer_comes_back(passed):
    says = lambda handler: handler.reply(201, b'{"data": [ ]}', "application/json; charset=utf-8")
    status, headers, answer = passed.ask("POST", "/v1/images/generations?x=1&y=%20", b'{"prompt":"a  cat", "model" : "up/pictures","n":1}', says)
    assert (status, answer, headers["content-type"], headers["content-length"]) == (201, b'{"data": [ ]}', "application/json; charset=utf-8", "13")
    asked = passed.up.asked[0]
    assert (asked["method"], asked["path"]) == ("POST", "/v1/images/generations?x=1&y=%20")
    assert asked["body"] == b'{"prompt":"a  cat", "model" : "pictures-1","n":1}', "nothing but the model's name was changed"
    assert (headers["x-tollgate-route"], headers["x-tollgate-target"]) == ("direct", "up/pictures")


def test_a_form_goes_up_with_the_targets_model_wherever_it_stands(passed):
    sound = bytes(range(256)) * 20
    for order in (lambda model, file: (model, file), lambda model, file: (file, model)):
        status, _, _ = passed.form("/v1/audio/transcriptions", *order(("model", "ears"), ("file", sound, "a.wav", "audio/wav")))
        assert status == 200
        asked = passed.up.asked[0]
        assert asked["body"] == form(*order(("model", "whisper-1"), ("file", sound, "a.wav", "audio/wav")))
        assert asked["headers"]["content-type"] == "multipart/form-data; boundary=b" and asked["path"] == "/v1/audio/transcriptions"


def test_a_body_without_a_model_gets_that_of_the_target_that_serves_it(passed):
    passed.ask("POST", "/v1/moderations", {"input": "x"})
    assert json.loads(passed.up.asked[0]["body"]) == {"model": "judge-1", "input": "x"}
    passed.form("/v1/audio/translations", ("file", b"RIFF", "a.wav", "audio/wav"))
    assert passed.up.asked[0]["body"] == form(("model", "whisper-1"), ("file", b"RIFF", "a.wav", "audio/wav"))


def test_nothing_of_the_client_goes_up_but_what_is_listed(passed):
    passed.ask("POST", "/v1/moderations", b'{"input": "x"}', openai_beta="x=v1", idempotency_key="once", cookie="c=1", openai_organization="org",
               x_forwarded_for="1.2.3.4", accept="image/png")
    headers = passed.up.asked[0]["headers"]
    assert headers["authorization"] == "Bearer the-providers-key"
    assert (headers["openai-beta"], headers["idempotency-key"], headers["accept"], headers["content-type"]) == ("x=v1", "once", "image/png", "application/json")
    assert not {"cookie", "openai-organization", "x-forwarded-for"} & set(headers) and KEYS["red"] not in str(headers)


def test_nothing_of_the_provider_comes_down_but_what_is_listed(passed):
    says = lambda handler: handler.reply(extra=[("set-cookie", "a=b"), ("openai-organization", "secret")])
    _, headers, _ = passed.ask("POST", "/v1/moderations", b'{"input": "x"}', says)
    assert not {"set-cookie", "openai-organization"} & set(headers)


def test_what_is_not_there_and_what_is_not_served_is_said(passed):
    status, headers, _ = passed.ask("GET", "/v1/images/generations")
    assert (status, headers["allow"]) == (405, "POST")
    status, headers, _ = passed.ask("PUT", "/v1/files/x", b"")
    assert (status, headers["allow"]) == (405, "GET, DELETE")
    for path in ("/v1/images", "/v1/fine_tuning/jobs", "/v2/files", "/v1/moderations/x", "/v1/files//content", "/v1/files/a%2fb", "/v1/files/..", "/v1/files/x/"):
        assert passed.ask("GET" if path.startswith("/v1/files") else "POST", path, b"{}")[0] in (404, 405), path
    assert passed.ask("POST", "/v1/images/generations", b'{"prompt": "x", "model": "nobody"}')[0] == 404
    assert passed.ask("POST", "/v1/images/generations", b'{"prompt": "x", "model": "judge"}')[0] == 400, "a model of another endpoint"
    assert passed.up.asked == []
    with Gateway() as other:
        status, _, body = other.request("POST", "/v1/moderations", {"input": "x"})
        assert status == 404 and "serves: moderations" in str(body)


def test_keys_are_asked_for_and_confined(passed):
    assert passed.ask("POST", "/v1/images/generations", b'{"prompt": "x", "model": "up/pictures"}', key="narrow")[0] == 403
    assert passed.ask("GET", "/v1/files", key="narrow")[0] == 403
    assert passed.ask("POST", "/v1/moderations", b'{"input": "x"}', key="narrow")[0] == 403, "also without naming a model"
    assert passed.gateway.request("POST", "/v1/moderations", {"input": "x"})[0] == 401
    assert passed.up.asked == []


def test_bodies_past_their_limits_are_refused_and_those_at_them_are_not(passed):
    assert passed.ask("POST", "/v1/moderations", b'{"input": "' + b"x" * 65536 + b'"}')[0] == 413
    head = len(form(("purpose", "batch"), ("file", b"", "a", "text/plain")))
    for size, wanted in ((8388608 - head, 200), (8388608 - head + 1, 413)):
        assert passed.form("/v1/files", ("purpose", "batch"), ("file", b"x" * size, "a", "text/plain"))[0] == wanted
    for broken in (b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx", b"no form", b"", form(("model", "ears"), ("model", "other"))):
        status, _, body = passed.ask("POST", "/v1/audio/transcriptions", broken, content_type="multipart/form-data; boundary=b")
        assert status == 400 and b"form" in body, broken


def test_a_long_upload_is_kept_on_disk_and_arrives_whole_also_in_chunks(passed):
    sound = bytes(range(256)) * 20000
    body = form(("file", sound, "a.wav", "audio/wav"), ("model", "ears"))
    wanted = hashlib.sha256(form(("file", sound, "a.wav", "audio/wav"), ("model", "whisper-1"))).hexdigest()
    for sent in (body, iter([body[i:i + 100_000] for i in range(0, len(body), 100_000)])):
        status, _, _ = passed.ask("POST", "/v1/audio/transcriptions", sent, content_type="multipart/form-data; boundary=b")
        assert status == 200 and hashlib.sha256(passed.up.asked[0]["body"]).hexdigest() == wanted
    folder = f"/proc/{passed.gateway.process.pid}/fd"
    assert not [each for each in os.listdir(folder) if os.readlink(f"{folder}/{each}").endswith(" (deleted)")], "nothing of them is kept"


def test_disk_is_bounded_over_all_uploads(passed):
    release = threading.Event()

    def slow(handler):
        release.wait(20)
        handler.reply()
    passed.up.says = slow
    body = form(("purpose", "batch"), ("file", b"x" * 7_000_000, "a", "text/plain"))
    first = threading.Thread(target=lambda: passed.form("/v1/files", ("purpose", "batch"), ("file", b"x" * 7_000_000, "a", "text/plain"), says=slow), daemon=True)
    first.start()
    wait_until(lambda: passed.up.asked, what="the first upload")
    connection = http.client.HTTPConnection("127.0.0.1", passed.gateway.port, timeout=30)
    connection.request("POST", "/v1/files", body, {"authorization": f"Bearer {KEYS['red']}", "content-type": "multipart/form-data; boundary=b"})
    answer = connection.getresponse()
    assert answer.status == 503 and json.loads(answer.read())["error"]["code"] == "spool_unavailable"
    connection.close()
    release.set()
    first.join(20)


def test_a_redirect_is_not_followed(passed):
    def elsewhere(handler):
        handler.reply(302, b"", extra=[("location", f"http://127.0.0.1:{passed.up.server_port}/v1/files/stolen")])
    status, headers, _ = passed.ask("GET", "/v1/files", says=elsewhere)
    assert status >= 400 and "location" not in headers
    assert {each["path"] for each in passed.up.asked} == {"/v1/files"}


def picture_stream(passed):
    connection = http.client.HTTPConnection("127.0.0.1", passed.gateway.port, timeout=20)
    connection.request("POST", "/v1/images/generations", b'{"prompt": "x", "model": "up/pictures", "stream": true}',
                       {"authorization": f"Bearer {KEYS['red']}", "content-type": "application/json"})
    return connection, connection.getresponse()


def test_a_stream_comes_as_it_comes_and_by_whole_events(passed):
    second = threading.Event()

    def drip(handler):
        handler.reply(200, kind="text/event-stream", length=False)
        handler.chunk(b"event: a\ndata: 1\n\nevent: b\nda")
        second.wait(10)
        handler.chunk(b"ta: 2\n\n")
        handler.wfile.write(b"0\r\n\r\n")
    passed.up.says = drip
    connection, answer = picture_stream(passed)
    assert (answer.status, answer.getheader("content-type")) == (200, "text/event-stream")
    assert answer.readline() + answer.readline() + answer.readline() == b"event: a\ndata: 1\n\n", "before the second was sent"
    second.set()
    assert answer.read() == b"event: b\ndata: 2\n\n"
    connection.close()


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_an_event_goes_on_with_its_blank_line_wherever_that_is_cut(passed, end):
    second = threading.Event()

    def drip(handler):
        handler.reply(200, kind="text/event-stream", length=False)
        for byte in b"data: 1" + end:
            handler.chunk(bytes([byte]))
        second.wait(10)
        handler.chunk(b"data: 2" + end)
        handler.wfile.write(b"0\r\n\r\n")
    passed.up.says = drip
    connection, answer = picture_stream(passed)
    assert answer.read(7 + len(end)) == b"data: 1" + end, "before the second was sent"
    second.set()
    assert answer.read() == b"data: 2" + end
    connection.close()


def test_sound_comes_as_it_comes(passed):
    more = threading.Event()

    def drip(handler):
        handler.reply(200, kind="audio/mpeg", length=False)
        handler.chunk(b"ID3")
        more.wait(10)
        handler.chunk(b"x" * 200_000)
        handler.wfile.write(b"0\r\n\r\n")
    passed.up.says = drip
    connection = http.client.HTTPConnection("127.0.0.1", passed.gateway.port, timeout=20)
    connection.request("POST", "/v1/audio/speech", b'{"input": "x", "model": "voice"}', {"authorization": f"Bearer {KEYS['red']}", "content-type": "application/json"})
    answer = connection.getresponse()
    assert answer.read(3) == b"ID3", "before the rest was sent"
    more.set()
    assert answer.read() == b"x" * 200_000 and answer.getheader("content-type") == "audio/mpeg"
    connection.close()


def test_money_by_tokens_by_units_or_not_known(passed):
    def spent(path, body, answer=b"{}", **more):
        says = lambda handler: handler.reply(200, answer if isinstance(answer, bytes) else json.dumps(answer).encode())
        _, headers, _ = passed.ask("POST", path, body, says, **more)
        row = passed.row(headers)
        return None if row["usd"] is None else Decimal(row["usd"])
    usage = {"total_tokens": 322, "input_tokens": 50, "output_tokens": 272, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}}
    picture = {"data": [{"b64_json": "A" * 30000}], "usage": usage}
    images = "/v1/images/generations"
    # 10 at 5, 40 at 10 and 272 at 40 dollars a million.
    assert spent(images, {"model": "up/pictures", "prompt": "x"}, picture) == Decimal("0.01133")
    assert spent(images, {"model": "up/pictures", "prompt": "x"}) is None, "no tokens are counted, and no price by the picture is known"
    assert spent(images, {"model": "up/unpriced", "prompt": "x"}, picture) is None
    drawn = {"model": "up/drawn", "prompt": "x", "n": 3}
    assert spent(images, {**drawn, "size": "1024x1024", "quality": "hd"}) == Decimal("0.24")
    assert spent(images, {**drawn, "size": "1024x1024"}) == Decimal("0.12")
    assert spent(images, drawn) == Decimal("0.06")
    assert spent(images, {**drawn, "size": "1792x1024", "quality": "hd"}) is None, "no price for that"
    assert spent("/v1/audio/speech", {"model": "voice", "input": "h\u00e9llo \U0001F600"}) == Decimal("0.000105")
    sound = form(("model", "ears"), ("file", b"RIFF", "a", "audio/wav"))
    transcript = {"content_type": "multipart/form-data; boundary=b"}
    heard = "/v1/audio/transcriptions"
    assert spent(heard, sound, {"text": "x", "usage": {"type": "duration", "seconds": 90}}, **transcript) == Decimal("0.009")
    assert spent(heard, sound, {"task": "transcribe", "duration": 10.5, "text": "x"}, **transcript) == Decimal("0.00105")
    assert spent(heard, sound, b"plain text", **transcript) is None
    _, headers, _ = passed.ask("POST", "/v1/moderations", {"input": "x"})
    assert (headers["x-tollgate-cost-usd"], Decimal(passed.row(headers)["usd"])) == ("0", 0)
    _, headers, _ = passed.ask("GET", "/v1/files")
    row = passed.row(headers)
    assert (headers["x-tollgate-cost-usd"], row["surface"], row["model"], row["route"], row["target"]) == ("0.001", "files", "files", "keep", "up/files")
    assert total(passed.gateway.metrics()["tollgate_unpriced_requests_total"], target="up/unpriced") >= 1


def test_budgets_hold_what_it_may_cost_and_refuse_what_nobody_knows(passed):
    def ask(model, **members):
        return passed.ask("POST", "/v1/images/generations", {"model": model, "prompt": "x", **members}, key="blue")
    status, _, body = ask("up/drawn", size="1024x1024", n=3)
    assert status == 402 and b"may cost up to $0.12" in body and passed.up.asked == []
    assert ask("up/drawn", size="1024x1024", n=2)[0] == 200
    assert ask("up/drawn")[0] == 200, "0.02 are left"
    assert ask("up/drawn")[0] == 402
    assert ask("up/unpriced")[0] == 402 and ask("up/drawn", size="8x8")[0] == 402


def test_a_refused_request_costs_nothing_and_the_provider_is_quoted(passed):
    says = lambda handler: handler.reply(400, b'{"error": {"message": "no such size", "param": "size", "type": "invalid_request_error"}}')
    status, headers, body = passed.ask("POST", "/v1/images/generations", {"model": "up/drawn", "prompt": "x"}, says)
    assert status == 400 and json.loads(body)["error"]["message"] == "no such size"
    assert Decimal(passed.row(headers)["usd"] or 0) == 0


@pytest.mark.parametrize("fault", ["500", "cut", "closed", "garbage", "stall"])
def test_pictures_fall_back_before_the_first_byte_and_files_are_never_made_twice(passed, fault):
    def says(handler):
        if fault == "500":
            return handler.reply(500, b'{"error": {"message": "no"}}')
        if fault == "garbage":
            handler.wfile.write(b"this is no HTTP\r\n\r\n")
        elif fault == "cut":
            handler.send_response(200)
            handler.send_header("content-length", "1000")
            handler.end_headers()
        elif fault == "stall":
            threading.Event().wait(3)
        handler.close_connection = True
    status, headers, _ = passed.ask("POST", "/v1/images/generations", {"model": "art", "prompt": "x"}, says)
    assert status == 200 and headers["x-tollgate-target"] == "spare/pictures"
    assert json.loads(passed.spare.asked[0]["body"])["model"] == "spare-pictures"
    status, headers, _ = passed.form("/v1/files", ("purpose", "batch"), ("file", "abc", "a.jsonl", "application/json"), says=says)
    assert status >= 500 and len(passed.up.asked) == 1 and passed.spare.asked == []
    assert passed.row(headers)["attempts"] == 1


def test_what_was_refused_for_now_is_made_again(passed):
    tries = []

    def says(handler):
        tries.append(1)
        handler.reply(429 if len(tries) == 1 else 200, b'{"id": "file-again"}')
    assert passed.form("/v1/files", ("purpose", "batch"), ("file", "abc", "a.jsonl", "application/json"), says=says)[0] == 200
    assert len(tries) == 2


@pytest.mark.parametrize("fault", ["cut", "stall"])
@pytest.mark.parametrize("length", [True, False])
def test_an_answer_that_breaks_off_does_not_end_like_a_whole_one(passed, fault, length):
    def says(handler):
        handler.send_response(200)
        handler.send_header("content-type", "application/octet-stream")
        handler.send_header(*("content-length", "1000") if length else ("transfer-encoding", "chunked"))
        handler.end_headers()
        handler.wfile.write(b"half") if length else handler.chunk(b"half")
        handler.wfile.flush()
        if fault == "stall":
            threading.Event().wait(3)
        handler.close_connection = True
    make_file(passed, "file-half")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        passed.ask("GET", "/v1/files/file-half/content", says=says)
    wanted = "upstream_timeout" if fault == "stall" else "upstream_broke_off"
    newest = "SELECT result FROM requests WHERE surface = 'files' ORDER BY id DESC LIMIT 1"
    wait_until(lambda: passed.gateway.rows(newest)[0]["result"] == wanted, what=f"its row to say {wanted}")


def test_a_stream_that_breaks_off_ends_with_an_error_event(passed):
    def says(handler):
        handler.reply(200, kind="text/event-stream", length=False)
        handler.chunk(b"data: 1\n\ndata: ha")
        handler.close_connection = True
    _, _, body = passed.ask("POST", "/v1/images/generations", {"model": "up/pictures", "prompt": "x", "stream": True}, says)
    events = body.split(b"\n\n")
    assert events[0] == b"data: 1" and json.loads(events[1].removeprefix(b"data: "))["error"]["code"] == "upstream_broke_off" and events[2:] == [b""]


def test_an_upstream_that_refuses_in_the_middle_of_an_upload_is_heard(passed):
    class Early(threading.Thread):
        def __init__(self):
            super().__init__(daemon=True)
            self.listener = socket.create_server(("127.0.0.1", 0))

        def run(self):
            client, _ = self.listener.accept()
            client.recv(65536)
            client.sendall(b"HTTP/1.1 413 Payload Too Large\r\ncontent-type: application/json\r\ncontent-length: 39\r\nconnection: close\r\n\r\n"
                           b'{"error": {"message": "far too large"}}')
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
            client.close()
    early = Early()
    early.start()
    made = Passed(CONFIG.replace("http://127.0.0.1:UP", f"http://127.0.0.1:{early.listener.getsockname()[1]}"))
    with made.gateway:
        status, _, body = made.form("/v1/files", ("purpose", "batch"), ("file", b"x" * 3_000_000, "a", "text/plain"))
        assert (status, json.loads(body)["error"]["message"]) == (413, "far too large")


def test_constraints_hold_and_what_cannot_be_read_counts_as_found(passed):
    def ask(body, path="/v1/moderations", **more):
        return passed.ask("POST", path, body, **more)[0]

    def upload(content, **more):
        return passed.form("/v1/files", ("purpose", "x"), ("file", content, "a", "application/octet-stream"), says=file_says("file-c"), **more)[0]
    assert ask(b'{"input": "x"}', x_data_class="phi") == 403 and passed.up.asked == []
    assert ask(b'{"input": "hello"}', x_guard="on") == 200, "JSON is read"
    assert ask(b'{"input": ["a", {"type": "text", "text": "card 4012 8888 8888 1881"}]}', x_guard="on") == 403
    assert upload("hello", x_guard="on") == 200, "text is read"
    assert upload("my card: 4012 8888 8888 1881", x_guard="on") == 403
    assert upload('{"body": "my card: 4012\\u00208888 8888 1881"}\n{"x": 1}', x_guard="on") == 403, "escapes are undone"
    assert upload(b"\xff\xfe\x00", x_guard="on") == 403, "this is not text"
    assert upload("x" * 70_000, x_guard="on") == 403, "and this is longer than what is read"
    assert upload(b"\xff\xfe\x00") == 200
    assert ask(b'{"input": "hello"}', x_hide="on") == 200
    assert ask(b'{"input": "ann@example.org"}', x_hide="on") == 403, "it cannot be masked"
    assert passed.up.asked == []
    assert passed.ask("GET", "/v1/files", x_guard="on")[0] == 200, "there is nothing to read"


def test_models_are_listed_but_what_has_none_is_not_and_no_chat_goes_there(passed):
    _, _, body = passed.ask("GET", "/v1/models")
    listed = {model["id"] for model in json.loads(body)["data"]}
    assert {"auto", "art", "up/m", "up/pictures", "up/voice"} <= listed and not {"up/files", "up/batches"} & listed
    status, _, _ = passed.ask("POST", "/v1/chat/completions", {"model": "up/pictures", "messages": [{"role": "user", "content": "x"}]})
    assert status == 400 and passed.up.asked == []


def test_a_client_that_leaves_ends_the_upstream_call(passed):
    gone = threading.Event()

    def endless(handler):
        handler.reply(200, kind="application/octet-stream", length=False)
        try:
            while True:
                handler.chunk(b"x" * 65536)
        except OSError:
            gone.set()
    make_file(passed, "file-big")
    passed.up.says = endless
    client = socket.create_connection(("127.0.0.1", passed.gateway.port))
    client.sendall(f"GET /v1/files/file-big/content HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEYS['red']}\r\n\r\n".encode())
    assert client.recv(1000).startswith(b"HTTP/1.1 200")
    client.close()
    assert gone.wait(10), "the upstream is cut off"


def test_a_client_that_leaves_in_the_middle_of_an_upload_reaches_no_upstream(passed):
    client = socket.create_connection(("127.0.0.1", passed.gateway.port))
    client.sendall(f"POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEYS['red']}\r\ncontent-type: multipart/form-data; boundary=b\r\n"
                   f"content-length: 3000000\r\n\r\n".encode() + b"--b\r\n" + b"x" * 1_000_000)
    client.close()
    assert passed.ask("GET", "/v1/files")[0] == 200
    assert [each["method"] for each in passed.up.asked] == ["GET"]


SIMULATED = """\
version: 1
server: {listen: "127.0.0.1:0", reactors: 1}
admin: {listen: "127.0.0.1:0"}
ledger: {url: "sqlite:LEDGER"}
backends:
  one: {dialect: openai, simulated: {personality: openai}, models: {pictures: {serves: images}, voice: {serves: speech}, ears: {serves: transcriptions}}}
  two: {dialect: openai, simulated: {personality: openai}, models: {pictures: {serves: images}}}
routes:
  - {name: pictures, when: {model: pictures}, choose: first, among: [one/pictures, two/pictures]}
"""


@pytest.mark.parametrize("fault, result", [("status=503", "upstream_busy"), ("reset=head", "upstream_broke_off")])
def test_simulated_media_misbehave_as_asked_and_each_attempt_is_recorded(fault, result):
    with Gateway(SIMULATED) as gateway:
        status, headers, _ = gateway.request("POST", "/v1/images/generations", {"model": "pictures", "prompt": "a gate"})
        assert (status, headers["x-tollgate-target"]) == (200, "one/pictures")
        status, headers, _ = gateway.request("POST", "/v1/images/generations", {"model": "pictures", "prompt": f"a gate [[sim-fault: {fault}]]"})
        assert status in (502, 503)
        tried = [(row["target"], row["result"]) for row in gateway.wait_for_row(headers["x-tollgate-request-id"])]
        assert {target for target, _ in tried} == {"one/pictures", "two/pictures"} and {outcome for _, outcome in tried} == {result}, tried
        for path, body in (("/v1/audio/speech", {"model": "one/voice", "voice": "alloy", "input": f"[[sim-fault: {fault}]]"}),
                           ("/v1/images/generations", {"model": "one/pictures", "prompt": f"[[sim-fault: {fault}]]"})):
            assert gateway.request("POST", path, body)[0] in (502, 503), path
