"""Calibrating an exposure, as a user asks for it."""

from __future__ import annotations

import gc
import os
import re
import weakref
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp import listeners
from upramp.atomic import publish
from upramp.errors import UsageError
from upramp.progress import Silent

from .overrides import require_folder_for_files
from .places import log_path, made_folder, require_not_input, staging
from .result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from upramp.exposure import Exposure
    from upramp.progress import Progress

    from .outcome import Outcome

__all__ = [
    "ENGINES",
    "Result",
    "calibrate",
    "default_threads",
    "product_root",
    "require_served",
]

ENGINES: Final = ("upramp", "stsci")
_SUFFIX: Final = re.compile(r"_(uncal|ramp|rate|rateints|dark|cal)\Z")


def calibrate(
    exposure: Any,
    stage: int = 1,
    engine: str = "upramp",
    *,
    overrides: Mapping[str, Any] | None = None,
    output_dir: str | os.PathLike[str] | None = None,
    save_ramp: bool = False,
    mask: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    log_file: str | os.PathLike[str] | None = None,
) -> Result:
    """Calibrate an exposure.

    Parameters
    ----------
    exposure
        An exposure, or the path of its file. For stages 2 and 3 also an
        official association file or a data model (``result.rate`` of stage 1,
        ``result.cal`` of stage 2), and for stage 3 a sequence of exposures
        that are to become one product.
    stage
        1: from ramps to slopes; 2: to calibrated exposures on the sky; 3: to
        mosaics, spectra, light curves of all exposures that belong together.
    engine
        ``upramp``: fused kernels of our own, with the official pipeline's
        numbers; ``stsci``: the official pipeline, unchanged, in this process.
        Stages 2 and 3 are the official pipelines for both, and the provenance
        says so.
    overrides
        Values by ``step.parameter``, in the official pipeline's own names,
        on top of its defaults and of CRDS's parameter references.
    output_dir
        Where products are to appear, made if need be; None writes none.
    save_ramp
        Make the corrected ramp a product too; for stage 1.
    mask
        A FITS image of group flags, set between jump and ramp_fit; see
        `upramp.stages.masks`. For the engine ``upramp``.
    threads
        How many threads the engine ``upramp`` uses; None for ``UPRAMP_THREADS``,
        or one for each processor that this process may use.
    progress
        What is told how far the work is.
    log_file
        Where the official log goes; by default beside the products, or, with
        no ``output_dir``, a temporary file that is left only after a failure.

    Returns
    -------
    Result
        Data models that the next stage takes, and what was written.

    Raises
    ------
    UsageError
        If an argument is not one that can be served.
    InputError
        If the exposure cannot be read or calibrated.
    ReferenceFileError
        If a reference is missing or damaged.
    CalibrationError
        If the work fails, or no product can be made.
    OutputError
        If products cannot be written.
    """
    from upramp.exposure import open_exposure

    overrides = dict(overrides or {})
    require_served(
        stage, engine, mask=mask, threads=threads, output_dir=output_dir, save_ramp=save_ramp
    )
    if output_dir is None:
        require_folder_for_files(overrides)
    if stage != 1:
        from .later_calibration import calibrate_later

        result = calibrate_later(
            exposure,
            stage,
            engine,
            overrides=overrides,
            output_dir=None if output_dir is None else Path(output_dir),
            progress=progress or Silent(),
            log_file=None if log_file is None else Path(log_file),
        )
        listeners.tell(result)
        return result
    with (
        open_exposure(exposure)
        if isinstance(exposure, (str, os.PathLike))
        else nullcontext(exposure) as opened
    ):
        if not hasattr(opened, "require_calibratable"):
            raise UsageError(
                type(opened).__name__, "stage 1 does not take it", "give an exposure or its path"
            )
        opened.require_calibratable(stage)
        job = _Job(
            opened,
            overrides,
            output_dir=None if output_dir is None else made_folder(Path(output_dir)),
            save_ramp=save_ramp,
            progress=progress or Silent(),
            log_file=None if log_file is None else Path(log_file),
        )
        if engine == "stsci":
            result = job.run(job.official)
        else:
            result = job.run(lambda log, folder: job.fused(log, folder, threads, mask))
    listeners.tell(result)
    return result


def product_root(path: str | os.PathLike[str]) -> str:
    """Give the part of a file's name that its products share.

    Parameters
    ----------
    path
        An exposure's file: ``jw..._nrcalong_uncal.fits``.

    Returns
    -------
    str
        ``jw..._nrcalong``.
    """
    return _SUFFIX.sub("", stem(path))


def stem(path: str | os.PathLike[str]) -> str:
    """Give a file's name without what says that it is FITS, compressed or not.

    Parameters
    ----------
    path
        The file.
    """
    name = Path(path).name
    for ending in (".gz", ".fits"):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name


def require_served(
    stage: int,
    engine: str,
    *,
    mask: object = None,
    threads: int | None = None,
    output_dir: str | os.PathLike[str] | None = None,
    save_ramp: bool = False,
) -> None:
    """Refuse arguments of `calibrate` that no exposure can be served with.

    Parameters
    ----------
    stage, engine, mask, threads, output_dir, save_ramp
        As for `calibrate`.

    Raises
    ------
    UsageError
        For the first that cannot be served.
    """
    if engine not in ENGINES:
        raise UsageError(engine, "there is no such engine", f"choose {' or '.join(ENGINES)}")
    if stage not in {1, 2, 3}:
        raise UsageError(f"stage {stage}", "there is no such stage", "choose 1, 2 or 3")
    if stage != 1:
        for name, value in (("mask", mask), ("threads", threads), ("save_ramp", save_ramp)):
            if value is not None and value is not False:
                raise UsageError(name, f"stage {stage} has no use for it", "leave it out")
    else:
        _require_fits_engine(engine, mask, threads)
    if output_dir is not None and os.path.lexists(output_dir) and not Path(output_dir).is_dir():
        raise UsageError(output_dir, "it is a file", "name a folder for the products")


def _require_fits_engine(engine: str, mask: object, threads: int | None) -> None:
    if engine == "upramp":
        if threads is not None and (not isinstance(threads, int) or threads < 1):
            raise UsageError("threads", f"it cannot be {threads!r}", "give 1 or more")
    elif mask is not None:
        raise UsageError(
            "mask", "the official pipeline takes no mask of groups", "use engine upramp"
        )
    elif threads is not None:
        raise UsageError(
            "threads",
            "the official engine's results depend on its number of processes, so it is left alone",
            "leave it out, or set jump.maximum_cores yourself",
        )


@dataclass
class _Job:
    """One exposure to calibrate, whichever engine does it."""

    exposure: Exposure
    overrides: Mapping[str, Any]
    output_dir: Path | None
    save_ramp: bool
    progress: Progress
    log_file: Path | None

    @property
    def path(self) -> Path:
        return Path(self.exposure.path)

    @property
    def root(self) -> str:
        return product_root(self.path)

    def run(self, work: Callable[[Path, Path], Outcome]) -> Result:
        """Do the work into a staging folder, and publish what it made."""
        output_dir = self.output_dir
        if output_dir is not None and self.save_ramp:
            require_not_input(output_dir / f"{self.root}_ramp.fits", self.path)
        with (
            log_path(output_dir, self.root, self.log_file) as log,
            staging(output_dir) as folder,
        ):
            outcome = work(log, folder)
            products: list[Path] = []
            if output_dir is not None:
                made = sorted(file for file in folder.iterdir() if file.is_file())
                for file in made:
                    require_not_input(output_dir / file.name, self.path)
                products = publish(made, output_dir)
        kept = log if output_dir is not None or self.log_file is not None else None
        return Result(
            outcome.models,
            outcome.provenance,
            tuple(products),
            kept,
            warnings=tuple(outcome.warnings),
            source=self.path.absolute(),
        )

    def official(
        self, log: Path, folder: Path, engine: str = "stsci", reason: str | None = None
    ) -> Outcome:
        """Run the official pipeline; ``reason`` says why it stands in for another engine."""
        from upramp.exposure import to_datamodel

        from .official import OfficialRun, pipeline_for, ramp_kind

        pipeline = pipeline_for(str(self.exposure.exp_type))
        run = OfficialRun(
            exposure=self.exposure,
            overrides=self.overrides,
            folder=folder,
            save=self.output_dir is not None,
            save_ramp=self.save_ramp,
            progress=self.progress,
            log_file=log,
            pipeline=pipeline,
            engine=engine,
            delegated={} if reason is None else {pipeline.__name__: reason},
        )
        model = to_datamodel(self.exposure, lambda found: ramp_kind(found, pipeline))
        # Products are named after the file, whatever its header says.
        model.meta.filename = f"{stem(self.path)}.fits"
        return run.run(model)

    def fused(
        self,
        log: Path,
        folder: Path,
        threads: int | None,
        mask: str | os.PathLike[str] | None,
    ) -> Outcome:
        """Run the fused engine, or, for what it does not do, the official pipeline as a whole."""
        from upramp.exposure.datamodel import has_plain_metadata, to_metadata_model
        from upramp.exposure.light_asdf import light_asdf
        from upramp.references import hash_ahead

        from .fused import FusedRun, unfit
        from .fused_input import corrected_shape
        from .masks import load_mask
        from .official_specs import specification
        from .parameters import resolve_parameters

        flags = None
        if mask is not None:
            flags = load_mask(mask, corrected_shape(self.exposure), self.exposure.path.name)
        reason = unfit(self.exposure)
        if reason is None:
            _collect_large()
            hash_ahead([self.path])  # which the provenance will ask for
            # What a ramp carries is plain, and so are its slopes; crds opens a model too.
            with light_asdf(possible=has_plain_metadata(self.exposure)):
                model = to_metadata_model(self.exposure, "RampModel")
                model.meta.filename = f"{stem(self.path)}.fits"
                parameters = resolve_parameters(
                    specification("Detector1Pipeline"), model, self.overrides
                )
                reason = unfit(self.exposure, parameters)
                if reason is None:
                    outcome = FusedRun(
                        exposure=self.exposure,
                        overrides=self.overrides,
                        folder=folder,
                        save=self.output_dir is not None,
                        save_ramp=self.save_ramp,
                        progress=self.progress,
                        log_file=log,
                        root=self.root,
                        model=model,
                        parameters=parameters,
                        threads=threads or default_threads(),
                        mask=flags,
                    ).run()
                    _large.extend(
                        weakref.ref(made)
                        for suffix, made in outcome.models.items()
                        if suffix in _PRODUCTS and made.data.nbytes > _LARGE
                    )
                    return outcome
        if flags is not None:
            raise UsageError("mask", f"it cannot be applied, since {reason}", "leave it out")
        return self.official(log, folder, "upramp", reason)


_LARGE: Final = 8 << 20
_PRODUCTS: Final = ("ramp", "rateints", "rate")
_large: list[weakref.ref[Any]] = []


def _collect_large() -> None:
    """Free large products of earlier runs that nobody holds but themselves.

    Asdf and astropy leave a product that they wrote in cycles, which Python looks through
    when it has made many objects, not when it holds many bytes.
    """
    if any(reference() is not None for reference in _large):
        gc.collect()
    _large.clear()


def default_threads() -> int:
    """Choose the number of threads: ``UPRAMP_THREADS``, or one for each processor we may use."""
    chosen = os.environ.get("UPRAMP_THREADS", "").strip()
    if not chosen:
        return len(os.sched_getaffinity(0))
    if not chosen.isdecimal() or int(chosen) < 1:
        raise UsageError("UPRAMP_THREADS", f"it cannot be {chosen!r}", "give 1 or more")
    return int(chosen)
