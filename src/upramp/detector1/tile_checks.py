"""Kernels do not look whether an index lies inside an array; this does, once a tile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_tile"]


def check_tile(
    tile: NDArray[Any], reference: NDArray[Any], y0: int, first: int, last: int
) -> None:
    """Demand that rows of a tile exist in it and in a reference.

    Parameters
    ----------
    tile
        (..., rows, nx).
    reference
        (..., ny, nx).
    y0, first, last
        Row ``r`` of the tile is row ``y0 + r`` of the reference; rows
        ``first <= r < last`` are asked for.

    Raises
    ------
    ValueError
        If they do not.
    """
    rows, nx = tile.shape[-2:]
    ny = reference.shape[-2]
    inside = 0 <= first <= last <= rows and y0 + first >= 0 and y0 + last <= ny
    if not inside or reference.shape[-1] != nx:
        raise ValueError(
            f"rows {first} to {last} of a tile {tile.shape} at row {y0} "
            f"are not in a reference {reference.shape}"
        )
