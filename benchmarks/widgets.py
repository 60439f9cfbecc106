"""The widgets in JupyterLab, beside Rampviz of jdaviz in the same run.

A practice exposure of 2048 x 2048 pixels and 10 groups is opened in headless
Chromium with no network, and both are driven by mouse and keyboard: times are
from the real event to the first frame in which its result is on the screen.
Each is opened in several kernels, after one that is not counted; importing is
a figure of its own and part of no other. Memory is the kernel's, above what it
has after the import alone, and so holds the exposure: as float32 that is 168 MB.

Rampviz is installed into an environment of its own, by pip as it is set up on
this machine; where that is impossible it is said, and the project's figures
stand alone. What it has no way to do is told as "cannot". All samples are
written beside the archive that is measured on, as bench-widgets.json.

UPRAMP_WIDGET_REPEATS and UPRAMP_WIDGET_ROUNDS make it shorter.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._stage1.exposures import FULL, archive
from benchmarks._widgets import ours, peer
from benchmarks._widgets.figures import rows_of, write

if TYPE_CHECKING:
    from benchmarks._table import Row
    from benchmarks._widgets.acts import Measured

__all__ = ["rows"]

_SCRATCH = Path(__file__).parents[1] / ".practice"
_SOFTWARE_GRAPHICS = "--enable-unsafe-swiftshader"


def rows() -> list[Row]:
    """Measure.

    Returns
    -------
    list of Row
        The project's widgets beside Rampviz; none where there is no browser.
    """
    from benchmarks._browser import chromium, program

    if program() is None:
        _say("widgets: there is no Chromium, so nothing is measured; install it, as root by apt")
        return []
    practice = archive()
    path = practice / "uncal" / FULL.format(1)
    with tempfile.TemporaryDirectory(prefix="upramp-bench-") as scratch:
        with chromium(_SOFTWARE_GRAPHICS) as browser:
            _say("  the project's widgets ...")
            own = ours.measure(path, Path(scratch) / "ours", browser, practice / "crds")
        theirs = _peer(path, Path(scratch) / "peer")
    _SCRATCH.mkdir(exist_ok=True)
    write(_SCRATCH / "bench-widgets.json", own, theirs)
    return rows_of(own, theirs)


def _peer(path: Path, folder: Path) -> Measured | None:
    """Measure Rampviz, or say why not: its failure is not to hide what was measured of ours."""
    from playwright.sync_api import Error

    from benchmarks._browser import chromium

    try:
        _say("  jdaviz, installed apart ...")
        python = peer.install(_SCRATCH / "bench-jdaviz")
        _say("  Rampviz ...")
        browser: Any
        with chromium(_SOFTWARE_GRAPHICS) as browser:
            return peer.measure(path, folder, browser, python)
    except (peer.PeerError, AssertionError, Error, OSError, RuntimeError) as error:
        _say(f"widgets: Rampviz was not measured: {error}")
        return None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
