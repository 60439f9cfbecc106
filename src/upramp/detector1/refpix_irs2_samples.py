"""When an output of IRS2 readout delivers which pixel, and which frequencies are kept.

Source: jwst/refpix/irs2_subtract_reference.py, ``subtract_reference`` and
``fill_bad_regions``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upramp.detector1.irs2_layout import Interleave

__all__ = ["EDGES", "LINES", "PIXELS", "Samples", "response"]

LINES: Final = 2048
"""Lines of a frame, along the detector's slow axis."""
PIXELS: Final = 512
"""Ordinary pixels of an output in a line."""
EDGES: Final = np.array([0, 1, 2, 3, 2044, 2045, 2046, 2047], dtype=np.int64)
"""Lines of reference pixels."""
_PAUSE: Final = 8
"""Samples that pass at the end of a line (the official ``pad``)."""


@dataclass(frozen=True)
class Samples:
    """The order in which one output delivers its pixels.

    Parameters
    ----------
    normal, reference
        Samples of a line that are ordinary pixels, and reference reads.
    normal_pixels, reference_pixels
        Their places in the section, in the direction of reading.
    source
        For each sample, the sample whose reference read stands for it, or -1.
    """

    normal: NDArray[np.int64]
    reference: NDArray[np.int64]
    normal_pixels: NDArray[np.int64]
    reference_pixels: NDArray[np.int64]
    source: NDArray[np.int64]

    @classmethod
    def of(cls, layout: Interleave) -> Samples:
        """Find the order.

        Parameters
        ----------
        layout
            The layout of the exposure.
        """
        n, r = layout.normal, layout.reference
        visits = PIXELS // n
        pixel = np.arange(PIXELS)
        read = np.arange(visits * r)
        before = (pixel + n // 2) // n
        step = n + r + 2  # stepping out and in again takes a sample each
        # Around each visit: its odd reads twice, then its even reads twice.
        pairs = np.arange(r).reshape(2, r // 2).T
        order = n // 2 + 1 + np.concatenate([pairs, pairs], axis=1).ravel()
        block = np.full(step, -1)
        low, high = (n - r) // 2 + 1, n // 2 + 1 + 3 * r // 2
        block[n // 2 + 1 - r // 2 : n // 2 + 1 + r // 2 + r] = order
        stands = block[low:high].copy()
        if r % 4 == 2:
            stands = stands.reshape(-1, 2)[:, ::-1].ravel()
        source = np.full(visits * step + _PAUSE, -1)
        for visit in range(visits):
            source[visit * step + low : visit * step + high] = visit * step + stands
        return cls(
            normal=pixel + (r + 2) * before,
            reference=read + (n + 2) * (read // r) + n // 2 + 1,
            normal_pixels=pixel + r * before,
            reference_pixels=read + n * (read // r) + n // 2,
            source=source,
        )

    @property
    def count(self) -> int:
        """Samples of a line, pauses included."""
        return self.source.size


def response(layout: Interleave, samples: int) -> NDArray[np.float64]:
    """Make the filter: what is slow and what alternates passes, with cosine flanks.

    Parameters
    ----------
    layout
        The layout of the exposure.
    samples
        Samples of a line, pauses included.

    Returns
    -------
    numpy.ndarray
        ``float64 (2048 * samples,)``.

    Notes
    -----
    Source: jwst/refpix/irs2_subtract_reference.py, ``fill_bad_regions``.
    """
    step = layout.period + 2
    flank = 110000 // step
    reads = PIXELS + PIXELS // layout.normal * (layout.reference + 2) + _PAUSE
    full = reads // step * LINES // 2 - flank // 2
    fall = (np.cos(np.arange(flank, dtype=np.float64) * np.pi / float(flank)) + 1.0) / 2.0
    half = np.zeros(samples * LINES // 2)
    half[:full] = half[half.size - full :] = 1
    half[full : full + flank] = fall
    half[half.size - full - flank : half.size - full] = fall[::-1]
    return np.concatenate([half, np.roll(half, -1)[::-1]])
