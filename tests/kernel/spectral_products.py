"""Small products of spectra, as the official packages write them."""

from __future__ import annotations

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.modeling.models import Const1D, Linear1D, Mapping
from gwcs import coordinate_frames, wcs
from stdatamodels.jwst import datamodels

FIRST, STEP = 5.0, 0.05
"""Wavelength of the first pixel along the dispersion, and from one to the next; micrometres."""


def coordinates(turned):
    """Give world coordinates whose wavelength grows along the rows, or the columns if turned."""
    wave = Linear1D(slope=STEP, intercept=FIRST)
    sky = Const1D(80.0) & Const1D(-69.0)
    model = Mapping((0, 0, 1) if turned else (0, 0, 0), n_inputs=2) | sky & wave
    detector = coordinate_frames.Frame2D(name="detector", axes_order=(0, 1))
    world = coordinate_frames.CoordinateFrame(
        3,
        ["SPATIAL", "SPATIAL", "SPECTRAL"],
        (0, 1, 2),
        unit=[units.deg, units.deg, units.um],
        name="world",
    )
    return wcs.WCS([(detector, model), (world, None)])


def image(folder, name, shape=(9, 40), *, turned=False, kind=datamodels.SlitModel, done="NO"):
    """Write a calibrated spectrum: a trace of 100 on 1, in the middle row (or column)."""
    data = np.ones(shape, np.float32)
    trace = (..., shape[-1] // 2) if turned else (..., shape[-2] // 2, slice(None))
    data[trace] = 100
    model = kind(data)
    model.err = np.full(shape, 0.5, np.float32)
    if len(shape) == 2:
        model.dq = np.zeros(shape, np.uint32)
        model.dq[0, 0] = 1
    describe(model)
    model.meta.wcs = coordinates(turned)
    model.meta.wcsinfo.dispersion_direction = 2 if turned else 1
    if kind is datamodels.SlitModel:
        # Of the subarray on the detector.
        model.xstart, model.ystart = 1, 529
    model.meta.bunit_data = "MJy/sr"
    model.meta.cal_step.bkg_subtract = "COMPLETE" if done == "YES" else "SKIPPED"
    model.save(folder / name)
    return folder / name


def describe(model):
    model.meta.telescope = "JWST"
    model.meta.instrument.name, model.meta.instrument.detector = "MIRI", "MIRIMAGE"
    model.meta.exposure.type = "MIR_LRS-FIXEDSLIT"


def field(folder, name, boxes, height=5, width=30):
    """Write an exposure of a whole field: sources with their boxes' first column and row."""
    model = datamodels.MultiSlitModel()
    describe(model)
    model.meta.exposure.type = "NRC_WFSS"
    for source, (x, y) in boxes.items():
        slit = datamodels.SlitModel(np.full((height, width), float(source), np.float32))
        slit.err = np.ones((height, width), np.float32)
        slit.source_id = source
        slit.xstart, slit.ystart, slit.xsize, slit.ysize = x + 1, y + 1, width, height
        slit.meta.wcs = coordinates(turned=False)
        slit.meta.wcsinfo.dispersion_direction, slit.meta.wcsinfo.spectral_order = 1, 1
        model.slits.append(slit)
    model.save(folder / name)
    return folder / name


def spectrum(folder, name, flux, *, error=0.01, wavelength=None, aperture=(), sources=()):
    """Write a spectrum, or one for each source where flux has two dimensions."""
    flux = np.asarray(flux, float)
    waves = FIRST + STEP * np.arange(flux.shape[-1]) if wavelength is None else wavelength
    form = f"{flux.shape[-1]}D" if flux.ndim == 2 else "D"
    columns = [
        fits.Column("WAVELENGTH", form, "um", array=np.broadcast_to(waves, flux.shape)),
        fits.Column("FLUX", form, "Jy", array=flux),
        fits.Column("FLUX_ERROR", form, "Jy", array=np.full(flux.shape, error)),
    ]
    if len(sources):
        ids, ra, dec = zip(*sources, strict=True)
        columns += [
            fits.Column("SOURCE_ID", "J", array=ids),
            fits.Column("SOURCE_RA", "D", "deg", array=ra),
            fits.Column("SOURCE_DEC", "D", "deg", array=dec),
        ]
    table = fits.BinTableHDU.from_columns(columns, name="EXTRACT1D")
    if aperture:
        table.header["DISPAXIS"] = 1
        table.header["EXTRYSTR"], table.header["EXTRYSTP"] = aperture
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(folder / name)
    return folder / name


def truth(folder, root, lines, sources=None):
    """Write what a practice exposure was made with, in an archive."""
    (folder / "truth").mkdir(exist_ok=True)
    names = {2: ["source", "wavelength"], 1: ["wavelength"]}[len(lines[0])]
    columns = [
        fits.Column(name, "J" if name == "source" else "D", array=[line[at] for line in lines])
        for at, name in enumerate(names)
    ]
    hdus = [fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="LINES")]
    if sources is not None:
        columns = [
            fits.Column(name, "D", array=[one[at] for one in sources])
            for at, name in enumerate(("source", "ra", "dec"))
        ]
        hdus.append(fits.BinTableHDU.from_columns(columns, name="SOURCES"))
    fits.HDUList(hdus).writeto(folder / "truth" / f"{root}_truth.fits")
