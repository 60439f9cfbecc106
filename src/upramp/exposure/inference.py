"""What a raw exposure without the mission's metadata still tells for certain.

Ground-test data carry fewer keywords than flight data. Only what follows from
a keyword that is there is filled in; anything that could be otherwise is left
missing, and calibration will ask for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .instruments import READOUT_AXES, instrument_of
from .keywords import Inferred

if TYPE_CHECKING:
    from .hdus import HDU
    from .keywords import Keywords

__all__ = ["infer"]

_LOGICAL: Final = ("COMPRESS", "ZEROFRAM", "DATAPROB", "HGA_MOVE")


def infer(header: Keywords, hdus: tuple[HDU, ...]) -> dict[str, Inferred]:
    """Infer the missing keywords of a raw exposure without a data model.

    Parameters
    ----------
    header
        Keywords that are there.
    hdus
        Parts that are there.

    Returns
    -------
    dict
        Keyword to value and reason; only keywords that the file lacks, or
        holds as another type than the mission's dictionary says.
    """
    found: dict[str, Inferred] = {}

    def fill(name: str, value: Any, reason: str) -> None:
        if name not in header and value is not None:
            found[name] = Inferred(value, reason)

    detector = header.text("DETECTOR") or ""
    fill("INSTRUME", instrument_of(detector), f"DETECTOR {detector} belongs to it")
    if instrument_of(detector) is not None:
        fill("TELESCOP", "JWST", f"DETECTOR {detector} flies on it")
    if detector in READOUT_AXES:
        fast, slow = READOUT_AXES[detector]
        fill("FASTAXIS", fast, f"DETECTOR {detector} is read out so")
        fill("SLOWAXIS", slow, f"DETECTOR {detector} is read out so")
    fill("EXP_TYPE", *_exposure_type(header, detector))
    if header.whole("NFRAMES") == 1:
        fill("FRMDIVSR", 1, "NFRAMES is 1, so nothing was averaged on board")
    fill("NSAMPLES", header.whole("NSAMPLE"), "NSAMPLE, its older name")
    fill("SUBSTRT1", header.whole("COLSTART"), "COLSTART, its older name")
    fill("SUBSTRT2", header.whole("ROWSTART"), "ROWSTART, its older name")
    fill("ZEROFRAM", any(hdu.name == "ZEROFRAME" for hdu in hdus), "the extensions of the file")
    for name in _LOGICAL:
        value = header.get(name)
        if not isinstance(value, bool) and isinstance(value, int) and value in (0, 1):
            found[name] = Inferred(bool(value), f"{name} is the integer {value}")
    return found


def _exposure_type(header: Keywords, detector: str) -> tuple[str | None, str]:
    if detector in ("MIRIFULONG", "MIRIFUSHORT"):
        return "MIR_MRS", f"DETECTOR {detector} takes nothing else"
    subarray = header.text("SUBARRAY") or ""
    no_grating = header.text("FILTER") != "P750L" and header.text("GRATING") is None
    if detector == "MIRIMAGE" and no_grating and not subarray.startswith(("MASK", "SLITLESS")):
        return "MIR_IMAGE", "DETECTOR MIRIMAGE without a grating or a coronagraph's subarray"
    return None, ""
