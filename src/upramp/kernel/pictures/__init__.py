"""Pictures for notebooks, by what they are of.

They are images, not scripts: what a notebook saved shows everywhere, also
where its code is not trusted, and no network is asked.
"""

from __future__ import annotations

from . import (
    darks,
    guiding,
    high_contrast,
    imaging,
    interferometry,
    series,
    slitless,
    spectra,
    stage1,
    wavefront,
)
from .detector import flag_counts, image, ramp, telling_pixel
from .drawing import Picture, Pictures

__all__ = [
    "Picture",
    "Pictures",
    "darks",
    "flag_counts",
    "guiding",
    "high_contrast",
    "image",
    "imaging",
    "interferometry",
    "ramp",
    "series",
    "slitless",
    "spectra",
    "stage1",
    "telling_pixel",
    "wavefront",
]
