"""A user's parameters, `step.parameter=value`, checked against the pipeline's own."""

from __future__ import annotations

import difflib
import math
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import UsageError

from .declarations import why_refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .official_specs import PipelineSpecification

__all__ = ["parse_assignment", "require_folder_for_files", "to_pipeline_keywords"]

_OURS: Final = frozenset(
    {"output_file", "output_dir", "output_ext", "save_results", "input_dir", "suffix"}
    | {"output_use_model", "output_use_index", "search_output_file", "config_file"}
)
"""Parameters of the pipeline itself that decide where products go, and under which name."""

_LISTED: Final = 8
"""How many names an error lists at most."""

_FILE_NAMES: Final = frozenset({"suffix", "output_file", "output_ext"})
_PLACES: Final = frozenset({"output_dir", "input_dir"})
"""Parameters of a step that would take its files past the staging folder."""

GENERAL: Final = _OURS | {"pre_hooks", "post_hooks"}
"""Parameters that every step has: not worth listing."""


def parse_assignment(text: str) -> tuple[str, str]:
    """Split ``step.parameter=value``.

    Parameters
    ----------
    text
        What a user wrote after ``--set``.

    Raises
    ------
    UsageError
        If there is no ``=``, or no whole name before it.
    """
    name, equals, value = text.partition("=")
    if not equals or not all(part.strip() for part in name.split(".")):
        raise UsageError(
            text,
            "this sets no parameter",
            "write it as step.parameter=value, such as jump.rejection_threshold=5",
        )
    return name.strip(), value.strip()


def require_folder_for_files(overrides: Mapping[str, Any]) -> None:
    """Refuse parameters that ask for files where there is no folder for them.

    Parameters
    ----------
    overrides
        Values by ``step.parameter``.

    Raises
    ------
    UsageError
        For the first that would write a file.
    """
    for name, value in overrides.items():
        parameter = name.rpartition(".")[2]
        asks = parameter.startswith("save_") and str(value).lower() in {"true", "1", "yes", "on"}
        if asks or parameter == "output_file":
            raise UsageError(name, "it writes a file, and there is no folder", "give output_dir")


def to_pipeline_keywords(
    specification: PipelineSpecification, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """Give overrides in the form that the official pipeline's configuration takes.

    Parameters
    ----------
    specification
        What the official pipeline declares.
    overrides
        Values by ``step.parameter``, or by ``parameter`` for the pipeline's
        own; texts that the parameter's declaration takes stay texts.

    Returns
    -------
    dict
        Keywords for the official pipeline's ``build_config``, which
        `upramp.stages.parameters` takes too.

    Raises
    ------
    UsageError
        If there is no such step or parameter, or it does not take the value.
    """
    steps = specification.steps
    keywords: dict[str, Any] = {}
    for name, value in overrides.items():
        step, dot, parameter = name.partition(".")
        if not dot:
            known = [key for key in specification.parameters if key not in _OURS]
            _require_parameter(name, name, known, steps)
            keywords[name] = value
            continue
        if step not in steps:
            raise UsageError(
                name,
                f"{specification.class_name} has no step {step!r}",
                suggest(step, list(steps)),
            )
        known = [key for key in steps[step].parameters if key not in _PLACES]
        _require_parameter(name, parameter, known, {})
        keywords.setdefault("steps", {}).setdefault(step, {})[parameter] = value
    for name, value in overrides.items():
        step, dot, parameter = name.partition(".")
        declared = steps[step].parameters[parameter] if dot else specification.parameters[name]
        _require_value(name, value, declared)
    return keywords


def _require_parameter(
    name: str, parameter: str, known: list[str], steps: Mapping[str, Any]
) -> None:
    if parameter in known:
        return
    if parameter in _OURS:
        raise UsageError(
            name, "names and places of products are chosen here", "use output_dir (-o) instead"
        )
    if parameter in steps:
        raise UsageError(
            name, "this is a step", f"name its parameter too: {name}.skip=true, for one"
        )
    if name == parameter:
        owners = [step for step in steps if parameter in steps[step].parameters]
        if owners and parameter not in GENERAL:
            meant = " or ".join(f"{step}.{parameter}" for step in owners[:_LISTED])
            raise UsageError(name, "no step is named", f"perhaps {meant} is meant")
    whose = "the pipeline" if name == parameter else f"step {name.partition('.')[0]!r}"
    raise UsageError(name, f"{whose} has no parameter {parameter!r}", suggest(parameter, known))


def suggest(word: str, known: Iterable[str]) -> str:
    """Say which of the names there are may have been meant.

    Parameters
    ----------
    word
        What was given.
    known
        The names.
    """
    known = list(known)
    near = difflib.get_close_matches(word.lower(), known, n=3, cutoff=0.5)
    if near:
        return f"perhaps {' or '.join(near)} is meant"
    names = [name for name in known if name not in GENERAL]
    others = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"there are {', '.join(names[:_LISTED])}{others}"


def _require_value(name: str, value: Any, declared: str) -> None:
    _require_sense(name, value, declared)
    if (reason := why_refused(declared, value)) is not None:
        wants = " ".join(declared.split()).partition(" #")[0]
        raise UsageError(name, f"it cannot be {value!r}: {reason}", f"it is declared as {wants}")


def _require_sense(name: str, value: Any, declared: str) -> None:
    """Refuse what the declaration lets pass and no step can work with."""
    parameter = name.rpartition(".")[2]
    text = str(value).strip()
    if declared.lstrip().startswith("float") and _is_number(text):
        # Compared with these, every pixel is on the same side: a step that does nothing.
        if not math.isfinite(float(text)):
            raise UsageError(name, f"it cannot be {text}", "give a finite number")
    elif parameter == "maximum_cores" and _is_number(text) and not _is_count(text):
        raise UsageError(
            name, f"it cannot be {text}", "give a number from 1 on, or none, quarter, half or all"
        )
    elif parameter.startswith("override_") and value is not None and not text:
        raise UsageError(name, "no file is named", "name a reference file, or N/A for none")
    elif (parameter in _FILE_NAMES or parameter.endswith("_name")) and _has_folder(text):
        raise UsageError(
            name, f"it cannot be {text!r}", "give a name without folders; they are chosen by -o"
        )


def _has_folder(text: str) -> bool:
    # Products are staged in a folder of their own, which no name may lead out of.
    return any(mark in text for mark in ("/", "\\", "\0"))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_count(text: str) -> bool:
    return text.isdecimal() and int(text) > 0
