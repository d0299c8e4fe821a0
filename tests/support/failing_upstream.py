"""An OpenAI-like upstream for tests that answers what its script says, request by request, and notes when and with which key each came."""

import http.server
import json
import threading
import time


def refusal(status, headers=None, code=None, message="no"):
    return {"status": status, "headers": headers or {}, "body": {"error": {"message": message, "type": "error", "code": code}}}


class FailingUpstream:
    """`script`: a list of answers, each used once, then `then` for ever. An answer: None (a good one), "reset" (the connection closes without
    one), a dict as refusal() makes it, or a function of (body, headers) that gives one of these. `headers` go with every good answer."""

    def __init__(self, script=(), then=None, headers=None, delay=0):
        self.script, self.then, self.headers, self.delay = list(script), then, headers or {}, delay
        self.seen = []                                   # (monotonic time, key, body)
        self.open = 0                                    # requests being answered
        self.lock = threading.Lock()
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                key = self.headers.get("authorization", "").removeprefix("Bearer ")
                with upstream.lock:
                    upstream.seen.append((time.monotonic(), key, body))
                    upstream.open += 1
                    answer = upstream.script.pop(0) if upstream.script else upstream.then
                try:
                    self.answer(body, answer)
                finally:
                    with upstream.lock:
                        upstream.open -= 1

            def answer(self, body, answer):
                if callable(answer):
                    answer = answer(body, self.headers)
                if answer == "reset":
                    self.close_connection = True
                    return
                if answer is not None:
                    self.whole(answer["status"], answer["body"], answer["headers"])
                    return
                if upstream.delay:
                    time.sleep(upstream.delay)
                if body.get("stream"):
                    self.stream(body)
                else:
                    self.whole(200, {"id": "x", "object": "chat.completion", "model": body["model"], "choices": [
                        {"index": 0, "message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}],
                        "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}}, upstream.headers)

            def whole(self, status, value, headers):
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                for name, text in headers.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(data)

            def stream(self, body):
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("transfer-encoding", "chunked")
                for name, text in upstream.headers.items():
                    self.send_header(name, text)
                self.end_headers()
                events = [{"choices": [{"index": 0, "delta": {"content": c}, "finish_reason": None}]} for c in "fine"]
                events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
                events.append({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}})
                for event in [json.dumps(each) for each in events] + ["[DONE]"]:
                    data = f"data: {event}\n\n".encode()
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                    self.wfile.flush()
                    if upstream.delay:
                        time.sleep(upstream.delay / 6)
                self.wfile.write(b"0\r\n\r\n")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def keys(self):
        return [key for _, key, _ in self.seen]
