"""A redis-server of a test's own: on a Unix socket and, if asked, a port with TLS; stopped by its process id. And a bridge to it that can be cut."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time

SERVER = shutil.which("redis-server") or shutil.which("valkey-server")


class Redis:
    """`with Redis() as redis:`; kill() and start() as an outage. keep: what it held is there again after a restart (appendonly)."""

    def __init__(self, keep=False, options=()):
        self.directory = tempfile.TemporaryDirectory(prefix="tollgate-redis-")
        self.socket = pathlib.Path(self.directory.name) / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.keep, self.options = keep, options

    def __enter__(self):
        assert SERVER, "neither redis-server nor valkey-server is installed"
        return self.start()

    def __exit__(self, *_):
        self.kill()
        self.directory.cleanup()

    def start(self):
        keep = ["--appendonly", "yes", "--appendfsync", "always"] if self.keep else []
        self.process = subprocess.Popen([SERVER, "--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", self.directory.name, *keep, *self.options],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while True:
            try:
                if self.ask("PING") == "PONG":
                    return self
            except (OSError, ConnectionError):
                assert time.monotonic() < until and self.process.poll() is None, "redis-server does not start"
                time.sleep(0.01)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, *words):
        """One command, on a connection of its own; lists of texts, texts, numbers, None."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.socket))
            connection.sendall(f"*{len(words)}\r\n".encode() + b"".join(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in map(str, words)))
            with connection.makefile("rb") as lines:
                return self._read(lines)

    def _read(self, lines):
        line = lines.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("broken off")
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise ConnectionError(rest)   # such as LOADING
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else lines.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self._read(lines) for _ in range(int(rest))]
        return rest

    def windows(self, budget):
        """{key: {gateway: (granted, spent, held)}} in picodollars, each window as it was at one moment."""
        found = {}
        for key in self.ask("KEYS", f"*budget:{budget}:*"):
            fields = self.ask("HGETALL", key)
            lines = dict(zip(fields[::2], fields[1::2]))
            found[key] = {name[2:]: tuple(map(int, line.split()[2:5])) for name, line in lines.items() if name.startswith("g:")}
        return found


class Bridge:
    """A Unix socket in front of another that passes bytes on, holds them back, or refuses: a network that can be cut."""

    def __init__(self, to):
        self.to = str(to)
        self.path = f"{to}.{os.urandom(4).hex()}.bridge"
        self.url = f"unix://{self.path}"
        self.open = threading.Event()
        self.open.set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        self.open.clear()

    def mend(self):
        self.open.set()

    def close(self):
        self.open.set()
        self.listener.close()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(self.to)
            except OSError:
                near.close()
                continue
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source, sink):
        try:
            while data := source.recv(65536):
                self.open.wait()   # what was under way when the network was cut arrives late
                sink.sendall(data)
        except OSError:
            pass
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
