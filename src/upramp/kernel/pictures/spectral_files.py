"""Tables of spectra, the names of their files, and the truth of practice ones."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError

from .dispersed_images import median

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "Series",
    "Spectrum",
    "exposure_root",
    "is_of_exposure",
    "practice_lines",
    "read_series",
    "read_spectra",
    "same_exposure",
]

_EXPOSURE: Final = re.compile(r"(jw\d{11}_\w+?_\d{5}_[a-z0-9]+)_")
_TABLES: Final = ("EXTRACT1D", "COMBINE1D")
_SAME_PLACE: Final = 0.5 / 3600
"""Degrees within which a source of the truth is the one that was extracted."""


@dataclass(frozen=True)
class Spectrum:
    """A spectrum: wavelength in micrometres, flux and its error.

    Parameters
    ----------
    name
        The product's file.
    wavelength, flux, error
        In the order of wavelength.
    unit
        Of flux and error.
    source
        The source's number, where there are several.
    place
        Its right ascension and declination in degrees, where they are told.
    aperture
        First and last pixel across the dispersion that were summed, counted from 0.
    """

    name: str
    wavelength: NDArray[np.float64]
    flux: NDArray[np.float64]
    error: NDArray[np.float64]
    unit: str
    source: int | None = None
    place: tuple[float, float] | None = None
    aperture: tuple[float, float] | None = None


@dataclass(frozen=True)
class Series:
    """Spectra of all integrations of an exposure.

    Parameters
    ----------
    name
        The product's file.
    times
        The middle of each integration, MJD in days.
    wavelength
        In micrometres, in order.
    flux, error
        (integrations, wavelengths).
    unit
        Of flux and error.
    """

    name: str
    times: NDArray[np.float64]
    wavelength: NDArray[np.float64]
    flux: NDArray[np.float64]
    error: NDArray[np.float64]
    unit: str


def read_spectra(path: Path) -> list[Spectrum]:
    """Read the spectra of a product: one for each source or slit.

    Parameters
    ----------
    path
        A table of extracted or combined spectra; of a series, the mean is given.

    Raises
    ------
    InputError
        If there is no spectrum in it.
    """
    from astropy.io import fits

    found: list[Spectrum] = []
    with fits.open(path) as hdus:
        for hdu in hdus:
            if hdu.name not in _TABLES or hdu.data is None or not len(hdu.data):
                continue
            names = set(hdu.columns.names)
            if "INT_NUM" in names:
                found.append(_mean(_series(path, hdu), _aperture(hdu.header)))
            elif hdu.data["WAVELENGTH"].ndim == 2:
                found += [_one(path, hdu, row, names) for row in hdu.data]
            else:
                found.append(_one(path, hdu, hdu.data, names))
    if not found:
        raise InputError(path, "it holds no spectrum", "give a product x1d, x1dints or c1d")
    return found


def _one(path: Path, hdu: Any, row: Any, names: set[str]) -> Spectrum:
    error = "FLUX_ERROR" if "FLUX_ERROR" in names else "ERROR"
    wave, flux, errors = (
        np.array(row[name], np.float64) for name in ("WAVELENGTH", "FLUX", error)
    )
    used = np.flatnonzero(np.isfinite(wave) & (wave > 0))
    used = used[np.argsort(wave[used], kind="stable")]
    source = int(row["SOURCE_ID"]) if "SOURCE_ID" in names else hdu.header.get("SOURCEID")
    place = None
    if {"SOURCE_RA", "SOURCE_DEC"} <= names:
        place = (float(row["SOURCE_RA"]), float(row["SOURCE_DEC"]))
    return Spectrum(
        path.name,
        wave[used],
        flux[used],
        errors[used],
        str(hdu.columns["FLUX"].unit or ""),
        source,
        place,
        _aperture(hdu.header),
    )


def _aperture(header: Any) -> tuple[float, float] | None:
    across = "X" if header.get("DISPAXIS") == 2 else "Y"
    ends = [header.get(f"EXTR{across}{end}") for end in ("STR", "STP")]
    # They are counted from 1.
    return None if None in ends else (float(ends[0]) - 1, float(ends[1]) - 1)


def read_series(path: Path) -> Series:
    """Read the spectra of all integrations.

    Parameters
    ----------
    path
        A table of spectra by integration.

    Raises
    ------
    InputError
        If it is none.
    """
    from astropy.io import fits

    with fits.open(path) as hdus:
        for hdu in hdus:
            if hdu.name == "EXTRACT1D" and "INT_NUM" in hdu.columns.names and len(hdu.data):
                return _series(path, hdu)
    raise InputError(path, "it holds no spectra of integrations", "give a product x1dints")


def _series(path: Path, hdu: Any) -> Series:
    table = hdu.data
    wave = median(np.asarray(table["WAVELENGTH"], np.float64))
    used = np.flatnonzero(np.isfinite(wave) & (wave > 0))
    used = used[np.argsort(wave[used], kind="stable")]
    flux, error = (np.array(table[name], np.float64)[:, used] for name in ("FLUX", "FLUX_ERROR"))
    times = np.array(table["MJD-AVG"], np.float64)
    return Series(path.name, times, wave[used], flux, error, str(hdu.columns["FLUX"].unit or ""))


def _mean(series: Series, aperture: tuple[float, float] | None) -> Spectrum:
    count = np.maximum(np.isfinite(series.flux).sum(axis=0), 1)
    return Spectrum(
        series.name,
        series.wavelength,
        median(series.flux),
        median(series.error) / np.sqrt(count),
        series.unit,
        aperture=aperture,
    )


# ---- names of products


def exposure_root(path: Path) -> str | None:
    """Give what the products of one exposure share in their names; None for a combined product.

    Parameters
    ----------
    path
        A product.
    """
    match = _EXPOSURE.match(path.name)
    return match[1] if match else None


def is_of_exposure(path: Path) -> bool:
    """Tell the product of one exposure from one of several.

    Parameters
    ----------
    path
        A product.
    """
    return exposure_root(path) is not None


def same_exposure(path: Path, others: Sequence[Path]) -> Path | None:
    """Find the product that is of the same exposure, or of the same exposures together.

    Parameters
    ----------
    path
        A product.
    others
        Products of another kind.
    """
    stem = path.name.rpartition("_")[0]
    return next((one for one in others if one.name.rpartition("_")[0] == stem), None)


# ---- what the practice simulation put in


def practice_lines(spectrum: Spectrum) -> list[float]:
    """Give the wavelengths of the lines that a practice exposure was made with.

    Parameters
    ----------
    spectrum
        A spectrum of one.

    Returns
    -------
    list of float
        In micrometres; empty for what is no practice exposure, or without its truth.
    """
    from astropy.io import fits

    for file in _truths(spectrum.name):
        with fits.open(file) as hdus:
            if "LINES" not in hdus:
                continue
            lines = hdus["LINES"].data
            if "source" not in lines.dtype.names:
                return [float(value) for value in lines["wavelength"]]
            if spectrum.place is None:
                return []
            sources = hdus["SOURCES"].data
            ra, dec = spectrum.place
            away = np.hypot((sources["ra"] - ra) * np.cos(np.radians(dec)), sources["dec"] - dec)
            if not len(away) or away.min() > _SAME_PLACE:
                return []
            ours = sources["source"][away.argmin()]
            return [float(value) for value in lines["wavelength"][lines["source"] == ours]]
    return []


def _truths(name: str) -> list[Path]:
    root = exposure_root(Path(name))
    program = re.match(r"jw\d{5}(?=-)", name)
    if root is None and program is None:
        return []
    pattern = f"{root or (program and program[0])}{'' if root else '*'}_truth.fits"
    found: list[Path] = []
    for variable, folder in (("UPRAMP_ARCHIVE", "truth"), ("CRDS_PATH", "../truth")):
        place = os.environ.get(variable, "")
        if place and "://" not in place:
            found += sorted((Path(place) / folder).glob(pattern))
    return found
