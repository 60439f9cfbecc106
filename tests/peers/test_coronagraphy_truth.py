"""The official coronagraphic pipeline on practice planets: their places and their brightness."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from astropy.io import fits
from official_chain import official_chain
from scipy.ndimage import shift

from upramp.dq import PIXEL
from upramp.practice.archive import DEFAULT_SEED
from upramp.practice.instruments import DETECTORS
from upramp.practice.plans import ExposurePlan
from upramp.practice.programs import PROGRAMS
from upramp.practice.readout import _couple
from upramp.practice.setups import geometry_of, subarray_of
from upramp.practice.target_scene import image_of_source

pytestmark = [pytest.mark.peer, pytest.mark.slow]

STEPS = {
    "psfsub": ("S_WCS", "S_FLAT", "S_PHOTOM", "S_OUTLIR", "S_KLIP"),
    "psfalign": ("S_PSFSTK", "S_PSFALI"),
}
# A core's standard deviation in pixels: 0.42 wavelengths over the stop's diameter.
CORE = {"nircam-coron": 0.95, "miri-coron": 1.4}
# KLIP's own truncation: with fewer references than this, all of them are used.
TRUNCATION = 50


@dataclass
class Found:
    """A planet after KLIP in one exposure."""

    x: float
    y: float
    flux: float
    flux_error: float
    throughput: float
    true: np.ndarray = field(repr=False)


@dataclass
class Chain:
    """Products of a program, and the planet in each roll."""

    name: str
    products: object
    plans: list[ExposurePlan]
    found: list[Found]


@pytest.fixture(scope="module", params=["nircam-coron", "miri-coron"])
def chain(request, tmp_path_factory, forget_crds):
    folder = tmp_path_factory.mktemp(request.param)
    # Two rolls, and three of the references, not in one line: they span the small grid.
    plans = list(PROGRAMS[request.param].exposures[:5])
    with official_chain(forget_crds, folder, request.param, plans) as products:
        science = [plan for plan in plans if not plan.target.is_reference]
        truths = [
            fits.getdata(folder / "archive" / "truth" / f"{plan.root}_truth.fits", "SOURCES")
            for plan in science
        ]
        found = [find(products, plan, truth) for plan, truth in zip(science, truths, strict=True)]
        yield Chain(request.param, products, plans, found)


def find(products, plan, truth):
    """Fit the planet in the mean of an exposure's subtracted integrations.

    What KLIP does to a planet is linear in it: the image of a lone planet goes through the
    same references, and what comes out is fitted. So nothing that KLIP subtracts of the
    planet itself is missing in its brightness.
    """
    with fits.open(products / f"{plan.root}_a3001_psfsub.fits") as file:
        image = np.mean(file["SCI"].data.astype(float), axis=0)
        science = file["DQ"].data[0] & PIXEL["NON_SCIENCE"] == 0
    planet = truth[truth["role"] == "companion"][0]
    star = truth[truth["role"] == "star"][0]
    # As an observer would: the brightest there is outside the mask's inner working angle.
    y, x = np.indices(image.shape)
    distance = np.hypot(x - star["x"], y - star["y"])
    separation = np.hypot(planet["x"] - star["x"], planet["y"] - star["y"])
    near = (distance > 0.6 * separation) & (distance < 1.4 * separation)
    smooth = sum(np.roll(image, (j, i), (0, 1)) for j in (-1, 0, 1) for i in (-1, 0, 1))
    row, column = np.unravel_index(np.where(near, smooth, -np.inf).argmax(), image.shape)
    place, flux = np.array([column, row], float), 0.0
    for _ in range(3):
        lone = planet_image(plan, *place)
        model = after_klip(products, plan, np.where(science, lone, 0))
        window = np.hypot(x - place[0], y - place[1]) < 6
        by_x, by_y = (
            (shift(model, (-j, -i), order=3) - shift(model, (j, i), order=3)) / 0.4
            for i, j in ((-0.2, 0.0), (0.0, -0.2))
        )
        design = np.stack([model[window], by_x[window], by_y[window], np.ones(window.sum())], 1)
        fit, *_ = np.linalg.lstsq(design, image[window], rcond=None)
        flux = fit[0]
        place = place + fit[1:3] / flux
    apart = [amplitude(image, model, place, star, angle) for angle in np.arange(40, 321, 20)]
    throughput = (model * lone).sum() / (lone * lone).sum()
    return Found(*place, flux, float(np.std(apart)), float(throughput), planet)


def amplitude(image, model, place, star, degrees):
    """Fit the planet's image at its separation where there is none."""
    angle = np.radians(degrees)
    dx, dy = place[0] - star["x"], place[1] - star["y"]
    there = (
        star["x"] + dx * np.cos(angle) - dy * np.sin(angle),
        star["y"] + dx * np.sin(angle) + dy * np.cos(angle),
    )
    moved = shift(model, (there[1] - place[1], there[0] - place[0]), order=3)
    y, x = np.indices(image.shape)
    window = np.hypot(x - there[0], y - there[1]) < 6
    design = np.stack([moved[window], np.ones(window.sum())], 1)
    fit, *_ = np.linalg.lstsq(design, image[window], rcond=None)
    return fit[0]


def planet_image(plan, x, y):
    """Surface brightness that a lone planet of one Jansky gives, MJy/sr."""
    subarray, detector = subarray_of(plan), DETECTORS[plan.detector]
    image, _ = image_of_source(plan, subarray, x, y, DEFAULT_SEED)
    where = np.array(x + subarray.start[0] - 1), np.array(y + subarray.start[1] - 1)
    image = image / float(geometry_of(plan.detector).pixel_area(*where)) / 1e6
    # The pipeline leaves neighbours coupled here.
    return _couple(image.astype(np.float32), np.ones(image.shape, bool), detector.ipc)


def after_klip(products, plan, image):
    """What official KLIP with an exposure's aligned references leaves of an image."""
    from jwst.coron.klip import klip
    from stdatamodels.jwst import datamodels

    with datamodels.open(products / f"{plan.root}_a3001_psfalign.fits") as references:
        target = datamodels.CubeModel(data=image[None].astype(np.float32))
        return klip(target, references, TRUNCATION, return_psf=False).data[0].astype(float)


def test_the_whole_chain_is_run(chain):
    roots = [plan.root for plan in chain.plans if not plan.target.is_reference]
    for root in roots:
        for product, keywords in STEPS.items():
            header = fits.getheader(chain.products / f"{root}_a3001_{product}.fits")
            for keyword in keywords:
                assert header[keyword] == "COMPLETE", (product, keyword)
    assert fits.getval(chain.products / "product_i2d.fits", "S_RESAMP") == "COMPLETE"
    assert fits.getval(chain.products / "product_i2d.fits", "BUNIT", "SCI") == "MJy/sr"


def test_the_star_hides_its_planet_before_klip_and_not_after(chain):
    for plan, found in zip(chain.plans, chain.found, strict=False):
        with fits.open(chain.products / f"{plan.root}_calints.fits") as before:
            raw = np.nanmax(before["SCI"].data[0])
        with fits.open(chain.products / f"{plan.root}_a3001_psfsub.fits") as after:
            peak = after["SCI"].data[0][round(found.y), round(found.x)]
        assert peak < 0.2 * raw
        assert found.flux > 8 * found.flux_error


def test_planets_are_where_they_are(chain):
    for found in chain.found:
        # A core's width (the standard deviation, pixels) over the signal-to-noise ratio.
        error = CORE[chain.name] * found.flux_error / found.flux
        offset = np.hypot(found.x - found.true["x"], found.y - found.true["y"])
        # A thousandth of normal pairs is further off than 3.7 such errors.
        assert offset < 3.7 * error
        assert error < 0.05


def test_the_planet_of_both_rolls_falls_on_one_place_of_the_sky(chain):
    from stdatamodels.jwst import datamodels

    plan = chain.plans[0]
    companion = plan.target.companion
    angle = np.radians(companion.angle)
    ra = plan.target.ra + companion.separation * np.sin(angle) / 3600 / np.cos(
        np.radians(plan.target.dec)
    )
    dec = plan.target.dec + companion.separation * np.cos(angle) / 3600
    with datamodels.open(chain.products / "product_i2d.fits") as model:
        x, y = model.meta.wcs.invert(ra, dec, with_bounding_box=False)
        data = np.array(model.data)
    j, i = np.indices(data.shape)
    core = np.where(np.hypot(i - x, j - y) < 4, data, 0)
    weight = np.clip(core - 0.3 * core.max(), 0, None)
    place = (weight * i).sum() / weight.sum(), (weight * j).sum() / weight.sum()
    # The star is put in its place to some thousandths of an arcsecond: a tenth of a pixel.
    assert np.hypot(place[0] - x, place[1] - y) < 0.4


def test_planets_have_their_brightness_within_its_error(chain):
    for found in chain.found:
        # A whole frame of references takes little of a planet; what it takes is known.
        assert 0.8 < found.throughput < 1.0
        # Gains, flats and the response of single pixels are right to some tenths of a per cent.
        error = np.hypot(found.flux_error, 0.005 * found.true["flux"])
        assert abs(found.flux - found.true["flux"]) < 3 * error
        assert found.flux_error < 0.06 * found.true["flux"]
