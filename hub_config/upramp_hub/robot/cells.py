"""What robots run in their kernels, and the answers that it has.

Every cell prints one line that begins with a word made for this one run, so
that no other output, and no output of an earlier run, can pass for its answer.
"""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .errors import WrongAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Cell", "archive", "ramp"]

_RAMP: Final = """
import json
import numpy

# A ramp of {groups} groups in {side} x {side} pixels, each with its own slope, fitted by
# least squares.
slopes = {slope} * (1 + numpy.arange({side} * {side}) / {side}**2).reshape({side}, {side})
times = numpy.arange({groups}) * 10.73677
ramp = slopes * times[:, None, None]
centred = times - times.mean()
fitted = numpy.tensordot(centred, ramp, 1) / (centred @ centred)
print("{mark}", json.dumps([float(fitted.min()), float(fitted.max())]))
"""

_ARCHIVE: Final = """
import json
import os
import pathlib
import upramp

archive = pathlib.Path({archive} or os.environ["UPRAMP_ARCHIVE"])
files = sorted((archive / "uncal").glob("*_uncal.fits"))
exposure = upramp.open(files[{number} % len(files)])
print("{mark}", json.dumps([len(files), *map(int, exposure.shape)]))
"""

_GROUPS: Final = 10
_SIDE: Final = 64


@dataclass(frozen=True)
class Cell:
    """A cell with its answer.

    Parameters
    ----------
    source
        What the kernel runs.
    mark
        The word that its answer follows.
    accepts
        Says whether an answer is the right one.
    """

    source: str
    mark: str
    accepts: Callable[[Any], bool]

    def check(self, text: str) -> None:
        """Demand that what a cell printed holds its answer.

        Parameters
        ----------
        text
            All that it printed.

        Raises
        ------
        WrongAnswerError
            If it holds none, or another.
        """
        for line in text.splitlines():
            mark, _, answer = line.partition(" ")
            if mark != self.mark:
                continue
            try:
                if self.accepts(json.loads(answer)):
                    return
            except (ValueError, TypeError):
                pass
            raise WrongAnswerError("a cell", f"its answer is {answer!r}", "see the server's log")
        raise WrongAnswerError(
            "a cell",
            "it ended without its answer: output was lost on the way",
            "see the logs of the proxy and the server",
        )


def ramp() -> Cell:
    """Make a cell that fits a ramp whose slopes are known."""
    mark = _mark()
    slope = round(random.uniform(1, 100), 3)  # noqa: S311 - no secret
    steepest = slope * (2 - 1 / _SIDE**2)
    source = _RAMP.format(mark=mark, slope=slope, groups=_GROUPS, side=_SIDE)
    return Cell(
        source,
        mark,
        lambda found: (
            len(found) == 2
            and abs(found[0] / slope - 1) < 1e-9
            and abs(found[1] / steepest - 1) < 1e-9
        ),
    )


def archive(folder: str | None, number: int) -> Cell:
    """Make a cell that opens an exposure of the archive.

    Parameters
    ----------
    folder
        The archive as servers see it; None for what ``UPRAMP_ARCHIVE`` says there.
    number
        Which exposure: robots take turns.
    """
    mark = _mark()
    return Cell(
        _ARCHIVE.format(mark=mark, archive=repr(folder), number=int(number)),
        mark,
        lambda found: len(found) == 5 and all(isinstance(n, int) and n > 0 for n in found),
    )


def _mark() -> str:
    return f"robot-{uuid.uuid4().hex}"
