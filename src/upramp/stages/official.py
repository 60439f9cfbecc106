"""The official pipelines, in this process: configured as `Pipeline.call` does, watched, logged.

Nothing of what they compute is touched. Around them: references are checked
before the work starts, each step is told to the progress bar, products carry
their provenance, and whatever fails becomes one sentence.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import CalibrationError, UprampError
from upramp.spared_imports import spare_grammar

from . import provenance
from .collector import only_what_is_new
from .official_log import official_log
from .official_references import (
    named,
    override_files,
    parameter_types,
    require_overrides_whole,
    require_whole,
    window_of,
)
from .official_specs import pipeline_name, specification
from .outcome import Outcome, note_step, translated
from .overrides import to_pipeline_keywords
from .product_values import has_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from upramp.progress import Progress

__all__ = ["OfficialRun", "official_lock", "pipeline_for", "ramp_kind"]

_WEIGHTS: Final = {"jump": 8.0, "ramp_fit": 4.0, "clean_flicker_noise": 8.0}
"""How long a step takes against the others, about, so that the bar moves evenly."""

official_lock = threading.Lock()
"""The official packages configure logging and CRDS for the whole process."""


def pipeline_for(exp_type: str) -> Any:
    """Choose the stage 1 pipeline for a type of exposure.

    Parameters
    ----------
    exp_type
        The keyword ``EXP_TYPE``.

    Returns
    -------
    type
        ``Detector1Pipeline``, ``DarkPipeline`` or ``GuiderPipeline`` of `jwst`.
    """
    from upramp.references.crds_environment import import_crds

    import_crds()  # the official packages load it too, and not quietly
    spare_grammar()
    from jwst import pipeline

    return getattr(pipeline, pipeline_name(exp_type))


def ramp_kind(model: Any, pipeline: Any) -> type:
    """Choose the class that the pipeline reads a raw exposure's file into.

    It has to be read as that: a file that is read as what it says it is keeps
    the digits of its tree, and one that is not, those of its header.

    Parameters
    ----------
    model
        A level 1b, ramp or guide star model, with or without its images.
    pipeline
        The official pipeline class that is to take it.
    """
    kind: type = pipeline._ramp_type(model)  # noqa: SLF001 - the choice that opening a path makes
    return type(model) if isinstance(model, kind) else kind


@dataclass
class OfficialRun:
    """One exposure through one official pipeline.

    Parameters
    ----------
    exposure
        The `upramp.Exposure`, fit for the stage.
    overrides
        Values by ``step.parameter``.
    folder
        Where the pipeline writes its files: a staging folder.
    save
        Whether to write products at all.
    save_ramp
        Whether the corrected ramp is one of them.
    progress
        What is told of each step.
    log_file
        Where the whole log goes.
    pipeline
        The official pipeline class.
    engine
        What the user asked for.
    delegated
        Why, if that was another engine.
    """

    exposure: Any
    overrides: Mapping[str, Any]
    folder: Path
    save: bool
    save_ramp: bool
    progress: Progress
    log_file: Path
    pipeline: Any
    engine: str = "stsci"
    delegated: Mapping[str, str] = field(default_factory=dict)
    _step: str = "configuration"
    _instance: Any = None
    _record: dict[str, Any] = field(default_factory=dict)
    _switched_off: list[str] = field(default_factory=list)
    _outcome: Outcome = field(default_factory=Outcome)

    def run(self, model: Any) -> Outcome:
        """Run the pipeline.

        Parameters
        ----------
        model
            The exposure as an official data model; the pipeline may change it.

        Raises
        ------
        UsageError
            If an override names no parameter, or one that does not take its value.
        ReferenceFileError
            If a reference is missing or damaged.
        CalibrationError
            If a step fails, or no product can be made.
        OutputError
            If there is no room for the products.
        """
        keywords = to_pipeline_keywords(specification(self.pipeline.__name__), self.overrides)
        with (
            official_lock,
            official_log(self.pipeline, self.log_file, self._outcome.warnings) as log,
            only_what_is_new(),
        ):
            try:
                self._configure(model, keywords)
                self._run(model)
            except UprampError as error:
                log.exception("upramp: %s", self._step)
                note_step(error, self._step)
                raise
            except (Exception, SystemExit) as error:
                log.exception("upramp: %s failed", self._step)
                raise self._translated(error) from error
            finally:
                self.progress.finish()
        return self._outcome

    def _configure(self, model: Any, keywords: dict[str, Any]) -> None:
        from upramp.references.bestrefs import resolve

        parameters = model.get_crds_parameters()
        label = str(self.exposure.path)
        pars = resolve(parameters, label, parameter_types(self.pipeline))
        require_whole(pars)
        config, _ = self.pipeline.build_config(model, **keywords)
        config.pop("class", None)
        instance = self.pipeline.from_config_section(config, name=config.get("name"))
        self._instance = instance
        instance.output_dir = os.fspath(self.folder)
        instance.save_results = self.save
        if hasattr(instance, "save_calibrated_ramp"):
            instance.save_calibrated_ramp |= self.save_ramp
        if instance.suffix is None and self.pipeline.__name__ == "DarkPipeline":
            # The pipeline's own default is its class's name; products are called _dark.
            instance.suffix = "dark"
        given = override_files(instance)
        wanted = {kind for kind in instance.reference_file_types if kind not in given}
        references = resolve(parameters, label, wanted)
        window = window_of(self.exposure)
        require_whole(references, window)
        require_overrides_whole(given, window)
        self._record = provenance.build(
            engine=self.engine,
            pipeline=self.pipeline.__name__,
            stage=1,
            context=references.context,
            references={**pars.to_dict(), **references.to_dict(), **named(given)},
            # Where products were staged says nothing about how they were made.
            parameters={k: v for k, v in instance.get_pars().items() if k != "output_dir"},
            overrides=self.overrides,
            source=provenance.input_record(self.exposure),
        )
        if self.delegated:
            self._record |= {"fused": [], "delegated": dict(self.delegated)}

    def _run(self, model: Any) -> None:
        instance = self._instance
        steps = {name: getattr(instance, name) for name in instance.step_defs}
        weights = {name: _WEIGHTS.get(name, 1.0) for name, step in steps.items() if not step.skip}
        self.progress.start(sum(weights.values()) or 1, "references")
        for name, step in steps.items():
            if step.skip:
                self._switched_off.append(name)
            step.run = self._watched(name, step.run, weights)
            step.save_model = self._recorded(step.save_model)
        instance.save_model = self._recorded(instance.save_model, own=True)
        result = instance.run(model)
        if result is None:
            raise self._empty()
        if not has_value(result):
            raise self._empty()
        self._outcome.models[instance.suffix] = result
        if not self.save:
            self._name(result, instance.suffix)
        self._outcome.provenance = provenance.attach(result, self._record, self._switched_off)

    def _empty(self) -> CalibrationError:
        return CalibrationError(
            self.exposure.path,
            "no pixel that sees light has a value after the official pipeline, as where every "
            "pixel is saturated, or its counts are zero or not a number",
            f"look at the exposure's groups; the whole log is in {self.log_file}",
        )

    def _name(self, model: Any, suffix: str) -> None:
        # As saving would: later stages derive their products' names from it.
        model.meta.filename = Path(self._instance.make_output_path(suffix=suffix)).name

    def _watched(
        self, name: str, run: Callable[..., Any], weights: Mapping[str, float]
    ) -> Callable[..., Any]:
        told: set[str] = set()

        def watched(*args: Any) -> Any:
            self._step = name
            self.progress.advance(0, name)
            result = run(*args)
            self._step = f"after {name}"
            # gain_scale runs twice, for one product and for the other.
            if name not in told:
                told.add(name)
                self.progress.advance(weights.get(name, 0.0))
            return result

        return watched

    def _recorded(self, save: Callable[..., Any], *, own: bool = False) -> Callable[..., Any]:
        def recorded(model: Any, suffix: str | None = None, **keywords: Any) -> Any:
            if hasattr(model, "meta"):
                provenance.attach(model, self._record, self._switched_off)
            if own and suffix is not None:
                # Later steps change the ramp in place; the others are final.
                kept = model.copy() if suffix == "ramp" else model
                self._outcome.models[suffix] = kept
            if self.save:
                return save(model, suffix, **keywords)
            if own and suffix is not None:
                self._name(kept, suffix)
            return None

        return recorded

    def _translated(self, error: BaseException) -> UprampError:
        return translated(
            error,
            self.exposure.path,
            self.folder.parent,
            self._step,
            self.log_file,
            "the official pipeline",
        )
