"""NIRCam's programs of single modes: a time series of images, slitless spectra."""

from __future__ import annotations

from dataclasses import replace
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

_DIRECT = ExposurePlan(
    root="jw99102001001_02101_00001_nrcalong",
    detector="NRCALONG",
    aperture="NRCA5_FULL",
    subarray="FULL",
    filter="F356W",
    exposure_type="NRC_IMAGE",
    pattern=ReadPattern("RAPID"),
    groups=3,
    integrations=1,
    frame_time=10.73677,
    scene="wfss-direct",
    visit="jw99102001001",
)
_DISPERSED = replace(
    _DIRECT,
    root="jw99102001001_02101_00002_nrcalong",
    detector="NRCALONG-GRISMR",
    exposure_type="NRC_WFSS",
    groups=12,
    scene="wfss",
)
_SENSED = ExposurePlan(
    root="jw99103001001_02101_00001_nrca1",
    detector="NRCA1",
    aperture="NRCA1_SUB160",
    subarray="SUB160",
    filter="F200W",
    exposure_type="NRC_IMAGE",
    pattern=ReadPattern("RAPID"),
    groups=6,
    integrations=1,
    frame_time=0.27864,
    outputs=1,
    scene="star",
    target=Target("PRACTICE-SENSED", 80.4875, -69.4975, 2e-3),
    dithers=2,
    dither_type="WFSC",
)
_SENSED_AT = ((-0.3716, -0.1867), (0.3716, 0.1867))
"""Arcseconds: the star moves by 24 pixels along x and 12 along y."""
_SHUT = replace(
    _SENSED,
    root="jw99104001001_02101_00001_nrcalong",
    detector="NRCALONG",
    aperture="NRCA5_SUB160",
    filter="F444W",
    exposure_type="NRC_DARK",
    # Long enough for charge to be seen that collects without light.
    pattern=ReadPattern("DEEP8", 8, 12),
    groups=8,
    integrations=3,
    scene="nothing",
    target=None,
    dithers=1,
    dither_type=None,
)

NIRCAM_MODES: Final = (
    Program(
        "nircam-tso-imaging",
        "NIRCam imaging time series of a transit, F444W, SUB64P, 64 integrations of 8 groups",
        (_TIME_SERIES,),
        on_request=True,
    ),
    Program(
        "nircam-wfss",
        "NIRCam slitless spectra, GRISMR with F356W, 12 groups, full frame, and a direct image",
        (_DIRECT, _DISPERSED),
        on_request=True,
    ),
    Program(
        "nircam-wfs",
        "NIRCam wavefront sensing, F200W, SUB160 x 6 groups, a pair of images of one star",
        tuple(
            replace(_SENSED, root=_SENSED.root.replace("00001", f"0000{k}"), offset=at, dither=k)
            for k, at in enumerate(_SENSED_AT, start=1)
        ),
        on_request=True,
    ),
    Program(
        "nircam-dark",
        "NIRCam dark, SUB160, DEEP8, three integrations of 8 groups (dark pipeline)",
        (_SHUT,),
        on_request=True,
    ),
)
