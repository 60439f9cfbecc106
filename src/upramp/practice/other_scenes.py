"""Light that is not a field of stars: dispersed spectra, a lone guide star."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .randomness import stream

if TYPE_CHECKING:
    from .instruments import Filter
    from .optics import Psf

__all__ = ["guide_star", "spectra"]

Float = NDArray[np.float32]


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
        np.float32(4e5 * bandpass.photmjsr) * stamp
    )
    return image
