"""Programs of coronagraphy and of aperture masking: a faint companion beside its star."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .plans import Companion, ExposurePlan, Program, ReadPattern, Target

__all__ = ["HIGH_CONTRAST"]

_CORONAGRAPHED: Final = ExposurePlan(
    root="jw99031001001_02101_00001_nrcalong",
    detector="NRCALONG-MASK335R",
    aperture="NRCA5_MASK335R",
    subarray="SUB320A335R",
    filter="F356W",
    exposure_type="NRC_CORON",
    pattern=ReadPattern("RAPID"),
    groups=10,
    integrations=2,
    frame_time=1.06904,
    outputs=1,
    scene="target",
    target=Target("PRACTICE-HOST", 95.1, -58.3, 0.25, Companion(0.8, 68.0, 1e-4)),
    roll=100.0,
)
_CORONAGRAPHED_MIRI: Final = ExposurePlan(
    root="jw99032001001_02101_00001_mirimage",
    detector="MIRIMAGE-4QPM",
    aperture="MIRIM_MASK1065",
    subarray="MASK1065",
    filter="F1065C",
    exposure_type="MIR_4QPM",
    pattern=ReadPattern("FASTR1"),
    groups=25,
    integrations=2,
    frame_time=0.23968,
    scene="target",
    # So near that KLIP takes a part of the planet for the star.
    target=Target("PRACTICE-HOST", 95.1, -58.3, 2.0, Companion(0.5, 68.0, 5e-3)),
    roll=100.0,
)
_MASKED: Final = ExposurePlan(
    root="jw99033001001_02101_00001_nis",
    detector="NIS-NRM",
    aperture="NIS_AMI1",
    subarray="SUB80",
    filter="F480M",
    exposure_type="NIS_AMI",
    pattern=ReadPattern("NISRAPID"),
    groups=8,
    integrations=5,
    frame_time=0.07544,
    outputs=1,
    scene="target",
    target=Target("PRACTICE-BINARY", 110.4, -42.7, 0.6, Companion(0.15, 215.0, 0.05)),
    roll=64.0,
)
_BOX: Final = ((0.0, 0.0), (1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0))
"""Places of a small grid, in its steps."""


def _rolled(plan: ExposurePlan, roll: float) -> ExposurePlan:
    """Give the same exposure, in the next observation, with the telescope turned."""
    return replace(_next(plan, 1), roll=plan.roll + roll)


def _reference(plan: ExposurePlan, observation: int, flux: float) -> ExposurePlan:
    """Give an exposure of a lone star near the target, in a later observation."""
    target = plan.target
    if target is None:
        raise AssertionError(plan)
    lone = Target("PRACTICE-REFERENCE", target.ra + 1.3, target.dec + 0.6, flux, is_reference=True)
    return replace(_next(plan, observation), target=lone)


def _next(plan: ExposurePlan, later: int) -> ExposurePlan:
    observation = int(plan.root[7:10]) + later
    return replace(plan, root=f"{plan.root[:7]}{observation:03d}{plan.root[10:]}")


def _on_small_grid(plan: ExposurePlan, step: float) -> tuple[ExposurePlan, ...]:
    """Give five exposures that put the star a step (arcseconds) beside the mask's centre."""
    before, after = plan.root.split("_00001_")
    return tuple(
        replace(
            plan,
            root=f"{before}_{number:05d}_{after}",
            offset=(step * x, step * y),
            dither=number,
            dithers=len(_BOX),
        )
        for number, (x, y) in enumerate(_BOX, start=1)
    )


HIGH_CONTRAST: Final = (
    Program(
        "nircam-coron",
        "NIRCam coronagraphy, F356W, MASK335R: a planet at two rolls, five small-grid references",
        (
            _CORONAGRAPHED,
            _rolled(_CORONAGRAPHED, 10.0),
            *_on_small_grid(_reference(_CORONAGRAPHED, 2, 0.28), 0.015),
        ),
        on_request=True,
    ),
    Program(
        "miri-coron",
        "MIRI coronagraphy, F1065C, MASK1065: a planet at two rolls, five small-grid references",
        (
            _CORONAGRAPHED_MIRI,
            _rolled(_CORONAGRAPHED_MIRI, 10.0),
            *_on_small_grid(_reference(_CORONAGRAPHED_MIRI, 2, 2.2), 0.010),
        ),
        on_request=True,
    ),
    Program(
        "niriss-ami",
        "NIRISS aperture masking, F480M, SUB80: a binary and a reference star",
        (_MASKED, _reference(_MASKED, 1, 0.65)),
        on_request=True,
    ),
)
"""All of them."""
