"""Random numbers that depend on the seed and on what they are for, on nothing else.

Each effect of each exposure draws from a stream of its own, so that adding a
program or an effect changes no other file, and the order in which exposures
are made (or the number of processes) does not matter.
"""

from __future__ import annotations

import zlib

import numpy as np

__all__ = ["stream"]


def stream(seed: int, *names: object) -> np.random.Generator:
    """Give the generator that belongs to a seed and a purpose.

    Parameters
    ----------
    seed
        The archive's seed.
    names
        What the numbers are for, for example a detector and an effect.
    """
    words = [zlib.crc32(str(name).encode()) for name in names]
    # PCG64 and the distributions used here are stable between numpy releases
    # in practice; numpy promises it for the bit stream.
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))
