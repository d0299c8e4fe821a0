"""Providers that run requests as jobs (Replicate, RunPod, fal), as their documentation describes them; how a job goes is told by its prompt."""

import http.server
import json
import re
import threading
import time


class JobProvider:
    """Prompts: "answer" after `polls` questions; "fail"; "never" ends; "refuse" with 422; "flaky" refuses questions twice."""

    def __init__(self, polls=3):
        self.polls, self.jobs, self.submitted, self.cancelled, self.asked = polls, {}, [], [], []
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, value):
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.path.endswith("/cancel") or "/cancel/" in self.path:
                    provider.cancelled.append((self.command, self.path))
                    return self.answer(200, {})
                provider.submitted.append((self.path, dict(self.headers), json.loads(body)))
                return provider.submit(self, self.path, json.loads(body))

            do_PUT = do_POST

            def do_GET(self):
                provider.asked.append(self.path)
                return provider.status(self, self.path)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # -- jobs --

    @staticmethod
    def kind(path):
        return "replicate" if "/predictions" in path else "runpod" if re.search(r"/(runsync|status|cancel)", path) and "/requests/" not in path else "fal"

    @staticmethod
    def prompt(body):
        given = body.get("input", body)
        return given["openai_input"]["messages"][-1]["content"] if "openai_input" in given else given["prompt"]

    def submit(self, handler, path, body):
        prompt = self.prompt(body)
        if prompt == "refuse":
            return handler.answer(422, {"detail": "the input is not what this model takes", "title": "Input validation failed"})
        number = f"job{len(self.jobs) + 1}"
        self.jobs[number] = {"prompt": prompt, "left": self.polls, "since": time.monotonic(), "flaky": 2 if prompt == "flaky" else 0}
        kind = self.kind(path)
        if kind == "fal":
            return handler.answer(200, {"request_id": number, "status": "IN_QUEUE", "queue_position": 1})
        return handler.answer(201 if kind == "replicate" else 200, self.view(kind, number))

    def status(self, handler, path):
        kind = self.kind(path)
        number = re.search(r"job\d+", path).group()
        job = self.jobs[number]
        if job["flaky"]:
            job["flaky"] -= 1
            return handler.answer(503, {"detail": "try again"})
        if kind == "fal" and not path.endswith("/status"):
            return handler.answer(200, {"output": "the answer", "partial": False})
        if job["prompt"] != "never":
            job["left"] -= 1
        return handler.answer(200, self.view(kind, number))

    def view(self, kind, number):
        job = self.jobs[number]
        over = job["left"] <= 0
        failed = over and job["prompt"] == "fail"
        words = {"replicate": ("processing", "succeeded", "failed"), "runpod": ("IN_PROGRESS", "COMPLETED", "FAILED"), "fal": ("IN_PROGRESS", "COMPLETED", "COMPLETED")}[kind]
        view = {"request_id" if kind == "fal" else "id": number, "status": words[2 if failed else 1 if over else 0]}
        if failed:
            view["error"] = "CUDA out of memory"
        elif over and kind == "replicate":
            view |= {"output": ["the ", "answer"], "error": None, "metrics": {"predict_time": 1.25, "total_time": 9.5, "input_token_count": 4, "output_token_count": 2}}
        elif over and kind == "runpod":
            view |= {"delayTime": 4000, "executionTime": 1250, "output": [{
                "id": "c1", "object": "chat.completion", "created": 1, "model": "llama",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "the answer"}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}}]}
        return view
