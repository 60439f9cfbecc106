"""Mode and timing of an exposure, as its header names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .keywords import Keywords

__all__ = ["HeaderValues", "Subarray"]


@dataclass(frozen=True)
class Subarray:
    """The part of a detector that was read out.

    Attributes
    ----------
    name : str or None
        As SUBARRAY names it.
    xstart, ystart : int or None
        First column and row in the science frame, counted from 1.
    xsize, ysize : int or None
        Columns and rows.
    """

    name: str | None
    xstart: int | None
    ystart: int | None
    xsize: int | None
    ysize: int | None


class HeaderValues:
    """Values that a header holds, by the names that people use; None where absent.

    Attributes
    ----------
    header : Keywords
        Keywords of the primary and the SCI header, inferred ones included.
    """

    header: Keywords

    @property
    def instrument(self) -> str | None:
        """INSTRUME."""
        return self.header.text("INSTRUME")

    @property
    def detector(self) -> str | None:
        """DETECTOR."""
        return self.header.text("DETECTOR")

    @property
    def exp_type(self) -> str | None:
        """EXP_TYPE."""
        return self.header.text("EXP_TYPE")

    @property
    def filter(self) -> str | None:
        """FILTER."""
        return self.header.text("FILTER")

    @property
    def pupil(self) -> str | None:
        """PUPIL."""
        return self.header.text("PUPIL")

    @property
    def grating(self) -> str | None:
        """GRATING."""
        return self.header.text("GRATING")

    @property
    def readpatt(self) -> str | None:
        """READPATT."""
        return self.header.text("READPATT")

    @property
    def subarray(self) -> Subarray:
        """What part of the detector was read out."""
        whole = self.header.whole
        return Subarray(
            self.header.text("SUBARRAY"),
            *(whole(name) for name in ("SUBSTRT1", "SUBSTRT2", "SUBSIZE1", "SUBSIZE2")),
        )

    @property
    def nframes(self) -> int | None:
        """Frames averaged into a group."""
        return self.header.whole("NFRAMES")

    @property
    def groupgap(self) -> int | None:
        """Frames dropped between groups."""
        return self.header.whole("GROUPGAP")

    @property
    def frame_time(self) -> float | None:
        """Time of one frame, s."""
        return self.header.number("TFRAME")

    @property
    def group_time(self) -> float | None:
        """Time from group to group, s."""
        return self.header.number("TGROUP")

    @property
    def integration_time(self) -> float | None:
        """Effective time of one integration, s."""
        return self.header.number("EFFINTTM")

    @property
    def exposure_time(self) -> float | None:
        """Effective time of the exposure, s."""
        effective = self.header.number("XPOSURE")
        return self.header.number("EFFEXPTM") if effective is None else effective

    @property
    def start_time(self) -> str | None:
        """Start of the exposure, UTC, ISO 8601."""
        date, time = self.header.text("DATE-OBS"), self.header.text("TIME-OBS")
        return f"{date}T{time}" if date and time else date

    @property
    def units(self) -> str | None:
        """BUNIT of SCI."""
        return self.header.text("BUNIT")
