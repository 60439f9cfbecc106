"""The planes that a masker's image may be of, read window by window."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .core.ramp import RampModel

    Reader = Callable[[slice, slice], NDArray[np.float32]]

__all__ = ["MaskerPlanes"]


class MaskerPlanes:
    """Groups of an exposure and their differences.

    Parameters
    ----------
    model
        The ramps: as read at first, corrected once they are.
    """

    def __init__(self, model: RampModel) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._read: dict[tuple[int, int], NDArray[np.float32]] = {}

    def group(self, integration: int, group: int) -> Reader:
        """Give what reads a group.

        Parameters
        ----------
        integration, group
            Counted from 0.
        """
        return lambda rows, columns: self._whole(integration, group)[rows, columns]

    def difference(self, integration: int, group: int, before: int | None = None) -> Reader:
        """Give what reads what a group has more than another; the first by itself.

        Parameters
        ----------
        integration, group
            Counted from 0.
        before
            The other; None for the one before.
        """
        other = group - 1 if before is None else before
        if group == 0:
            return self.group(integration, 0)

        def read(rows: slice, columns: slice) -> NDArray[np.float32]:
            after = self._whole(integration, group)[rows, columns]
            more: NDArray[np.float32] = after - self._whole(integration, other)[rows, columns]
            return more

        return read

    def _whole(self, integration: int, group: int) -> NDArray[np.float32]:
        if self._model.kept is not None:
            with self._lock:
                self._read.clear()
            return self._model.group(integration, group)
        key = (integration, group)
        with self._lock:
            if key not in self._read:
                # A tile is asked for in parts, and a difference is of two.
                while len(self._read) >= 3:
                    del self._read[next(iter(self._read))]
                self._read[key] = np.asarray(self._model.group(*key), np.float32)
            return self._read[key]
