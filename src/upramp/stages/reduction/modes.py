"""Which exposures each notebook of a mode is for, and which notebooks an exposure is for."""

from __future__ import annotations

from typing import Final

from upramp.stages.pipelines import WFSS

from .choices import PIPELINES

__all__ = ["MODES", "notebooks_for"]

MODES: Final = {
    "mode/miri-coronagraphy": frozenset({"MIR_4QPM", "MIR_LYOT"}),
    "mode/miri-imaging": frozenset({"MIR_IMAGE"}),
    "mode/miri-lrs-slit": frozenset({"MIR_LRS-FIXEDSLIT"}),
    "mode/miri-lrs-slitless": frozenset({"MIR_LRS-SLITLESS"}),
    "mode/nircam-coronagraphy": frozenset({"NRC_CORON"}),
    "mode/nircam-imaging": frozenset({"NRC_IMAGE"}),
    "mode/nircam-tso-imaging": frozenset({"NRC_TSIMAGE"}),
    "mode/nircam-wfss": frozenset({"NRC_IMAGE", "NRC_WFSS"}),
    "mode/niriss-ami": frozenset({"NIS_AMI"}),
    "mode/niriss-imaging": frozenset({"NIS_IMAGE"}),
}
"""Types of exposures by the notebook of a whole reduction."""


def notebooks_for(exp_type: str, pipeline: str) -> list[str]:
    """Name the notebooks that take an exposure: of its mode, else of its pipeline.

    Parameters
    ----------
    exp_type
        Its type: ``NRC_IMAGE``.
    pipeline
        The pipeline that it goes through, a name of `PIPELINES`.
    """
    of_mode = [
        name
        for name, types in MODES.items()
        if exp_type in types and (exp_type in WFSS) == bool(types & WFSS)
    ]
    return of_mode or ([f"stage/{pipeline}"] if pipeline in PIPELINES else [])
