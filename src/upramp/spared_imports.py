"""Imports the official packages without what they pay for and do not use.

Associations are checked by jsonschema, which imports all packages that check
formats. One of them, ``rfc3987_syntax`` (Jupyter's servers bring it), compiles
a grammar when it is imported: a second and more of each process, a third of what
all official pipelines take to import.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Final

__all__ = ["spare_grammar"]

_GRAMMAR: Final = "rfc3987_syntax"


def spare_grammar() -> None:
    """Import jsonschema, but leave the grammar of international addresses until one is checked.

    Nothing is lost: the first check imports it. To be called before the official pipelines
    are imported; later it does nothing.
    """
    if {"jsonschema", _GRAMMAR} & set(sys.modules) or find_spec(_GRAMMAR) is None:
        return
    stand_in = ModuleType(_GRAMMAR)
    stand_in.is_valid_syntax = _is_valid_syntax  # type: ignore[attr-defined] # a new module has no names
    sys.modules[_GRAMMAR] = stand_in
    try:
        importlib.import_module("jsonschema")
    except ImportError:
        return  # without it there are no associations, and whoever wants one is told
    finally:
        del sys.modules[_GRAMMAR]


def _is_valid_syntax(term: str, value: str) -> bool:
    return bool(importlib.import_module(_GRAMMAR).is_valid_syntax(term, value))
