"""The ramp fit: which algorithm, of which groups, into which arrays.

Source: jwst/ramp_fitting/ramp_fit_step.py, stcal/ramp_fitting/ramp_fit.py and
ols_fit.py. The step's ``maximum_cores`` decides nothing here: results are
those of one core, whatever the threads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP

from .kernels import array, b1, const, i8, kernel, u1
from .ols import Rates, fit_ols, weight_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .inputs import Readout
    from .likely_covariance import Covariance
    from .ols_optional import OptionalFit
    from .state import State
    from .tiles import Tile

__all__ = ["RampFit", "choose_algorithm", "group_limits"]

_LIKELY_MIN_GROUPS: Final = 4
_DNU: Final = np.uint8(GROUP["DO_NOT_USE"])
_SAT: Final = np.uint8(GROUP["SATURATED"])


def choose_algorithm(parameters: Mapping[str, Any], readout: Readout, ngroups: int) -> str:
    """Choose between OLS_C and LIKELY as the official step does.

    Parameters
    ----------
    parameters
        Of the step.
    readout
        How the exposure was taken.
    ngroups
        Groups of an integration.
    """
    algorithm = str(parameters["algorithm"]).upper()
    if readout.read_times:
        algorithm = "LIKELY"
    return "OLS_C" if ngroups < _LIKELY_MIN_GROUPS else algorithm


def group_limits(parameters: Mapping[str, Any], ngroups: int) -> tuple[int, int]:
    """Give the first and the last group that are fitted.

    Parameters
    ----------
    parameters
        Of the step: ``firstgroup`` and ``lastgroup``, counted from 0, or None.
    ngroups
        Groups of an integration.
    """
    first, last = parameters["firstgroup"], parameters["lastgroup"]
    first = 0 if first is None else max(first, 0)
    last = ngroups - 1 if last is None else min(last, ngroups - 1)
    # Limits that leave nothing are ignored.
    return (first, last) if first < last else (0, ngroups - 1)


@kernel(const(u1, 4), array(b1, 1), i8, i8)
def _unsaturated_start(groupdq: Any, found: Any, first: int, last: int) -> None:
    nints, _, _, nx = groupdq.shape
    for i in range(nints):
        for y in range(first, last):
            row = groupdq[i, 0, y]
            for x in range(nx):
                if (row[x] & _SAT) == 0:
                    found[0] = True
                    return


@dataclass
class RampFit:
    """Fits the ramps of tiles.

    Parameters
    ----------
    state
        The exposure; its pixels' flags must be final.
    dark_current
        (ny, nx), or None.
    usable
        (nints, ngroups): which groups some pixel of the frame can use.

    Attributes
    ----------
    rates
        The slopes.
    chisq
        (ny, nx): chi squared of LIKELY, if ``save_opt`` asks for it.
    optional
        What OLS_C knows of segments, if ``save_opt`` asks for it.
    """

    state: State
    dark_current: NDArray[np.float32] | None
    usable: NDArray[np.bool_]
    reach: int = 0
    rates: Rates = field(init=False)
    chisq: NDArray[np.float32] | None = None
    optional: OptionalFit | None = None

    def __post_init__(self) -> None:
        state, readout = self.state, self.state.readout
        nints, ngroups, ny, nx = state.frame.shape
        parameters = state.parameters["ramp_fit"]
        self.algorithm = choose_algorithm(parameters, readout, ngroups)
        self._first, self._last = group_limits(parameters, ngroups)
        usable = self.usable.copy()
        usable[:, : self._first] = False
        usable[:, self._last + 1 :] = False
        self._lead, self._end = 0, ngroups
        if readout.is_miri and ngroups > 1 and self.algorithm == "OLS_C":
            self._lead, self._end = _kept_groups(usable)
        self.possible = self._end - self._lead >= (2 if readout.is_miri and ngroups > 1 else 1)
        self.rates = Rates.empty(nints, ny, nx)
        self._started = np.zeros(1, np.bool_)
        self._suppress = bool(parameters["suppress_one_group"])
        refs = state.references
        if refs.gain is None or refs.read_noise is None or refs.readnoise is None:
            raise ValueError("ramps are fitted with gain and readnoise")
        self._gain, self._read_noise, self._readnoise = refs.gain, refs.read_noise, refs.readnoise
        self._covariance: Covariance | None = None
        if self.algorithm == "LIKELY":
            self._covariance = self._likely_covariance()
            if parameters["save_opt"]:
                self.chisq = np.empty((ny, nx), np.float32)
        else:
            self._table = weight_table(self._end - self._lead)
            if parameters["save_opt"]:
                self.optional = _optional_fit(readout, (nints, ny, nx))

    def _likely_covariance(self) -> Covariance:
        from .likely_covariance import covariance_of, even_read_times, split_zero_read

        readout = self.state.readout
        times: Any = readout.read_times or even_read_times(
            self.state.frame.ngroups,
            int(readout.nframes or 1),
            readout.groupgap,
            readout.frame_time,
        )
        if self.state.zeroframe is not None:
            with_zero = split_zero_read(times)
            if with_zero is not None:
                return covariance_of(with_zero, zero_read=True)
        return covariance_of(times)

    @property
    def has_result(self) -> bool:
        """Whether there are ramps to fit; known after all tiles."""
        return self.possible and (self.algorithm == "LIKELY" or bool(self._started[0]))

    def __call__(self, tile: Tile) -> None:
        """Fit the ramps of a tile."""
        if not self.possible:
            return
        if self._first > 0:
            tile.groupdq[:, : self._first, tile.first : tile.last] |= _DNU
        if self._last < self.state.frame.ngroups - 1:
            tile.groupdq[:, self._last + 1 :, tile.first : tile.last] |= _DNU
        if self._covariance is not None:
            self._fit_likely(tile, self._covariance)
        else:
            self._fit_ols(tile)

    def _fit_likely(self, tile: Tile, covariance: Covariance) -> None:
        from .likely import fit_likely

        fit_likely(
            tile.ramp,
            tile.groupdq,
            self.state.pixeldq,
            self._gain,
            self._readnoise,
            self.rates,
            covariance=covariance,
            nframes=int(self.state.readout.nframes or 1),
            dark_current=self.dark_current,
            zeroframe=self.state.zeroframe if covariance.zero_read else None,
            chisq=self.chisq,
            y0=tile.y0,
            first=tile.first,
            last=tile.last,
        )

    def _fit_ols(self, tile: Tile) -> None:
        readout = self.state.readout
        ramp, groupdq = tile.ramp, tile.groupdq
        if (self._lead, self._end) != (0, ramp.shape[1]):
            ramp = np.ascontiguousarray(ramp[:, self._lead : self._end])
            groupdq = np.ascontiguousarray(groupdq[:, self._lead : self._end])
        if not self._started[0]:
            _unsaturated_start(groupdq, self._started, tile.first, tile.last)
        arrays = ramp, groupdq, self.state.pixeldq, self._gain, self._read_noise
        how: dict[str, Any] = {
            "table": self._table,
            "group_time": readout.group_time,
            "frame_time": readout.frame_time,
            "nframes": int(readout.nframes or 1),
            # Decided by the groups there were before any was taken off.
            "suppress_one_group": self._suppress and self.state.frame.ngroups > 1,
            "forget_first_jump": self._lead > 0,
            "dark_current": self.dark_current,
            "zeroframe": self.state.zeroframe,
            "y0": tile.y0,
            "first": tile.first,
            "last": tile.last,
        }
        fit_ols(*arrays, self.rates, **how)
        if self.optional is not None:
            self.optional.add(*arrays, **how)


def _optional_fit(readout: Readout, shape: tuple[int, int, int]) -> OptionalFit:
    from .ols_optional import OptionalFit, pedestal_weight

    weight = pedestal_weight(int(readout.nframes or 1), readout.groupgap, readout.drop_frames1)
    return OptionalFit(shape, weight)


def _kept_groups(usable: NDArray[np.bool_]) -> tuple[int, int]:
    """Leave out leading groups and one at the end that no pixel of any integration can use."""
    any_integration: NDArray[np.bool_] = np.logical_or.reduce(usable, axis=0)
    if not any_integration.any():
        return 0, 0
    lead = int(np.argmax(any_integration))
    end = len(any_integration)
    return lead, end if any_integration[-1] else end - 1
