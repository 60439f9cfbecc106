"""What a reduction is asked to do: the parameters of all notebooks, checked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import UsageError
from upramp.stages.calibration import ENGINES
from upramp.stages.overrides import suggest, to_pipeline_keywords

if TYPE_CHECKING:
    from collections.abc import Iterable

    from upramp.stages.official_specs import PipelineSpecification

__all__ = [
    "NAMES",
    "OFFICIAL",
    "PARAMETERS",
    "PIPELINES",
    "Choices",
    "checked_choices",
    "output_folder",
    "require_known",
    "stage_of",
]

PIPELINES: Final = {
    "detector1": "Detector1Pipeline",
    "dark": "DarkPipeline",
    "guider": "GuiderPipeline",
    "image2": "Image2Pipeline",
    "spec2": "Spec2Pipeline",
    "image3": "Image3Pipeline",
    "spec3": "Spec3Pipeline",
    "tso3": "Tso3Pipeline",
    "coron3": "Coron3Pipeline",
    "ami3": "Ami3Pipeline",
    "wfs-image3": "WfsCombineStep",
}
"""The official pipelines by the names that notebooks have for them."""

NAMES: Final = {official: name for name, official in PIPELINES.items()}
"""The names of `PIPELINES` by the official classes."""

OFFICIAL: Final = "stsci"
"""As product of reference: what the official stage 1 makes of the same exposures."""

_FIRST_STAGE: Final = frozenset({"detector1", "dark", "guider"})
_CONTEXT: Final = re.compile(r"jwst_\d{4}\.pmap")

PARAMETERS: Final = (
    *("inputs", "output_dir", "engine", "crds_context", "steps"),
    *("mask", "reference_product", "strict", "quicklook"),
)
"""The parameters of every notebook, in the order of its cell."""


@dataclass(frozen=True)
class Choices:
    """What a reduction is asked to do, checked.

    Parameters
    ----------
    pipelines
        Names of `PIPELINES`, in the order in which they run.
    inputs
        Paths, names in the archive, or patterns of names, as they were given.
    output_dir
        The folder of the products.
    engine
        Of stage 1: ``upramp`` or ``stsci``.
    crds_context
        The CRDS context; None for the one in force.
    steps
        The official parameters for each pipeline: values by ``step.parameter``.
    mask
        A mask of groups for stage 1, or None.
    reference_products
        The archive's own products, or folders of them, to compare with.
    strict
        Whether a difference from these, or a picture that cannot be drawn, is a failure.
    quicklook
        Whether to take the first exposure of each kind only.
    """

    pipelines: tuple[str, ...]
    inputs: tuple[str, ...]
    output_dir: Path
    engine: str = "upramp"
    crds_context: str | None = None
    steps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mask: str | None = None
    reference_products: tuple[str, ...] = ()
    strict: bool = False
    quicklook: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Give them as the outcome tells them."""
        found = asdict(self)
        found["output_dir"] = os.fspath(self.output_dir)
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in found.items()
        }

    def overrides(self, pipeline: str) -> Mapping[str, Any]:
        """Give the official parameters for one pipeline.

        Parameters
        ----------
        pipeline
            A name of `PIPELINES`, or the name of the official class.
        """
        return self.steps.get(NAMES.get(pipeline, pipeline), {})


def stage_of(pipeline: str) -> int:
    """Give the stage of a pipeline.

    Parameters
    ----------
    pipeline
        A name of `PIPELINES`.
    """
    return 1 if pipeline in _FIRST_STAGE else 2 if pipeline.endswith("2") else 3


def checked_choices(
    pipelines: Sequence[str],
    *,
    inputs: Any,
    output_dir: Any,
    engine: Any = "upramp",
    crds_context: Any = "",
    steps: Any = None,
    mask: Any = "",
    reference_product: Any = "",
    strict: Any = False,
    quicklook: Any = False,
) -> Choices:
    """Check a notebook's parameters, before anything runs.

    Parameters
    ----------
    pipelines
        What the notebook runs: names of `PIPELINES`.
    inputs
        A path, a name in the archive, a pattern of names, or a list of them.
    output_dir
        A folder.
    engine
        ``upramp`` or ``stsci``.
    crds_context
        Such as ``jwst_0001.pmap``; empty for the one in force.
    steps
        Values by ``step.parameter`` or ``pipeline.step.parameter``, or mappings of
        mappings, such as ``{"jump": {"rejection_threshold": 5}}``.
    mask
        A file, or empty.
    reference_product
        A file, a folder, a list of them, or empty; `OFFICIAL` for products that the
        official stage 1 makes beside, of the same exposures.
    strict, quicklook
        True or False.

    Returns
    -------
    Choices
        The same, checked and sorted by pipeline.

    Raises
    ------
    UsageError
        For the first that is wrong, with the nearest right name where a name is.
    """
    for name, value in (("strict", strict), ("quicklook", quicklook)):
        if not isinstance(value, bool):
            raise UsageError(name, f"it cannot be {value!r}", "give True or False")
    engine = _engine(engine)
    folder = output_folder(output_dir)
    references = _texts("reference_product", reference_product, empty=True)
    for one in references:
        if one == OFFICIAL and _FIRST_STAGE & set(pipelines):
            continue
        _require_reference(_expanded(one), folder)
    return Choices(
        tuple(pipelines),
        _texts("inputs", inputs),
        folder,
        engine,
        _context(crds_context),
        _sorted(pipelines, _flat(steps)),
        _mask(mask, engine, pipelines),
        tuple(one if one == OFFICIAL else str(_expanded(one)) for one in references),
        strict,
        quicklook,
    )


def output_folder(value: Any) -> Path:
    """Give the folder of the products.

    Parameters
    ----------
    value
        What ``output_dir`` was given as.

    Raises
    ------
    UsageError
        If it names none, or a file.
    """
    folder = _text("output_dir", value)
    if not folder:
        raise UsageError("output_dir", "it is empty", "name a folder for the products")
    path = _expanded(folder)
    if os.path.lexists(path) and not path.is_dir():
        raise UsageError(folder, "it is a file", "name a folder for the products")
    return path


def require_known(names: Iterable[str], known: Iterable[str] = PARAMETERS) -> None:
    """Refuse names of parameters that a notebook does not have.

    Parameters
    ----------
    names
        What was given.
    known
        What it has.

    Raises
    ------
    UsageError
        For the first that is unknown.
    """
    known = list(known)
    for name in names:
        if name not in known:
            raise UsageError(name, "the notebook has no such parameter", suggest(name, known))


def _engine(value: Any) -> str:
    if isinstance(value, str) and value in ENGINES:
        return value
    near = f"{suggest(value, ENGINES)}; " if isinstance(value, str) else ""
    raise UsageError("engine", f"it cannot be {value!r}", f"{near}choose {' or '.join(ENGINES)}")


def _context(value: Any) -> str | None:
    context = _text("crds_context", value)
    if context and not _CONTEXT.fullmatch(context):
        raise UsageError(
            "crds_context", f"it cannot be {context!r}", "give one such as jwst_0001.pmap"
        )
    return context or None


def _mask(value: Any, engine: str, pipelines: Sequence[str]) -> str | None:
    mask = _text("mask", value)
    if not mask:
        return None
    if "detector1" not in pipelines:
        raise UsageError("mask", "this notebook has no use for it", "leave it empty")
    if engine != "upramp":
        raise UsageError(
            "mask", "the official pipeline takes no mask of groups", "use engine upramp"
        )
    path = _expanded(mask)
    if not path.is_file():
        raise UsageError(mask, "there is no such mask", "check the path, or leave it empty")
    return str(path)


def _require_reference(path: Path, folder: Path) -> None:
    if not path.exists():
        raise UsageError(
            path, "there is no such reference product", "check the path, or leave it empty"
        )
    if folder.exists() and folder.samefile(path if path.is_dir() else path.parent):
        raise UsageError(
            path,
            "this product of reference is in output_dir, where it would be overwritten",
            "choose another output_dir",
        )


def _expanded(text: str) -> Path:
    # Unlike Path.expanduser this leaves the home of a user that there is not as it is.
    return Path(os.path.expanduser(text))  # noqa: PTH111


def _text(name: str, value: Any, wanted: str = "a text") -> str:
    if value is None:
        return ""
    if not isinstance(value, (str, os.PathLike)):
        raise UsageError(name, f"it cannot be {value!r}", f"give {wanted}")
    return os.fspath(value).strip()


def _texts(name: str, value: Any, *, empty: bool = False) -> tuple[str, ...]:
    listed = list(value) if isinstance(value, (list, tuple)) else [value]
    found = tuple(
        text for one in listed if (text := _text(name, one, "a name, or a list of names"))
    )
    if not found and not empty:
        raise UsageError(name, "none is given", "give a path, a name, or a list of them")
    return found


def _flat(steps: Any, before: str = "") -> dict[str, Any]:
    """Give nested mappings as names with dots."""
    if steps is None and not before:
        return {}
    if isinstance(steps, str) and steps.lstrip().startswith("{"):
        raise UsageError(
            "steps", "it came as text", "give papermill's option -y (YAML) for it, and not -p"
        )
    if not isinstance(steps, Mapping):
        raise UsageError(
            "steps",
            f"it cannot be {steps!r}",
            'give parameters by their names, such as {"jump.rejection_threshold": 5.0}',
        )
    found: dict[str, Any] = {}
    for name, value in steps.items():
        if not isinstance(name, str) or not name.strip("."):
            raise UsageError("steps", f"{name!r} names no parameter", "write step.parameter")
        whole = f"{before}{name}"
        if isinstance(value, Mapping):
            found |= _flat(value, f"{whole}.")
        elif whole in found:
            raise UsageError(whole, "it is given twice", "leave one out")
        else:
            found[whole] = value
    return found


def _sorted(
    pipelines: Sequence[str], values: Mapping[str, Any]
) -> Mapping[str, Mapping[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        first, dot, rest = name.partition(".")
        if dot and first in PIPELINES:
            if first not in pipelines:
                raise UsageError(
                    name, f"this notebook does not run {first}", f"it runs {_listed(pipelines)}"
                )
            takers = [first]
            name = rest  # noqa: PLW2901 - the pipeline's own name for it
        else:
            takers = _takers(pipelines, name)
        for pipeline in takers:
            to_pipeline_keywords(_specification(pipeline), {name: value})
            _require_file(name, value)
            if name in found.setdefault(pipeline, {}):
                raise UsageError(name, f"it is given twice for {pipeline}", "leave one out")
            found[pipeline][name] = value
    return found


def _require_file(name: str, value: Any) -> None:
    """Refuse a file that is not there now rather than when its step begins."""
    parameter = name.rpartition(".")[2]
    text = value.strip() if isinstance(value, str) else ""
    is_catalogue = parameter == "abs_refcat" and bool(Path(text).suffix)
    is_reference = parameter.startswith("override_") and text not in {"", "N/A"}
    if (is_catalogue or is_reference) and not Path(text).is_file():
        raise UsageError(name, f"there is no file {text}", "check the path")


def _takers(pipelines: Sequence[str], name: str) -> list[str]:
    """Give the pipelines that have a parameter of this name."""
    step, dot, parameter = name.partition(".")
    if not dot and any(step in _specification(one).steps for one in pipelines):
        raise UsageError(
            name,
            "it is a step, and none of its parameters is named",
            f"write {step}.skip, for one",
        )
    if not dot:
        raise UsageError(
            name,
            "no step is named",
            f"write step.{name}, or {pipelines[0]}.{name} for the pipeline's own",
        )
    specifications = {one: _specification(one) for one in pipelines}
    having = [one for one in pipelines if step in specifications[one].steps]
    if not having:
        steps = [
            *{step: None for one in specifications.values() for step in one.steps},
            *pipelines,
        ]
        raise UsageError(
            name,
            f"{_listed(pipelines)} have no step {step!r}"
            if len(pipelines) > 1
            else f"{pipelines[0]} has no step {step!r}",
            suggest(step, steps),
        )
    taking = [one for one in having if parameter in specifications[one].steps[step].parameters]
    # Where none has it, the first one says which of its parameters may have been meant.
    return taking or having[:1]


def _specification(pipeline: str) -> PipelineSpecification:
    if pipeline in _FIRST_STAGE:
        from upramp.stages.official_specs import specification

        return specification(PIPELINES[pipeline])
    from upramp.stages.later_specs import later_specification

    return later_specification(PIPELINES[pipeline])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]
