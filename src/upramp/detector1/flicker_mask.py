"""Which pixels show nothing but sky and noise, by a draft of their rates.

Source: jwst/clean_flicker_noise/clean_flicker_noise.py (``create_mask``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from .flicker_background import clip, clip_exactly

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["scene_mask"]

_LOWER: Final = 3.0
"""Values that many standard deviations below the sky are bad, whatever is taken for signal."""


def scene_mask(
    rate: NDArray[np.float32],
    *,
    n_sigma: float = 2.0,
    fit_histogram: bool = False,
    single_mask: bool = False,
    usable: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Find the pixels that show nothing but sky.

    Parameters
    ----------
    rate
        (ny, nx) or (nints, ny, nx) float32, C order.
    n_sigma
        Standard deviations above the sky from where on a pixel has signal; 0
        takes all pixels for sky.
    fit_histogram
        Whether sky and standard deviation are those of a Gaussian fitted to
        the histogram.
    single_mask
        Whether to make one mask of those of all integrations.
    usable
        Pixels that may be taken at all, of the shape of `rate` or (ny, nx); None for all.

    Returns
    -------
    ndarray
        bool, of the shape of `rate`; (ny, nx) if one mask was asked for.
    """
    mask = ~np.isnan(rate)
    mask &= rate != 0
    if usable is not None:
        mask &= usable
    if n_sigma > 0:
        room = np.empty(rate.shape[-2:], np.float32).reshape(-1)
        planes = [(rate, mask)] if rate.ndim == 2 else zip(rate, mask, strict=True)
        for plane, its_mask in planes:
            if fit_histogram:
                clip_exactly(plane, its_mask, lower=_LOWER, upper=n_sigma, fit_histogram=True)
            else:
                clip(plane, its_mask, room, lower=_LOWER, upper=n_sigma)
    return np.all(mask, axis=0) if single_mask and mask.ndim == 3 else mask
