"""An upstream for tests that records every byte that reaches it."""

import http.server
import json
import threading
import time


class Upstream:
    """An OpenAI-like server that keeps all bodies and answers as told: a function of the body, or a fault: a status, "reset" (the
    connection is closed without an answer) or "cut" (in the middle of one)."""

    def __init__(self, answer=None):
        self.bodies, self.connections = [], 0
        self.answer = answer or (lambda body: "ok")
        self.status, self.delay = 200, 0
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                upstream.connections += 1

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                upstream.bodies.append(body)
                request = json.loads(body)
                time.sleep(upstream.delay)
                if upstream.status == "reset":
                    self.close_connection = True
                    return None
                if upstream.status == "cut":
                    self.close_connection = True
                    self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{")
                    return None
                if upstream.status != 200:
                    return self.whole(upstream.status, {"error": {"message": "no", "type": "server_error"}})
                text = upstream.answer(request)
                if request.get("stream"):
                    return self.stream(text)
                return self.whole(200, {"id": "x", "object": "chat.completion", "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}})

            def whole(self, status, value):
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def stream(self, text):
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                events = [{"choices": [{"index": 0, "delta": {"content": c}, "finish_reason": None}]} for c in text]
                events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
                events.append({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}})
                for event in [json.dumps(e) for e in events] + ["[DONE]"]:
                    data = f"data: {event}\n\n".encode()
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
