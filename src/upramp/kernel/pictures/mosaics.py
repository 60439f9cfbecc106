"""Pictures of mosaics: what is in them, and how many exposures each pixel comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from upramp.exposure import open_exposure

from .catalogues import read
from .drawing import Picture, figure, first, picture_of, stretched
from .image_files import COLOURS, median_of, shape_of, sky_of, unit_of
from .sky_grid import draw_grid, footprint, outline, wcs_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["coverage", "mosaic", "mosaic_of"]


def mosaic(i2d: Sequence[Path], crf: Sequence[Path], cat: Sequence[Path]) -> Picture:
    """Picture a mosaic: the sky's grid, the outlines of its exposures, and its sources.

    Parameters
    ----------
    i2d
        Images on the sky, of which the one of most exposures is drawn.
    crf
        The exposures that it was made of.
    cat
        Its catalogue; none where no source was found.

    Returns
    -------
    Picture
        With the number of sources and exposures in ``data``.

    Raises
    ------
    UsageError
        If there is no mosaic.
    """
    path = mosaic_of(i2d)
    with open_exposure(path) as product:
        image = np.array(product.data, np.float32)
        unit = unit_of(product)
        # Where no exposure looked there is nothing, which is not black sky.
        image[np.asarray(product["WHT"]) == 0] = np.nan
    wcs = wcs_of(path)
    drawn = figure(8.6, 7.4)
    axes = drawn.add_subplot()
    stretched(axes, image, label=unit, percentiles=(1, 99.6))
    limits = axes.get_xlim(), axes.get_ylim()
    draw_grid(axes, wcs, shape_of(image))
    for number, one in enumerate(crf):
        corners = footprint(one)
        if corners is not None:
            outline(axes, wcs, corners, COLOURS[number % len(COLOURS)], f"exposure {number + 1}")
    x, y, extended = _sources(cat)
    for chosen, colour, what in (
        (~extended, "#ffffff", "point"),
        (extended, "#ff6b9d", "extended"),
    ):
        axes.scatter(
            x[chosen],
            y[chosen],
            s=36,
            facecolors="none",
            edgecolors=colour,
            linewidths=0.6,
            label=f"{int(chosen.sum())} {what} sources",
        )
    axes.set(title=path.name, xlabel="column", ylabel="row", xlim=limits[0], ylim=limits[1])
    axes.title.set_fontsize(9)
    axes.legend(fontsize=7, loc="upper right", framealpha=0.8, facecolor="#333333", labelcolor="w")
    sky, scatter = sky_of(image)
    text = (
        f"mosaic {path.name} of {len(crf)} {_exposures(len(crf))}, {image.shape[1]} x "
        f"{image.shape[0]} pixels: {len(x)} sources over a sky of "
        f"{sky:.3g} ± {scatter:.2g} {unit}"
    )
    data = {"sources": len(x), "exposures": len(crf), "sky": sky, "scatter": scatter}
    return picture_of(drawn, text, data)


def _sources(
    cat: Sequence[Path],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Give columns and rows of the sources of a catalogue, and which are extended."""
    if not cat:
        return np.zeros(0), np.zeros(0), np.zeros(0, bool)
    table = read(cat)
    x, y = np.asarray(table["xcentroid"], float), np.asarray(table["ycentroid"], float)
    return x, y, np.asarray(table["is_extended"], bool)


def coverage(i2d: Sequence[Path]) -> Picture:
    """Picture how many exposures each pixel of a mosaic comes from, and how well it is known.

    Parameters
    ----------
    i2d
        Images on the sky, of which the one of most exposures is drawn.

    Returns
    -------
    Picture
        With the share of pixels by number of exposures in ``data``.

    Raises
    ------
    UsageError
        If there is no mosaic.
    """
    path = mosaic_of(i2d)
    with open_exposure(path) as product:
        context = np.asarray(product["CON"]).astype(np.uint32)
        errors = np.array(product.err, np.float32)
        unit = unit_of(product)
    number = np.zeros(errors.shape, np.uint8)
    for plane in context:
        for bit in range(32):
            number += ((plane >> np.uint32(bit)) & 1).astype(np.uint8)
    errors[number == 0] = np.nan
    drawn = figure(9.0, 4.3)
    left, right = drawn.subplots(1, 2)
    most = max(int(number.max()), 1)
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm

    colours = colormaps["magma"].resampled(most + 1)
    norm = BoundaryNorm(np.arange(-0.5, most + 1), most + 1)
    shown = left.imshow(number, origin="lower", cmap=colours, norm=norm, interpolation="nearest")
    ticks = np.unique(np.linspace(0, most, min(most, 8) + 1).round())
    drawn.colorbar(shown, ax=left, label="exposures", ticks=ticks)
    left.set(title="exposures in each pixel", xlabel="column", ylabel="row")
    stretched(right, errors, label=unit, cmap="cividis", percentiles=(0.5, 99))
    right.set(title="error", xlabel="column")
    drawn.suptitle(path.name, fontsize=9)
    seen = number > 0
    share = {str(n): float((number == n).sum() / max(seen.sum(), 1)) for n in range(1, most + 1)}
    text = (
        f"{path.name}: {100 * share[str(most)]:.3g} % of its pixels come from as many as {most} "
        f"exposures; median error {median_of(errors):.3g} {unit}"
    )
    return picture_of(drawn, text, {"exposures": share, "error": median_of(errors)})


def _exposures(count: int) -> str:
    return "exposure" if count == 1 else "exposures"


def mosaic_of(i2d: Sequence[Path]) -> Path:
    """Give the image that most exposures went into.

    Parameters
    ----------
    i2d
        Images on the sky: those of single exposures, and a mosaic.

    Raises
    ------
    UsageError
        If there is none.
    """
    first(i2d, "mosaic")

    def exposures(path: Path) -> int:
        with open_exposure(path) as product:
            return len(product["HDRTAB"]) if "HDRTAB" in product.tables else 0

    # The first of equals: a product of stage 3 comes before those of its exposures.
    return max(i2d, key=exposures)
