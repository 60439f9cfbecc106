"""Stage 1 by the engine `upramp`: own fused kernels, and the official steps for what is not fused.

Configuration, references and metadata are the official pipeline's; none of it
is imported unless one of its steps has to do what no kernel here does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import CalibrationError, UprampError, UsageError

from . import provenance
from .outcome import Outcome, note_step, translated
from .product_values import has_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from upramp.detector1.kept import KeptRamp
    from upramp.detector1.pipeline import Mask
    from upramp.detector1.ramp_fit import RampFit
    from upramp.detector1.state import State
    from upramp.detector1.trace import Trace
    from upramp.progress import Progress

    from .fused_persistence import Persistence
    from .parameters import Parameters

__all__ = ["FusedRun", "unfit"]

_MOVES_FILES: Final = ("save_results", "output_file", "pre_hooks", "post_hooks")
_STATUS: Final = {"dark_current": "dark_sub"}
_ASKS: Final = {
    "dq_init": ("mask",),
    "saturation": ("saturation", "superbias"),
    "ipc": ("ipc",),
    "superbias": ("superbias",),
    "linearity": ("linearity",),
    "dark_current": ("dark",),
    "reset": ("reset",),
    "rscd": ("rscd",),
    "jump": ("gain", "readnoise"),
    "ramp_fit": ("readnoise", "gain"),
}
"""References that a step asks for when it runs, and that products therefore name."""


def unfit(exposure: Any, parameters: Parameters | None = None) -> str | None:
    """Say why an exposure must go through the official pipeline as a whole.

    Parameters
    ----------
    exposure
        The exposure.
    parameters
        What it is calibrated with, once that is known.

    Returns
    -------
    str or None
        The reason; None if its steps may be fused.
    """
    from .official_specs import pipeline_name

    name = pipeline_name(str(exposure.exp_type))
    if name != "Detector1Pipeline":
        return f"{name} is not among what is fused"
    if exposure.header.get("MSTR_RD1") or exposure.header.get("SSTR_NST"):
        return "frames read in stripes are not among what is fused"
    from .fused_input import irs2_refused

    if reason := irs2_refused(exposure):
        return reason
    return None if parameters is None else _unfit_parameter(exposure, parameters)


def _unfit_parameter(exposure: Any, parameters: Parameters) -> str | None:
    steps = parameters.steps
    if "IRS2" in (exposure.readpatt or ""):
        own = steps["refpix"]
        if own["skip"] or own["preserve_irs2_refpix"]:
            return "reference pixels that stay between the others are not among what is fused"
    for step, values in steps.items():
        for parameter in _MOVES_FILES:
            if values.get(parameter) and not values["skip"]:
                return f"{step}.{parameter} is served by the official step"
    if steps["dark_current"]["dark_output"]:
        return "dark_current.dark_output is served by the official step"
    for kind in ("gain", "readnoise"):
        if parameters.override("jump", kind) != parameters.override("ramp_fit", kind):
            return f"another {kind} for jump than for ramp_fit is not among what is fused"
    fit = steps["ramp_fit"]
    if fit["save_opt"] and not fit["skip"] and fit["output_ext"] != ".fits":
        return "ramp_fit.output_ext is served by the official step"
    return None


def _ask_for_read_times(model: Any) -> None:
    """Leave in the metadata what the official steps leave that ask: an empty list."""
    _ = model.meta.exposure.read_times


@dataclass
class FusedRun:
    """One exposure through the fused engine.

    Parameters
    ----------
    exposure
        The `upramp.Exposure`, fit for the stage.
    overrides
        Values by ``step.parameter``.
    folder
        Where products are written: a staging folder.
    save
        Whether to write products at all.
    save_ramp
        Whether the corrected ramp is one of them.
    progress
        What is told of the work.
    log_file
        Where the log goes.
    root
        What the names of products begin with.
    parameters
        What the exposure is calibrated with.
    threads
        How many tiles are done at once.
    mask
        A user's flags, and what the provenance says of them.
    """

    exposure: Any
    overrides: Mapping[str, Any]
    folder: Path
    save: bool
    save_ramp: bool
    progress: Progress
    log_file: Path
    root: str
    model: Any
    parameters: Parameters
    threads: int
    mask: tuple[Mask, dict[str, Any]] | None = None
    _step: str = "configuration"
    _log: list[str] = field(default_factory=list)
    _delegated: dict[str, str] = field(default_factory=dict)
    _outcome: Outcome = field(default_factory=Outcome)
    _names: dict[str, dict[str, str]] = field(default_factory=dict)
    _context: str = ""
    _scale_factor: float | None = None
    _asked_late: dict[str, str] = field(default_factory=dict)
    _record: dict[str, Any] = field(default_factory=dict)

    def run(self) -> Outcome:
        """Calibrate.

        Raises
        ------
        ReferenceFileError
            If a reference is missing or damaged.
        CalibrationError
            If a step fails, or no product can be made.
        OutputError
            If there is no room for the products.
        """
        from upramp.atomic import write_text

        try:
            self._run()
        except UprampError as error:
            self._tell(f"failed: {error}")
            note_step(error, self._step)
            raise
        except (Exception, SystemExit) as error:
            self._tell(f"{self._step} failed: {error!r}")
            raise translated(
                error, self.exposure.path, self.folder.parent, self._step, self.log_file
            ) from error
        finally:
            self.progress.finish()
            write_text(self.log_file, "\n".join([*self._log, ""]))
        return self._outcome

    # ---- the work ---------------------------------------------------------

    def kept(self) -> KeptRamp:
        """Do the steps before the jump search, and keep the ramp in memory.

        Raises
        ------
        UsageError
            If a step between jump and fit is switched on.
        """
        from upramp.detector1.kept import KeptRamp
        from upramp.detector1.trace import Trace

        for step in ("picture_frame", "clean_flicker_noise", "persistence"):
            if not self.parameters.steps[step]["skip"]:
                raise UsageError(
                    step, "it comes between jump and fit, which are done again", "skip it"
                )
        trace = Trace()
        state, current = self._corrected(trace)
        try:
            return KeptRamp(state, current, trace)
        finally:
            self.progress.finish()

    def _corrected(self, trace: Trace | None = None) -> tuple[State, NDArray[np.float32] | None]:
        """Do the steps before the jump search; most of them wait to be done with it."""
        from upramp.detector1 import kernels
        from upramp.detector1.pipeline import BETWEEN, correct

        from .fused_input import dark_current_of

        state = self._prepared(for_refits=trace is not None)
        if not all(self.parameters.steps[step]["skip"] for step in BETWEEN):
            import upramp.detector1.between
        if state.readout.is_miri and not self.parameters.steps["emicorr"]["skip"]:
            import upramp.detector1.emicorr
        if state.readout.is_irs2:
            import upramp.detector1.near_infrared_irs2  # noqa: F401 - kernels are to be ready
        compiled = kernels.prepare(self.progress)
        if compiled:
            self._tell(f"compiled {compiled} kernels, once for this installation")
        whole = self.parameters.steps["jump"]
        passes = 1.0 + bool(whole["expand_large_events"] or whole["find_showers"])
        passes += 2.0 * (state.readout.is_miri or state.readout.is_irs2)
        self.progress.start(passes, "references")
        tell = self._name_step if trace is None else trace.watch(state, self._name_step)
        current = correct(state, self._delegate, tell)
        if trace is not None:
            tell("")
        return state, dark_current_of(self.exposure) if current is None else current

    def _run(self) -> None:
        from upramp.detector1.pipeline import finish

        lasting = self._persistence()
        state, current = self._corrected()
        kept: list[tuple[NDArray[np.float32], NDArray[np.uint8]]] = []
        wants_ramp = self.save_ramp or bool(self.parameters.pipeline["save_calibrated_ramp"])
        wants_ramp |= bool(self.parameters.steps["ramp_fit"]["skip"])
        result = finish(
            state,
            current,
            self._delegate,
            self._name_step,
            mask=self.mask[0] if self.mask else None,
            keep_ramp=(lambda *arrays: kept.append(arrays)) if wants_ramp else None,
            persistence=lasting,
        )
        for note in state.notes:
            self._tell(note)
        skipped = sorted(name for name, status in state.status.items() if status == "SKIPPED")
        if skipped:
            self._tell(f"skipped: {', '.join(skipped)}")
        if result.events is not None:
            exposure = self.model.meta.exposure
            exposure.primary_cosmic_rays, exposure.extended_emission_events = result.events
        self._record_values(state)
        if lasting is not None:
            # Even if no product can be made: the next exposure is to know of this one.
            lasting.save(self.model.meta.filename)
            self._record["persistence"] = lasting.record
        self._name_step("products")
        self._write(state, current, result, kept[0] if kept else None)

    def _persistence(self) -> Persistence | None:
        from .fused_persistence import Persistence

        parameters = self.parameters.steps["persistence"]
        if parameters["skip"]:
            return None
        detector = str(self.model.meta.instrument.detector)
        return Persistence(parameters, detector, Path(self.exposure.path))

    def _prepared(self, *, for_refits: bool = False) -> State:
        from upramp.detector1.state import State
        from upramp.detector1.tiles import Frame

        from .fused_input import (
            flag_source,
            pixel_flags,
            ramp_source,
            readout_of,
            zero_frame_of,
        )
        from .fused_references import load_references, scale_factor

        readout = readout_of(self.model)
        chosen = self._chosen_references()
        shape = self.exposure.shape
        references = load_references(chosen, readout, shape, _read_flags, _read_sky)
        self._scale_factor = scale_factor(chosen)
        steps = self.parameters.steps
        # Only what is written, or stands in for ramps without a good group, is worth correcting;
        # a ramp that is kept does not know how it will be fitted.
        zero = None
        likely = str(steps["ramp_fit"]["algorithm"]).upper() == "LIKELY"
        lone = not steps["ramp_fit"]["suppress_one_group"] or shape[1] == 1
        wanted = self.save_ramp or self.parameters.pipeline["save_calibrated_ramp"]
        if for_refits or wanted or likely or lone or steps["ramp_fit"]["skip"]:
            zero = zero_frame_of(self.exposure)
        return State(
            readout=readout,
            references=references,
            parameters=steps,
            frame=Frame(*shape),
            ramp=ramp_source(self.exposure),
            flags=flag_source(self.exposure),
            pixeldq=pixel_flags(self.exposure),
            zeroframe=zero,
            threads=self.threads,
            done=self.progress.advance,
        )

    def _chosen_references(self) -> Any:
        from upramp.references import Subarray
        from upramp.references.bestrefs import resolve

        from .fused_input import corrected_shape
        from .fused_references import Chosen
        from .official_references import (
            named,
            require_overrides_whole,
            require_whole,
            window_of,
        )

        parameters = self.parameters
        found = resolve(
            self.model.get_crds_parameters(), str(self.exposure.path), parameters.crds_reftypes
        )
        window = window_of(self.exposure)
        require_whole(found, window)
        given = parameters.overrides
        require_overrides_whole(given, window)
        self._context = found.context
        files: dict[str, dict[str, Path]] = {}
        resolved = found.files()
        for step in parameters.steps:
            for kind in parameters.wanted_by(step):
                override = parameters.override(step, kind)
                if override is None:
                    path = resolved.get(kind)
                    name = "N/A" if path is None else f"crds://{Path(path).name}"
                elif not isinstance(override, str):
                    raise UsageError(
                        f"{step}.override_{kind}", "it is no file's name", "give a path, or N/A"
                    )
                else:
                    path = None if override.strip() in {"", "N/A"} else Path(override)
                    name = override
                self._names.setdefault(step, {})[kind] = name
                if path is not None:
                    files.setdefault(step, {})[kind] = Path(path)
        subarray = self.exposure.subarray
        ny, nx = corrected_shape(self.exposure)[-2:]
        pars = parameters.references
        self._record = provenance.build(
            engine="upramp",
            pipeline=parameters.specification.class_name,
            stage=1,
            context=found.context,
            references={
                **({} if pars is None else pars.to_dict()),
                **found.to_dict(),
                **named(given),
            },
            parameters=self._parameters_as_used(),
            overrides=self.overrides,
            source=provenance.input_record(self.exposure),
        )
        return Chosen(
            files=files,
            window=Subarray(subarray.xstart or 1, subarray.ystart or 1, nx, ny),
            user_dq=parameters.steps["dq_init"].get("user_supplied_dq"),
            **self._flicker_files(),
        )

    def _parameters_as_used(self) -> dict[str, Any]:
        """Give all parameters, with what was asked for otherwise than by their names."""
        used = self.parameters.to_dict()
        # Where products were staged says nothing about how they were made.
        used.pop("output_dir", None)
        used["save_results"] = self.save
        used["save_calibrated_ramp"] = bool(used.get("save_calibrated_ramp")) or self.save_ramp
        return used

    def _flicker_files(self) -> dict[str, Any]:
        """Say which files clean_flicker_noise is to have, if it is done here."""
        own = self.parameters.steps["clean_flicker_noise"]
        if own["skip"]:
            return {}
        from upramp.detector1.flicker_parameters import chooses, refused, supported

        kind = str(self.exposure.exp_type)
        if refused(own, kind) or supported(own, kind):
            return {}
        mask = str(own["user_mask"])
        return {
            "flattens": own["apply_flat_field"] or chooses(own, kind),
            "user_sky": None if mask.lower() == "none" else mask,
        }

    def _delegate(self, name: str, state: State, reason: str) -> None:
        """Let the official step do to the arrays what no kernel here does."""
        from .fused_delegate import run_official_step

        self._step = name
        self._delegated[name] = reason
        self._tell(f"{name}: by the official step: {reason}")
        products = self.folder if self.save else None
        # What the step writes by itself is to say what was done before.
        self._record_values(state)
        self._finalize(self.model, state)
        log = run_official_step(name, state, self.model, self.parameters, self.overrides, products)
        self._log += log

    def _record_values(self, state: State) -> None:
        for place, value in state.recorded.items():
            self.model[f"meta.{place}"] = value

    def _name_step(self, name: str) -> None:
        self._step = name
        self.progress.advance(0, name)
        self._tell(name)

    def _tell(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        self._log.append(f"{stamp} upramp {text}")

    # ---- products ---------------------------------------------------------

    def _write(
        self,
        state: State,
        current: NDArray[np.float32] | None,
        result: Any,
        kept: tuple[NDArray[np.float32], NDArray[np.uint8]] | None,
    ) -> None:
        from . import fused_products

        ramp = self.model
        fit = self.parameters.steps["ramp_fit"]
        if fit["skip"]:
            self._scale(state)
        # What is made of the ramp before the fit does not speak of it.
        fitted = None if fit["skip"] else state.status.pop("ramp_fit", None)
        if "COMPLETE" in {state.status.get("linearity"), state.status.get("jump")}:
            _ask_for_read_times(ramp)
        self._finalize(ramp, state)
        if kept is not None:
            refout = "REFOUT" in self.exposure.arrays
            product = fused_products.ramp_model(
                ramp,
                *kept,
                state.pixeldq,
                zeroframe=state.zeroframe,
                refout=self.exposure.refout.astype(np.float32) if refout else None,
                dark_current=current,
            )
            self._store(product, "ramp", state)
        if fit["skip"]:
            if not has_value(self._outcome.models["ramp"]):
                raise self._empty()
            self._outcome.provenance = self._attach(self._outcome.models["ramp"], state)
            return
        if result.rates is None or result.fit is None:
            raise self._empty()
        if state.references.gain_factor is not None:
            ramp.meta.exposure.gain_factor = state.references.gain_factor
        _ask_for_read_times(ramp)
        self._store_optional(result.fit, state)
        if fitted is not None:
            state.status["ramp_fit"] = fitted
        rate, rateints = fused_products.rate_models(ramp, result.rates)
        self._scale(state, rate, rateints)
        if not has_value(rate):
            raise self._empty()
        self._store(rateints, "rateints", state)
        self._outcome.provenance = self._store(rate, "rate", state)

    def _store_optional(self, fit: RampFit, state: State) -> None:
        """Store what the fit knows beside the slopes, if it was asked for."""
        from .fused_products import chisq_model, optional_model

        how = self.parameters.steps["ramp_fit"]
        if fit.chisq is not None:
            self._store(chisq_model(self.model, fit.chisq), "likely_chisq", state, how)
        if fit.optional is not None:
            product = optional_model(self.model, fit.optional.results())
            self._store(product, "fitopt", state, how)

    def _scale(self, state: State, *rates: Any) -> None:
        """Do the step gain_scale; of what is no rate it says that it skipped it."""
        from .fused_products import scale_rates

        state.skip("gain_scale")
        if self.parameters.steps["gain_scale"]["skip"]:
            return
        factor = self.model.meta.exposure.gain_factor
        if factor is None:  # it looks into a gain of its own
            factor = self._scale_factor
            self._asked_late = self._names.get("gain_scale", {})
        for model in rates:
            state.status["gain_scale"] = scale_rates(model, factor)

    def _references_used(self, state: State) -> dict[str, str]:
        """Name what each step asked for, as far as it got."""
        from upramp.detector1.flicker_parameters import chooses

        used: dict[str, str] = {}
        if "picture_frame" in state.status:
            used |= self._names.get("picture_frame", {})
        own = self.parameters.steps["clean_flicker_noise"]
        asks = {
            "flat": own["apply_flat_field"] or chooses(own, str(self.exposure.exp_type)),
            "pastasoss": self.exposure.exp_type == "NIS_SOSS",
        }
        names = self._names.get("clean_flicker_noise", {})
        if "clean_flicker_noise" in state.status:
            used |= {kind: name for kind, name in names.items() if asks[kind]}
        for step, kinds in {**_ASKS, "refpix": self._asked_by_refpix(state)}.items():
            ran = state.status.get(_STATUS.get(step, step))
            names = self._names.get(step, {})
            asked = ran is not None and any(names.get(kind) == "N/A" for kind in kinds)
            if ran != "COMPLETE" and not asked:
                continue
            used |= {kind: names[kind] for kind in kinds if kind in names}
        for step in state.asked:
            used |= self._names.get(step, {})
        return used | self._asked_late

    def _asked_by_refpix(self, state: State) -> tuple[str, ...]:
        readout, how = state.readout, self.parameters.steps["refpix"]
        if readout.is_irs2:
            return ("refpix",)
        sirs = how["refpix_algorithm"] == "sirs" and "FULL" in readout.subarray
        return ("sirskernel",) if sirs and not (readout.is_miri or how["skip"]) else ()

    def _finalize(self, model: Any, state: State) -> None:
        from . import fused_products

        fused_products.finalize(
            model,
            status=state.status,
            references=self._references_used(state),
            context=self._context,
            log=self._log,
        )

    def _attach(self, model: Any, state: State) -> dict[str, Any]:
        delegated = dict(self._delegated)
        done = [name for name, what in state.status.items() if what == "COMPLETE"]
        record = {
            **self._record,
            "fused": [name for name in done if name not in delegated],
            "delegated": delegated,
        }
        if self.mask is not None:
            record["mask"] = self.mask[1]
        skipped = [name for name, values in self.parameters.steps.items() if values["skip"]]
        return provenance.attach(model, record, skipped)

    def _store(
        self, model: Any, suffix: str, state: State, fit: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Finish a product; the parameters of the fit may call it otherwise."""
        from .fused_products import optional_name

        self._finalize(model, state)
        attached = self._attach(model, state)
        name = f"{self.root}_{suffix}.fits"
        if fit is not None:
            name = optional_name(fit, suffix) or name
        model.meta.filename = name
        self._outcome.models[suffix] = model
        if self.save:
            self._step = f"writing {name}"
            model.save(str(self.folder / name))
            self._step = "products"
        return attached

    def _empty(self) -> CalibrationError:
        return CalibrationError(
            self.exposure.path,
            "no pixel that sees light has a value after calibration, as where every pixel is "
            "saturated, or its counts are zero or not a number",
            f"look at the exposure's groups; the log is in {self.log_file}",
        )


def _read_flags(path: str) -> NDArray[Any]:
    from upramp.exposure import open_exposure

    with open_exposure(path) as file:
        name = next((n for n in ("DQ", "SCI", "PRIMARY", "0") if n in file.arrays), None)
        if name is None:
            raise UsageError(path, "it holds no image", "give a FITS image of flags")
        return np.array(file[name])


def _read_sky(path: str) -> NDArray[np.bool_]:
    from upramp.exposure import open_exposure

    with open_exposure(path) as file:
        if "SCI" not in file.arrays:
            raise UsageError(path, "it has no extension SCI", "give a mask as a FITS image SCI")
        return np.ascontiguousarray(np.asarray(file["SCI"], np.float32) != 0)
