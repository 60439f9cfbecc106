"""The level of the sky in an image: what is taken for sky, and what its level is.

Sky is what lies within some standard deviations of the centre of a distribution
that is sigma-clipped first. Only whether a value lies beyond a bound comes out
of that, so sums need not be made in the official order: where a value lies so
close to a bound that rounding decides, nothing is said, and everything is done
again as numpy does it.

Source: jwst/clean_flicker_noise/background_level.py, astropy/stats/sigma_clipping.py.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .ranked import Ranked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "clip",
    "clip_exactly",
    "clipped_statistics",
    "fill_flat",
    "kept_ranks",
    "median_of_two",
    "model_background",
]

_SIGMA: Final = 3.0
"""Standard deviations beyond which values are clipped before centre and spread are measured."""

_ITERATIONS: Final = 5
_EPS: Final = float(np.finfo(np.float64).eps)
_SUMS: Final = 2e-12
"""Twice what the rounding of sums of terms of one sign comes to, here or officially."""

_HISTOGRAM_BINS: Final = 2000
_HISTOGRAM_SIGMA: Final = 4.0
_LARGEST_BOX: Final = 32
_FILTER: Final = (5, 5)


def kept_ranks(
    ranked: Ranked, lower: float, upper: float, *, lower_half: bool
) -> tuple[int, int] | None:
    """Tell which of an image's values are neither signal nor bad.

    Parameters
    ----------
    ranked
        The values; nothing is said if one of them is infinite or NaN.
    lower, upper
        How many standard deviations below and above the centre are kept.
    lower_half
        Whether centre and spread are those of the values up to the median,
        mirrored there.

    Returns
    -------
    start, end : int
        The first rank kept, and the one after the last; None if rounding decides.
    """
    if not (np.isfinite(ranked.smallest) and np.isfinite(ranked.largest)):
        return None
    spread = _Whole(ranked)
    if not spread.clip():
        return None
    if lower_half:
        spread = _Mirrored(ranked, spread.median())
        if not spread.clip():
            return None
    measured = spread.deviation()
    if measured is None:
        return None
    centre, (sigma, doubt) = spread.median(), measured
    start = _sure(ranked.below, centre - lower * sigma, lower * doubt, spread.size)
    end = _sure(ranked.up_to, centre + upper * sigma, upper * doubt, spread.size)
    if start is None or end is None or start >= end:
        return None
    return start, end


def _sure(count: Any, bound: float, doubt: float, size: float) -> int | None:
    """Count values below a bound that is known roughly; None if it matters how roughly."""
    doubt += 8 * _EPS * (abs(bound) + size)
    fewest, most = count(bound - doubt), count(bound + doubt)
    return int(fewest) if fewest == most else None


class _Whole:
    """A distribution that is being clipped."""

    def __init__(self, ranked: Ranked) -> None:
        self.ranked = ranked
        self.start, self.end = 0, len(ranked)
        # How numbers of this size are rounded bounds what differences may be wrong by.
        self.size = ranked.size(0, self.end)

    def clip(self) -> bool:
        """Clip repeatedly; tell whether it is sure what is left."""
        for _ in range(_ITERATIONS):
            measured = self.deviation()
            if measured is None:
                return False
            median, (sigma, doubt) = self.median(), measured
            reach, doubt = sigma * _SIGMA, doubt * _SIGMA
            changed = self.narrow(median - reach, median + reach, doubt)
            if changed is None:
                return False
            if not changed:
                break
        return True

    def median(self) -> float:
        count = self.end - self.start
        middle = self.start + count // 2
        if count % 2:
            return float(self.ranked.value(middle))
        return (float(self.ranked.value(middle - 1)) + float(self.ranked.value(middle))) / 2

    def narrow(self, low: float, high: float, doubt: float) -> bool | None:
        """Keep what lies between two bounds; tell whether that is less than before."""
        start = _sure(self.ranked.below, low, doubt, self.size)
        end = _sure(self.ranked.up_to, high, doubt, self.size)
        if start is None or end is None:
            return None
        start, end = max(start, self.start), min(end, self.end)
        changed = (start, end) != (self.start, self.end)
        self.start, self.end = start, end
        return changed if start < end else None

    def deviation(self) -> tuple[float, float] | None:
        """Give the standard deviation, and by how much it may be wrong."""
        count = self.end - self.start
        first, second, terms = self.ranked.moments(self.start, self.end, self.median())
        size = self.ranked.size(self.start, self.end)
        return _deviation(count, first, second, terms, size)


class _Mirrored(_Whole):
    """The values up to a centre, and the same values mirrored there.

    The official steps from a value to what is clipped, ``(x - c) + c`` and
    ``(c - x) + c``, round: by less than what `_sure` allows for.
    """

    def __init__(self, ranked: Ranked, centre: float) -> None:
        super().__init__(ranked)
        self.size += abs(centre)
        self.centre = centre
        self.end = ranked.up_to(centre)
        self.start_above = 0

    def _at(self, rank: int) -> float:
        left = self.end - self.start
        if rank < left:
            return (float(self.ranked.value(self.start + rank)) - self.centre) + self.centre
        value = float(self.ranked.value(self.end - 1 - (rank - left)))
        return (self.centre - value) + self.centre

    def median(self) -> float:
        count = 2 * self.end - self.start - self.start_above
        if count % 2:
            return self._at(count // 2)
        return (self._at(count // 2 - 1) + self._at(count // 2)) / 2

    def narrow(self, low: float, high: float, doubt: float) -> bool | None:
        start = _sure(self.ranked.below, low, doubt, self.size)
        above = _sure(self.ranked.below, 2 * self.centre - high, doubt, self.size)
        if start is None or above is None:
            return None
        start, above = max(start, self.start), max(above, self.start_above)
        changed = (start, above) != (self.start, self.start_above)
        self.start, self.start_above = start, above
        return changed if max(start, above) < self.end else None

    def deviation(self) -> tuple[float, float] | None:
        count = 2 * self.end - self.start - self.start_above
        if self.start >= self.end or self.start_above >= self.end:
            return None
        below = self.ranked.moments(self.start, self.end, self.centre)
        above = below
        if self.start_above != self.start:
            above = self.ranked.moments(self.start_above, self.end, self.centre)
        start = min(self.start, self.start_above)
        size = self.ranked.size(start, self.end) + abs(self.centre)
        return _deviation(
            count, below[0] - above[0], below[1] + above[1], below[2] + above[2], size
        )


def _deviation(
    count: int, first: float, second: float, terms: float, size: float
) -> tuple[float, float] | None:
    """Give a standard deviation, and how far it may be from the official one."""
    variance = second / count - (first / count) ** 2
    if not variance > 0:
        return None
    sigma = float(np.sqrt(variance))
    rounding = size * _EPS / sigma
    relative = _SUMS * terms / count / variance + 16 * rounding + (64 * rounding) ** 2
    return sigma, sigma * relative


def median_of_two(ranked: Ranked, start: int, end: int) -> np.float32:
    """Compute the median of a range of values, in single precision.

    Parameters
    ----------
    ranked
        The values.
    start, end
        The first rank, and the one after the last.
    """
    middle = start + (end - start) // 2
    if (end - start) % 2:
        return ranked.value(middle)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.float32((ranked.value(middle - 1) + ranked.value(middle)) / np.float32(2))


# ---- as numpy does it ------------------------------------------------------------


def clipped_statistics(values: NDArray[Any], sigma: float = _SIGMA) -> tuple[Any, Any, Any]:
    """Compute mean, median and standard deviation of what sigma clipping leaves.

    Parameters
    ----------
    values
        (n,), of any precision, which is kept. Sums are made in their order.
    sigma
        How many standard deviations from the median are kept.
    """
    values = values[np.isfinite(values)]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        for _ in range(_ITERATIONS):
            centre, reach = np.nanmedian(values), np.nanstd(values) * sigma
            kept = values[(values >= centre - reach) & (values <= centre + reach)]
            same = kept.size == values.size
            values = kept
            if same:
                break
        return np.nanmean(values), np.nanmedian(values), np.nanstd(values)


def clip(
    image: NDArray[np.float32],
    mask: NDArray[np.bool_],
    room: NDArray[np.float32],
    *,
    lower: float = _SIGMA,
    upper: float = 2.0,
    lower_half: bool = False,
) -> None:
    """Take signal and bad values out of a mask: what `clip_exactly` does, but faster.

    Parameters
    ----------
    image
        (ny, nx).
    mask
        (ny, nx): what may be sky; changed in place.
    room
        (ny * nx) float32 that is written into.
    lower, upper, lower_half
        As for `clip_exactly`.
    """
    if not mask.any():
        return
    ranked = Ranked(image, mask, room)
    kept = kept_ranks(ranked, lower, upper, lower_half=lower_half)
    if kept is None:
        clip_exactly(image, mask, lower=lower, upper=upper, lower_half=lower_half)
        return
    mask &= image >= ranked.value(kept[0])
    mask &= image <= ranked.value(kept[1] - 1)


def clip_exactly(
    image: NDArray[np.float32],
    mask: NDArray[np.bool_],
    *,
    lower: float = 3.0,
    upper: float = 2.0,
    fit_histogram: bool = False,
    lower_half: bool = False,
) -> None:
    """Take signal and bad values out of a mask, with the official order of sums.

    Parameters
    ----------
    image
        (ny, nx).
    mask
        (ny, nx): what may be sky; changed in place.
    lower, upper
        How many standard deviations below and above the centre are kept.
    fit_histogram
        Whether centre and spread are those of a Gaussian fitted to the histogram.
    lower_half
        Whether they are those of the values up to the centre, mirrored there.
    """
    if not mask.any():
        return
    values = image[mask].astype(np.float64)
    mean, median, sigma = clipped_statistics(values)
    centre = mean if fit_histogram else median
    with np.errstate(invalid="ignore"):
        if lower_half:
            half = values[values <= centre]
            values = np.concatenate((half - centre, centre - half)) + centre
            mean, median, sigma = clipped_statistics(values)
            centre = mean if fit_histogram else median
        if fit_histogram:
            centre, sigma = _fitted(values, centre, sigma)
        low, high = centre - lower * sigma, centre + upper * sigma
        wide = image.astype(np.float64)
        mask[(wide < low) | (wide > high)] = False


def _gaussian(x: Any, height: Any, centre: Any, sigma: Any) -> Any:
    return height * np.exp(-0.5 * ((x - centre) / sigma) ** 2)


def _fitted(values: NDArray[np.float64], centre: Any, sigma: Any) -> tuple[Any, Any]:
    """Fit a Gaussian to the histogram; what cannot be fitted leaves centre and spread alone."""
    reach = _HISTOGRAM_SIGMA * sigma
    try:
        counts, edges = np.histogram(
            values, bins=_HISTOGRAM_BINS, range=(centre - reach, centre + reach)
        )
    except ValueError:
        return centre, sigma
    from scipy.optimize import curve_fit

    places = (edges[1:] + edges[:-1]) / 2.0
    top = np.argmax(counts)
    start = (counts[top], places[top], sigma)
    bounds = [(0, places[0], 0), (np.inf, places[-1], places[-1] - places[0])]
    try:
        found, _ = curve_fit(_gaussian, places, counts, p0=start, bounds=bounds)
    except RuntimeError:
        return centre, sigma
    return found[1], found[2]


def model_background(
    image: NDArray[np.float32],
    mask: NDArray[np.bool_],
    box: Sequence[int] | None = None,
) -> Any:
    """Model the sky with a mesh of medians.

    Parameters
    ----------
    image
        (ny, nx).
    mask
        (ny, nx): what may be sky; signal is taken out of it, in place.
    box
        Rows and columns of the mesh's cells; None for the largest up to 32
        that divide the image evenly.

    Returns
    -------
    ndarray or float
        (ny, nx), or one value where no mesh can be made.
    """
    from astropy.stats import SigmaClip
    from astropy.utils.exceptions import AstropyUserWarning
    from photutils.background import Background2D, MedianBackground

    room = np.empty(image.size, np.float32)
    clip(image, mask, room, lower=_SIGMA, upper=_SIGMA, lower_half=True)
    sizes = box or [
        max(n for n in range(1, _LARGEST_BOX + 1) if length % n == 0) for length in image.shape
    ]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyUserWarning)
            return Background2D(
                image,
                box_size=sizes,
                filter_size=_FILTER,
                mask=~mask,
                sigma_clip=SigmaClip(sigma=_SIGMA, maxiters=_ITERATIONS),
                bkg_estimator=MedianBackground(),
            ).background
    except ValueError:
        return np.nanmedian(image[mask])


def fill_flat(flat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill a flat where it has zeros or no numbers with what a model of the rest has there.

    Parameters
    ----------
    flat
        (ny, nx); not changed.
    """
    good = np.isfinite(flat) & (flat != 0)
    if good.all():
        return flat
    model = model_background(flat, good.copy())
    return np.where(good, flat, model).astype(np.float32)
