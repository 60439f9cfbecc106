"""How many of the events that hit a ramp are flagged, and how many flags have no event."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .rates import FLUX_EDGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "ENERGY_EDGES",
    "FAINT",
    "SIGNIFICANCE_EDGES",
    "STRONG",
    "Deposits",
    "Tally",
    "count_jumps",
    "deposits_of",
    "interval",
]

ENERGY_EDGES: Final = (10, 20, 50, 100, 150, 200, 300, 500, 1000, 2000, 5000, 10000, 100000)
"""Bins of the charge that an event left in a pixel, electrons."""

SIGNIFICANCE_EDGES: Final = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 50, 1000)
"""Bins of the same charge over the noise of the difference of two groups."""

STRONG: Final = 1000.0
"""Electrons above which events are counted by group."""

FAINT: Final = (3.0, 8.0)
"""Charge over noise of events near the threshold, which are counted by group too."""

_WILSON: Final = 1.0
"""Standard deviations that intervals of fractions span to either side."""


@dataclass(frozen=True)
class Deposits:
    """Charge that events left, one row for each integration, group and pixel.

    Parameters
    ----------
    integration, group, y, x
        Where, counted from zero; the group is the first that holds any of it.
    energy
        Electrons, all events of the group and pixel together.
    kind
        That of the event that left most: see `upramp.practice.cosmic_rays.KINDS`.
    divided
        Whether a part of it came while the group's frames were read, so that
        the step to the next group holds the rest.
    peak
        Whether none of the four neighbours got more in the same group.
    """

    integration: NDArray[np.int64]
    group: NDArray[np.int64]
    y: NDArray[np.int64]
    x: NDArray[np.int64]
    energy: NDArray[np.float64]
    kind: NDArray[np.int64]
    divided: NDArray[np.bool_]
    peak: NDArray[np.bool_]

    def steps(self, shape: tuple[int, int, int, int]) -> NDArray[np.bool_]:
        """Mark the groups whose difference from the group before holds any of the charge.

        Parameters
        ----------
        shape
            (nints, ngroups, ny, nx).
        """
        marked = np.zeros(shape, np.bool_)
        marked[self.integration, self.group, self.y, self.x] = True
        late = self.divided & (self.group + 1 < shape[1])
        marked[self.integration[late], self.group[late] + 1, self.y[late], self.x[late]] = True
        return marked


def deposits_of(
    hits: NDArray[Any], shape: tuple[int, int, int, int], frames: int, gap: int
) -> Deposits:
    """Add up the charge of a truth table by integration, group and pixel.

    Parameters
    ----------
    hits
        Table HITS of a truth file.
    shape
        (nints, ngroups, ny, nx).
    frames, gap
        Frames that a group averages, and frames that are dropped between groups.
    """
    place = tuple(np.asarray(hits[n], np.int64) for n in ("integration", "group", "y", "x"))
    inside = place[1] < shape[1]
    keys = np.ravel_multi_index(tuple(p[inside] for p in place), shape)
    energies = np.asarray(hits["energy"], np.float64)[inside]
    # The strongest of a place comes first, and is the one that np.unique points at.
    order = np.lexsort((-energies, keys))
    unique, first, inverse = np.unique(keys[order], return_index=True, return_inverse=True)
    energy = np.bincount(inverse, energies[order], len(unique)).astype(np.float64)
    turn = np.asarray(hits["frame"], np.int64)[inside] % (frames + gap)
    divided = np.bincount(inverse, ((turn > 0) & (turn < frames))[order], len(unique)) > 0
    kind = np.asarray(hits["kind"], np.int64)[inside][order][first]
    integration, group, y, x = np.unravel_index(unique, shape)
    peak = np.ones(len(unique), np.bool_)
    ny, nx = shape[2:]
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        there = (y + dy >= 0) & (y + dy < ny) & (x + dx >= 0) & (x + dx < nx)
        wanted = unique + dy * nx + dx
        at = np.minimum(np.searchsorted(unique, wanted), max(len(unique) - 1, 0))
        peak &= ~(there & (unique[at] == wanted) & (energy[at] > energy))
    return Deposits(integration, group, y, x, energy, kind, divided, peak)


@dataclass
class Tally:
    """Counts of trials and of successes by bin; they add up over exposures.

    Parameters
    ----------
    labels
        One for each bin.
    trials, found
        Counts.
    """

    labels: list[dict[str, Any]]
    trials: NDArray[np.int64]
    found: NDArray[np.int64]

    @classmethod
    def by_value(
        cls,
        edges: Sequence[float],
        values: NDArray[Any],
        trials: NDArray[Any],
        found: NDArray[Any],
    ) -> Tally:
        """Count by bins of a value.

        Parameters
        ----------
        edges
            Of the bins; the lower one belongs to a bin.
        values
            What they are bins of.
        trials, found
            How often each value was tried, and was successful; truth values or numbers.
        """
        places = np.digitize(values, edges)
        size = len(edges) + 1

        def count(weights: NDArray[Any]) -> NDArray[np.int64]:
            sums = np.bincount(places, np.asarray(weights, np.float64), size)
            return np.rint(sums[1:-1]).astype(np.int64)

        labels = [{"low": a, "high": b} for a, b in pairwise(edges)]
        return cls(labels, count(trials), count(found))

    @classmethod
    def by_number(
        cls,
        name: str,
        size: int,
        values: NDArray[Any],
        trials: NDArray[Any],
        found: NDArray[Any],
    ) -> Tally:
        """Count by a whole number from zero, as a group's.

        Parameters
        ----------
        name
            What the number is.
        size
            How many there are.
        values, trials, found
            See `by_value`.
        """
        counted = cls.by_value([k - 0.5 for k in range(size + 1)], values, trials, found)
        return cls([{name: k} for k in range(size)], counted.trials, counted.found)

    def __add__(self, other: Tally) -> Tally:
        """Add the counts of another exposure.

        Parameters
        ----------
        other
            Of the same bins.
        """
        if self.labels != other.labels:
            raise ValueError("counts of different bins cannot be added up")
        return Tally(self.labels, self.trials + other.trials, self.found + other.found)

    def rows(self) -> list[dict[str, Any]]:
        """Give fractions of bins that were tried, with intervals of one standard deviation."""
        rows = []
        for label, n, k in zip(
            self.labels, self.trials.tolist(), self.found.tolist(), strict=True
        ):
            if n:
                low, high = interval(k, n)
                rows.append(
                    {**label, "trials": n, "found": k, "fraction": k / n, "from": low, "to": high}
                )
        return rows


def interval(found: int, trials: int) -> tuple[float, float]:
    """Give the interval in which a fraction lies (Wilson 1927), one standard deviation wide.

    Parameters
    ----------
    found, trials
        Counts; at least one trial.
    """
    z2 = _WILSON**2
    fraction = found / trials
    middle = (fraction + z2 / (2 * trials)) / (1 + z2 / trials)
    half = np.sqrt(fraction * (1 - fraction) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return float(max(middle - _WILSON * half, 0)), float(min(middle + _WILSON * half, 1))


def count_jumps(
    flagged: NDArray[np.bool_],
    saturated: NDArray[np.bool_],
    unusable: NDArray[np.bool_],
    good: NDArray[np.bool_],
    deposits: Deposits,
    noise: NDArray[np.floating[Any]],
    true: NDArray[np.floating[Any]],
) -> dict[str, Tally]:
    """Count events that are flagged, and flags without an event.

    A step is a group and what it adds to the group before. A step can be judged
    if the pixel is good and neither of its two groups is saturated or otherwise
    unusable. The first group has no step: what falls before it cannot be seen.

    An event counts as flagged if JUMP_DET is set in the group that holds the
    first of its charge, or, where it fell between the frames that a group
    averages, in the next one. A step is quiet if no charge came with it to the
    pixel or to one of its four neighbours; a flag there is false. Where charge
    did come to one of these in an earlier step of the integration the false
    flag is an echo, which is counted apart from the others too.

    Parameters
    ----------
    flagged
        (nints, ngroups, ny, nx): where JUMP_DET is set.
    saturated, unusable
        The same shape: groups that are saturated, and groups that are not to be
        used for whatever reason, saturation included.
    good
        (ny, nx): pixels that count.
    deposits
        What fell.
    noise
        (ny, nx): of the difference of two groups, electrons.
    true
        (ny, nx): true rate, DN/s.

    Returns
    -------
    dict
        ``by_energy``, ``by_energy_peaks`` (pixels whose neighbours got less),
        ``by_significance`` (those pixels, by charge over noise), ``by_group``
        (from `STRONG` electrons on), ``by_group_faint`` (charge over noise as in
        `FAINT`, neighbours got less), ``by_kind``: events tried, and flagged.
        ``lost``: all events, and those whose step cannot be judged;
        ``saturating``: all events, and those whose own group is the first that
        saturates. ``false_by_group``, ``false_by_flux``: quiet steps, and false flags.
        ``false_echoes``: false flags, and the echoes among them.
    """
    d, shape = deposits, flagged.shape
    ngroups = shape[1]
    judged = np.zeros(shape, np.bool_)
    judged[:, 1:] = ~unusable[:, 1:] & ~unusable[:, :-1] & good
    where = (d.integration, d.group, d.y, d.x)
    tried = judged[where]
    late = d.integration, np.minimum(d.group + 1, ngroups - 1), d.y, d.x
    seen = tried & (flagged[where] | (d.divided & judged[late] & flagged[late]))
    earlier = d.integration, np.maximum(d.group - 1, 0), d.y, d.x
    fills = (d.group > 0) & good[d.y, d.x] & saturated[where] & ~saturated[earlier]
    all_events = np.ones(len(d.energy), np.bool_)
    one = np.zeros(len(d.energy), np.int64)
    significance = d.energy / noise[d.y, d.x]
    peaks, strong = d.peak, d.energy >= STRONG
    faint = peaks & (significance >= FAINT[0]) & (significance < FAINT[1])

    steps = d.steps(shape)
    near = steps.copy()
    near[:, :, 1:] |= steps[:, :, :-1]
    near[:, :, :-1] |= steps[:, :, 1:]
    near[..., 1:] |= steps[..., :-1]
    near[..., :-1] |= steps[..., 1:]
    judged &= ~near
    false = judged & flagged
    before = np.logical_or.accumulate(near, axis=1)
    echoes = int((false & before).sum())
    groups = np.arange(ngroups)
    quiet_by_group, false_by_group = judged.sum(axis=(0, 2, 3)), false.sum(axis=(0, 2, 3))
    quiet_by_pixel, false_by_pixel = judged.sum(axis=(0, 1)), false.sum(axis=(0, 1))
    return {
        "by_energy": Tally.by_value(ENERGY_EDGES, d.energy, tried, seen),
        "by_energy_peaks": Tally.by_value(ENERGY_EDGES, d.energy, tried & peaks, seen & peaks),
        "by_significance": Tally.by_value(
            SIGNIFICANCE_EDGES, significance, tried & peaks, seen & peaks
        ),
        "by_group": Tally.by_number("group", ngroups, d.group, tried & strong, seen & strong),
        "by_group_faint": Tally.by_number("group", ngroups, d.group, tried & faint, seen & faint),
        "by_kind": Tally.by_number("kind", 3, d.kind, tried, seen),
        "lost": Tally.by_number("all", 1, one, all_events, ~tried),
        "saturating": Tally.by_number("all", 1, one, all_events, fills),
        "false_by_group": Tally.by_number(
            "group", ngroups, groups, quiet_by_group, false_by_group
        ),
        "false_by_flux": Tally.by_value(
            FLUX_EDGES, true.ravel(), quiet_by_pixel.ravel(), false_by_pixel.ravel()
        ),
        "false_echoes": Tally.by_number(
            "all", 1, np.zeros(1, np.int64), np.array([false.sum()]), np.array([echoes])
        ),
    }
