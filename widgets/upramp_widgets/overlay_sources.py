"""Find sources in an image simply: for residuals where no list of sources is given."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .core.sky_plane import Float

__all__ = ["Sources", "find_sources"]

_NORMAL: Final = 1.4826
"""Standard deviation of a normal by its median absolute deviation."""
_REACH: Final = 3
"""Pixels to each side of a maximum that its place is computed from."""
_ROUNDS: Final = 6
_MOST: Final = 20_000


@dataclass(frozen=True, eq=False)
class Sources:
    """Sources in an image.

    Attributes
    ----------
    x, y : numpy.ndarray
        Pixels, the brightest first.
    flux : numpy.ndarray
        Peaks above the background, in the image's unit.
    how : str
        How they were found.
    """

    x: Float
    y: Float
    flux: Float
    how: str

    def __len__(self) -> int:
        return len(self.x)


def find_sources(
    pixels: NDArray[Any], *, fwhm: float = 2.5, sigma: float = 8.0, photutils: bool = True
) -> Sources:
    """Find sources of about the width of a star.

    By photutils' DAOStarFinder where it is installed, else by local maxima of the smoothed
    image with Gaussian-weighted centroids (as SExtractor's windowed positions).

    Parameters
    ----------
    pixels
        (ny, nx); NaN where there is nothing.
    fwhm
        Width of a star, pixels.
    sigma
        Least height above the background, in standard deviations of it.
    photutils
        Whether it may be used.
    """
    image = np.asarray(pixels, np.float64)
    known = np.isfinite(image)
    if not known.any():
        nothing = np.empty(0)
        return Sources(nothing, nothing, nothing, "no pixel holds a value")
    level = float(np.median(image[known]))
    noise = _NORMAL * float(np.median(np.abs(image[known] - level)))
    image = np.where(known, image - level, 0.0)
    if not noise > 0:
        noise = float(image.std()) or 1.0
    found = _by_photutils(image, ~known, fwhm, sigma * noise) if photutils else None
    return found or _by_maxima(image, fwhm, sigma * noise)


def _by_photutils(
    image: Float, masked: NDArray[np.bool_], fwhm: float, threshold: float
) -> Sources | None:
    try:
        from photutils import __version__
        from photutils.detection import DAOStarFinder
    except ImportError:
        return None
    with warnings.catch_warnings():
        # It warns that it found nothing, which the count says.
        warnings.simplefilter("ignore")
        table = DAOStarFinder(threshold=threshold, fwhm=fwhm)(image, mask=masked)
    how = f"found by DAOStarFinder of photutils {__version__}"
    if table is None:
        nothing = np.empty(0)
        return Sources(nothing, nothing, nothing, how)
    # Its columns were renamed in version 3.
    x, y = (
        np.asarray(table[next(name for name in names if name in table.colnames)], float)
        for names in (("x_centroid", "xcentroid"), ("y_centroid", "ycentroid"))
    )
    return _sorted(x, y, np.asarray(table["peak"], float), how)


def _by_maxima(image: Float, fwhm: float, threshold: float) -> Sources:
    from scipy import ndimage

    width = fwhm / 2.3548
    smooth = ndimage.gaussian_filter(image, width / 2)
    top = ndimage.maximum_filter(smooth, 2 * _REACH - 1) == smooth
    y, x = np.nonzero(top & (image > threshold))
    at_x, at_y = _centroids(image, x.astype(float), y.astype(float), width)
    # What wandered off was no star: an edge, or the wing of another.
    stayed = np.hypot(at_x - x, at_y - y) < _REACH / 2
    flux = image[y, x]
    return _sorted(at_x[stayed], at_y[stayed], flux[stayed], "found as local maxima")


def _centroids(image: Float, x: Float, y: Float, width: float) -> tuple[Float, Float]:
    ny, nx = image.shape
    step = np.arange(-_REACH, _REACH + 1)
    for _ in range(_ROUNDS):
        columns = np.rint(x).astype(int)[:, None, None] + step[None, None, :]
        rows = np.rint(y).astype(int)[:, None, None] + step[None, :, None]
        there = (columns >= 0) & (columns < nx) & (rows >= 0) & (rows < ny)
        values = image[np.clip(rows, 0, ny - 1), np.clip(columns, 0, nx - 1)]
        dx, dy = columns - x[:, None, None], rows - y[:, None, None]
        weights = np.exp(-(dx**2 + dy**2) / (2 * width**2)) * np.maximum(values, 0) * there
        total = weights.sum(axis=(1, 2))
        total[total <= 0] = np.inf
        # Twice, as the weight itself pulls halfway back to where it stands.
        x = np.clip(x + 2 * (weights * dx).sum(axis=(1, 2)) / total, 0, nx - 1)
        y = np.clip(y + 2 * (weights * dy).sum(axis=(1, 2)) / total, 0, ny - 1)
    return x, y


def _sorted(x: Float, y: Float, flux: Float, how: str) -> Sources:
    order = np.argsort(-flux, kind="stable")[:_MOST]
    return Sources(x[order], y[order], flux[order], how)
