"""The reference of MIRI's electromagnetic interference: an ASDF file of waves and clocks."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.emicorr import EmiReference
from upramp.errors import ReferenceFileError
from upramp.references import check_reference

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["read_interference"]

_REMEDY: Final = "give another file as `override_emicorr`"


def read_interference(path: str | PathLike[str]) -> EmiReference:
    """Read waves, and what is to be removed from which subarray.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ReferenceFileError
        If it is missing or damaged, or something in it is no frequency with its wave.
    """
    import asdf

    check_reference(path, "emicorr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Nothing of it may depend on the file once it is closed.
        with asdf.open(Path(path), lazy_load=False, memmap=False) as file:
            frequencies = {
                str(name): _wave(path, name, entry)
                for name, entry in _mapping(path, file.tree["frequencies"]).items()
            }
            cases = {
                str(name): _plain(case)
                for name, case in _mapping(path, file.tree["subarray_cases"]).items()
            }
    return EmiReference(frequencies, cases, str(path))


def _mapping(path: str | PathLike[str], found: Any) -> Any:
    if not hasattr(found, "items"):
        raise ReferenceFileError(path, "it has values where names are due", _REMEDY)
    return found


def _wave(path: str | PathLike[str], name: object, entry: Any) -> tuple[float, Any]:
    try:
        frequency, wave = entry["frequency"], np.array(entry["phase_amplitudes"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ReferenceFileError(
            path, f"its {name} is no frequency with a wave", _REMEDY
        ) from error
    if wave.ndim != 1 or wave.dtype.kind not in "iuf":
        raise ReferenceFileError(path, f"the wave of its {name} is no list of numbers", _REMEDY)
    wave = wave.astype(wave.dtype.newbyteorder("="), copy=False)
    wave.flags.writeable = False
    return frequency, wave


def _plain(value: Any) -> Any:
    """Copy what the file's own classes hold."""
    if hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) or hasattr(value, "append"):
        return [_plain(item) for item in value]
    return value
