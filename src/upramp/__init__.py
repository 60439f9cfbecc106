"""upramp: a workbench for up-the-ramp infrared detector data.

Importing this package imports none of the official packages: they take
seconds, and reading or describing an exposure needs none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .exposure import Exposure
    from .exposure import open_exposure as open  # noqa: A004 - the public name of the contract
    from .stages import calibrate
    from .stages.compare import compare
    from .stages.kept import keep

__all__ = ["Exposure", "__version__", "calibrate", "compare", "keep", "open"]

__version__ = "0.1.0"

_HOMES = {
    "Exposure": ("exposure", "Exposure"),
    "open": ("exposure", "open_exposure"),
    "calibrate": ("stages", "calibrate"),
    "compare": ("stages", "compare"),
    "keep": ("stages.kept", "keep"),
}


def __getattr__(name: str) -> Any:
    # Lazily, so that `import upramp` costs milliseconds.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    value = getattr(import_module(f".{module}", __name__), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
