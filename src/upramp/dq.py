"""Data-quality bits of JWST products, by their mnemonics.

Source: the mission's data-quality table (``stdatamodels.jwst.datamodels.dqflags``
holds the same; a peer test compares them), kept here so that reading a file
needs none of the official packages.
"""

from __future__ import annotations

from typing import Final

__all__ = ["GROUP", "PIXEL", "names"]

PIXEL: Final[dict[str, int]] = {
    name: 1 << bit
    for bit, name in enumerate(
        (
            "DO_NOT_USE",
            "SATURATED",
            "JUMP_DET",
            "DROPOUT",
            "OUTLIER",
            "PERSISTENCE",
            "AD_FLOOR",
            "CHARGELOSS",
            "RESERVED",
            "NON_SCIENCE",
            "DEAD",
            "HOT",
            "WARM",
            "LOW_QE",
            "RC",
            "TELEGRAPH",
            "NONLINEAR",
            "BAD_REF_PIXEL",
            "NO_FLAT_FIELD",
            "NO_GAIN_VALUE",
            "NO_LIN_CORR",
            "NO_SAT_CHECK",
            "UNRELIABLE_BIAS",
            "UNRELIABLE_DARK",
            "UNRELIABLE_SLOPE",
            "UNRELIABLE_FLAT",
            "OPEN",
            "ADJ_OPEN",
            "FLUX_ESTIMATED",
            "MSA_FAILED_OPEN",
            "OTHER_BAD_PIXEL",
            "REFERENCE_PIXEL",
        )
    )
}
"""Bits of a pixel's 32-bit DQ."""

GROUP: Final[dict[str, int]] = {name: bit for name, bit in PIXEL.items() if bit < 256}
"""Bits of a group's 8-bit DQ: the low eight of `PIXEL`."""


def names(value: int) -> list[str]:
    """Mnemonics of the bits set in a DQ value, lowest bit first.

    Parameters
    ----------
    value
        A pixel's or a group's DQ value.
    """
    return [name for name, bit in PIXEL.items() if value & bit]
