"""Calibrating a part again: a corrected ramp in memory, for whoever moves a threshold.

Everything before the jump search is done once. Then jump and ramp_fit are done
again with other parameters, on the whole detector or on a window, in
milliseconds, with the numbers that a whole run would give.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from upramp.detector1.kept import KeptRamp, Refit
    from upramp.detector1.trace import Correction
    from upramp.exposure import Exposure
    from upramp.progress import Progress

    from .parameters import Parameters

__all__ = ["Kept", "keep"]

_STEPS: Final = frozenset({"jump", "ramp_fit"})
_FILES: Final = frozenset({"int_name", "save_opt", "opt_name"})
"""Parameters of ramp_fit that decide about files, of which a refit makes none."""


@dataclass
class Kept:
    """A corrected ramp, ready for jump and ramp_fit. Made by `keep`.

    Parameters
    ----------
    ramp
        The arrays.
    parameters
        What the exposure is calibrated with, if nothing is changed.
    shape
        (nints, ngroups, ny, nx).
    threads
        How many threads are used.
    """

    ramp: KeptRamp
    parameters: Parameters
    shape: tuple[int, ...]
    threads: int

    def corrections(self, x: int, y: int) -> list[Correction]:
        """Give a pixel's ramp as it was read, after each correction, and as jumps are searched in.

        Parameters
        ----------
        x, y
            Column and row, from 0.

        Returns
        -------
        list of upramp.detector1.trace.Correction
            The first is ``raw``. Steps that looked at the whole exposure at once cannot be told
            apart afterwards: they are one entry, the last, with all their names.

        Raises
        ------
        UsageError
            If there is no such pixel.
        InputError
            If the exposure's file is closed by now, as it is when `keep` was given its path.
        """
        try:
            return self.ramp.corrections(x, y)
        except ValueError as error:
            raise UsageError("pixel", str(error), "give one of the detector") from error

    def significance(self) -> NDArray[np.float32]:
        """Give each pixel's largest deviation of a difference from their median, in sigma.

        Returns
        -------
        ndarray
            (nints, ny, nx) float32. Where it is above ``jump.rejection_threshold``, a search
            with that threshold finds something in its first round.
        """
        return self.ramp.significance(self.parameters.steps["jump"], self.threads)

    def refit(
        self,
        overrides: Mapping[str, Any] | None = None,
        window: tuple[slice, slice] | None = None,
        *,
        mask: str | os.PathLike[str] | None = None,
    ) -> Refit:
        """Search for jumps and fit again.

        Parameters
        ----------
        overrides
            Values by ``jump.parameter`` and ``ramp_fit.parameter``, on top of
            those that the ramp was kept with.
        window
            Rows and columns of the detector, such as
            ``(slice(0, 256), slice(512, 768))``; None for all of it.
        mask
            A FITS image of group flags, as for `upramp.calibrate`.

        Returns
        -------
        upramp.detector1.kept.Refit
            Slopes, errors and flags of the window: bit for bit those of a whole run.

        Raises
        ------
        UsageError
            If a parameter is of another step, or does not take its value, or
            the window is not on the detector.
        """
        steps = self._with(overrides or {})
        flags = None
        if mask is not None:
            from .masks import load_mask

            flags, _ = load_mask(mask, self.shape)
        try:
            return self.ramp.refit(steps, window, mask=flags, threads=self.threads)
        except ValueError as error:
            raise UsageError(
                "window", str(error), "give two slices, as (slice(0, 256), slice(512, 768))"
            ) from error

    def _with(self, overrides: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
        from .declarations import converted
        from .overrides import GENERAL, suggest

        if not overrides:
            return self.parameters.steps
        changed: dict[str, dict[str, Any]] = {
            name: dict(self.parameters.steps[name]) for name in _STEPS
        }
        for name, value in overrides.items():
            step, _, parameter = name.partition(".")
            if step not in _STEPS:
                raise UsageError(
                    name, "this is decided when a ramp is kept", "keep it again with this value"
                )
            declared = self.parameters.specification.steps[step].parameters
            if parameter not in changed[step] or parameter not in declared:
                raise UsageError(
                    name,
                    f"step {step!r} has no parameter {parameter!r}",
                    suggest(parameter, [key for key in declared if key in changed[step]]),
                )
            if parameter in GENERAL | _FILES or name == "ramp_fit.skip":
                raise UsageError(
                    name,
                    "a refit gives slopes and flags, and no files",
                    "calibrate with it instead",
                )
            if parameter.startswith("override_"):
                raise UsageError(
                    name,
                    "references are chosen when a ramp is kept",
                    "keep it again with this one",
                )
            values, refusals = converted({parameter: value}, {parameter: declared[parameter]})
            if refusals:
                raise UsageError(
                    name, f"it cannot be {value!r}", f"it is declared as {declared[parameter]}"
                )
            changed[step][parameter] = values[parameter]
        return {**self.parameters.steps, **changed}


def keep(
    exposure: Exposure | str | os.PathLike[str],
    *,
    overrides: Mapping[str, Any] | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Kept:
    """Do all of stage 1 before the jump search, and keep the ramp in memory.

    Parameters
    ----------
    exposure
        An exposure, or the path of its file.
    overrides
        Values by ``step.parameter``.
    threads
        How many threads to use; None for ``UPRAMP_THREADS``, or one for each
        processor that this process may use.
    progress
        What is told how far the work is.

    Returns
    -------
    Kept
        Give it other parameters with `Kept.refit`.

    Raises
    ------
    UsageError
        If the exposure is one that the engine ``upramp`` leaves to the official pipeline, or
        ``threads`` is not 1 or more.
    InputError
        If the exposure cannot be read or calibrated.
    ReferenceFileError
        If a reference is missing or damaged.
    """
    from upramp.exposure import open_exposure
    from upramp.exposure.datamodel import has_plain_metadata, to_metadata_model
    from upramp.exposure.light_asdf import light_asdf
    from upramp.progress import Silent

    from .calibration import default_threads, require_served
    from .fused import FusedRun, unfit
    from .fused_input import corrected_shape
    from .official_specs import specification
    from .parameters import resolve_parameters

    overrides = dict(overrides or {})
    require_served(1, "upramp", threads=threads)
    with (
        open_exposure(exposure)
        if isinstance(exposure, (str, os.PathLike))
        else nullcontext(exposure) as opened
    ):
        opened.require_calibratable(1)
        _require_fit(unfit(opened))
        with light_asdf(possible=has_plain_metadata(opened)):
            model = to_metadata_model(opened, "RampModel")
            parameters = resolve_parameters(specification("Detector1Pipeline"), model, overrides)
            _require_fit(unfit(opened, parameters))
            run = FusedRun(
                exposure=opened,
                overrides=overrides,
                folder=Path(),
                save=False,
                save_ramp=False,
                progress=progress or Silent(),
                log_file=Path(os.devnull),
                root="",
                model=model,
                parameters=parameters,
                threads=threads or default_threads(),
            )
            ramp = run.kept()
        return Kept(ramp, parameters, corrected_shape(opened), run.threads)


def _require_fit(reason: str | None) -> None:
    if reason is not None:
        raise UsageError("keep", reason, "calibrate it as a whole")
