"""References of MIRI's low-resolution spectrometer, in the formats of the flight ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from upramp.atomic import write_text

from .geometry import ARCSEC
from .instruments import DETECTORS
from .lrs import (
    ROWS,
    SLIT,
    SlitPsf,
    conversion,
    mode_aperture,
    passes_at,
    psfs_of,
    reference_pixel,
    trace,
    wavelength,
)
from .model_files import describe, save_fits
from .optics import PHASES
from .setups import area_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TYPES", "aperture_fraction", "make_lrs_reference"]

Float = NDArray[np.float64]

TYPES: Final = ("specwcs", "photom", "extract1d", "apcorr", "pathloss", "psf")
"""What it has of its own."""
_SUBARRAYS: Final = {"MIR_LRS-FIXEDSLIT": "FULL", "MIR_LRS-SLITLESS": "SLITLESSPRISM"}
_WIDTHS: Final = {"MIR_LRS-FIXEDSLIT": 8, "MIR_LRS-SLITLESS": 11}
"""Columns that the extraction sums."""
_SKY: Final = (14.0, 26.0)
"""Where, on both sides of a source without a slit, the sky is measured: columns from it."""
_BOX: Final = 20.0
"""Half width in columns of what is calibrated."""


def make_lrs_reference(path: Path, reftype: str, exposure_type: str, seed: int) -> None:
    """Make a reference that only this spectrometer has, or has of its own.

    Parameters
    ----------
    path
        Where.
    reftype
        Its type.
    exposure_type
        Which of the two modes it is for.
    seed
        The archive's seed.
    """
    match reftype:
        case "specwcs":
            _spectral_coordinates(path, exposure_type)
        case "photom":
            _photometry(path, exposure_type)
        case "extract1d":
            _extraction(path, exposure_type)
        case "apcorr":
            _aperture_corrections(path, exposure_type, seed)
        case "pathloss":
            _slit_losses(path, seed)
        case "psf":
            _profiles(path, seed)
        case unknown:
            raise AssertionError(unknown)


def _spectral_coordinates(path: Path, exposure_type: str) -> None:
    """Write the wavelength and the place of each row, and where rows are counted from."""
    from stdatamodels.jwst import datamodels

    file = datamodels.MiriLRSSpecwcsModel()
    table = np.zeros(len(ROWS), file.get_dtype("wavetable"))
    middle = trace(ROWS)
    table["x_center"], table["y_center"], table["wavelength"] = middle, ROWS, wavelength(ROWS)
    half = 0.5
    corners = ((-_BOX, half), (_BOX, half), (_BOX, -half), (-_BOX, -half))
    for k, (dx, dy) in enumerate(corners):
        table[f"x{k}"], table[f"y{k}"] = trace(ROWS + dy) + dx, ROWS + dy
    file.wavetable = table
    slit, slitless = (reference_pixel(f"MIR_LRS-{mode}") for mode in ("FIXEDSLIT", "SLITLESS"))
    meta = file.meta
    meta.x_ref, meta.y_ref = slit[0] + 1, slit[1] + 1
    meta.x_ref_slitless, meta.y_ref_slitless = slitless[0] + 1, slitless[1] + 1
    # The corners of the slit, in the order that makes it a polygon.
    across, along = SLIT[0] / 2, SLIT[1] / 2
    for k, (x, y) in enumerate(((-1, -1), (-1, 1), (1, 1), (1, -1)), start=1):
        v2, v3 = mode_aperture("MIR_LRS-FIXEDSLIT").v2v3(x * across, y * along)
        setattr(meta, f"v2_vert{k}", v2)
        setattr(meta, f"v3_vert{k}", v3)
    _save(file, path, "specwcs", exposure_type)


def _photometry(path: Path, exposure_type: str) -> None:
    """Write the brightness in MJy/sr that gives 1 DN/s, by wavelength."""
    from stdatamodels.jwst import datamodels

    waves = np.linspace(3.6, 14.4, 541)
    factor = conversion(waves, DETECTORS["MIRIMAGE"].gain)
    scalar = float(np.interp(7.5, waves, factor))
    count = len(waves)
    columns = [("filter", "S12"), ("subarray", "S17"), ("photmjsr", "f4"), ("uncertainty", "f4")]
    arrays = [(name, "f4", (count,)) for name in ("wavelength", "relresponse", "reluncertainty")]
    table = np.zeros(1, [*columns, ("nelem", "i2"), *arrays])
    table["filter"], table["subarray"] = "P750L", _SUBARRAYS[exposure_type]
    table["photmjsr"], table["uncertainty"] = scalar, 0.002 * scalar
    table["nelem"] = count
    table["wavelength"], table["relresponse"] = waves, factor / scalar
    table["reluncertainty"] = 0.002 * factor / scalar
    file = datamodels.MirLrsPhotomModel()
    file.phot_table = table
    nominal = area_of("MIRIMAGE")[0]
    file.meta.photometry.pixelarea_steradians = nominal
    file.meta.photometry.pixelarea_arcsecsq = nominal / ARCSEC**2
    _save(file, path, "photom", exposure_type)


def _extraction(path: Path, exposure_type: str) -> None:
    """Write where a spectrum is summed, and where the sky beside it is measured."""
    width = _WIDTHS[exposure_type]
    x, _ = reference_pixel(exposure_type)
    aperture: dict[str, Any] = {
        "id": exposure_type,
        "region_type": "target",
        "dispaxis": 2,
        "spectral_order": 1,
        "xstart": x - (width - 1) / 2,
        "xstop": x + (width - 1) / 2,
        "extract_width": width,
    }
    if exposure_type == "MIR_LRS-SLITLESS":
        inner, outer = _SKY
        sides = ((x - outer, x - inner), (x + inner, x + outer))
        aperture["bkg_coeff"] = [[edge] for side in sides for edge in side]
        aperture["bkg_order"] = 0
        aperture["use_source_posn"] = False
    content = {
        "reftype": "EXTRACT1D",
        "instrument": "MIRI",
        "telescope": "JWST",
        "exp_type": exposure_type,
        "pedigree": "SIMULATION",
        "description": "Simulated; the practice archive of upramp",
        "author": "upramp",
        "useafter": "1900-01-01T00:00:00",
        "apertures": [aperture],
    }
    write_text(path, json.dumps(content, indent=2) + "\n")


def _aperture_corrections(path: Path, exposure_type: str, seed: int) -> None:
    """Write what a sum over some columns is to be multiplied with."""
    from stdatamodels.jwst import datamodels

    slitless = exposure_type == "MIR_LRS-SLITLESS"
    psf = psfs_of(seed, None if slitless else (0.0, 0.0))
    sizes = np.arange(1, 25)
    seen = aperture_fraction(psf, sizes)
    if slitless:
        # The columns that measure the sky hold light of the source as well.
        inner, outer = (aperture_fraction(psf, np.array([2 * edge]))[:, 0] for edge in _SKY)
        seen -= ((outer - inner) / (2 * (_SKY[1] - _SKY[0])))[:, None] * sizes
    waves = psf.wavelengths
    grid = (len(waves), len(sizes))
    head: list[Any] = [("subarray", "S17"), ("wavelength", "f4", grid[:1]), ("nelem_wl", "i2")]
    tail: list[Any] = [("size", "u1", grid[1:]), ("nelem_size", "i2")]
    both: list[Any] = [("apcorr", "f4", grid), ("apcorr_err", "f4", grid)]
    table = np.zeros(1, [*head, *tail, *both])
    table["subarray"], table["wavelength"] = _SUBARRAYS[exposure_type], waves
    table["nelem_wl"], table["nelem_size"] = grid
    table["size"], table["apcorr"] = sizes, 1 / seen
    file = datamodels.MirLrsApcorrModel()
    file.apcorr_table = table
    file.sizeunit = "pixels"
    _save(file, path, "apcorr", exposure_type)


def aperture_fraction(psf: SlitPsf, sizes: NDArray[np.integer[Any] | np.floating[Any]]) -> Float:
    """Give the part of the light that a sum over some columns around a source holds.

    Parameters
    ----------
    psf
        The source's images.
    sizes
        Widths in columns; a column on the rim counts by the part of it that is inside.

    Returns
    -------
    ndarray
        (wavelengths, sizes), of the light that reaches the detector.
    """
    result = np.zeros((len(psf.images), len(sizes)))
    for k, image in enumerate(psf.images):
        columns = np.arange(-image.half, image.half + 1)
        for phase in range(PHASES):
            across = image.phases[0, phase].sum(axis=0, dtype=np.float64)
            distance = np.abs(columns - phase / PHASES)
            inside = np.clip(np.asarray(sizes)[:, None] / 2 + 0.5 - distance[None, :], 0, 1)
            result[k] += inside @ across / PHASES
    return result


def _slit_losses(path: Path, seed: int) -> None:
    """Write what a source's light is to be multiplied with, by its place in the slit."""
    from stdatamodels.jwst import datamodels

    # From long to short, as in flight.
    waves = np.linspace(14.5, 3.5, 56)
    columns, rows = np.linspace(-20, 20, 9), np.linspace(-2, 2, 17)
    grid = (len(rows), len(columns))
    table = np.zeros(
        len(waves),
        [("wavelength", "f4"), ("pathloss", "f4", grid), ("pathloss_err", "f4", grid)],
    )
    table["wavelength"] = waves
    for j, y in enumerate(rows):
        for i, x in enumerate(columns):
            table["pathloss"][:, j, i] = 1 / passes_at(seed, (x, y), waves)
    file = datamodels.MirLrsPathlossModel()
    file.pathloss_table = table
    wcs = file.meta.wcsinfo
    wcs.wcsaxes = 2
    wcs.crpix1 = wcs.crpix2 = 1.0
    wcs.crval1, wcs.crval2 = float(columns[0]), float(rows[0])
    wcs.cdelt1, wcs.cdelt2 = float(columns[1] - columns[0]), float(rows[1] - rows[0])
    wcs.ctype1, wcs.ctype2 = "X", "Y"
    wcs.cunit1 = wcs.cunit2 = "pixel"
    _save(file, path, "pathloss", "MIR_LRS-FIXEDSLIT")


def _profiles(path: Path, seed: int) -> None:
    """Write a source's profile across its spectrum, by wavelength, finer than pixels."""
    from stdatamodels.jwst import datamodels

    psf = psfs_of(seed, (0.0, 0.0))
    waves = np.linspace(3.5, 14.5, 45)
    half = psf.images[0].half * PHASES
    fine = np.zeros((len(psf.images), 2 * half + 1))
    for k, image in enumerate(psf.images):
        for phase in range(PHASES):
            # A source a phase to the right of a pixel's middle is seen from a phase to the left.
            across = image.phases[0, phase].sum(axis=0, dtype=np.float64)
            places = np.arange(len(across)) * PHASES - phase
            fine[k, places[places >= 0]] = across[places >= 0]
    data = np.stack([np.interp(waves, psf.wavelengths, column) for column in fine.T], axis=1)
    file = datamodels.SpecPsfModel()
    file.apertures.append(
        {
            "name": "ANY",
            "subpix": PHASES,
            "center_col": half,
            "center_row": 0,
            "data": data,
            "wave": waves,
        }
    )
    file.meta.instrument.filter = "P750L"
    _save(file, path, "psf", "MIR_LRS-FIXEDSLIT")


def _save(file: Any, path: Path, reftype: str, exposure_type: str) -> None:
    describe(file, DETECTORS["MIRIMAGE"], reftype)
    file.meta.exposure.type = exposure_type
    save_fits(file, path)
