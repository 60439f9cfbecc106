"""The step persistence for the fused engine: its parameters, its file, what it leaves behind.

Source: jwst/persistence/persistence_step.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.detector1.persistence import flag_persistence, group_ends
from upramp.errors import InputError, UsageError

from .persistence_file import (
    Windows,
    file_to_write,
    read_windows,
    require_writable,
    write_windows,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from upramp.detector1.inputs import Readout
    from upramp.detector1.state import State
    from upramp.detector1.tiles import Tile

__all__ = ["Persistence"]

_STEP: Final = "persistence"


class _FlagTiles:
    """Flags the groups of tiles while windows open and close; for one pass."""

    reach = 0

    def __init__(
        self,
        window: NDArray[np.float64],
        ends: NDArray[np.float64],
        parameters: Mapping[str, Any],
    ) -> None:
        self.window = window
        self._ends = ends
        self._duration = float(parameters["persistence_time"])
        self._threshold: float | None = parameters["dn_threshold"]
        self._do_not_use = bool(parameters["persistence_dnu"])

    def __call__(self, tile: Tile) -> None:
        """Flag a tile in place."""
        flag_persistence(
            tile.ramp,
            tile.groupdq,
            self.window,
            self._ends,
            self._duration,
            self._threshold,
            self._do_not_use,
            tile.y0,
            tile.first,
            tile.last,
        )


class Persistence:
    """The step for one exposure: called for each pass, it begins anew.

    Its files are looked at when it is made, so that what is wrong with them is
    said before the work starts.

    Parameters
    ----------
    parameters
        Of the step, by the official names; it is not to be skipped.
    detector
        The keyword DETECTOR.
    path
        The exposure's file, named in errors.

    Attributes
    ----------
    record : dict
        What the provenance says of the files.

    Raises
    ------
    UsageError
        If a parameter names no file.
    InputError
        If a file of earlier windows cannot be read.
    OutputError
        If there is no folder for the file of later ones.
    """

    def __init__(self, parameters: Mapping[str, Any], detector: str, path: Path) -> None:
        self._parameters = parameters
        self._detector = detector
        self._path = path
        self._flags: _FlagTiles | None = None
        self._known: Windows | None = None
        self._target: Path | None = None
        self._notes: list[str] = []
        self.record: dict[str, Any] = {}
        duration = parameters["persistence_time"]
        self._possible = duration is not None and duration > 0
        if not self._possible:
            self._notes.append("persistence fails: persistence_time is not set, or not positive")
            return
        for name in ("persistence_array_file", "save_persistence"):
            if parameters[name] is not None and not str(parameters[name]).strip():
                raise UsageError(
                    f"{_STEP}.{name}", "no file is named", "name one, or leave it out"
                )
        if parameters["persistence_array_file"] is not None:
            self._read(Path(parameters["persistence_array_file"]))
        if parameters["save_persistence"] is not None:
            self._target = file_to_write(parameters["save_persistence"])
            require_writable(self._target)

    def _read(self, file: Path) -> None:
        from upramp.references import sha256_of

        known = read_windows(file, self._detector)
        if known is None:
            self._notes.append(f"persistence: {file} has nothing of {self._detector}")
            return
        if known.duration != self._parameters["persistence_time"]:
            self._notes.append(
                f"persistence: {file} is of another persistence_time, {known.duration}"
            )
            return
        self._known = known
        self.record["read"] = {
            "file": file.name,
            "sha256": sha256_of(file),
            "pixels": len(known.until),
        }

    def __call__(self, state: State) -> _FlagTiles | None:
        """Begin a pass.

        Parameters
        ----------
        state
            The exposure; gets the step's status.

        Returns
        -------
        upramp.detector1.tiles.TileStep or None
            What flags tiles; None if the step fails, as officially it may.

        Raises
        ------
        InputError
            If the exposure lacks its times, or earlier windows are not in its frame.
        """
        if not self._possible:
            state.status[_STEP] = "FAILED"
            self._tell(state)
            return None
        frame = state.frame
        windows = self._known or Windows.none()
        window = windows.placed(frame.ny, frame.nx)
        if window is None:
            raise InputError(
                self._parameters["persistence_array_file"],
                f"its pixels are not in the exposure's frame of {frame.nx} x {frame.ny}",
                "give a file of the same subarray, or begin anew without one",
            )
        ends = self._ends(state.readout, frame.nints, frame.ngroups)
        self._flags = _FlagTiles(window, ends, self._parameters)
        state.complete(_STEP)
        self._tell(state)
        return self._flags

    def _tell(self, state: State) -> None:
        for text in self._notes:
            state.note(text)
        self._notes = []

    def _ends(self, readout: Readout, nints: int, ngroups: int) -> NDArray[np.float64]:
        starts = readout.integration_starts
        if nints > (0 if starts is None else len(starts)):
            for keyword, value in (
                ("EXPSTART", readout.exposure_start),
                ("EFFINTTM", readout.integration_time),
            ):
                if value is None:
                    raise InputError(
                        self._path,
                        f"its header has no {keyword}, and persistence needs to know the time",
                        "put the keyword right, or skip persistence",
                    )
        return group_ends(
            nints,
            ngroups,
            readout.group_time,
            exposure_start=readout.exposure_start or 0.0,
            integration_time=readout.integration_time or 0.0,
            integration_starts=starts,
        )

    def save(self, exposure: str) -> None:
        """Write the windows that are open at the end, if that was asked for.

        Parameters
        ----------
        exposure
            Name of the exposure's file.

        Raises
        ------
        InputError, OutputError
            If that is not possible.
        """
        if self._target is None or self._flags is None:
            return
        windows = Windows.of(self._flags.window, self._parameters["persistence_time"])
        write_windows(self._target, self._detector, windows, exposure)
        self.record["written"] = {"file": self._target.name, "pixels": len(windows.until)}
