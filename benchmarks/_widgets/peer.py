"""Rampviz of jdaviz, installed apart and driven as the project's widgets are.

It draws its images by WebGL: with no graphics card, which is what a headless
browser has, that is done by the processor. Where one action draws several
times, what counts is the first that can show what was asked for.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from benchmarks._browser import Lab

from .acts import (
    Measured,
    drag_frames,
    first_paint,
    memory,
    note_memory,
    repeats,
    rounds,
    run_first,
    shut_down,
    traffic,
    walk,
)
from .probe import PROBE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks._browser import Notebook

__all__ = ["PeerError", "install", "measure"]

_REQUIREMENTS: Final = ("jdaviz>=5.0,<5.2", "jupyterlab>=4.6,<5")
"""Rampviz is in these; version 5.2 is to be without it."""

_PAGE: Final[dict[str, Any]] = {"width": 1500, "height": 1150, "script": PROBE}
_IMPORT: Final = """import time
begun = time.perf_counter()
from jdaviz import Rampviz
imported = time.perf_counter() - begun"""
_MAKE: Final = """begun = time.perf_counter()
w = Rampviz()
w.load({path!r}, format="Ramp")
made = time.perf_counter() - begun
w.show()"""
_SHOWN: Final = "(window.upProbe.shown ?? 0) > {after}"
_QUIET: Final = 2500


class PeerError(Exception):
    """Rampviz could not be installed, or does not do what it did."""


def install(folder: Path) -> str:
    """Install Rampviz into an environment of its own, once.

    Parameters
    ----------
    folder
        Where that is.

    Returns
    -------
    str
        Its Python.

    Raises
    ------
    PeerError
        If it cannot be.
    """
    python, done = folder / "bin" / "python", folder / "installed.txt"
    wanted = "\n".join(_REQUIREMENTS)
    if done.exists() and done.read_text() == wanted:
        return str(python)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([sys.executable, "-m", "venv", str(folder)], [*pip, *_REQUIREMENTS]):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            told = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")]
            why = told[-1].removeprefix("ERROR: ") if told else ended.stderr[-300:]
            raise PeerError(f"jdaviz could not be installed into {folder}: {why}")
    done.write_text(wanted)
    return str(python)


def measure(path: Path, folder: Path, browser: Any, python: str) -> Measured:
    """Measure the figures that Rampviz has.

    Parameters
    ----------
    path
        Of the exposure.
    folder
        For what the server writes.
    browser
        Of playwright.
    python
        That has jdaviz.
    """
    found: Measured = {}
    with Lab(folder, python=python) as lab:
        for number in range(rounds() + 1):
            for notebook in _opened(lab, browser, path, found, counts=number > 0):
                if number == rounds():
                    _inspect(notebook, found)
    return found


def _opened(
    lab: Lab, browser: Any, path: Path, found: Measured, *, counts: bool
) -> Iterator[Notebook]:
    """Open it in a kernel of its own, and note how long that took if it counts."""
    cells = [_IMPORT, _MAKE.format(path=str(path))]
    with lab.open(browser, cells, name="Rampviz.ipynb", **_PAGE) as notebook:
        run_first(notebook)
        bare = memory(notebook)
        notebook.page.wait_for_timeout(500)
        painted = first_paint(notebook, _SHOWN.format(after=0))
        # All of its parts come some seconds after the first image.
        notebook.page.wait_for_timeout(2 * _QUIET)
        if counts:
            found.setdefault("import", []).append(notebook.ask("imported"))
            found.setdefault("made", []).append(notebook.ask("made"))
            found.setdefault("first", []).append(painted)
        found["bare"] = [*bare]
        yield notebook
        shut_down(notebook)


def _inspect(notebook: Notebook, found: Measured) -> None:
    _clicks(notebook, found)
    _groups(notebook, found)
    _stretch(notebook, found)
    note_memory(notebook, found.pop("bare"), found)
    _pan(notebook, found)


def _tool(notebook: Notebook, name: str) -> dict[str, float]:
    """Take a tool of the viewer of groups; give where that is on the page."""
    notebook.do(f"w._app.get_viewer('group-viewer').toolbar.active_tool_id = {name!r}")
    viewer = notebook.page.locator(".bqplot").first
    viewer.scroll_into_view_if_needed()
    notebook.page.wait_for_timeout(1000)
    box: dict[str, float] = viewer.bounding_box()
    return box


def _clicks(notebook: Notebook, found: Measured) -> None:
    """Show ramps, once by the cursor alone and once by a click, with the tool made for it."""
    page = notebook.page
    box = _tool(notebook, "jdaviz:rampperpixel")
    found["hover"], found["click"], found["still"], found["bytes"] = [], [], [], []
    drawn = "window.upProbe.path > window.upProbe.event.{event}"
    places = list(walk(box, repeats() + 1))
    page.mouse.click(*places[0])
    page.wait_for_timeout(_QUIET)
    for place in places[1:]:
        found["hover"].append(
            notebook.time(
                partial(page.mouse.move, *place),
                drawn.format(event="pointermove"),
                event="pointermove",
            )
        )
        page.wait_for_timeout(800)

        def click() -> None:
            page.mouse.down()
            page.mouse.up()

        def timed(click: Any = click) -> None:
            ready = drawn.format(event="pointerup")
            found["click"].append(notebook.time(click, ready, event="pointerup"))

        found["bytes"].append(traffic(notebook, timed, _QUIET))
        found["still"].append(
            page.evaluate("window.upProbe.path - window.upProbe.event.pointerup")
        )


def _plugin(notebook: Notebook, name: str) -> None:
    notebook.do(f"w.plugins[{name!r}].open_in_tray()")
    notebook.page.wait_for_timeout(_QUIET)


def _groups(notebook: Notebook, found: Measured) -> None:
    page = notebook.page
    _plugin(notebook, "Ramp Slice")
    found["group"] = []
    for number in range(repeats()):
        icon = "exposure_plus_1" if number % 8 < 4 else "exposure_minus_1"
        button = page.locator("button", has=page.get_by_text(icon, exact=True)).first
        found["group"].append(_image(notebook, button))
        page.wait_for_timeout(600)


def _stretch(notebook: Notebook, found: Measured) -> None:
    page = notebook.page
    _plugin(notebook, "Plot Options")
    field = page.locator(".v-select", has=page.get_by_text("Stretch Function", exact=True)).first
    field.scroll_into_view_if_needed()
    found["stretch"] = []
    for number in range(repeats()):
        field.click()
        page.wait_for_timeout(500)
        name = "Logarithmic" if number % 2 else "Square Root"
        item = page.locator(".menuable__content__active .v-list-item", has_text=name).first
        found["stretch"].append(_image(notebook, item))
        page.wait_for_timeout(600)


def _image(notebook: Notebook, button: Any) -> float:
    """Press something; give ms until another image is drawn."""
    page = notebook.page
    box = button.bounding_box()
    if box is None:
        raise PeerError("Rampviz has other controls than those that are measured")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_timeout(400)

    def press() -> None:
        page.mouse.down()
        page.mouse.up()

    ready = _SHOWN.format(after="window.upProbe.event.pointerup")
    return notebook.time(press, ready, event="pointerup")


def _pan(notebook: Notebook, found: Measured) -> None:
    page = notebook.page
    box = _tool(notebook, "jdaviz:panzoom")
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    for _ in range(6):
        page.mouse.wheel(0, -120)
        page.wait_for_timeout(200)
    page.wait_for_timeout(_QUIET)
    found["pan"] = drag_frames(notebook, *middle)
