"""Stages 2 and 3, as a user asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from upramp.atomic import publish

from .later import LaterRun
from .later_inputs import plan_for
from .later_specs import later_specification
from .overrides import to_pipeline_keywords
from .places import log_path, made_folder, require_not_input, staging
from .result import Result

if TYPE_CHECKING:
    from pathlib import Path

    from upramp.progress import Progress

__all__ = ["ProductModels", "calibrate_later"]


class ProductModels(Mapping[str, Any]):
    """The products of a run by suffix, read when they are asked for.

    Parameters
    ----------
    files
        The files that were written.
    models
        Data models that are at hand.
    """

    def __init__(self, files: list[Path], models: list[Any]) -> None:
        self._files: dict[str, list[Path]] = {}
        for file in files:
            self._files.setdefault(_suffix(file), []).append(file)
        self._read: dict[Path, Any] = {}
        by_name = {str(model.meta.filename): model for model in models}
        for file in files:
            if file.name in by_name:
                self._read[file] = by_name[file.name]

    def __getitem__(self, suffix: str) -> Any:
        """Give the product of a suffix, or a tuple of them where there are several."""
        found = tuple(self._one(file) for file in self._files[suffix])
        return found[0] if len(found) == 1 else found

    def __iter__(self) -> Iterator[str]:
        """Go through the suffixes."""
        return iter(self._files)

    def __len__(self) -> int:
        """Count the suffixes."""
        return len(self._files)

    def load(self) -> None:
        """Read all, since the files are about to go."""
        for files in self._files.values():
            for file in files:
                self._one(file)

    def _one(self, file: Path) -> Any:
        if file not in self._read:
            self._read[file] = _opened(file)
        return self._read[file]


def _opened(file: Path) -> Any:
    if file.suffix == ".ecsv":
        from astropy.table import QTable

        return QTable.read(file, format="ascii.ecsv")
    if file.suffix != ".fits":
        return file.read_bytes()
    from upramp.exposure import open_exposure, to_datamodel

    with open_exposure(file) as exposure:
        return to_datamodel(exposure)


def _suffix(file: Path) -> str:
    return file.stem.rpartition("_")[2]


def calibrate_later(
    given: Any,
    stage: int,
    engine: str,
    *,
    overrides: Mapping[str, Any],
    output_dir: Path | None,
    progress: Progress,
    log_file: Path | None,
) -> Result:
    """Calibrate with an official pipeline of stage 2 or 3.

    Parameters
    ----------
    given
        What `upramp.stages.later_inputs.plan_for` takes.
    stage
        2 or 3.
    engine
        What the user asked for.
    overrides, output_dir, progress, log_file
        As for `upramp.calibrate`.

    Returns
    -------
    Result
        What was made; without a folder, all of it in memory.
    """
    plan = plan_for(given, stage)
    # A wrong parameter is refused before a folder is made.
    to_pipeline_keywords(later_specification(plan.work.pipeline), overrides)
    if output_dir is not None:
        made_folder(output_dir)
    with (
        log_path(output_dir, plan.work.root, log_file) as log,
        staging(output_dir) as folder,
    ):
        run = LaterRun(
            work=plan.prepared(folder),
            overrides=overrides,
            folder=folder,
            output=output_dir or folder,
            progress=progress,
            log_file=log,
            engine=engine,
        )
        run.run()
        files = sorted(file for file in folder.iterdir() if file.is_file())
        products: list[Path] = []
        if output_dir is not None:
            for file in files:
                for source in plan.files:
                    require_not_input(output_dir / file.name, source)
            products = publish(files, output_dir)
            models = ProductModels(products, run.results)
        else:
            models = ProductModels(files, run.results)
            models.load()
    kept = log if output_dir is not None or log_file is not None else None
    return Result(models, run.record, tuple(products), kept, warnings=tuple(run.warned))
