"""The names of stage 3 products, by the official rule, as far as exposures can tell.

The official generator knows of a program's plan: numbers of targets and of
association candidates, which no exposure carries. The proposer's name stands
for the number of the target, and the observation for the candidate.

Source: jwst/associations/lib/rules_level3_base.py (`dms_product_name` and its
variants) and dms_base.py (`get_opt_element`, `get_subarray`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .pipelines import WFSS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .facts import Facts

__all__ = ["candidate", "product_name"]

_NOTHING: Final = frozenset({None, "", "NULL", "NONE", "N/A", "UNKNOWN", "UNDEFINED", "ANY"})
_WITHOUT_OPTICS: Final = frozenset({"MIR_MRS"})
_BY_SOURCE: Final = frozenset({"NRS_MSASPEC", "NRS_AUTOFLAT", "NRS_AUTOWAVE"})
_LONGEST: Final = 40
"""Characters of a target's name: file systems limit names of files."""


def candidate(science: Sequence[Facts]) -> str:
    """Name the association candidate: the observation, if all exposures are of one.

    Parameters
    ----------
    science
        The exposures.

    Returns
    -------
    str
        ``o001``; or ``a3001``, the official name for what the rules find by
        themselves, for exposures of several observations.
    """
    numbers = {facts.observation for facts in science}
    number = next(iter(numbers)) if len(numbers) == 1 else None
    return f"o{number:0>3}" if number is not None and number.isdecimal() else "a3001"


def product_name(science: Sequence[Facts], pipeline: str) -> str:
    """Name the product of an association.

    Parameters
    ----------
    science
        Its science exposures, one at least.
    pipeline
        The official pipeline's class.

    Returns
    -------
    str
        ``jw01234-o001_ngc-628_nircam_clear-f200w``; for pipelines that make
        a product of each source, with the places that they fill.
    """
    first = science[0]
    program = _clean(first.program) or "00000"
    head = f"jw{program:0>5}-{candidate(science)}"
    target = _clean(first.target)[:_LONGEST].strip("-") or "t000"
    instrument = _clean(first.instrument) or "unknown"
    kind = first.exp_type
    if kind in _WITHOUT_OPTICS:
        return f"{head}_{target}_{instrument}"
    optics, subarray = _optics(science), _subarray(science)
    if kind == "NRS_FIXEDSLIT" and pipeline == "Spec3Pipeline":
        return f"{head}_{target}-{{source_id}}_{instrument}_{optics}-{{slit_name}}{subarray}"
    if kind in _BY_SOURCE:
        return f"{head}_{{source_id}}_{instrument}_{optics}{_slits(science)}{subarray}"
    slits = "" if kind in WFSS else _slits(science)
    name = f"{head}_{target}_{instrument}_{optics}{slits}{subarray}"
    if pipeline == "WfsCombineStep":
        activity = _clean(first.activity) or "00"
        return f"{name}-{_clean(first.detector)}_{{suffix}}-{activity:0>2}"
    return name


def _optics(science: Sequence[Facts]) -> str:
    wheels = [
        {facts.filter for facts in science},
        {facts.pupil or facts.grating for facts in science},
    ]
    parts = sorted(part for wheel in wheels if (part := _joined(wheel)))
    return "-".join(parts) or "clear"


def _slits(science: Sequence[Facts]) -> str:
    found = _joined({facts.fixed_slit for facts in science})
    return f"-{found}" if found else ""


def _subarray(science: Sequence[Facts]) -> str:
    found = _joined({facts.subarray for facts in science})
    return f"-{found}" if found and found != "full" else ""


def _joined(values: set[str | None]) -> str:
    return "-".join(sorted(_clean(value) for value in values if value not in _NOTHING))


def _clean(text: str | None) -> str:
    """Leave what cannot be taken for the name's own marks: no underscore, dot, brace or slash."""
    return re.sub(r"[^a-z0-9+]+", "-", (text or "").lower()).strip("-")
