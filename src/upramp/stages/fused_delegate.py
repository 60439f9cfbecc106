"""Official steps on the fused engine's arrays."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from upramp.errors import CalibrationError

from .overrides import to_pipeline_keywords

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upramp.detector1.state import State

    from .parameters import Parameters

__all__ = ["run_official_step"]


def run_official_step(
    name: str,
    state: State,
    model: Any,
    parameters: Parameters,
    overrides: Mapping[str, Any],
    products: Path | None = None,
) -> list[str]:
    """Let an official step change the exposure as it would in its pipeline.

    Parameters
    ----------
    name
        The step.
    state
        The exposure; what waits in its chain is done first.
    model
        Its metadata, as a ``RampModel``; gets the step's status.
    parameters
        What it is calibrated with.
    overrides
        The user's values by ``step.parameter``.
    products
        Where files go that the step was asked to write; None drops them.

    Returns
    -------
    list of str
        The step's log.

    Raises
    ------
    CalibrationError
        If the step gives no ramp.
    """
    from .official import official_lock, pipeline_for
    from .official_log import official_log

    pipeline = pipeline_for(state.readout.exp_type)
    keywords = to_pipeline_keywords(parameters.specification, overrides)
    data, groupdq = state.settle()
    empty = model.data, model.groupdq, model.pixeldq
    model.data, model.groupdq, model.pixeldq = data, groupdq, state.pixeldq
    if state.zeroframe is not None:
        model.zeroframe = state.zeroframe
    with tempfile.TemporaryDirectory(prefix="upramp-") as folder:
        file = Path(folder) / "step.log"
        with official_lock, official_log(pipeline, file):
            config, _ = pipeline.build_config(model, **keywords)
            config.pop("class", None)
            instance = pipeline.from_config_section(config, name=config.get("name"))
            instance.output_dir = folder
            result = getattr(instance, name).run(model)
        lines = file.read_text("utf-8", "replace").splitlines()
        if products is not None:
            for written in (*Path(folder).glob("*.fits"), *Path(folder).glob("*.asdf")):
                shutil.move(written, products / written.name)
    if result is None or not hasattr(result, "groupdq"):
        raise CalibrationError(
            model.meta.filename, f"the official step {name} gave no ramp", "see the log"
        )
    alias = parameters.specification.steps[name].class_alias or name
    state.status[alias] = getattr(result.meta.cal_step, alias, None) or "COMPLETE"
    state.replace(
        np.ascontiguousarray(result.data, np.float32),
        np.ascontiguousarray(result.groupdq, np.uint8),
        np.ascontiguousarray(result.pixeldq, np.uint32),
    )
    model.data, model.groupdq, model.pixeldq = empty
    return lines
