"""Small exposures, made by astropy, so that every byte is known."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

KEYWORDS = {
    "TELESCOP": "JWST",
    "INSTRUME": "NIRCAM",
    "DETECTOR": "NRCALONG",
    "EXP_TYPE": "NRC_IMAGE",
    "CHANNEL": "LONG",
    "MODULE": "A",
    "FILTER": "F356W",
    "PUPIL": "CLEAR",
    "READPATT": "SHALLOW4",
    "NFRAMES": 4,
    "FRMDIVSR": 4,
    "GROUPGAP": 1,
    "TFRAME": 10.73677,
    "TGROUP": 53.68385,
    "DATE-OBS": "2023-01-02",
    "TIME-OBS": "03:04:05.678",
    "SUBARRAY": "SUB64P",
    "SUBSTRT1": 3,
    "SUBSTRT2": 5,
    "FASTAXIS": -1,
    "SLOWAXIS": 2,
}


def counts(shape, seed=1):
    """Give uint16 of every size, the edges of the range included."""
    values = np.random.default_rng(seed).integers(0, 65536, shape, dtype=np.uint16)
    if values.size:
        values.flat[0], values.flat[-1] = 0, 65535
    return values


def level1b_hdus(data=None, *, extra=(), **changes):
    """Give a raw exposure without a data model, so that none of its metadata lie elsewhere.

    A change to None takes a keyword away.
    """
    data = counts((2, 3, 6, 8)) if data is None else data
    primary = fits.PrimaryHDU()
    keywords = {**KEYWORDS, **changes}
    if data.ndim == 4:
        nints, ngroups, ny, nx = data.shape
        sizes = {"NINTS": nints, "NGROUPS": ngroups, "SUBSIZE1": nx, "SUBSIZE2": ny}
        keywords = {**sizes, **keywords}
    for name, value in keywords.items():
        if value is not None:
            primary.header[name.replace("_OBS", "-OBS")] = value
    return fits.HDUList([primary, fits.ImageHDU(data, name="SCI"), *extra])


def edited(source, folder, *, name="edited_uncal.fits", **changes):
    """Give a copy whose headers, not its ASDF extension, were changed; None takes away."""
    path = folder / name
    with fits.open(source) as hdus:
        for key, value in changes.items():
            holder = next((hdu for hdu in hdus if key in hdu.header), hdus[0])
            if value is None:
                del holder.header[key]
            else:
                holder.header[key] = value
        hdus.writeto(path, overwrite=True)
    return path


def with_tree(source, folder, text, *, name="tree_uncal.fits"):
    """Give a copy with other bytes in its ASDF extension."""
    path = folder / name
    values = np.frombuffer(text, np.uint8)[np.newaxis]
    with fits.open(source) as hdus:
        column = fits.Column("ASDF_METADATA", f"{len(text)}B", array=values)
        hdus["ASDF"] = fits.BinTableHDU.from_columns([column], name="ASDF")
        hdus.writeto(path, overwrite=True)
    return path


def write_level1b(path, data=None, *, extra=(), **changes):
    level1b_hdus(data, extra=extra, **changes).writeto(path, overwrite=True)
    return path
