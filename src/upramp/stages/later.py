"""The official pipelines of stages 2 and 3, in this process: configured as `Pipeline.call` does.

Nothing of what they compute is touched. Around them, as around stage 1's:
references are checked before the work starts, each step is told to the
progress bar, every product carries its provenance, and whatever fails becomes
one sentence.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import CalibrationError, UprampError

from . import provenance
from .collector import only_what_is_new
from .later_specs import later_class, later_specification, steps_of
from .official import official_lock
from .official_log import official_log
from .official_references import (
    named,
    override_files,
    parameter_types,
    require_overrides_whole,
    require_whole,
)
from .outcome import note_step, translated
from .overrides import to_pipeline_keywords
from .product_records import complete_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from upramp.progress import Progress

__all__ = ["LaterRun", "Work"]

_WEIGHTS: Final = {
    "outlier_detection": 3.0,
    "resample": 3.0,
    "resample_spec": 3.0,
    "cube_build": 6.0,
    "tweakreg": 3.0,
    "extract_1d": 3.0,
    "assign_wcs": 2.0,
    "klip": 2.0,
    "ami_analyze": 8.0,
    "wfss_contam": 6.0,
}
"""How long a step takes against the others, about, so that the bar moves evenly."""

_BY_MEMBER: Final = frozenset({"Ami3Pipeline", "Coron3Pipeline", "Tso3Pipeline"})
"""Stage 3 pipelines that take most of their steps once for each exposure."""

_NAMED_FILES: Final = ("source_catalog", "segmentation_map", "direct_image")
"""Files that an exposure of a whole field's spectra names in its metadata."""

_OFFICIAL: Final = "stages 2 and 3 are the official pipelines, whichever engine is asked for"


@dataclass(frozen=True)
class Work:
    """What an official pipeline of stage 2 or 3 is to do.

    Parameters
    ----------
    pipeline
        Its class's name.
    stage
        2 or 3.
    given
        What it takes: the path of an exposure or an association, or a data model.
    label
        What errors call that.
    root
        What the log is named after.
    source
        What the provenance says of it.
    count
        How many products stage 2 makes, or how many exposures stage 3 takes.
    beside
        Where the files are that an exposure of a whole field's spectra names:
        the catalogue of its sources and what that was made from.
    """

    pipeline: str
    stage: int
    given: Any
    label: str
    root: str
    source: Mapping[str, Any]
    count: int = 1
    beside: Path | None = None


@dataclass
class LaterRun:
    """One official pipeline of stage 2 or 3 at work.

    Parameters
    ----------
    work
        What it is to do.
    overrides
        Values by ``step.parameter``.
    folder
        Where it writes its products: a staging folder.
    output
        What an error calls that folder.
    progress
        What is told of each step.
    log_file
        Where the whole log goes.
    engine
        What the user asked for.
    """

    work: Work
    overrides: Mapping[str, Any]
    folder: Path
    output: Path
    progress: Progress
    log_file: Path
    engine: str
    results: list[Any] = field(default_factory=list)
    """The data models that the pipeline returned."""
    record: dict[str, Any] = field(default_factory=dict)
    """The provenance."""
    warned: list[str] = field(default_factory=list)
    """What official steps warned of."""
    _step: str = "configuration"
    _instance: Any = None
    _off: list[str] = field(default_factory=list)
    _runs: dict[str, int] = field(default_factory=dict)

    def run(self) -> None:
        """Run the pipeline; its products are in the folder then.

        Raises
        ------
        UsageError
            If an override names no parameter, or one that does not take its value.
        ReferenceFileError
            If a reference is missing or damaged.
        CalibrationError
            If a step fails, or no product is made.
        OutputError
            If there is no room for the products.
        """
        pipeline = later_class(self.work.pipeline)
        keywords = to_pipeline_keywords(later_specification(self.work.pipeline), self.overrides)
        with (
            official_lock,
            official_log(pipeline, self.log_file, self.warned) as log,
            _no_tracebacks(log),
            only_what_is_new(),
        ):
            try:
                self._configure(pipeline, keywords)
                self._run(pipeline)
                self._require_products()
                self._step = "provenance"
                self.record = complete_records(self.folder, self.record, self._off)
            except UprampError as error:
                log.exception("upramp: %s", self._step)
                note_step(error, self._step)
                raise
            except (Exception, SystemExit) as error:
                log.exception("upramp: %s failed", self._step)
                raise self._translated(error) from error
            finally:
                self.progress.finish()

    def _configure(self, pipeline: Any, keywords: dict[str, Any]) -> None:
        from upramp.references.bestrefs import resolve

        given, label = self.work.given, self.work.label
        parameters, _ = pipeline._get_crds_parameters(given)  # noqa: SLF001 - as build_config does
        pars = resolve(parameters, label, parameter_types(pipeline))
        require_whole(pars)
        config, _ = pipeline.build_config(given, **keywords)
        config.pop("class", None)
        instance = pipeline.from_config_section(config, name=config.get("name"))
        self._instance = instance
        instance.output_dir = os.fspath(self.folder)
        instance.save_results = True
        own = {**override_files(instance), **self._step_overrides()}
        references = resolve(parameters, label, set(instance.reference_file_types) - set(own))
        require_whole(references)
        require_overrides_whole(own)
        self.record = provenance.build(
            engine="stsci",
            pipeline=self.work.pipeline,
            stage=self.work.stage,
            context=references.context,
            references={**pars.to_dict(), **references.to_dict(), **named(own)},
            # Where products were staged says nothing about how they were made.
            parameters={k: v for k, v in instance.get_pars().items() if k != "output_dir"},
            overrides=self.overrides,
            source=self.work.source,
        )
        if self.engine != "stsci":
            self.record |= {
                "asked": self.engine,
                "fused": [],
                "delegated": {self.work.pipeline: _OFFICIAL},
            }

    def _step_overrides(self) -> dict[str, Any]:
        """Give the user's references by step, also of types that the pipeline does not list."""
        found: dict[str, Any] = {}
        for name in steps_of(type(self._instance)):
            step = getattr(self._instance, name)
            for kind in () if step.skip else step.reference_file_types:
                value = step.get_ref_override(kind)
                if value is not None:
                    found.setdefault(kind, value)
        return found

    def _run(self, pipeline: Any) -> None:
        instance = self._instance
        steps = {name: getattr(instance, name) for name in steps_of(pipeline)}
        weights = {name: _WEIGHTS.get(name, 1.0) for name, step in steps.items() if not step.skip}
        self._off = [name for name, step in steps.items() if step.skip]
        self.progress.start(sum(weights.values()) or 1, "references" if steps else "wfs_combine")
        for name, step in steps.items():
            step.run = self._watched(name, step.run, weights.get(name, 0.0))
            step.save_model = self._recorded(step.save_model)
            step.get_reference_file = self._noted(step.get_reference_file)
        instance.save_model = self._recorded(instance.save_model)
        if self.work.beside is not None:
            instance.assign_wcs.run = self._led(instance.assign_wcs.run, self.work.beside)
        if not steps:
            # This step names a file without a folder, which would put it where the process is.
            instance.make_output_path = lambda basepath, *_args, **_keywords: os.fspath(
                self.folder / Path(basepath).name
            )
        result = instance.run(self.work.given)
        if isinstance(result, list):
            self.results = result
            for model in result:
                _name_plainly(model)

    def _watched(self, name: str, run: Callable[..., Any], weight: float) -> Callable[..., Any]:
        often = self.work.stage == 2 or self.work.pipeline in _BY_MEMBER
        turns = self.work.count if often else 1

        def watched(*args: Any) -> Any:
            self._step = name
            self.progress.advance(0, name)
            result = run(*args)
            self._step = f"after {name}"
            self._runs[name] = self._runs.get(name, 0) + 1
            if self._runs[name] <= turns:
                self.progress.advance(weight / turns)
            return result

        return watched

    def _recorded(self, save: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(model: Any, *args: Any, **keywords: Any) -> Any:
            if hasattr(model, "add_history_entry"):
                provenance.attach(model, self.record, self._off)
            if self.work.beside is None or not hasattr(model, "meta"):
                return save(model, *args, **keywords)
            led = _name_plainly(model)
            try:
                return save(model, *args, **keywords)
            finally:
                for name, place in led.items():
                    setattr(model.meta, name, place)

        return recorded

    def _led(self, run: Callable[..., Any], folder: Path) -> Callable[..., Any]:
        """Lead the first step, and those after it, to files that the exposure names.

        They would look for them where the process is.
        """

        def led(model: Any, *args: Any) -> Any:
            for name in _NAMED_FILES:
                value = getattr(model.meta, name, None)
                if value:
                    # A header may name any path; the files lie beside the exposure.
                    setattr(model.meta, name, os.fspath(folder / Path(value).name))
            return run(model, *args)

        return led

    def _noted(self, get: Callable[..., Any]) -> Callable[..., Any]:
        """Note references that a step asks for beyond those that were resolved ahead."""
        from upramp.references import sha256_of

        def noted(model: Any, kind: str) -> Any:
            path = get(model, kind)
            if isinstance(path, str) and os.path.isfile(path):  # noqa: PTH113 - a name or N/A
                references = self.record["references"]
                found = {"file": Path(path).name, "sha256": sha256_of(path)}
                known = references.setdefault(kind, dict(found))
                others = known.get("also", [])
                if found["sha256"] not in [
                    known.get("sha256"),
                    *(one["sha256"] for one in others),
                ]:
                    # Exposures of one product may have references of their own.
                    known["also"] = [*others, found]
            return path

        return noted

    def _require_products(self) -> None:
        if any(file.is_file() for file in self.folder.iterdir()):
            return
        raise CalibrationError(
            self.work.label,
            f"the official {self.work.pipeline} ended without a product",
            f"look for its reason in {self.log_file}",
        )

    def _translated(self, error: BaseException) -> UprampError:
        return translated(
            _innermost(error),
            self.work.label,
            self.output,
            self._step,
            self.log_file,
            "the official pipeline",
        )


def _name_plainly(model: Any) -> dict[str, str]:
    """Leave but the names of files that a model names, and give what it named."""
    led: dict[str, str] = {}
    for name in _NAMED_FILES:
        value = getattr(model.meta, name, None)
        if value and value != Path(value).name:
            led[name] = value
            setattr(model.meta, name, Path(value).name)
    return led


def _innermost(error: BaseException) -> BaseException:
    """Give an error its own last line, where the official pipeline raises whole tracebacks."""
    text = str(error)
    if not text.startswith("Traceback "):
        return error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = RuntimeError(lines[-1])
    told.__cause__ = error.__cause__ or error.__context__
    return told


@contextmanager
def _no_tracebacks(log: Any) -> Iterator[None]:
    """Put what the official stage 2 prints of its failures into the log alone."""
    import traceback

    from jwst.pipeline import calwebb_spec2

    class Quiet:
        """The module ``traceback`` as that pipeline uses it."""

        format_exc = staticmethod(traceback.format_exc)

        @staticmethod
        def print_exc() -> None:
            log.error(traceback.format_exc())

    calwebb_spec2.traceback = Quiet
    try:
        yield
    finally:
        calwebb_spec2.traceback = traceback
