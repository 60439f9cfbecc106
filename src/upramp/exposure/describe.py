"""What a file is: mode, shape, timing, data quality, footprint, provenance."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import InputError

from .description_text import to_text
from .dq_summary import DQSummary, summarise_dq
from .footprint import Footprint, find_footprint
from .hdus import keyword, parse_header

if TYPE_CHECKING:
    from .exposure import Exposure
    from .hdus import HDU

__all__ = ["ArrayDescription", "Description", "Readiness", "TableDescription", "describe"]

_DQ_ARRAYS: Final = ("DQ", "PIXELDQ", "GROUPDQ")
_MODE: Final = {
    "instrument": "INSTRUME",
    "detector": "DETECTOR",
    "exp_type": "EXP_TYPE",
    "channel": "CHANNEL",
    "band": "BAND",
    "filter": "FILTER",
    "pupil": "PUPIL",
    "grating": "GRATING",
    "fixed_slit": "FXD_SLIT",
    "readpatt": "READPATT",
}
_TIMING: Final = {
    "frame_time": "TFRAME",
    "group_time": "TGROUP",
    "integration_time": "EFFINTTM",
    "exposure_time": "EFFEXPTM",
    "nints": "NINTS",
    "ngroups": "NGROUPS",
    "nframes": "NFRAMES",
    "groupgap": "GROUPGAP",
}
_TARGET: Final = {
    "target": "TARGPROP",
    "program": "PROGRAM",
    "observation": "OBSERVTN",
    "visit": "VISIT",
}
_SOFTWARE: Final = {
    "calibration": "CAL_VER",
    "crds_context": "CRDS_CTX",
    "data_processing": "SDP_VER",
    "origin": "ORIGIN",
    "created": "DATE",
}
_STAGES: Final = {"uncal": 1, "ramp": 1, "guider-uncal": 1, "rate": 2, "rateints": 2, "cal": 3}
_MAX_CARDS: Final = 400
"""Steps and references that a description lists at most."""


@dataclass(frozen=True)
class ArrayDescription:
    """An array of the file.

    Attributes
    ----------
    name : str
        As ``exposure[name]`` takes it.
    shape : tuple of int
        In numpy's order.
    dtype : str
        Of the values, not of how they are stored.
    units : str or None
        BUNIT.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    units: str | None


@dataclass(frozen=True)
class TableDescription:
    """A table of the file.

    Attributes
    ----------
    name : str
        As ``exposure[name]`` takes it.
    rows : int
        Count of rows.
    columns : tuple of str
        Names, with units in brackets.
    """

    name: str
    rows: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Readiness:
    """Whether the next stage of calibration can take the file.

    Attributes
    ----------
    stage : int
        The stage.
    problem : str or None
        What stands in its way, with a remedy; None if nothing does.
    """

    stage: int
    problem: str | None


@dataclass(frozen=True)
class Description:
    """What a file is.

    Attributes
    ----------
    path, kind, model : str
        The file, the kind of product, and its data model (None if it names none).
    bytes : int
        Size, decompressed.
    compressed : bool
        Whether it is a gzip stream.
    mode, timing, target, software : dict
        Values by name; only those that the file holds. Times in seconds.
    subarray : dict
        Name, first pixel (from 1) and size.
    start : str or None
        Start of the exposure, UTC.
    arrays : tuple of ArrayDescription
        Its arrays.
    tables : tuple of TableDescription
        Its tables.
    dq : tuple of DQSummary
        Counts of data-quality bits.
    footprint : Footprint
        Corners on the sky and where they come from.
    steps : dict
        Calibration step (keyword without ``S_``) to its status.
    references : dict
        Reference type (keyword without ``R_``) to its file; N/A left out.
    upramp : str or None
        The HISTORY line that announces this package's own provenance.
    inferred : dict
        Keyword to the value and reason that were filled in.
    readiness : Readiness or None
        For products that a stage takes.
    """

    path: str
    kind: str
    model: str | None
    bytes: int
    compressed: bool
    mode: dict[str, str]
    subarray: dict[str, Any]
    start: str | None
    timing: dict[str, Any]
    target: dict[str, str]
    arrays: tuple[ArrayDescription, ...]
    tables: tuple[TableDescription, ...]
    dq: tuple[DQSummary, ...]
    footprint: Footprint
    software: dict[str, str]
    steps: dict[str, str]
    references: dict[str, str]
    upramp: str | None
    inferred: dict[str, dict[str, Any]]
    readiness: Readiness | None

    def to_json(self) -> dict[str, Any]:
        """Give everything as what JSON can hold."""
        found = asdict(self)
        for summary, given in zip(self.dq, found["dq"], strict=True):
            given["percentages"] = {name: summary.percentage(name) for name in summary.bits}
        return found

    def to_text(self) -> str:
        """Give what fits on a screen of 24 lines of 100 columns."""
        return to_text(self)


def describe(exposure: Exposure) -> Description:
    """Describe a file.

    Data-quality arrays are counted piece by piece; no other data are read.

    Parameters
    ----------
    exposure
        The file, of any kind.

    Returns
    -------
    Description
        What it is.

    Raises
    ------
    InputError
        If a keyword or a data-quality array that is described is damaged.
    """
    header, source = exposure.header, exposure.source
    subarray = asdict(exposure.subarray)
    return Description(
        path=str(exposure.path),
        kind=exposure.kind,
        model=header.text("DATAMODL"),
        bytes=source.size,
        compressed=source.compressed,
        mode=_texts(exposure, _MODE),
        subarray=subarray if any(value is not None for value in subarray.values()) else {},
        start=exposure.start_time,
        timing=_numbers(exposure, _TIMING),
        target=_texts(exposure, _TARGET),
        arrays=tuple(_array(exposure, exposure.hdu(name)) for name in exposure.arrays),
        tables=tuple(_table(exposure, exposure.hdu(name)) for name in exposure.tables),
        dq=tuple(
            summarise_dq(source, hdu)
            for hdu in exposure.hdus
            if hdu.name in _DQ_ARRAYS and hdu.is_image
        ),
        footprint=find_footprint(exposure),
        software=_texts(exposure, _SOFTWARE),
        steps=_prefixed(exposure, "S_", {"S_REGION"}),
        references=_prefixed(exposure, "R_", {"R_"}, left_out="N/A"),
        upramp=_own_history(exposure),
        inferred={name: asdict(found) for name, found in exposure.inferred.items()},
        readiness=_readiness(exposure),
    )


def _texts(exposure: Exposure, names: dict[str, str]) -> dict[str, str]:
    found = {name: exposure.header.get(card) for name, card in names.items()}
    return {name: str(value).strip() for name, value in found.items() if value is not None}


def _numbers(exposure: Exposure, names: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, card in names.items():
        value = exposure.header.number(card)
        if value is not None:
            found[name] = int(value) if name.startswith(("n", "groupgap")) else value
    return found


def _array(exposure: Exposure, hdu: HDU) -> ArrayDescription:
    units = keyword(exposure.source, parse_header(exposure.source, hdu.raw), "BUNIT")
    dtype = f"uint{8 * hdu.dtype.itemsize}" if hdu.is_unsigned else hdu.dtype.name
    return ArrayDescription(hdu.label, hdu.shape, dtype, units if isinstance(units, str) else None)


def _table(exposure: Exposure, hdu: HDU) -> TableDescription:
    header = parse_header(exposure.source, hdu.raw)

    def card(name: str) -> Any:
        return keyword(exposure.source, header, name)

    count = card("TFIELDS")
    columns = []
    for number in range(1, count + 1 if isinstance(count, int) and 0 <= count < 1000 else 1):
        name, units = card(f"TTYPE{number}"), card(f"TUNIT{number}")
        columns.append(f"{name or number}" + (f" [{units}]" if units else ""))
    return TableDescription(hdu.label, hdu.shape[0] if hdu.shape else 0, tuple(columns))


def _prefixed(
    exposure: Exposure, prefix: str, without: set[str], left_out: str | None = None
) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in exposure.header:
        if not re.fullmatch(prefix + "[A-Z0-9_]{1,6}", name) or name in without:
            continue
        value = exposure.header.get(name)
        if isinstance(value, str) and value != left_out and len(found) < _MAX_CARDS:
            found[name.removeprefix(prefix)] = value.removeprefix("crds://")
    return found


def _own_history(exposure: Exposure) -> str | None:
    header = parse_header(exposure.source, exposure.hdus[0].raw)
    try:
        lines = [str(line) for line in header.get("HISTORY", ())]
    except Exception:  # noqa: BLE001 - astropy raises many kinds on damaged cards
        return None
    # Each stage adds one: the last is this product's.
    return next((line for line in reversed(lines) if line.startswith("upramp ")), None)


def _readiness(exposure: Exposure) -> Readiness | None:
    stage = _STAGES.get(exposure.kind)
    if stage is None:
        return None
    try:
        exposure.require_calibratable(stage)
    except InputError as error:
        return Readiness(stage, f"{error.problem}; {error.remedy}")
    return Readiness(stage, None)
