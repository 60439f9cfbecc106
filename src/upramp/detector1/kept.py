"""A corrected ramp that is kept, to be searched for jumps and fitted again and again.

What is asked for may be the whole detector or a window of it: the numbers are
those that a whole run gives, bit for bit. A window is done by itself, with the
pixels around it that decide about it, unless the jump search looks for
snowballs or showers or compares integrations: then the search is done on the
whole detector once for each choice of its parameters, and the fit on the window.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import index
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp import spill
from upramp.dq import GROUP

from . import kernels
from .jump import (
    MIN_GROUPS,
    JumpCounts,
    JumpSearch,
    flag_bad_gain,
    needs_whole_frame,
    search_way,
    usable_now,
)
from .pipeline import Mask, search_whole_frame
from .ramp_fit import RampFit
from .state import State
from .tiles import Frame
from .trace import Correction, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .inputs import References
    from .ols import Rates
    from .tiles import Tile, TileStep

    Parameters = Mapping[str, Mapping[str, Any]]
    Window = tuple[slice, slice]

__all__ = ["KeptRamp", "Refit"]

_DNU: Final = np.uint8(GROUP["DO_NOT_USE"])
_IMAGES: Final = ("gain", "readnoise", "noise2", "read_noise")
"""References that jump and fit use."""


@dataclass(frozen=True)
class Refit:
    """Jumps and slopes of a window.

    Parameters
    ----------
    rates
        Slopes of the window, as `upramp.detector1.ols.Rates`.
    groupdq
        (nints, ngroups, rows, columns) uint8: flags as the fit saw them.
    window
        Rows and columns of the detector that they are of.
    counts
        Jumps found in the window and the pixels around it; where the whole
        detector was searched, on that, with its events.
    algorithm
        OLS_C or LIKELY.
    """

    rates: Rates
    groupdq: NDArray[np.uint8]
    window: Window
    counts: JumpCounts
    algorithm: str


@dataclass
class KeptRamp:
    """A corrected ramp, as it is before jumps are searched for.

    Parameters
    ----------
    state
        The exposure, in memory, with every step before the jump search done.
    dark_current
        (ny, nx), or None.
    trace
        What each correction did to a pixel, as far as it can be told.
    """

    state: State
    dark_current: NDArray[np.float32] | None = None
    trace: Trace = field(default_factory=Trace)

    def __post_init__(self) -> None:
        self.data, self.groupdq = self.state.settle()
        if spill.wanted():
            self._hold_in_files()
        self._usable = usable_now(self.groupdq)
        self._searched: tuple[Any, NDArray[np.uint8], JumpCounts] | None = None
        self._latest: tuple[Window, dict[str, Any]] | None = None

    def _hold_in_files(self) -> None:
        """Move what a search and a fit look at into files; the ramp was made in one."""
        state = self.state
        state.pixeldq = spill.spilled(state.pixeldq)
        if state.zeroframe is not None:
            state.zeroframe = spill.spilled(state.zeroframe)
        images: dict[str, Any] = {name: getattr(state.references, name) for name in _IMAGES}
        moved: dict[str, Any] = {
            name: spill.spilled(each) for name, each in images.items() if each is not None
        }
        state.references = replace(state.references, **moved)
        if self.dark_current is not None:
            self.dark_current = spill.spilled(self.dark_current)

    def corrections(self, x: int, y: int) -> list[Correction]:
        """Give a pixel's ramp as it was read, after each correction, and as jumps are searched in.

        Parameters
        ----------
        x, y
            Column and row, from 0.

        Raises
        ------
        ValueError
            If there is no such pixel.
        """
        frame = self.state.frame
        if not (0 <= x < frame.nx and 0 <= y < frame.ny):
            raise ValueError(f"({x}, {y}) is not on {frame.ny} rows of {frame.nx} pixels")
        found = self.trace.of(x, y)
        if self.trace.missed or not found:
            name = ", ".join(self.trace.missed) if found else "corrected"
            data, groupdq = self.data[..., y, x].copy(), self.groupdq[..., y, x].copy()
            found.append(Correction(name, data, groupdq))
        return found

    def significance(self, jump: Mapping[str, Any], threads: int = 1) -> NDArray[np.float32]:
        """Give the image that ``rejection_threshold`` can be laid on: see `significance`.

        Parameters
        ----------
        jump
            Parameters of the step.
        threads
            How many parts of the image are done at once.

        Returns
        -------
        ndarray
            (nints, ny, nx) float32, in sigma.
        """
        from .significance import significance  # the kernel is seldom needed

        references, frame = self.state.references, self.state.frame
        if references.gain is None or references.noise2 is None:
            return np.zeros((frame.nints, frame.ny, frame.nx), np.float32)
        kernels.prepare()
        limit = float(jump["rejection_threshold"])
        return significance(
            self.data,
            self.groupdq,
            references.gain,
            references.noise2,
            int(self.state.readout.nframes or 1),
            float(jump["three_group_rejection_threshold"]) / limit,
            float(jump["four_group_rejection_threshold"]) / limit,
            single_pass=search_way(jump, self._usable, frame.nints, frame.ngroups) == "single",
            threads=threads,
        )

    def refit(
        self,
        parameters: Parameters,
        window: Window | None = None,
        *,
        mask: Mask | None = None,
        threads: int = 1,
    ) -> Refit:
        """Search for jumps and fit.

        Parameters
        ----------
        parameters
            Of the steps ``jump`` and ``ramp_fit``, by the official names.
        window
            Rows and columns; None for the whole detector.
        mask
            A user's flags for the whole detector, set between jump and fit.
        threads
            How many tiles are done at once.

        Raises
        ------
        ValueError
            If the window is none, empty or not on the detector.
        """
        ny, nx = self.state.frame.ny, self.state.frame.nx
        rows, columns = _bounds(window, ny, nx)
        jump = parameters["jump"]
        jumps = not jump["skip"] and self.state.frame.ngroups >= MIN_GROUPS
        flags, counts = self.groupdq, JumpCounts()
        if jumps and needs_whole_frame(jump, self._usable):
            flags, counts = self._search(jump, parameters, threads)
            jumps = False
        whole = (rows, columns) == (slice(0, ny), slice(0, nx))
        margin = 0 if whole or not jumps else 1
        part = _Part(rows, columns, margin, ny, nx)
        state = self._cut(part, flags, parameters, jumps=not jump["skip"], threads=threads)
        steps: list[TileStep] = []
        search = None
        if jumps:
            search = JumpSearch(jump, state.readout, state.references, self._usable)
            steps.append(search)
        if mask is not None:
            own = mask.flags[..., part.outer[0], part.outer[1]]
            steps.append(Mask(own, mask.replaces))
        result = spill.empty(state.frame.shape, np.uint8)
        steps.append(_Store(result))
        usable = self._usable if flags is self.groupdq and mask is None else None
        if usable is None:
            usable = self._usable_with(flags, mask)
        fit = RampFit(state, self._kept_of(part)["dark"], usable)
        state.run(*steps, fit)
        return Refit(
            rates=part.inner_of(fit.rates),
            groupdq=result[:, :, part.inner[0], part.inner[1]],
            window=(rows, columns),
            counts=counts if search is None else search.counts,
            algorithm=fit.algorithm,
        )

    def _usable_with(self, flags: NDArray[np.uint8], mask: Mask | None) -> NDArray[np.bool_]:
        """Tell which groups some pixel can use once large events and a mask are flagged."""
        usable = self._usable if flags is self.groupdq else usable_now(flags)
        if mask is None:
            return usable
        lost = (mask.flags & _DNU) != 0
        if not lost.any():
            return usable
        with_mask = flags.copy()
        groups = with_mask[:, 1:] if lost.ndim == 2 else with_mask
        groups |= lost.astype(np.uint8)
        return usable_now(with_mask)

    def _search(
        self, jump: Mapping[str, Any], parameters: Parameters, threads: int
    ) -> tuple[NDArray[np.uint8], JumpCounts]:
        """Search the whole detector, or give what was found with the same parameters."""
        key = tuple(sorted((name, repr(value)) for name, value in jump.items()))
        if self._searched is None or self._searched[0] != key:
            state = self._fresh(parameters, threads)
            outcome = search_whole_frame(state, self._usable)
            _, flags = state.settle()
            self._searched = key, flags, outcome.counts
        return self._searched[1], self._searched[2]

    def _fresh(self, parameters: Parameters, threads: int) -> State:
        state = self.state
        pixeldq = state.pixeldq.copy()
        if state.references.gain is not None:
            flag_bad_gain(pixeldq, state.references.gain)
        made = State(
            readout=state.readout,
            references=state.references,
            parameters=parameters,
            frame=state.frame,
            ramp=state.ramp,
            flags=state.flags,
            pixeldq=pixeldq,
            zeroframe=state.zeroframe,
            threads=threads,
        )
        made.data, made.groupdq = self.data, self.groupdq
        return made

    def _cut(
        self,
        part: _Part,
        flags: NDArray[np.uint8],
        parameters: Parameters,
        *,
        jumps: bool,
        threads: int,
    ) -> State:
        state = self.state
        kept = self._kept_of(part)
        pixeldq, references = kept["pixeldq"].copy(), kept["references"]
        if jumps and references.gain is not None:
            flag_bad_gain(pixeldq, references.gain)
        made = State(
            readout=state.readout,
            references=references,
            parameters=parameters,
            frame=Frame(*kept["data"].shape),
            ramp=state.ramp,
            flags=state.flags,
            pixeldq=pixeldq,
            zeroframe=kept["zeroframe"],
            threads=threads,
        )
        made.replace(kept["data"], part.cut(flags))
        return made

    def _kept_of(self, part: _Part) -> dict[str, Any]:
        """Cut out what is not changed; the latest window's is kept, since a slider asks for it."""
        if self._latest is None or self._latest[0] != part.outer:
            state = self.state
            made = {
                "data": part.cut(self.data),
                "pixeldq": part.cut(state.pixeldq),
                "references": part.references(state.references),
                "zeroframe": None if state.zeroframe is None else part.cut(state.zeroframe),
                "dark": None if self.dark_current is None else part.cut(self.dark_current),
            }
            self._latest = part.outer, made
        return self._latest[1]


def _bounds(window: Any, ny: int, nx: int) -> Window:
    """Give both ends of a window's sides, which a slice may leave out."""
    if window is None:
        return slice(0, ny), slice(0, nx)
    sides = window if isinstance(window, (tuple, list)) else ()
    if len(sides) != 2 or not all(isinstance(side, slice) for side in sides):
        raise ValueError(f"{window!r} is no pair of slices")
    try:
        ends = [
            (
                0 if side.start is None else index(side.start),
                size if side.stop is None else index(side.stop),
                1 if side.step is None else index(side.step),
            )
            for side, size in zip(sides, (ny, nx), strict=True)
        ]
    except TypeError:
        raise ValueError(f"{window!r} has ends that are no whole numbers") from None
    if any(step != 1 for *_, step in ends):
        raise ValueError(f"{window!r} leaves pixels out")
    (top, bottom, _), (left, right, _) = ends
    if not (0 <= top < bottom <= ny and 0 <= left < right <= nx):
        raise ValueError(
            f"rows {top}:{bottom} and columns {left}:{right} are not on {ny} x {nx} pixels"
        )
    return slice(top, bottom), slice(left, right)


class _Part:
    """A window of the detector, with some pixels around it."""

    def __init__(self, rows: slice, columns: slice, margin: int, ny: int, nx: int) -> None:
        top, left = max(rows.start - margin, 0), max(columns.start - margin, 0)
        bottom, right = min(rows.stop + margin, ny), min(columns.stop + margin, nx)
        self.outer = slice(top, bottom), slice(left, right)
        self.inner = (
            slice(rows.start - top, rows.stop - top),
            slice(columns.start - left, columns.stop - left),
        )
        self._all = (top, left, bottom, right) == (0, 0, ny, nx)

    def cut(self, array: NDArray[Any]) -> NDArray[Any]:
        """Give the part of an array whose last axes are rows and columns, contiguous."""
        if self._all:
            return array
        return np.ascontiguousarray(array[..., self.outer[0], self.outer[1]])

    def references(self, references: References) -> References:
        if self._all:
            return references
        cut: dict[str, Any] = {}
        for name in _IMAGES:
            image = getattr(references, name)
            cut[name] = None if image is None else self.cut(image)
        return replace(references, **cut)

    def inner_of(self, rates: Rates) -> Rates:
        rows, columns = self.inner
        return replace(
            rates,
            rate=rates.rate[..., rows, columns],
            rate_dq=rates.rate_dq[rows, columns],
            rateints=rates.rateints[..., rows, columns],
            rateints_dq=rates.rateints_dq[..., rows, columns],
        )


@dataclass
class _Store:
    """Keeps the flags of tiles."""

    flags: NDArray[np.uint8]
    reach: int = 0

    def __call__(self, tile: Tile) -> None:
        rows = slice(tile.y0 + tile.first, tile.y0 + tile.last)
        self.flags[:, :, rows] = tile.groupdq[:, :, tile.first : tile.last]
