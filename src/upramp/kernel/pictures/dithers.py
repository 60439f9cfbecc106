"""Pictures of exposures beside one another: how they were aligned, and their outliers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import PIXEL
from upramp.errors import UsageError
from upramp.exposure import open_exposure

from .drawing import Picture, figure, picture_of, stretched
from .image_files import COLOURS, image_of, one_of, pairs_of, pixel_of, shape_of, turn
from .sky_grid import wcs_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["alignment", "outliers"]

_OUTLIER: Final = PIXEL["OUTLIER"]
_UNMOVED: Final = 1e-3
"""Milliarcseconds that are no move: what rounding leaves."""
_WINDOW: Final = 48
"""Pixels across the part that shows outliers."""
_FLAGGED: Final = "#e63946"


def alignment(cal: Sequence[Path], crf: Sequence[Path]) -> Picture:
    """Picture by how much each exposure was moved on the sky to fit the others.

    Parameters
    ----------
    cal
        Calibrated exposures, where the telescope said that it pointed.
    crf
        The same, aligned.

    Returns
    -------
    Picture
        With each one's move in milliarcseconds and its turn in ``data``, and the names of
        those that the official step could not align.

    Raises
    ------
    UsageError
        If no exposure is there before and after.
    """
    pairs = pairs_of(cal, crf)
    moves: dict[str, dict[str, float]] = {}
    for before, after in pairs:
        moves[before.name] = _move(wcs_of(before), wcs_of(after), shape_of(image_of(before)[0]))
    drawn = figure(5.6, 5.0)
    axes = drawn.add_subplot()
    axes.axhline(0, color="#999999", linewidth=0.7)
    axes.axvline(0, color="#999999", linewidth=0.7)
    for number, move in enumerate(moves.values()):
        colour = COLOURS[number % len(COLOURS)]
        label = f"{number + 1}: {move['east']:+.1f}, {move['north']:+.1f} mas"
        axes.annotate(
            "",
            (move["east"], move["north"]),
            (0, 0),
            arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1.5},
        )
        axes.plot(move["east"], move["north"], "o", color=colour, label=label)
    reach = 1.25 * max([1.0, *(max(abs(m["east"]), abs(m["north"])) for m in moves.values())])
    axes.set(
        title="where exposures were moved",
        xlabel="to the east (milliarcseconds)",
        ylabel="to the north (milliarcseconds)",
        xlim=(reach, -reach),
        ylim=(-reach, reach),
        aspect="equal",
    )
    axes.legend(fontsize=8)
    largest = max(float(np.hypot(m["east"], m["north"])) for m in moves.values())
    failed = [after.name for _, after in pairs if _was_not_done(after, "S_TWKREG")]
    pixel = next(iter(moves.values()))["pixel"]
    count = f"{len(moves)} exposure{'' if len(moves) == 1 else 's'}"
    if failed:
        text = (
            f"{len(failed)} of {count} not aligned (S_TWKREG is FAILED or SKIPPED): the"
            " telescope's own pointing stands"
        )
    elif largest < _UNMOVED:
        text = f"none of {count} was moved: no match was found, or none was needed"
    else:
        text = (
            f"{count} were aligned: by up to {largest:.3g} milliarcseconds, "
            f"which are {largest / 1000 / pixel:.2g} pixels"
        )
    if failed or largest < _UNMOVED:
        axes.set_title(text, fontsize=8, wrap=True)
    return picture_of(drawn, text, {"moves": moves, "largest": largest, "not_aligned": failed})


def _was_not_done(path: Path, keyword: str) -> str:
    """Give what an exposure's header says of an official step, where that did not do its work."""
    with open_exposure(path) as exposure:
        status = str(exposure.header.get(keyword) or "")
    return status if status in {"FAILED", "SKIPPED"} else ""


def outliers(cal: Sequence[Path], crf: Sequence[Path], *, exposure: int | None = None) -> Picture:
    """Picture what stage 3 found in one exposure and not in the others, before and after.

    Parameters
    ----------
    cal
        Calibrated exposures.
    crf
        The same, with their outliers flagged.
    exposure
        Which of them is shown; None for the one with most.

    Returns
    -------
    Picture
        With the count of pixels flagged in each exposure in ``data``.

    Raises
    ------
    UsageError
        If there is no such exposure before and after.
    """
    pairs = pairs_of(cal, crf)
    counts = {after.name: int(_new_flags(before, after).sum()) for before, after in pairs}
    chosen = int(np.argmax(list(counts.values()))) if exposure is None else exposure
    before, after = one_of(pairs, chosen)
    image, unit = image_of(before)
    flagged = _new_flags(before, after)
    rows, columns = _busiest(flagged)
    drawn = figure(9.0, 7.2)
    (above, beside), (left, right) = drawn.subplots(2, 2)
    spots = np.argwhere(flagged)
    _draw_spots(above, spots, image.shape, rows, columns)
    numbers = np.arange(1, len(counts) + 1)
    beside.bar(numbers, list(counts.values()), color=_FLAGGED)
    beside.set(title="outliers in each exposure", xlabel="exposure", ylabel="pixels")
    beside.set_xticks(numbers)
    extent = columns.start - 0.5, columns.stop - 0.5, rows.start - 0.5, rows.stop - 0.5
    for axes, title in ((left, "before"), (right, "after: outliers in red, no longer used")):
        stretched(axes, image[rows, columns], label=unit, extent=extent)
        axes.set(title=title, xlabel="column", ylabel="row")
        axes.title.set_fontsize(10)
    marks = np.where(flagged[rows, columns], 1.0, np.nan)
    from matplotlib.colors import ListedColormap

    right.imshow(marks, origin="lower", cmap=ListedColormap([_FLAGGED]), extent=extent)
    drawn.suptitle(after.name, fontsize=10)
    share = len(spots) / flagged.size
    text = (
        f"{len(spots)} pixels of {after.name} ({100 * share:.2g} %) were flagged as outliers; "
        f"in all {len(pairs)} exposures {sum(counts.values())}"
    )
    if status := _was_not_done(after, "S_OUTLIR"):
        text = f"{after.name} was not searched for outliers (S_OUTLIR is {status})"
        drawn.suptitle(text, fontsize=9)
    return picture_of(drawn, text, {"outliers": counts, "share": share})


def _draw_spots(
    axes: Axes, spots: NDArray[np.intp], shape: tuple[int, ...], rows: slice, columns: slice
) -> None:
    """Draw where pixels are flagged, and a frame."""
    from matplotlib.patches import Rectangle

    axes.plot(spots[:, 1], spots[:, 0], ".", color=_FLAGGED, markersize=2)
    side = columns.stop - columns.start, rows.stop - rows.start
    corner = columns.start - 0.5, rows.start - 0.5
    axes.add_patch(Rectangle(corner, *side, fill=False, edgecolor="#1d3557", linewidth=1.2))
    axes.set(
        title=f"{len(spots)} outliers; the frame is shown below",
        xlim=(-0.5, shape[1] - 0.5),
        ylim=(-0.5, shape[0] - 0.5),
        aspect="equal",
        xlabel="column",
        ylabel="row",
    )
    axes.title.set_fontsize(10)


def _new_flags(before: Path, after: Path) -> NDArray[np.bool_]:
    with open_exposure(before) as one, open_exposure(after) as two:
        return np.asarray((np.asarray(two.dq) & ~np.asarray(one.dq) & _OUTLIER) != 0)


def _busiest(flagged: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Give the window around most flags."""
    from scipy.ndimage import uniform_filter

    ny, nx = flagged.shape
    side = min(_WINDOW, ny, nx)
    crowd = uniform_filter(flagged.astype(np.float32), 5)
    row, column = (int(one) for one in np.unravel_index(np.argmax(crowd), flagged.shape))
    low = min(max(row - side // 2, 0), ny - side), min(max(column - side // 2, 0), nx - side)
    return slice(low[0], low[0] + side), slice(low[1], low[1] + side)


def _move(before: Any, after: Any, shape: tuple[int, int]) -> dict[str, float]:
    """Give how the sky under an exposure moved: milliarcseconds, and degrees of turn."""
    if before is None or after is None:
        raise UsageError("exposures", "one has no world coordinates", "run stage 2 on it")
    ny, nx = shape
    x, y = np.array([(nx - 1) / 2, nx - 1.0]), np.array([(ny - 1) / 2, (ny - 1) / 2])
    (ra, dec), (new_ra, new_dec) = (wcs(x, y, with_bounding_box=False) for wcs in (before, after))
    squeezed = np.cos(np.radians(dec[0]))
    angles = [
        np.degrees(np.arctan2(d[1] - d[0], turn(a[0], a[1]) * squeezed))
        for a, d in ((ra, dec), (new_ra, new_dec))
    ]
    return {
        "east": float(turn(ra[0], new_ra[0]) * squeezed * 3.6e6),
        "north": float((new_dec[0] - dec[0]) * 3.6e6),
        "turn": float(turn(angles[0], angles[1])),
        "pixel": pixel_of(before, shape),
    }
