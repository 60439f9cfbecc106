"""NIRCam's programs of single modes: a time series of images, slitless spectra."""

from __future__ import annotations

from typing import Final

from .plans import ExposurePlan, Program, ReadPattern, Target

__all__ = ["NIRCAM_MODES"]

_TIME_SERIES = ExposurePlan(
    root="jw99101001001_02101_00001_nrcblong",
    detector="NRCBLONG",
    aperture="NRCB5_SUB64P",
    subarray="SUB64P",
    filter="F444W",
    exposure_type="NRC_TSIMAGE",
    pattern=ReadPattern("SHALLOW4", 4, 1),
    groups=8,
    integrations=64,
    frame_time=0.05016,
    outputs=1,
    scene="transit",
    target=Target("PRACTICE-TRANSIT", 80.4875, -69.4975, 5.5e-3),
)

NIRCAM_MODES: Final = (
    Program(
        "nircam-tso-imaging",
        "NIRCam imaging time series of a transit, F444W, SUB64P, 64 integrations of 8 groups",
        (_TIME_SERIES,),
        on_request=True,
    ),
)
