"""Light that is not a field of stars: dispersed spectra, a lone guide star."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .randomness import stream

if TYPE_CHECKING:
    from .instruments import Filter
    from .optics import Psf
    from .plans import ExposurePlan

__all__ = ["guide_star", "spectra", "wandering_star"]

Float = NDArray[np.float32]

_GUIDE_STAR: Final = 4e5
"""DN/s of a guide star, all of it."""
_JITTER: Final = 0.08
"""Standard deviation in pixels, in each coordinate, of where fine guidance holds the star."""


def spectra(shape: tuple[int, int], bandpass: Filter, seed: int) -> Float:
    """Draw traces of slits along x: a continuum each and a few emission lines.

    Parameters
    ----------
    shape
        Rows and columns.
    bandpass
        Its ``photmjsr`` turns the drawn DN/s into brightness.
    seed
        The archive's seed.

    Returns
    -------
    ndarray
        (ny, nx) in MJy/sr.
    """
    ny, nx = shape
    rng = stream(seed, "spectra")
    image = np.zeros(shape, np.float32)
    x = np.arange(nx, dtype=np.float32)
    for centre in np.arange(60, ny - 60, 36):
        level = rng.lognormal(np.log(1.5), 1.0)
        continuum = level * (0.6 + 0.8 * x / nx)
        for _ in range(4):
            place, strength = rng.uniform(0, nx), level * rng.uniform(3, 30)
            continuum = continuum + strength * np.exp(-0.5 * ((x - place) / 1.2) ** 2)
        middle = centre + 3 * np.sin(x / nx * 2) + rng.uniform(-4, 4)
        rows = np.arange(centre - 14, centre + 15)
        across = np.exp(-0.5 * ((rows[:, None] - middle[None, :]) / 1.3) ** 2)
        image[rows] += (across * continuum).astype(np.float32)
    return image * np.float32(bandpass.photmjsr)


def guide_star(shape: tuple[int, int], bandpass: Filter, psf: Psf) -> Float:
    """Put one bright star near the middle; MJy/sr, (ny, nx)."""
    image = np.full(shape, bandpass.background, np.float32)
    row, column = shape[0] // 2 + 6, shape[1] // 2 - 3
    half = min(shape[0] - row, column, psf.half) - 8
    stamp = psf.stamp(0.3, 0.6, half)
    image[row - half : row + half + 1, column - half : column + half + 1] += (
        np.float32(_GUIDE_STAR * bandpass.photmjsr) * stamp
    )
    return image


def wandering_star(
    plan: ExposurePlan, shape: tuple[int, int], bandpass: Filter, psf: Psf, seed: int
) -> tuple[Float, NDArray[Any]]:
    """Hold a guide star near the middle, a little elsewhere in each integration.

    Parameters
    ----------
    plan
        The exposure.
    shape
        Rows and columns of its window.
    bandpass, psf
        How the star is seen.
    seed
        The archive's seed.

    Returns
    -------
    brightness : (nints, ny, nx) in MJy/sr
    places
        A row for each integration: ``x`` and ``y``, zero-based.
    """
    ny, nx = shape
    rng = stream(seed, plan.root, "jitter")
    steps = rng.normal(0, _JITTER, (plan.integrations, 2))
    for before, now in pairwise(steps):
        # The telescope does not jump: it swings, and the guider pulls it back.
        now[:] = 0.8 * before + 0.6 * now
    places = np.zeros(plan.integrations, [("integration", "i2"), ("x", "f8"), ("y", "f8")])
    places["integration"] = np.arange(plan.integrations)
    places["x"], places["y"] = (nx - 1) / 2 + steps[:, 0], (ny - 1) / 2 + steps[:, 1]
    images = np.full((plan.integrations, ny, nx), bandpass.background, np.float32)
    for number, (_, x, y) in enumerate(places.tolist()):
        i, j = int(np.floor(x)), int(np.floor(y))
        stamp = psf.stamp(x - i, y - j) * np.float32(_GUIDE_STAR * bandpass.photmjsr)
        row, column = psf.half - j, psf.half - i
        images[number] += stamp[row : row + ny, column : column + nx]
    return images, places
