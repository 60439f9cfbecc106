"""A reduction at work: pipelines one after another over its exposures, with what fails noted.

An exposure that fails stops no other. What would have been made of it is not
made without it: a mosaic that lacks a dither in silence is worse than none.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.atomic import staging_directory
from upramp.errors import CalibrationError, UprampError, UsageError
from upramp.progress import Silent
from upramp.stages.made_associations import Loose, associate
from upramp.stages.pipelines import WFSS, later_pipeline
from upramp.stages.places import made_folder

from . import lock
from .choices import NAMES, OFFICIAL, stage_of
from .comparison import compared, references
from .intake import DIRECT, STAGES, Intake, masked, next_pipeline, suffix_of
from .members import (
    Member,
    holds_background,
    later_groups,
    look_at,
    second_stage_association,
    sources_for,
    takes_integrations,
)
from .outcome_file import OutcomeFile, left_over, products_named
from .records import Failure, Product, Step, failure_of, holds_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from upramp.progress import Progress

    from .choices import Choices

__all__ = ["Reduction"]

_STAGE_1: Final = {"detector1": ("rateints", "rate"), "dark": ("dark",), "guider": ("cal",)}
_STAGE_2: Final = ("calints", "cal")
_IMAGES: Final = frozenset({"cal", "calints", "i2d", "s2d"})


@dataclass
class Reduction:
    """A reduction, from its exposures to its last products.

    Parameters
    ----------
    name
        The notebook's: ``mode/nircam-imaging``.
    choices
        What it is to do.
    find
        Finds the files that an input names: a path, a name, a pattern.
    progress
        What is told of each pipeline's steps.
    """

    name: str
    choices: Choices
    find: Callable[[str], Sequence[Path]] = lambda name: [Path(name)]
    progress: Callable[[], Progress] = Silent
    inputs: list[Path] = field(default_factory=list)
    """The files that it takes."""
    members: list[Member] = field(default_factory=list)
    """Its exposures, each as far as it has come."""
    products: list[Product] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    comparisons: list[dict[str, Any]] = field(default_factory=list)
    provenance: list[dict[str, Any]] = field(default_factory=list)
    """Of each calibration, as its product carries it."""
    outcome: OutcomeFile = field(init=False)
    _associations: list[tuple[Path, str, list[str]]] = field(default_factory=list)
    _lost: list[Member] = field(default_factory=list)
    _unread: list[str] = field(default_factory=list)
    _gave_up: set[tuple[str, str]] = field(default_factory=set)
    """Official steps that gave up, each with the names of the files that carry it."""
    _earlier: list[str] = field(default_factory=list)
    """Names of products of an earlier run into the same folder."""
    _names: dict[str, str] = field(default_factory=dict)
    """Names of products of stage 3, each with the first exposure that it is made of."""

    def __post_init__(self) -> None:
        self.outcome = OutcomeFile(self)

    # ---- the start

    def begin(self) -> None:
        """Find the exposures and see what each is; write that the reduction has begun.

        What is wrong with one of them is noted, and the others go on.

        Raises
        ------
        OutputError
            If the folder of the products cannot be made, or another reduction is at work in it.
        UsageError
            If the mask is of none of the exposures, or stage 1, which is to be compared with the
            official pipeline's, has nothing to do.
        """
        folder = made_folder(self.choices.output_dir)
        if not lock.hold(folder, self.name):
            self.warnings.append(
                f"{folder} knows no locks: nothing keeps another reduction out of it"
            )
        intake = Intake(self.name, self.choices, self.find, self.noting)
        intake.take()
        self.inputs, self.members = intake.files, intake.members
        self._associations, self._unread = intake.associations, intake.unread
        self.warnings += intake.warnings
        self._require_raw_ones_to_compare()
        self._earlier = products_named(self.outcome.path)
        self.outcome.write("running")

    def _require_raw_ones_to_compare(self) -> None:
        raw = any(member.kind.endswith("uncal") for member in self.members)
        some = self.members or self._associations
        if OFFICIAL in self.choices.reference_products and some and not raw:
            raise UsageError(
                "reference_product",
                f"{OFFICIAL} does stage 1 too, and no exposure here goes through it",
                "give raw exposures, or name products of reference",
            )

    # ---- pipelines

    def calibrate(self, pipeline: str, **arguments: Any) -> list[Step]:
        """Run a pipeline on all exposures that it comes next for.

        Parameters
        ----------
        pipeline
            A name of `PIPELINES`, one of those that were chosen.
        **arguments
            More arguments of `upramp.calibrate`, such as ``save_ramp``.

        Returns
        -------
        list of Step
            What was done; empty if no exposure waits for it.
        """
        if pipeline not in self.choices.pipelines:
            raise UsageError(
                pipeline, "it is none of this reduction's", f"there are {self.choices.pipelines}"
            )
        before = len(self.steps)
        waiting = [one for one in self.members if self._next_or_none(one) == pipeline]
        with self.noting(pipeline, self.choices.output_dir.name):
            lock.hold(self.choices.output_dir, self.name)  # a cell may run again after the last
            self._calibrate(pipeline, waiting, arguments)
            self.outcome.write("running")
        return self.steps[before:]

    def _calibrate(
        self, pipeline: str, waiting: Sequence[Member], arguments: dict[str, Any]
    ) -> None:
        if pipeline in _STAGE_1:
            for member in waiting:
                self._first_stage(pipeline, member, arguments)
        elif pipeline.endswith("2"):
            for member in waiting:
                self._second_stage(pipeline, member, waiting, arguments)
        else:
            self._third_stage(pipeline, waiting, arguments)
        for path, theirs, members in self._associations:
            if theirs == pipeline:
                names = [path.name, *members]
                made = self._run(pipeline, names, path, stage=stage_of(pipeline), **arguments)
                if stage_of(pipeline) == 2:
                    # They go on as those of exposures do.
                    self.members += [look_at(one.path) for one in made if one.suffix in _STAGE_2]

    def _next_or_none(self, member: Member) -> str | None:
        try:
            return next_pipeline(member)
        except UprampError:
            return None

    def _first_stage(self, pipeline: str, member: Member, arguments: dict[str, Any]) -> None:
        keywords: dict[str, Any] = {"stage": 1, "engine": self.choices.engine, **arguments}
        if masked(self.choices, [member]):
            keywords["mask"] = self.choices.mask
        if pipeline != "detector1":
            keywords.pop("save_ramp", None)
        made = self._run(pipeline, [member.path.name], member.path, member=member, **keywords)
        wanted = _STAGE_1[pipeline]
        if pipeline == "detector1" and not takes_integrations(member.facts):
            wanted = ("rate",)
        self._went_on(member, made, wanted)

    def _second_stage(
        self, pipeline: str, member: Member, waiting: Sequence[Member], arguments: dict[str, Any]
    ) -> None:
        names = [member.path.name]
        with staging_directory(self.choices.output_dir) as folder:
            try:
                self._require_backgrounds(member, waiting)
                direct = self._direct(member) if member.facts.exp_type in WFSS else {}
                given = second_stage_association(member, waiting, direct, folder)
            except UprampError as error:
                self._not_done(pipeline, names, error)
                self._lose(member)
                return
            made = self._run(
                pipeline, names, given or member.path, member=member, stage=2, **arguments
            )
        self._went_on(member, made, _STAGE_2)

    def _direct(self, member: Member) -> dict[str, Path]:
        """Give the direct image's products, made here or given; a single exposure has none."""
        found, same_filter = sources_for(member, self._combined())
        if not same_filter:
            self.warnings.append(
                f"{member.path.name}: its sources are of an image through another filter,"
                f" {found['i2d'].name}"
            )
        return found

    def _combined(self) -> dict[str, list[Path]]:
        single = {one.path for one in self.products if one.pipeline == "image2"}
        return {
            suffix: [path for path in self.files(suffix) if path not in single]
            for suffix in DIRECT
        }

    def _require_backgrounds(self, member: Member, waiting: Sequence[Member]) -> None:
        """Refuse an exposure whose background is not there, since it failed or was not read."""
        lost = [
            one.path.name
            for one in self._lost
            if one not in waiting and holds_background(member, one)
        ]
        nods = "NOD" in (member.facts.pattern or "").upper()
        if lost or (nods and self._unread):
            raise CalibrationError(
                (lost or self._unread)[0],
                f"it failed before, and {member.path.name} may have it for its background",
                "mend that first, or leave it out",
            )

    def _third_stage(
        self, pipeline: str, waiting: Sequence[Member], arguments: dict[str, Any]
    ) -> None:
        lost = set(map(id, self._lost))
        ours = [one for one in self._lost if self._last_pipeline(one) == pipeline]
        try:
            groups = later_groups([*waiting, *ours])
        except UprampError as error:
            self._not_done(pipeline, [one.path.name for one in waiting], error)
            return
        for official, group in groups:
            if NAMES[official] != pipeline:
                continue
            names = [one.path.name for one in group]
            missing = [one.path.name for one in group if id(one) in lost] or self._unread
            if missing:
                without = CalibrationError(
                    missing[0],
                    "it failed before, and nothing is made without it",
                    "mend that first, or leave it out",
                )
                self._not_done(pipeline, names, without)
                continue
            try:
                self._require_own_name(group)
            except UprampError as error:
                self._failed(pipeline, names, error, 0.0)
                continue
            if official == "Ami3Pipeline" and not any(one.facts.is_psf for one in group):
                self.warnings.append(
                    f"{names[0]}: there is no reference star among the inputs, so its fringes are"
                    " not calibrated; give the star's exposures too"
                )
            self._run(pipeline, names, [one.path for one in group], stage=3, **arguments)

    def _require_own_name(self, group: Sequence[Member]) -> None:
        """Refuse exposures whose product would replace one that was made of others."""
        made = associate([Loose(one.path.name, one.kind, one.facts) for one in group])
        other = self._names.setdefault(made.product, group[0].path.name)
        if other != group[0].path.name:
            raise CalibrationError(
                group[0].path.name,
                f"its product would have the name of that of {other}, {made.product}",
                "reduce it by itself, into another folder",
            )

    def _last_pipeline(self, member: Member) -> str | None:
        try:
            return NAMES[later_pipeline(3, member.facts)]
        except UprampError:
            return None

    def _run(
        self,
        pipeline: str,
        names: Sequence[str],
        given: Any,
        *,
        member: Member | None = None,
        **keywords: Any,
    ) -> list[Product]:
        from upramp.stages import calibrate

        began = time.monotonic()
        overrides = self.choices.overrides(pipeline)
        progress = self.progress()
        try:
            result = calibrate(
                given,
                overrides=overrides,
                output_dir=self.choices.output_dir,
                progress=progress,
                **keywords,
            )
        except Exception as error:  # noqa: BLE001 - the others go on, and all of it is told
            self._failed(pipeline, names, error, time.monotonic() - began)
            if member is not None:
                self._lose(member)
            return []
        finally:
            progress.finish()
        made = [Product(path, suffix_of(path), pipeline, tuple(names)) for path in result.products]
        # An earlier run's products of the same name are these now.
        new = {one.path for one in made}
        self.products = [one for one in self.products if one.path not in new] + made
        self.provenance.append(dict(result.provenance))
        seconds = time.monotonic() - began
        done = tuple(one.path.name for one in made)
        self.steps.append(
            Step(pipeline, tuple(names), "done", seconds, done, warnings=tuple(result.warnings))
        )
        self._note_what_gave_up(pipeline, names, result.provenance.get("steps", {}))
        if not self._hold_values(pipeline, names, made):
            made = []
            if member is not None:
                self._lose(member)
        self.outcome.write("running")
        return made

    def _hold_values(self, pipeline: str, names: Sequence[str], made: Sequence[Product]) -> bool:
        """Tell whether there is anything in images that were made; what is empty is a failure."""
        empty = [
            one.path.name
            for one in made
            if one.suffix in _IMAGES and stage_of(pipeline) > 1 and not holds_values(one.path)
        ]
        for name in empty:
            self.failures.append(
                Failure(
                    pipeline,
                    name,
                    f"no pixel of it has a value (it is made of {', '.join(names)})",
                    "look at the values and flags of that",
                    pipeline,
                )
            )
        return not empty

    def _note_what_gave_up(
        self, pipeline: str, names: Sequence[str], steps: Mapping[str, str]
    ) -> None:
        """Tell of official steps that could not do their work, which products carry on without."""
        made = [one.path.name for one in self.products if names[0] in one.made_of]
        for step, status in steps.items():
            if status != "FAILED":
                continue
            # Products carry what befell their inputs too.
            known = any((step, name) in self._gave_up for name in names)
            self._gave_up.update((step, name) for name in (names[0], *made))
            if known:
                continue
            what = f"{step} of {pipeline}"
            if stage_of(pipeline) == 3 and len(names) == 1:
                self.warnings.append(
                    f"{what}: {names[0]} is alone, and it takes several exposures"
                )
            else:
                self.warn(
                    what,
                    names[0],
                    "the official step gave up (its status is FAILED), and the product was made"
                    " without it",
                    "look for why in the warnings of its log",
                )

    def _went_on(self, member: Member, made: Sequence[Product], wanted: Sequence[str]) -> None:
        """Put an exposure's product in its place."""
        for suffix in wanted:
            found = next((one for one in made if one.suffix == suffix), None)
            if found is not None:
                moved = replace(member, path=found.path, kind=suffix)
                self.members[self.members.index(member)] = moved
                return
        if made:
            error = CalibrationError(
                member.path.name, f"it gave no {' or '.join(wanted)}", "look for why in its log"
            )
            self._failed(made[0].pipeline, [member.path.name], error, 0.0)
            self._lose(member)

    def _lose(self, member: Member) -> None:
        self.members.remove(member)
        self._lost.append(member)

    # ---- products

    def files(self, suffix: str) -> list[Path]:
        """Give the files of one kind: inputs and products, in the order of their names.

        Parameters
        ----------
        suffix
            Their kind: ``uncal``, ``rate``, ``i2d``.
        """
        made = [one.path for one in self.products if one.suffix == suffix]
        given = [path for path in self.inputs if suffix_of(path) == suffix and path not in made]
        return sorted([*given, *made], key=lambda path: path.name)

    def begins_after(self, kind: str) -> bool:
        """Tell whether all inputs are of a later stage than a kind of product.

        Parameters
        ----------
        kind
            ``uncal``, ``rate`` ...; of kinds that no stage begins with this is never so.
        """
        begun = [STAGES.get(suffix_of(path), 0) for path in self.inputs]
        return kind in STAGES and bool(begun) and min(begun) > STAGES[kind]

    def compare(self) -> list[dict[str, Any]]:
        """Compare the products with those of reference, array by array.

        Returns
        -------
        list of dict
            ``product``, ``reference``, ``identical`` and ``verdict`` of each.
        """
        # A cell may run again.
        self.comparisons.clear()
        self.failures = [one for one in self.failures if one.step != "comparison"]
        for reference in references(self):
            with self.noting("comparison", reference.name):
                self.comparisons.append(compared(self, reference))
                self._judge(self.comparisons[-1])
        self.outcome.write("running")
        return self.comparisons

    def _judge(self, found: dict[str, Any]) -> None:
        if self.choices.strict and not found["identical"]:
            raise CalibrationError(
                found["product"], found["verdict"], "see upramp compare for where they differ"
            )

    def finish(self) -> str:
        """Write the outcome.

        Returns
        -------
        str
            ``done`` or ``failed``.
        """
        if not self.failures and not self.steps:
            self.failures.append(
                Failure("calibration", "inputs", "nothing was calibrated", "give exposures for it")
            )
        status = "failed" if self.failures else "done"
        self._warn_of_what_is_left()
        self._warn_of_what_had_no_use()
        self.outcome.write(status)
        lock.release(self.choices.output_dir)
        return status

    def _warn_of_what_had_no_use(self) -> None:
        """Name parameters of pipelines that no exposure went through."""
        ran = {one.pipeline for one in self.steps}
        used = {name for one in ran for name in self.choices.overrides(one)}
        for pipeline in self.choices.pipelines:
            names = [one for one in self.choices.overrides(pipeline) if one not in used]
            told = (
                f"steps: {', '.join(names)} had no use, since no exposure went through {pipeline}"
            )
            # The last cell may run again.
            if names and pipeline not in ran and told not in self.warnings:
                self.warnings.append(told)

    def _warn_of_what_is_left(self) -> None:
        """Name products of an earlier run that nobody may take for this one's."""
        made = {one.path.name for one in self.products}
        others = [one for one in self._earlier if one not in made]
        self.warnings += left_over(self.choices.output_dir, others)
        self._earlier = []

    # ---- failures

    def warn(self, what: str, file: str, problem: object, remedy: str = "") -> None:
        """Note what is not as it should be: a failure where the reduction is strict.

        Parameters
        ----------
        what
            What it is about: a picture, a step.
        file
            The file that it is of, or nothing.
        problem, remedy
            What is wrong, and what to do.
        """
        if self.choices.strict:
            remedy = remedy or "mend it, or set strict to False"
            self.failures.append(Failure(what, file, str(problem), remedy))
        else:
            told = f"{problem}; {remedy}" if remedy else str(problem)
            self.warnings.append(f"{what}{f' of {file}' if file else ''}: {told}")

    def noting(self, step: str, file: str) -> _Noting:
        """Take what fails inside as a failure of one file.

        Parameters
        ----------
        step
            What is being done.
        file
            The file's name.
        """
        return _Noting(self, step, file)

    def _failed(
        self, pipeline: str, names: Sequence[str], error: BaseException, seconds: float
    ) -> None:
        failure = failure_of(pipeline, names[0], error)
        self.failures.append(failure)
        reason = f"{failure.problem}; {failure.remedy}"
        self.steps.append(Step(pipeline, tuple(names), "failed", seconds, reason=reason))

    def _not_done(self, pipeline: str, names: Sequence[str], error: UprampError) -> None:
        if not self.failures:
            self.failures.append(failure_of(pipeline, names[0], error))
        self.steps.append(Step(pipeline, tuple(names), "not done", reason=str(error)))


class _Noting:
    """Takes what fails inside as a failure of one file."""

    def __init__(self, reduction: Reduction, step: str, file: str) -> None:
        self._reduction, self._step, self._file = reduction, step, file

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, Exception):
            return False
        self._reduction.failures.append(failure_of(self._step, self._file, error))
        return True
