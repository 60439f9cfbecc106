"""The project's widgets, driven as a person drives them."""

from __future__ import annotations

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

__all__ = ["measure"]

_CANVAS: Final = ".upramp-image-view canvas.up-canvas"
_PAGE: Final[dict[str, Any]] = {"width": 1500, "height": 1150, "script": PROBE}
_IMPORT: Final = """import time
begun = time.perf_counter()
from upramp_widgets import {name}
imported = time.perf_counter() - begun"""
_MAKE: Final = """begun = time.perf_counter()
w = {name}({path!r})
made = time.perf_counter() - begun
w"""
_PICTURE: Final = (
    "(window.upDrawn?.at(-1)?.tiles ?? []).some((tile) => tile.startsWith('image/base'))"
)
_NOTE_RAMPS: Final = """() => {
  let found = 0;
  for (const doc of window.Bokeh.documents)
    for (const model of doc._all_models.values())
      if (model.data?.get ? model.data.get("who") : model.data?.who) {
        const note = () => { window.upTold = performance.now(); };
        model.connect(model.properties.data.change, note);
        found += 1;
      }
  return found;
}"""
_RAMP: Final = (
    "window.upTold > window.upProbe.event.pointerup && window.upProbe.plot > window.upTold"
)
_QUIET: Final = 1500


def measure(path: Path, folder: Path, browser: Any, crds: Path) -> Measured:
    """Measure all figures of the project.

    Parameters
    ----------
    path
        Of the exposure.
    folder
        For what the server writes.
    browser
        Of playwright.
    crds
        Cache of references.
    """
    found: Measured = {}
    with Lab(folder, CRDS_PATH=str(crds), CRDS_CONTEXT="jwst_0001.pmap") as lab:
        for number in range(rounds() + 1):
            for notebook in _opened(lab, browser, "RampInspector", path, found, number > 0):
                if number == rounds():
                    _inspect(notebook, found)
        for notebook in _opened(lab, browser, "CosmicRayMasker", path, {}, counts=False):
            _threshold(notebook, found)
            _brush(notebook, found)
        for notebook in _opened(lab, browser, "WcsOverlay", path, {}, counts=False):
            _graticule(notebook, found)
    return found


def _opened(
    lab: Lab, browser: Any, name: str, path: Path, found: Measured, counts: bool
) -> Iterator[Notebook]:
    """Open a widget in a kernel of its own, and note how long that took if it counts."""
    cells = [_IMPORT.format(name=name), _MAKE.format(name=name, path=str(path))]
    with lab.open(browser, cells, name=f"{name}.ipynb", **_PAGE) as notebook:
        notebook.note()
        run_first(notebook)
        bare = memory(notebook)
        notebook.page.wait_for_timeout(500)
        painted = first_paint(notebook, _PICTURE)
        if not notebook.ask("w.wait(300)"):
            raise AssertionError(f"{name} was not ready in 300 s: {notebook.ask('w.status')}")
        if counts:
            found.setdefault("import", []).append(notebook.ask("imported"))
            found.setdefault("made", []).append(notebook.ask("made"))
            found.setdefault("first", []).append(painted)
        found["bare"] = [*bare]
        notebook.page.wait_for_timeout(_QUIET)
        yield notebook
        shut_down(notebook)


# ---- RampInspector


def _inspect(notebook: Notebook, found: Measured) -> None:
    _clicks(notebook, found)
    _stretch(notebook, found)
    _groups(notebook, found)
    note_memory(notebook, found.pop("bare"), found)
    notebook.do("w.image.center(1000, 1000, 500)")
    notebook.page.wait_for_timeout(_QUIET)
    box = notebook.page.locator(_CANVAS).first.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    found["pan"] = drag_frames(notebook, *middle)
    notebook.page.wait_for_timeout(_QUIET)
    found["engine"] = _thresholds(notebook, engine=True)


def _clicks(notebook: Notebook, found: Measured) -> None:
    page = notebook.page
    box = page.locator(_CANVAS).first.bounding_box()
    places = list(walk(box, repeats() + 1))
    page.mouse.click(*places[0])  # the plot learns what it will show
    page.wait_for_timeout(_QUIET)
    if not page.evaluate(_NOTE_RAMPS):
        raise AssertionError("there is no plot of ramps in the page")
    found["click"], found["still"], found["bytes"] = [], [], []
    for place in places[1:]:
        page.mouse.move(*place)
        page.wait_for_timeout(400)

        def click() -> None:
            page.mouse.down()
            page.mouse.up()

        def timed(click: Any = click) -> None:
            found["click"].append(notebook.time(click, _RAMP, event="pointerup"))

        found["bytes"].append(traffic(notebook, timed, _QUIET))
        found["still"].append(
            page.evaluate("window.upProbe.plot - window.upProbe.event.pointerup")
        )


def _stretch(notebook: Notebook, found: Measured) -> None:
    page = notebook.page
    page.get_by_label("Stretch", exact=True).first.focus()
    found["stretch"] = []
    for number in range(repeats()):
        page.wait_for_timeout(300)
        key = "ArrowUp" if number % 2 else "ArrowDown"
        ready = f"window.upDrawn.length > {len(notebook.drawn())}"
        found["stretch"].append(
            notebook.time(partial(page.keyboard.press, key), ready, event="keydown")
        )


def _groups(notebook: Notebook, found: Measured) -> None:
    page = notebook.page
    page.locator(_CANVAS).first.focus()
    found["group"] = []
    last = notebook.ask("w.model.shape[1] - 1")
    way = [*range(last - 1, -1, -1), *range(1, last + 1)]
    for before, group in zip([last, *way], way, strict=False):
        page.wait_for_timeout(400)
        key = "," if group < before else "."
        ready = (
            f"((d) => d?.frame === {group} && d.tiles.some((tile) => "
            f"tile.startsWith('image/base/{group}/')))(window.upDrawn.at(-1))"
        )
        found["group"].append(
            notebook.time(partial(page.keyboard.press, key), ready, event="keydown")
        )


# ---- thresholds, in both widgets that have one


def _thresholds(notebook: Notebook, *, engine: bool) -> list[float]:
    """Move the slider by the keyboard: until the browser's marks, or the engine's flags."""
    page = notebook.page
    notebook.do("w.threshold = 6.0")
    slider = page.get_by_role("slider", name="threshold in sigma").first
    slider.focus()
    marks, times = "d.tiles.filter((tile) => tile.startsWith('masks')).join()", []
    for number in range(repeats()):
        if not notebook.ask("w.wait(120)"):
            raise AssertionError("the engine did not follow the threshold in 120 s")
        page.wait_for_timeout(400)
        drawn = notebook.drawn()
        before = ",".join(tile for tile in drawn[-1]["tiles"] if tile.startswith("masks"))
        ready = f"window.upDrawn.length > {len(drawn)}"
        if engine:
            ready = f"((d) => {marks} !== {before!r})(window.upDrawn.at(-1))"
        key = "ArrowLeft" if number < repeats() // 2 else "ArrowRight"
        times.append(notebook.time(partial(page.keyboard.press, key), ready, "keydown"))
    return times


def _look(notebook: Notebook) -> int:
    """Give a number that is another one for another picture."""
    return int(
        notebook.page.evaluate(
            """(selector) => {
              const canvas = document.querySelector(selector);
              const { width, height } = canvas;
              const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
              return data.reduce((sum, value, at) => (sum * 31 + value * (at % 7)) % 1000003, 7);
            }""",
            _CANVAS,
        )
    )


# ---- CosmicRayMasker


def _threshold(notebook: Notebook, found: Measured) -> None:
    before = _look(notebook)
    found["whole"] = _thresholds(notebook, engine=False)
    if before == _look(notebook):
        raise AssertionError("another threshold looks the same")
    notebook.do("w.image.center(1000, 1000, 500)")
    notebook.page.wait_for_timeout(_QUIET)
    found["zoomed"] = _thresholds(notebook, engine=False)


def _brush(notebook: Notebook, found: Measured) -> None:
    page = notebook.page
    if not notebook.ask("w.wait(120)"):
        raise AssertionError("the engine did not follow the threshold in 120 s")
    notebook.do("w.tool = 'brush'; w.brush = 3")
    page.locator("[data-tool=brush][aria-pressed=true]").first.wait_for()
    box = page.locator(_CANVAS).first.bounding_box()
    page.evaluate(
        """() => {
          window.upDabs = [];
          let moved = 0;
          addEventListener("pointermove", (e) => { moved ||= e.timeStamp; }, { capture: true });
          document.addEventListener("upramp-drawn", ({ detail }) => {
            if (moved) window.upDabs.push(detail.at - moved);
            moved = 0;
          });
        }"""
    )
    (first, *_) = walk(box, 1)
    page.mouse.move(*first)
    page.wait_for_timeout(300)
    page.mouse.down()
    page.evaluate("window.upDabs = []")
    for step in range(80):
        page.mouse.move(first[0] + 2 * step, first[1] + step)
        page.wait_for_timeout(16)
    found["brush"] = page.evaluate("window.upDabs")
    page.mouse.up()
    page.wait_for_timeout(_QUIET)
    if not notebook.ask("w.counts()['JUMP_DET']['set_by_hand']"):
        raise AssertionError("the brush painted nothing")


# ---- WcsOverlay


def _graticule(notebook: Notebook, found: Measured) -> None:
    page = notebook.page
    notebook.do("w.look((700.0, 1300.0), (700.0, 1300.0))")
    page.wait_for_timeout(_QUIET)
    box = page.locator(_CANVAS).first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 10, y)
    page.wait_for_timeout(600)
    found["graticule"] = []
    for step in range(repeats()):
        page.evaluate("window.upDrawn = []")
        page.mouse.move(x + 20 + 9 * step, y + 6 * step)
        page.wait_for_timeout(500)
        moved, lines, drawn = page.evaluate(
            "[upProbe.event.pointermove, upProbe.layers, upDrawn.map((each) => each.at)]"
        )
        after = [at for at in drawn if at >= lines]
        if lines > moved and after:
            found["graticule"].append(after[0] - moved)
    page.mouse.up()
    if len(found["graticule"]) < repeats() // 2:
        raise AssertionError("the graticule did not follow the pan")
