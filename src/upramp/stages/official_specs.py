"""The official pipelines' steps and parameters, read from the installed text.

Importing `jwst.pipeline` takes seconds, and all that is wanted of it here are
literals in class bodies. So the modules are parsed, never run: for each class
that matters a stand-in is made, with the same bases and the same literals, and
Python itself then works out what is inherited from where. That costs some
thirty milliseconds, once in a process; a table kept in this package would cost
less, but would go on telling one release's defaults whichever is installed.

Source: stpipe/step.py and stpipe/pipeline.py (`load_spec_file`),
stpipe/config_parser.py (`get_merged_spec_file`).
"""

from __future__ import annotations

import ast
import importlib.util
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import CalibrationError
from upramp.exposure.instruments import GUIDER_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "PIPELINES",
    "PipelineSpecification",
    "StepSpecification",
    "pipeline_name",
    "specification",
]

PIPELINES: Final = ("Detector1Pipeline", "DarkPipeline", "GuiderPipeline")
"""The official pipelines of stage 1."""

_HOME: Final = "jwst.pipeline"
_PACKAGES: Final = frozenset({"jwst", "stpipe"})
"""The packages whose classes are looked into; a base from elsewhere declares nothing."""

_LITERALS: Final = frozenset(
    {"spec", "class_alias", "reference_file_types", "prefetch_references"}
)
_STEPS: Final = "step_defs"


@dataclass(frozen=True)
class StepSpecification:
    """What an official step, or the pipeline itself, declares.

    Parameters
    ----------
    class_name
        Its class: ``JumpStep``.
    class_alias
        Its name in ``meta.cal_step``, or None.
    parameters
        The declaration of every parameter by its name, inherited ones and
        ``override_<type>`` included: ``float(default=4.0,min=0)``.
    reference_file_types
        The types of references that it asks CRDS for.
    prefetch_references
        Whether the pipeline asks for them ahead.
    """

    class_name: str
    class_alias: str | None
    parameters: Mapping[str, str]
    reference_file_types: tuple[str, ...]
    prefetch_references: bool

    @property
    def config_reftype(self) -> str:
        """The type of its parameter reference: ``pars-jumpstep``."""
        return f"pars-{self.class_name.lower()}"


@dataclass(frozen=True)
class PipelineSpecification(StepSpecification):
    """What an official pipeline declares, with its steps.

    Parameters
    ----------
    steps
        The steps by name, in the order of ``step_defs``.
    """

    steps: Mapping[str, StepSpecification]

    @property
    def config_reftypes(self) -> list[str]:
        """The types of all parameter references that it obeys."""
        return [one.config_reftype for one in (self, *self.steps.values())]


def pipeline_name(exp_type: str) -> str:
    """Name the official stage 1 pipeline for a type of exposure.

    Parameters
    ----------
    exp_type
        The keyword ``EXP_TYPE``.
    """
    if exp_type in GUIDER_TYPES:
        return "GuiderPipeline"
    return "DarkPipeline" if "_DARK" in exp_type else "Detector1Pipeline"


@cache
def specification(name: str) -> PipelineSpecification:
    """Read what an official pipeline declares.

    Parameters
    ----------
    name
        One of `PIPELINES`.

    Returns
    -------
    PipelineSpecification
        The same object each time.

    Raises
    ------
    CalibrationError
        If the installed packages are missing, or written in a way that is not
        understood here.
    """
    stand_in = _sources().stand_in(_HOME, name)
    try:
        own = _declared(stand_in)
        steps = {step: _declared(cls) for step, cls in stand_in.step_defs.items()}
    except (AttributeError, SyntaxError, TypeError, ValueError) as error:
        raise _not_understood(f"{_HOME}.{name}") from error
    return PipelineSpecification(**vars(own), steps=MappingProxyType(steps))


def _declared(stand_in: Any) -> StepSpecification:
    parameters: dict[str, str] = {}
    for cls in reversed(stand_in.__mro__):
        if "spec" in vars(cls):
            parameters.update(_parsed(cls.spec))
    # A pipeline has none of its own: what it asks for is what its steps do.
    types = tuple(stand_in.reference_file_types)
    for kind in types:
        parameters[f"override_{kind}"] = "is_string_or_datamodel(default=None)"
    return StepSpecification(
        class_name=stand_in.__name__,
        class_alias=stand_in.class_alias,
        parameters=MappingProxyType(parameters),
        reference_file_types=types,
        prefetch_references=stand_in.prefetch_references,
    )


@cache
def _parsed(text: str) -> dict[str, str]:
    from configobj import ConfigObj

    return dict(ConfigObj(text.strip().split("\n"), raise_errors=True, list_values=False))


@cache
def _sources() -> _Sources:
    return _Sources()


class _Sources:
    """Classes of the official packages as their text declares them."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, ast.stmt | tuple[str, str | None]]] = {}
        self._classes: dict[tuple[str, str], type] = {}

    def stand_in(self, module: str, name: str) -> Any:
        """Give the stand-in for a class that a module defines or imports."""
        found = self._found(module, name)
        if isinstance(found, str) or found is None:
            raise _not_understood(f"{module}.{name}")
        return found

    def _found(self, module: str, name: str) -> type | str | None:
        """Look a name up: a stand-in, the name of a module, or None for what is not known."""
        entry = self._table(module).get(name)
        if isinstance(entry, ast.ClassDef):
            key = (module, name)
            if key not in self._classes:
                self._classes[key] = self._made(module, entry)
            return self._classes[key]
        if not isinstance(entry, tuple):
            return None
        origin, attribute = entry
        if origin.partition(".")[0] not in _PACKAGES:
            return object
        if attribute is None:
            return origin
        # A module of this name goes first: it needs no look into the package's own text.
        if _file(f"{origin}.{attribute}") is not None:
            return f"{origin}.{attribute}"
        return self._found(origin, attribute)

    def _evaluated(self, module: str, node: ast.expr) -> type:
        """Follow ``name`` or ``module.name`` to a stand-in."""
        found: type | str | None = None
        if isinstance(node, ast.Name):
            found = self._found(module, node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            holder = self._found(module, node.value.id)
            found = self._found(holder, node.attr) if isinstance(holder, str) else holder
        if not isinstance(found, type):
            raise _not_understood(f"{ast.unparse(node)} in {module}")
        return found

    def _made(self, module: str, node: ast.ClassDef) -> type:
        content: dict[str, Any] = {}
        for name, value in _assigned(node.body):
            try:
                if name == _STEPS:
                    content[name] = self._steps(module, value)
                elif name in _LITERALS:
                    content[name] = ast.literal_eval(value)
            except ValueError as error:
                raise _not_understood(f"{node.name}.{name} in {module}") from error
        bases = (self._evaluated(module, base) for base in node.bases)
        return type(node.name, tuple(base for base in bases if base is not object), content)

    def _steps(self, module: str, node: ast.expr) -> dict[str, type]:
        if not isinstance(node, ast.Dict):
            raise _not_understood(f"{_STEPS} in {module}")
        return {
            ast.literal_eval(key or node): self._evaluated(module, value)
            for key, value in zip(node.keys, node.values, strict=True)
        }

    def _table(self, module: str) -> dict[str, ast.stmt | tuple[str, str | None]]:
        """Give a module's names: classes, and where imported names come from."""
        if module in self._tables:
            return self._tables[module]
        file = _file(module)
        if file is None:
            raise _not_understood(module)
        try:
            tree = ast.parse(file.read_bytes(), os.fspath(file))
        except (OSError, SyntaxError, ValueError) as error:
            raise _not_understood(module) from error
        package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
        table: dict[str, ast.stmt | tuple[str, str | None]] = {}
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                table[node.name] = node
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                origin = ".".join([*base, *([node.module] if node.module else [])])
                for alias in node.names:
                    table[alias.asname or alias.name] = origin, alias.name
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    table[alias.asname or alias.name.partition(".")[0]] = alias.name, None
        self._tables[module] = table
        return table


def _assigned(body: list[ast.stmt]) -> list[tuple[str, ast.expr]]:
    """Give the names that a class body sets, with what to."""
    found: list[tuple[str, ast.expr]] = []
    for node in body:
        targets: list[ast.expr] = []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Assign):
            targets = node.targets
        value = getattr(node, "value", None)
        if value is not None:
            found += [(one.id, value) for one in targets if isinstance(one, ast.Name)]
    return found


@cache
def _file(module: str) -> Path | None:
    top, *rest = module.split(".")
    # Of a name without dots this finds the place alone; of others it imports the parent.
    found = importlib.util.find_spec(top)
    if found is None or not found.submodule_search_locations:
        return None
    place = Path(found.submodule_search_locations[0], *rest)
    candidates = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((file for file in candidates if file.is_file()), None)


def _not_understood(what: str) -> CalibrationError:
    return CalibrationError(
        what,
        "the steps and parameters of the installed official pipeline cannot be read from it",
        "install the releases of jwst and stpipe that upramp requires",
    )
