"""How the telescope's wavefront differs from visit to visit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .optics import DIAMETER
from .randomness import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["drift", "pupil_axis"]

_DEGREE = 5
_LOWEST = 2
"""Piston moves nothing, and tilt is the pointing's."""


def pupil_axis(size: int) -> NDArray[np.float64]:
    """Give the places in metres of samples across the pupil's `DIAMETER`."""
    return ((np.arange(size) + 0.5) / size - 0.5) * DIAMETER


def drift(seed: int, visit: str, rms_nm: float, size: int) -> NDArray[np.float64]:
    """Draw a gentle surface: what the mirror's segments and the bench do between visits.

    Parameters
    ----------
    seed
        The archive's seed.
    visit
        Exposures of one visit see the same.
    rms_nm
        Its root mean square over the pupil's circle, nanometres.
    size
        Samples across `DIAMETER`.

    Returns
    -------
    ndarray
        (size, size), micrometres.
    """
    rng = stream(seed, visit, "wavefront")
    axis = pupil_axis(size) / (DIAMETER / 2)
    x, y = np.meshgrid(axis, axis)
    surface = np.zeros((size, size))
    for total in range(_LOWEST, _DEGREE + 1):
        for j in range(total + 1):
            surface += rng.standard_normal() * x ** (total - j) * y**j
    inside = x * x + y * y < 1
    # What is left of tilt and piston in the polynomials would move the star.
    plane = np.stack([np.ones(inside.sum()), x[inside], y[inside]], axis=1)
    fit, *_ = np.linalg.lstsq(plane, surface[inside], rcond=None)
    surface -= fit[0] + fit[1] * x + fit[2] * y
    return np.asarray(surface * (rms_nm / 1000 / surface[inside].std()))
