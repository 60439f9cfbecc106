"""Interpolation in a sparse grid of exact values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from .sky_plane import Float

__all__ = ["Axis", "Lattice"]

_STENCIL = 4


@dataclass(frozen=True)
class Axis:
    """Equidistant nodes.

    Attributes
    ----------
    first, last : float
        Places of the first and the last node.
    count : int
        How many there are, at least four.
    """

    first: float
    last: float
    count: int

    @property
    def nodes(self) -> Float:
        """Places of the nodes."""
        return np.linspace(self.first, self.last, self.count)

    @property
    def middles(self) -> Float:
        """Places halfway between nodes."""
        nodes = self.nodes
        return np.asarray((nodes[1:] + nodes[:-1]) / 2)

    def weights(self, places: Float) -> tuple[NDArray[np.intp], Float]:
        """Give the first of the four nodes around places, and the weights of the four.

        The weights are Lagrange's of third degree. Beyond the ends they stay as
        at the end: a displacement that is interpolated goes on unchanged there.

        Parameters
        ----------
        places
            (n,), without NaN.

        Returns
        -------
        numpy.ndarray
            Index of the first node, (n,).
        numpy.ndarray
            Weights, (4, n).
        """
        position = (places - self.first) * ((self.count - 1) / (self.last - self.first))
        position = np.clip(position, 0, self.count - 1)
        start = np.clip(position.astype(np.intp) - 1, 0, self.count - _STENCIL)
        t = position - start
        a, b, c = t - 1, t - 2, t - 3
        return start, np.stack([a * b * c / -6, t * b * c / 2, t * a * c / -2, t * a * b / 6])


@dataclass(frozen=True, eq=False)
class Lattice:
    """Values on a grid of nodes, interpolated by cubic polynomials along each axis.

    A node without a value (NaN) spoils only what is between it and its next
    three neighbours.

    Attributes
    ----------
    across, up : Axis
        Nodes along x and y.
    values : numpy.ndarray
        (k, ny, nx).
    """

    across: Axis
    up: Axis
    values: Float

    def at(self, x: Float, y: Float) -> Float:
        """Interpolate at places, (n,) each, without NaN; gives (k, n)."""
        column, wx = self.across.weights(x)
        row, wy = self.up.weights(y)
        flat = self.values.reshape(len(self.values), -1)
        corner = row * self.across.count + column
        total = np.zeros((len(flat), len(x)))
        for j in range(_STENCIL):
            line = corner + j * self.across.count
            along = wx[0] * flat.take(line, axis=1)
            for i in range(1, _STENCIL):
                along += wx[i] * flat.take(line + i, axis=1)
            total += wy[j] * along
        return total

    def on(self, x: Float, y: Float, dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """Interpolate on the grid of all columns x and rows y; gives (k, len(y), len(x)).

        Parameters
        ----------
        x, y
            Columns and rows.
        dtype
            float64, or float32 where that is precise enough.
        """
        row, wy = self.up.weights(y)
        column, wx = self.across.weights(x)
        wy, wx = wy.astype(dtype), wx.astype(dtype)
        found = np.empty((len(self.values), len(y), len(x)), dtype)
        # No product of matrices: its threads wait for one another on a busy machine.
        for plane, out in zip(self.values.astype(dtype), found, strict=True):
            lines = sum(wy[j][:, None] * plane.take(row + j, axis=0) for j in range(_STENCIL))
            np.multiply(lines.take(column, axis=1), wx[0], out=out)
            for i in range(1, _STENCIL):
                part = lines.take(column + i, axis=1)
                part *= wx[i]
                np.add(out, part, out=out)
        return found
