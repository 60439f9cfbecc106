"""Whether a reference covers the part of the detector that an exposure shows.

The official pipeline finds out in the middle of its work, and then names an
array, not the file. Where images lie: the keywords ``SUBSTRT1``, ``SUBSTRT2``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import ReferenceFileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Subarray", "Window", "place", "require_cover"]

_IRS2_ROWS: Final = 3200
"""Rows of a full NIRSpec frame with its reference pixels interleaved."""
_INTERLEAVED: Final = frozenset({"mask", "superbias"})
"""Types whose corrections come before the interleaved pixels are taken out."""
_KERNEL: Final = "ipc"
"""A type whose array may be a kernel, for every pixel the same."""


@dataclass(frozen=True)
class Subarray:
    """Where an image lies on its detector, in the keywords' own terms.

    Parameters
    ----------
    xstart
        First column, counted from 1 (``SUBSTRT1``).
    ystart
        First row, counted from 1 (``SUBSTRT2``).
    xsize
        Number of columns (``SUBSIZE1``).
    ysize
        Number of rows (``SUBSIZE2``).
    """

    xstart: int
    ystart: int
    xsize: int
    ysize: int


@dataclass(frozen=True)
class Window:
    """What an exposure asks of its references.

    Parameters
    ----------
    subarray
        Where it lies on its detector.
    irs2
        Whether reference pixels are interleaved with its rows.
    """

    subarray: Subarray
    irs2: bool = False


def place(keywords: Mapping[str, Any], nx: int, ny: int) -> Subarray:
    """Say where a reference's array lies: by its keywords, or from the first pixel on.

    Parameters
    ----------
    keywords
        The reference's header.
    nx
        Columns of the array.
    ny
        Rows of the array.
    """
    return Subarray(
        _whole(keywords.get("SUBSTRT1"), 1), _whole(keywords.get("SUBSTRT2"), 1), nx, ny
    )


def require_cover(
    file: Path,
    reftype: str,
    arrays: Mapping[str, tuple[int, ...]],
    keywords: Mapping[str, Any],
    window: Window,
) -> None:
    """Refuse a reference that does not reach over an exposure's pixels.

    Parameters
    ----------
    file
        The reference.
    reftype
        Its type, in lower case.
    arrays
        Shapes of its arrays of pixels, by name.
    keywords
        Its header.
    window
        What the exposure asks for.

    Raises
    ------
    ReferenceFileError
        For the first array that is too small or lies elsewhere.
    """
    wanted = window.subarray
    for name, shape in arrays.items():
        if reftype == _KERNEL and len(shape) == 2:
            continue  # a kernel, for every pixel the same
        ny, nx = shape[-2:]
        if window.irs2:
            rows = _IRS2_ROWS if reftype in _INTERLEAVED else wanted.ysize
            fits = (ny, nx) == (rows, wanted.xsize)
            need = f"{wanted.xsize} x {rows}"
        elif "SUBSTRT1" not in keywords and (ny, nx) == (wanted.ysize, wanted.xsize):
            continue
        else:
            own = place(keywords, nx, ny)
            fits = _covers(own, wanted)
            need = (
                f"{wanted.xsize} x {wanted.ysize} from ({wanted.xstart}, {wanted.ystart}), and "
                f"these are from ({own.xstart}, {own.ystart})"
            )
        if not fits:
            raise ReferenceFileError(
                file,
                f"this {reftype} reference does not cover the exposure: its array {name} has "
                f"{nx} x {ny} pixels instead of {need}",
                f"sync the CRDS cache again, or give another file as `override_{reftype}`",
            )


def _covers(own: Subarray, wanted: Subarray) -> bool:
    x, y = wanted.xstart - own.xstart, wanted.ystart - own.ystart
    return x >= 0 and y >= 0 and x + wanted.xsize <= own.xsize and y + wanted.ysize <= own.ysize


def _whole(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default
