"""References of NIRCam's slitless spectroscopy, written by the mission's own data models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from . import grism, wfss_scene
from .model_files import describe, make_table, save_asdf, save_fits
from .references import flat, slitless_background
from .setups import area_of, character_of, full_of, psf_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from .instruments import Detector

__all__ = ["TYPES", "make_wfss_reference"]

_TYPE: Final = "NRC_WFSS"
TYPES: Final = ("specwcs", "wavelengthrange", "photom", "apcorr", "bkg", "flat")
"""What slitless spectra need of their own."""


def make_wfss_reference(path: Path, detector: Detector, reftype: str, seed: int) -> None:
    """Make a reference that only slitless spectra need.

    Parameters
    ----------
    path
        Where.
    detector
        The detector behind the grism.
    reftype
        One of `TYPES`.
    seed
        The archive's seed.
    """
    match reftype:
        case "specwcs":
            _traces(path, detector)
        case "wavelengthrange":
            _wavelength_range(path, detector)
        case "photom":
            _sensitivity(path, detector)
        case "apcorr":
            _aperture_corrections(path, detector, seed)
        case "bkg":
            _background(path, detector, seed)
        case "flat":
            _response(path, detector, seed)
        case unknown:
            raise AssertionError(unknown)


def _traces(path: Path, detector: Detector) -> None:
    """Write where the light of a source falls, and its wavelength."""
    from astropy.modeling.models import Polynomial1D, Polynomial2D
    from stdatamodels.jwst import datamodels

    def of_the_field(tables: tuple[NDArray[np.float64], ...]) -> list[Any]:
        return [
            Polynomial2D(
                1,
                c0_0=float(table[0, 0]),
                c1_0=float(table[1, 0]),
                c0_1=float(table[0, 1]),
            )
            for table in tables
        ]

    straight = Polynomial1D(1, c0=grism.ALONG[0], c1=grism.ALONG[1])
    file = datamodels.NIRCAMGrismModel(
        displ=[of_the_field(grism.WAVELENGTH)],
        dispx=[straight],
        dispy=[of_the_field(grism.ACROSS)],
        orders=[1],
    )
    file.meta.input_units, file.meta.output_units = "micron", "micron"
    _describe(file, detector, "specwcs")
    file.meta.instrument.filter = next(iter(detector.filters))
    file.meta.instrument.pupil = detector.pupil
    save_asdf(file, path)


def _wavelength_range(path: Path, detector: Detector) -> None:
    """Write which wavelengths and orders to cut out for each filter."""
    from stdatamodels.jwst import datamodels

    names = list(detector.filters)
    file = datamodels.WavelengthrangeModel(
        wrange_selector=names,
        wrange=[[1, name, *grism.RANGE] for name in names],
        order=[1],
        extract_orders=[[name, [1]] for name in names],
        wunits="micron",
    )
    _describe(file, detector, "wavelengthrange")
    save_asdf(file, path)


def _sensitivity(path: Path, detector: Detector) -> None:
    """Write the brightness per DN/s and pixel, times the micrometres of a pixel."""
    from stdatamodels.jwst import datamodels

    file = datamodels.NrcWfssPhotomModel()
    wave = grism.TABULATED
    values = grism.conversion(wave)
    best = float(values.min())
    # Flight files count the width of a pixel's light in angstroms.
    rows = [
        {
            "filter": name,
            "pupil": detector.pupil,
            "order": 1,
            "photmjsr": best * 1e4,
            "uncertainty": 0.002 * best * 1e4,
            "nelem": len(wave),
            "wavelength": wave,
            "relresponse": values / best,
            "reluncertainty": np.full(len(wave), 0.002),
        }
        for name in detector.filters
    ]
    dtype = _with_lengths(file.get_dtype("phot_table"), len(wave))
    file.phot_table = make_table(dtype, rows)
    file.phot_unit, file.wave_unit = "MJy Angstrom s / (DN sr)", "micron"
    nominal = area_of(detector.key)[0]
    file.meta.photometry.pixelarea_steradians = nominal
    file.meta.photometry.pixelarea_arcsecsq = nominal / (np.pi / 180 / 3600) ** 2
    _describe(file, detector, "photom")
    save_fits(file, path)


def _aperture_corrections(path: Path, detector: Detector, seed: int) -> None:
    """Write by what to multiply what a number of rows about a trace holds."""
    from stdatamodels.jwst import datamodels

    file = datamodels.NrcWfssApcorrModel()
    sizes = np.arange(1, 101)
    waves = np.array([2.4, 5.1])
    rows = []
    for name in detector.filters:
        psf = psf_of(detector.key, name, seed)
        profile = psf.phases[0, 0].sum(axis=1, dtype=np.float64)
        # Neighbours see a part of each pixel's charge.
        profile = np.convolve(profile, [detector.ipc, 1 - 2 * detector.ipc, detector.ipc], "same")
        edge = np.arange(len(profile) + 1) - len(profile) / 2
        growth = np.concatenate([[0.0], np.cumsum(profile)])
        held = np.interp(sizes / 2, edge, growth) - np.interp(-sizes / 2, edge, growth)
        corrections = np.repeat((1 / held)[None, :], len(waves), axis=0)
        rows.append(
            {
                "filter": name,
                "pupil": detector.pupil,
                "wavelength": waves,
                "nelem_wl": len(waves),
                "size": sizes,
                "nelem_size": len(sizes),
                "apcorr": corrections,
                "apcorr_err": np.full_like(corrections, 1e-3),
            }
        )
    lengths = {"wavelength": len(waves), "size": len(sizes)}
    shape = len(waves), len(sizes)
    columns = [
        (n, dtype, lengths.get(n, ()) if n not in {"apcorr", "apcorr_err"} else shape)
        for n, dtype in _scalars(file.get_dtype("apcorr_table"))
    ]
    file.apcorr_table = make_table(np.dtype(columns), rows)
    file.sizeunit = "pixels"
    _describe(file, detector, "apcorr")
    save_fits(file, path)


def _background(path: Path, detector: Detector, seed: int) -> None:
    """Write the sky through the grism, DN/s, before the flat is divided out."""
    character = character_of(detector.key, seed)
    area = area_of(detector.key)[1]
    sky = wfss_scene.background(detector.shape)
    response = character.efficiency * area * np.float32(detector.gain) / character.gain
    seen = np.where(character.light, sky * response, np.float32(0))
    slitless_background(path, detector, full_of(detector.key), seen, _TYPE)


def _response(path: Path, detector: Detector, seed: int) -> None:
    """Write the response to a source's light, which a large pixel does not get more of."""
    subarray = full_of(detector.key)
    even = np.ones(detector.shape, np.float32)
    flat(path, detector, subarray, character_of(detector.key, seed), even)


def _describe(file: Any, detector: Detector, reftype: str) -> None:
    describe(file, detector, reftype)
    file.meta.exposure.type = _TYPE
    for name in ("module", "channel"):
        setattr(file.meta.instrument, name, getattr(detector, name))


def _scalars(dtype: Any) -> list[tuple[str, Any]]:
    return [(name, dtype[name].base) for name in dtype.names]


def _with_lengths(dtype: Any, length: int) -> Any:
    arrays = {"wavelength", "relresponse", "reluncertainty"}
    return np.dtype([(n, t, (length,) if n in arrays else ()) for n, t in _scalars(dtype)])
