"""Calibration stages as a user runs them, and the comparison of their products."""

from __future__ import annotations

from .calibration import Result, calibrate
from .compare import Comparison, compare
from .provenance import read_provenance

__all__ = ["Comparison", "Result", "calibrate", "compare", "read_provenance"]
