"""Small exposures of stars as products of stages 2 and 3, for tests of pictures."""

from __future__ import annotations

import numpy as np

PIXEL = 0.1
"""Side of a pixel, arcseconds."""
STERADIANS = (PIXEL / 3600 * np.pi / 180) ** 2


def write_star(
    path,
    data,
    *,
    star=None,
    roll=0.0,
    target="STAR",
    reference=False,
    wcs=True,
    filter_name="F1065C",
    combined=False,
):
    """Write a cube (or an image) of a star; ``roll`` is the angle of the rows, east of north."""
    from stdatamodels.jwst import datamodels

    data = np.asarray(data, np.float32)
    model = (datamodels.ImageModel if data.ndim == 2 else datamodels.CubeModel)(data=data)
    ny, nx = data.shape[-2:]
    x, y = ((nx - 1) / 2, (ny - 1) / 2) if star is None else star
    meta = model.meta
    meta.telescope, meta.instrument.name, meta.instrument.detector = "JWST", "MIRI", "MIRIMAGE"
    meta.instrument.filter, meta.bunit_data = filter_name, "MJy/sr"
    meta.exposure.type, meta.exposure.psf_reference = "MIR_4QPM", reference
    meta.target.proposer_name = target
    meta.target.ra, meta.target.dec = 10.0, -60.0
    meta.photometry.pixelarea_steradians = STERADIANS
    if wcs:
        info = meta.wcsinfo
        info.crpix1, info.crpix2, info.crval1, info.crval2 = x + 1, y + 1, 10.0, -60.0
        info.ctype1, info.ctype2 = "RA---TAN", "DEC--TAN"
        info.cdelt1 = info.cdelt2 = PIXEL / 3600
        sine, cosine = np.sin(np.radians(roll)), np.cos(np.radians(roll))
        info.pc1_1, info.pc1_2, info.pc2_1, info.pc2_2 = -cosine, sine, sine, cosine
        if not combined:
            info.roll_ref = roll
    model.save(path)
    model.close()
    return path
