"""Exposures that are measured: the practice archive's, and longer ones made of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["FULL", "GROUPED", "SUBARRAY", "archive", "reshaped", "use_context"]

FULL = "jw99011001001_02101_{:05d}_nrcalong_uncal.fits"
"""2048 x 2048, one integration of 10 groups; four dithers."""
SUBARRAY = "jw99001001001_02101_{:05d}_nrcalong_uncal.fits"
"""640 x 640, one integration of 10 groups; four dithers."""
GROUPED = "jw99004001001_02101_00001_nrcalong_uncal.fits"

_PROGRAMS = ("nircam-long", "nircam-long-full", "nircam-grouped")


def archive() -> Path:
    """Give the practice archive that is measured on; make it if it is not there.

    Returns
    -------
    Path
        ``UPRAMP_BENCH_ARCHIVE``, or a folder beside the tests' archives.
    """
    from upramp.practice import make_archive
    from upramp.practice.archive import simulator_version

    chosen = os.environ.get("UPRAMP_BENCH_ARCHIVE")
    if chosen:
        return Path(chosen)
    folder = Path(__file__).parents[2] / ".practice" / f"bench-{simulator_version()}"
    folder.mkdir(parents=True, exist_ok=True)
    make_archive(folder, list(_PROGRAMS))
    return folder


def use_context(folder: Path, context: str) -> None:
    """Let this process find references in the archive alone.

    Parameters
    ----------
    folder
        The archive.
    context
        The CRDS context.
    """
    os.environ.pop("CRDS_SERVER_URL", None)
    os.environ |= {"CRDS_PATH": str(folder / "crds"), "CRDS_CONTEXT": context}


def reshaped(data: np.ndarray[Any, Any], nints: int, ngroups: int) -> np.ndarray[Any, Any]:
    """Make a longer exposure: groups between and beyond the real ones, integrations alike.

    It is no simulation of anything, only as much work as a real one: light goes
    on at the rate of the last groups, and read noise is added anew.

    Parameters
    ----------
    data
        (1, n, ny, nx) uint16.
    nints, ngroups
        How many there are to be.

    Returns
    -------
    ndarray
        (nints, ngroups, ny, nx) uint16.
    """
    rng = np.random.default_rng(3)
    first, last = data[0, 0].astype(np.float32), data[0, -1].astype(np.float32)
    step = (last - first) / (max(ngroups, data.shape[1]) - 1)
    made = np.empty((nints, ngroups, *data.shape[2:]), np.uint16)
    for i in range(nints):
        for g in range(ngroups):
            plane = first + step * np.float32(g)
            plane += rng.standard_normal(plane.shape, np.float32) * np.float32(5)
            hit = rng.integers(0, plane.size, plane.size // 3000)
            plane.reshape(-1)[hit] += np.float32(300)
            made[i, g] = np.clip(plane, 0, 65535)
    return made
