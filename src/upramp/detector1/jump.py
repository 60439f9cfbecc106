"""The jump step: which of its ways is taken, and what of it needs the whole frame.

Source: jwst/jump/jump_step.py, stcal/jump/jump.py. The step's ``maximum_cores``
decides nothing here: results are those of one core, whatever the threads.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP, PIXEL

from .tiles import in_rows
from .two_point import REACH, TwoPoint, find_jumps, lost_groups, mark_usable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .inputs import Readout, References
    from .state import State
    from .tiles import Tile

__all__ = [
    "JumpCounts",
    "JumpSearch",
    "flag_bad_gain",
    "flag_large_events",
    "needs_whole_frame",
    "search_by_clipping",
    "search_way",
]

MIN_GROUPS: Final = 3
"""The step is skipped for integrations of fewer groups."""

_MIN_USABLE: Final = 3
"""The official step, on one core, puts this in place of its parameter ``minimum_groups``."""

_NO_DATA: Final = np.uint8(GROUP["DO_NOT_USE"] | GROUP["SATURATED"])
_BAD_GAIN: Final = np.uint32(PIXEL["NO_GAIN_VALUE"] | PIXEL["DO_NOT_USE"])


@dataclass
class JumpCounts:
    """What the step found.

    Parameters
    ----------
    primary
        Groups flagged, before neighbours are; -99 where too few groups are usable.
    extended
        Snowballs, or showers if those are searched for.
    """

    primary: int = 0
    extended: int = 0


def flag_bad_gain(pixeldq: NDArray[np.uint32], gain: NDArray[np.float32]) -> None:
    """Flag pixels whose gain is no gain.

    Parameters
    ----------
    pixeldq
        (ny, nx), changed in place.
    gain
        (ny, nx).
    """
    pixeldq[~(gain > 0)] |= _BAD_GAIN


def search_way(
    parameters: Mapping[str, Any], usable: NDArray[np.bool_], nints: int, ngroups: int
) -> str:
    """Choose how jumps are searched for: none, clip, single or iterative.

    Parameters
    ----------
    parameters
        Of the step.
    usable
        (nints, ngroups): which groups some pixel can use.
    nints, ngroups
        Of the exposure.
    """
    total = int(usable.sum())
    least = ngroups - lost_groups(usable)
    over_integrations = parameters["only_use_ints"]
    enough = parameters["minimum_sigclip_groups"]
    clip_possible = (nints if over_integrations else total) >= enough
    if not clip_possible and least < _MIN_USABLE:
        return "none"
    if clip_possible:
        return "clip"
    return "single" if least - 1 >= parameters["min_diffs_single_pass"] else "iterative"


def two_point_of(
    parameters: Mapping[str, Any], gain_median: np.float32, group_time: float, way: str
) -> TwoPoint:
    """Give the settings of the search.

    Parameters
    ----------
    parameters
        Of the step.
    gain_median
        Thresholds in DN count with it.
    group_time
        Seconds.
    way
        What `search_way` chose.
    """
    # A Python number times a single precision one: single precision.
    electrons = [float(parameters[f"after_jump_flag_dn{n}"] * gain_median) for n in (1, 2)]
    groups = [int(parameters[f"after_jump_flag_time{n}"] // group_time) for n in (1, 2)]
    return TwoPoint(
        rejection_threshold=parameters["rejection_threshold"],
        three_group_rejection_threshold=parameters["three_group_rejection_threshold"],
        four_group_rejection_threshold=parameters["four_group_rejection_threshold"],
        flag_4_neighbors=parameters["flag_4_neighbors"],
        max_jump_to_flag_neighbors=parameters["max_jump_to_flag_neighbors"],
        min_jump_to_flag_neighbors=parameters["min_jump_to_flag_neighbors"],
        after_jump_e1=electrons[0],
        after_jump_n1=groups[0],
        after_jump_e2=electrons[1],
        after_jump_n2=groups[1],
        single_pass=way == "single",
        search=way in {"single", "iterative"},
    )


@dataclass
class JumpSearch:
    """Finds jumps in tiles, as far as no other part of the frame matters.

    Parameters
    ----------
    parameters
        Of the step.
    readout
        How the exposure was taken.
    references
        Its references.
    usable
        (nints, ngroups): which groups some pixel of the frame can use.
    """

    parameters: Mapping[str, Any]
    readout: Readout
    references: References
    usable: NDArray[np.bool_]
    searched: bool = False
    counts: JumpCounts = field(default_factory=JumpCounts)
    reach: int = REACH
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        nints, ngroups = self.usable.shape
        self.way = search_way(self.parameters, self.usable, nints, ngroups)
        refs = self.references
        gain, noise2, median = refs.gain, refs.noise2, refs.gain_median
        if gain is None or noise2 is None or median is None:
            raise ValueError("jumps are searched for with gain and readnoise")
        self._gain, self._noise2 = gain, noise2
        way = "flagged" if self.searched else self.way
        self._how = two_point_of(self.parameters, median, self.readout.group_time, way)
        if self.way == "none":
            self.counts.primary = -99

    def __call__(self, tile: Tile) -> None:
        """Flag the jumps of a tile."""
        if self.way == "none":
            _clear(tile)
            return
        primary = find_jumps(
            tile.ramp,
            tile.groupdq,
            self._gain,
            self._noise2,
            int(self.readout.nframes or 1),
            self._how,
            y0=tile.y0,
            first=tile.first,
            last=tile.last,
        )
        with self._lock:
            self.counts.primary += primary


def _clear(tile: Tile) -> None:
    """Take jumps back where there is no data, which the step does even where it finds none."""
    rows = tile.groupdq[:, :, tile.first : tile.last]
    rows[(rows & _NO_DATA) != 0] &= np.uint8(255 - GROUP["JUMP_DET"])


def needs_whole_frame(parameters: Mapping[str, Any], usable: NDArray[np.bool_]) -> bool:
    """Tell whether the step looks at more than a pixel's surroundings.

    Parameters
    ----------
    parameters
        Of the step.
    usable
        (nints, ngroups): which groups some pixel of the frame can use.
    """
    nints, ngroups = usable.shape
    clip = search_way(parameters, usable, nints, ngroups) == "clip"
    return clip or parameters["expand_large_events"] or parameters["find_showers"]


def _electrons(
    data: NDArray[np.float32], groupdq: NDArray[np.uint8], gain: NDArray[np.float32]
) -> NDArray[np.float32]:
    electrons = data * gain
    electrons[(groupdq & _NO_DATA) != 0] = np.nan
    return electrons


def search_by_clipping(state: State) -> None:
    """Flag what differs from the same difference in other integrations.

    Parameters
    ----------
    state
        The exposure; it is then in memory.
    """
    # Kernels that are seldom needed are loaded where they are.
    from .jump_sigma_clip import clear_covered_groups, covered_groups, flag_sigma_clipped

    data, groupdq = state.settle()
    groupdq = groupdq.copy()  # what was settled may be a ramp that is kept
    parameters, gain = state.parameters["jump"], state.references.gain
    if gain is None:
        raise ValueError("jumps are searched for with a gain")
    interval = np.ones(1)

    def flag(first: int, last: int) -> None:
        for low in range(first, last, 8):
            high = min(low + 8, last)
            tile = np.ascontiguousarray(groupdq[:, :, low:high])
            flag_sigma_clipped(
                _electrons(data[:, :, low:high], tile, gain[low:high]),
                tile,
                interval,
                parameters["rejection_threshold"],
                parameters["only_use_ints"],
                0,
                high - low,
            )
            groupdq[:, :, low:high] = tile

    in_rows(state.frame.ny, state.threads, flag)
    covered = covered_groups(groupdq, 0, state.frame.ny)
    clear_covered_groups(groupdq, covered, 0, state.frame.ny)
    state.replace(data, groupdq)


def flag_large_events(state: State, counts: JumpCounts) -> None:
    """Flag snowballs and showers.

    Parameters
    ----------
    state
        The exposure, in memory, with its jumps flagged.
    counts
        Gets how many there are.
    """
    parameters, refs = state.parameters["jump"], state.references
    data, groupdq = state.settle()
    time = state.readout.group_time
    if parameters["expand_large_events"]:
        from .snowballs import SnowballParameters, flag_snowballs

        names = SnowballParameters.__dataclass_fields__
        how = SnowballParameters(**{name: parameters[name] for name in names})
        counts.extended = flag_snowballs(groupdq, how, time)
    if parameters["find_showers"]:
        from .showers import ShowerParameters, flag_showers

        if refs.gain is None or refs.readnoise is None:
            raise ValueError("showers are searched for with gain and readnoise")
        names = ShowerParameters.__dataclass_fields__
        search = ShowerParameters(
            **{name: parameters[name] for name in names if name in parameters}
        )
        counts.extended = flag_showers(
            _electrons(data, groupdq, refs.gain),
            groupdq,
            state.pixeldq,
            refs.readnoise * refs.gain,
            search,
            time,
            int(state.readout.nframes or 1),
        )


def event_rates(
    counts: JumpCounts, usable: NDArray[np.bool_], group_time: float, pixels: int
) -> tuple[float, float] | None:
    """Give how often cosmic rays hit, as the products' headers have it.

    Parameters
    ----------
    counts
        What was found.
    usable
        (nints, ngroups): which groups some pixel can use, after the step.
    group_time
        Seconds.
    pixels
        How many the frame has.

    Returns
    -------
    tuple of float, or None
        Primary hits per 1000 pixels and second, extended events per million
        pixels and second; None if no group is left.
    """
    total = int(usable.sum()) - len(usable)
    if total < 1:
        return None
    time = group_time * total
    return 1000 * counts.primary / (time * pixels), 1e6 * counts.extended / (time * pixels)


def usable_now(groupdq: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which groups some pixel can use.

    Parameters
    ----------
    groupdq
        (nints, ngroups, ny, nx).
    """
    usable = np.zeros(groupdq.shape[:2], np.bool_)
    mark_usable(groupdq, usable, 0, groupdq.shape[2])
    return usable
