"""Files, uploads and batches that are passed through: whose they are, where they are kept, and how long that is remembered."""

import json
from decimal import Decimal

from passing import CONFIG, Passed, file_says, make_file, passed, quiet  # noqa: F401


def test_a_file_is_known_to_the_team_that_made_it(passed):
    make_file(passed, "file-red1")
    make_file(passed, "file-blue1", key="blue")
    assert passed.ask("GET", "/v1/files/file-red1/content", says=lambda h: h.reply(200, b"abc", "application/octet-stream"))[::2] == (200, b"abc")
    status, _, body = passed.ask("GET", "/v1/files/file-red1", key="blue")
    assert status == 404 and passed.up.asked == [] and b"file-red1" in body
    assert passed.ask("DELETE", "/v1/files/file-red1", key="blue")[0] == 404 and passed.up.asked == []
    assert passed.ask("GET", "/v1/files/file-elsewhere")[0] == 404 and passed.up.asked == []
    listed = {"object": "list", "data": [{"id": "file-blue1"}, {"id": "file-red1"}, {"id": "file-elsewhere"}], "has_more": False}
    says = lambda handler: handler.reply(200, json.dumps(listed).encode())
    for key in ("red", "blue"):
        _, _, body = passed.ask("GET", "/v1/files?limit=3", says=says, key=key)
        assert [each["id"] for each in json.loads(body)["data"]] == [f"file-{key}1"] and passed.up.asked[0]["path"] == "/v1/files?limit=3"
    says = lambda handler: handler.reply(200, b'{"id": "file-red1", "deleted": true}')
    assert passed.ask("DELETE", "/v1/files/file-red1", says=says)[0] == 200
    assert passed.ask("GET", "/v1/files/file-red1")[0] == 404


def test_a_batch_goes_where_its_file_is_and_what_it_writes_is_its_teams(passed):
    make_file(passed, "file-red2")
    batch = {"id": "batch_1", "object": "batch", "input_file_id": "file-red2", "status": "validating"}
    says = lambda handler: handler.reply(200, json.dumps(batch).encode())
    ask = {"input_file_id": "file-red2", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    assert passed.ask("POST", "/v1/batches", ask, says, key="blue")[0] == 404 and passed.up.asked == []
    status, headers, _ = passed.ask("POST", "/v1/batches", ask, says)
    assert status == 200 and passed.row(headers)["usd"] is None, "what it will cost is not known"
    assert passed.ask("GET", "/v1/files/file-out")[0] == 404
    done = {**batch, "status": "completed", "output_file_id": "file-out", "error_file_id": None}
    _, headers, _ = passed.ask("GET", "/v1/batches/batch_1", says=lambda handler: handler.reply(200, json.dumps(done).encode()))
    assert Decimal(passed.row(headers)["usd"]) == 0
    assert passed.ask("GET", "/v1/files/file-out/content")[0] == 200
    assert passed.ask("GET", "/v1/files/file-out/content", key="blue")[0] == 404


def test_ids_outlive_a_restart(passed):
    made = Passed()
    with made.gateway as gateway:
        make_file(made, "file-kept")
        make_file(made, "file-gone")
        made.ask("DELETE", "/v1/files/file-gone", says=lambda h: h.reply(200, b'{"deleted": true}'))
        assert gateway.stop() == 0
        gateway.returncode = None
        gateway.start()
        assert made.ask("GET", "/v1/files/file-kept", says=file_says("file-kept"))[0] == 200
        assert made.ask("GET", "/v1/files/file-kept", key="blue")[0] == 404
        assert made.ask("GET", "/v1/files/file-gone")[0] == 404


def test_shared_objects_are_everybodys():
    made = Passed(CONFIG.replace("passthrough: {", "passthrough: {objects: shared, "))
    with made.gateway:
        assert made.ask("GET", "/v1/files/file-elsewhere", key="blue")[0] == 200
        listed = b'{"data":[{"id":"file-elsewhere"}]}'
        assert made.ask("GET", "/v1/files", says=lambda h: h.reply(200, listed))[2] == listed


def test_where_files_go_must_be_said_when_there_are_several_places():
    made = Passed(CONFIG.replace("  - {name: keep, choose: first, among: [up/files, up/batches]}\n", ""))
    with made.gateway:
        status, _, body = made.ask("GET", "/v1/files")
        assert status == 400 and b"up/files, spare/files" in body and b"choose: first" in body
        assert made.up.asked == []


def test_a_file_that_is_not_there_any_more_is_404(passed):
    make_file(passed, "file-lost")
    says = lambda handler: handler.reply(404, b'{"error": {"message": "No such File object: file-lost"}}')
    status, _, body = passed.ask("GET", "/v1/files/file-lost", says=says)
    assert (status, json.loads(body)["error"]["message"]) == (404, "No such File object: file-lost")


CHATS = CONFIG.replace("  spare:\n    dialect: openai\n    url: http://127.0.0.1:SPARE\n    retry: {retries: 0}\n    models:\n",
                       "  spare:\n    dialect: openai\n    url: http://127.0.0.1:SPARE\n    retry: {retries: 0}\n    models:\n      m: {prices: {input_usd_per_million_tokens: \"1\", output_usd_per_million_tokens: \"1\"}}\n")
CHATS += "  - {name: both, when: {model: both}, choose: first, among: [spare/m, up/m]}\n"
COMPLETION = json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
                         "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()


def naming(*ids):
    parts = [{"type": "file", "file": {"file_id": each}} for each in ids]
    return {"model": "both", "messages": [{"role": "user", "content": [{"type": "text", "text": "What does it say?"}, *parts]}]}


def test_a_chat_goes_where_its_file_is_and_only_for_the_team_that_made_it():
    assert CHATS.count("      m: {prices") == 2
    made = Passed(CHATS)
    says = lambda handler: handler.reply(200, COMPLETION)
    with made.gateway:
        made.spare.says = says
        ask = lambda body, path="/v1/chat/completions", key="red": made.ask("POST", path, body, says, key=key)
        assert ask(naming("file-a"))[1]["x-tollgate-target"] == "spare/m", "made elsewhere, if at all: as the route says"
        make_file(made, "file-a")
        status, headers, _ = ask(naming("file-a"))
        assert (status, headers["x-tollgate-target"]) == (200, "up/m") and made.spare.asked == []
        assert ask(naming("file-unknown"))[1]["x-tollgate-target"] == "spare/m"
        assert ask({"model": "both", "messages": [{"role": "user", "content": "what is a file_id?"}]})[1]["x-tollgate-target"] == "spare/m"

        escaped = json.dumps(naming("file-a")).replace("file_id", "file\\u005fid").replace("file-a", "file\\u002da").encode()
        assert b"file_id" not in escaped and ask(escaped)[1]["x-tollgate-target"] == "up/m"
        twice = json.dumps(naming("file-b")).replace('"file_id": "file-b"', '"file_id": "file-a", "file_id": "file-b"').encode()
        assert twice.count(b"file_id") == 2
        responses = {"model": "both", "input": [{"role": "user", "content": [{"type": "input_text", "text": "What does it say?"}, {"type": "input_file", "file_id": "file-a"}]}]}
        messages = {"model": "both", "max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "text", "text": "What does it say?"}, {"type": "document", "source": {"type": "file", "file_id": "file-a"}}]}]}
        tool = {**naming(), "tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-a"]}}]}
        for path, body in (("/v1/chat/completions", naming("file-a")), ("/v1/chat/completions", escaped), ("/v1/chat/completions", tool), ("/v1/chat/completions", twice), ("/v1/responses", responses), ("/v1/messages", messages)):
            status, _, told = ask(body, path, key="blue")
            assert status == 404 and b"file-a" in told and made.up.asked == [] and made.spare.asked == [], (path, told)


def test_files_of_two_places_cannot_be_in_one_chat():
    made = Passed(CHATS)
    with made.gateway as gateway:
        make_file(made, "file-up")
        gateway.write_config(gateway.config_path.read_text().replace("among: [up/files, up/batches]", "among: [spare/files, up/batches]"))
        assert json.loads(gateway.admin("/-/reload", method="POST")[1])["reloaded"]
        made.spare.says = file_says("file-spare")
        assert made.form("/v1/files", ("purpose", "x"), ("file", "abc", "a", "text/plain"))[0] == 200
        made.spare.says = lambda handler: handler.reply(200, COMPLETION)
        status, headers, _ = made.ask("POST", "/v1/chat/completions", naming("file-spare"))
        assert (status, headers["x-tollgate-target"]) == (200, "spare/m")
        status, _, told = made.ask("POST", "/v1/chat/completions", naming("file-spare", "file-up"))
        assert status == 400 and b"kept at 'spare' and 'up'" in told and made.up.asked == [] and made.spare.asked == []
