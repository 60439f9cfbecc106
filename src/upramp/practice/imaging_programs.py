"""Programs of imaging that are made on request: dithers by MIRI and NIRISS, fine guidance."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .plans import ExposurePlan, Program, ReadPattern

__all__ = ["IMAGING"]

_DITHERS: Final = ((0.0, 0.0), (2.37, 1.11), (-1.18, 2.29), (1.13, -2.43))
"""Arcseconds; no two of them are a whole number of pixels apart."""
_MIRI = ExposurePlan(
    root="jw99021001001_02101_00001_mirimage",
    detector="MIRIMAGE",
    aperture="MIRIM_SUB256",
    subarray="SUB256",
    filter="F560W",
    exposure_type="MIR_IMAGE",
    pattern=ReadPattern("FASTR1"),
    groups=30,
    integrations=1,
    frame_time=0.29952,
    scene="bright-field",
)
_NIRISS = ExposurePlan(
    root="jw99022001001_02101_00001_nis",
    detector="NIS",
    aperture="NIS_SUB256",
    subarray="SUB256",
    filter="F200W",
    exposure_type="NIS_IMAGE",
    pattern=ReadPattern("NISRAPID"),
    groups=14,
    integrations=1,
    frame_time=0.69652,
    outputs=1,
)
_FINE_GUIDANCE = ExposurePlan(
    root="jw99023001001_02101_00001_guider2",
    detector="GUIDER2",
    aperture="FGS2_FULL",
    subarray="8X8",
    filter="OPEN",
    exposure_type="FGS_FINEGUIDE",
    pattern=ReadPattern("FINEGUIDE"),
    groups=8,
    integrations=96,
    frame_time=0.00651,
    outputs=1,
    scene="fine-guide",
    start=(947, 1082),
    size=(8, 8),
)


def _dithered(plan: ExposurePlan) -> tuple[ExposurePlan, ...]:
    return tuple(
        replace(
            plan,
            root=plan.root.replace("00001", f"0000{k}"),
            offset=offset,
            dither=k,
            dithers=len(_DITHERS),
        )
        for k, offset in enumerate(_DITHERS, start=1)
    )


IMAGING: Final = (
    Program(
        "miri-imaging",
        "MIRI imaging, F560W, SUB256 x 30 groups, four dithers on bright standards",
        _dithered(_MIRI),
        on_request=True,
    ),
    Program(
        "niriss-imaging",
        "NIRISS imaging, F200W, SUB256 x 14 groups, four dithers",
        _dithered(_NIRISS),
        on_request=True,
    ),
    Program(
        "fgs-fine",
        "FGS fine guidance, 8 x 8, 96 integrations of a star that wanders (guider pipeline)",
        (_FINE_GUIDANCE,),
        on_request=True,
    ),
)
