"""An upstream that speaks several dialects well enough to misbehave in all of them.

The upstream's model name says what it does: "ok", or the name of one of FAULTS. A plain port, and TLS ports that are wrong each in its way.
"""

import asyncio
import json
import re
import socket
import ssl
import struct
import subprocess
import threading

from upstream_dialects import DIALECTS
from upstream_faults import FAULTS


class Asked:
    """One request: of which dialect, for which fault, whether for a stream."""

    def __init__(self, target, body):
        self.body = json.loads(body)
        self.dialect = next(d for d in DIALECTS.values() if d.path.search(target))
        match = self.dialect.path.search(target)
        self.model = self.body["model"] if "model" in self.body else match.group(1)
        self.streams = bool(self.body.get("stream")) or "stream" in target.lower()


class Connection:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status=200, content_type="application/json", **headers):
        lines = [f"HTTP/1.1 {status} Whatever", f"content-type: {content_type}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def chunk(self, data):
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def reset(self):
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def stall(self):
        """Until the other side has had enough."""
        try:
            await asyncio.wait_for(self.reader.read(1), 20)
        except asyncio.TimeoutError:
            pass


class BadUpstream:
    """`with BadUpstream(directory) as upstream:` upstream.port, upstream.tls[kind], upstream.closed_port, upstream.full_port."""

    def __init__(self, directory):
        self.directory, self.open, self.most_open, self.asked = directory, 0, 0, []

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(30)
        probe = socket.create_server(("127.0.0.1", 0))
        self.closed_port = probe.getsockname()[1]
        probe.close()
        # Nobody accepts here, and the queue is full: the kernel does not answer further SYNs.
        self.full = socket.socket()
        self.full.bind(("127.0.0.1", 0))
        self.full.listen(0)
        self.full_port = self.full.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.full_port))
            self.fillers.append(filler)
        return self

    def __exit__(self, *_):
        for one in [self.full, *self.fillers]:
            one.close()
        self.loop.call_soon_threadsafe(self.loop.stop)

    async def _listen(self):
        async def listen(serve, context=None):
            server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, limit=1 << 22)
            return server.sockets[0].getsockname()[1]

        self.port = await listen(self._serve)
        certificates = Certificates(self.directory)
        self.ca = certificates.ca
        self.tls = {name: await listen(self._serve, certificates.context(name)) for name in ("good", "unknown-ca", "expired", "other-host")}
        self.tls["speaks-plain"] = self.port
        self.tls["silent"] = await listen(self._silent)
        self.tls["resets"] = await listen(self._resets)
        self.tls["garbage"] = await listen(self._garbage)

    async def _silent(self, reader, writer):
        try:
            while await asyncio.wait_for(reader.read(4096), 20):
                pass
        except (asyncio.TimeoutError, OSError):
            pass
        writer.close()

    async def _resets(self, reader, writer):
        await reader.read(1)
        Connection(reader, writer).reset()

    async def _garbage(self, reader, writer):
        await reader.read(1)
        writer.write(b"\x16\x03\x03\xff\xffthis is not a handshake" * 20)
        writer.close()

    async def _serve(self, reader, writer):
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                target = head.split(" ")[1]
                length = re.search(r"content-length: *(\d+)", head, re.I)
                body = await reader.readexactly(int(length.group(1)) if length else 0)
                if not body:
                    await Connection(reader, writer).head(content_length=0)
                    continue
                asked = Asked(target, body)
                self.asked.append(asked)
                if not await FAULTS[asked.model](Connection(reader, writer), asked):
                    break
        except (asyncio.IncompleteReadError, OSError, ssl.SSLError):
            pass
        finally:
            self.open -= 1
            writer.close()


class Certificates:
    def __init__(self, directory):
        self.directory = directory
        self.ca = f"{directory}/ca.pem"
        for name in ("ca", "unknown-ca"):
            self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                          "-keyout", f"{name}.key", "-out", f"{name}.pem")
        self._leaf("good", "ca", "IP:127.0.0.1")
        self._leaf("unknown", "unknown-ca", "IP:127.0.0.1")
        self._leaf("other-host", "ca", "DNS:other.example")
        self._leaf("expired", "ca", "IP:127.0.0.1", days=-1)

    def _openssl(self, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.directory)

    def _leaf(self, name, issuer, alternative, days=2):
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                      "-out", f"{name}.csr")
        with open(f"{self.directory}/{name}.san", "w") as file:
            file.write(f"subjectAltName={alternative}\n")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial", "-days", str(days),
                      "-extfile", f"{name}.san", "-out", f"{name}.pem")

    def context(self, name):
        file = "unknown" if name == "unknown-ca" else name
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{self.directory}/{file}.pem", f"{self.directory}/{file}.key")
        return context
