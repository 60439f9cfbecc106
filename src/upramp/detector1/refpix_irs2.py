"""Reference pixel correction of NIRSpec's IRS2 readout.

For every frame, less the mean of its integration: each output's samples are
put in order of time, with the pauses between them; a straight line through the
lines at both ends of the frame is subtracted. The reference output's gaps are
filled, first by neighbours, then by passing its slow and its alternating parts
three times through a filter. The spectrum of each output's reference reads
times ``beta``, plus that of the reference output times ``alpha``, is the
spectrum of what is subtracted from the output's ordinary pixels.

Order of calls for an exposure: bad reference pixels
(`refpix_irs2_bad_pixels`), optionally the means of the edges
(`refpix_irs2_mean`), replacement, then for each integration `group_mean` and
for each of its groups `Correction.correct_frame`; flags by
`irs2_layout.deinterleave`.

Source: jwst/refpix/irs2_subtract_reference.py and jwst/refpix/refpix_step.py.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1 import refpix_irs2_kernels as loops
from upramp.detector1.irs2_transform import Transform, Workspace
from upramp.detector1.refpix_irs2_samples import EDGES, LINES, PIXELS, Samples, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from upramp.detector1.irs2_layout import Interleave

__all__ = ["TABLE_ROWS", "Correction", "Room", "group_mean"]

TABLE_ROWS: Final = 2 * 712 * LINES
"""Rows of a reference's table; where it has another number, the official step is skipped."""
_PASSES: Final = 3
_CHUNK: Final = 1 << 14


def group_mean(
    ramp: NDArray[np.float32],
    out: NDArray[np.float64] | None = None,
    first: int = 0,
    last: int | None = None,
) -> NDArray[np.float64]:
    """Average an integration over its groups.

    Parameters
    ----------
    ramp
        DN, interleaved, ``float32 (ngroups, rows, nx)``.
    out
        ``float64 (rows, nx)`` for the result; made if None.
    first, last
        Rows to do, so that several threads can share the work; all by default.
    """
    if out is None:
        out = np.empty(ramp.shape[1:], np.float64)
    loops.add_group_mean(ramp, out, first, ramp.shape[1] if last is None else last)
    return out


class Room:
    """Memory of one thread.

    Parameters
    ----------
    transform
        The transforms it is for.
    """

    def __init__(self, transform: Transform) -> None:
        n = transform.length
        self.work: Workspace = transform.workspace()
        self.series = np.empty(n, np.float32)
        self.known = np.empty(n, np.float32)
        self.spectrum = np.empty(n, np.complex64)
        self.output_spectrum = np.empty(n, np.complex64)
        self.product = np.empty(_CHUNK, np.complex64)


class Correction:
    """The correction of exposures that share a layout and a reference.

    One instance serves many threads, each with a `Room` of its own.

    Parameters
    ----------
    layout
        The layout of the exposures.
    alpha, beta
        The reference's columns ``alpha_0`` to ``alpha_3`` and ``beta_0`` to
        ``beta_3``, ``float32 (TABLE_ROWS,)`` each: real and imaginary parts in
        turn.
    preserve
        Whether reference pixels stay in the result (``preserve_irs2_refpix``).

    Raises
    ------
    ValueError
        If the columns do not have `TABLE_ROWS` numbers, or frames of the layout
        not as many samples.
    """

    def __init__(
        self,
        layout: Interleave,
        alpha: list[NDArray[np.float32]],
        beta: list[NDArray[np.float32]],
        *,
        preserve: bool = False,
    ) -> None:
        self.layout = layout
        self.preserve = preserve
        self._samples = Samples.of(layout)
        samples = self._samples.count
        self.alpha = [_complex(column) for column in alpha]
        self.beta = [_complex(column) for column in beta]
        for table in (*self.alpha, *self.beta):
            if table.size != TABLE_ROWS // 2 or table.size != LINES * samples:
                raise ValueError(f"{table.size} numbers do not suit {samples} samples a line")
        self.transform = Transform.best(LINES * samples, response(layout, samples))
        self._rows = np.stack([self._section_rows(k) for k in range(5)])
        self._measured = np.zeros(samples, dtype=bool)
        self._measured[self._samples.normal] = True
        self._time = np.arange(LINES * samples, dtype=np.float32).reshape(LINES, samples)
        self._time -= self._time.mean(dtype=np.float64)
        self._time = self._time[EDGES]
        self._targets = self._find_targets()
        window = np.sin(np.arange(1, 32, dtype=np.float32) / 32.0 * np.pi)[::-1]
        self._window = window.astype(np.float64)
        symmetric = np.abs(self._window - self._window[::-1]) <= np.finfo(np.float64).eps
        self._symmetric = bool(np.all(symmetric))

    @property
    def nbytes(self) -> int:
        """What its tables take, in bytes."""
        tables = sum(table.nbytes for table in self.alpha + self.beta)
        return tables + self.transform.response.nbytes

    @property
    def result_rows(self) -> int:
        """Rows of a corrected frame."""
        return self.layout.rows if self.preserve else 4 * PIXELS

    def room(self) -> Room:
        """Make the memory that a thread needs: about 100 MB."""
        return Room(self.transform)

    def in_place(self, ramp: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the part of frames that their own result may be written to.

        Parameters
        ----------
        ramp
            ``float32 (..., rows, nx)``.
        """
        if self.preserve:
            return ramp
        rows = self.result_rows
        return ramp[..., :rows, :] if self.layout.reversed else ramp[..., -rows:, :]

    def correct_frame(
        self,
        frame: NDArray[np.float32],
        mean: NDArray[np.float64],
        out: NDArray[np.float32],
        room: Room,
    ) -> None:
        """Correct one group of an integration.

        Parameters
        ----------
        frame
            DN, interleaved, ``float32 (rows, 2048)``; read only, unless `out` is
            part of it.
        mean
            From `group_mean`, ``float64`` of the same shape.
        out
            ``float32 (result_rows, 2048)``, contiguous: memory of its own, or what
            `in_place` gives.
        room
            This thread's memory.

        Notes
        -----
        Source: jwst/refpix/irs2_subtract_reference.py, ``subtract_reference``.
        """
        self.layout.check(frame.shape)
        if frame.shape[1] != LINES or out.shape != (self.result_rows, LINES):
            raise ValueError(f"frames of shape {frame.shape} and {out.shape}")
        self._reference_output(frame, mean, room)
        # From the last output to the first, so that the result may overwrite the frame.
        for output in (4, 3, 2, 1):
            self._correct_output(output, frame, mean, out, room)
        if self.preserve:
            loops.put_back(
                mean, self._rows[0], self._targets[0], self.layout.reversed,
                self._shaped(room.known), out,
            )  # fmt: skip

    def correct_integration(
        self,
        ramp: NDArray[np.float32],
        out: NDArray[np.float32],
        run: Callable[[list[Callable[[Room], None]]], None] | None = None,
    ) -> None:
        """Correct the groups of an integration.

        Parameters
        ----------
        ramp
            DN, interleaved, ``float32 (ngroups, rows, 2048)``.
        out
            ``float32 (ngroups, result_rows, 2048)``.
        run
            Carries out a list of tasks in any order and at any time, each called
            with a `Room` that no other task uses meanwhile; returns when all are
            done. By default one after another.
        """
        mean = group_mean(ramp)
        tasks: list[Callable[[Room], None]] = [
            partial(self.correct_frame, frame, mean, result)
            for frame, result in zip(ramp, out, strict=True)
        ]
        if run is not None:
            run(tasks)
            return
        room = self.room()
        for task in tasks:
            task(room)

    # --- parts ---------------------------------------------------------------------------

    def _section_rows(self, output: int) -> NDArray[np.int64]:
        """Give the row of the array that each sample of an output comes from."""
        s = self._samples
        rows = np.full(s.count, -1)
        width = self.layout.section
        for sample, pixel in (
            (s.normal, s.normal_pixels),
            (s.reference, s.reference_pixels),
        ):
            # Every other output is read towards the start of its section.
            place = output * width + (pixel if output % 2 else width - 1 - pixel)
            rows[sample] = [self.layout.row(int(p)) for p in place]
        return rows

    def _find_targets(self) -> NDArray[np.int64]:
        """Give the row of the result that each sample goes to."""
        number = np.full(self.layout.rows, -1)
        if self.preserve:
            number[:] = np.arange(self.layout.rows)
        else:
            number[self.layout.science_rows] = np.arange(self.result_rows)
        return np.where(self._rows >= 0, number[self._rows], -1)

    def _shaped(self, series: NDArray[Any]) -> NDArray[Any]:
        return series.reshape(LINES, self._samples.count)

    def _line(
        self, frame: NDArray[np.float32], mean: NDArray[np.float64], output: int
    ) -> tuple[np.float32, np.float32]:
        """Fit a straight line in time to the lines at both ends of a frame.

        Source: jwst/refpix/irs2_subtract_reference.py, ``ols_line`` and
        ``remove_slopes``; all sums in single precision.
        """
        values = np.empty((EDGES.size, self._samples.count), np.float32)
        loops.edge_lines(frame, mean, self._rows[output], self.layout.reversed, EDGES, values)
        known = values != 0
        x, y = self._time[known], values[known]
        if x.size == 0:
            return np.float32(0), np.float32(0)
        number = float(x.size)
        with np.errstate(all="ignore"):
            mean_x, mean_y = x.mean(), y.mean()
            spread = np.square(x).sum() - number * mean_x**2
            slope = ((x * y).sum() - number * mean_x * mean_y) / spread
            return np.float32(mean_y - slope * mean_x), np.float32(slope)

    def _reference_output(
        self, frame: NDArray[np.float32], mean: NDArray[np.float64], room: Room
    ) -> None:
        """Fill the reference output's gaps (left in ``room.known``); compute its spectrum."""
        turned = self.layout.reversed
        rows = self._rows[0]
        line = self._line(frame, mean, 0)
        series, known = room.series, room.known
        loops.unfold(frame, mean, rows, turned, *line, self._shaped(series))
        # Beyond this a sum could overflow, and infinity times zero is not zero.
        tame = bool(np.abs(series).max() < 1e30)
        loops.interpolate(series, self._window, self._symmetric, not tame, known)
        np.copyto(series, known)
        for _ in range(_PASSES):
            self.transform.filter(series, room.work)
            loops.restore(self._shaped(known), self._measured, self._shaped(series))
        self.transform.spectrum(series, room.output_spectrum, room.work)
        np.copyto(known, series)

    def _correct_output(
        self,
        output: int,
        frame: NDArray[np.float32],
        mean: NDArray[np.float64],
        out: NDArray[np.float32],
        room: Room,
    ) -> None:
        """Compute and subtract the correction of one output."""
        rows, turned = self._rows[output], self.layout.reversed
        line = self._line(frame, mean, output)
        series = self._shaped(room.series)
        loops.reference_series(frame, mean, rows, turned, *line, self._samples.source, series)
        self.transform.spectrum(room.series, room.spectrum, room.work)
        alpha, beta = self.alpha[output - 1], self.beta[output - 1]
        # numpy multiplies complex numbers with or without fused operations, as the
        # processor allows; only numpy itself rounds like numpy on every one.
        with np.errstate(all="ignore"):
            for start in range(0, alpha.size, _CHUNK):
                part = slice(start, min(start + _CHUNK, alpha.size))
                product = room.product[: part.stop - start]
                np.multiply(room.spectrum[part], beta[part], out=room.spectrum[part])
                np.multiply(alpha[part], room.output_spectrum[part], out=product)
                np.add(room.spectrum[part], product, out=room.spectrum[part])
        self.transform.series(room.spectrum, room.series, room.work)
        loops.fold(
            frame, mean, rows, self._targets[output],
            self._measured, turned, *line, series, out,
        )  # fmt: skip


def _complex(column: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Join real and imaginary parts that stand in turn."""
    column = np.asarray(column, dtype=np.float32)
    return column[0::2] + 1j * column[1::2]
