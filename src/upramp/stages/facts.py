"""What an exposure says of itself, by which later stages sort it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Facts", "facts_of"]


@dataclass(frozen=True)
class Facts:
    """What decides the pipeline of an exposure and the name of what it is made into.

    Parameters
    ----------
    label
        What an error calls the exposure.
    exp_type, instrument, detector, filter, pupil, grating, fixed_slit, subarray
        As the keywords of like names have them, in upper case; None for what is not said.
    program, observation, activity
        The program's number and what follows it in the names of exposures.
    target
        The proposer's name for it.
    pattern
        The dither pattern's type.
    nints
        How many integrations the exposure had.
    tso_visit, is_psf, is_background
        Whether it is part of a time series, of a reference star, of empty sky.
    catalogue
        The catalogue of sources that it names, if it does.
    """

    label: str
    exp_type: str | None = None
    instrument: str | None = None
    detector: str | None = None
    filter: str | None = None
    pupil: str | None = None
    grating: str | None = None
    fixed_slit: str | None = None
    subarray: str | None = None
    program: str | None = None
    observation: str | None = None
    activity: str | None = None
    target: str | None = None
    pattern: str | None = None
    nints: int | None = None
    tso_visit: bool = False
    is_psf: bool = False
    is_background: bool = False
    catalogue: str | None = None


_TEXTS = {
    "exp_type": "EXP_TYPE",
    "instrument": "INSTRUME",
    "detector": "DETECTOR",
    "filter": "FILTER",
    "pupil": "PUPIL",
    "grating": "GRATING",
    "fixed_slit": "FXD_SLIT",
    "subarray": "SUBARRAY",
    "program": "PROGRAM",
    "observation": "OBSERVTN",
    "activity": "ACT_ID",
    "target": "TARGPROP",
    "pattern": "PATTTYPE",
    "catalogue": "SCATFILE",
}
_SWITCHES = {"tso_visit": "TSOVISIT", "is_psf": "IS_PSF", "is_background": "BKGDTARG"}
_AS_WRITTEN = frozenset({"target", "catalogue"})


def facts_of(thing: Any, label: str) -> Facts:
    """Read what an exposure says of itself.

    Parameters
    ----------
    thing
        An `upramp.Exposure`, or an official data model.
    label
        What an error is to call it.
    """
    card = _cards_of(thing)
    found: dict[str, Any] = {}
    for name, keyword in _TEXTS.items():
        value = card(keyword)
        text = "" if value is None else str(value).strip()
        if text:
            found[name] = text if name in _AS_WRITTEN else text.upper()
    for name, keyword in _SWITCHES.items():
        found[name] = card(keyword) in {True, "T", "True", "TRUE"}
    count = card("NINTS")
    if isinstance(count, (int, float)) and count == count // 1:
        found["nints"] = int(count)
    return Facts(label=label, **found)


def _cards_of(thing: Any) -> Callable[[str], Any]:
    if not hasattr(thing, "find_fits_keyword"):
        header: Callable[[str], Any] = thing.header.get
        return header

    def card(keyword: str) -> Any:
        # Tables and single slits have the same keywords in other places.
        places = [p for p in thing.find_fits_keyword(keyword) if p.startswith("meta.")]
        return next((value for place in places if (value := thing[place]) is not None), None)

    return card
