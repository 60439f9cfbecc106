"""CRDS's parameter references (``pars-*``), read without trusting them.

Source: stpipe/_config.py (`StepConfig`) and the schemas in stpipe/resources.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from upramp.errors import InputError, ReferenceFileError
from upramp.exposure.metadata_tree import read_tree, require_sound_tree
from upramp.exposure.source import Source

from .declarations import PLACEHOLDER

__all__ = ["PARS_REMEDY", "read_parameter_file"]

PARS_REMEDY: Final = (
    "sync the CRDS cache again, choose another context, or set "
    "STPIPE_DISABLE_CRDS_STEPPARS=true to do without parameter references"
)
_MAX_SIZE: Final = 16 << 20
"""Bytes; the mission's largest is some kilobytes."""


def read_parameter_file(path: str | os.PathLike[str], reftype: str) -> dict[str, Any]:
    """Read the parameters that a reference sets.

    Parameters
    ----------
    path
        An ASDF file, in the present layout (``class``, ``name``,
        ``parameters`` and, for a pipeline, a list ``steps`` of the same) or
        in the old one (all of it under ``parameters``).
    reftype
        Its type, as CRDS calls it.

    Returns
    -------
    dict
        Values by parameter, with ``class`` and ``name``; ``steps``, where
        the reference has any, holds the same for each by its name.

    Raises
    ------
    ReferenceFileError
        If the file is missing, damaged, or not a parameter reference.
    """
    file = Path(path)
    cause: Exception
    try:
        return _configuration(_plain(_tree(file)))
    except InputError as error:
        problem, cause = error.problem, error
    except _OddError as error:
        problem, cause = str(error), error
    except RecursionError as error:
        problem, cause = "it is nested too deep for parameters", error
    raise ReferenceFileError(
        file, f"this {reftype} reference cannot be used ({problem})", PARS_REMEDY
    ) from cause


class _OddError(Exception):
    """A tree that is no step's configuration."""


def _tree(file: Path) -> Any:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(file, error.strerror or str(error), "check it") from error
    source = Source(file, descriptor, compressed=False)
    try:
        if source.size > _MAX_SIZE:
            source.fail("it is too large for parameters", "check it")
        content = source.read(0, source.size)
        require_sound_tree(source, content)
        return read_tree(source, content)
    finally:
        source.close()


def _plain(node: Any) -> Any:
    """Give a tree without tags; what a tag would make an object of has no place here."""
    tag = getattr(node, "_tag", "")
    if tag and not tag.startswith(("tag:stsci.edu:asdf/core/asdf-", "tag:yaml.org,2002:")):
        return _Tagged(tag)
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return str(node) if isinstance(node, str) else node


class _Tagged:
    """An object that no parameter can be."""

    def __init__(self, tag: str) -> None:
        self.tag = tag


def _configuration(tree: Any) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise _OddError("it holds no parameters")
    parameters = tree.get("parameters")
    if not isinstance(parameters, dict):
        raise _OddError("it holds no parameters")
    if "class" not in tree:
        return _of_old_layout(parameters)
    return _of_step(tree)


def _of_step(tree: Any) -> dict[str, Any]:
    if not isinstance(tree, dict) or not isinstance(tree.get("parameters"), dict):
        raise _OddError("one of its steps holds no parameters")
    for key in ("class", "name"):
        if not isinstance(tree.get(key), str):
            raise _OddError(f"it does not say the {key} of each step")
    _require_values(tree["parameters"])
    found = {**tree["parameters"], "class": tree["class"], "name": tree["name"]}
    steps = tree.get("steps", [])
    if not isinstance(steps, list):
        raise _OddError("its steps are no list")
    if steps:
        found["steps"] = {one["name"]: one for one in map(_of_step, steps)}
    return found


def _of_old_layout(parameters: dict[str, Any]) -> dict[str, Any]:
    if not all(isinstance(parameters.get(key), str) for key in ("class", "name")):
        raise _OddError("it does not say its class and name")
    return _of_old_step(parameters, parameters["name"])


def _of_old_step(parameters: Any, name: str) -> dict[str, Any]:
    if not isinstance(parameters, dict):
        raise _OddError(f"its step {name} holds no parameters")
    steps = parameters.get("steps", {})
    if not isinstance(steps, dict):
        raise _OddError("its steps are no mapping")
    _require_values({key: value for key, value in parameters.items() if key != "steps"})
    found = {"class": None, **parameters, "name": name}
    found.pop("steps", None)
    if steps:
        found["steps"] = {key: _of_old_step(one, key) for key, one in steps.items()}
    return found


def _require_values(parameters: dict[Any, Any]) -> None:
    for name, value in parameters.items():
        if not isinstance(name, str):
            raise _OddError(f"its parameter {name!r} has no name")
        if name == "steps" or isinstance(value, dict):
            raise _OddError(f"its parameter {name} is no value")
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, _Tagged):
                raise _OddError(f"its parameter {name} is of kind {one.tag}")
            if isinstance(one, str) and PLACEHOLDER in one:
                raise _OddError(f"its parameter {name} refers to another value")
