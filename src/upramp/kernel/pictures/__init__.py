"""Pictures for notebooks, by what they are of.

They are images, not scripts: what a notebook saved shows everywhere, also
where its code is not trusted, and no network is asked.
"""

from __future__ import annotations

from . import high_contrast, imaging, interferometry, spectra, stage1
from .detector import flag_counts, image, ramp, telling_pixel
from .drawing import Picture

__all__ = [
    "Picture",
    "flag_counts",
    "high_contrast",
    "image",
    "imaging",
    "interferometry",
    "ramp",
    "spectra",
    "stage1",
    "telling_pixel",
]
