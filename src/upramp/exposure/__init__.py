"""Reading and writing exposures; what a ramp is.

Files are read and written here and nowhere else. Opening reads headers only,
and everything a header says is checked before it is believed.
"""

from __future__ import annotations

from .datamodel import to_datamodel
from .describe import Description, describe
from .exposure import Exposure, Subarray, open_exposure
from .keywords import Inferred
from .writer import write_model

__all__ = [
    "Description",
    "Exposure",
    "Inferred",
    "Subarray",
    "describe",
    "open_exposure",
    "to_datamodel",
    "write_model",
]
