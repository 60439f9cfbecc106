"""What an exposure and a program of the practice archive are."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Companion", "ExposurePlan", "Program", "ReadPattern", "Target"]

_TIME_SERIES = {
    "MIR_LRS-SLITLESS",
    "NIS_SOSS",
    "NRC_TSGRISM",
    "NRC_TSIMAGE",
    "NRS_BRIGHTOBJ",
}


@dataclass(frozen=True)
class ReadPattern:
    """How frames become groups."""

    name: str
    frames: int = 1
    """Frames averaged into a group (``NFRAMES``)."""
    gap: int = 0
    """Frames dropped between groups (``GROUPGAP``)."""


@dataclass(frozen=True)
class Companion:
    """A fainter point of light beside a star."""

    separation: float
    """Arcseconds."""
    angle: float
    """Position angle, degrees east of north."""
    contrast: float
    """Its flux over the star's."""


@dataclass(frozen=True)
class Target:
    """A lone star that an exposure is pointed at."""

    name: str
    ra: float
    dec: float
    """Degrees."""
    flux: float
    """Jy in the exposure's bandpass."""
    companion: Companion | None = None
    is_reference: bool = False
    """Whether it is there to show what a lone star looks like (``IS_PSF``)."""


@dataclass(frozen=True)
class ExposurePlan:
    """One exposure, as an observer would plan it."""

    root: str
    """Its name, without the suffix of a product."""
    detector: str
    aperture: str
    subarray: str
    filter: str
    exposure_type: str
    pattern: ReadPattern
    groups: int
    integrations: int
    frame_time: float
    """Seconds."""
    outputs: int = 4
    offset: tuple[float, float] = (0.0, 0.0)
    """Dither in the aperture's ideal x and y, arcseconds."""
    dither: int = 1
    dithers: int = 1
    dither_type: str | None = None
    """``PATTTYPE``, where it is not that of the imagers."""
    zero_frame: bool = False
    scene: str = "field"
    """What is in front of it, as `upramp.practice.lights` has it: ``field``, ``target``."""
    grating: str | None = None
    irs2: bool = False
    start: tuple[int, int] | None = None
    """One-based first column and row, where the aperture does not say."""
    size: tuple[int, int] | None = None
    target: Target | None = None
    """What is pointed at, if it is one star and not the field."""
    visit: str | None = None
    """Exposures that share one are guided by one star: they have one error of pointing."""
    roll: float = 37.0
    """Position angle of V3, degrees east of north."""

    @property
    def time_series(self) -> bool:
        """Whether it watches one object change (``TSOVISIT``)."""
        return self.exposure_type in _TIME_SERIES

    @property
    def frames(self) -> int:
        """Frames from a reset to the last read, dropped ones included."""
        p = self.pattern
        return self.groups * (p.frames + p.gap) - p.gap

    @property
    def group_time(self) -> float:
        """Seconds from group to group."""
        return self.frame_time * (self.pattern.frames + self.pattern.gap)


@dataclass(frozen=True)
class Program:
    """Exposures that belong together."""

    name: str
    description: str
    exposures: tuple[ExposurePlan, ...]
    full_frame: bool = False
    """Whether it is made only where ``--full-frame`` or its name asks for it."""
    on_request: bool = False
    """Whether it is made only where its name asks for it: the programs of single modes."""

    @property
    def by_default(self) -> bool:
        """Whether it is made where nothing is asked for."""
        return not (self.full_frame or self.on_request)
