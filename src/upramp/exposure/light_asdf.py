"""ASDF without what no level 1 product needs.

Before asdf opens its first file it loads the extensions of every package that
has some, gwcs, astropy's models and units among them: 1.5 seconds, for a tree
of numbers and texts. Inside this context only asdf's own and those of the
mission's data models count, unless all are loaded already.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["is_plain", "light_asdf"]

_TAG: Final = re.compile(rb"(?:^|[\s:\[{,-])!(<[^>\s]*>|\S+)", re.MULTILINE)
_PLAIN: Final = re.compile(rb"<?(?:tag:stsci\.edu:asdf/)?core/")
_EXTENSIONS: Final = {"asdf": ""}
_RESOURCES: Final = {"asdf": "", "asdf_standard": "", "stdatamodels": ".datamodels."}
"""Distributions whose entry points count, and what their module's name must contain."""


def is_plain(content: bytes | memoryview) -> bool:
    """Tell whether a tree holds nothing but numbers, texts and arrays.

    Parameters
    ----------
    content
        An ASDF file, as bytes.
    """
    text = bytes(content)
    end = text.find(b"\n...")
    tags = _TAG.findall(text if end < 0 else text[:end])
    return all(_PLAIN.match(tag) for tag in tags)


@contextmanager
def light_asdf(*, possible: bool = True) -> Iterator[None]:
    """Let asdf do with its own extensions, while the block lasts.

    Parameters
    ----------
    possible
        Whether what is read and written there is plain; else nothing changes.
    """
    import asdf

    now = asdf.get_config()
    # No public name tells whether they are loaded, or lets some be chosen before they are.
    if not possible or getattr(now, "_extensions", ()) is not None:
        yield
        return
    with asdf.config_context() as config:
        # In this order: extensions read what they are from the resources.
        config._resource_mappings = _own_resources()  # noqa: SLF001 - see above
        config._extensions = _own_extensions()  # noqa: SLF001 - see above
        yield


@cache
def _own_resources() -> list[Any]:
    from asdf.resource import ResourceMappingProxy

    return _loaded("asdf.resource_mappings", _RESOURCES, ResourceMappingProxy)


@cache
def _own_extensions() -> list[Any]:
    from asdf.extension import ExtensionProxy

    return _loaded("asdf.extensions", _EXTENSIONS, ExtensionProxy)


def _loaded(group: str, wanted: Mapping[str, str], proxy: Any) -> list[Any]:
    from importlib.metadata import distribution

    found = []
    for name, part in wanted.items():
        package = distribution(name)
        for entry in package.entry_points:
            if entry.group != group or part not in entry.value:
                continue
            elements = entry.load()()
            found += [
                proxy(element, package_name=name, package_version=package.version)
                for element in (elements if isinstance(elements, list) else [elements])
            ]
    return found
