"""A reduction in a notebook: one call for each cell, and a last one that tells what came of it.

A notebook holds no logic: what fails in a cell is noted and shown there, the
cells after it say what is missing, and the last one, `NotebookRun.finish`,
raises, so that whoever runs notebooks unattended sees that this one failed.
"""

from __future__ import annotations

import ast
import logging
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import CalibrationError, UprampError, UsageError
from upramp.stages.places import made_folder
from upramp.stages.reduction import Reduction, checked_choices, lock, require_known
from upramp.stages.reduction.choices import output_folder
from upramp.stages.reduction.families import families
from upramp.stages.reduction.members import described
from upramp.stages.reduction.outcome_file import (
    left_over,
    outcome_path,
    products_named,
    refusal,
    write_outcome,
)
from upramp.stages.reduction.records import Failure

from . import context
from .archive import find_exposures
from .markup import Card
from .pictures import Picture, Pictures
from .progress import NotebookBar
from .provenance import provenance_card

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


__all__ = ["OUTCOME_TYPE", "NotebookRun", "begin"]

OUTCOME_TYPE: Final = "application/vnd.upramp.outcome+json"
"""The media type of the outcome, among the outputs of a notebook's last cell."""

_SHOWN: Final = 40
_FAMILIES: Final = 6
"""Of how many products of stage 3 a picture is drawn: a notebook is to be looked at."""


class NotebookRun:
    """A reduction, shown step by step.

    Parameters
    ----------
    reduction
        The reduction.
    """

    def __init__(self, reduction: Reduction) -> None:
        self.reduction = reduction

    def _repr_html_(self) -> str:
        return self.exposures().to_html()

    def __repr__(self) -> str:
        return self.exposures().to_text()

    def exposures(self) -> Card:
        """Show which exposures take part, and what is wrong with those that do not."""
        run = self.reduction
        rows = [tuple(described(member).values()) for member in run.members]
        header = ("file", "type", "detector", "filter", "target", "integrations", "role")
        notes = [*map(str, run.failures), *run.warnings]
        count = f"{len(rows)} exposure{'' if len(rows) == 1 else 's'}"
        return Card(
            f"{count} to reduce, into {run.choices.output_dir}",
            rows,
            notes=notes,
            header=header if rows else (),
            kind="notice" if run.failures else "plain",
        )

    def calibrate(self, pipeline: str, **arguments: Any) -> Card | None:
        """Run a pipeline on the exposures that it comes next for.

        Parameters
        ----------
        pipeline
            ``detector1``, ``image2``, ``spec3`` ...
        **arguments
            More arguments of `upramp.calibrate`, such as ``save_ramp``.

        Returns
        -------
        Card or None
            What was done, and what failed; None where it is shown in the place of the
            progress bar.
        """
        bar = NotebookBar()
        self.reduction.progress = lambda: bar
        steps = self.reduction.calibrate(pipeline, **arguments)
        if not steps:
            why = "no exposure waits for it" if self.reduction.members else "no exposure is left"
            return Card(f"{pipeline}: nothing to do", notes=[f"Here {why}."])
        rows = [
            (
                _named(step.files),
                step.status,
                f"{step.seconds:.1f} s",
                ", ".join(step.products) or step.reason,
            )
            for step in steps
        ]
        done = sum(step.status == "done" for step in steps)
        kind = "plain" if done == len(steps) else "notice"
        header = ("input", "", "time", "made, or why not")
        notes = [f"{_named(step.files)}: {warning}" for step in steps for warning in step.warnings]
        title = f"{pipeline}: {done} of {len(steps)} done"
        card = Card(title, rows, notes=notes[:_SHOWN], header=header, kind=kind)
        return None if bar.conclude(card) else card

    def show(
        self,
        draw: Callable[..., Picture],
        *suffixes: str,
        optional: bool = False,
        each: str = "",
        **options: Any,
    ) -> Picture | Pictures | Card:
        """Draw a picture of products; one for each product of stage 3, where there are several.

        Parameters
        ----------
        draw
            What draws it: takes a list of files for each kind.
        *suffixes
            The kinds: ``rate``, ``i2d``; ``cal|calints`` for the first of them that there is;
            with ``?`` those that there may be none of, for which it takes an empty list.
        optional
            Whether there may be none, since not every exposure has such products.
        each
            The kind of product of stage 3 of which each has a picture of its own; by itself
            any that is drawn.
        **options
            More for it.

        Returns
        -------
        Picture, Pictures or Card
            The picture or pictures; or why there is none, which a strict reduction counts
            as a failure.
        """
        kinds = [suffix.removesuffix("?") for suffix in suffixes]
        files = [self._files(one) for one in kinds]
        several = families(self.reduction.products, [each] if each else "|".join(kinds).split("|"))
        sets = [files]
        if len(several) > 1:
            sets = [[one.of(paths) for paths in files] for one in several[:_FAMILIES]]
            if left := len(several) - len(sets):
                note = f"picture {_title(draw)}: {left} more products are not drawn"
                self.reduction.warnings.append(note)
        drawn = []
        for chosen in sets:
            missing = [
                suffix.replace("|", " or ")
                for suffix, found in zip(suffixes, chosen, strict=True)
                if not found and not suffix.endswith("?")
            ]
            drawn.append(
                self._missing(_title(draw), missing, optional=optional)
                if missing
                else self._drawn(draw, chosen, options)
            )
        return drawn[0] if len(drawn) == 1 else Pictures(drawn)

    def _missing(self, title: str, kinds: Sequence[str], *, optional: bool) -> Card:
        why = f"there is no product of the kind {' or '.join(kinds)}"
        optional = optional or all(map(self.reduction.begins_after, kinds))
        if not self.reduction.failures and not optional:
            self.reduction.warn(f"picture {title}", "", why)
        kind = "plain" if optional else "notice"
        return Card(f"No picture of {title}", notes=[f"{why.capitalize()}."], kind=kind)

    def _drawn(
        self,
        draw: Callable[..., Picture],
        files: Sequence[Sequence[Path]],
        options: Mapping[str, Any],
    ) -> Picture | Card:
        try:
            return draw(*files, **options)
        except Exception as error:
            # Whatever it is, a picture that cannot be drawn costs no product.
            logging.getLogger(__name__).debug("no picture", exc_info=True)
            problem, remedy = f"{type(error).__name__}: {error}", ""
            if isinstance(error, UprampError):
                problem, remedy = error.problem, error.remedy
            named = next((path.name for paths in files for path in paths), "")
            self.reduction.warn(f"picture {_title(draw)}", named, problem, remedy)
            told = f"{problem}; {remedy}." if remedy else problem
            return Card(f"No picture of {_title(draw)}", notes=[told], kind="notice")

    def _files(self, kinds: str) -> list[Path]:
        """Give the files of the first of some kinds that there is."""
        return next(
            (found for kind in kinds.split("|") if (found := self.reduction.files(kind))), []
        )

    def products(self) -> Card:
        """Show what was made."""
        rows = [
            (one.path.name, one.suffix, one.pipeline, _size(one.path), _named(one.made_of))
            for one in self.reduction.products
        ]
        header = ("file", "kind", "made by", "size", "made of")
        where = self.reduction.choices.output_dir
        count = f"{len(rows)} product{'' if len(rows) == 1 else 's'}"
        return Card(f"{count} in {where}", rows, header=header if rows else ())

    def provenance(self) -> Card:
        """Show what made the last product: engine, versions, context, references, parameters."""
        if not self.reduction.provenance:
            return Card("No provenance", notes=["Nothing was calibrated."], kind="notice")
        return provenance_card(self.reduction.provenance[-1])

    def compare(self) -> Card:
        """Compare the products with those of reference, array by array."""
        if not self.reduction.choices.reference_products:
            return Card(
                "Not compared with a product of reference",
                notes=["Name the archive's own products in reference_product to compare with."],
            )
        found = self.reduction.compare()
        rows = [(one["product"], one["verdict"]) for one in found]
        same = sum(one["identical"] for one in found)
        failed = [str(one) for one in self.reduction.failures if one.step == "comparison"]
        title = f"{same} of {len(found)} products are identical to those of reference"
        kind = "notice" if failed or same < len(found) or not found else "plain"
        return Card(title, rows, notes=failed, kind=kind, data=found)

    def finish(self) -> None:
        """Tell what came of the reduction, and fail if anything failed.

        The outcome is written beside the products, and put into the notebook.

        Raises
        ------
        CalibrationError
            If anything failed: what, on which file and why.
        """
        run = self.reduction
        status = run.finish()
        outcome = run.outcome.to_dict(status)
        card = self._conclusion(status, float(outcome["seconds"]))
        _publish(card, outcome)
        if status != "done":
            first = run.failures[0]
            more = len(run.failures) - 1
            others = f" (and {more} more, see {run.outcome.path.name})" if more else ""
            raise CalibrationError(
                first.file or run.name,
                f"{first.what} failed: {first.problem}{others}",
                first.remedy,
            )

    def _conclusion(self, status: str, seconds: float) -> Card:
        run = self.reduction
        rows: list[tuple[object, object]] = [
            ("products", f"{len(run.products)}, in {run.choices.output_dir}"),
            ("outcome", str(run.outcome.path)),
            ("time", f"{seconds:.0f} s"),
        ]
        rows += [("failed", str(failure)) for failure in run.failures[:_SHOWN]]
        rows += [
            ("not done", f"{step.pipeline} of {_named(step.files)}: {step.reason}")
            for step in run.steps
            if step.status == "not done"
        ]
        rows += [("note", warning) for warning in run.warnings[:_SHOWN]]
        titles = {"done": "The reduction is done", "failed": "The reduction failed"}
        kind = "plain" if status == "done" else "notice"
        return Card(titles[status], rows, kind=kind)


def begin(name: str, pipelines: Sequence[str], **parameters: Any) -> NotebookRun:
    """Check a notebook's parameters and find its exposures; nothing is calibrated yet.

    Parameters
    ----------
    name
        The notebook: ``stage/detector1``.
    pipelines
        What it runs, in order: names of `upramp.stages.reduction.PIPELINES`.
    **parameters
        The notebook's, as `upramp.stages.reduction.checked_choices` has them.

    Returns
    -------
    NotebookRun
        The reduction.

    Raises
    ------
    UsageError
        If a parameter is unknown or wrong; nothing was done then.
    ReferenceFileError
        If the context is not in the cache.
    """
    try:
        return _begun(name, pipelines, parameters)
    except UprampError as error:
        _tell_refusal(name, parameters, error)
        raise


def _begun(name: str, pipelines: Sequence[str], parameters: Mapping[str, Any]) -> NotebookRun:
    require_known([*parameters, *injected_names()])
    choices = checked_choices(pipelines, **parameters)
    context.prepare()
    if (missing := context.what_is_missing()) is not None:
        raise UsageError("CRDS_PATH", "no calibration references are at hand", missing)
    if choices.crds_context is not None:
        context.choose(choices.crds_context)
    reduction = Reduction(name, choices, find_exposures, NotebookBar)
    reduction.begin()
    return NotebookRun(reduction)


def _tell_refusal(name: str, parameters: Mapping[str, Any], error: UprampError) -> None:
    """Put into the notebook, and beside earlier products, that this run was refused, and why.

    An outcome of an earlier run would be taken for this one's.
    """
    failure = Failure("parameters", error.subject, error.problem, error.remedy)
    outcome = refusal(name, dict(parameters), failure)
    rows: list[tuple[object, object]] = [("refused", str(failure))]
    try:
        folder = made_folder(output_folder(parameters.get("output_dir")))
        lock.hold(folder, name)
        try:
            path = outcome_path(name, folder)
            outcome["warnings"] = left_over(folder, products_named(path))
            write_outcome(path, outcome)
            rows.append(("outcome", str(path)))
        finally:
            lock.release(folder)
    except UprampError as reason:
        rows.append(("no outcome file", str(reason)))
    _publish(Card("Nothing ran", rows, kind="notice"), outcome)


def injected_names() -> list[str]:
    """Give the names that papermill gave values to in this notebook.

    Papermill warns of a parameter that a notebook does not have, and runs it all
    the same. Its cell is known by its first line.
    """
    shell = _shell()
    cells = shell.user_ns.get("In", []) if shell is not None else []
    found: list[str] = []
    for cell in cells:
        if not isinstance(cell, str) or not cell.startswith("# Parameters"):
            continue
        try:
            body = ast.parse(cell).body
        except SyntaxError:
            continue
        for node in body:
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            found += [one.id for one in targets if isinstance(one, ast.Name)]
    return list(dict.fromkeys(found))


def _publish(card: Card, outcome: Mapping[str, Any]) -> None:
    """Show how it ended, with the outcome among the outputs and in the notebook's metadata."""
    from upramp.stages.provenance import plain

    shell = _shell()
    if shell is None:
        print(card.to_text())  # noqa: T201 - a program without a notebook
        return
    whole = plain(outcome)
    shell.display_pub.publish(
        data={OUTCOME_TYPE: whole, "text/html": card.to_html(), "text/plain": card.to_text()}
    )
    kernel: Any = getattr(shell, "kernel", None)
    language = getattr(kernel, "language_info", None)
    if isinstance(language, dict):
        # The one part of a notebook's metadata that a kernel may write: papermill asks for it
        # when the last cell is done. The server keeps its own summary where it saves.
        kernel.language_info = {**language, "upramp": {"outcome": whole}}


def _shell() -> Any:
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return None
    return get_ipython()


def _title(draw: Callable[..., Picture]) -> str:
    return draw.__name__.replace("_", " ")


def _named(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"


def _size(path: Path) -> str:
    try:
        size = float(path.stat().st_size)
    except OSError:
        return "gone"
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
