"""What the practice archive holds: its programs and their exposures."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .high_contrast_programs import HIGH_CONTRAST
from .imaging_programs import IMAGING
from .lrs_programs import LRS
from .nircam_programs import NIRCAM_MODES
from .plans import ExposurePlan, Program, ReadPattern

__all__ = ["PROGRAMS", "ExposurePlan", "Program", "ReadPattern"]


_RAPID = ReadPattern("RAPID")
_DITHERS = ((0.0, 0.0), (2.37, 1.11), (-1.18, 2.29), (1.13, -2.43))
_LONG = ExposurePlan(
    root="jw99003001001_02101_00001_nrcalong",
    detector="NRCALONG",
    aperture="NRCA5_SUB640",
    subarray="SUB640",
    filter="F356W",
    exposure_type="NRC_IMAGE",
    pattern=_RAPID,
    groups=10,
    integrations=1,
    frame_time=4.18584,
    outputs=1,
)
_SHORT = replace(_LONG, detector="NRCA1", aperture="NRCA1_SUB640", filter="F200W")
_MIRI = ExposurePlan(
    root="jw99005001001_02101_00001_mirimage",
    detector="MIRIMAGE",
    aperture="MIRIM_BRIGHTSKY",
    subarray="BRIGHTSKY",
    filter="F770W",
    exposure_type="MIR_IMAGE",
    pattern=ReadPattern("FASTR1"),
    groups=12,
    integrations=2,
    frame_time=0.86528,
)
_SPECTRA = ExposurePlan(
    root="jw99009001001_02101_00001_nrs1",
    detector="NRS1",
    aperture="NRS1_FULL",
    subarray="FULL",
    filter="F290LP",
    grating="G395H",
    exposure_type="NRS_MSASPEC",
    pattern=ReadPattern("NRSRAPID"),
    groups=6,
    integrations=1,
    frame_time=10.73677,
    scene="spectra",
)


def _full(plan: ExposurePlan, aperture: str) -> ExposurePlan:
    return replace(plan, aperture=aperture, subarray="FULL", frame_time=10.73677, outputs=4)


def _dithered(number: int, plan: ExposurePlan) -> tuple[ExposurePlan, ...]:
    return tuple(
        replace(
            plan,
            root=f"jw99{number:03d}001001_02101_0000{k}_{plan.detector.lower()}",
            offset=offset,
            dither=k,
            dithers=len(_DITHERS),
        )
        for k, offset in enumerate(_DITHERS, start=1)
    )


_ALL = (
    Program(
        "nircam-long",
        "NIRCam imaging, long-wave detector, F356W, SUB640 x 10 groups, four dithers",
        _dithered(1, _LONG),
    ),
    Program(
        "nircam-short",
        "NIRCam imaging, short-wave detector, F200W, SUB640 x 10 groups, four dithers",
        _dithered(2, _SHORT),
    ),
    Program(
        "nircam-integrations",
        "NIRCam imaging, two integrations of 6 groups, SUB640",
        (replace(_LONG, groups=6, integrations=2),),
    ),
    Program(
        "nircam-grouped",
        "NIRCam imaging, SHALLOW4 (four frames averaged, one dropped), SUB640 x 6 groups",
        (
            replace(
                _LONG,
                root="jw99004001001_02101_00001_nrcalong",
                pattern=ReadPattern("SHALLOW4", 4, 1),
                groups=6,
                zero_frame=True,
            ),
        ),
    ),
    Program(
        "miri-subarray",
        "MIRI imaging, F770W, BRIGHTSKY, two integrations of 12 groups",
        (_MIRI,),
    ),
    Program(
        "miri-full",
        "MIRI imaging, F560W, full frame, two integrations of 8 groups",
        (
            replace(
                _MIRI,
                root="jw99006001001_02101_00001_mirimage",
                aperture="MIRIM_FULL",
                subarray="FULL",
                filter="F560W",
                groups=8,
                frame_time=2.77504,
            ),
        ),
    ),
    Program(
        "miri-sub64",
        "MIRI imaging, F560W, SUB64 FAST, five integrations of 50 groups",
        (
            replace(
                _MIRI,
                root="jw99007001001_02101_00001_mirimage",
                aperture="MIRIM_SUB64",
                subarray="SUB64",
                filter="F560W",
                pattern=ReadPattern("FAST"),
                groups=50,
                integrations=5,
                frame_time=0.085,
            ),
        ),
    ),
    Program(
        "niriss",
        "NIRISS imaging, F200W, SUB256 x 12 groups",
        (
            replace(
                _LONG,
                root="jw99008001001_02101_00001_nis",
                detector="NIS",
                aperture="NIS_SUB256",
                subarray="SUB256",
                filter="F200W",
                exposure_type="NIS_IMAGE",
                pattern=ReadPattern("NISRAPID"),
                groups=12,
                frame_time=0.69652,
            ),
        ),
    ),
    Program(
        "nirspec",
        "NIRSpec full frame, traditional read-out, 6 groups (stage 1 only)",
        (_SPECTRA,),
    ),
    Program(
        "nirspec-irs2",
        "NIRSpec full frame, IRS2 read-out, 5 groups (stage 1 only)",
        (
            replace(
                _SPECTRA,
                root="jw99010001001_02101_00001_nrs1",
                pattern=ReadPattern("NRSIRS2RAPID"),
                groups=5,
                frame_time=14.58889,
                irs2=True,
            ),
        ),
    ),
    Program(
        "fgs",
        "FGS guide-star acquisition, 128 x 128, six integrations (guider pipeline)",
        (
            ExposurePlan(
                root="jw99013001001_02101_00001_guider2",
                detector="GUIDER2",
                aperture="FGS2_FULL",
                subarray="128X128",
                filter="OPEN",
                exposure_type="FGS_ACQ1",
                pattern=ReadPattern("ACQ1", 1, 1),
                groups=2,
                integrations=6,
                frame_time=0.182,
                outputs=1,
                scene="guide-star",
                start=(887, 1022),
                size=(128, 128),
            ),
        ),
    ),
    Program(
        "nircam-long-full",
        "NIRCam imaging, long-wave detector, F356W, 2048 x 2048 x 10 groups, four dithers",
        _dithered(11, _full(_LONG, "NRCA5_FULL")),
        full_frame=True,
    ),
    Program(
        "nircam-short-full",
        "NIRCam imaging, short-wave detector, F200W, 2048 x 2048 x 10 groups, four dithers",
        _dithered(12, _full(_SHORT, "NRCA1_FULL")),
        full_frame=True,
    ),
    *NIRCAM_MODES,
)

PROGRAMS: Final[dict[str, Program]] = {p.name: p for p in (*_ALL, *HIGH_CONTRAST, *LRS, *IMAGING)}
"""Every program, by name, in the order in which they are made."""
