"""Which official pipeline an exposure goes through, stage by stage.

Source: the lists of exposure types and the constraints of the official
associations' rules (jwst/associations/lib/dms_base.py, rules_level2b.py and
rules_level3.py), which tests hold these tables to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upramp.errors import InputError

if TYPE_CHECKING:
    from .facts import Facts

__all__ = [
    "BY_ASSOCIATION",
    "IMAGE2",
    "IMAGE3",
    "LATER_PIPELINES",
    "REFERENCE_STARS",
    "SPEC2",
    "SPEC3",
    "WFSS",
    "later_pipeline",
    "stage_of_association",
    "takes",
]

IMAGE2: Final = frozenset(
    {
        *("FGS_IMAGE", "FGS_FOCUS"),
        *("MIR_4QPM", "MIR_CORONCAL", "MIR_IMAGE", "MIR_LYOT", "MIR_TACONFIRM", "MIR_TACQ"),
        *("NIS_AMI", "NIS_FOCUS", "NIS_IMAGE", "NIS_TACONFIRM", "NIS_TACQ"),
        *("NRC_CORON", "NRC_FOCUS", "NRC_IMAGE", "NRC_TACONFIRM", "NRC_TACQ", "NRC_TSIMAGE"),
        *("NRS_CONFIRM", "NRS_FOCUS", "NRS_IMAGE", "NRS_MIMF", "NRS_MSATA", "NRS_TACONFIRM"),
        *("NRS_TACQ", "NRS_TASLIT", "NRS_VERIFY", "NRS_WATA"),
    }
)
"""Exposure types of the stage 2 pipeline for images."""

_LAMPS: Final = frozenset({"NRS_LAMP", "NRS_AUTOFLAT", "NRS_AUTOWAVE"})
"""NIRSpec's own lamps: spectra, unless the mirror stands in the grating wheel."""

SPEC2: Final = _LAMPS | {
    *("MIR_LRS-FIXEDSLIT", "MIR_LRS-SLITLESS", "MIR_MRS", "MIR_WFSS"),
    *("NIS_SOSS", "NIS_WFSS", "NRC_TSGRISM", "NRC_WFSS"),
    *("NRS_BRIGHTOBJ", "NRS_FIXEDSLIT", "NRS_IFU", "NRS_MSASPEC"),
}
"""Exposure types of the stage 2 pipeline for spectra."""

WFSS: Final = frozenset({"MIR_WFSS", "NIS_WFSS", "NRC_WFSS"})
"""Spectra of whole fields, which need a catalogue of its sources from a direct image."""

IMAGE3: Final = frozenset({"FGS_IMAGE", "MIR_IMAGE", "NIS_IMAGE", "NRC_IMAGE", "NRS_MIMF"})
"""Exposure types of which stage 3 makes mosaics."""

SPEC3: Final = frozenset(
    {
        *("MIR_LRS-FIXEDSLIT", "MIR_MRS", "MIR_WFSS"),
        *("NIS_SOSS", "NIS_WFSS", "NRC_WFSS"),
        *("NRS_AUTOFLAT", "NRS_AUTOWAVE", "NRS_FIXEDSLIT", "NRS_IFU", "NRS_MSASPEC"),
    }
)
"""Exposure types of which stage 3 makes spectra, where they are no time series."""

_CORONAGRAPHY: Final = frozenset({"MIR_4QPM", "MIR_LYOT", "NRC_CORON"})
_INTERFEROMETRY: Final = frozenset({"NIS_AMI"})
REFERENCE_STARS: Final = _CORONAGRAPHY | _INTERFEROMETRY
"""Exposure types whose reference stars are members of their own."""

_ALWAYS_SERIES: Final = frozenset({"NRC_TSGRISM", "NRC_TSIMAGE", "NRS_BRIGHTOBJ"})
_MAY_BE_SERIES: Final = frozenset({"MIR_IMAGE", "MIR_LRS-SLITLESS", "NIS_SOSS"})

BY_ASSOCIATION: Final = {
    "image2": "Image2Pipeline",
    "tso-image2": "Image2Pipeline",
    "wfs-image2": "Image2Pipeline",
    "spec2": "Spec2Pipeline",
    "tso-spec2": "Spec2Pipeline",
    "nrslamp-spec2": "Spec2Pipeline",
    "image3": "Image3Pipeline",
    "spec3": "Spec3Pipeline",
    "tso3": "Tso3Pipeline",
    "coron3": "Coron3Pipeline",
    "ami3": "Ami3Pipeline",
    "wfs-image3": "WfsCombineStep",
}
"""Pipelines by the type that an official association names."""

LATER_PIPELINES: Final = tuple(sorted(set(BY_ASSOCIATION.values())))
"""The official pipelines of stages 2 and 3."""

_TYPE: Final = {name: kind for kind, name in reversed(BY_ASSOCIATION.items())}


def association_type(pipeline: str) -> str:
    """Give the type that an official association for a pipeline has.

    Parameters
    ----------
    pipeline
        One of `LATER_PIPELINES`.
    """
    return _TYPE[pipeline]


def stage_of_association(kind: str) -> int | None:
    """Tell the stage that a type of association is for; None for a type that is no official one.

    Parameters
    ----------
    kind
        What an association names as ``asn_type``.
    """
    if kind not in BY_ASSOCIATION:
        return None
    return 2 if kind.endswith("2") else 3


def takes(pipeline: str, facts: Facts) -> bool:
    """Tell whether an official pipeline can take an exposure, chosen for it or not.

    Who writes an association may well make a mosaic of acquisition images, but not of spectra.

    Parameters
    ----------
    pipeline
        One of `LATER_PIPELINES`.
    facts
        What the exposure says of itself.
    """
    kind = facts.exp_type
    if pipeline == "Coron3Pipeline":
        return kind in _CORONAGRAPHY
    if pipeline == "Ami3Pipeline":
        return kind in _INTERFEROMETRY
    if pipeline == "Tso3Pipeline":
        return kind in _ALWAYS_SERIES | _MAY_BE_SERIES
    images = kind in IMAGE2 or (kind in _LAMPS and facts.grating == "MIRROR")
    if pipeline in {"Image2Pipeline", "Image3Pipeline", "WfsCombineStep"}:
        return images
    return kind in SPEC2 and not images


def later_pipeline(stage: int, facts: Facts) -> str:
    """Choose the official pipeline of stage 2 or 3 for an exposure.

    Parameters
    ----------
    stage
        2 or 3.
    facts
        What the exposure says of itself.

    Returns
    -------
    str
        One of `LATER_PIPELINES`.

    Raises
    ------
    InputError
        If the mission has none for its type.
    """
    name = _stage2(facts) if stage == 2 else _stage3(facts)
    if name is not None:
        return name
    kind = facts.exp_type or "undefined"
    if stage == 3 and kind in _ALWAYS_SERIES:
        raise InputError(
            facts.label,
            f"it is of the type {kind} with a single integration, which makes no time series",
            "stage 2 is the last for it",
        )
    last = "stage 2 is the last for it" if _stage2(facts) else "stage 1 is the last for it"
    raise InputError(
        facts.label,
        f"exposures of the type {kind} have no official pipeline of stage {stage}",
        last if stage == 3 else f"{last}; see docs/guides/pipeline.md for the types that have one",
    )


def _stage2(facts: Facts) -> str | None:
    if facts.exp_type in IMAGE2 or (facts.exp_type in _LAMPS and facts.grating == "MIRROR"):
        return "Image2Pipeline"
    return "Spec2Pipeline" if facts.exp_type in SPEC2 else None


def _stage3(facts: Facts) -> str | None:
    kind = facts.exp_type
    series = facts.exp_type in _ALWAYS_SERIES | _MAY_BE_SERIES and is_series(facts)
    if series:
        return "Tso3Pipeline"
    if kind in _CORONAGRAPHY:
        return "Coron3Pipeline"
    if kind in _INTERFEROMETRY:
        return "Ami3Pipeline"
    if kind in IMAGE3:
        return "WfsCombineStep" if facts.pattern == "WFSC" else "Image3Pipeline"
    return "Spec3Pipeline" if kind in SPEC3 else None


def is_series(facts: Facts) -> bool:
    """Tell whether an exposure is part of a time series, as the official packages do.

    Parameters
    ----------
    facts
        What it says of itself.
    """
    if facts.nints is not None and facts.nints < 2:
        return False
    return facts.tso_visit or facts.exp_type in _ALWAYS_SERIES
