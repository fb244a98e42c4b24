"""browser.py - a page in headless Chromium, asked and led by the DevTools protocol, over pipes.

    with Browser() as browser:
        page = browser.open("file:///tmp/page.html", width=1200, height=900, dark=True)
        page.value("document.title")
        page.complaints    # of the console, and exceptions

No network: the browser gets a proxy that is not there, and answers for files alone.
"""

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

SECONDS = 60  # nothing takes that long; it is against hanging
NAMES = ("chromium", "chromium-browser", "google-chrome")


def path():
    return next((found for found in map(shutil.which, NAMES) if found), None)


class Browser:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="corm-browser-", ignore_cleanup_errors=True)
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()
        self.process = subprocess.Popen(
            [path(), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
             "--disable-background-networking", "--disable-component-update", "--proxy-server=127.0.0.1:9",
             "--hide-scrollbars", f"--user-data-dir={self.folder.name}", "--remote-debugging-pipe", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: self.take_pipes(commands, answers), close_fds=False,
            env=dict(os.environ, HOME=self.folder.name))
        os.close(commands)
        os.close(answers)
        self.numbers, self.rest, self.pages = itertools.count(1), b"", {}

    @staticmethod
    def take_pipes(commands, answers):
        """The browser reads commands from descriptor 3 and answers on 4."""
        high = [os.dup(commands), os.dup(answers)]
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.call("Browser.close")
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()

    def messages(self):
        """The next messages; empty when there are none for a while."""
        if not select.select([self.answers], [], [], 0.2)[0]:
            return []
        part = os.read(self.answers, 1 << 20)
        if not part:
            raise RuntimeError("the browser has ended")
        *whole, self.rest = (self.rest + part).split(b"\0")
        return [json.loads(text) for text in whole]

    def call(self, method, session=None, **parameters):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            answer = None
            for one in self.messages():
                if one.get("id") == number:
                    answer = one
                elif one.get("sessionId") in self.pages:
                    self.pages[one["sessionId"]].hear(one)
            if answer is not None:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
        raise RuntimeError(f"{method}: no answer in {SECONDS} s")

    def open(self, address, width, height, dark=False, scale=1):
        return Page(self, address, width, height, dark, scale)


class Page:
    def __init__(self, browser, address, width, height, dark, scale):
        self.browser, self.complaints, self.requests, self.loaded = browser, [], [], False
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        browser.pages[self.session] = self
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                  mobile=width < 600)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Page.navigate", url=address)
        self.value("new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))")
        self.settle()

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def hear(self, message):
        method, about = message["method"], message["params"]
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(about["exceptionDetails"].get("exception", about["exceptionDetails"])))
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(about["args"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.complaints.append(about["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])

    def settle(self):
        """Until what was begun has been drawn."""
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def point(self, x, y):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.settle()

    def picture(self, file):
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        with open(file, "wb") as out:
            out.write(base64.b64decode(shot["data"]))
