"""Photograph the widgets in JupyterLab, for the README and these pages.

``python docs/picture_widgets.py ARCHIVE [--only NAME]``: opens each in headless
Chromium with no network, light and dark, on an exposure of a practice archive.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the browser of the benchmarks

from benchmarks._browser import Lab, chromium

if TYPE_CHECKING:
    from benchmarks._browser import Notebook

IMAGES: Final = Path(__file__).parent / "images"
EXPOSURE: Final = "jw99001001001_02101_00001_nrcalong_uncal.fits"
CANVAS: Final = ".upramp-image-view canvas.up-canvas"
THEMES: Final = ("light", "dark")

_GRAYS: Final = 16
_EXACT: Final = 24
"""Colours that are kept as they are."""
_GRAY: Final = 14
"""By how much the channels of a gray may differ."""

_PIXELS: Final = """
import numpy as np
from upramp.dq import GROUP
flags, rate = w.flags()[0], w.model.rate({})
hit = (flags == GROUP["JUMP_DET"]).sum(axis=0) == 1
clean = (np.bitwise_or.reduce(flags) & ~np.uint8(GROUP["JUMP_DET"])) == 0
late = (flags[4:7] == GROUP["JUMP_DET"]).any(axis=0)
bright = np.where(clean & np.isfinite(rate), rate, -1)
def brightest(chosen, low, high):
    found = np.where(chosen & (bright > low) & (bright < high), bright, -1)
    found[:40], found[-40:], found[:, :40], found[:, -40:] = -1, -1, -1, -1
    y, x = np.unravel_index(np.argmax(found), found.shape)
    return int(x), int(y)
"""
"""A pixel that was hit in mid-ramp, and others like it that were not."""


@dataclass(frozen=True)
class Picture:
    """A picture of a widget.

    Parameters
    ----------
    widget
        Its class.
    arrange
        Done in the kernel, once it is ready.
    point
        Where the cursor is at last, in pixels of the detector; None for away.
    width
        Of the page.
    """

    widget: str
    arrange: str
    point: tuple[float, float] | None = None
    width: int = 1020


PICTURES: Final = {
    "ramp-inspector": Picture(
        "RampInspector",
        _PIXELS
        + """
x, y = brightest(hit & late, 4, 40)
w.pin(*brightest(~flags.any(axis=0), 5, 7))
w.image.click(x, y)
w.plane = "rate"
w.image.center(x, y, 240)
w.image.stretch = "asinh"
""",
        width=1420,
    ),
    "cosmic-ray-masker": Picture(
        "CosmicRayMasker",
        """
w.image.center(320, 320, 150)
w.image.stretch = "asinh"
w.snowball(352, 345, 9)
w.circle(288, 300, 5)
w.image.stroke("line", [(300.0, 352.0), (330.0, 372.0)])
w.image.stroke("eraser", [(321.0, 298.0), (324.0, 305.0)], 4.0, True)
w.tool = "brush"
w.brush = 4
""",
        (310.0, 331.0),
    ),
    "wcs-overlay": Picture(
        "WcsOverlay",
        """
stars = w.add_catalogue({truth!r}, name="stars")
w.image.stroke("circle", [(240.0, 320.0)], 40.0)
""",
        (420.0, 300.0),
    ),
}


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path, help="what `upramp practice ARCHIVE` made")
    parser.add_argument("--only", choices=PICTURES, help="take this picture only")
    parser.add_argument("--images", type=Path, default=IMAGES, help="where they go")
    options = parser.parse_args()
    archive = options.archive.resolve()
    names = [options.only] if options.only else list(PICTURES)
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        for theme in THEMES:
            crds = {"CRDS_PATH": str(archive / "crds"), "CRDS_CONTEXT": "jwst_0001.pmap"}
            folder = Path(scratch) / theme
            with Lab(folder, theme=f"JupyterLab {theme.title()}", **crds) as lab:
                for name in names:
                    written = options.images / f"{name}-{theme}.png"
                    _take(lab, browser, PICTURES[name], archive, written)
                    sys.stdout.write(f"{written} {written.stat().st_size // 1000} kB\n")


def _take(lab: Lab, browser: Any, picture: Picture, archive: Path, written: Path) -> None:
    path = archive / "uncal" / EXPOSURE
    cells = [
        f"from upramp_widgets import {picture.widget}",
        f"w = {picture.widget}({str(path)!r})\nw",
    ]
    page = {"width": picture.width, "height": 1250, "device_scale_factor": 2}
    with lab.open(browser, cells, name=f"{written.stem}.ipynb", **page) as notebook:
        notebook.note()
        notebook.run()
        notebook.page.locator(CANVAS).first.wait_for()
        _settle(notebook)
        truth = str(archive / "truth" / "stars.ecsv")
        notebook.do(picture.arrange.replace("{truth!r}", repr(truth)))
        _settle(notebook)
        if picture.point:
            notebook.page.mouse.move(*notebook.at(*picture.point))
        notebook.page.wait_for_timeout(1500)
        widget = notebook.output(1).locator(".jupyter-widgets").first
        _write(widget.screenshot(), written)


def _settle(notebook: Notebook) -> None:
    if not notebook.ask("w.wait(120)"):
        raise RuntimeError(f"it was not ready in 120 s: {notebook.ask('w.status')}")
    notebook.page.wait_for_timeout(1500)


def _write(taken: bytes, written: Path) -> None:
    """Write a PNG of few colours: noise does not compress, and nobody sees 24 bits of it.

    Grays, which noise is of, are few; those that cover most, as a swatch does, stay exactly as
    they are; the others are chosen by which there are, and not by how often, so that a thin line
    keeps its own.
    """
    with Image.open(io.BytesIO(taken)) as image:
        full = image.convert("RGB")
    values = np.asarray(full).astype(np.int16)
    gray = (values.max(axis=2) - values.min(axis=2)) < _GRAY
    exact, counts = np.unique(values[~gray], axis=0, return_counts=True)
    often = exact[np.argsort(-counts, kind="stable")[:_EXACT]]
    rounded = np.unique((values[~gray] // 4) * 4 + 2, axis=0).astype(np.uint8)
    others = 256 - _GRAYS - len(often)
    colours = Image.fromarray(rounded[np.newaxis]).quantize(others, dither=Image.Dither.NONE)
    chosen = [*often.ravel().tolist(), *(colours.getpalette() or [])[: 3 * others]]
    few = full.quantize(palette=_palette(chosen), dither=Image.Dither.NONE)
    few.save(written, optimize=True)


def _palette(colours: list[int]) -> Image.Image:
    levels = np.linspace(0, 255, _GRAYS).round().astype(int)
    grays = [int(level) for level in levels for _ in range(3)]
    palette = Image.new("P", (1, 1))
    palette.putpalette(grays + colours)
    return palette


if __name__ == "__main__":
    main()
