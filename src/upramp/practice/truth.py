"""What went into the practice exposures, kept so that results can be judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from upramp.atomic import replacing, write_text

from .cosmic_rays import KINDS
from .instruments import DETECTORS
from .readout import Ramp, group_of_frame

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from .geometry import Attitude
    from .lights import Light
    from .programs import ExposurePlan
    from .sky import Sky

__all__ = ["write_catalogues", "write_exposure_truth"]

_README = """\
Truth of the practice archive (a simulation).

stars.ecsv, galaxies.ecsv   everything in the field; fluxes in Jy
reference_catalog.ecsv      RA and DEC of the standards, which images can be aligned to
..._bright-field.ecsv       the same of the field of bright standards, MIRI's
<exposure>_truth.fits
    FLUX    electrons per second from the sky in each pixel, (ny, nx), before
            inter-pixel capacitance; without dark current; (nints, ny, nx) where it
            changes with time
    HITS    what fell: integration, group (the first that holds it), frame (since
            the reset), y, x, energy (electrons), kind (0 track, 1 snowball,
            2 shower), event; all counted from zero
    STARS   stars in the window: row in stars.ecsv, x, y (from zero), flux (Jy),
            rate (electrons per second in a detector of mean response)
    GUIDING where the guide star was: integration, x, y, all counted from zero
    SPECTRUM, LINES
            of a dispersed source: wavelength (micrometres) and flux (Jy); middle and width
            of its lines (micrometres), and their peaks over the continuum; the header says
            the continuum at 7.5 micrometres (FLUX75, Jy), its power of the wavelength (SLOPE)
            and where the source is (STAR_X, STAR_Y; SLIT_X, SLIT_Y from the slit's middle)
    header  V2, V3, RA, DEC, ROLL: where the telescope really pointed
Bad pixels and all that references describe are true as the references say.
"""


def write_exposure_truth(
    path: Path,
    plan: ExposurePlan,
    flux: NDArray[np.float32],
    ramp: Ramp,
    light: Light,
    sky: Sky,
    attitude: Attitude,
    electrons_per_brightness: float,
    nominal_area: float,
) -> None:
    """Write the truth of one exposure.

    Parameters
    ----------
    path
        Where.
    plan, ramp
        The exposure and what fell on it.
    flux
        Electrons per second from the sky in each pixel, (ny, nx) or (nints, ny, nx).
    light
        What shone, and what is true about it.
    sky
        The calibration field.
    attitude
        Where the telescope really pointed.
    electrons_per_brightness
        Electrons per second in a mean pixel for 1 MJy/sr.
    nominal_area
        Steradians of a mean pixel.
    """
    from astropy.io import fits

    primary = fits.PrimaryHDU()
    header = primary.header
    header["SIMULATE"] = (True, "this is a simulation")
    header["V2"], header["V3"] = attitude.v2, attitude.v3
    header["RA"], header["DEC"], header["ROLL"] = attitude.ra, attitude.dec, attitude.roll
    header["FILTER"] = plan.filter
    bandpass = DETECTORS[plan.detector].filters[plan.filter]
    hits = np.concatenate(
        [
            _table(
                [
                    np.full(len(part), integration, np.int16),
                    group_of_frame(plan, part.frame).astype(np.int16),
                    part.frame.astype(np.int16),
                    part.y.astype(np.int16),
                    part.x.astype(np.int16),
                    part.energy,
                    part.kind,
                    part.event,
                ],
                ["integration", "group", "frame", "y", "x", "energy", "kind", "event"],
            )
            for integration, part in enumerate(ramp.hits)
        ]
    )
    hdus = [primary, fits.ImageHDU(flux, name="FLUX"), fits.BinTableHDU(hits, name="HITS")]
    for number, kind in enumerate(KINDS):
        hdus[-1].header[f"KIND{number}"] = kind
    for keyword, value in light.facts.items():
        header[keyword] = value
    scene = light.scene
    if scene is not None:
        jansky = sky.stars.flux_in(bandpass)[scene.star_index]
        rate = jansky / nominal_area / 1e6 * electrons_per_brightness
        stars = _table(
            [scene.star_index.astype(np.int32), scene.star_x, scene.star_y, jansky, rate],
            ["star", "x", "y", "flux", "rate"],
        )
        hdus.append(fits.BinTableHDU(stars, name="STARS"))
    hdus += [fits.BinTableHDU(table, name=name) for name, table in light.tables.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        fits.HDUList(hdus).writeto(temporary)


def write_catalogues(folder: Path, skies: dict[str, Sky]) -> None:
    """Write the catalogues of each scene's sky, and what the truth's files mean."""
    folder.mkdir(parents=True, exist_ok=True)
    for scene, sky in skies.items():
        _write_catalogues(folder, sky, "" if scene == "field" else f"_{scene}")
    write_text(folder / "README.txt", _README)


def _write_catalogues(folder: Path, sky: Sky, ending: str) -> None:
    from astropy.table import Table

    stars, galaxies = sky.stars, sky.galaxies
    tables = {
        "stars": Table(
            {
                "ra": stars.ra,
                "dec": stars.dec,
                "flux_3p5um": stars.flux,
                "slope": stars.slope,
                "standard": stars.standard,
            }
        ),
        "galaxies": Table({name: getattr(galaxies, name) for name in vars(galaxies)}),
    }
    good = stars.standard
    tables["reference_catalog"] = Table({"RA": stars.ra[good], "DEC": stars.dec[good]})
    for name, table in tables.items():
        with replacing(folder / f"{name}{ending}.ecsv") as temporary:
            table.write(temporary, format="ascii.ecsv", overwrite=True)


def _table(columns: list[NDArray[Any]], names: list[str]) -> NDArray[Any]:
    table = np.zeros(len(columns[0]), [(n, c.dtype) for n, c in zip(names, columns, strict=True)])
    for name, column in zip(names, columns, strict=True):
        table[name] = column
    return table
