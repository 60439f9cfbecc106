"""The ASDF file that carries open windows of persistence from one exposure to the next.

Its tree has, by detector, the pixels whose window is open: ``rows``, ``cols``
and ``vals`` (the times at which they close), ``pers_time`` and the name of the
exposure.

Source: jwst/persistence/persistence_step.py.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.atomic import replacing
from upramp.errors import InputError, OutputError

from .plain_asdf import read_plain_asdf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Windows", "file_to_write", "read_windows", "require_writable", "write_windows"]

_REMEDY: Final = "give a file that the step persistence wrote, or begin anew without one"


@dataclass(frozen=True, eq=False)
class Windows:
    """Pixels of a detector whose window is open.

    Parameters
    ----------
    rows, columns
        Where they are, in the frame of the exposure that they are from.
    until
        When their windows close, in seconds since 1970.
    duration
        How long a window is open, in seconds.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    until: NDArray[np.float64]
    duration: float

    @classmethod
    def none(cls) -> Windows:
        """Give no window at all."""
        nowhere = np.zeros(0, np.int64)
        return cls(nowhere, nowhere, np.zeros(0, np.float64), 0)

    @classmethod
    def of(cls, window: NDArray[np.float64], duration: float) -> Windows:
        """Find the open windows of a detector.

        Parameters
        ----------
        window
            (ny, nx): when each pixel's window closes, or 0.
        duration
            How long a window is open, in seconds.
        """
        rows, columns = np.nonzero(window)
        return cls(rows, columns, window[rows, columns], duration)

    def placed(self, ny: int, nx: int) -> NDArray[np.float64] | None:
        """Give the array that `of` takes; None if a pixel is not in a frame of this shape.

        Parameters
        ----------
        ny, nx
            Its shape.
        """
        for places, size in ((self.rows, ny), (self.columns, nx)):
            if len(places) and not 0 <= places.min() <= places.max() < size:
                return None
        window = np.zeros((ny, nx), np.float64)
        window[self.rows, self.columns] = self.until
        return window


def read_windows(path: str | os.PathLike[str], detector: str) -> Windows | None:
    """Read what a file says of a detector.

    Parameters
    ----------
    path
        The file.
    detector
        The detector's name, as the keyword DETECTOR has it.

    Returns
    -------
    Windows or None
        None if there is no such file, or it has nothing of this detector.

    Raises
    ------
    InputError
        If it cannot be read, or is no file of this kind.
    """
    tree = read_plain_asdf(Path(path), _REMEDY)
    if tree is None or detector not in tree:
        return None
    windows = _windows_of(tree[detector])
    if windows is None:
        raise InputError(path, f"what it has of {detector} is no record of persistence", _REMEDY)
    return windows


def _windows_of(record: Any) -> Windows | None:
    try:
        rows, columns, until = (np.asarray(record[key]) for key in ("rows", "cols", "vals"))
        duration = record["pers_time"]
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    if not (rows.ndim == 1 and rows.shape == columns.shape == until.shape):
        return None
    if not isinstance(duration, (int, float)):
        return None
    kinds = rows.dtype.kind, columns.dtype.kind, until.dtype.kind
    # A list without anything in it has no kind.
    if rows.size and not (set(kinds[:2]) <= set("iu") and kinds[2] in "iuf"):
        return None
    places = rows.astype(np.int64), columns.astype(np.int64)
    return Windows(*places, until.astype(np.float64), duration)


def file_to_write(name: str) -> Path:
    """Give the file that a user's ``save_persistence`` means.

    Parameters
    ----------
    name
        The value of the parameter; another suffix than ``.asdf`` is replaced.
    """
    path = Path(name)
    return path if path.suffix == ".asdf" else path.parent / f"{path.stem}.asdf"


def require_writable(path: Path) -> None:
    """Refuse early what `write_windows` could not write.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        If there is a file already that a record cannot be added to.
    OutputError
        If there is no folder for it.
    """
    if not path.parent.is_dir():
        raise OutputError(path, "its folder does not exist", "make the folder first")
    read_plain_asdf(path, _REMEDY)


def write_windows(path: Path, detector: str, windows: Windows, exposure: str) -> None:
    """Write the open windows of a detector, beside what the file has of other ones.

    Parameters
    ----------
    path
        The file; it is replaced as a whole, or stays as it is.
    detector
        The detector's name.
    windows
        Its pixels.
    exposure
        Name of the exposure's file.

    Raises
    ------
    InputError
        If the file that is there already is none of this kind.
    OutputError
        If it cannot be written.
    """
    import asdf

    # A link goes on pointing to the file.
    path = Path(os.path.realpath(path))
    with _alone(path.parent):
        tree = read_plain_asdf(path, _REMEDY) or {}
        tree[detector] = {
            "filename": exposure,
            "rows": windows.rows,
            "cols": windows.columns,
            "vals": windows.until,
            "pers_time": windows.duration,
        }
        with replacing(path) as temporary:
            asdf.dump(tree, os.fspath(temporary))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from adding to the same file between our reading and writing it."""
    descriptor = None
    with suppress(OSError):  # some file systems know no locks
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)
