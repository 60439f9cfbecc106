"""The programs of MIRI's low-resolution spectrometer."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .plans import ExposurePlan, Program, ReadPattern, Target

__all__ = ["LRS"]

_SLIT = ExposurePlan(
    root="jw99111001001_02101_00001_mirimage",
    detector="MIRIMAGE-PRISM",
    aperture="MIRIM_SLIT",
    subarray="FULL",
    filter="P750L",
    exposure_type="MIR_LRS-FIXEDSLIT",
    pattern=ReadPattern("FASTR1"),
    groups=8,
    integrations=1,
    frame_time=2.77504,
    scene="prism",
    dithers=2,
    dither_type="ALONG-SLIT-NOD",
    target=Target("PRACTICE-NEBULA", 80.4875, -69.4975, 8e-3),
)
_NODS = (0.95, -0.95)
"""Places along the slit, arcseconds from its middle."""

LRS: Final = (
    Program(
        "miri-lrs-slit",
        "MIRI low-resolution spectrum in the slit, two nods of 8 groups, full frame",
        tuple(
            replace(_SLIT, root=_SLIT.root.replace("00001", f"0000{k}"), offset=(x, 0.0), dither=k)
            for k, x in enumerate(_NODS, start=1)
        ),
        on_request=True,
    ),
    Program(
        "miri-lrs-slitless",
        "MIRI low-resolution time series of a transit, SLITLESSPRISM, 28 x 12 groups",
        (
            replace(
                _SLIT,
                root="jw99112001001_02101_00001_mirimage",
                aperture="MIRIM_SLITLESSPRISM",
                subarray="SLITLESSPRISM",
                exposure_type="MIR_LRS-SLITLESS",
                groups=12,
                integrations=28,
                frame_time=0.15904,
                dithers=1,
                dither_type=None,
                target=Target("PRACTICE-STAR", 80.4875, -69.4975, 5e-2),
            ),
        ),
        on_request=True,
    ),
)
