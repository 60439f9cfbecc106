"""Values against the official declarations of parameters: ``float(default=4.0,min=0)``.

The official packages leave this to `configobj`, and so does this module, in
the same way: what a value becomes, type for type, is decided there. A whole
number given for a float stays one, for instance, because it is equal.

Source: stpipe/config_parser.py (`validate` and the checks that it adds).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PLACEHOLDER", "Refusal", "converted", "why_refused"]

PLACEHOLDER: Final = "%("
"""What begins a reference to another value in a text: `configobj` would write that one out."""


@dataclass(frozen=True)
class Refusal:
    """A value that its declaration does not take, or that nothing declares.

    Parameters
    ----------
    path
        Where it is: sections, then its name.
    reason
        Why, as a clause; None if nothing of this name is declared.
    """

    path: tuple[str, ...]
    reason: str | None


def why_refused(declared: str, value: Any) -> str | None:
    """Say why a declaration does not take a value; None if it does.

    Parameters
    ----------
    declared
        The declaration, in the language of `configobj.validate`.
    value
        A text, or a value of the type declared.
    """
    if isinstance(value, dict):
        return "it is no value"
    if isinstance(value, str) and PLACEHOLDER in value:
        return "it refers to another value"
    _, refusals = converted({"value": value}, {"value": declared})
    return refusals[0].reason if refusals else None


def converted(
    values: Mapping[str, Any], declared: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Refusal]]:
    """Convert values as they are declared, and add the defaults of others.

    Parameters
    ----------
    values
        Values by name; a dictionary for a section. No text refers to another value.
    declared
        Declarations by name; a dictionary for a section.

    Returns
    -------
    values : dict
        All that are declared, converted, in the order of their declarations.
    refusals : list of Refusal
        What could not be converted; empty if all is well.
    """
    from configobj import ConfigObj, flatten_errors, get_extra_values

    config = ConfigObj(dict(values), interpolation=False)
    config.configspec = ConfigObj(dict(declared), interpolation=False)
    answer = config.validate(_validator(), preserve_errors=True)
    refusals = []
    if answer is not True:
        for sections, name, error in flatten_errors(config, answer):
            path = (*sections, *([] if name is None else [name]))
            refusals.append(Refusal(path, str(error or "it is missing")))
    refusals += [Refusal((*path, name), None) for path, name in get_extra_values(config)]
    return _ordered(config, declared), refusals


def _ordered(values: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    ordered = {}
    for name, one in declared.items():
        if name in values:
            is_section = isinstance(one, dict) and isinstance(values[name], dict)
            ordered[name] = _ordered(values[name], one) if is_section else values[name]
    return ordered


@cache
def _validator() -> Any:
    from configobj.validate import Validator

    return Validator({"output_file": _output_file, "is_string_or_datamodel": _text_or_datamodel})


def _output_file(value: Any) -> str:
    # The official check makes the file's folder too; here that is left to who writes the file.
    return os.path.abspath(str(value))  # noqa: PTH100 - a Path keeps "..", which is not the same


def _text_or_datamodel(value: Any) -> Any:
    from configobj.validate import VdtTypeError

    if isinstance(value, str) or _is_datamodel(value):
        return value
    raise VdtTypeError(value)


def _is_datamodel(value: Any) -> bool:
    # As the official packages know one, whoever made it.
    wanted = ("crds_observatory", "get_crds_parameters", "save")
    return all(hasattr(type(value), name) for name in wanted)
