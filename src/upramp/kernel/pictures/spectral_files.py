"""What pictures of spectra are drawn from: images with wavelengths, tables of spectra, truths."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "DispersedImage",
    "Series",
    "Spectrum",
    "exposure_root",
    "is_of_exposure",
    "practice_lines",
    "read_dispersed",
    "read_series",
    "read_spectra",
    "same_exposure",
]

_EXPOSURE: Final = re.compile(r"(jw\d{11}_\w+?_\d{5}_[a-z0-9]+)_")
_TABLES: Final = ("EXTRACT1D", "COMBINE1D")
_SAME_PLACE: Final = 0.5 / 3600
"""Degrees within which a source of the truth is the one that was extracted."""


@dataclass(frozen=True)
class DispersedImage:
    """A spectrum as it lies on the detector or on a rectified grid, dispersed to the right.

    Parameters
    ----------
    data, error
        Rows across the dispersion, columns along it; what is no measure is not a number.
    wavelength
        Of each pixel, in micrometres.
    unit
        Of the data.
    along, across
        The pixels of the product on both axes: first and last.
    names
        What these pixels are called in the product: row or column.
    region
        The part of the product's image that this is.
    turned
        Whether the product is dispersed along its columns.
    """

    data: NDArray[np.float32]
    error: NDArray[np.float32]
    wavelength: NDArray[np.float64]
    unit: str
    along: tuple[int, int]
    across: tuple[int, int]
    names: tuple[str, str]
    region: tuple[slice, slice]
    turned: bool

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Its edges in the product's pixels, for ``imshow``."""
        return (
            *(self.along[0] - 0.5, self.along[1] + 0.5),
            *(self.across[0] - 0.5, self.across[1] + 0.5),
        )

    @property
    def middle(self) -> NDArray[np.float64]:
        """The wavelength of each column: the median of its pixels."""
        return median(self.wavelength)


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


def median(values: NDArray[Any], axis: int = 0) -> NDArray[np.float64]:
    """Give the median of what is a number along an axis; not a number where nothing is.

    Parameters
    ----------
    values
        Some numbers.
    axis
        Along which.
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(values, axis=axis), np.float64)


def read_dispersed(path: Path, number: int = 0) -> DispersedImage:
    """Read a spectrum's image with the wavelengths of its world coordinates.

    Parameters
    ----------
    path
        A calibrated or rectified exposure. Of a series' integrations, the median is given.
    number
        Which slit, where there are several.

    Raises
    ------
    UsageError
        If it has no wavelengths, or no such slit.
    """
    from upramp.exposure import open_exposure, to_datamodel

    with open_exposure(path) as opened, to_datamodel(opened) as model:
        slits = getattr(model, "slits", None)
        if slits is not None and not 0 <= number < len(slits):
            raise UsageError(
                path.name, f"it has no slit {number}", f"it has {len(slits)}, counted from 0"
            )
        part = model if slits is None else slits[number]
        wcs = getattr(part.meta, "wcs", None)
        if wcs is None or part.data is None or part.data.ndim not in {2, 3}:
            raise UsageError(
                path.name, "it is no image with wavelengths", "give a product of stage 2 or 3"
            )
        turned = getattr(part.meta.wcsinfo, "dispersion_direction", None) == 2
        return _cut(part, wcs, turned=turned)


def _cut(part: Any, wcs: Any, *, turned: bool) -> DispersedImage:
    """Give what lies inside the bounds of the world coordinates."""
    ny, nx = part.data.shape[-2:]
    box = wcs.bounding_box
    whole = (-0.5, nx - 0.5), (-0.5, ny - 0.5)
    columns, rows = whole if box is None else box.bounding_box(order="F")
    x = slice(max(0, int(np.ceil(columns[0]))), min(nx, int(np.floor(columns[1])) + 1))
    y = slice(max(0, int(np.ceil(rows[0]))), min(ny, int(np.floor(rows[1])) + 1))
    region = (y, x)
    grid_y, grid_x = np.mgrid[y, x]
    wavelength = np.asarray(wcs(grid_x, grid_y)[2], np.float64)
    data = np.asarray(part.data[..., y, x], np.float32)
    error = np.asarray(part.err[..., y, x], np.float32)
    if data.ndim == 3:
        count = np.maximum(np.isfinite(data).sum(axis=0), 1)
        data = median(data).astype(np.float32)
        error = (median(error) / np.sqrt(count)).astype(np.float32)
    flags = getattr(part, "dq", None)
    if flags is not None and flags.ndim == 2 and flags.shape == (ny, nx):
        data = np.where(flags[y, x] & 1, np.nan, data)
    pixels = (x.start, x.stop - 1), (y.start, y.stop - 1)
    arrays = [data, error, wavelength]
    if turned:
        arrays = [array.T for array in arrays]
        pixels = pixels[::-1]
    names = ("row", "column") if turned else ("column", "row")
    unit = str(part.meta.bunit_data or "")
    return DispersedImage(arrays[0], arrays[1], arrays[2], unit, *pixels, names, region, turned)


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
        *(values[used] for values in (wave, flux, errors)),
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
