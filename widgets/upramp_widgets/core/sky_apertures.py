"""Outlines of the telescope's apertures on the sky, and in an image."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from upramp.errors import InputError, UsageError

from .sky_plane import to_vectors
from .sky_pointing import aperture_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .sky import Sky
    from .sky_plane import Float
    from .sky_pointing import Pointing

__all__ = ["INSTRUMENTS", "MAIN", "ApertureOutline", "aperture_names", "aperture_outlines"]

INSTRUMENTS: Final = ("NIRCam", "NIRSpec", "NIRISS", "MIRI", "FGS")
"""As the aperture file names them."""

MAIN: Final = (
    "NRC[AB][1-5]_FULL", "NRS_FULL_MSA[1-4]", "NRS_FULL_IFU", "NRS_S*_SLIT", "NIS_CEN",
    "MIRIM_FULL", "MIRIFU_CHANNEL4A", "FGS[12]_FULL",
)  # fmt: skip
"""Patterns of the apertures that make up the focal plane."""

_PIECES: Final = 8
"""Of each edge: distortion bends it."""
_WITH_PIXELS: Final = frozenset({"FULLSCA", "SUBARRAY", "ROI"})
"""Types of apertures whose edges are straight in the detector's pixels."""


@dataclass(frozen=True, eq=False)
class ApertureOutline:
    """What an aperture sees.

    Attributes
    ----------
    instrument, name : str
        As the aperture file names them.
    ra, dec : numpy.ndarray
        Its outline on the sky, degrees; the last point is the first.
    """

    instrument: str
    name: str
    ra: Float
    dec: Float

    def in_pixels(self, sky: Sky) -> tuple[Float, Float]:
        """Give the outline in an image's pixels, extrapolated outside it.

        Parameters
        ----------
        sky
            The image's coordinates.

        Raises
        ------
        UsageError
            If the image's light is dispersed.
        """
        return sky.pixels_of(to_vectors(self.ra, self.dec))


def aperture_names(
    instruments: str | Iterable[str] = INSTRUMENTS, names: str | Iterable[str] = "*"
) -> list[tuple[str, str]]:
    """List apertures: instrument and name.

    Parameters
    ----------
    instruments
        One or several of `INSTRUMENTS`, in any case.
    names
        Names of apertures, or patterns with ``*``, ``?`` and ``[...]``.

    Raises
    ------
    UsageError
        If there is no such instrument.
    """
    patterns = [names] if isinstance(names, str) else list(names)
    return [
        (instrument, name)
        for instrument in _instruments(instruments)
        for name in aperture_file(instrument).apernames
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    ]


def aperture_outlines(
    pointing: Pointing | None,
    instruments: str | Iterable[str] = INSTRUMENTS,
    names: str | Iterable[str] = MAIN,
) -> list[ApertureOutline]:
    """Give the outlines of apertures for a pointing of the telescope.

    Parameters
    ----------
    pointing
        Where it points, as `Sky.pointing` tells of an exposure.
    instruments, names
        Which, as `aperture_names` takes them.

    Returns
    -------
    list of ApertureOutline
        In the order of the aperture file. A transformation between a
        spectrograph's planes, which it lists too, has no outline.

    Raises
    ------
    UsageError
        If there is no such instrument or aperture.
    InputError
        If the pointing is not known.
    """
    if pointing is None:
        raise InputError(
            "this image", "it does not say how the telescope was turned", "give a Pointing"
        )
    chosen = aperture_names(instruments, names)
    if not chosen:
        wanted = names if isinstance(names, str) else ", ".join(names)
        raise UsageError(
            wanted, "no aperture has such a name", "ask aperture_names for those there are"
        )
    outlines = []
    for instrument, name in chosen:
        outline = _outline(instrument, name)
        if outline is not None:
            outlines.append(ApertureOutline(instrument, name, *pointing.sky(*outline)))
    return outlines


def _instruments(wanted: str | Iterable[str]) -> list[str]:
    known = {name.upper(): name for name in INSTRUMENTS}
    chosen = []
    for name in [wanted] if isinstance(wanted, str) else wanted:
        if name.upper() not in known:
            raise UsageError(
                f"instrument {name!r}", "there is none", f"use {', '.join(INSTRUMENTS)}"
            )
        chosen.append(known[name.upper()])
    return chosen


@cache
def _outline(instrument: str, name: str) -> tuple[Float, Float] | None:
    """Give a closed outline in V2, V3, arcseconds; None for what is no part of the sky."""
    aperture = aperture_file(instrument)[name]
    if aperture.AperType == "TRANSFORM":
        return None
    if aperture.AperType in _WITH_PIXELS and aperture.Sci2IdlDeg is not None:
        x, y = _along_edges(*(np.asarray(side, float) for side in aperture.corners("sci")))
        v2, v3 = aperture.sci_to_tel(x, y)
        return np.asarray(v2, float), np.asarray(v3, float)
    v2, v3 = aperture.closed_polygon_points("tel", rederive=False)
    return _along_edges(np.asarray(v2, float)[:-1], np.asarray(v3, float)[:-1])


def _along_edges(x: Float, y: Float) -> tuple[Float, Float]:
    """Put points on the edges of a polygon, and close it."""
    steps = np.linspace(0, 1, _PIECES, endpoint=False)
    closed = [
        np.append((axis[:, None] + steps * (np.roll(axis, -1) - axis)[:, None]).ravel(), axis[0])
        for axis in (x, y)
    ]
    return closed[0], closed[1]
