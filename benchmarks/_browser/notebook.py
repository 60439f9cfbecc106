"""A notebook in a page: what a person does there, and what is seen of it."""

from __future__ import annotations

import json
import os
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .scripts import ASK, COLOURS, DO, DONE, EVENTS, IDLE, NOTE, WATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["PATIENCE", "Notebook", "colours_at", "note_drawn", "place_of"]

PATIENCE: Final = 60.0
"""Seconds to wait at most for anything."""

_HARMLESS: Final = (
    "favicon",
    "Failed to load resource: the server responded with a status of 404",  # no workspace yet
    "WebSocket connection to",  # said when a test cuts it
    "Error while reading the session settings",
)


def note_drawn(page: Any) -> None:
    """Note each picture that an image view of a page draws from now on.

    Parameters
    ----------
    page
        Of playwright.
    """
    page.evaluate(NOTE)


def place_of(page: Any, x: float, y: float) -> tuple[float, float]:
    """Give where on the page a pixel of the detector is, by the last picture noted.

    Parameters
    ----------
    page
        Of playwright.
    x, y
        Column and row, from 0.
    """
    last = page.evaluate("window.upDrawn.at(-1)")
    canvas = page.locator("canvas.up-canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    (left, top), (width, height) = last["plot"]["at"], last["plot"]["dots"]
    (x0, x1), (y0, y1) = last["range"]["x"], last["range"]["y"]
    across = left + (x - x0) / (x1 - x0) * width
    down = top + height - (y - y0) / (y1 - y0) * height
    return box["x"] + across / last["ratio"], box["y"] + down / last["ratio"]


def colours_at(page: Any, places: Sequence[Sequence[float]]) -> list[list[int]]:
    """Give the colours [r, g, b] that the first canvas shows at pixels of the detector.

    Parameters
    ----------
    page
        Of playwright.
    places
        (x, y) of each.
    """
    found: list[list[int]] = page.evaluate(COLOURS, list(places))
    return found


class Notebook:
    """A notebook in a page of its own.

    Parameters
    ----------
    url, token
        Of the server.
    context
        Of playwright, for this page alone.
    name
        Of the notebook's file.

    Attributes
    ----------
    page
        Of playwright.
    elsewhere
        What the page asked of another host, which is refused.
    complaints
        Errors of the page and its console.
    sent, received, messages
        What went over the websocket: bytes before any compression, and how many messages.
    """

    def __init__(self, url: str, token: str, context: Any, name: str) -> None:
        self.url = url
        self.token = token
        self.context = context
        self.name = name
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        context.route("**/*", self._only_here)
        self.page = context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._console)
        self.sent = self.received = self.messages = 0
        self.page.on("websocket", self._count)

    def _only_here(self, route: Any) -> None:
        if urllib.parse.urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            self.elsewhere.append(route.request.url)
            route.abort()

    def _console(self, line: Any) -> None:
        if line.type == "error" and not any(part in line.text for part in _HARMLESS):
            self.complaints.append(line.text)

    def _count(self, socket: Any) -> None:
        def out(payload: str | bytes) -> None:
            self.sent += len(payload)
            self.messages += 1

        def back(payload: str | bytes) -> None:
            self.received += len(payload)
            self.messages += 1

        socket.on("framesent", out)
        socket.on("framereceived", back)

    def load(self) -> None:
        """Load the page, or load it again."""
        self.page.goto(f"{self.url}/lab/tree/{self.name}?token={self.token}&reset")
        self.page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
        self.page.wait_for_function(IDLE)
        # More room for the notebook.
        self.page.evaluate("window.jupyterapp.shell.collapseLeft()")

    def reload(self) -> None:
        """Load the page again; the kernel lives on."""
        self.save()
        self.load()

    def save(self) -> None:
        """Save the notebook."""
        self.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")

    def run(self) -> None:
        """Run all cells and wait until the kernel has."""
        self.page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.page.wait_for_function(DONE)

    def ask(self, code: str) -> Any:
        """Run code in the notebook's kernel and give what its last expression is, by JSON.

        Parameters
        ----------
        code
            An expression.
        """
        wrapped = f"__import__('json').dumps({code})"
        answer = self.page.evaluate(ASK, wrapped)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return json.loads(answer["value"])

    def do(self, code: str) -> None:
        """Run statements in the notebook's kernel.

        Parameters
        ----------
        code
            What.
        """
        answer = self.page.evaluate(DO, code)
        if "error" in answer:
            raise AssertionError(answer["error"])

    def output(self, cell: int) -> Any:
        """Give a cell's output.

        Parameters
        ----------
        cell
            Counted from 0.
        """
        return self.page.locator(".jp-NotebookPanel .jp-Cell").nth(cell).locator(".jp-OutputArea")

    def picture(self, path: str, locator: Any = None) -> None:
        """Take a picture, if a folder for them is said by UPRAMP_TEST_PICTURES.

        Parameters
        ----------
        path
            Of the file in it, less its ending.
        locator
            What of the page; None for all that is seen.
        """
        folder = os.environ.get("UPRAMP_TEST_PICTURES")
        if folder:
            (locator or self.page).screenshot(path=Path(folder) / f"{path}.png")

    def note(self) -> None:
        """Note each picture that an image view draws from now on; see `drawn`."""
        note_drawn(self.page)

    def drawn(self) -> list[dict[str, Any]]:
        """Give the notes: when each picture was drawn (ms of the page's clock) and of what."""
        found: list[dict[str, Any]] = self.page.evaluate("window.upDrawn ?? []")
        return found

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Give where on the page a pixel of the detector is, by the last picture.

        Parameters
        ----------
        x, y
            Column and row, from 0.
        """
        return place_of(self.page, x, y)

    def time(
        self,
        act: Callable[[], Any],
        ready: str,
        event: str | None = None,
        patience: float = PATIENCE,
    ) -> float:
        """Give ms from a real event to the first frame after a condition of the page is true.

        Parameters
        ----------
        act
            Causes the event by the mouse or the keyboard.
        ready
            JavaScript expression that is true once what is waited for is drawn.
        event
            Which event starts the clock; None for the first of any.
        patience
            Seconds to wait at most.
        """
        events = [event] if event else list(EVENTS)
        self.page.evaluate(WATCH, [ready, events, patience * 1000])
        act()
        found: float | None = self.page.evaluate("window.upWatched")
        if found is None:
            raise AssertionError(f"it was not drawn in {patience} s: {ready}")
        return found
