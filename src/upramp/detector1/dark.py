"""Subtract the dark ramp, its frames arranged as the exposure's groups are.

A reference of single frames is averaged once for a read-out (`prepare_dark`);
one that already has the exposure's groups is used where it lies. Frames that
the reference lacks are extrapolated from its last two.

Source: stcal/dark_current/dark_sub.py and jwst/dark_current/dark_current_step.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from upramp.errors import ReferenceFileError

from .kernels import array, b1, const, f4, i8, inner, kernel
from .tile_checks import check_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Dark",
    "average_dark_current",
    "dark_pixel_dq",
    "prepare_dark",
    "subtract_dark",
    "subtract_planes",
]


@dataclass(frozen=True)
class Dark:
    """A dark that has been prepared for exposures of one read-out.

    Parameters
    ----------
    frames
        (nints, n, ny, nx) float32, DN.
    averaged
        The frames are means made for this read-out. Otherwise they are the
        reference's own: NaN there counts as zero, and groups beyond the last
        are extrapolated when they are subtracted.
    by_integration
        The reference has integrations of its own (MIRI), even if only one.
    """

    frames: NDArray[np.float32]
    averaged: bool
    by_integration: bool


def prepare_dark(
    frames: NDArray[Any],
    dark_nframes: int,
    dark_groupgap: int,
    groups: int,
    nframes: int,
    groupgap: int,
) -> Dark | None:
    """Arrange a reference for a read-out.

    Parameters
    ----------
    frames
        (n, ny, nx) or, for MIRI, (nints, n, ny, nx) float32, C-contiguous, DN. Not changed, and
        kept by the result where its frames are the exposure's groups already.
    dark_nframes, dark_groupgap
        NFRAMES and GROUPGAP of the reference.
    groups, nframes, groupgap
        Groups per integration, NFRAMES and GROUPGAP of the exposure.

    Returns
    -------
    Dark or None
        None where the reference is coarser than the exposure: the step is skipped.

    Raises
    ------
    ReferenceFileError
        If the exposure is longer than the reference and that has a single
        group, which gives no slope; or if its own gaps leave frames out that the
        exposure needs. The official function fails there with an index out of range.

    Notes
    -----
    Source: stcal/dark_current/dark_sub.py. Sums of averages are float32, and
    float64 when the reference had to be extrapolated. A group for which a
    reference with several frames per group has no frames left is NaN, as there.
    """
    if dark_nframes > nframes or dark_groupgap > groupgap:
        return None
    by_integration = frames.ndim == 4
    planes = frames if by_integration else frames[np.newaxis]
    present = planes.shape[1]
    missing = _duration(groups, nframes, groupgap) - _duration(
        present, dark_nframes, dark_groupgap
    )
    extra = 0
    if missing > 0:
        if present < 2:
            raise ReferenceFileError(
                "dark",
                f"has one group and cannot be extended to the exposure's {groups}",
                "choose a dark reference with more groups",
            )
        extra = -(-(missing + dark_groupgap) // (dark_nframes + dark_groupgap))
    if nframes == dark_nframes and groupgap == dark_groupgap:
        return Dark(planes, averaged=False, by_integration=by_integration)
    if nframes == 1 and (groups - 1) * (1 + groupgap) >= present + extra:
        raise ReferenceFileError(
            "dark",
            f"has gaps of {dark_groupgap} frames and lacks frames of the exposure's last groups",
            "choose a dark reference without gaps",
        )
    means = np.empty((planes.shape[0], groups, *planes.shape[2:]), np.float32)
    _average(planes, extra, nframes, groupgap, means)
    return Dark(means, averaged=True, by_integration=by_integration)


def subtract_dark(
    ramp: NDArray[Any],
    dark: Dark,
    integration_start: int | None,
    y0: int,
    first: int,
    last: int,
) -> None:
    """Subtract a prepared dark from every group of a tile, in place.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx) float32, DN: all integrations of the file.
    dark
        From `prepare_dark` for this read-out.
    integration_start
        INTSTART of the exposure, None if it has none. A file that does not
        start with the first integration gets the dark's last one throughout.
    y0, first, last
        Row ``r`` of the tile is row ``y0 + r`` of the exposure; rows
        ``first <= r < last`` are changed.

    Raises
    ------
    ValueError
        If the dark was prepared for another read-out.

    Notes
    -----
    Source: stcal/dark_current/dark_sub.py. There an average is made for no more
    integrations than the file has; where the last one was not made, zero is
    subtracted. The same happens here.
    """
    check_tile(ramp, dark.frames, y0, first, last)
    nints, groups = ramp.shape[:2]
    if dark.averaged and dark.frames.shape[1] != groups:
        raise ValueError(f"a dark of {dark.frames.shape[1]} groups for a ramp of {groups}")
    count = dark.frames.shape[0]
    own = np.arange(nints)
    if integration_start is not None and integration_start != 1:
        own[:] = count
    picks = np.minimum(own, count - 1)
    if dark.averaged and dark.by_integration:
        picks[picks >= nints] = -1
    subtract_planes(ramp, dark.frames, picks, groups, not dark.averaged, y0, first, last)


def dark_pixel_dq(dq: NDArray[Any]) -> NDArray[Any]:
    """Collapse the reference's DQ into what the pixels' DQ gains.

    Parameters
    ----------
    dq
        (ny, nx), or (nints, 1, ny, nx) of MIRI.

    Returns
    -------
    ndarray
        (ny, nx).
    """
    return dq if dq.ndim == 2 else np.bitwise_or.reduce(dq[:, 0])


def average_dark_current(
    shape: tuple[int, int],
    parameter: float | None,
    image: NDArray[Any] | None,
    scalar: float | None,
    carried: NDArray[Any] | None = None,
) -> NDArray[np.float32] | None:
    """Choose the dark current whose Poisson noise the ramp fit adds.

    Parameters
    ----------
    shape
        (ny, nx).
    parameter
        ``average_dark_current`` of the step, if given.
    image
        AVDRKCUR extension of the reference, if it has one.
    scalar
        AVDRKCUR keyword of the reference, if it has one.
    carried
        The exposure's own AVDRKCUR extension, if it has one.

    Returns
    -------
    ndarray or None
        (ny, nx) float32; None where the exposure gets none (the ramp fit then takes zero).

    Notes
    -----
    Source: jwst/dark_current/dark_current_step.py. The reference's image is
    used there only if the exposure already carries one of the same shape,
    which an exposure straight from the detector never does.
    """
    if parameter is not None:
        return np.full(shape, parameter, np.float32)
    if image is None or np.sum(image) == 0.0:
        return np.full(shape, 0.0 if scalar is None else scalar, np.float32)
    if carried is not None and carried.shape == image.shape:
        return image
    return carried


def _duration(groups: int, nframes: int, groupgap: int) -> int:
    return groups * nframes + (groups - 1) * groupgap


@inner
def _extrapolated(older: Any, newest: Any, step: int) -> Any:
    # The slope is rounded to float32; what is made of it is float64.
    value = np.float64(newest - older) * np.float64(step) + np.float64(newest)
    return value if value == value else 0.0  # noqa: PLR0124 - NaN alone differs from itself


@kernel(array(f4, 4), const(f4, 4), const(i8, 1), i8, b1, i8, i8, i8)
def subtract_planes(
    ramp: Any,
    planes: Any,
    picks: Any,
    groups: int,
    nan_is_zero: bool,
    y0: int,
    first: int,
    last: int,
) -> None:
    """Subtract ``planes[picks[i], g]`` from integration i, group g < groups; skip a pick of -1.

    Groups beyond the last plane are extrapolated from the last two.
    """
    nints, _, _, nx = ramp.shape
    present = min(groups, planes.shape[1])
    for r in range(first, last):
        for i in range(nints):
            pick = picks[i]
            if pick < 0:
                continue
            for g in range(present):
                values = ramp[i, g, r]
                plane = planes[pick, g, y0 + r]
                if nan_is_zero:
                    for x in range(nx):
                        dark = plane[x]
                        values[x] -= dark if dark == dark else np.float32(0)  # noqa: PLR0124
                else:
                    for x in range(nx):
                        values[x] -= plane[x]
            for g in range(present, groups):
                values = ramp[i, g, r]
                newest = planes[pick, present - 1, y0 + r]
                older = planes[pick, present - 2, y0 + r]
                for x in range(nx):
                    dark = _extrapolated(older[x], newest[x], g - present + 1)
                    values[x] = np.float32(np.float64(values[x]) - dark)


@kernel(const(f4, 4), i8, i8, i8, array(f4, 4))
def _average(planes: Any, extra: int, nframes: int, groupgap: int, means: Any) -> None:
    count, groups, ny, nx = means.shape
    present = planes.shape[1]
    wide = np.empty(nx, np.float64)
    for k in range(count):
        for g in range(groups):
            start = g * (nframes + groupgap)
            stop = min(start + nframes, present + extra)
            for y in range(ny):
                mean = means[k, g, y]
                if stop <= start:
                    mean[:] = np.nan
                elif extra == 0:
                    # -0 is what leaves the first summand as it is.
                    mean[:] = np.float32(-0.0)
                    for frame in range(start, stop):
                        plane = planes[k, frame, y]
                        for x in range(nx):
                            dark = plane[x]
                            mean[x] += dark if dark == dark else np.float32(0)  # noqa: PLR0124
                    frames = np.float32(stop - start)
                    for x in range(nx):
                        mean[x] /= frames
                else:
                    wide[:] = -0.0
                    newest = planes[k, present - 1, y]
                    older = planes[k, present - 2, y]
                    for frame in range(start, stop):
                        plane = planes[k, min(frame, present - 1), y]
                        step = frame - present + 1
                        if step > 0:
                            for x in range(nx):
                                wide[x] += _extrapolated(older[x], newest[x], step)
                        else:
                            for x in range(nx):
                                dark = plane[x]
                                wide[x] += dark if dark == dark else np.float32(0)  # noqa: PLR0124
                    for x in range(nx):
                        mean[x] = np.float32(wide[x] / (stop - start))
