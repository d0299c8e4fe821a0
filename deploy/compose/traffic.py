"""Traffic of the demonstration: three teams ask a gateway for something every second or two, in a wave of ten minutes.

    python traffic.py http://gateway:8080 [requests to send, default: until stopped]

Standard library only. It talks to a simulation: the answers mean nothing.
"""

import http.client
import json
import math
import random
import signal
import sys
import threading
import time
import urllib.parse

TEAMS = {"web": ("tg-demo-web", 1.2), "research": ("tg-demo-research", 2.5), "support": ("tg-demo-support", 1.8)}   # key, mean seconds between
SIMPLE = ["What is the capital of France?", "Translate 'good morning' into Spanish.", "Is 17 a prime number? Answer yes or no.",
          "Write a subject line for a mail about a late delivery.", "Summarise in one sentence: the meeting was moved to Friday.",
          "Which of these is a fruit: carrot, apple, leek?", "Turn this into a polite reply: no, we do not ship there."]
MIDDLE = ["Explain to a new colleague how our returns process could be made faster, with three concrete steps and their drawbacks.",
          "Compare REST and gRPC for an internal service that streams measurements, and say which you would take.",
          "Write a SQL query that finds customers whose orders fell by half within a month, and explain how it works."]
HARD = ["Prove by induction that the sum of the first n odd numbers is a square, then derive the time complexity of computing it step by step.",
        "Design a lock-free queue in C++, analyse its memory ordering, and explain why each fence is needed.",
        "Derive the closed form of the Fibonacci numbers with generating functions and prove that it is correct for all n."]
WAVE_SECONDS = 600


def ask(address, key, body, patience):
    """Sends one request; (status, target, cost or None). A stream is left after `patience` chunks, if that is a number."""
    connection = http.client.HTTPConnection(address.hostname, address.port or 80, timeout=120)
    try:
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        if random.random() < 0.1:
            headers["x-data-class"] = "phi"
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        for _ in range(patience or 1 << 30):
            if not answer.read1(65536):
                break
        return answer.status, answer.getheader("x-tollgate-target"), answer.getheader("x-tollgate-cost-usd")
    finally:
        connection.close()


def team(name, address, stopped, budget):
    key, mean = TEAMS[name]
    while not stopped.is_set() and budget.acquire(blocking=False):
        kind = random.choices([SIMPLE, MIDDLE, HARD], [6, 3, 1 if name != "research" else 4])[0]
        stream = random.random() < 0.6
        body = {"model": "auto", "stream": stream, "messages": [{"role": "user", "content": random.choice(kind)}]}
        leaves = stream and random.random() < 0.05
        try:
            status, target, cost = ask(address, key, body, random.randint(2, 20) if leaves else None)
            print(f"{name:9} {status} {target or '-':20} {'left early' if leaves else cost or ''}")
        except OSError as failed:
            print(f"{name:9} no answer: {failed}")
        pace = 1 + 0.6 * math.sin(2 * math.pi * time.time() / WAVE_SECONDS)
        stopped.wait(random.expovariate(pace / mean))


class Endless:
    def acquire(self, blocking):
        return True


def main():
    address = urllib.parse.urlsplit(sys.argv[1])
    budget = threading.Semaphore(int(sys.argv[2])) if len(sys.argv) > 2 else Endless()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    threads = [threading.Thread(target=team, args=(name, address, stopped, budget)) for name in TEAMS]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(1)


if __name__ == "__main__":
    main()
