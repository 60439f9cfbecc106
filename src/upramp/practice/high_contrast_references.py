"""References that only coronagraphy and aperture masking ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from . import nonredundant
from .model_files import describe, make_table, save_fits

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from .geometry import Subarray
    from .instruments import Detector

__all__ = ["hole_geometry", "psf_mask", "throughput"]

_ALIGNED: Final = 3.2
"""Radius in arcseconds of the circle in which images are aligned to each other."""
_SOFT: Final = 0.3
"""Width in arcseconds of its edge."""
_NRM_SAMPLES: Final = 1024
_WAVELENGTHS: Final = 121


def psf_mask(
    path: Path,
    detector: Detector,
    subarray: Subarray,
    scale: tuple[float, float],
    exposure_type: str,
) -> None:
    """Write the weights with which images of stars are aligned: a circle around the mask.

    Parameters
    ----------
    path
        Where.
    detector, subarray
        What it is for.
    scale
        Arcseconds per pixel along columns and rows.
    exposure_type
        The ``EXP_TYPE`` it is for.
    """
    from stdatamodels.jwst import datamodels

    nx, ny = subarray.size
    x = (np.arange(nx) - subarray.reference[0] + 1) * scale[0]
    y = (np.arange(ny) - subarray.reference[1] + 1) * scale[1]
    radius = np.hypot(x[None, :], y[:, None])
    weight = np.clip((_ALIGNED - radius) / _SOFT + 0.5, 0, 1)
    file = datamodels.PsfMaskModel(data=weight.astype(np.float32))
    describe(file, detector, "psfmask")
    file.meta.exposure.type = exposure_type
    file.meta.instrument.coronagraph = detector.coronagraph
    file.meta.instrument.filter = next(iter(detector.filters))
    file.meta.subarray.name = subarray.name
    file.meta.subarray.xstart, file.meta.subarray.ystart = subarray.start
    file.meta.subarray.xsize, file.meta.subarray.ysize = subarray.size
    file.meta.subarray.fastaxis = detector.fastaxis
    file.meta.subarray.slowaxis = detector.slowaxis
    save_fits(file, path)


def throughput(path: Path, detector: Detector) -> None:
    """Write the part of light that a filter passes, by wavelength in angstroms."""
    from stdatamodels.jwst import datamodels

    (name, bandpass), *others = detector.filters.items()
    if others:
        raise AssertionError(detector.filters)
    wavelengths, passed = nonredundant.bandpass_curve(bandpass, _WAVELENGTHS)
    file = datamodels.ThroughputModel()
    rows = [
        {"wavelength": 1e4 * wavelength, "throughput": part}
        for wavelength, part in zip(wavelengths, passed, strict=True)
    ]
    file.filter_table = make_table(file.get_dtype("filter_table"), rows)
    describe(file, detector, "throughput")
    file.meta.instrument.filter = name
    save_fits(file, path)


def hole_geometry(path: Path, detector: Detector, exposure_type: str) -> None:
    """Write where the holes of the non-redundant mask are, in numbers and as a picture."""
    from stdatamodels.jwst import datamodels

    flats, circle = nonredundant.DIAMETERS
    axis = ((np.arange(_NRM_SAMPLES) + 0.5) / _NRM_SAMPLES - 0.5) * circle
    holes: NDArray[np.float64] = nonredundant.hole_map(
        axis[None, :], axis[:, None], circle / _NRM_SAMPLES
    )
    file = datamodels.NRMModel(nrm=holes.astype(np.float32))
    file.diameter, file.pupil_circumscribed = flats, circle
    file.flat_to_flat = nonredundant.HOLE_SIZE
    for number, (x, y) in enumerate(nonredundant.HOLES, start=1):
        setattr(file, f"x_a{number}", float(x))
        setattr(file, f"y_a{number}", float(y))
    describe(file, detector, "nrm")
    file.meta.exposure.type = exposure_type
    save_fits(file, path)
