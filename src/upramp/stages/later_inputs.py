"""What stages 2 and 3 are given: exposures, data models, associations; checked, and laid out.

Everything is looked at before anything is made. What an official pipeline
cannot take as it is (a compressed file, a data model for stage 3, loose
exposures) is then laid beside an association in a folder of the run's own.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.atomic import output_errors
from upramp.errors import InputError, OutputError, UsageError

from . import provenance
from .associations import Association, is_association, read_association
from .facts import Facts, facts_of
from .later import Work
from .made_associations import Loose, Made, associate, lay_beside, restate, write_association
from .pipelines import WFSS, later_pipeline, takes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Plan", "plan_for"]

_BRIEF: Final = (
    *("engine", "pipeline", "stage", "context", "created", "versions", "references"),
    *("overrides", "fused", "delegated", "mask"),
)
"""What the provenance of stage 3 tells of each member's own."""
_SPECTRA: Final = frozenset({"x1d", "x1dints"})


@dataclass(frozen=True)
class Plan:
    """Checked inputs of one run of an official pipeline.

    Parameters
    ----------
    work
        What is to be done, with nothing given yet.
    lay_out
        Makes in a folder what the pipeline is to be given, and tells it.
    files
        The files that it is made from.
    """

    work: Work
    lay_out: Callable[[Path], Any]
    files: tuple[Path, ...]

    def prepared(self, folder: Path) -> Work:
        """Lay the inputs out.

        Parameters
        ----------
        folder
            The staging folder of the products.
        """
        return replace(self.work, given=self.lay_out(folder))


def plan_for(given: Any, stage: int) -> Plan:
    """Look at what stage 2 or 3 is given.

    Parameters
    ----------
    given
        A path, an `upramp.Exposure`, an official data model, what `calibrate`
        gave, or for stage 3 a sequence of them.
    stage
        2 or 3.

    Raises
    ------
    InputError
        If a file cannot be read or is not what the stage takes, or a member is missing.
    UsageError
        If something else was given, or too much.
    """
    things = list(given) if isinstance(given, (list, tuple)) else [given]
    if not things:
        raise UsageError(f"stage {stage}", "no exposure is given", "give one at least")
    paths = [thing for thing in things if isinstance(thing, (str, os.PathLike))]
    lists = [path for path in paths if is_association(path)]
    if lists and len(things) > 1:
        raise UsageError(
            os.fspath(lists[0]),
            "an association says by itself what belongs together",
            "calibrate it alone, without other inputs",
        )
    if lists:
        return _of_association(Path(lists[0]), stage)
    items = [_Item.of(thing, stage) for thing in things]
    if stage == 2:
        if len(items) > 1:
            raise UsageError(
                items[1].facts.label,
                "stage 2 takes one exposure at a time",
                "calibrate each by itself, or give an association file",
            )
        return _of_exposure(items[0])
    return _of_loose(items)


@dataclass(frozen=True)
class _Item:
    """One exposure that was given by itself: a file or a model."""

    name: str
    kind: str
    facts: Facts
    path: Path | None = None
    compressed: bool = False
    model: Any = None

    @classmethod
    def of(cls, thing: Any, stage: int) -> _Item:
        from upramp.exposure import Exposure, open_exposure

        if isinstance(thing, (str, os.PathLike)):
            with open_exposure(thing) as exposure:
                return cls._of_file(exposure, stage)
        if isinstance(thing, Exposure):
            return cls._of_file(thing, stage)
        if hasattr(thing, "get_crds_parameters") and hasattr(thing, "meta"):
            return cls._of_model(thing, stage)
        raise UsageError(
            type(thing).__name__,
            f"stage {stage} does not take it",
            "give a path, an exposure, or a data model such as result.rate or result.cal",
        )

    @classmethod
    def _of_file(cls, exposure: Any, stage: int) -> _Item:
        path = Path(exposure.path)
        if not (stage == 3 and exposure.kind in _SPECTRA):
            exposure.require_calibratable(stage)
        name = f"{_stem(path)}.fits"
        facts = facts_of(exposure, str(exposure.path))
        return cls(name, exposure.kind, facts, path.absolute(), exposure.source.compressed)

    @classmethod
    def _of_model(cls, model: Any, stage: int) -> _Item:
        name = Path(str(model.meta.filename or "")).name
        label = name or type(model).__name__
        if not name.endswith(".fits"):
            raise UsageError(
                label,
                "its meta.filename names no FITS file",
                "set it: products are named after it",
            )
        done = model.meta.cal_step
        kind = "x1d" if "Spec" in type(model).__name__ else "cal"
        if stage == 2 and (done.assign_wcs == "COMPLETE" or kind == "x1d"):
            raise InputError(label, "it has been through stage 2 already", "give it to stage 3")
        if stage == 2 and not done.ramp_fit == "COMPLETE":
            raise InputError(label, "it is no product of stage 1", "give result.rate, for one")
        if stage == 3 and done.assign_wcs != "COMPLETE":
            raise InputError(label, "it has not been through stage 2", "give it to stage 2 first")
        return cls(name, kind, facts_of(model, label), model=model)

    def record(self, *, brief: bool) -> dict[str, Any]:
        """Say in a provenance what this is."""
        from upramp.references import sha256_of

        found: dict[str, Any] = {"file": self.name, "sha256": None}
        if self.path is not None:
            found = {"file": self.path.name, "sha256": sha256_of(self.path)}
            own = provenance.read_provenance(self.path)
        else:
            found["in_memory"] = True
            own = provenance.of_model(self.model)
        if own is not None:
            found["provenance"] = _brief(own) if brief else own
        return found

    def lay(self, folder: Path) -> None:
        """Put the exposure into a folder under its name, as the official packages can read it."""
        from upramp.exposure import open_exposure

        target = folder / self.name
        if self.path is None:
            # Saving a model changes what it says of itself; this one is the caller's.
            copy = self.model.copy()
            with output_errors(target):
                copy.save(os.fspath(target))
        elif self.compressed:
            with (
                output_errors(target),
                open_exposure(self.path) as exposure,
                exposure.source.file() as packed,
                target.open("wb") as file,
            ):
                while piece := packed.read(1 << 22):
                    file.write(piece)
        else:
            with output_errors(target):
                target.symlink_to(self.path)


def _of_exposure(item: _Item) -> Plan:
    pipeline = later_pipeline(2, item.facts)

    def lay_out(folder: Path) -> Any:
        if item.model is not None:
            return item.model
        if item.path is not None and item.path.name == item.name:
            return os.fspath(item.path)
        inputs = _made(folder)
        item.lay(inputs)
        return os.fspath(inputs / item.name)

    folder = Path.cwd() if item.path is None else item.path.parent
    whole_field = item.facts.exp_type in WFSS
    if whole_field:
        _require_catalogue(item.facts, folder)
    work = Work(
        pipeline=pipeline,
        stage=2,
        given=None,
        label=item.facts.label,
        root=_stem(item.name),
        source=item.record(brief=False),
        beside=folder if whole_field else None,
    )
    return Plan(work, lay_out, () if item.path is None else (item.path,))


def _require_catalogue(facts: Facts, folder: Path) -> None:
    """Refuse a whole field of spectra without its sources, which would fail minutes later."""
    remedy = "give an association file with members sourcecat, segmap and direct_image"
    if facts.catalogue is None:
        raise InputError(
            facts.label,
            "spectra of a whole field need the catalogue of its sources, and it names none",
            remedy,
        )
    if facts.catalogue != Path(facts.catalogue).name:
        raise InputError(
            facts.label,
            f"its catalogue of sources, {facts.catalogue!r}, is no plain name of a file",
            remedy,
        )
    if not (folder / facts.catalogue).is_file():
        raise InputError(
            facts.label, f"its catalogue of sources, {facts.catalogue}, is not beside it", remedy
        )


def _of_loose(items: Sequence[_Item]) -> Plan:
    made = associate([Loose(item.name, item.kind, item.facts) for item in items])
    science = {name for name, purpose in made.members if purpose == "science"}
    program = made.product.partition("_")[0]
    file = f"{program}_{made.kind}_00001_asn.json"
    purposes = dict(made.members)
    whole_field = items[0].facts.exp_type in WFSS

    def lay_out(folder: Path) -> str:
        inputs = _made(folder)
        for item in items:
            item.lay(inputs)
        written = _anchored(made, folder) if whole_field else made
        write_association(written, inputs / file)
        return os.fspath(inputs / file)

    members = [{**item.record(brief=True), "exptype": purposes[item.name]} for item in items]
    work = Work(
        pipeline=made.pipeline,
        stage=3,
        given=None,
        label=items[0].facts.label,
        root=re.sub(r"[-_]?\{\w+\}", "", made.product),
        source={"file": file, "sha256": None, "made_of": "loose exposures", "members": members},
        count=len(science),
    )
    return Plan(work, lay_out, tuple(item.path for item in items if item.path is not None))


def _of_association(path: Path, stage: int) -> Plan:
    from upramp.references import sha256_of

    found = read_association(path, stage)
    facts = [_look_at(member.path, stage) for member in found.science]
    pipeline = found.pipeline
    if pipeline is None:
        pipeline = later_pipeline(stage, facts[0])
        other = next((one for one in facts if later_pipeline(stage, one) != pipeline), None)
        if other is not None:
            raise InputError(
                other.label,
                f"it is of the type {other.exp_type} and others of {path.name} of"
                f" {facts[0].exp_type}",
                "give an association for each",
            )
    for one in facts:
        if not takes(pipeline, one):
            raise InputError(
                one.label,
                f"it is of the type {one.exp_type}, which the official {pipeline} of {path.name}"
                " does not take",
                "give an association of its own type",
            )
    for member in found.members:
        if member.exptype != "science" and member.path.suffix.lower() == ".fits":
            _facts(member.path)
    _require_purposes(found, pipeline, facts, stage)
    members = [
        {
            "file": member.path.name,
            "exptype": member.exptype,
            "sha256": sha256_of(member.path),
            **_origin(member.path),
        }
        for member in found.members
    ]
    whole_field = facts[0].exp_type in WFSS

    def lay_out(folder: Path) -> str:
        if stage == 3 and not whole_field and found.in_lower_case:
            return os.fspath(path.absolute())
        inputs = _made(folder)
        if stage == 2:
            # The official stage 2 looks for members where the process is, not where they are.
            restate(path, inputs / path.name)
            return os.fspath(inputs / path.name)
        lay_beside([member.path for member in found.members], inputs)
        name = found.products[0].name
        restate(path, inputs / path.name, _anchor(name, folder) if whole_field else name)
        return os.fspath(inputs / path.name)

    work = Work(
        pipeline=pipeline,
        stage=stage,
        given=None,
        label=os.fspath(path),
        root=path.stem,
        source={"file": path.name, "sha256": sha256_of(path), "members": members},
        count=len(found.products) if stage == 2 else len(found.science),
        beside=path.absolute().parent if stage == 2 and whole_field else None,
    )
    return Plan(work, lay_out, (path, *(member.path for member in found.members)))


def _require_purposes(
    found: Association, pipeline: str, facts: Sequence[Facts], stage: int
) -> None:
    for product in found.products:
        count = len(product.of_type("science"))
        if stage == 2 and count != 1:
            raise InputError(
                found.path,
                f"its product {product.name} has {count} members of the type science, of which"
                " stage 2 takes one",
                "list a product for each",
            )
        if stage == 2 and facts[0].exp_type in WFSS and not product.of_type("sourcecat"):
            raise InputError(
                found.path,
                f"its product {product.name} has no member of the type sourcecat",
                "put the catalogue of the direct image in",
            )
        if pipeline == "Coron3Pipeline" and not product.of_type("psf"):
            raise InputError(
                found.path,
                f"its product {product.name} has no member of the type psf",
                "put exposures of a reference star in",
            )
        if pipeline == "WfsCombineStep" and count != 2:
            raise InputError(
                found.path,
                f"its product {product.name} has {count} members of the type science, where"
                " wavefront images are combined in pairs",
                "list a product for each pair",
            )


def _look_at(path: Path, stage: int) -> Facts:
    from upramp.exposure import open_exposure

    with open_exposure(path) as exposure:
        exposure.require_calibratable(stage)
        return facts_of(exposure, str(exposure.path))


def _facts(path: Path) -> Facts:
    from upramp.exposure import open_exposure

    with open_exposure(path) as exposure:
        return facts_of(exposure, str(exposure.path))


def _origin(path: Path) -> dict[str, Any]:
    if path.suffix.lower() not in {".fits", ".ecsv"}:
        return {}
    own = provenance.read_provenance(path)
    return {} if own is None else {"provenance": _brief(own)}


def _brief(record: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: record[name] for name in _BRIEF if name in record}
    source = record.get("input")
    if isinstance(source, dict):
        found["input"] = {name: source.get(name) for name in ("file", "sha256")}
    return found


def _made(folder: Path) -> Path:
    inputs = folder / "inputs"
    with output_errors(folder):
        inputs.mkdir()
    return inputs


def _anchored(made: Made, folder: Path) -> Made:
    return replace(made, product=_anchor(made.product, folder))


def _anchor(product: str, folder: Path) -> str:
    """Name a product with its folder: of whole fields the pipeline writes some where it runs."""
    if set(os.fspath(folder)) & set("{}"):
        raise OutputError(
            folder.parent,
            "braces in its name are taken for places to fill",
            "choose another folder",
        )
    return os.fspath(folder.absolute() / product)


def _stem(path: str | os.PathLike[str]) -> str:
    from .calibration import stem

    return stem(path)
