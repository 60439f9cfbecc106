"""The parameters of a run: official defaults, then CRDS's, then the user's.

What the official pipeline's `build_config`, `from_config_section` and
`get_pars` would give, value for value and type for type, without importing it.
A reference for the whole pipeline goes before those for its steps, and the
user before both.

Source: stpipe/step.py (`build_config`, `get_pars`, `get_ref_override`),
stpipe/pipeline.py (`_get_config_from_parameters`, `reference_file_types`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import ReferenceFileError

from .declarations import converted
from .overrides import to_pipeline_keywords
from .parameter_files import PARS_REMEDY, read_parameter_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from upramp.references import ResolvedReferences

    from .declarations import Refusal
    from .official_specs import PipelineSpecification

    _Path = tuple[str, ...]

__all__ = [
    "DEFAULT",
    "NOT_APPLICABLE",
    "USER",
    "Parameters",
    "configured",
    "parameter_reftypes",
    "resolve_parameters",
]

DEFAULT: Final = "default"
"""The origin of a value that the official packages declare."""
USER: Final = "user"
"""The origin of a value that the user set."""
NOT_APPLICABLE: Final = "N/A"
"""What stands for no reference at all, as CRDS writes it."""

_DISABLE: Final = "STPIPE_DISABLE_CRDS_STEPPARS"
_TRUE: Final = frozenset({"true", "True", "t", "yes", "y"})
"""What the official packages take for true there; they do not take ``1``."""

_BESIDE: Final = MappingProxyType({"name": "string(default='')", "class": "string(default='')"})
"""What a step's section of a configuration may hold beside its parameters."""


@dataclass(frozen=True, eq=False)
class Parameters:
    """Every parameter of an official pipeline and its steps, for one exposure.

    Parameters
    ----------
    specification
        What the pipeline declares.
    name
        The official instance's name: its class's, or what a parameter
        reference for the pipeline calls it.
    pipeline
        The pipeline's own values by parameter.
    steps
        Values by step and parameter, ``override_<type>`` included.
    origins
        Where each value is from, by ``step.parameter``, or by ``parameter`` for
        the pipeline's own: `DEFAULT`, `USER`, or the name of the reference
        that set it.
    references
        The parameter references that were obeyed, or None if they were given as files.
    """

    specification: PipelineSpecification
    name: str
    pipeline: Mapping[str, Any]
    steps: Mapping[str, Mapping[str, Any]]
    origins: Mapping[str, str]
    references: ResolvedReferences | None

    def to_dict(self) -> dict[str, Any]:
        """Give all values as ``get_pars`` of the official instance does.

        Overrides of references are no parameters there.
        """
        steps = {
            name: {key: value for key, value in values.items() if not _is_override(key)}
            for name, values in self.steps.items()
        }
        return {**self.pipeline, "steps": steps}

    def wanted_by(self, step: str) -> tuple[str, ...]:
        """Name the types of references that a step wants: none if it is to be skipped.

        Parameters
        ----------
        step
            The step's name.
        """
        declared = self.specification.steps[step]
        if self.steps[step]["skip"] or not declared.prefetch_references:
            return ()
        return declared.reference_file_types

    @property
    def reference_file_types(self) -> list[str]:
        """What every step wants, as the official instance's attribute: some types come twice."""
        return [kind for step in self.steps for kind in self.wanted_by(step)]

    def override(self, step: str, reftype: str) -> Any:
        """Give the reference that the user chose for a step.

        Parameters
        ----------
        step
            The step's name.
        reftype
            One of the types that the step declares.

        Returns
        -------
        object
            An absolute path, `NOT_APPLICABLE`, an empty text (which the
            official step takes for no file too), a data model, or None where
            CRDS is to choose.
        """
        value = self.steps[step][f"override_{reftype}"]
        if isinstance(value, str) and value and value != NOT_APPLICABLE:
            return os.path.abspath(value)  # noqa: PTH100 - as the official step does
        return value

    @property
    def overrides(self) -> dict[str, Any]:
        """The references that the user chose, by type: for each the first step's that chose one.

        As the official instance's ``get_ref_override``; steps may differ, so
        a step is to ask `override`.
        """
        found: dict[str, Any] = {}
        for _, kind, value in self._choices():
            if value is not None:
                found.setdefault(kind, value)
        return found

    @property
    def crds_reftypes(self) -> set[str]:
        """The types of references that CRDS must choose for at least one step."""
        return {kind for _, kind, value in self._choices() if value is None}

    def _choices(self) -> Iterator[tuple[str, str, Any]]:
        for step in self.steps:
            for kind in self.wanted_by(step):
                yield step, kind, self.override(step, kind)


def resolve_parameters(
    specification: PipelineSpecification,
    subject: Any,
    overrides: Mapping[str, Any] | None = None,
    *,
    context: str | None = None,
) -> Parameters:
    """Find the parameters that an exposure is to be calibrated with.

    Parameters
    ----------
    specification
        What the official pipeline declares; see
        `upramp.stages.official_specs.specification`.
    subject
        An `upramp.Exposure`, an official data model, or a mapping of FITS
        keywords or of CRDS parameters, as `upramp.references.best_references` takes.
    overrides
        The user's values by ``step.parameter``.
    context
        The CRDS context; None for the environment's.

    Raises
    ------
    UsageError
        If an override names no parameter, or one that does not take its value.
    ReferenceFileError
        If CRDS cannot choose, or a parameter reference is missing, damaged,
        or sets what is no parameter.
    """
    from upramp.references import best_references

    keywords = to_pipeline_keywords(specification, overrides or {})  # costs least, so goes first
    references = best_references(subject, parameter_reftypes(specification), context)
    return _configured(specification, references.files(), keywords, references)


def configured(
    specification: PipelineSpecification,
    files: Mapping[str, Path],
    overrides: Mapping[str, Any] | None = None,
) -> Parameters:
    """Do what `resolve_parameters` does, with parameter references that are at hand.

    Parameters
    ----------
    specification
        What the official pipeline declares.
    files
        Parameter references by type: ``pars-jumpstep``.
    overrides
        The user's values by ``step.parameter``.
    """
    keywords = to_pipeline_keywords(specification, overrides or {})
    return _configured(specification, files, keywords, None)


def parameter_reftypes(specification: PipelineSpecification) -> list[str]:
    """Name the types of the parameter references that a pipeline obeys.

    Parameters
    ----------
    specification
        What the official pipeline declares.

    Returns
    -------
    list of str
        None where ``STPIPE_DISABLE_CRDS_STEPPARS`` switches them off.
    """
    if os.environ.get(_DISABLE, "") in _TRUE:
        return []
    return specification.config_reftypes


def _configured(
    specification: PipelineSpecification,
    files: Mapping[str, Path],
    keywords: Mapping[str, Any],
    references: ResolvedReferences | None,
) -> Parameters:
    values: dict[str, Any] = {"steps": {}}
    # Which file, or else the user, gave what lies at a path.
    givers: dict[_Path, Path | None] = {}
    for step, declared in specification.steps.items():
        if (file := files.get(declared.config_reftype)) is not None:
            content = read_parameter_file(file, declared.config_reftype)
            _lay_over(values, {"steps": {step: content}}, givers, file)
    own = specification.config_reftype
    if (file := files.get(own)) is not None:
        _lay_over(values, read_parameter_file(file, own), givers, file)
    _lay_over(values, keywords, givers, None)
    values.pop("class", None)
    name = values.pop("name", None) or specification.class_name
    values, refusals = converted(values, _layout(specification))
    if refusals:
        raise _refused(refusals[0], givers, specification)
    steps = values.pop("steps")
    for step in steps.values():
        for beside in _BESIDE:
            del step[beside]
    _inherit_input_dir(values, steps)
    return Parameters(
        specification=specification,
        name=name,
        pipeline=MappingProxyType(values),
        steps=MappingProxyType({step: MappingProxyType(its) for step, its in steps.items()}),
        origins=MappingProxyType(_origins(values, steps, givers)),
        references=references,
    )


def _origins(
    pipeline: Mapping[str, Any],
    steps: Mapping[str, Mapping[str, Any]],
    givers: Mapping[_Path, Path | None],
) -> dict[str, str]:
    paths: list[_Path] = [(parameter,) for parameter in pipeline]
    paths += [("steps", step, parameter) for step, its in steps.items() for parameter in its]
    found = {_dotted(path): DEFAULT for path in paths}
    for path in paths:
        if path in givers:
            giver = givers[path]
            found[_dotted(path)] = USER if giver is None else giver.name
    return found


def _dotted(path: _Path) -> str:
    return ".".join(path[1:] if len(path) > 1 else path)


def _layout(specification: PipelineSpecification) -> dict[str, Any]:
    steps = {name: {**step.parameters, **_BESIDE} for name, step in specification.steps.items()}
    return {**specification.parameters, "steps": steps}


def _lay_over(
    below: dict[str, Any],
    above: Mapping[str, Any],
    givers: dict[_Path, Path | None],
    giver: Path | None,
    path: _Path = (),
) -> None:
    """Lay one configuration over another, and note who gave what."""
    for name, value in above.items():
        here = (*path, name)
        if isinstance(value, dict):
            _lay_over(below.setdefault(name, {}), value, givers, giver, here)
        else:
            below[name] = value
            givers[here] = giver


def _refused(
    refusal: Refusal,
    givers: Mapping[_Path, Path | None],
    specification: PipelineSpecification,
) -> ReferenceFileError:
    # The user's values were looked at one by one before, so it is a file's.
    path = refusal.path
    giver = next((who for key, who in givers.items() if key[: len(path)] == path), None)
    reason = "there is no such parameter" if refusal.reason is None else refusal.reason
    return ReferenceFileError(
        giver or specification.class_name, f"it cannot set {_dotted(path)}: {reason}", PARS_REMEDY
    )


def _inherit_input_dir(pipeline: dict[str, Any], steps: dict[str, Any]) -> None:
    """Give folders of inputs as the official attribute does: one's own, or the pipeline's."""
    if pipeline["input_dir"] is None:
        pipeline["input_dir"] = ""
    for values in steps.values():
        if values["input_dir"] is None:
            values["input_dir"] = pipeline["input_dir"]


def _is_override(parameter: str) -> bool:
    return parameter.startswith("override_")
