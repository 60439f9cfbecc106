"""The official pipeline's functions on arrays, with references in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Official"]


class Official:
    """The official stage 1 of one near-infrared exposure, from arrays to arrays.

    Parameters
    ----------
    file
        The exposure.
    overrides
        Values by ``step.parameter``.
    """

    def __init__(self, file: Path, overrides: Mapping[str, Any]) -> None:
        from jwst.pipeline import Detector1Pipeline
        from stdatamodels.jwst import datamodels

        from upramp.references import best_references
        from upramp.stages.official_specs import specification
        from upramp.stages.overrides import to_pipeline_keywords

        self.model = datamodels.RampModel(str(file))
        keywords = to_pipeline_keywords(specification("Detector1Pipeline"), overrides)
        config, _ = Detector1Pipeline.build_config(self.model, **keywords)
        config.pop("class", None)
        self.pipeline = Detector1Pipeline.from_config_section(config, name="bench")
        kinds = ["mask", "saturation", "superbias", "linearity", "dark", "gain", "readnoise"]
        files = best_references(self.model, kinds).files()
        classes = {
            "mask": datamodels.MaskModel,
            "saturation": datamodels.SaturationModel,
            "superbias": datamodels.SuperBiasModel,
            "linearity": datamodels.LinearityModel,
            "dark": datamodels.DarkModel,
            "gain": datamodels.GainModel,
            "readnoise": datamodels.ReadnoiseModel,
        }
        self.references = {kind: classes[kind](str(files[kind])) for kind in kinds}
        self.noise = np.array(self.references["readnoise"].data)
        self.gain = np.array(self.references["gain"].data)

    def resize(self, data: np.ndarray[Any, Any]) -> None:
        """Put other ramps in place of the exposure's."""
        self.model.data = data.astype(np.float32)
        self.model.groupdq = np.zeros(data.shape, np.uint8)
        self.model.meta.exposure.nints, self.model.meta.exposure.ngroups = data.shape[:2]
        self.model.meta.exposure.integration_start = 1
        self.model.meta.exposure.integration_end = data.shape[0]

    def correct(self) -> Any:
        """Do the steps before the jump search, on a copy made beforehand."""
        from jwst.dq_init import dq_initialization
        from jwst.linearity import linearity
        from jwst.refpix import reference_pixels
        from jwst.saturation import saturation
        from jwst.superbias import bias_sub
        from stcal.dark_current import dark_sub

        model, refs, steps = self._work, self.references, self.pipeline
        model = dq_initialization.do_dqinit(model, refs["mask"])
        model = saturation.flag_saturation(
            model,
            refs["saturation"],
            steps.saturation.n_pix_grow_sat,
            steps.saturation.use_readpatt,
            bias_model=refs["superbias"],
        )
        model = bias_sub.do_correction(model, refs["superbias"])
        step = steps.refpix
        reference_pixels.correct_model(
            model,
            step.odd_even_columns,
            step.use_side_ref_pixels,
            step.side_smoothing_length,
            step.side_gain,
            step.odd_even_rows,
            {
                "refpix_algorithm": step.refpix_algorithm,
                "sirs_kernel_model": None,
                "sigreject": step.sigreject,
                "gaussmooth": step.gaussmooth,
                "halfwidth": step.halfwidth,
            },
            step.siglimit,
        )
        model = linearity.do_correction(model, refs["linearity"])
        steps.dark_current.set_average_dark_current(model, refs["dark"])
        out, _ = dark_sub.do_correction(model, refs["dark"], None)
        model.data, model.groupdq, model.pixeldq = out.data, out.groupdq, out.pixeldq
        return model

    def prepare(self) -> None:
        """Copy the input, which the steps change: not measured."""
        self._work = self.model.copy()

    def fit(self, model: Any) -> Any:
        """Search for jumps and fit."""
        from stcal.jump.jump import detect_jumps_data
        from stcal.ramp_fitting import ramp_fit
        from stdatamodels.jwst.datamodels import dqflags

        jump = self.pipeline.jump
        data = self._jump_data(jump, model)
        model.groupdq, model.pixeldq, _, _ = detect_jumps_data(data)
        fit = self.pipeline.ramp_fit
        image, _, _ = ramp_fit.ramp_fit(
            model,
            fit.save_opt,
            self.noise.copy(),
            self.gain.copy(),
            fit.algorithm,
            "optimal",
            "1",
            dqflags.pixel,
            suppress_one_group=fit.suppress_one_group,
        )
        return image

    def _jump_data(self, jump: Any, model: Any) -> Any:
        """Configure the search as its step does, with references that are in memory."""
        jump.get_reference_file = lambda _model, kind: self.references[kind]
        return jump._setup_jump_data(model)  # noqa: SLF001 - what the step itself does

    def run(self) -> tuple[Any, Any]:
        """Do it all; give slopes and their errors."""
        return self.refit(self.correct())

    def refit(self, model: Any) -> tuple[Any, Any]:
        """Search for jumps and fit; give slopes and their errors."""
        image = self.fit(model)
        return image["slope"], image["err"]
