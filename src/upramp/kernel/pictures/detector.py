"""Pictures of what a detector gave: an image, a ramp with its fit, counts of flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from upramp.dq import GROUP
from upramp.errors import UsageError

from .drawing import Picture, picture_of, stretched
from .drawing import figure as blank

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Picture", "flag_counts", "image", "ramp", "telling_pixel"]

_JUMP: Final = GROUP["JUMP_DET"]
_BAD: Final = GROUP["DO_NOT_USE"] | GROUP["SATURATED"]


def image(product: Any, title: str = "") -> Picture:
    """Picture an image on a stretched scale.

    Parameters
    ----------
    product
        A data model with ``data``, or an array, (ny, nx).
    title
        What it is; by default the product's file.

    Raises
    ------
    UsageError
        If there is no image in it.
    """
    import numpy as np

    data = getattr(product, "data", product)
    # An array has an attribute of this name too: its memory.
    array = np.asarray(product if isinstance(product, np.ndarray) else data)
    if array.ndim != 2 or not array.size:
        raise UsageError("picture", "this is no image", "give one of two dimensions")
    meta = None if isinstance(product, np.ndarray) else getattr(product, "meta", None)
    title = title or str(getattr(meta, "filename", None) or "image")
    figure = blank(6.4, 5.2)
    axes = figure.add_subplot()
    drawn = stretched(axes, array, label=str(getattr(meta, "bunit_data", None) or ""))
    axes.set_title(title, fontsize=9)
    axes.set(xlabel="column", ylabel="row")
    (low, high), (ny, nx) = drawn.get_clim(), array.shape
    finite = array[np.isfinite(array)]
    middle = float(np.median(finite)) if finite.size else float("nan")
    text = f"{title}: {nx} x {ny} pixels, median {middle:.4g}, from {low:.4g} to {high:.4g}"
    return picture_of(figure, text, {"low": float(low), "high": float(high)})


def flag_counts(flags: Any, title: str = "data quality") -> Picture:
    """Picture how many values of an array have each flag.

    Parameters
    ----------
    flags
        Whole numbers, of any shape.
    title
        What they are.

    Raises
    ------
    UsageError
        If they are no flags.
    """
    from upramp.kernel.flags import count_flags

    counts = count_flags(flags)
    order = sorted(counts, key=lambda name: counts[name])
    figure = blank(6.4, 1.2 + 0.28 * max(len(order), 1))
    axes = figure.add_subplot()
    bars = axes.barh(order, [counts[name] for name in order], color="#3b6ea5", log=True)
    axes.bar_label(bars, labels=[f" {counts[name]}" for name in order], fontsize=8)
    axes.set_title(title, fontsize=9)  # the names of products are long
    axes.set(xlabel="values", xlim=(0.5, 12 * max([*counts.values(), 1])))
    text = f"{title}: {', '.join(f'{name} {counts[name]}' for name in reversed(order))}"
    return picture_of(figure, text, counts)


def telling_pixel(ramp_model: Any, integration: int = 0) -> tuple[int, int]:
    """Find a pixel whose ramp is worth looking at: it jumps high, and rises as high by itself.

    Parameters
    ----------
    ramp_model
        A corrected ramp: ``data`` and ``groupdq``, (nints, ngroups, ny, nx).
    integration
        Which integration.

    Returns
    -------
    tuple of int
        Row and column; of the brightest good pixel where there is no jump.
    """
    import numpy as np

    groups = ramp_model.data[integration]
    flags = ramp_model.groupdq[integration]
    good = ~np.any(flags & _BAD, axis=0)
    rise = np.where(good, np.nan_to_num(groups[-1] - groups[0], nan=0.0), 0.0)
    worth = np.zeros(groups.shape[1:], np.float32)
    for number in range(1, len(groups)):
        step = groups[number] - groups[number - 1]
        jumped = good & ((flags[number] & _JUMP) != 0) & np.isfinite(step)
        both = np.where(jumped, np.minimum(step, rise - step), 0.0)
        np.maximum(worth, both, out=worth)
    if not worth.any():
        worth = rise
    row, column = np.unravel_index(int(np.argmax(worth)), worth.shape)
    return int(row), int(column)


def ramp(result: Any, pixel: tuple[int, int] | None = None, integration: int = 0) -> Picture:
    """Picture a pixel's ramp, the jumps that were flagged in it, and the slope that was fitted.

    Parameters
    ----------
    result
        What `upramp.calibrate` gave, with ``save_ramp=True``.
    pixel
        Row and column; None for one that `telling_pixel` finds.
    integration
        Which integration.

    Returns
    -------
    Picture
        With the numbers of the picture in ``data``.

    Raises
    ------
    UsageError
        If the result has no ramp or no slopes, or there is no such pixel.
    """
    import numpy as np

    model, rates = result.ramp, result.rateints
    if model is None or rates is None:
        raise UsageError("ramp", "the result holds no ramp", "calibrate with save_ramp=True")
    nints, _, ny, nx = model.data.shape
    if not 0 <= integration < nints:
        raise UsageError(f"integration {integration}", "there is none", f"there are {nints}")
    row, column = telling_pixel(model, integration) if pixel is None else pixel
    if not (0 <= row < ny and 0 <= column < nx):
        raise UsageError(f"pixel {pixel}", "it is not on the image", f"it has {ny} x {nx}")
    values = np.asarray(model.data[integration, :, row, column], np.float64)
    flags = np.asarray(model.groupdq[integration, :, row, column])
    seconds = float(model.meta.exposure.group_time) * np.arange(1, len(values) + 1)
    slope = float(rates.data[integration, row, column])
    error = float(rates.err[integration, row, column])
    jumps = (flags & _JUMP) != 0
    bad = ((flags & _BAD) != 0) | ~np.isfinite(values)

    figure = blank(6.4, 4.2)
    axes = figure.add_subplot()
    axes.plot(seconds[~bad], values[~bad], "o", color="#13294b", label="groups")
    if bad.any():
        axes.plot(seconds[bad], values[bad], "x", color="#8a8a8a", label="saturated or unusable")
    axes.plot(
        seconds[jumps], values[jumps], "o", ms=13, mfc="none", mec="#d1495b", label="jump flagged"
    )
    for number, (first, last) in enumerate(_segments(jumps, bad)):
        times = seconds[first:last]
        offset = float(np.mean(values[first:last] - slope * times))
        label = f"slope {slope:.4g} ± {error:.2g} DN/s" if number == 0 else None
        axes.plot(times, offset + slope * times, color="#e08e0b", label=label)
    axes.set(
        title=f"row {row}, column {column}, integration {integration + 1}",
        xlabel="seconds since reset",
        ylabel="DN",
    )
    axes.legend(fontsize=8)
    jumped = [int(number) + 1 for number in np.flatnonzero(jumps)]
    text = (
        f"ramp of row {row}, column {column}: {len(values)} groups, slope {slope:.4g} DN/s, "
        f"jumps in groups {', '.join(map(str, jumped)) or 'none'}"
    )
    data = {"row": row, "column": column, "slope": slope, "error": error, "jumps": jumped}
    return picture_of(figure, text, data)


def _segments(jumps: NDArray[np.bool_], bad: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Give the runs of good groups between jumps, as the fit takes them."""
    first = None
    for number in range(len(jumps)):
        if bad[number] or jumps[number]:
            if first is not None:
                yield first, number
            # The group that jumped is the first of what follows.
            first = None if bad[number] else number
        elif first is None:
            first = number
    if first is not None:
        yield first, len(jumps)
