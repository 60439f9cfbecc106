"""The ramps behind the widgets: raw at once, corrected soon, searched and fitted anew.

A file is looked at as it is while stage 1, up to the jump search, is done once
beside it. From then on pixels and windows come from the engine itself: what is
shown is what a whole run with the same parameters gives, bit for bit.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from upramp import spill
from upramp.dq import GROUP
from upramp.errors import InputError, UsageError
from upramp.exposure import open_exposure

from .box_statistics import BoxStatistics
from .ramp_sample import RampSample, fit_of, mean_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from numpy.typing import NDArray

    from upramp.detector1.kept import Refit
    from upramp.exposure import Exposure
    from upramp.stages.kept import Kept

    Window = tuple[slice, slice]

__all__ = ["Counts", "RampModel"]


@dataclass(frozen=True)
class Counts:
    """How many groups and pixels carry a flag.

    Parameters
    ----------
    groups, pixels
        With JUMP_DET.
    """

    groups: int
    pixels: int

    @classmethod
    def of(cls, groupdq: NDArray[np.uint8]) -> Counts:
        """Count.

        Parameters
        ----------
        groupdq
            (nints, ngroups, rows, columns).
        """
        jumps = (groupdq & GROUP["JUMP_DET"]) != 0
        return cls(int(jumps.sum()), int(jumps.any(axis=(0, 1)).sum()))


class RampModel:
    """An exposure's ramps.

    Parameters
    ----------
    exposure
        An open `upramp.Exposure` that is a ramp, or the path of one. What is opened here is
        closed by `close`.
    overrides
        Values by ``step.parameter``, as `upramp.calibrate` takes them.
    threads
        As `upramp.calibrate` has it.

    Raises
    ------
    InputError
        If it is no ramp.
    """

    def __init__(
        self,
        exposure: Exposure | str | os.PathLike[str],
        *,
        overrides: Mapping[str, Any] | None = None,
        threads: int | None = None,
    ) -> None:
        self._owned = isinstance(exposure, (str, os.PathLike))
        self.exposure: Exposure = (
            open_exposure(exposure) if isinstance(exposure, (str, os.PathLike)) else exposure
        )
        if not self.exposure.is_ramp:
            if self._owned:
                self.exposure.close()
            raise InputError(
                self.exposure.path,
                f"it is a {self.exposure.kind} product, which holds no ramps",
                "give the uncal or ramp file it was made from",
            )
        self.overrides = dict(overrides or {})
        self.threads = threads
        nints, ngroups, ny, nx = self.exposure.shape
        self.shape = nints, ngroups, ny, nx
        self.kept: Kept | None = None
        self.refused = ""
        self._closed = False
        self._lock = threading.RLock()
        self._significance: NDArray[np.float32] | None = None
        self._whole: (
            tuple[
                tuple[tuple[str, str], ...],
                NDArray[np.uint8],
                NDArray[np.float32],
                NDArray[np.float32],
            ]
            | None
        ) = None

    @classmethod
    def open(cls, source: Any, **options: Any) -> Self:
        """Find the ramps of what a widget is given.

        Parameters
        ----------
        source
            An exposure, a path, or the result of `upramp.calibrate`, whose own input is then
            looked at with its own parameters.
        options
            As the class has them.

        Raises
        ------
        InputError
            If there are none, or a result's input is not where it was.
        UsageError
            If it is something else.
        """
        if isinstance(source, (str, os.PathLike)) or hasattr(source, "read_group"):
            return cls(source, **options)
        provenance = getattr(source, "provenance", None)
        if provenance is None:
            raise UsageError(
                type(source).__name__,
                "a widget cannot look at this",
                "give an exposure, the path of one, or the result of upramp.calibrate",
            )
        path = _input_of(source)
        options.setdefault("overrides", provenance.get("overrides", {}))
        return cls(path, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all that was made of the file, and close it, if it was opened here."""
        with self._lock:
            self._closed = True
            self.kept = self._significance = self._whole = None
        if self._owned:
            self.exposure.close()

    def require_open(self) -> None:
        """Refuse what is asked of a closed one.

        Raises
        ------
        UsageError
            If it is closed.
        """
        if self._closed:
            raise UsageError(self.name, "it is closed", "look at it anew")

    @property
    def name(self) -> str:
        """The file's name."""
        return self.exposure.path.name

    @property
    def times(self) -> NDArray[np.float64]:
        """(ngroups,) seconds from the reset to the middle of each group's reads."""
        header = self.exposure.header
        frame = float(header.get("TFRAME") or header.get("TGROUP") or 1.0)
        frames = int(header.get("NFRAMES") or 1)
        group = float(header.get("TGROUP") or frame * (frames + int(header.get("GROUPGAP") or 0)))
        steps = np.arange(self.shape[1], dtype=np.float64)
        times: NDArray[np.float64] = steps * group + frame * (frames + 1) / 2
        return times

    # ---- corrected, once

    def prepare(self, tell: Callable[[str], None] = lambda _: None) -> bool:
        """Do stage 1 up to the jump search; say whether it could be done.

        Parameters
        ----------
        tell
            Told what is at work.

        Returns
        -------
        bool
            False where the engine leaves such exposures to the official pipeline, or a
            reference is missing: ``refused`` says why, and raw ramps are shown.

        Raises
        ------
        UsageError
            If it is closed.
        """
        from upramp import keep
        from upramp.errors import UprampError

        with self._lock:
            self.require_open()
            if self.kept is None and not self.refused:
                tell("correcting the ramps")
                try:
                    with _in_files():
                        self.kept = keep(
                            self.exposure, overrides=self.overrides, threads=self.threads
                        )
                    # Of IRS2 ramps, reference pixels between the others are taken out.
                    nints, ngroups, ny, nx = self.kept.ramp.data.shape
                    self.shape = nints, ngroups, ny, nx
                except UprampError as error:
                    self.refused = str(error)
            return self.kept is not None

    def _need(self) -> Kept:
        if not self.prepare() or self.kept is None:
            raise UsageError(
                self.name, f"its ramps are not corrected ({self.refused})", "mend that first"
            )
        return self.kept

    @property
    def steps(self) -> Mapping[str, Mapping[str, Any]]:
        """Parameters that the exposure is calibrated with, by step."""
        return self._need().parameters.steps

    # ---- planes

    def group(self, integration: int, group: int, *, raw: bool = False) -> NDArray[np.float32]:
        """Give a group's image, (ny, nx) DN: corrected, or as read while there is no better.

        Parameters
        ----------
        integration, group
            Which, counted from 0.
        raw
            Whether as read in any case.
        """
        self.require_open()
        kept = self.kept
        if raw or kept is None:
            return self.exposure.read_group(integration, group)
        self._check(integration, group)
        plane: NDArray[np.float32] = kept.ramp.data[integration, group]
        return plane

    def difference(
        self, integration: int, group: int, since: int | None = None
    ) -> NDArray[np.float32]:
        """Give what a group has more than another, (ny, nx) DN.

        Parameters
        ----------
        integration, group
            Which, counted from 0.
        since
            The other; None for the one before, and of the first group the group itself.
        """
        after = self.group(integration, group)
        if since is None and group == 0:
            return after
        before = self.group(integration, group - 1 if since is None else since)
        more: NDArray[np.float32] = after - before
        return more

    def significance(self, integration: int) -> NDArray[np.float32]:
        """Give the image that a threshold is laid on, (ny, nx) in sigma.

        Parameters
        ----------
        integration
            Counted from 0.
        """
        with self._lock:
            if self._significance is None:
                kept = self._need()
                with _in_files():
                    self._significance = kept.significance()
            self._check(integration, 0)
            found: NDArray[np.float32] = self._significance[integration]
            return found

    def rate(
        self, overrides: Mapping[str, Any] | None = None, integration: int | None = None
    ) -> NDArray[np.float32]:
        """Give the slope image, (ny, nx) DN/s.

        Parameters
        ----------
        overrides
            Values by ``jump.parameter`` and ``ramp_fit.parameter``.
        integration
            Whose, counted from 0; None for that of the exposure.
        """
        _, whole, each = self._searched(overrides)
        if integration is None:
            return whole
        self._check(integration, 0)
        found: NDArray[np.float32] = each[integration]
        return found

    def flags(self, overrides: Mapping[str, Any] | None = None) -> NDArray[np.uint8]:
        """Give the flags of all groups after a search, (nints, ngroups, ny, nx); read only.

        Parameters
        ----------
        overrides
            Values by ``jump.parameter`` and ``ramp_fit.parameter``.
        """
        return self._searched(overrides)[0]

    def _searched(
        self, overrides: Mapping[str, Any] | None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        """Search and fit the whole detector; of the last one, flags and slopes are remembered."""
        key = tuple(sorted((name, repr(value)) for name, value in (overrides or {}).items()))
        with self._lock:
            if self._whole is None or self._whole[0] != key:
                self._whole = None  # two of them are not needed at once
                kept = self._need()
                with _in_files():
                    refit = kept.refit(overrides)
                    # The errors, four times as much, may go.
                    slopes = spill.spilled(refit.rates.rate[0])
                    each = spill.spilled(refit.rates.rateints[0])
                    self._whole = key, refit.groupdq, slopes, each
            return self._whole[1:]

    def window(self, window: Window, overrides: Mapping[str, Any] | None = None) -> Refit:
        """Search and fit a window.

        Parameters
        ----------
        window
            Rows and columns.
        overrides
            Values by ``jump.parameter`` and ``ramp_fit.parameter``.
        """
        with self._lock:
            return self._need().refit(overrides, window)

    def forget_whole(self) -> None:
        """Let go of what the last search of the whole detector gave."""
        with self._lock:
            self._whole = None

    # ---- pixels

    def sample(
        self,
        x: int,
        y: int,
        integration: int = 0,
        overrides: Mapping[str, Any] | None = None,
        *,
        mask: NDArray[np.uint8] | None = None,
    ) -> RampSample:
        """Give a pixel's ramp with its flags and fit.

        Parameters
        ----------
        x, y
            Column and row, from 0.
        integration
            Counted from 0.
        overrides
            Values by ``jump.parameter`` and ``ramp_fit.parameter``.
        mask
            (ngroups,) flags to show instead of those that the search gives.

        Raises
        ------
        UsageError
            If there is no such pixel or integration.
        """
        self._check(integration, 0)
        _, ngroups, ny, nx = self.shape
        if not (0 <= x < nx and 0 <= y < ny):
            raise UsageError(
                f"pixel ({x}, {y})", f"the detector has {ny} rows of {nx}", "give one of them"
            )
        with self._lock:
            self.require_open()
            kept = self.kept
            if kept is None:
                raw = self._raw(x, y, integration)
                return RampSample(x, y, integration, self.times, raw, np.zeros(ngroups, np.uint8))
            corrections = kept.corrections(x, y)
            refit = kept.refit(overrides, (slice(y, y + 1), slice(x, x + 1)))
            state = kept.ramp.state
            gain, noise = state.references.gain, state.references.read_noise
            data = kept.ramp.data[integration, :, y, x].astype(np.float64)
            pixeldq = int(refit.rates.rateints_dq[integration, 0, 0])
        groupdq = refit.groupdq[integration, :, 0, 0] if mask is None else mask
        slope, error = (float(refit.rates.rateints[k, integration, 0, 0]) for k in (0, 1))
        fit = fit_of(
            data,
            groupdq,
            self.times,
            slope,
            error,
            gain=float("nan") if gain is None else float(gain[y, x]),
            read_noise=float("nan") if noise is None else float(noise[y, x]),
        )
        return RampSample(
            x=x,
            y=y,
            integration=integration,
            times=self.times,
            data=data,
            groupdq=groupdq.copy(),
            corrections=tuple(corrections),
            fit=fit,
            pixeldq=pixeldq,
        )

    def box(
        self, window: Window, integration: int = 0, overrides: Mapping[str, Any] | None = None
    ) -> RampSample:
        """Give the mean ramp of a box.

        Parameters
        ----------
        window
            Rows and columns.
        integration
            Counted from 0.
        overrides
            Values by ``jump.parameter`` and ``ramp_fit.parameter``.
        """
        self._check(integration, 0)
        rows, columns = window
        with self._lock:
            kept = self._need()
            refit = kept.refit(overrides, window)
            data = kept.ramp.data[integration][:, rows, columns]
        flags = refit.groupdq[integration]
        mean = mean_of(data.reshape(len(data), -1), flags.reshape(len(flags), -1))
        slopes = refit.rates.rateints[0, integration]
        good = np.isfinite(slopes)
        slope = float(slopes[good].mean()) if good.any() else float("nan")
        error = float(slopes[good].std() / np.sqrt(good.sum())) if good.any() else float("nan")
        return RampSample(
            x=(columns.start + columns.stop - 1) / 2,
            y=(rows.start + rows.stop - 1) / 2,
            integration=integration,
            times=self.times,
            data=mean.data,
            groupdq=mean.groupdq,
            fit=fit_of(mean.data, mean.groupdq, self.times, slope, error),
            pixels=mean.pixels,
            spread=mean.spread,
            slopes=BoxStatistics.of(slopes),
        )

    def _raw(self, x: int, y: int, integration: int) -> NDArray[np.float64]:
        rows = self.exposure.read_rows(integration, slice(y, y + 1))
        return rows[:, 0, x].astype(np.float64)

    def _check(self, integration: int, group: int) -> None:
        nints, ngroups = self.shape[:2]
        for name, value, count in (("integration", integration, nints), ("group", group, ngroups)):
            if not 0 <= value < count:
                raise UsageError(name, f"there is no {value}", f"give 0 to {count - 1}")


@contextmanager
def _in_files() -> Iterator[None]:
    """Hold what is made in files, whose memory is given back at the end.

    A kernel looks at a few pixels of hundreds of megabytes.
    """
    with spill.spilling():
        yield
    spill.let_go()


def _input_of(result: Any) -> Path:
    """Find the file that a result was made from: where it was, beside its products, or here."""
    source = getattr(result, "source", None)
    if source is not None and Path(source).is_file():
        return Path(source)
    name = str((result.provenance.get("input") or {}).get("file", ""))
    folders = [Path(), *(Path(product).parent for product in result.products)]
    archive = os.environ.get("UPRAMP_ARCHIVE", "")
    if archive and "://" not in archive:
        folders += [Path(archive), Path(archive, "uncal")]
    for folder in folders:
        if name and (folder / name).is_file():
            return folder / name
    raise InputError(
        name or "the result",
        "the exposure that it was made from is not found",
        "give the exposure itself",
    )
