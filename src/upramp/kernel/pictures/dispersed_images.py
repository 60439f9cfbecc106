"""Images of spectra, on the detector or on a rectified grid, with their wavelengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from upramp.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Cutout", "DispersedImage", "median", "read_cutouts", "read_dispersed"]


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
        The part of the exposure's image that this is.
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
class Cutout:
    """A source's part of an image of a whole field's spectra.

    Parameters
    ----------
    source
        The source's number.
    order
        The spectral order.
    box
        First column, first row, count of columns and of rows on the detector.
    image
        What is there, with its wavelengths.
    """

    source: int
    order: int
    box: tuple[int, int, int, int]
    image: DispersedImage


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
        # A whole exposure tells here where its subarray is on the detector.
        corner = (0, 0) if slits is None else _corner(part)
        return _cut(part, wcs, corner, turned=turned)


def read_cutouts(path: Path) -> list[Cutout]:
    """Read what was cut out of an image of a whole field's spectra.

    Parameters
    ----------
    path
        A calibrated exposure of several sources.

    Raises
    ------
    UsageError
        If it has no sources.
    """
    from upramp.exposure import open_exposure, to_datamodel

    found: list[Cutout] = []
    with open_exposure(path) as opened, to_datamodel(opened) as model:
        for slit in getattr(model, "slits", ()):
            if getattr(slit.meta, "wcs", None) is None or slit.source_id is None:
                continue
            turned = slit.meta.wcsinfo.dispersion_direction == 2
            box = (*_corner(slit), int(slit.xsize), int(slit.ysize))
            order = int(slit.meta.wcsinfo.spectral_order or 0)
            image = _cut(slit, slit.meta.wcs, _corner(slit), turned=turned)
            found.append(Cutout(int(slit.source_id), order, box, image))
    if not found:
        raise UsageError(path.name, "there are no sources in it", "give spectra of a whole field")
    return found


def _corner(part: Any) -> tuple[int, int]:
    """Give the column and row of the whole image that a slit begins at."""
    first = (getattr(part, "xstart", None), getattr(part, "ystart", None))
    # They are counted from 1.
    return (int(first[0] or 1) - 1, int(first[1] or 1) - 1)


def _cut(part: Any, wcs: Any, corner: tuple[int, int], *, turned: bool) -> DispersedImage:
    """Give what lies inside the bounds of the world coordinates."""
    ny, nx = part.data.shape[-2:]
    box = wcs.bounding_box
    whole = (-0.5, nx - 0.5), (-0.5, ny - 0.5)
    columns, rows = whole if box is None else box.bounding_box(order="F")
    x = slice(max(0, int(np.ceil(columns[0]))), min(nx, int(np.floor(columns[1])) + 1))
    y = slice(max(0, int(np.ceil(rows[0]))), min(ny, int(np.floor(rows[1])) + 1))
    left, below = corner
    region = (
        slice(below + y.start, below + y.stop),
        slice(left + x.start, left + x.stop),
    )
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
    if turned:
        data, error, wavelength = data.T, error.T, wavelength.T
        pixels = pixels[::-1]
    names = ("row", "column") if turned else ("column", "row")
    unit = str(part.meta.bunit_data or "")
    return DispersedImage(data, error, wavelength, unit, *pixels, names, region, turned)
