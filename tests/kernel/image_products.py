"""Small products of images on the sky, for tests of pictures."""

from __future__ import annotations

import numpy as np
from astropy.io import fits
from astropy.table import Table

PIXEL_ARCSEC = 0.1
CENTRE = (359.9999, -30.0)
"""Right ascension and declination: the field holds where one wraps around."""


def tangent(shape, *, east=0.0, north=0.0, centre=CENTRE, roll=0.0):
    """A gwcs from pixels to a tangent plane, its sky moved by arcseconds."""
    import gwcs
    from astropy import coordinates, units
    from astropy.modeling import models
    from gwcs import coordinate_frames as frames

    ny, nx = shape
    scale = PIXEL_ARCSEC / 3600
    ra = centre[0] + east / 3600 / np.cos(np.radians(centre[1]))
    transform = (
        models.Shift(-(nx - 1) / 2) & models.Shift(-(ny - 1) / 2)
        | models.Rotation2D(roll)
        | models.Scale(-scale) & models.Scale(scale)
        | models.Pix2Sky_TAN()
        | models.RotateNative2Celestial(ra % 360, centre[1] + north / 3600, 180)
    )
    detector = frames.Frame2D(name="detector", axes_order=(0, 1), unit=(units.pix, units.pix))
    sky = frames.CelestialFrame(
        name="world", reference_frame=coordinates.ICRS(), unit=(units.deg, units.deg)
    )
    return gwcs.WCS([(detector, transform), (sky, None)])


def image(path, data, wcs=None, *, dq=None, err=None, region=None, more=None):
    """Write an image of the mission's own model."""
    from stdatamodels.jwst import datamodels

    model = datamodels.ImageModel(np.asarray(data, np.float32))
    if dq is not None:
        model.dq = np.asarray(dq, np.uint32)
    if err is not None:
        model.err = np.asarray(err, np.float32)
    model.meta.instrument.name, model.meta.instrument.detector = "NIRCAM", "NRCALONG"
    model.meta.exposure.type = "NRC_IMAGE"
    model.meta.telescope = "JWST"
    model.meta.bunit_data = "MJy/sr"
    if region is not None:
        model.meta.wcsinfo.s_region = region
    if wcs is not None:
        model.meta.wcs = wcs
    for name, value in (more or {}).items():
        setattr(model, name, value)
    model.save(path)
    model.close()
    return path


def region_of(wcs, shape):
    """The header's words for the corners of an image."""
    ny, nx = shape
    ra, dec = wcs(np.array([0, nx, nx, 0]) - 0.5, np.array([0, 0, ny, ny]) - 0.5)
    corners = " ".join(f"{a:.9f} {d:.9f}" for a, d in zip(ra, dec, strict=True))
    return f"POLYGON ICRS  {corners}"


def mosaic(path, data, err, context, wcs):
    """Write an image that was resampled from others."""
    from stdatamodels.jwst import datamodels

    model = datamodels.ImageModel(
        data=np.asarray(data, np.float32),
        err=np.asarray(err, np.float32),
        con=np.asarray(context, np.int32),
        wht=(np.asarray(context) != 0).any(axis=0).astype(np.float32),
    )
    model.meta.instrument.name, model.meta.instrument.detector = "NIRCAM", "NRCALONG"
    model.meta.exposure.type, model.meta.telescope = "NRC_IMAGE", "JWST"
    model.meta.bunit_data = "MJy/sr"
    model.meta.wcs = wcs
    model.save(path)
    model.close()
    return path


def with_rows(path, count):
    """Give a mosaic the table of its exposures' headers."""
    rows = fits.BinTableHDU(np.zeros(count, [("EXPOSURE", "i4")]), name="HDRTAB")
    with fits.open(path, mode="append") as hdus:
        hdus.append(rows)
    return path


def catalogue(path, magnitude, signal, extended):
    """Write a catalogue with sources in a row."""
    magnitude, signal = np.asarray(magnitude, float), np.asarray(signal, float)
    flux = 3631 * 10 ** (-0.4 * magnitude)
    count = len(magnitude)
    Table(
        {
            "xcentroid": np.linspace(2, 30, count),
            "ycentroid": np.linspace(2, 20, count),
            "aper_total_abmag": magnitude,
            "aper_total_flux": flux,
            "aper_total_flux_err": flux / signal,
            "CI_70_30": np.where(extended, 4.0, 2.5),
            "is_extended": np.asarray(extended, bool),
        }
    ).write(path, format="ascii.ecsv")
    return path
