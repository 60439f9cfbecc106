"""Stages 1 to 3 on the practice archive, judged by the truth kept beside it.

Stage 1 is by the project's engine, whose bits are the official pipeline's (`test_engines_agree`).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from upramp.dq import PIXEL
from upramp.practice.instruments import DETECTORS
from upramp.practice.programs import PROGRAMS
from upramp.practice.readout import _couple
from upramp.practice.setups import character_of, psf_of, subarray_of

pytestmark = [pytest.mark.peer, pytest.mark.slow]

NIRCAM_LONG = list(PROGRAMS["nircam-long"].exposures)
OTHERS = [
    program.exposures[0]
    for program in PROGRAMS.values()
    if program.by_default and program.name not in {"nircam-long", "fgs"}
]


@pytest.fixture(scope="module")
def seed(practice_archive):
    return json.loads((practice_archive / "practice.json").read_text())["seed"]


def stage1(archive, plan, folder):
    from upramp.stages import calibrate

    calibrate(archive / "uncal" / f"{plan.root}_uncal.fits", output_dir=folder)
    return folder / f"{plan.root}_rate.fits"


@dataclass
class Judged:
    """A rate beside what the sky really shone, DN/s."""

    rate: np.ndarray
    error: np.ndarray
    true: np.ndarray
    dq: np.ndarray
    hits: np.ndarray
    clean: np.ndarray
    """Pixels that see light, are good, and were hit by nothing."""

    @property
    def pulls(self):
        return ((self.rate - self.true) / self.error)[self.clean]


def judge(archive, seed, plan, rate_file):
    detector = DETECTORS[plan.detector]
    character = character_of(plan.detector, seed).window(*subarray_of(plan).window)
    truth = archive / "truth" / f"{plan.root}_truth.fits"
    flux, hits = fits.getdata(truth, "FLUX"), fits.getdata(truth, "HITS")
    # Where the pipeline does not undo the coupling of neighbours, truth has it too.
    coupling = 0 if detector.corrects_ipc else detector.ipc
    true = _couple(flux.astype(np.float32), character.light, coupling) / character.gain
    with fits.open(rate_file) as product:
        rate, error, dq = (np.array(product[name].data) for name in ("SCI", "ERR", "DQ"))
    touched = np.zeros(rate.shape, bool)
    touched[hits["y"], hits["x"]] = True
    clean = character.light & ~touched & (dq == 0)
    return Judged(rate, error, true, dq, hits, clean)


def robust_sigma(values):
    return 1.4826 * np.median(np.abs(values - np.median(values)))


@pytest.mark.parametrize("plan", [NIRCAM_LONG[0], *OTHERS], ids=lambda plan: plan.root)
def test_pulls_of_the_rate_are_a_unit_normal(archive, seed, plan, tmp_path):
    judged = judge(archive, seed, plan, stage1(archive, plan, tmp_path))
    pulls = judged.pulls
    assert judged.clean.mean() > 0.85
    # Where no reference pixel sees it, the amplifier's wander is left in the rate.
    assert abs(np.median(pulls)) < 0.12
    # The official error takes a noisy rate that came out positive for light,
    # which makes errors of faint pixels a few per cent too large.
    assert 0.95 < robust_sigma(pulls) < 1.05
    # Beyond five sigma a normal has one in two million.
    assert (np.abs(pulls) > 5).mean() < 6e-5
    bright = judged.clean & (judged.true > 10)
    if bright.sum() > 100:
        assert np.median(judged.rate[bright] / judged.true[bright]) == pytest.approx(1, abs=0.005)


def test_cosmic_rays_are_found_where_they_fell(archive, seed, tmp_path):
    plan = NIRCAM_LONG[1]
    judged = judge(archive, seed, plan, stage1(archive, plan, tmp_path))
    hits = judged.hits
    # A hit in the first group leaves no step.
    strong = hits[(hits["energy"] > 500) & (hits["group"] > 0)]
    flagged = judged.dq[strong["y"], strong["x"]] & (PIXEL["JUMP_DET"] | PIXEL["SATURATED"])
    assert len(strong) > 50
    assert (flagged > 0).mean() > 0.97
    untouched = (judged.dq & ~np.uint32(PIXEL["JUMP_DET"])) == 0
    untouched[hits["y"], hits["x"]] = False
    assert (judged.dq[untouched] & PIXEL["JUMP_DET"] > 0).mean() < 0.01


@pytest.fixture(scope="module")
def mosaic(practice_archive, tmp_path_factory, forget_crds):
    """The stage 3 mosaic of the four dithers, and where flags spoil its stars."""
    from jwst.associations.asn_from_list import asn_from_list
    from jwst.associations.lib.rules_level3_base import DMS_Level3_Base
    from jwst.pipeline import Image2Pipeline, Image3Pipeline
    from stdatamodels.jwst import datamodels

    from upramp.practice import environment

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(practice_archive).items():
            if value:
                patch.setenv(name, value)
            else:
                patch.delenv(name, raising=False)
        forget_crds()
        folder = tmp_path_factory.mktemp("mosaic")
        patch.chdir(folder)
        members = []
        for plan in NIRCAM_LONG:
            rate = stage1(practice_archive, plan, folder)
            Image2Pipeline.call(
                str(rate),
                output_dir=str(folder),
                save_results=True,
                steps={"resample": {"skip": True}},
            )
            members.append(f"{plan.root}_cal.fits")
        association = asn_from_list(members, rule=DMS_Level3_Base, product_name="mosaic")
        Path("asn.json").write_text(association.dump()[1])
        catalogue = practice_archive / "truth" / "reference_catalog.ecsv"
        Image3Pipeline.call(
            "asn.json",
            output_dir=str(folder),
            save_results=True,
            steps={"tweakreg": {"abs_refcat": str(catalogue)}},
        )
    with datamodels.open(folder / "mosaic_i2d.fits") as model:
        yield folder, model


def test_stage_3_finishes_with_nothing_left_out(mosaic):
    folder, model = mosaic
    steps = model.meta.cal_step
    for name in ("tweakreg", "skymatch", "outlier_detection", "resample"):
        assert getattr(steps, name) == "COMPLETE", name
    catalogue = Table.read(folder / "mosaic_cat.ecsv")
    assert len(catalogue) > 60
    assert np.isfinite(np.array(catalogue["aper_total_vegamag"], float)).mean() > 0.5


def test_stars_of_the_mosaic_have_their_flux_and_their_place(mosaic, practice_archive, seed):
    folder, model = mosaic
    flux, x, y = isolated_standards(practice_archive, folder, model)
    assert len(flux) > 90
    psf = psf_of("NRCALONG", "F356W", seed)
    measured = np.array([photometry(model, psf, *place) for place in zip(x, y, strict=True)])
    ratio = measured[:, 0] / flux
    assert np.median(ratio) == pytest.approx(1, abs=0.004)
    # The noise of the faintest is above one per cent, of the brightest half of that.
    assert np.abs(ratio - 1)[flux > 7e-6].max() < 0.02
    assert np.mean(np.abs(ratio - 1) < 0.02) > 0.98
    assert np.abs(ratio - 1).max() < 0.03
    offset = np.hypot(measured[:, 1] - x, measured[:, 2] - y)
    assert offset.max() < 0.1


def isolated_standards(archive, folder, model):
    """Flux (Jy) and place in the mosaic of standards that no flag and no neighbour disturbs."""
    from scipy.spatial import KDTree
    from stdatamodels.jwst import datamodels

    stars = Table.read(archive / "truth" / "stars.ecsv")
    galaxies = Table.read(archive / "truth" / "galaxies.ecsv")
    bandpass = DETECTORS["NRCALONG"].filters["F356W"]
    flux = stars["flux_3p5um"] * (3.5 / bandpass.wavelength) ** stars["slope"]
    x, y = model.meta.wcs.invert(stars["ra"], stars["dec"], with_bounding_box=False)
    gx, gy = model.meta.wcs.invert(galaxies["ra"], galaxies["dec"], with_bounding_box=False)
    places = np.concatenate([np.stack([x, y], 1), np.stack([gx, gy], 1)])
    fluxes = np.concatenate([flux, galaxies["flux"]])
    tree = KDTree(places)
    ny, nx = model.data.shape
    good = np.array(stars["standard"]) & (x > 30) & (x < nx - 30) & (y > 30) & (y < ny - 30)
    for k in np.flatnonzero(good):
        near = [j for j in tree.query_ball_point(places[k], 25) if j != k]
        good[k] = fluxes[near].sum() < 0.02 * flux[k]
    # A core with flagged pixels is drizzled from fewer exposures: not what is asked here.
    for plan in NIRCAM_LONG:
        with datamodels.open(folder / f"{plan.root}_cal.fits") as cal:
            px, py = cal.meta.wcs.invert(stars["ra"], stars["dec"], with_bounding_box=False)
            bad = np.argwhere((cal.dq & (PIXEL["DO_NOT_USE"] | PIXEL["JUMP_DET"])) > 0)
            nearest, _ = KDTree(bad[:, ::-1]).query(np.stack([px, py], 1))
            good &= nearest > 2.5
    return np.array(flux[good]), x[good], y[good]


def photometry(model, psf, x, y, radius=5.0, ring=(14.0, 20.0)):
    """Flux in Jy inside a circle, corrected by the PSF, and the core's centroid."""
    half = 24
    i, j = round(x), round(y)
    data = model.data[j - half : j + half + 1, i - half : i + half + 1].astype(float)
    dy, dx = np.mgrid[-half : half + 1, -half : half + 1]
    dy, dx = dy - (y - j), dx - (x - i)
    distance = np.hypot(dx, dy)
    data = data - np.median(data[(distance > ring[0]) & (distance < ring[1])])
    # Pixels on the rim count by the part of them that is inside.
    inside = np.clip(radius + 0.5 - distance, 0, 1)
    held = psf.encircled_energy(np.array([radius, *ring]))
    in_ring = (held[2] - held[1]) / (ring[1] ** 2 - ring[0] ** 2) * radius**2
    area = model.meta.photometry.pixelarea_steradians
    flux = (data * inside).sum() * area * 1e6 / (held[0] - in_ring)
    cx = cy = 0.0
    for _ in range(20):
        weight = np.exp(-0.5 * ((dx - cx) ** 2 + (dy - cy) ** 2) / 1.5**2) * data * (distance < 5)
        step = (weight * (dx - cx)).sum() / weight.sum(), (weight * (dy - cy)).sum() / weight.sum()
        cx, cy = cx + 2 * step[0], cy + 2 * step[1]
    return flux, x + cx, y + cy


def test_the_field_is_where_the_distortion_says(archive, tmp_path, seed):
    """The world coordinates that the official pipeline assigns are the simulation's own."""
    from jwst.assign_wcs import AssignWcsStep
    from stdatamodels.jwst import datamodels

    from upramp.practice.geometry import Attitude

    for plan in (
        NIRCAM_LONG[2],
        PROGRAMS["miri-subarray"].exposures[0],
        PROGRAMS["niriss"].exposures[0],
    ):
        with datamodels.open(stage1(archive, plan, tmp_path)) as rate:
            wcs = AssignWcsStep.call(rate).meta.wcs
            reference = rate.meta.wcsinfo
            believed = Attitude(
                reference.v2_ref,
                reference.v3_ref,
                reference.ra_ref,
                reference.dec_ref,
                reference.roll_ref,
            )
        stars = fits.getdata(archive / "truth" / f"{plan.root}_truth.fits", "STARS")
        header = fits.getheader(archive / "truth" / f"{plan.root}_truth.fits")
        true = Attitude(*(header[name] for name in ("V2", "V3", "RA", "DEC", "ROLL")))
        catalogue = Table.read(archive / "truth" / "stars.ecsv")[stars["star"]]
        # Where the believed pointing would see what the true one sees there.
        v2, v3 = true.v2v3(np.array(catalogue["ra"]), np.array(catalogue["dec"]))
        x, y = wcs.invert(*believed.sky(v2, v3), with_bounding_box=False)
        assert np.abs(x - stars["x"]).max() < 0.03
        assert np.abs(y - stars["y"]).max() < 0.03


@pytest.mark.parametrize("name", ["miri-full", "niriss", "nircam-short"])
def test_stages_2_and_3_run_in_every_imaging_mode(archive, tmp_path, monkeypatch, name):
    from jwst.associations.asn_from_list import asn_from_list
    from jwst.associations.lib.rules_level3_base import DMS_Level3_Base
    from jwst.pipeline import Image2Pipeline, Image3Pipeline

    monkeypatch.chdir(tmp_path)
    plan = PROGRAMS[name].exposures[0]
    Image2Pipeline.call(
        str(stage1(archive, plan, tmp_path)), output_dir=str(tmp_path), save_results=True
    )
    association = asn_from_list(
        [f"{plan.root}_cal.fits"], rule=DMS_Level3_Base, product_name="mosaic"
    )
    Path("asn.json").write_text(association.dump()[1])
    Image3Pipeline.call("asn.json", output_dir=str(tmp_path), save_results=True)
    assert fits.getval("mosaic_i2d.fits", "S_RESAMP") == "COMPLETE"
    assert fits.getval("mosaic_i2d.fits", "BUNIT", "SCI") == "MJy/sr"
    assert len(Table.read("mosaic_cat.ecsv")) > 3


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("nircam-grouped", "expand_large_events", True),
        ("miri-subarray", "find_showers", True),
        ("niriss", "expand_large_events", True),
    ],
)
def test_the_flight_like_context_turns_on_what_flight_does(
    archive, tmp_path, monkeypatch, name, parameter, value
):
    from upramp.practice.crds_context import CODE_DEFAULTS, FLIGHT_LIKE
    from upramp.stages import calibrate

    plan = PROGRAMS[name].exposures[0]
    uncal = archive / "uncal" / f"{plan.root}_uncal.fits"
    # The same process, which the crds package by itself would not let change its mind.
    results = {}
    for context in (CODE_DEFAULTS, FLIGHT_LIKE):
        monkeypatch.setenv("CRDS_CONTEXT", context)
        results[context] = calibrate(uncal, output_dir=tmp_path / context)
        assert results[context].provenance["context"] == context
    jump = [result.provenance["parameters"]["steps"]["jump"] for result in results.values()]
    assert jump[0][parameter] != value
    assert jump[1][parameter] == value
    usual = fits.getdata(tmp_path / CODE_DEFAULTS / f"{plan.root}_rate.fits", "DQ")
    rate = tmp_path / FLIGHT_LIKE / f"{plan.root}_rate.fits"
    flagged = fits.getdata(rate, "DQ")
    assert (flagged & PIXEL["JUMP_DET"] > 0).sum() > (usual & PIXEL["JUMP_DET"] > 0).sum()
    if name == "niriss":
        assert fits.getval(rate, "S_CHGMIG") == "COMPLETE"
