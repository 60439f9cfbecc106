"""What is done to both: cells run, pointers moved, and what the kernel and the page say of it."""

from __future__ import annotations

import os
import statistics
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from .probe import FIRST_PAINT, FRAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks._browser import Notebook

__all__ = [
    "CUBE",
    "Measured",
    "drag_frames",
    "first_paint",
    "memory",
    "note_memory",
    "p95",
    "repeats",
    "rounds",
    "run_first",
    "shut_down",
    "traffic",
    "walk",
]

Measured = dict[str, list[float]]
"""Samples by the name of a figure."""

CUBE: Final = 2048 * 2048 * 10 * 4 / 1e6
"""MB of the exposure's groups as float32."""

_MEMORY: Final = """[sum(int(line.split()[1]) for line in open("/proc/self/status")
if line.startswith(names)) * 1024 / 1e6
for names in (("RssAnon", "RssShmem"), "VmRSS", "VmHWM")]"""
_OPENING: Final = 180_000


def repeats() -> int:
    """Give how often each action is done."""
    return max(int(os.environ.get("UPRAMP_WIDGET_REPEATS", "20")), 3)


def rounds() -> int:
    """Give how often each is opened in a new kernel, after once that is not counted."""
    return max(int(os.environ.get("UPRAMP_WIDGET_ROUNDS", "3")), 1)


def run_first(notebook: Notebook) -> None:
    """Run the first cell: what is imported is not part of any other figure.

    Parameters
    ----------
    notebook
        In which.
    """
    notebook.page.evaluate(
        """async () => {
          const { content } = window.jupyterapp.shell.currentWidget;
          content.activeCellIndex = 0;
          await window.jupyterapp.commands.execute("notebook:run-cell");
        }"""
    )


def first_paint(notebook: Notebook, ready: str) -> float:
    """Run the last cell; give seconds until its picture is on the screen.

    Parameters
    ----------
    notebook
        In which.
    ready
        JavaScript, true once the picture is drawn.
    """
    found = notebook.page.evaluate(FIRST_PAINT, [ready, _OPENING])
    if found is None:
        raise AssertionError(f"nothing was drawn in {_OPENING / 1000:.0f} s")
    return float(found) / 1000


def memory(notebook: Notebook) -> tuple[float, float, float]:
    """Give the kernel's memory in MB: its own, all that is resident, and the most that was.

    What is resident counts pages of files as well, which the system drops when it
    wants room; the kernel's own it cannot.

    Parameters
    ----------
    notebook
        Whose kernel.
    """
    own, resident, peak = notebook.ask(_MEMORY)
    return float(own), float(resident), float(peak)


def note_memory(notebook: Notebook, bare: Sequence[float], found: Measured) -> None:
    """Note what a kernel holds above what it held at first.

    Parameters
    ----------
    notebook
        Whose kernel.
    bare
        What `memory` gave then.
    found
        Where it is noted.
    """
    own, resident, peak = memory(notebook)
    found["memory"] = [own - bare[0]]
    found["resident"], found["peak"] = [resident - bare[1]], [peak - bare[1]]


def walk(box: dict[str, float], count: int) -> Iterable[tuple[float, float]]:
    """Give places in the middle of a box on the page, each far from the one before.

    Parameters
    ----------
    box
        As playwright has it.
    count
        How many.
    """
    for number in range(count):
        across, down = (0.25 + 0.5 * ((number * step) % 1) for step in (0.618, 0.382))
        yield box["x"] + across * box["width"], box["y"] + down * box["height"]


def drag_frames(notebook: Notebook, x: float, y: float, steps: int = 120) -> list[float]:
    """Move with the button down; give ms from each frame to the next meanwhile.

    Parameters
    ----------
    notebook
        In which.
    x, y
        Where on the page it begins.
    steps
        Of the pointer.
    """
    page = notebook.page
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(FRAMES)
    for step in range(1, steps + 1):
        far = min(step, steps - step)  # there and back
        page.mouse.move(x + far, y + 0.6 * far)
        page.wait_for_timeout(12)
    at: list[float] = page.evaluate("(window.upFramesOn = false, window.upFrames)")
    page.mouse.up()
    return [later - earlier for earlier, later in pairwise(at)]


def traffic(notebook: Notebook, act: Callable[[], Any], quiet: int) -> float:
    """Give kB that go over the websocket for an action and what follows it.

    Parameters
    ----------
    notebook
        In which.
    act
        Does it.
    quiet
        Milliseconds after which nothing more comes of it.
    """
    before = notebook.sent + notebook.received
    act()
    notebook.page.wait_for_timeout(quiet)
    return (notebook.sent + notebook.received - before) / 1000


def shut_down(notebook: Notebook) -> None:
    """End the notebook's kernel.

    Parameters
    ----------
    notebook
        Whose.
    """
    notebook.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")


def p95(times: Iterable[float]) -> float:
    """Give the time that 95 of 100 keep within.

    Parameters
    ----------
    times
        Of which.
    """
    return statistics.quantiles(times, n=20)[-1]
