"""What is fixed about the instruments: detectors, and how they are read out.

Source: the mission's FITS keyword dictionary (FASTAXIS, SLOWAXIS in the
science frame of each detector), which flight headers agree with.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "DETECTORS",
    "GUIDER_TYPES",
    "MIRI_SIZE",
    "NEAR_INFRARED_SIZE",
    "READOUT_AXES",
    "instrument_of",
]

DETECTORS: Final[dict[str, tuple[str, ...]]] = {
    "NIRCAM": (
        "NRCA1", "NRCA2", "NRCA3", "NRCA4", "NRCALONG",
        "NRCB1", "NRCB2", "NRCB3", "NRCB4", "NRCBLONG",
    ),
    "NIRSPEC": ("NRS1", "NRS2"),
    "NIRISS": ("NIS",),
    "MIRI": ("MIRIMAGE", "MIRIFULONG", "MIRIFUSHORT"),
    "FGS": ("GUIDER1", "GUIDER2"),
}  # fmt: skip
"""Detectors of each instrument, as DETECTOR and INSTRUME name them."""

_RIGHT_TO_LEFT: Final = (-1, 2)
_TOP_TO_BOTTOM: Final = (1, -2)

READOUT_AXES: Final[dict[str, tuple[int, int]]] = {
    "NRCA1": _RIGHT_TO_LEFT,
    "NRCA2": _TOP_TO_BOTTOM,
    "NRCA3": _RIGHT_TO_LEFT,
    "NRCA4": _TOP_TO_BOTTOM,
    "NRCALONG": _RIGHT_TO_LEFT,
    "NRCB1": _TOP_TO_BOTTOM,
    "NRCB2": _RIGHT_TO_LEFT,
    "NRCB3": _TOP_TO_BOTTOM,
    "NRCB4": _RIGHT_TO_LEFT,
    "NRCBLONG": _TOP_TO_BOTTOM,
    "NRS1": (2, 1),
    "NRS2": (-2, -1),
    "NIS": (-2, -1),
    "MIRIMAGE": (1, 2),
    "MIRIFULONG": (1, 2),
    "MIRIFUSHORT": (1, 2),
    "GUIDER1": (-2, -1),
    "GUIDER2": (2, -1),
}
"""FASTAXIS and SLOWAXIS of each detector."""

NEAR_INFRARED_SIZE: Final = (2048, 2048)
"""Columns and rows of every detector but MIRI's, reference pixels included."""

MIRI_SIZE: Final = (1032, 1024)
"""Columns and rows of MIRI's detectors, reference pixels included."""

GUIDER_TYPES: Final = frozenset(
    {"FGS_ID-IMAGE", "FGS_ID-STACK", "FGS_ACQ1", "FGS_ACQ2", "FGS_TRACK", "FGS_FINEGUIDE"}
)
"""Exposure types of the guide function, which have layouts of their own."""


def instrument_of(detector: str) -> str | None:
    """Instrument that a detector belongs to, None if it is unknown.

    Parameters
    ----------
    detector
        As DETECTOR names it.
    """
    return next((name for name, its in DETECTORS.items() if detector in its), None)
