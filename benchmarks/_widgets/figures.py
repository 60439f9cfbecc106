"""What is told of the samples: which figure, of which samples, in which unit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from .acts import CUBE, Measured, p95

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from benchmarks._table import Row

__all__ = ["rows_of", "write"]


@dataclass(frozen=True)
class _Figure:
    """A line of the table.

    Parameters
    ----------
    name, peer_name
        Of the samples; the peer's own where what is nearest is another action.
    told
        In words.
    unit
        Of the samples.
    statistic
        What is told of them, and how that is called.
    scale
        Samples are divided by it.
    """

    name: str
    told: str
    unit: str = "ms"
    statistic: tuple[str, Callable[[Iterable[float]], float]] = ("median", median)
    scale: float = 1.0
    peer_name: str = ""


_LEAST: Final = ("least", min)
_FIGURES: Final = (
    _Figure("import", "import", "s"),
    _Figure("made", "the call returns", "s"),
    _Figure("first", "call to the first picture on the screen", "s"),
    _Figure("click", "click to the pixel's ramp on the screen"),
    _Figure("click", "click to the pixel's ramp on the screen", statistic=_LEAST),
    _Figure("click", "our click | the peer's cursor over a pixel, to its ramp", peer_name="hover"),
    _Figure("still", "click until the plot rests"),
    _Figure("whole", "threshold to the marks on the whole detector, by the browser"),
    _Figure("zoomed", "threshold to the marks on 500 x 500 pixels, by the browser"),
    _Figure("engine", "threshold to the engine's own flags on 500 x 500 pixels"),
    _Figure("stretch", "another stretch on the screen"),
    _Figure("group", "another group on the screen"),
    _Figure("pan", "a frame while the image is dragged", statistic=("p95", p95)),
    _Figure("brush", "a move of the brush until it is drawn"),
    _Figure("graticule", "a step of a pan to the new graticule"),
    _Figure("bytes", "over the websocket for a click", "kB"),
    _Figure("memory", "memory over the imports, in cubes of float32", "x", scale=CUBE),
    _Figure("resident", "the same with pages of files, which the system drops", "x", scale=CUBE),
    _Figure("peak", "the same at its peak", "x", ("most", max), CUBE),
)


def rows_of(ours: Measured, theirs: Measured | None) -> list[Row]:
    """Give the lines of the table.

    Parameters
    ----------
    ours
        Samples of the project.
    theirs
        Of the peer; None if it was not measured. A figure that it lacks is one that it cannot.
    """
    return [_row(figure, ours, theirs) for figure in _FIGURES]


def _row(figure: _Figure, ours: Measured, theirs: Measured | None) -> Row:
    called, statistic = figure.statistic
    project = statistic(ours[figure.name]) / figure.scale
    samples = [] if theirs is None else theirs.get(figure.peer_name or figure.name, [])
    peer = statistic(samples) / figure.scale if samples else None
    many = len(ours[figure.name])
    memory = figure.scale != 1
    return {
        "figure": f"widgets: {figure.told}, {called} of {many}" if many > 1 else
        f"widgets: {figure.told}",
        "project": project,
        "peer": peer,
        "ratio": None if peer is None else project / peer,
        "memory_project": project * figure.scale if memory else None,
        "memory_peer": peer * figure.scale if memory and peer is not None else None,
        "unit": figure.unit,
        "cannot": theirs is not None and peer is None,
    }  # fmt: skip


def write(path: Path, ours: Measured, theirs: Measured | None) -> None:
    """Write all samples as JSON, with the units that the table has.

    Parameters
    ----------
    path
        Of the file.
    ours, theirs
        Samples of the project, and of the peer.
    """
    units = {figure.name: "MB" if figure.scale != 1 else figure.unit for figure in _FIGURES}
    told = {"units": units | {"hover": "ms"}, "project": ours, "rampviz": theirs}
    path.write_text(json.dumps(told, indent=1))
