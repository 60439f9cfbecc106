"""What kind of product a file is, told by its content before its name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .instruments import GUIDER_TYPES

if TYPE_CHECKING:
    from pathlib import Path

    from .hdus import HDU
    from .keywords import Keywords
    from .source import Source

__all__ = ["RAMPS", "check_layout", "kind_of", "with_article"]

RAMPS: Final = frozenset({"uncal", "ramp", "guider-uncal"})
"""Kinds whose science array is (nints, ngroups, ny, nx)."""

_AXES: Final = {
    "uncal": 4,
    "ramp": 4,
    "guider-uncal": 4,
    "guider-cal": 3,
    "rate": 2,
    "rateints": 3,
    "cal": 2,
    "calints": 3,
    "crf": 2,
    "crfints": 3,
    "i2d": 2,
}
"""Axes of the science array of the kinds that must have one."""

_AXIS_NAMES: Final = ("integrations", "groups", "rows", "columns")

_SUFFIXES: Final = frozenset(
    {
        *("uncal", "ramp", "rate", "rateints", "dark"),
        *("cal", "calints", "crf", "crfints", "bsub", "bsubints", "i2d", "s2d", "s3d"),
        *("x1d", "x1dints", "c1d", "phot", "whtlt", "segm", "wfscmb"),
        *("psfstack", "psfalign", "psfsub", "ami-oi", "aminorm-oi"),
    }
)
_SUFFIX: Final = re.compile(r"_([a-z0-9]+(?:-oi)?)\.fits(?:\.gz)?$")

_BY_MODEL: Final = {
    "Level1bModel": "uncal",
    "RampModel": "ramp",
    "SuperstripeRampModel": "ramp",
    "GuiderRawModel": "guider-uncal",
    "GuiderCalModel": "guider-cal",
}
_SLOPES: Final = {"ImageModel": ("rate", "cal"), "CubeModel": ("rateints", "calints")}
"""Models that serve both before and after flux calibration."""


def kind_of(path: Path, hdus: tuple[HDU, ...], header: Keywords) -> str:
    """Name the kind of product: the archive's suffix where it has one.

    Parameters
    ----------
    path
        The file's name, used where its content leaves a choice.
    hdus
        All its parts.
    header
        Its keywords.

    Returns
    -------
    str
        "uncal", "ramp", "rate", "rateints", "cal", "i2d" and the archive's
        other suffixes; "guider-uncal" and "guider-cal"; "reference"; the data
        model's name for JWST products without a known suffix; "image",
        "table" or "empty" for a FITS file that is no JWST product.
    """
    science = _science(hdus)
    model = header.text("DATAMODL")
    suffix = _suffix(header.text("FILENAME")) or _suffix(path.name)
    if header.text("EXP_TYPE") in GUIDER_TYPES and science is not None:
        return "guider-uncal" if _axes(science) == 4 else "guider-cal"
    if model is None:
        return _without_model(hdus, header, suffix)
    if model in _BY_MODEL:
        return _BY_MODEL[model]
    if suffix in _SUFFIXES - RAMPS and _AXES.get(suffix) in (None, _axes(science)):
        return suffix
    return "reference" if header.text("REFTYPE") else _slope(model, header)


def check_layout(source: Source, kind: str, hdus: tuple[HDU, ...]) -> None:
    """Refuse a science array that is missing or misshapen for its kind.

    Parameters
    ----------
    source
        The file.
    kind
        What `kind_of` says it is.
    hdus
        All its parts.

    Raises
    ------
    InputError
        If the array is not there, has the wrong number of axes or no values.
    """
    if kind not in _AXES:
        return
    science = _science(hdus)
    wanted = _AXES[kind]
    if science is None:
        source.fail(
            f"it is {with_article(kind)} product without its science array SCI, so it was cut"
            " short",
            "download or copy it again",
        )
    if len(science.shape) != wanted or science.type != "IMAGE":
        source.fail(
            f"its SCI has {len(science.shape)} axes where {with_article(kind)} product has"
            f" {wanted}",
            "check that it is the product you meant",
        )
    names = _AXIS_NAMES if wanted == 4 else ("integrations", "rows", "columns")[-wanted:]
    for name, length in zip(names, science.shape, strict=True):
        if length == 0:
            source.fail(f"its SCI has no {name}", "give an exposure that holds data")


def with_article(kind: str) -> str:
    """Give a kind as a sentence has it: "an uncal", "a rate".

    Parameters
    ----------
    kind
        What `kind_of` says.
    """
    return f"{'an' if kind[:1].lower() in tuple('aeiou') else 'a'} {kind}"


def _science(hdus: tuple[HDU, ...]) -> HDU | None:
    return next((hdu for hdu in hdus if hdu.name == "SCI"), None)


def _axes(science: HDU | None) -> int:
    return len(science.shape) if science else 0


def _suffix(name: str | None) -> str | None:
    found = _SUFFIX.search(name or "")
    return found[1] if found and found[1] in _SUFFIXES else None


def _is_mission(header: Keywords) -> bool:
    return header.text("TELESCOP") == "JWST" or header.text("INSTRUME") is not None


def _slope(model: str, header: Keywords) -> str:
    if model not in _SLOPES:
        return model
    if header.text("S_RESAMP") == "COMPLETE":
        return "i2d"
    return _SLOPES[model][header.text("BUNIT") != "DN/s"]


def _without_model(hdus: tuple[HDU, ...], header: Keywords, suffix: str | None) -> str:
    if header.text("REFTYPE"):
        return "reference"
    names = {hdu.name for hdu in hdus}
    if _is_mission(header):
        if suffix is not None:
            return suffix
        science = _science(hdus)
        if science is not None and _axes(science) == 4:
            raw = science.dtype.kind == "i" and not names & {"GROUPDQ", "PIXELDQ"}
            return "uncal" if raw else "ramp"
        if header.text("FILETYPE") == "raw":
            return "uncal"
    if any(hdu.is_image for hdu in hdus):
        return "image"
    return "table" if len(hdus) > 1 else "empty"
