"""Flicker noise, taken out of the differences of groups.

Each difference of two groups gets a level, which is put back, and stripes,
which are not: medians of lines, of the pixels that show nothing but sky. Groups
are measured apart from one another; what is measured is then subtracted row by
row.

Source: jwst/clean_flicker_noise/clean_flicker_noise.py.
"""

from __future__ import annotations

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .flicker_background import clip, clip_exactly, model_background
from .flicker_kernels import add_up, difference, median_of_columns, median_of_rows
from .flicker_parameters import CHANNELS, FULL
from .flicker_ranks import SIGMA, kept_ranks, median_of_two
from .ranked import Ranked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .flicker_parameters import Cleaning

__all__ = ["Noise", "clean_by_model", "line_medians", "measure", "subtract"]

_UNLIMITED: Final = np.array([-np.inf, np.inf, -np.inf, np.inf], np.float32)
_NOTHING: Final = np.zeros((0, 0), np.float32)


@dataclass(frozen=True)
class Noise:
    """What was measured of an exposure.

    Parameters
    ----------
    background
        (nints, ngroups - 1) float32, DN: what stripes are counted from.
    stripes
        (nints, ngroups - 1, lines, channels) float32, DN.
    cleaned
        (nints, ngroups - 1) bool: False where no pixel shows the sky.
    """

    background: NDArray[np.float32]
    stripes: NDArray[np.float32]
    cleaned: NDArray[np.bool_]


class _Room:
    """What a thread writes into."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.image = np.empty(shape, np.float32)
        self.mask = np.empty(shape, np.bool_)
        self.values = np.empty(self.image.size, np.float32)


def measure(
    data: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    scene: NDArray[np.bool_],
    cleaning: Cleaning,
    threads: int = 1,
) -> Noise:
    """Measure level and stripes of each difference of groups.

    Parameters
    ----------
    data, groupdq
        (nints, ngroups, ny, nx); not changed.
    scene
        Which pixels show the sky, (ny, nx) or (nints, ny, nx).
    cleaning
        How to clean; not by a model.
    threads
        How many differences at once.
    """
    nints, ngroups, ny, nx = data.shape
    steps = max(ngroups - 1, 0)
    lines = nx if cleaning.axis == 0 else ny
    noise = Noise(
        np.zeros((nints, steps), np.float32),
        np.zeros((nints, steps, lines, cleaning.channels), np.float32),
        np.zeros((nints, steps), np.bool_),
    )
    flat = _NOTHING if cleaning.flat is None else cleaning.flat
    rooms = threading.local()

    def work(place: tuple[int, int]) -> None:
        i, j = place
        room = getattr(rooms, "room", None)
        if room is None:
            room = rooms.room = _Room((ny, nx))
        its_scene = scene if scene.ndim == 2 else scene[i]
        difference(
            data[i, j + 1], data[i, j], groupdq[i, j + 1], its_scene, flat, room.image, room.mask
        )
        if room.mask.any():
            noise.cleaned[i, j] = True
            noise.background[i, j] = _measure_one(room, cleaning, noise.stripes[i, j])

    places = list(np.ndindex(nints, steps))
    if threads == 1 or len(places) < 2:
        for place in places:
            work(place)
    else:
        with ThreadPoolExecutor(min(threads, len(places)), thread_name_prefix="upramp") as pool:
            for done in [pool.submit(work, place) for place in places]:
                done.result()
    return noise


def _measure_one(room: _Room, cleaning: Cleaning, stripes: NDArray[np.float32]) -> np.float32:
    """Measure a difference: give its level, and write its stripes."""
    image, mask = room.image, room.mask
    if not cleaning.level:
        _stripes(image, mask, cleaning.axis, stripes)
        return np.float32(0)
    found = _level_and_limits(room, cleaning.n_sigma)
    if found is None:
        return _measure_exactly(image, mask, cleaning, stripes)
    level, limits = found
    median = median_of_rows if cleaning.axis == 1 else median_of_columns
    median(image, mask, limits, level, stripes)
    return level


def _level_and_limits(
    room: _Room, n_sigma: float
) -> tuple[np.float32, NDArray[np.float32]] | None:
    """Give the sky's level, and between what values sky is, before and after it is subtracted.

    Returns None if rounding decides.
    """
    ranked = Ranked(room.image, room.mask, room.values)
    sky = kept_ranks(ranked, SIGMA, SIGMA, lower_half=True)
    if sky is None:
        return None
    start, end = sky
    level = median_of_two(ranked, start, end)
    limits = _UNLIMITED.copy()
    limits[:2] = ranked.value(start), ranked.value(end - 1)
    if n_sigma > 0:
        ranked = ranked.shift(start, end, level)
        kept = kept_ranks(ranked, n_sigma, n_sigma, lower_half=True)
        if kept is None:
            return None
        limits[2:] = ranked.value(kept[0]), ranked.value(kept[1] - 1)
    return level, limits


def _measure_exactly(
    image: NDArray[np.float32],
    mask: NDArray[np.bool_],
    cleaning: Cleaning,
    stripes: NDArray[np.float32],
) -> np.float32:
    clip_exactly(image, mask, lower=SIGMA, upper=SIGMA, lower_half=True)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        level = np.float32(np.nanmedian(image[mask]))
        image -= level
    if cleaning.n_sigma > 0:
        clip_exactly(image, mask, lower=cleaning.n_sigma, upper=cleaning.n_sigma, lower_half=True)
    _stripes(image, mask, cleaning.axis, stripes)
    return level


def line_medians(
    image: NDArray[np.float32], mask: NDArray[np.bool_], axis: int
) -> NDArray[np.float32]:
    """Compute the median of each line, 0 where no pixel counts.

    Parameters
    ----------
    image
        (ny, nx).
    mask
        (ny, nx): which pixels count.
    axis
        1 if lines are rows, 0 if they are columns.
    """
    medians = np.empty((image.shape[1 - axis], 1), np.float32)
    _stripes(image, mask, axis, medians)
    return medians[:, 0]


def _stripes(
    image: NDArray[np.float32],
    mask: NDArray[np.bool_],
    axis: int,
    stripes: NDArray[np.float32],
) -> None:
    """Compute medians of lines, without any limits."""
    if np.isfinite(image[mask]).all():
        median = median_of_rows if axis == 1 else median_of_columns
        median(image, mask, _UNLIMITED, np.float32(0), stripes)
        return
    # What the median of infinite values is, only numpy can say.
    masked = np.ma.array(image, mask=~mask)
    for c, part in _parts(axis, image.shape, stripes.shape[1]):
        with np.errstate(all="ignore"):
            found: Any = np.ma.median(masked[part], axis=axis)  # type: ignore[no-untyped-call]
            stripes[:, c] = np.ma.filled(found, 0.0)


def _parts(axis: int, shape: Sequence[int], channels: int) -> list[tuple[int, tuple[slice, ...]]]:
    """Give the channels of an image: the number of each, and where it is."""
    size = shape[axis] // channels
    parts = [slice(c * size, (c + 1) * size) for c in range(channels)]
    return [(c, (slice(None), p) if axis == 1 else (p,)) for c, p in enumerate(parts)]


def subtract(
    ramp: NDArray[np.float32],
    noise: Noise,
    cleaning: Cleaning,
    y0: int,
    first: int,
    last: int,
) -> None:
    """Take measured stripes out of a tile.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx), changed in place.
    noise
        What was measured.
    cleaning
        What it was measured by.
    y0, first, last
        Row ``r`` of the tile is row ``y0 + r`` of the exposure; rows
        ``first <= r < last`` are changed.
    """
    flat = _NOTHING if cleaning.flat is None else cleaning.flat
    size = FULL // CHANNELS
    if cleaning.channels == 1:
        # A column is longer than any tile.
        size = ramp.shape[3] if cleaning.axis == 1 else np.iinfo(np.int64).max
    add_up(
        ramp,
        noise.cleaned,
        noise.background,
        noise.stripes,
        flat,
        cleaning.axis,
        size,
        y0,
        first,
        last,
    )


def clean_by_model(
    data: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    scene: NDArray[np.bool_],
    cleaning: Cleaning,
) -> None:
    """Clean an exposure above a model of the sky.

    Parameters
    ----------
    data
        (nints, ngroups, ny, nx) float32, changed in place.
    groupdq
        The same shape.
    scene
        Which pixels show the sky, (ny, nx) or (nints, ny, nx).
    cleaning
        How to clean.
    """
    nints, ngroups, ny, nx = data.shape
    room = _Room((ny, nx))
    lines = nx if cleaning.axis == 0 else ny
    stripes = np.empty((lines, cleaning.channels), np.float32)
    flat = _NOTHING if cleaning.flat is None else cleaning.flat
    for i in range(nints):
        its_scene = scene if scene.ndim == 2 else scene[i]
        cleaned = np.zeros(ngroups, np.bool_)
        # From the end, so that groups are as they were when their differences are made.
        for j in range(ngroups - 1, 0, -1):
            before, after = data[i, j - 1], data[i, j]
            difference(after, before, groupdq[i, j], its_scene, flat, room.image, room.mask)
            if not room.mask.any():
                continue
            cleaned[j] = True
            lost = np.isnan(after - before)
            background = model_background(room.image, room.mask, cleaning.box)
            # Single precision already, by every photutils that follows its documentation.
            above = np.asarray(room.image - background, np.float32)
            if cleaning.n_sigma > 0:
                sigma = cleaning.n_sigma
                clip(above, room.mask, room.values, lower=sigma, upper=sigma, lower_half=True)
            _stripes(above, room.mask, cleaning.axis, stripes)
            for c, part in _parts(cleaning.axis, above.shape, cleaning.channels):
                above[part] -= stripes[:, c].reshape((-1, 1) if cleaning.axis == 1 else (1, -1))
            above += background
            if cleaning.flat is not None:
                above *= cleaning.flat
            above[lost] = np.nan
            data[i, j] = above
        for j in range(1, ngroups):
            if cleaned[j]:
                data[i, j] += data[i, j - 1]
