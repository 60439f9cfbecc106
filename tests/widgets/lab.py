"""JupyterLab with a notebook, in headless Chromium, with no network: for tests of widgets.

    with Lab(folder) as lab, lab.open(chromium, ["import upramp_widgets", "view"]) as notebook:
        notebook.run()
        notebook.page.locator(".upramp-image-view canvas").first.wait_for()

What the page asks of another host is refused and noted (``notebook.elsewhere``), what it
complains of is kept (``notebook.complaints``).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

PATIENCE = 60.0
TOKEN = "a-token-of-the-tests"
HARMLESS = (
    "favicon",
    "Failed to load resource: the server responded with a status of 404",  # no workspace yet
    "WebSocket connection to",  # said when a test cuts it
    "Error while reading the session settings",
)


def until(what, patience=PATIENCE, pause=0.03):
    """Wait until something is true, and give it."""
    end = time.monotonic() + patience
    while not (found := what()):
        if time.monotonic() > end:
            raise AssertionError(f"it did not come true in {patience} s: {what}")
        time.sleep(pause)
    return found


class Lab:
    """A server with folders of its own; kernels run in the environment of the tests."""

    def __init__(self, folder, theme="JupyterLab Light", **variables):
        self.folder = folder
        self.root = folder / "notebooks"
        self.log = folder / "server.log"
        self.root.mkdir(parents=True, exist_ok=True)
        self._settings(theme)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._variables = variables

    def _settings(self, theme):
        wanted = {
            "apputils-extension/themes": {"theme": theme},
            "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
            "notebook-extension/tracker": {"windowingMode": "none"},
        }
        for name, content in wanted.items():
            file = self.folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(content))

    def __enter__(self):
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
        places = {
            "JUPYTER_CONFIG_DIR": "configuration",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        own = {name: str(self.folder / place) for name, place in places.items()}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                    f"--ServerApp.port={self.port}",
                    "--ServerApp.port_retries=0",
                    "--ServerApp.ip=127.0.0.1",
                    f"--ServerApp.root_dir={self.root}",
                    f"--IdentityProvider.token={TOKEN}",
                    "--LabApp.expose_app_in_browser=True",
                    "--LabApp.news_url=None",
                ],
                env={**inherited, **own, **self._variables},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            until(self._answers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            request = urllib.request.Request(f"{self.url}/api?token={TOKEN}")
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def __exit__(self, *_):
        # The server's own group: its kernels are in it, or end with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)

    @contextlib.contextmanager
    def stopped(self):
        """Let the server do nothing for a while, as if the network were gone."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def open(self, chromium, cells, name="test.ipynb", width=1280, height=1000, **options):
        """Open a notebook with these cells in a page of its own."""
        self.write(cells, name)
        context = chromium.new_context(
            viewport={"width": width, "height": height}, service_workers="block", **options
        )
        context.set_default_timeout(PATIENCE * 1000)
        try:
            notebook = Notebook(self, context, name)
            notebook.load()
            yield notebook
        finally:
            context.close()

    def write(self, cells, name="test.ipynb"):
        """Write a notebook."""
        content = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{at}",
                    "metadata": {},
                    "source": text,
                    "outputs": [],
                    "execution_count": None,
                }
                for at, text in enumerate(cells)
            ],
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.root / name).write_text(json.dumps(content))


def note_drawn(page):
    """Note each picture that an image view of a page draws from now on."""
    page.evaluate(_NOTE)


def place_of(page, x, y):
    """Give where on the page a pixel of the detector is, by the last picture noted."""
    last = page.evaluate("window.upDrawn.at(-1)")
    canvas = page.locator("canvas.up-canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    (left, top), (width, height) = last["plot"]["at"], last["plot"]["dots"]
    (x0, x1), (y0, y1) = last["range"]["x"], last["range"]["y"]
    across = left + (x - x0) / (x1 - x0) * width
    down = top + height - (y - y0) / (y1 - y0) * height
    return box["x"] + across / last["ratio"], box["y"] + down / last["ratio"]


def colours_at(page, places):
    """Give the colours [r, g, b] that the first canvas shows at pixels of the detector."""
    return page.evaluate(_COLOURS, places)


class Notebook:
    """A notebook in a page."""

    def __init__(self, lab, context, name):
        self.lab = lab
        self.context = context
        self.name = name
        self.elsewhere = []
        self.complaints = []
        context.route("**/*", self._only_here)
        self.page = context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._console)
        self.sent = self.received = self.messages = 0
        self.page.on("websocket", self._count)

    def _only_here(self, route):
        if urllib.parse.urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            self.elsewhere.append(route.request.url)
            route.abort()

    def _console(self, line):
        if line.type == "error" and not any(part in line.text for part in HARMLESS):
            self.complaints.append(line.text)

    def _count(self, socket):
        """Count messages and their bytes, as they are before any compression."""

        def out(payload):
            self.sent += len(payload)
            self.messages += 1

        def back(payload):
            self.received += len(payload)
            self.messages += 1

        socket.on("framesent", out)
        socket.on("framereceived", back)

    def load(self):
        """Load the page, or load it again."""
        self.page.goto(f"{self.lab.url}/lab/tree/{self.name}?token={TOKEN}&reset")
        self.page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
        self.page.wait_for_function(_IDLE)
        # More room for the notebook.
        self.page.evaluate("window.jupyterapp.shell.collapseLeft()")

    def reload(self):
        """Load the page again; the kernel lives on."""
        self.save()
        self.load()

    def save(self):
        self.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")

    def run(self):
        """Run all cells and wait until the kernel has."""
        self.page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.page.wait_for_function(_DONE)

    def ask(self, code):
        """Run code in the notebook's kernel and give what its last expression is, by JSON."""
        wrapped = f"__import__('json').dumps({code})"
        answer = self.page.evaluate(_ASK, wrapped)
        assert "error" not in answer, answer["error"]
        return json.loads(answer["value"])

    def do(self, code):
        """Run statements in the notebook's kernel."""
        answer = self.page.evaluate(_DO, code)
        assert "error" not in answer, answer["error"]

    def output(self, cell):
        """Give a cell's output."""
        return self.page.locator(".jp-NotebookPanel .jp-Cell").nth(cell).locator(".jp-OutputArea")

    def picture(self, path, locator=None):
        """Take a picture, if a folder for them is said by UPRAMP_TEST_PICTURES."""
        folder = os.environ.get("UPRAMP_TEST_PICTURES")
        if folder:
            (locator or self.page).screenshot(path=Path(folder) / f"{path}.png")

    def note(self):
        """Note each picture that an image view draws from now on; see `drawn`."""
        note_drawn(self.page)

    def drawn(self):
        """Give the notes: when each picture was drawn (ms of the page's clock) and of what."""
        return self.page.evaluate("window.upDrawn ?? []")

    def at(self, x, y):
        """Give where on the page a pixel of the detector is, by the last picture."""
        return place_of(self.page, x, y)

    def time(self, act, ready, event=None, patience=10.0):
        """Give ms from a real event to the first frame after a condition of the page is true.

        Parameters
        ----------
        act
            Causes the event by the mouse or the keyboard.
        ready
            JavaScript expression that is true once what is waited for is drawn.
        event
            Which event starts the clock; None for the first of any.
        """
        events = [event] if event else _EVENTS
        self.page.evaluate(_WATCH, [ready, events, patience * 1000])
        act()
        found = self.page.evaluate("window.upWatched")
        assert found is not None, f"it was not drawn in {patience} s: {ready}"
        return found


_IDLE = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  const kernel = panel?.sessionContext?.session?.kernel;
  return kernel && kernel.connectionStatus === "connected" && kernel.status === "idle";
}"""

_DONE = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cells = panel.content.widgets.filter((cell) => cell.model.type === "code");
  return cells.every((cell) => cell.model.executionCount !== null && !cell.model.isDirty)
    && !document.querySelector(".jp-InputPrompt[data-executing]")
    && panel.sessionContext.session.kernel.status === "idle"
    && !panel.node.querySelector(".jp-InputPrompt")?.textContent.includes("*");
}"""

_ASK = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute(
    { code: "", user_expressions: { found: code }, silent: true, store_history: false });
  const reply = await future.done;
  const found = reply.content.user_expressions.found;
  if (found.status !== "ok") return { error: `${found.ename}: ${found.evalue}` };
  const text = found.data["text/plain"];
  // A string's repr: let Python's quoting be undone by Python itself would need a second trip.
  const body = text.slice(1, -1);
  return { value: body.replace(/\\\\(.)/g, (_, c) => (c === "n" ? "\\n" : c)) };
}"""

_DO = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, silent: false, store_history: false });
  const reply = await future.done;
  const { status, ename, evalue } = reply.content;
  return status === "ok" ? {} : { error: `${ename}: ${evalue}` };
}"""

_NOTE = """() => {
  window.upDrawn = [];
  window.upNoted?.abort();
  window.upNoted = new AbortController();
  document.addEventListener("upramp-drawn", (event) => window.upDrawn.push(event.detail),
    { signal: window.upNoted.signal });
}"""

_COLOURS = """(places) => {
  const { plot, range } = window.upDrawn.at(-1);
  const canvas = document.querySelector("canvas.up-canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return places.map(([x, y]) => {
    const across = plot.at[0] + (x - range.x[0]) / (range.x[1] - range.x[0]) * plot.dots[0];
    const down = plot.at[1] + plot.dots[1]
      - (y - range.y[0]) / (range.y[1] - range.y[0]) * plot.dots[1];
    return [...context.getImageData(Math.floor(across), Math.floor(down), 1, 1).data].slice(0, 3);
  });
}"""

_EVENTS = ["pointerdown", "pointermove", "wheel", "keydown", "input", "change"]

_WATCH = """([ready, events, patience]) => {
  const test = new Function(`return ${ready}`);
  const stop = new AbortController();
  let start = null;
  const begin = (event) => { start ??= event.timeStamp; };
  for (const name of events) {
    document.addEventListener(name, begin, { capture: true, signal: stop.signal });
  }
  const end = performance.now() + patience;
  window.upWatched = new Promise((resolve) => {
    const look = () => {
      if (start !== null && test()) {
        // What was drawn before this frame is on the screen with it.
        const channel = new MessageChannel();
        channel.port1.onmessage = () => resolve(performance.now() - start);
        requestAnimationFrame(() => channel.port2.postMessage(0));
        stop.abort();
      } else if (performance.now() > end) {
        stop.abort();
        resolve(null);
      } else {
        setTimeout(look, 1);
      }
    };
    look();
  });
}"""
