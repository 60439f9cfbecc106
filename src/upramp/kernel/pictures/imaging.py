"""Pictures of imaging: calibrated images on the sky, alignment, outliers, mosaics, catalogues."""

from __future__ import annotations

from .catalogues import catalogue
from .dithers import alignment, outliers
from .mosaics import coverage, mosaic
from .single_images import background, calibrated, calibration

__all__ = [
    "alignment",
    "background",
    "calibrated",
    "calibration",
    "catalogue",
    "coverage",
    "mosaic",
    "outliers",
]
