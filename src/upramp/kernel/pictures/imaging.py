"""Pictures of imaging: calibrated images on the sky, alignment, outliers, mosaics, catalogues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from upramp.dq import PIXEL
from upramp.errors import UsageError
from upramp.exposure import open_exposure

from .catalogues import catalogue, read
from .drawing import Picture, figure, first, picture_of, stretched
from .sky_grid import draw_grid, footprint, outline, wcs_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_One = TypeVar("_One")

__all__ = [
    "alignment",
    "background",
    "calibrated",
    "calibration",
    "catalogue",
    "coverage",
    "mosaic",
    "outliers",
]

_BAD: Final = PIXEL["DO_NOT_USE"]
_OUTLIER: Final = PIXEL["OUTLIER"]
_COLOURS: Final = ("#ff9f1c", "#2ec4b6", "#e71d36", "#a06cd5", "#bfd200", "#00a6fb")
_BOX: Final = 16
_WINDOW: Final = 48
"""Pixels across the part that shows outliers."""
_FLAGGED: Final = "#e63946"
_PLAIN: Final = "#2a6f97"


def calibrated(cal: Sequence[Path], *, exposure: int = 0) -> Picture:
    """Picture a calibrated image with the sky's grid from the whole of its world coordinates.

    Parameters
    ----------
    cal
        Calibrated exposures.
    exposure
        Which of them.

    Returns
    -------
    Picture
        With the median, the share of pixels without a value and the pixel's size in ``data``.

    Raises
    ------
    UsageError
        If there is no such exposure.
    """
    first(cal, "calibrated exposure")
    path = _one_of(cal, exposure)
    image, unit = _image(path)
    wcs = wcs_of(path)
    drawn = figure(7.6, 6.4)
    axes = drawn.add_subplot()
    stretched(axes, image, label=unit)
    lines = draw_grid(axes, wcs, _shape(image)) if wcs is not None else (np.nan, np.nan)
    axes.set(title=path.name, xlabel="column", ylabel="row")
    axes.title.set_fontsize(9)
    blank = float(np.mean(~np.isfinite(image)))
    middle = _median(image)
    pixel = _pixel(wcs, _shape(image))
    text = (
        f"{path.name}: median {middle:.4g} {unit}, {100 * blank:.2g} % of pixels not to be used; "
        f"a pixel is {pixel:.4f} arcsec"
    )
    data = {"median": middle, "blank": blank, "pixel": pixel, "grid": list(lines)}
    return picture_of(drawn, text, data)


def calibration(rate: Sequence[Path], cal: Sequence[Path]) -> Picture:
    """Picture what stage 2 multiplied slopes with: the flat field's inverse, and the unit.

    Parameters
    ----------
    rate
        Slope images.
    cal
        Calibrated exposures, of which the first that has its slopes there is drawn.

    Returns
    -------
    Picture
        With the middle factor, and its scatter from pixel to pixel in ``data``.

    Raises
    ------
    UsageError
        If no exposure is there before and after.
    """
    before, after = _pairs(rate, cal)[0]
    slopes, (image, unit) = _image(before)[0], _image(after)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(slopes != 0, image / slopes, np.nan)
    middle, scatter = _sky(factor)
    relative = factor / middle
    drawn = figure(9.0, 4.2)
    left, right = drawn.subplots(1, 2)
    stretched(left, relative, label="relative factor", percentiles=(0.5, 99.5), cmap="cividis")
    left.set(title="calibrated over slope, by its median", xlabel="column", ylabel="row")
    left.title.set_fontsize(10)
    finite = relative[np.isfinite(relative)]
    if finite.size:
        right.hist(finite, _bins(finite), color=_PLAIN)
    right.set(title="all pixels", xlabel="relative factor", ylabel="pixels")
    right.title.set_fontsize(10)
    drawn.suptitle(after.name, fontsize=9)
    text = (
        f"{after.name}: 1 DN/s is {middle:.4g} {unit} in the middle pixel; from pixel to pixel "
        f"it scatters by {100 * scatter / middle:.2g} %"
    )
    return picture_of(drawn, text, {"factor": middle, "scatter": scatter / middle})


def background(cal: Sequence[Path]) -> Picture:
    """Picture the sky between the sources: its map in one exposure, its level in each.

    Parameters
    ----------
    cal
        Calibrated exposures, before or after their sky was matched.

    Returns
    -------
    Picture
        With the level and the scatter of each exposure in ``data``.

    Raises
    ------
    UsageError
        If there is none.
    """
    path = first(cal, "calibrated exposure")
    image, unit = _image(path)
    drawn = figure(9.0, 4.2)
    left, right = drawn.subplots(1, 2)
    boxes = _boxes(image)
    ny, nx = image.shape
    stretched(
        left, boxes, label=unit, percentiles=(2, 98), extent=(-0.5, nx - 0.5, -0.5, ny - 0.5)
    )
    left.set(title=f"sky of the first, {_BOX} x {_BOX} pixels", xlabel="column", ylabel="row")
    levels: dict[str, dict[str, float]] = {}
    for number, one in enumerate(cal):
        values = _image(one)[0]
        level, scatter = _sky(values)
        levels[one.name] = {"level": level, "scatter": scatter}
        if not np.isfinite(level):
            continue
        edges = level + max(scatter, 1e-9) * np.linspace(-5, 8, 80)
        counts, _ = np.histogram(values[np.isfinite(values)], edges)
        share = 100 * counts / max(np.isfinite(values).sum(), 1)
        label = f"{number + 1}: {level:.4g} ± {scatter:.2g}"
        right.stairs(share, edges, color=_COLOURS[number % len(_COLOURS)], label=label)
    right.set(title="values of each exposure", xlabel=unit, ylabel="% of pixels")
    if right.get_legend_handles_labels()[0]:
        right.legend(fontsize=8, title="sky", title_fontsize=8)
    found = np.array([one["level"] for one in levels.values()])
    spread = float(np.ptp(found)) if np.isfinite(found).all() else float("nan")
    text = (
        f"sky of {len(cal)} exposure{'' if len(cal) == 1 else 's'}: {found[0]:.4g} {unit} in "
        f"{path.name}, from one to another by up to {spread:.2g} {unit}"
    )
    return picture_of(drawn, text, {"sky": levels, "spread": spread})


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
        With each one's move in milliarcseconds and its turn in ``data``.

    Raises
    ------
    UsageError
        If no exposure is there before and after.
    """
    pairs = _pairs(cal, crf)
    moves: dict[str, dict[str, float]] = {}
    for before, after in pairs:
        moves[before.name] = _move(wcs_of(before), wcs_of(after), _shape(_image(before)[0]))
    drawn = figure(5.6, 5.0)
    axes = drawn.add_subplot()
    axes.axhline(0, color="#999999", linewidth=0.7)
    axes.axvline(0, color="#999999", linewidth=0.7)
    for number, move in enumerate(moves.values()):
        colour = _COLOURS[number % len(_COLOURS)]
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
    pixel = next(iter(moves.values()))["pixel"]
    text = (
        f"{len(moves)} exposures were aligned: by up to {largest:.3g} milliarcseconds, "
        f"which are {largest / 1000 / pixel:.2g} pixels"
    )
    return picture_of(drawn, text, {"moves": moves, "largest": largest})


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
    pairs = _pairs(cal, crf)
    counts = {after.name: int(_new_flags(before, after).sum()) for before, after in pairs}
    chosen = int(np.argmax(list(counts.values()))) if exposure is None else exposure
    before, after = _one_of(pairs, chosen)
    image, unit = _image(before)
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


def mosaic(i2d: Sequence[Path], crf: Sequence[Path], cat: Sequence[Path]) -> Picture:
    """Picture a mosaic: the sky's grid, the outlines of its exposures, and its sources.

    Parameters
    ----------
    i2d
        Images on the sky, of which the one of most exposures is drawn.
    crf
        The exposures that it was made of.
    cat
        Its catalogue.

    Returns
    -------
    Picture
        With the number of sources and exposures in ``data``.

    Raises
    ------
    UsageError
        If there is no mosaic or no catalogue.
    """
    path = mosaic_of(i2d)
    table = read(cat)
    with open_exposure(path) as product:
        image = np.array(product.data, np.float32)
        unit = _unit(product)
        # Where no exposure looked there is nothing, which is not black sky.
        image[np.asarray(product["WHT"]) == 0] = np.nan
    wcs = wcs_of(path)
    drawn = figure(8.6, 7.4)
    axes = drawn.add_subplot()
    stretched(axes, image, label=unit, percentiles=(1, 99.6))
    limits = axes.get_xlim(), axes.get_ylim()
    draw_grid(axes, wcs, _shape(image))
    for number, one in enumerate(crf):
        corners = footprint(one)
        if corners is not None:
            outline(axes, wcs, corners, _COLOURS[number % len(_COLOURS)], f"exposure {number + 1}")
    x, y = np.asarray(table["xcentroid"], float), np.asarray(table["ycentroid"], float)
    extended = np.asarray(table["is_extended"], bool)
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
    sky, scatter = _sky(image)
    text = (
        f"mosaic {path.name} of {len(crf)} exposures, {image.shape[1]} x {image.shape[0]} pixels: "
        f"{len(table)} sources over a sky of {sky:.3g} ± {scatter:.2g} {unit}"
    )
    data = {"sources": len(table), "exposures": len(crf), "sky": sky, "scatter": scatter}
    return picture_of(drawn, text, data)


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
        context = np.asarray(product["CON"]).view(np.uint32)
        errors = np.array(product.err, np.float32)
        unit = _unit(product)
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
        f"exposures; median error {_median(errors):.3g} {unit}"
    )
    return picture_of(drawn, text, {"exposures": share, "error": _median(errors)})


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


def _one_of(several: Sequence[_One], number: int) -> _One:
    if not -len(several) <= number < len(several):
        raise UsageError(
            f"exposure {number}", "there is none", f"choose one from 0 to {len(several) - 1}"
        )
    return several[number]


def _pairs(before: Sequence[Path], after: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Give each exposure before and after a stage, by their common name."""
    pairs = [
        (one, two)
        for one in before
        for two in after
        if two.name.startswith(f"{one.stem.rpartition('_')[0]}_")
    ]
    if not pairs:
        raise UsageError("exposures", "none is there before and after", "look above for why")
    return pairs


def _image(path: Path) -> tuple[NDArray[np.float32], str]:
    """Give an exposure's image without the pixels that are not to be used, and its unit."""
    with open_exposure(path) as exposure:
        image = np.array(exposure.data, np.float32)
        if image.ndim > 2:
            image = image[0]
        if "DQ" in exposure:
            dq = np.asarray(exposure.dq)
            image[(dq if dq.ndim == 2 else dq[0]) & _BAD != 0] = np.nan
        return image, _unit(exposure)


def _unit(exposure: Any) -> str:
    return str(exposure.header.get("BUNIT") or "")


def _shape(image: NDArray[Any]) -> tuple[int, int]:
    return int(image.shape[0]), int(image.shape[1])


def _median(values: NDArray[Any]) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def _sky(values: NDArray[Any]) -> tuple[float, float]:
    """Give the middle and the scatter of values, stars left out round by round."""
    kept = values[np.isfinite(values)]
    level = scatter = float("nan")
    for _ in range(8):
        if not kept.size:
            break
        level = float(np.median(kept))
        scatter = float(1.4826 * np.median(np.abs(kept - level)))
        kept = kept[np.abs(kept - level) <= 3 * max(scatter, 1e-12)]
    return level, scatter


def _bins(values: NDArray[Any]) -> NDArray[np.float64]:
    low, high = (float(one) for one in np.percentile(values, (0.2, 99.8)))
    return np.linspace(low, max(high, low + 1e-9), 60)


def _boxes(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the medians of boxes of pixels, brighter ones left out."""
    level, scatter = _sky(image)
    dark = np.where(image < level + 3 * scatter, image, np.nan) if scatter > 0 else image
    ny, nx = (-(-side // _BOX) for side in image.shape)
    whole = np.full((ny * _BOX, nx * _BOX), np.nan, np.float32)
    whole[: image.shape[0], : image.shape[1]] = dark
    boxes = whole.reshape(ny, _BOX, nx, _BOX).swapaxes(1, 2).reshape(ny, nx, -1)
    found = np.full((ny, nx), np.nan, np.float32)
    seen = np.isfinite(boxes).any(axis=2)
    found[seen] = np.nanmedian(boxes[seen], axis=1)
    return found


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


def _pixel(wcs: Any, shape: tuple[int, int]) -> float:
    """Give the side of the middle pixel in arcseconds."""
    if wcs is None:
        return float("nan")
    y, x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    ra, dec = wcs(np.array([x, x + 1, x]), np.array([y, y, y + 1]), with_bounding_box=False)
    east = (ra - ra[0]) * np.cos(np.radians(dec[0])) * 3600
    north = (dec - dec[0]) * 3600
    return float(np.sqrt(abs(east[1] * north[2] - east[2] * north[1])))


def _move(before: Any, after: Any, shape: tuple[int, int]) -> dict[str, float]:
    """Give how the sky under an exposure moved: milliarcseconds, and degrees of turn."""
    if before is None or after is None:
        raise UsageError("exposures", "one has no world coordinates", "run stage 2 on it")
    ny, nx = shape
    x, y = np.array([(nx - 1) / 2, nx - 1.0]), np.array([(ny - 1) / 2, (ny - 1) / 2])
    (ra, dec), (new_ra, new_dec) = (wcs(x, y, with_bounding_box=False) for wcs in (before, after))
    squeezed = np.cos(np.radians(dec[0]))
    angles = [
        np.degrees(np.arctan2(d[1] - d[0], (a[1] - a[0]) * squeezed))
        for a, d in ((ra, dec), (new_ra, new_dec))
    ]
    return {
        "east": float((new_ra[0] - ra[0]) * squeezed * 3.6e6),
        "north": float((new_dec[0] - dec[0]) * 3.6e6),
        "turn": float(angles[1] - angles[0]),
        "pixel": _pixel(before, shape),
    }
