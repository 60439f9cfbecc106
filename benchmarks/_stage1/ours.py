"""The engine on arrays, with references in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Ours"]


class Ours:
    """The engine's stage 1 of one exposure, from arrays to arrays.

    Parameters
    ----------
    file
        The exposure.
    overrides
        Values by ``step.parameter``.
    threads
        How many threads it may use.
    """

    def __init__(self, file: Path, overrides: Mapping[str, Any], threads: int) -> None:
        from upramp.exposure import open_exposure
        from upramp.exposure.datamodel import to_metadata_model
        from upramp.stages.fused_input import readout_of
        from upramp.stages.official_specs import specification
        from upramp.stages.parameters import resolve_parameters

        self.file, self.overrides, self.threads = file, overrides, threads
        with open_exposure(file) as exposure:
            model = to_metadata_model(exposure, "RampModel")
            self.parameters = resolve_parameters(
                specification("Detector1Pipeline"), model, overrides
            )
            self.readout = readout_of(model)
            self.data = np.array(exposure.data)
        self.prepare()

    def resize(self, data: np.ndarray[Any, Any]) -> None:
        """Put other ramps in place of the exposure's."""
        self.data = data
        nints, ngroups = data.shape[:2]
        self.readout = replace(
            self.readout,
            nints=nints,
            ngroups=ngroups,
            integration_start=1,
            integration_end=nints,
        )
        self.prepare()

    def prepare(self) -> None:
        """Load the references for these ramps: not measured."""
        from upramp.references import Subarray, best_references
        from upramp.stages.fused_references import Chosen, load_references

        kinds = sorted(self.parameters.crds_reftypes)
        from upramp.exposure import open_exposure
        from upramp.exposure.datamodel import to_metadata_model

        with open_exposure(self.file) as exposure:
            model = to_metadata_model(exposure, "RampModel")
        found = best_references(model, kinds).files()
        files = {
            step: {k: Path(found[k]) for k in self.parameters.wanted_by(step) if k in found}
            for step in self.parameters.steps
        }
        ny, nx = self.data.shape[-2:]
        window = Subarray(self.readout.xstart, self.readout.ystart, nx, ny)
        self.references = load_references(
            Chosen(files=files, window=window), self.readout, self.data.shape, _no_file, _no_file
        )

    def state(self) -> Any:
        """Make the exposure anew."""
        from upramp.detector1.state import State
        from upramp.detector1.tiles import Frame, array_source

        return State(
            readout=self.readout,
            references=self.references,
            parameters=self.parameters.steps,
            frame=Frame(*self.data.shape),
            ramp=array_source(self.data),
            flags=None,
            pixeldq=np.zeros(self.data.shape[-2:], np.uint32),
            threads=self.threads,
        )

    def run(self) -> tuple[Any, Any]:
        """Do it all; give slopes and their errors."""
        from upramp.detector1.pipeline import correct, finish

        state = self.state()
        current = correct(state, _no_delegate, _silent)
        outcome = finish(state, current, _no_delegate, _silent)
        if outcome.rates is None:
            raise SystemExit("nothing was fitted")
        return outcome.rates.rate[0], outcome.rates.rate[1]

    def kept(self) -> Any:
        """Correct the ramp and keep it."""
        from upramp.detector1.kept import KeptRamp
        from upramp.detector1.pipeline import correct

        state = self.state()
        return KeptRamp(state, correct(state, _no_delegate, _silent))


def _no_file(path: str) -> Any:
    raise SystemExit(f"no file {path} is asked for here")


def _no_delegate(name: str, *_: Any) -> None:
    raise SystemExit(f"{name} is not fused")


def _silent(_name: str) -> None:
    pass
