"""A headless Chromium driven over its DevTools protocol, by a pipe: nothing beside the browser has to be installed."""

import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chrome-headless-shell", "chromium-browser")


def find_browser():
    """The program, or None. A snap's wrapper is none: it needs a running snapd."""
    for name in filter(None, (os.environ.get("TOLLGATE_BROWSER"), *NAMES)):
        found = shutil.which(name)
        if found and "/snap" not in str(pathlib.Path(found).resolve()) and b"snap" not in pathlib.Path(found).read_bytes()[:4096]:
            return found
    fetched = pathlib.Path(__file__).resolve().parents[2] / "build/browser/chromium"      # ./dev test
    return str(fetched) if fetched.exists() else None


class Browser:
    """`with Browser() as browser: page = browser.page(url)`. Messages of the protocol end in a zero byte."""

    def __init__(self, program=None):
        self.profile = tempfile.TemporaryDirectory(prefix="tollgate-browser-", ignore_cleanup_errors=True)
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def place():                       # the browser reads from 3 and writes to 4
            for given, wanted in ((os.dup(to_browser), 3), (os.dup(from_browser), 4)):
                os.dup2(given, wanted)

        command = [program or find_browser(), "--headless", "--remote-debugging-pipe", f"--user-data-dir={self.profile.name}", "--no-sandbox",
                   "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--disable-background-networking",
                   "--force-color-profile=srgb", "--hide-scrollbars", "--no-proxy-server"]
        self.process = subprocess.Popen(command, preexec_fn=place, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._next, self._answers, self.events = b"", 0, {}, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close", timeout=5)
        except (AssertionError, OSError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._write)
        os.close(self._read)
        self.profile.cleanup()

    def _take(self, timeout):
        """Reads what has come; True if anything did."""
        if not select.select([self._read], [], [], timeout)[0]:
            return False
        piece = os.read(self._read, 1 << 20)
        if not piece:
            raise OSError("the browser has ended")
        *messages, self._buffer = (self._buffer + piece).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self.events.append(message)
        return True

    def call(self, method, params=None, session=None, timeout=30):
        self._next += 1
        mine = self._next
        message = {"id": mine, "method": method, "params": params or {}, **({"sessionId": session} if session else {})}
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data):]
        end = time.monotonic() + timeout
        while mine not in self._answers:
            self._take(max(0, end - time.monotonic()))
            assert time.monotonic() < end or mine in self._answers, f"the browser did not answer {method} in {timeout} s"
        answer = self._answers.pop(mine)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def settle(self):
        while self._take(0):
            pass

    def page(self, url=None, **looks):
        return Page(self, url, **looks)


class Page:
    """One tab. Whatever the console or the content security policy complains about is kept in `complaints`."""

    def __init__(self, browser, url=None, width=1280, height=900, dark=None, phone=False, scale=1):
        self.browser = browser
        target = browser.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.target = target
        self.session = browser.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone})
        if dark is not None:
            self.call("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        if url:
            self.go(url)

    def call(self, method, params=None, timeout=30):
        return self.browser.call(method, params, self.session, timeout)

    def go(self, url):
        failed = self.call("Page.navigate", {"url": url}).get("errorText")
        assert not failed, f"{url}: {failed}"
        self.wait("document.readyState === 'complete'")

    def run(self, script):
        """The value of a JavaScript expression (of an element: an empty dict); promises are awaited."""
        answer = self.call("Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True, "userGesture": True})
        assert "exceptionDetails" not in answer, f"{script}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def wait(self, script, timeout=15):
        end = time.monotonic() + timeout
        while True:
            value = self.run(script)
            if value not in (None, False, 0, ""):
                return value
            assert time.monotonic() < end, f"waited {timeout} s in vain for: {script}"
            time.sleep(0.05)

    def text(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)})?.textContent ?? null")

    def texts(self, selector):
        return self.run(f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.textContent)")

    def click(self, selector):
        """With the mouse, where it stands."""
        where = self.run(f"(() => {{ const at = document.querySelector({json.dumps(selector)}); at.scrollIntoView({{block: 'center'}}); "
                         "const box = at.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", {"type": kind, "x": where[0], "y": where[1], "button": "left", "clickCount": 1})

    def key(self, name, code=None, text=None):
        common = {"key": name, "code": code or name, **({"windowsVirtualKeyCode": {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40, "ArrowUp": 38}[name]} if len(name) > 1 else {})}
        typed = text or ("\r" if name == "Enter" else name if len(name) == 1 else None)
        self.call("Input.dispatchKeyEvent", {"type": "keyDown", **common, **({"text": typed} if typed else {})})
        self.call("Input.dispatchKeyEvent", {"type": "keyUp", **common})

    def type(self, text):
        self.call("Input.insertText", {"text": text})

    @property
    def complaints(self):
        self.browser.settle()
        found = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            params = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(params["exceptionDetails"].get("exception", {}).get("description") or params["exceptionDetails"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                found.append(str(params["args"]))
            elif event["method"] == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        return found

    @property
    def requested(self):
        """Every address that the page asked for."""
        self.browser.settle()
        return [event["params"]["request"]["url"] for event in self.browser.events
                if event["method"] == "Network.requestWillBeSent" and event.get("sessionId") == self.session]

    def screenshot(self, path, whole=False):
        params = {"format": "png"}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            params |= {"captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}
        pathlib.Path(path).write_bytes(base64.b64decode(self.call("Page.captureScreenshot", params)["data"]))

    def close(self):
        self.browser.call("Target.closeTarget", {"targetId": self.target})
