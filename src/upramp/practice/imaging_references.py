"""References of stages 2 and 3: distortion, photometry, aperture corrections, parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .exposures import MADE_ON
from .model_files import describe, make_table, save_asdf, save_fits, write_asdf

if TYPE_CHECKING:
    from pathlib import Path

    from .geometry import Geometry
    from .instruments import Detector
    from .optics import Psf

__all__ = [
    "aperture_corrections",
    "distortion",
    "filter_offsets",
    "parameters",
    "photometry",
    "vega_offsets",
]


def distortion(path: Path, detector: Detector, geometry: Geometry, exposure_type: str) -> None:
    """Write the transform from zero-based pixels of the whole detector to V2, V3 in arcseconds."""
    from astropy.modeling.models import AffineTransformation2D, Mapping, Polynomial2D, Shift
    from stdatamodels.jwst import datamodels

    x_ref, y_ref = geometry.reference_pixel
    v2_ref, v3_ref, angle, parity = geometry.frame
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))

    def polynomial(table: Any) -> Any:
        degree = table.shape[0] - 1
        names = {
            f"c{i}_{j}": table[i, j] for i in range(degree + 1) for j in range(degree + 1 - i)
        }
        return Polynomial2D(degree, **names)

    def both(tables: tuple[Any, Any]) -> Any:
        return Mapping((0, 1, 0, 1)) | polynomial(tables[0]) & polynomial(tables[1])

    turn = AffineTransformation2D([[parity * c, s], [-parity * s, c]], [0, 0])
    turn_back = AffineTransformation2D([[parity * c, -parity * s], [s, c]], [0, 0])
    model = (
        Shift(-x_ref) & Shift(-y_ref)
        | both(geometry.coefficients)
        | turn
        | Shift(v2_ref) & Shift(v3_ref)
    )
    model.inverse = (
        Shift(-v2_ref) & Shift(-v3_ref)
        | turn_back
        | both(geometry.inverse_coefficients())
        | Shift(x_ref) & Shift(y_ref)
    )
    file = datamodels.DistortionModel(model=model, input_units="pixel", output_units="arcsec")
    describe(file, detector, "distortion")
    file.meta.exposure.type = exposure_type
    file.meta.exposure.p_exptype = f"{exposure_type}|"
    for name in ("module", "channel"):
        if getattr(detector, name) is not None:
            setattr(file.meta.instrument, name, getattr(detector, name))
    save_asdf(file, path)


def filter_offsets(path: Path, detector: Detector) -> None:
    """Write the shifts that filters add: none here, and the pipeline wants to be told so."""
    from stdatamodels.jwst import datamodels

    rows = []
    for name in detector.filters:
        row = {"filter": name, "column_offset": 0.0, "row_offset": 0.0}
        if detector.pupil is not None:
            row["pupil"] = detector.pupil
        rows.append(row)
    file = datamodels.FilteroffsetModel(filters=rows, instrument=detector.instrument)
    describe(file, detector, "filteroffset")
    save_asdf(file, path)


def photometry(
    path: Path, detector: Detector, subarrays: tuple[str, ...], nominal_area: float
) -> None:
    """Write the surface brightness in MJy/sr that gives 1 DN/s."""
    from stdatamodels.jwst import datamodels

    classes = {
        "NIRCAM": datamodels.NrcImgPhotomModel,
        "NIRISS": datamodels.NisImgPhotomModel,
        "MIRI": datamodels.MirImgPhotomModel,
    }
    file = classes[detector.instrument]()
    rows = []
    for name, bandpass in detector.filters.items():
        values = {
            "filter": name,
            "photmjsr": bandpass.photmjsr,
            "uncertainty": 0.002 * bandpass.photmjsr,
        }
        if detector.instrument == "MIRI":
            rows += [{**values, "subarray": subarray} for subarray in subarrays]
        else:
            rows.append({**values, "pupil": detector.pupil})
    file.phot_table = make_table(file.get_dtype("phot_table"), rows)
    file.meta.photometry.pixelarea_steradians = nominal_area
    file.meta.photometry.pixelarea_arcsecsq = nominal_area / (np.pi / 180 / 3600) ** 2
    describe(file, detector, "photom")
    save_fits(file, path)


def aperture_corrections(
    path: Path, detector: Detector, subarrays: tuple[str, ...], psfs: dict[str, Psf]
) -> None:
    """Write the radii that hold parts of a star's light, and what to multiply them with."""
    from stdatamodels.jwst import datamodels

    classes = {
        "NIRCAM": datamodels.NrcImgApcorrModel,
        "NIRISS": datamodels.NisImgApcorrModel,
        "MIRI": datamodels.MirImgApcorrModel,
    }
    file = classes[detector.instrument]()
    rows = []
    radii = np.linspace(0.3, 60, 2000)
    for name, psf in psfs.items():
        growth = psf.encircled_energy(radii)
        inner, outer = 22.0, 30.0
        ring = float(np.diff(psf.encircled_energy(np.array([inner, outer])))[0])
        ring /= np.pi * (outer**2 - inner**2)
        for fraction in (0.3, 0.5, 0.6, 0.7, 0.8):
            radius = float(np.interp(fraction, growth, radii))
            # The ring that measures the sky holds starlight as well.
            seen = fraction - ring * np.pi * radius**2
            row = {
                "filter": name,
                "eefraction": fraction,
                "radius": radius,
                "apcorr": 1 / seen,
                "skyin": inner,
                "skyout": outer,
            }
            if detector.instrument == "MIRI":
                rows += [{**row, "subarray": subarray} for subarray in subarrays]
            else:
                rows.append({**row, "pupil": detector.pupil})
    file.apcorr_table = make_table(file.get_dtype("apcorr_table"), rows)
    describe(file, detector, "apcorr")
    save_fits(file, path)


def vega_offsets(path: Path, detector: Detector) -> None:
    """Write the difference of AB and Vega magnitudes, from the filters' zero points."""
    from astropy.table import Table
    from stdatamodels.jwst import datamodels

    names = list(detector.filters)
    # m_AB - m_Vega of a source is 2.5 log10(3631 Jy / zero point of Vega).
    offsets = [2.5 * np.log10(3631 / f.vega_zero_point) for f in detector.filters.values()]
    columns: dict[str, Any] = {"filter": names}
    if detector.pupil is not None:
        columns["pupil"] = [detector.pupil] * len(names)
    columns["abvega_offset"] = np.array(offsets, np.float32)
    file = datamodels.ABVegaOffsetModel()
    describe(file, detector, "abvegaoffset")
    save_asdf(file, path, abvega_offset=Table(columns))


def parameters(
    path: Path, instrument: str, step_class: str, alias: str, values: dict[str, Any]
) -> None:
    """Write a ``pars-*`` reference: parameters of a step for every exposure of an instrument."""
    tree = {
        "class": f"jwst.step.{step_class}",
        "name": alias,
        "parameters": values,
        "meta": {
            "author": "upramp",
            "date": MADE_ON,
            "description": "Simulated; the practice archive of upramp",
            "instrument": {"name": instrument},
            "origin": "STSCI",
            "pedigree": "SIMULATION",
            "reftype": f"pars-{step_class.lower()}",
            "telescope": "JWST",
            "useafter": "1900-01-01T00:00:00",
        },
    }
    write_asdf(tree, path)
