"""The references of an official pipeline's run: which, whose, and whether they are whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from upramp.errors import ReferenceFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upramp.exposure import Exposure
    from upramp.references import ResolvedReferences, Window

__all__ = [
    "named",
    "override_files",
    "parameter_types",
    "require_overrides_whole",
    "require_whole",
    "window_of",
]


def parameter_types(pipeline: Any) -> list[str]:
    """Name the types of the parameter references that a pipeline obeys.

    Parameters
    ----------
    pipeline
        An official pipeline class.

    Returns
    -------
    list of str
        None where ``STPIPE_DISABLE_CRDS_STEPPARS`` switches them off.
    """
    from stpipe.step import get_disable_crds_steppars

    if get_disable_crds_steppars():
        return []
    classes = [pipeline, *getattr(pipeline, "step_defs", {}).values()]
    return [cls.get_config_reftype() for cls in classes]


def override_files(instance: Any) -> dict[str, Any]:
    """Give the references that a configured pipeline is to use instead of CRDS's.

    Parameters
    ----------
    instance
        An official pipeline, configured.

    Returns
    -------
    dict
        By type: a path, ``N/A``, or a data model.
    """
    given = {}
    for kind in instance.reference_file_types:
        value = instance.get_ref_override(kind)
        if value is not None:
            given[kind] = value
    return given


def named(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Record a user's own references as the provenance records CRDS's.

    Parameters
    ----------
    given
        What `override_files` gave.
    """
    from upramp.references import sha256_of

    named: dict[str, dict[str, Any]] = {}
    for kind, value in given.items():
        is_file = isinstance(value, str) and os.path.isfile(value)  # noqa: PTH113 - a name or N/A
        named[kind] = {
            "file": value if isinstance(value, str) else value.override_handle,
            "sha256": sha256_of(value) if is_file else None,
            "override": True,
        }
    return named


def window_of(exposure: Exposure) -> Window | None:
    """Say what part of the detector an exposure asks of its references.

    Parameters
    ----------
    exposure
        The exposure.

    Returns
    -------
    Window or None
        None where rows and columns are not those of one subarray of the
        detector: guide star functions, and stripes read again and again.
    """
    from upramp.references import Subarray, Window

    own = exposure.subarray
    numbers = [n for n in (own.xstart, own.ystart, own.xsize, own.ysize) if n is not None]
    if len(numbers) < 4 or not exposure.is_ramp:
        return None
    if any(exposure.header.get(name) for name in ("MSTR_RD1", "SSTR_NST")):
        return None
    place = Subarray(*numbers)
    irs2 = "IRS2" in (exposure.readpatt or "")
    if not irs2 and exposure.shape[-2:] != (place.ysize, place.xsize):
        return None
    return Window(place, irs2)


def require_whole(references: ResolvedReferences, window: Window | None = None) -> None:
    """Check every reference that CRDS chose, before the work starts.

    Parameters
    ----------
    references
        What CRDS chose.
    window
        What they must cover, if that is known.

    Raises
    ------
    ReferenceFileError
        For the first that is damaged, or does not cover the exposure.
    """
    from upramp.references import check_reference

    for kind, file in references.files().items():
        check_reference(file, kind, window)


def require_overrides_whole(given: Mapping[str, Any], window: Window | None = None) -> None:
    """Check every reference that the user gave, before the work starts.

    Parameters
    ----------
    given
        What `override_files` gave.
    window
        What they must cover, if that is known.

    Raises
    ------
    ReferenceFileError
        For the first that is missing or damaged, or does not cover the exposure.
    """
    from upramp.references import check_reference

    for kind, value in given.items():
        if not isinstance(value, str) or value.strip() in {"", "N/A"}:
            continue
        try:
            check_reference(value, kind, window)
        except ReferenceFileError as error:
            raise ReferenceFileError(
                value, error.problem, f"give another file as override_{kind}"
            ) from error
