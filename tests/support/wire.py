"""HTTP on a bare socket, for tests that say what no HTTP library would."""

import json
import socket
import time


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def error(self):
        return json.loads(self.body)["error"]


class Wire:
    """One connection. Every wait has a limit: a hanging gateway fails a test, it does not hang it."""

    def __init__(self, port, timeout=15):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data if isinstance(data, bytes) else data.encode())
        except (BrokenPipeError, ConnectionResetError):
            pass        # the gateway answered and closed before it had read all: the answer is what counts

    def post(self, body, headers="", path="/v1/chat/completions", length=True):
        body = body if isinstance(body, bytes) else body.encode()
        head = f"POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n{headers}"
        if length:
            head += f"content-length: {len(body)}\r\n"
        self.send(head.encode() + b"\r\n" + body)

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.buffer += data
        return bool(data)

    def _until(self, mark):
        while mark not in self.buffer:
            if not self._more():
                raise EOFError(f"the connection ended; so far: {self.buffer[:300]!r}")
        taken, self.buffer = self.buffer.split(mark, 1)
        return taken

    def _exactly(self, size):
        while len(self.buffer) < size:
            if not self._more():
                raise EOFError("the connection ended inside a body")
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def head(self):
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, _ = (lines[0] + " ").split(" ", 2)
        assert version == "HTTP/1.1", lines[0]
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            assert name.lower() not in headers, f"{name} stands twice"
            headers[name.lower()] = value.strip()
        return int(status), headers

    def chunk(self):
        """The next chunk of a chunked body; b"" is its end."""
        size = int(self._until(b"\r\n"), 16)
        data = self._exactly(size)
        assert self._exactly(2) == b"\r\n"
        return data

    def answer(self):
        status, headers = self.head()
        while status == 100:
            status, headers = self.head()
        if "content-length" in headers:
            assert "transfer-encoding" not in headers
            return Answer(status, headers, self._exactly(int(headers["content-length"])))
        body = b""
        while data := self.chunk():
            body += data
        return Answer(status, headers, body)

    def closed(self):
        """The other side ends the connection, having sent nothing more."""
        while self._more():
            pass
        return self.buffer == b""


def chat_body(content="Hello", model="auto", **members):
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}], **members})


def wait_seconds(began):
    return time.monotonic() - began
