"""Files of fringes of stars whose companions are known, for tests of pictures."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from astropy.io import fits
from astropy.table import Table

ARCSEC = np.pi / 180 / 3600
WAVELENGTH = 4.8e-6
HOLES = np.array(
    [(0.0, -2.6), (-2.3, 0.0), (2.3, -1.3), (-2.3, 1.3), (-1.1, 2.0), (2.3, 1.3), (1.1, 2.0)]
)
"""Places of seven holes, metres to the east and north."""


def visibility(metres, east, north, contrast):
    """A binary's, of baselines (..., 2)."""
    turns = (metres[..., 0] * east + metres[..., 1] * north) * ARCSEC / WAVELENGTH
    return (1 + contrast * np.exp(-2j * np.pi * turns)) / (1 + contrast)


def write_fringes(
    path, east=0.0, north=0.0, contrast=0.0, *, errors=(0.002, 0.1), noise=0, change=None
):
    """Write fringes of a binary, with noise of a seed (0: none); ``change`` alters the tables."""
    stations = np.arange(len(HOLES))
    pairs = np.array(list(combinations(stations, 2)))
    baselines = HOLES[pairs[:, 0]] - HOLES[pairs[:, 1]]
    seen = visibility(baselines, east, north, contrast)
    triples = np.array(list(combinations(stations, 3)))
    one = HOLES[triples[:, 0]] - HOLES[triples[:, 1]]
    two = HOLES[triples[:, 1]] - HOLES[triples[:, 2]]
    triple = visibility(one, east, north, contrast) * visibility(two, east, north, contrast)
    triple = triple * np.conj(visibility(one + two, east, north, contrast))
    rng = np.random.default_rng(noise)
    scatter = errors if noise else (0.0, 0.0)
    # As in nature: phases of baselines scatter, and the triangles share them.
    by_pair = {
        tuple(pair): value for pair, value in zip(pairs, rng.normal(size=len(pairs)), strict=True)
    }
    shared = np.array([by_pair[a, b] + by_pair[b, c] - by_pair[a, c] for a, b, c in triples])
    tables = {
        "OI_VIS2": Table(
            {
                "VIS2DATA": np.abs(seen) ** 2 + scatter[0] * rng.normal(size=len(seen)),
                "VIS2ERR": np.full(len(seen), errors[0]),
                "UCOORD": baselines[:, 0],
                "VCOORD": baselines[:, 1],
                "STA_INDEX": pairs + 1,
                "FLAG": np.zeros(len(seen), bool),
            }
        ),
        "OI_T3": Table(
            {
                "T3PHI": np.degrees(np.angle(triple)) + scatter[1] * shared / np.sqrt(3),
                "T3PHIERR": np.full(len(triple), errors[1]),
                "U1COORD": one[:, 0],
                "V1COORD": one[:, 1],
                "U2COORD": two[:, 0],
                "V2COORD": two[:, 1],
                "STA_INDEX": triples + 1,
                "FLAG": np.zeros(len(triple), bool),
            }
        ),
        "OI_WAVELENGTH": Table({"EFF_WAVE": [WAVELENGTH], "EFF_BAND": [3e-7]}),
        "OI_TARGET": Table({"TARGET": ["A BINARY"]}),
    }
    if change is not None:
        change(tables)
    hdus = [fits.PrimaryHDU()]
    for name, table in tables.items():
        hdu = fits.table_to_hdu(table)
        hdu.name = name
        hdus.append(hdu)
    fits.HDUList(hdus).writeto(path)
    return path
