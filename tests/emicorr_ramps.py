"""Ramps with interference in them, read as MIRI reads them."""

from __future__ import annotations

import numpy as np

from upramp.detector1.emicorr import EmiReference

FAST = {"SUB64": (28, 8512), "FULL_FAST": (271, 277504), "FULL_SLOW": (2333, 2388992)}
FREQUENCIES = {"Hz390": 390.625, "Hz10": 10.039216}
CLOCK = 1e-5


def wave(size=500, turn=0.0):
    """One period, the turn of it being where it begins."""
    angle = 2 * np.pi * (np.arange(size) + 0.5) / size + 2 * np.pi * turn
    return np.sin(angle) + 0.3 * np.sin(3 * angle)


def reference(size=500, kind=np.float64, names=("Hz390", "Hz10")):
    """Frequencies and cases as the file has them: plain, and ours."""
    waves = {
        name: (hertz, (40 * wave(size, hertz % 1)).astype(kind))
        for name, hertz in FREQUENCIES.items()
    }
    cases = {
        subarray: {
            "rowclocks": row,
            "frameclocks": frame,
            "freqs": {"FAST": list(names), "SLOW": {"MIRIMAGE": list(names)}},
        }
        for subarray, (row, frame) in FAST.items()
    }
    return EmiReference(waves, cases)


def disturbed(
    shape, *, waves=((390.625, 20.0, 0.1),), readpatt="FASTR1", clocks=(28, 8512), seed=1
):
    """Noisy ramps, without and with waves of (frequency, amplitude, turn)."""
    nints, ngroups, ny, nx = shape
    rng = np.random.default_rng(seed)
    clean = (
        rng.normal(10000, 300, (ny, nx))
        + rng.gamma(1.5, 20, (ny, nx)) * np.arange(ngroups)[:, None, None]
    )
    clean = clean + rng.normal(0, 8, shape)
    dirty = clean.copy()
    begin = 0
    for i in range(nints):
        for g in range(ngroups):
            clock = begin + np.arange(ny)[:, None] * clocks[0] + np.arange(nx) // 4
            for hertz, amplitude, turn in waves:
                angle = 2 * np.pi * (clock * hertz * CLOCK + turn)
                dirty[i, g] += amplitude * (np.sin(angle) + 0.3 * np.sin(3 * angle))
            begin += ny * clocks[0] + (1024 - ny) * 7
        if readpatt.endswith("R1"):
            begin += clocks[1]
    rounded = (np.clip(np.round(ramp), 0, 65535).astype(np.float32) for ramp in (clean, dirty))
    return tuple(rounded)
