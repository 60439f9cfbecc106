"""What goes into a mask and what is said of it: checks, counts, provenance."""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP
from upramp.errors import UsageError

from .mask_paint import cleared, marked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .mask_paint import Paint

__all__ = ["USUAL", "Tally", "as_json", "checked_flags", "chosen", "digest", "flag_bit"]

USUAL: Final = ("DO_NOT_USE", "SATURATED", "JUMP_DET")
"""Flags that are counted even where there are none."""

_BLOCK: Final = 1 << 16  # values that are counted at a time: they stay in the cache
_BITS_OF: Final = (np.arange(256)[:, np.newaxis] >> np.arange(8)) & 1
_NAMES: Final = {bit.bit_length() - 1: name for name, bit in GROUP.items()}


def checked_flags(groupdq: Any, shape: tuple[int, ...] | None = None) -> NDArray[np.uint8]:
    """Give a read-only view of flags of groups, refusing what is none.

    Parameters
    ----------
    groupdq
        What should be (nints, ngroups, ny, nx) uint8.
    shape
        What its shape must be; None takes any that is not empty.

    Raises
    ------
    UsageError
        If it is something else.
    """
    remedy = "give uint8 of shape (nints, ngroups, ny, nx)"
    if not isinstance(groupdq, np.ndarray) or groupdq.dtype != np.uint8:
        what = getattr(groupdq, "dtype", type(groupdq).__name__)
        raise UsageError("automatic", f"its type {what} is not that of group flags", remedy)
    if groupdq.ndim != 4 or not groupdq.size:
        raise UsageError("automatic", f"its shape {groupdq.shape} is no ramp's", remedy)
    if shape is not None and groupdq.shape != shape:
        raise UsageError(
            "automatic",
            f"its shape is {groupdq.shape} where the mask's is {tuple(shape)}",
            "give the flags of the same exposure",
        )
    view = groupdq.view()
    view.flags.writeable = False
    return view


def flag_bit(mnemonic: str) -> int:
    """Give the bit of a group's flag.

    Parameters
    ----------
    mnemonic
        Its name, such as "JUMP_DET".

    Raises
    ------
    UsageError
        If there is no such flag.
    """
    bit = GROUP.get(mnemonic) if isinstance(mnemonic, str) else None
    if bit is None:
        raise UsageError("bit", f"{mnemonic!r} is no flag of groups", f"use {', '.join(GROUP)}")
    return bit


def chosen(name: str, value: int | Iterable[int] | None, size: int, first: int = 0) -> list[int]:
    """Give the groups or integrations that were asked for, in order.

    Parameters
    ----------
    name
        Of the parameter, for the message.
    value
        One, several, or None: all.
    size
        How many there are.
    first
        With which one all begin.

    Raises
    ------
    UsageError
        If one is no whole number, or not there.
    """
    if value is None:
        return list(range(first, size))
    try:
        several = list(value) if isinstance(value, Iterable) else [value]
        numbers = sorted({operator.index(one) for one in several})
    except TypeError as error:
        raise UsageError(name, f"{value!r} is no whole number", "count from 0") from error
    for number in numbers:
        if not 0 <= number < size:
            raise UsageError(name, f"there is no {number}", f"use 0 to {size - 1}")
    return numbers


def as_json(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Give a provenance as it will be read back from a file.

    Parameters
    ----------
    provenance
        Names to values; numbers of NumPy become plain ones.

    Raises
    ------
    UsageError
        If it cannot be written as JSON.
    """
    try:
        text = json.dumps(dict(provenance), default=_plain, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(
            "provenance", f"it is no JSON ({error})", "give names with numbers and texts"
        ) from error
    result: dict[str, Any] = json.loads(text)
    return result


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is neither number nor text")


def digest(planes: Iterable[NDArray[np.uint8]]) -> str:
    """Give the SHA-256 of flags, in hexadecimal: of the bytes of an array of all of them.

    Parameters
    ----------
    planes
        Parts of the array, in order.
    """
    total = hashlib.sha256()
    for plane in planes:
        total.update(np.ascontiguousarray(plane).data)
    return total.hexdigest()


class Tally:
    """Counts the flags of a mask, the automatic ones once.

    Parameters
    ----------
    automatic
        (nints, ngroups, ny, nx) uint8.
    """

    def __init__(self, automatic: NDArray[np.uint8]) -> None:
        self._automatic = automatic
        self._found: NDArray[np.int64] | None = None
        self._digest: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the automatic flags."""
        if self._digest is None:
            self._digest = digest(plane for cube in self._automatic for plane in cube)
        return self._digest

    def counts(self, paint: Paint) -> dict[str, dict[str, int]]:
        """Count flags.

        Parameters
        ----------
        paint
            What was done by hand.

        Returns
        -------
        dict
            Mnemonic to how many groups of pixels have the flag: "automatic",
            "set_by_hand" that had it not, "cleared_by_hand" that had it, and
            the "total" that remains.
        """
        if self._found is None:
            self._found = _by_bit(_histogram(plane) for cube in self._automatic for plane in cube)
        added, removed = [], []
        for plane in paint.planes():
            positions, codes = paint.painted(plane)
            automatic = np.ascontiguousarray(self._automatic[plane]).reshape(-1)[positions]
            added.append(_histogram(marked(codes) & ~automatic))
            removed.append(_histogram(cleared(codes) & automatic))
        gained, lost = _by_bit(added), _by_bit(removed)
        return {
            name: {
                "automatic": int(self._found[bit]),
                "set_by_hand": int(gained[bit]),
                "cleared_by_hand": int(lost[bit]),
                "total": int(self._found[bit] + gained[bit] - lost[bit]),
            }
            for bit, name in _NAMES.items()
            if name in USUAL or self._found[bit] or gained[bit]
        }


def _histogram(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    counts = np.zeros(256, np.int64)
    flat = values.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        counts += np.bincount(flat[start : start + _BLOCK], minlength=256)
    return counts


def _by_bit(histograms: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
    total = np.zeros(256, np.int64)
    for one in histograms:
        total += one
    return total @ _BITS_OF
