"""What an image's metadata says about where it looks and when."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .sky_pointing import Pointing

if TYPE_CHECKING:
    from upramp.exposure import Exposure

__all__ = ["Facts", "facts_of_exposure", "facts_of_model"]

_SPECTRA: Final = frozenset({
    "MIR_LRS-FIXEDSLIT", "MIR_LRS-SLITLESS", "MIR_MRS", "MIR_WFSS", "NIS_SOSS", "NIS_WFSS",
    "NRC_DHS", "NRC_GRISM", "NRC_TSGRISM", "NRC_WFSS",
})  # fmt: skip
_UNDISPERSED_NIRSPEC: Final = frozenset({
    "NRS_CONFIRM", "NRS_FOCUS", "NRS_IMAGE", "NRS_MIMF", "NRS_MSATA", "NRS_TACONFIRM",
    "NRS_TACQ", "NRS_TASLIT", "NRS_VERIFY", "NRS_WATA",
})  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What is known of an image beside its pixels.

    Attributes
    ----------
    subject : str
        What an error names.
    shape : tuple of int
        (..., ny, nx).
    detector, exp_type : str
        As the keywords DETECTOR and EXP_TYPE; empty where absent.
    window : (int, int) or None
        First column and row on the detector, counted from 1.
    pointing : Pointing or None
        Where the telescope points.
    aberration : float
        By how much its speed stretches the field (VA_SCALE).
    epoch : astropy.time.Time or None
        The middle of the exposure, or its start.
    """

    subject: str
    shape: tuple[int, ...]
    detector: str = ""
    exp_type: str = ""
    window: tuple[int, int] | None = None
    pointing: Pointing | None = None
    aberration: float = 1.0
    epoch: Any = None

    @property
    def dispersed(self) -> bool:
        """Whether the light is spread into spectra."""
        if self.exp_type.startswith("NRS_"):
            return self.exp_type not in _UNDISPERSED_NIRSPEC
        return self.exp_type in _SPECTRA


def facts_of_exposure(exposure: Exposure) -> Facts:
    """Gather what the header of a file says.

    Raises
    ------
    InputError
        If a keyword that matters is damaged.
    """
    header, subarray = exposure.header, exposure.subarray
    numbers = [header.number(f"{name}_REF") for name in ("V2", "V3", "RA", "DEC", "ROLL")]
    times = [header.number(name) for name in ("EXPMID", "EXPSTART", "MJD-AVG", "MJD-OBS")]
    date, clock = header.text("DATE-OBS"), header.text("TIME-OBS")
    return Facts(
        str(exposure.path),
        exposure.shape,
        exposure.detector or "",
        exposure.exp_type or "",
        _pair(subarray.xstart, subarray.ystart),
        _pointing(numbers),
        header.number("VA_SCALE") or 1.0,
        _time(times, f"{date}T{clock}" if date and clock and "T" not in date else date),
    )


def facts_of_model(model: Any, shape: tuple[int, ...]) -> Facts:
    """Gather what the metadata of a data model of stdatamodels say.

    Parameters
    ----------
    model
        A data model, or a slit of one.
    shape
        Shape of its image, (..., ny, nx).
    """
    meta = model.meta

    def value(path: str) -> Any:
        node = meta
        for name in path.split("."):
            node = getattr(node, name, None)
        return node

    numbers = [value(f"wcsinfo.{name}_ref") for name in ("v2", "v3", "ra", "dec", "roll")]
    date, clock = value("observation.date"), value("observation.time")
    return Facts(
        str(value("filename") or type(model).__name__),
        shape,
        value("instrument.detector") or "",
        value("exposure.type") or "",
        _pair(value("subarray.xstart"), value("subarray.ystart")),
        _pointing(numbers),
        value("velocity_aberration.scale_factor") or 1.0,
        _time(
            [value("exposure.mid_time"), value("exposure.start_time")],
            f"{date}T{clock}" if date and clock else date,
        ),
    )


def _pair(first: int | None, second: int | None) -> tuple[int, int] | None:
    return None if first is None or second is None else (int(first), int(second))


def _pointing(numbers: list[float | None]) -> Pointing | None:
    known = [float(number) for number in numbers if number is not None and math.isfinite(number)]
    return Pointing(*known) if len(known) == len(numbers) else None


def _time(days: list[float | None], date: str | None) -> Any:
    from astropy.time import Time

    day = next((day for day in days if day is not None and math.isfinite(day) and day > 0), None)
    if day is not None:
        return Time(day, format="mjd", scale="utc")
    if date is None:
        return None
    try:
        return Time(date, scale="utc")
    except ValueError:
        # A date that is none tells no time; nothing else depends on it.
        return None
