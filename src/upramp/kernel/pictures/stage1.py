"""Pictures of stage 1: raw readings, slopes, a ramp with its fit, jumps, flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP
from upramp.errors import UsageError

from . import detector
from .drawing import Picture, figure, first, picture_of, stretched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["flags", "jumps", "last_minus_first", "one_ramp", "slopes"]

_JUMP: Final = GROUP["JUMP_DET"]
_UNIT: Final = "DN/s"


def last_minus_first(uncal: Sequence[Path]) -> Picture:
    """Picture what collected between the first reading of the first integration and the last.

    Parameters
    ----------
    uncal
        Raw exposures, of which the first is drawn.

    Returns
    -------
    Picture
        With the number of groups in ``data``.

    Raises
    ------
    UsageError
        If there is no exposure.
    """
    import upramp

    path = first(uncal, "raw exposure")
    with upramp.open(path) as exposure:
        ngroups = int(exposure.shape[1])
        last = np.asarray(exposure.read_group(0, ngroups - 1), np.float32)
        image = last - np.asarray(exposure.read_group(0, 0), np.float32) if ngroups > 1 else last
    drawn = figure(6.4, 5.2)
    axes = drawn.add_subplot()
    stretched(axes, image, label="DN")
    what = f"group {ngroups} minus group 1" if ngroups > 1 else "the only group"
    axes.set(title=f"{path.name}: {what}", xlabel="column", ylabel="row")
    axes.title.set_fontsize(9)
    text = f"{what} of {path.name}: median {np.nanmedian(image):.4g} DN"
    return picture_of(drawn, text, {"groups": ngroups})


def slopes(rate: Sequence[Path]) -> Picture:
    """Picture a slope image, and how significant each slope is.

    Parameters
    ----------
    rate
        Slope images, of which the first is drawn.

    Returns
    -------
    Picture
        With the median slope and error in ``data``, in DN/s.

    Raises
    ------
    UsageError
        If there is no slope image.
    """
    import upramp

    path = first(rate, "slope image")
    with upramp.open(path) as product:
        data = np.array(product.data, np.float32)
        errors = np.array(product.err, np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        significance = np.where(errors > 0, data / errors, np.nan)
    drawn = figure(10.4, 4.6)
    left, right = drawn.subplots(1, 2)
    stretched(left, data, label=_UNIT)
    left.set(title="slope", xlabel="column", ylabel="row")
    stretched(right, significance, label="slope / error", cmap="cividis")
    right.set(title="significance", xlabel="column")
    drawn.suptitle(path.name, fontsize=10)
    good = np.isfinite(data) & np.isfinite(errors)
    middle, error = (
        (float(np.median(data[good])), float(np.median(errors[good])))
        if good.any()
        else (float("nan"), float("nan"))
    )
    text = (
        f"slopes of {path.name}: median {middle:.4g} {_UNIT}, median error {error:.3g} {_UNIT}, "
        f"{int((~good).sum())} of {good.size} pixels without a slope"
    )
    return picture_of(drawn, text, {"median": middle, "error": error, "bad": int((~good).sum())})


def one_ramp(
    ramp: Sequence[Path],
    rate: Sequence[Path],
    *,
    pixel: tuple[int, int] | None = None,
    integration: int = 0,
) -> Picture:
    """Picture a pixel's ramp, the jumps that were flagged in it, and the slope that was fitted.

    Parameters
    ----------
    ramp
        Corrected ramps, of which the first is drawn.
    rate
        Slope images; that of the same exposure tells the slope, where its slopes by
        integration are not beside it.
    pixel
        Row and column; None for one that `telling_pixel` finds.
    integration
        Which integration.

    Raises
    ------
    UsageError
        If there is no ramp or no slope, or no such pixel.
    """
    from upramp.exposure import open_exposure, to_datamodel

    path = first(ramp, "corrected ramp")
    root = path.name.partition("_ramp")[0]
    by_integration = path.with_name(path.name.replace("_ramp", "_rateints"))
    rates = (
        by_integration
        if by_integration.is_file()
        else next((one for one in rate if one.name.startswith(f"{root}_")), None)
    )
    if rates is None:
        raise UsageError(path.name, "there is no slope image of it", "look above for why")
    with (
        open_exposure(path) as opened,
        open_exposure(rates) as slopes_of,
        to_datamodel(opened) as model,
        to_datamodel(slopes_of) as fitted,
    ):
        return detector.ramp(_Both(model, fitted), pixel, integration)


class _Both:
    """A ramp and its slopes, as `detector.ramp` takes them."""

    def __init__(self, ramp: Any, rates: Any) -> None:
        self.ramp = ramp
        self.rateints = rates if rates.data.ndim > 2 else _OneIntegration(rates)


class _OneIntegration:
    """A slope image as the slopes of one integration."""

    def __init__(self, rates: Any) -> None:
        self.data, self.err = np.asarray(rates.data)[None], np.asarray(rates.err)[None]


def jumps(ramp: Sequence[Path]) -> Picture:
    """Picture where jumps were flagged, and in how many pixels of each group.

    Parameters
    ----------
    ramp
        Corrected ramps, of which the first is drawn.

    Returns
    -------
    Picture
        With the share of pixels by group in ``data``, of all integrations.

    Raises
    ------
    UsageError
        If there is no ramp.
    """
    import upramp

    path = first(ramp, "corrected ramp")
    with upramp.open(path) as product:
        nints, ngroups, ny, nx = (int(one) for one in product.shape)
        seconds = float(product.header.get("TGROUP") or 0.0)
        count = np.zeros((ny, nx), np.uint16)
        shares = np.zeros(ngroups)
        for integration in range(nints):
            flagged = (np.asarray(product.groupdq[integration]) & _JUMP) != 0
            count += flagged.sum(axis=0, dtype=np.uint16)
            shares += flagged.mean(axis=(1, 2)) / nints
    drawn = figure(10.4, 4.6)
    left, right = drawn.subplots(1, 2)
    shown = left.imshow(
        np.minimum(count, 4), origin="lower", cmap="magma", interpolation="nearest"
    )
    drawn.colorbar(shown, ax=left, label="groups flagged (4: or more)", ticks=range(5))
    left.set(title="jumps", xlabel="column", ylabel="row")
    right.bar(np.arange(1, ngroups + 1), 100 * shares, color="#d1495b")
    right.set(
        title="pixels that jumped", xlabel="group", ylabel="% of pixels", xlim=(0.4, ngroups + 0.6)
    )
    drawn.suptitle(path.name, fontsize=10)
    rate = (
        f", {100 * shares[1:].mean() / seconds:.3g} % a second" if seconds and ngroups > 1 else ""
    )
    text = (
        f"jumps of {path.name}: {100 * (count > 0).mean():.3g} % of pixels have one or more{rate}"
    )
    return picture_of(drawn, text, {"shares": shares.tolist(), "pixels": int((count > 0).sum())})


def flags(product: Sequence[Path]) -> Picture:
    """Picture how many pixels carry each flag.

    Parameters
    ----------
    product
        Products with flags, of which the first is drawn; of a ramp the flags of its pixels
        and of all their groups together.

    Raises
    ------
    UsageError
        If there is none.
    """
    import upramp

    path = first(product, "product")
    with upramp.open(path) as opened:
        if "DQ" in opened:
            found = np.asarray(opened.dq)
        else:
            groups = np.asarray(opened.groupdq)
            found = opened.pixeldq | np.bitwise_or.reduce(groups, axis=(0, 1)).astype(np.uint32)
    return detector.flag_counts(found, f"flags of {path.name}")
