"""The notebooks of coronagraphy on practice planets: their places and their brightness."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import shift
from scipy.stats import t as student

from upramp.dq import PIXEL
from upramp.kernel.pictures.companion_limits import signal_to_noise
from upramp.kernel.pictures.coronagraph_images import read_image
from upramp.practice.archive import DEFAULT_SEED
from upramp.practice.crds_context import CODE_DEFAULTS, FLIGHT_LIKE
from upramp.practice.instruments import DETECTORS
from upramp.practice.programs import PROGRAMS
from upramp.practice.readout import _couple
from upramp.practice.setups import geometry_of, subarray_of
from upramp.practice.target_scene import image_of_source

pytestmark = [pytest.mark.peer, pytest.mark.slow]

PICTURES = {"dq", "references", "subtraction", "rolls", "limits", "combined"}
# KLIP's own truncation: with fewer references than this, all of them are used.
TRUNCATION = 50
REACH = 40
"""Pixels on all sides of a star that are looked at."""


@dataclass(frozen=True)
class Case:
    """What is reduced, and how the planet is fitted in it."""

    notebook: str
    program: str
    science: tuple[int, ...]
    references: tuple[int, ...]
    context: str
    window: float
    """Radius in pixels of what a planet is fitted in; no star is in it."""
    core: float
    """A core's standard deviation in pixels: 0.42 wavelengths over the stop's diameter."""
    throughput: tuple[float, float]
    """Between what the part of a planet is that KLIP leaves."""


# The references are not in one line: they span the small grid.
CASES = {
    "nircam": Case(
        "nircam-coronagraphy",
        "nircam-coron",
        (0, 1),
        (2, 3, 4),
        FLIGHT_LIKE,
        6.0,
        0.95,
        (0.99, 1.0),
    ),
    "miri": Case(
        "miri-coronagraphy", "miri-coron", (0,), (2, 3, 4), CODE_DEFAULTS, 3.5, 1.4, (0.6, 0.89)
    ),
}


@dataclass
class Found:
    """A planet after KLIP in one exposure."""

    x: float
    y: float
    flux: float
    flux_error: float
    places: int
    throughput: float
    true: np.ndarray = field(repr=False)

    @property
    def limit(self):
        """What the flux is off by as rarely as three standard deviations of normal noise.

        The noise is known by the scatter of few places (Student).
        """
        few = student.isf(0.00135, self.places - 1) * np.sqrt(1 + 1 / self.places)
        return float(few) * self.flux_error


@dataclass
class Chain:
    """A notebook that was run, and the planet in each roll."""

    case: Case
    notebook: object
    products: object
    science: list
    found: list[Found]


@pytest.fixture(scope="module", params=list(CASES))
def chain(request, reduced):
    case = CASES[request.param]
    plans = PROGRAMS[case.program].exposures
    science = [plans[number] for number in case.science]
    used = [*science, *(plans[number] for number in case.references)]
    notebook, archive = reduced(
        f"mode/{case.notebook}.ipynb",
        case.program,
        inputs=[f"{plan.root}_uncal.fits" for plan in used],
        crds_context=case.context,
        strict=True,
    )
    products = notebook.folder / case.notebook
    truths = [
        fits.getdata(archive / "truth" / f"{plan.root}_truth.fits", "SOURCES") for plan in science
    ]
    found = [
        find(case, products, plan, truth) for plan, truth in zip(science, truths, strict=True)
    ]
    return Chain(case, notebook, products, science, found)


def product(products, plan, suffix):
    (path,) = products.glob(f"{plan.root}_*{suffix}.fits")
    return path


def find(case, products, plan, truth):
    """Fit the planet in the mean of an exposure's subtracted integrations.

    What KLIP does to a planet is linear in it: the image of a lone planet goes through the
    same references, and what comes out is fitted. So nothing that KLIP subtracts of the
    planet itself is missing in its brightness.
    """
    with fits.open(product(products, plan, "psfsub")) as file:
        image = np.mean(file["SCI"].data.astype(float), axis=0)
        science = file["DQ"].data[0] & PIXEL["NON_SCIENCE"] == 0
    planet = truth[truth["role"] == "companion"][0]
    star = truth[truth["role"] == "star"][0]
    # What is far from both is not looked at.
    near_star = tuple(
        slice(max(round(star[one]) - REACH, 0), round(star[one]) + REACH + 1) for one in "yx"
    )
    corner = np.array([near_star[1].start, near_star[0].start])
    image = image[near_star]
    star = {"x": star["x"] - corner[0], "y": star["y"] - corner[1]}
    # As an observer would: the brightest there is outside the mask's inner working angle.
    y, x = np.indices(image.shape)
    distance = np.hypot(x - star["x"], y - star["y"])
    separation = np.hypot(*(planet["x"], planet["y"]) - corner - (star["x"], star["y"]))
    near = (distance > 0.6 * separation) & (distance < 1.4 * separation)
    smooth = sum(np.roll(image, (j, i), (0, 1)) for j in (-1, 0, 1) for i in (-1, 0, 1))
    row, column = np.unravel_index(np.where(near, smooth, -np.inf).argmax(), image.shape)
    place, flux = np.array([column, row], float), 0.0
    for _ in range(2):
        lone = np.where(science, planet_image(plan, *(place + corner)), 0)
        whole = after_klip(products, plan, lone)
        model = whole[near_star]
        window = np.hypot(x - place[0], y - place[1]) < case.window
        by_x, by_y = (
            (shift(model, (-j, -i), order=3) - shift(model, (j, i), order=3)) / 0.4
            for i, j in ((-0.2, 0.0), (0.0, -0.2))
        )
        design = np.stack([model[window], by_x[window], by_y[window], np.ones(window.sum())], 1)
        fit, *_ = np.linalg.lstsq(design, image[window], rcond=None)
        flux = fit[0]
        place = place + fit[1:3] / flux
    # Where there is no planet, nor what is left of its wings: side by side around the star.
    image = image - flux * model
    step = 2 * np.arcsin(case.core * 1.2 / separation)
    angles = np.arange(2 * step, 2 * np.pi - 2 * step, step)
    apart = [amplitude(case, image, model, place, star, angle) for angle in angles]
    throughput = (whole * lone).sum() / (lone * lone).sum()
    return Found(
        *(place + corner),
        flux,
        float(np.std(apart, ddof=1)),
        len(apart),
        float(throughput),
        planet,
    )


def amplitude(case, image, model, place, star, angle):
    """Fit the planet's image at its separation where there is none."""
    dx, dy = place[0] - star["x"], place[1] - star["y"]
    there = (
        star["x"] + dx * np.cos(angle) - dy * np.sin(angle),
        star["y"] + dx * np.sin(angle) + dy * np.cos(angle),
    )
    moved = shift(model, (there[1] - place[1], there[0] - place[0]), order=3)
    y, x = np.indices(image.shape)
    window = np.hypot(x - there[0], y - there[1]) < case.window
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

    with datamodels.open(product(products, plan, "psfalign")) as references:
        target = datamodels.CubeModel(data=image[None].astype(np.float32))
        return klip(target, references, TRUNCATION, return_psf=False).data[0].astype(float)


def test_the_notebook_is_done_and_shows_its_pictures(chain):
    outcome = chain.notebook.outcome
    assert outcome["status"] == "done"
    assert outcome["warnings"] == []
    assert outcome["contexts"] == [chain.case.context]
    shown = chain.notebook.pictures()
    assert set(shown) == {"rate"} | PICTURES
    assert "before and after the star was subtracted" in shown["subtraction"]
    made = {one["suffix"] for one in outcome["products"]}
    coron3 = {"crfints", "psfstack", "psfalign", "psfsub", "i2d"}
    assert made == {"rate", "rateints", "calints"} | coron3
    for plan in chain.science:
        header = fits.getheader(product(chain.products, plan, "psfsub"))
        for step in ("WCS", "FLAT", "PHOTOM", "OUTLIR", "KLIP"):
            assert header[f"S_{step}"] == "COMPLETE", step
        header = fits.getheader(product(chain.products, plan, "psfalign"))
        assert (header["S_PSFSTK"], header["S_PSFALI"]) == ("COMPLETE", "COMPLETE")
    (combined,) = chain.products.glob("*_i2d.fits")
    assert fits.getval(combined, "S_RESAMP") == "COMPLETE"
    assert fits.getval(combined, "BUNIT", "SCI") == "MJy/sr"


def test_the_star_hides_its_planet_before_klip_and_not_after(chain):
    for plan, found in zip(chain.science, chain.found, strict=True):
        with fits.open(chain.products / f"{plan.root}_calints.fits") as before:
            raw = np.nanmax(before["SCI"].data[0])
        with fits.open(product(chain.products, plan, "psfsub")) as after:
            peak = after["SCI"].data[0][round(found.y), round(found.x)]
        assert peak < 0.3 * raw
        assert found.flux > 3 * found.limit


def test_planets_are_where_they_are(chain):
    for found in chain.found:
        # A core's width (the standard deviation, pixels) over the signal-to-noise ratio.
        error = chain.case.core * found.limit / found.flux
        assert abs(found.x - found.true["x"]) < error
        assert abs(found.y - found.true["y"]) < error
        assert error < 0.35


def test_planets_have_their_brightness_within_its_error(chain):
    for found in chain.found:
        # Gains, flats and the response of single pixels are right to some tenths of a per cent.
        limit = np.hypot(found.limit, 3 * 0.005 * found.true["flux"])
        assert abs(found.flux - found.true["flux"]) < limit
        # What the references take of a planet is known, and matters where it is near its star.
        low, high = chain.case.throughput
        assert low < found.throughput < high
        matters = abs(found.flux * found.throughput - found.true["flux"]) > limit
        assert matters == (high < 0.9)


def test_the_planet_is_at_its_place_of_the_sky_in_all_exposures_together(chain):
    companion = chain.science[0].target.companion
    (path,) = chain.products.glob("*_i2d.fits")
    image = read_image(path)
    diameter = image.resolved(None) / image.pixel

    def light(turn):
        x, y = image.offset(companion.separation, companion.angle + turn)
        place = image.star[0] + x / image.pixel, image.star[1] + y / image.pixel
        return signal_to_noise(image.mean, image.star, place, diameter)

    at_it, ratio = light(0)
    assert ratio > 5
    # A resolution element beside it there is less, and on the star's other side nothing.
    width = np.degrees(image.resolved(None) / companion.separation)
    assert max(light(turn)[0] for turn in (-width, width)) < 0.6 * at_it
    assert abs(light(180)[0]) < 0.3 * at_it


def test_the_stage_by_itself_takes_what_is_calibrated(chain, reduced):
    """One reference star, put beside the mask's middle, leaves more of the star than three."""
    if chain.case.program != "nircam-coron":
        pytest.skip("one instrument is enough")
    plan = chain.science[0]
    calints = sorted(chain.products.glob("*_calints.fits"))
    given = [calints[0], calints[3]]
    beside = PROGRAMS[chain.case.program].exposures[chain.case.references[1]]
    assert (plan.root, beside.root) == tuple(path.name.rpartition("_")[0] for path in given)
    assert np.hypot(*beside.offset) > 0
    notebook, _ = reduced(
        "stage/coron3.ipynb",
        inputs=[str(path) for path in given],
        steps={"klip.truncate": 1},
    )
    assert notebook.outcome["status"] == "done"
    assert {one["pipeline"] for one in notebook.outcome["steps"]} == {"coron3"}
    assert set(notebook.pictures()) == PICTURES
    left = [
        scatter_near_the_star(product(folder, plan, "psfsub"), plan)
        for folder in (chain.products, notebook.folder / "coron3")
    ]
    assert left[0] < 0.8 * left[1]


def scatter_near_the_star(path, plan):
    reference = subarray_of(plan).reference
    image = np.mean(fits.getdata(path, "SCI"), axis=0)
    y, x = np.indices(image.shape)
    near = np.hypot(x - reference[0] + 1, y - reference[1] + 1) < 10
    return float(np.std(image[near]))
