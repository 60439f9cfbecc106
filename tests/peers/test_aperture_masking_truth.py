"""The official aperture-masking pipeline on a practice binary: separation, angle, contrast."""

from dataclasses import dataclass

import numpy as np
import pytest
from astropy.io import fits
from official_chain import official_chain
from scipy.optimize import least_squares

from upramp.practice import nonredundant
from upramp.practice.instruments import DETECTORS
from upramp.practice.programs import PROGRAMS
from upramp.practice.setups import subarray_of
from upramp.practice.target_scene import pixel_scale

pytestmark = [pytest.mark.peer, pytest.mark.slow]

PLANS = list(PROGRAMS["niriss-ami"].exposures)
PLAN = PLANS[0]
ARCSEC = np.pi / 180 / 3600
# What the official model of the image leaves out, beside the scatter of integrations: the
# colours of the fringes, the shape of a pixel. In squared visibility, and in degrees.
FLOOR = 0.003, 0.1


@dataclass
class Binary:
    """A binary fitted to the fringes, and how well."""

    separation: float
    angle: float
    contrast: float
    chi_squared: float
    errors: np.ndarray


@pytest.fixture(scope="module")
def products(tmp_path_factory, forget_crds):
    folder = tmp_path_factory.mktemp("ami")
    with official_chain(forget_crds, folder, "niriss-ami", PLANS) as products:
        yield products


def visibility(u, v, wavelength, east, north, contrast):
    """A binary's visibility at baselines u, v (metres); offsets in arcseconds."""
    turns = (u * east + v * north) * ARCSEC / wavelength
    return (1 + contrast * np.exp(-2j * np.pi * turns)) / (1 + contrast)


def fit_binary(path):
    """Fit closure phases and squared visibilities of an OIFITS file, from all directions."""
    with fits.open(path) as file:
        vis2, t3 = (np.array(file[name].data) for name in ("OI_VIS2", "OI_T3"))
        wavelength = float(file["OI_WAVELENGTH"].data["EFF_WAVE"][0])
    u1, v1, u2, v2 = (t3[name] for name in ("U1COORD", "V1COORD", "U2COORD", "V2COORD"))

    def pulls(binary):
        squared = np.abs(visibility(vis2["UCOORD"], vis2["VCOORD"], wavelength, *binary)) ** 2
        triple = visibility(u1, v1, wavelength, *binary) * visibility(u2, v2, wavelength, *binary)
        triple = triple * np.conj(visibility(u1 + u2, v1 + v2, wavelength, *binary))
        phase = np.degrees(np.angle(triple))
        return np.concatenate(
            [
                (vis2["VIS2DATA"] - squared) / np.hypot(vis2["VIS2ERR"], FLOOR[0]),
                (t3["T3PHI"] - phase) / np.hypot(t3["T3PHIERR"], FLOOR[1]),
            ]
        )

    starts = [
        (radius * np.sin(angle), radius * np.cos(angle), 0.03)
        for radius in (0.1, 0.2)
        for angle in np.radians(np.arange(0, 360, 30))
    ]
    best = min((least_squares(pulls, start) for start in starts), key=lambda fit: fit.cost)
    east, north, contrast = best.x
    errors = np.sqrt(np.diag(np.linalg.inv(best.jac.T @ best.jac)))
    return Binary(
        float(np.hypot(east, north)),
        float(np.degrees(np.arctan2(east, north)) % 360),
        float(contrast),
        2 * best.cost / (len(best.fun) - 3),
        errors,
    )


def test_fringes_of_every_exposure_are_fitted_and_normalised(products):
    target, reference = (plan.root for plan in PLANS)
    for name in (
        f"{target}_a3001_ami-oi.fits",
        f"{reference}_a3001_psf-ami-oi.fits",
    ):
        assert fits.getval(products / name, "S_AMIANA") == "COMPLETE"
    with fits.open(products / "product_aminorm-oi.fits") as file:
        assert file[0].header["S_AMINOR"] == "COMPLETE"
        assert len(file["OI_VIS2"].data) == 21
        assert len(file["OI_T3"].data) == 35
        assert file["OI_TARGET"].data["TARGET"][0].startswith("PRACTICE BINARY")


def test_the_reference_is_one_star(products):
    with fits.open(products / f"{PLANS[1].root}_a3001_psf-ami-oi.fits") as file:
        phases = np.array(file["OI_T3"].data["T3PHI"])
    with fits.open(products / "product_aminorm-oi.fits") as file:
        normalised = np.array(file["OI_T3"].data["T3PHI"])
    assert np.std(phases) < 0.3 * np.std(normalised)


def test_the_binary_has_its_separation_angle_and_contrast(products):
    binary = fit_binary(products / "product_aminorm-oi.fits")
    true = PLAN.target.companion
    assert binary.chi_squared < 4
    # The official step writes its baselines without the stretch and shear that it fits
    # with, so the place it shows is off by what the distortion does not undo of these.
    stretch, turn = frame_of_the_fringes(products.parent / "archive")
    place_error = np.hypot(*binary.errors[:2])
    assert abs(binary.separation - true.separation * stretch) < 4 * place_error
    turned = (binary.angle - true.angle - turn + 180) % 360 - 180
    assert abs(np.radians(turned)) * true.separation < 4 * place_error
    # Whatever the frame, it is near: less than a fiftieth of a pixel, a degree.
    assert abs(binary.separation - true.separation) < 0.0013 + 4 * place_error
    # The companion stands down the slope of the envelope of a hole's light, which the
    # official model centres on the star.
    dimming = envelope(true.separation)
    low = true.contrast * (1 - 1.5 * dimming) - 4 * binary.errors[2]
    assert low < binary.contrast < true.contrast + 4 * binary.errors[2]


def envelope(separation):
    """Part of a source's light that a hole's diffraction takes away at a distance."""
    wavelength = DETECTORS[PLAN.detector].filters[PLAN.filter].wavelength * 1e-6
    argument = np.pi * nonredundant.HOLE_SIZE * separation * ARCSEC / wavelength
    return argument**2 / 4


def frame_of_the_fringes(archive):
    """By how much the official frame stretches the binary, and turns it (degrees).

    The official model is in pixels of one size, through the stretch of the pupil.
    """
    with fits.open(archive / "truth" / f"{PLAN.root}_truth.fits") as file:
        star, companion = file["SOURCES"].data
    subarray = subarray_of(PLAN)
    scale = np.mean(pixel_scale(PLAN, subarray))
    pixels = np.array([companion["y"] - star["y"], companion["x"] - star["x"]])
    rows, columns = scale * np.linalg.inv(nonredundant.STRETCH).T @ pixels
    true = PLAN.target.companion
    assert subarray.parity == -1  # columns run west where north is up
    shown = np.degrees(np.arctan2(-columns, rows))
    turn = shown - (true.angle - PLAN.roll - subarray.v3_ideal_angle)
    return float(np.hypot(rows, columns)) / true.separation, (turn + 180) % 360 - 180
