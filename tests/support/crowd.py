"""Many clients at once, and providers that can be taken away from them."""

import concurrent.futures
import http.client
import json
import signal
import subprocess
import threading

from gateway import PROGRAM

CLIENTS = 64


class Simulator:
    """`tollgate sim` as a process of its own, that can be killed and started again on the same port."""

    def __init__(self):
        self.port = 0
        self.start()

    def start(self):
        self.process = subprocess.Popen([PROGRAM, "sim", "--listen", f"127.0.0.1:{self.port}", "--model", "m", "--personality", "openai", "--slots", "256",
                                         "--prefill-tps", "200000", "--decode-tps", "400", "--decode-tps-total", "100000", "--output-tokens-mean", "12", "--json"],
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(json.loads(self.process.stdout.readline())["url"].rsplit(":", 1)[1].strip("/"))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"


class Crowd:
    """64 clients that ask one after the other on a connection of their own each, every second one for streams."""

    def __init__(self, gateway):
        self.gateway, self.end, self.answers = gateway, threading.Event(), []
        self.pool = concurrent.futures.ThreadPoolExecutor(CLIENTS)
        self.clients = [self.pool.submit(self.client, number) for number in range(CLIENTS)]

    def client(self, number):
        answers, stream = [], number % 2 == 0
        body = json.dumps({"model": "auto", "stream": stream, "messages": [{"role": "user", "content": "Hello there"}]})
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=30)
        while not self.end.is_set():
            connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            whole = b"[DONE]" in text if stream and answer.status == 200 else answer.status == 200
            # A stream that had begun when its provider died is told so: that is the one thing that cannot be taken over.
            told = stream and b'"error"' in text
            answers.append((answer.status, whole, told, answer.headers["x-tollgate-target"]))
        connection.close()
        return answers

    def stop(self):
        self.end.set()
        answers = [answer for client in self.clients for answer in client.result()]
        self.pool.shutdown()
        return answers
