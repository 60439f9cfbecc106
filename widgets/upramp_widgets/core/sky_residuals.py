"""How far stars are from where the catalogue has them."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UsageError

from .sky_columns import find_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .sky import Sky
    from .sky_catalogue import Catalogue
    from .sky_plane import Float

__all__ = ["Residuals", "Statistics", "residuals"]

_SIGMA: Final = 1.4826
"""Standard deviation of a normal by its median absolute deviation."""
_ROUNDS: Final = 20


@dataclass(frozen=True)
class Statistics:
    """Of the residuals that were kept, pixels; NaN where there are none.

    Attributes
    ----------
    matched, kept, rejected : int
        Pairs, those that count, and the outliers among them.
    median_x, median_y : float
        Medians.
    mad_x, mad_y : float
        Median absolute deviations, scaled to be a normal's standard deviation.
    rms_x, rms_y, rms : float
        Root mean squares about zero, along the axes and of the distance.
    """

    matched: int
    kept: int
    rejected: int
    median_x: float
    median_y: float
    mad_x: float
    mad_y: float
    rms_x: float
    rms_y: float
    rms: float

    def __str__(self) -> str:
        return (
            f"{self.kept} stars ({self.rejected} rejected): "
            f"median {self.median_x:+.3f}, {self.median_y:+.3f}, "
            f"MAD {self.mad_x:.3f}, {self.mad_y:.3f}, rms {self.rms:.3f} pixel"
        )


@dataclass(frozen=True, eq=False)
class Residuals:
    """Sources of an image paired with stars of a catalogue.

    Attributes
    ----------
    source, star : numpy.ndarray of int
        Rows of the sources and of the catalogue, one pair each.
    x, y : numpy.ndarray
        Where the catalogue's stars should be, pixels.
    dx, dy : numpy.ndarray
        Source minus star, pixels.
    kept : numpy.ndarray of bool
        Which pairs are no outliers.
    statistics : Statistics
        Of those.
    """

    source: NDArray[np.intp]
    star: NDArray[np.intp]
    x: Float
    y: Float
    dx: Float
    dy: Float
    kept: NDArray[np.bool_]
    statistics: Statistics

    def __len__(self) -> int:
        return len(self.dx)

    def arrows(self, scale: float = 1.0) -> Float:
        """Give an arrow from each star towards its source, (n, 4): x, y, x, y of both ends.

        Parameters
        ----------
        scale
            How many times longer than the residual.
        """
        ends = [self.x, self.y, self.x + scale * self.dx, self.y + scale * self.dy]
        return np.stack(ends, axis=1)

    def good_scale(self, length: float) -> float:
        """Give a round scale that makes a typical arrow about as long as wanted.

        Parameters
        ----------
        length
            Pixels.
        """
        typical = np.median(np.hypot(self.dx, self.dy)[self.kept]) if self.kept.any() else 0.0
        if not typical > 0 or not length > 0:
            return 1.0
        power = 10.0 ** np.floor(np.log10(length / typical))
        return float(
            max(n for n in (1, 2, 5) if n * power <= length / typical * 1.0000001) * power
        )


def residuals(
    sky: Sky,
    catalogue: Catalogue,
    sources: Any,
    *,
    radius: float = 2.0,
    epoch: Any = None,
    clip: float = 5.0,
) -> Residuals:
    """Pair sources with the nearest stars, and measure what is left between them.

    A pair is a source and a star that are each other's nearest.

    Parameters
    ----------
    sky
        The image's coordinates.
    catalogue
        Stars; moved to the time of the image first.
    sources
        A table with pixels (``xcentroid`` and ``ycentroid``, or ``x`` and
        ``y``), counted from 0, or a pair of arrays.
    radius
        Largest distance of a pair, pixels.
    epoch
        Time to move the stars to; None means the image's own, or no motion
        where that is not known.
    clip
        Distance from the median, in MADs along an axis, that makes an outlier.

    Raises
    ------
    UsageError
        If the radius is not positive, or the light is dispersed.
    InputError
        If the table has no pixels.
    """
    if not radius > 0 or not clip > 0:
        raise UsageError(
            f"radius {radius:g}, clip {clip:g}", "they must be positive", "give larger ones"
        )
    when = sky.epoch if epoch is None else epoch
    if when is not None:
        catalogue = catalogue.at_epoch(when)
    x, y = _pixels_of(sources)
    star_x, star_y = sky.pixels_of(catalogue.vectors)
    outside = sky.is_outside(star_x, star_y)
    source, star = _pairs(x, y, np.where(outside, np.nan, star_x), star_y, radius)
    dx, dy = x[source] - star_x[star], y[source] - star_y[star]
    kept = _kept(dx, dy, clip)
    return Residuals(
        source, star, star_x[star], star_y[star], dx, dy, kept, _statistics(dx, dy, kept)
    )


def _pixels_of(sources: Any) -> tuple[Float, Float]:
    names = getattr(sources, "colnames", None) or getattr(
        getattr(sources, "dtype", None), "names", None
    )
    if names:
        found = find_columns(list(names), {}, "the sources")
        if "x" in found and "y" in found:
            return _plain(sources[found["x"]]), _plain(sources[found["y"]])
    elif isinstance(sources, (tuple, list, np.ndarray)) and len(sources) == 2:
        x, y = _plain(sources[0]), _plain(sources[1])
        if x.shape == y.shape and x.ndim == 1:
            return x, y
    raise UsageError(
        "the sources", "they have no pixels x and y", "give a table with xcentroid and ycentroid"
    )


def _plain(values: Any) -> Float:
    plain: Float = np.ma.filled(np.ma.asarray(values, np.float64), np.nan)
    return np.atleast_1d(plain)


def _pairs(
    x: Float, y: Float, star_x: Float, star_y: Float, radius: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    from scipy.spatial import cKDTree

    sources = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    stars = np.flatnonzero(np.isfinite(star_x) & np.isfinite(star_y))
    if not sources.size or not stars.size:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    here = np.stack([x[sources], y[sources]], axis=1)
    there = np.stack([star_x[stars], star_y[stars]], axis=1)
    distance, nearest = cKDTree(there).query(here, distance_upper_bound=radius)
    _, back = cKDTree(here).query(there)
    near = np.flatnonzero(np.isfinite(distance))
    mutual = near[back[nearest[near]] == near]
    return sources[mutual], stars[nearest[mutual]]


def _kept(dx: Float, dy: Float, clip: float) -> NDArray[np.bool_]:
    kept = np.ones(len(dx), bool)
    for _ in range(_ROUNDS):
        before = int(kept.sum())
        if not before:
            break
        for values in (dx, dy):
            middle = np.median(values[kept])
            spread = _SIGMA * np.median(np.abs(values[kept] - middle))
            if spread > 0:
                kept = kept & (np.abs(values - middle) <= clip * spread)
        if int(kept.sum()) == before:
            break
    return kept


def _statistics(dx: Float, dy: Float, kept: NDArray[np.bool_]) -> Statistics:
    count = int(kept.sum())
    a, b = dx[kept], dy[kept]
    with warnings.catch_warnings():
        # Of no stars, numpy warns that everything is NaN, which is what is meant.
        warnings.simplefilter("ignore")
        middles = [float(np.median(values)) for values in (a, b)]
        spreads = [
            float(_SIGMA * np.median(np.abs(values - middle)))
            for values, middle in zip((a, b), middles, strict=True)
        ]
        squares = [float(np.mean(values**2)) for values in (a, b)]
    return Statistics(
        matched=len(dx),
        kept=count,
        rejected=len(dx) - count,
        median_x=middles[0],
        median_y=middles[1],
        mad_x=spreads[0],
        mad_y=spreads[1],
        rms_x=math.sqrt(squares[0]),
        rms_y=math.sqrt(squares[1]),
        rms=math.sqrt(sum(squares)),
    )
