"""The level of the sky in an image: what is taken for sky, and what its level is.

Source: jwst/clean_flicker_noise/background_level.py, astropy/stats/sigma_clipping.py.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .flicker_ranks import ITERATIONS, SIGMA, kept_ranks
from .ranked import Ranked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["clip", "clip_exactly", "clipped_statistics", "fill_flat", "model_background"]

_HISTOGRAM_BINS: Final = 2000
_HISTOGRAM_SIGMA: Final = 4.0
_LARGEST_BOX: Final = 32
_FILTER: Final = (5, 5)


def clipped_statistics(values: NDArray[Any], sigma: float = SIGMA) -> tuple[Any, Any, Any]:
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
        for _ in range(ITERATIONS):
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
    lower: float = SIGMA,
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
    clip(image, mask, room, lower=SIGMA, upper=SIGMA, lower_half=True)
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
                sigma_clip=SigmaClip(sigma=SIGMA, maxiters=ITERATIONS),
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
