"""Stars before the optics of high contrast: pointing, companions, references, headers."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from upramp.dq import PIXEL
from upramp.practice.archive import DEFAULT_SEED
from upramp.practice.high_contrast_programs import HIGH_CONTRAST
from upramp.practice.instruments import DETECTORS
from upramp.practice.needs import entries, wanted_references
from upramp.practice.plans import Companion
from upramp.practice.programs import PROGRAMS
from upramp.practice.reference_tasks import make_reference
from upramp.practice.setups import subarray_of
from upramp.practice.target_scene import (
    field_of_view,
    image_of_target,
    pixel_scale,
    point_at_target,
    sources_of,
)

FIRST = [program.exposures[0] for program in HIGH_CONTRAST]


def names(plan):
    return plan.exposure_type


@pytest.mark.parametrize("plan", FIRST, ids=names)
def test_the_star_is_put_on_the_reference_pixel_to_some_thousandths_of_an_arcsecond(plan):
    subarray = subarray_of(plan)
    scale = pixel_scale(plan, subarray)
    for attitude, within in zip(point_at_target(plan, subarray, 3), (0.002, 0.03), strict=True):
        star = sources_of(plan, subarray, attitude)[0]
        assert star.role == "star"
        assert abs(star.x + 1 - subarray.reference[0]) * scale[0] < within
        assert abs(star.y + 1 - subarray.reference[1]) * scale[1] < within


@pytest.mark.parametrize("plan", FIRST, ids=names)
def test_the_companion_turns_with_the_telescope_and_keeps_its_distance(plan):
    subarray = subarray_of(plan)
    scale = np.array(pixel_scale(plan, subarray))
    companion = plan.target.companion
    for roll in (0.0, 77.0):
        rolled = replace(plan, roll=roll)
        star, other = sources_of(rolled, subarray, point_at_target(rolled, subarray, 3)[0])
        dx, dy = np.array([other.x - star.x, other.y - star.y]) * scale
        assert np.hypot(dx, dy) == pytest.approx(companion.separation, rel=0.02)
        # Ideal y stands v3_ideal_angle east of V3, and columns run west of rows.
        seen = np.degrees(np.arctan2(-dx, dy)) + roll + subarray.v3_ideal_angle
        assert (seen - companion.angle + 180) % 360 - 180 == pytest.approx(0, abs=1)
        assert other.flux == pytest.approx(plan.target.flux * companion.contrast)


def test_a_small_grid_steps_along_the_aperture_and_shares_its_error():
    references = [p for p in PROGRAMS["nircam-coron"].exposures if p.target.is_reference]
    subarray = subarray_of(references[0])
    scale = pixel_scale(references[0], subarray)
    places = [
        sources_of(plan, subarray, point_at_target(plan, subarray, 3)[1])[0] for plan in references
    ]
    for plan, star in zip(references, places, strict=True):
        assert (star.x - places[0].x) * scale[0] == pytest.approx(plan.offset[0], abs=2e-4)
        assert (star.y - places[0].y) * scale[1] == pytest.approx(plan.offset[1], abs=2e-4)
        assert plan.target.companion is None


def test_light_of_the_target_is_its_flux(monkeypatch):
    plan = PROGRAMS["niriss-ami"].exposures[0]
    subarray = subarray_of(plan)
    lone = replace(plan, target=replace(plan.target, companion=None))
    attitude = point_at_target(plan, subarray, 3)[1]
    both, sources = image_of_target(plan, subarray, attitude, 3)
    alone, _ = image_of_target(lone, subarray, attitude, 3)
    background = DETECTORS[plan.detector].filters[plan.filter].background
    ratio = (both - alone).sum(dtype=float) / (alone - background).sum(dtype=float)
    assert ratio == pytest.approx(plan.target.companion.contrast, rel=0.02)
    area = np.prod(pixel_scale(plan, subarray)) * (np.pi / 180 / 3600) ** 2
    jansky = (alone - background).sum(dtype=float) * area * 1e6
    # The wings reach beyond so small a window.
    assert 0.85 * plan.target.flux < jansky < plan.target.flux
    assert [source.role for source in sources] == ["star", "companion"]


def test_a_field_stop_leaves_a_square_in_the_light_and_the_mask_says_so(tmp_path):
    plan = PROGRAMS["miri-coron"].exposures[0]
    subarray = subarray_of(plan)
    seen = field_of_view(plan, subarray)
    scale = pixel_scale(plan, subarray)
    assert seen.any(axis=0).sum() * scale[0] == pytest.approx(24, abs=0.2)
    assert seen.any(axis=1).sum() * scale[1] == pytest.approx(24, abs=0.2)
    wanted = [r for r in wanted_references([plan]) if r.reftype == "mask"]
    assert [r.exposure_type for r in wanted] == ["MIR_4QPM"]
    make_reference(tmp_path / "mask.fits", wanted[0], DEFAULT_SEED)
    dq = fits.getdata(tmp_path / "mask.fits", "DQ").astype(np.uint32)
    dark = dq & PIXEL["NON_SCIENCE"] > 0
    assert not (dark & seen).any()
    assert (dq[dark] & PIXEL["DO_NOT_USE"] > 0).all()
    # Reference pixels stay what they are.
    reference = dq & PIXEL["REFERENCE_PIXEL"] > 0
    assert (dark | seen | reference).all()
    assert reference[:, :4].all()


@pytest.mark.parametrize("program", HIGH_CONTRAST, ids=lambda program: program.name)
def test_programs_are_made_on_request_and_hold_a_reference_star(program):
    assert program.on_request
    targets = [plan.target for plan in program.exposures]
    assert isinstance(targets[0].companion, Companion)
    assert targets[-1].is_reference
    assert len({plan.root for plan in program.exposures}) == len(program.exposures)


@pytest.mark.parametrize("plan", FIRST, ids=names)
def test_what_optics_change_is_for_their_exposures_alone(plan):
    own = {e.reftype: e for e in entries([plan]) if e.exposure_types != ("*",)}
    assert {"flat", "area", "distortion", "filteroffset", "photom"} < set(own)
    asked = {"psfmask"} if "NIS" not in plan.detector else {"throughput", "nrm"}
    assert asked < set(own)
    for entry in own.values():
        assert entry.exposure_types == (plan.exposure_type,)
        assert entry.detector in plan.detector.split("-")


def test_references_of_the_mask_hold_its_holes_and_its_light(tmp_path):
    plan = PROGRAMS["niriss-ami"].exposures[0]
    wanted = {r.reftype: r for r in wanted_references([plan])}
    for reftype in ("nrm", "throughput"):
        make_reference(tmp_path / f"{reftype}.fits", wanted[reftype], DEFAULT_SEED)
    with fits.open(tmp_path / "nrm.fits") as file:
        header, holes = file[0].header, file["NRM"].data
    assert header["NRM_Y_A1"] == -2.64
    # The first hole is below the middle, and alone there.
    ny, nx = holes.shape
    row = round(ny / 2 - 2.64 / header["PUPL_CRC"] * ny)
    assert holes[row, nx // 2] == 1
    assert holes[ny - 1 - row, nx // 2] == 0
    table = fits.getdata(tmp_path / "throughput.fits", 1)
    middle = np.average(table["wavelength"], weights=table["throughput"])
    assert middle == pytest.approx(48150, abs=20)
    assert table["throughput"][0] < 0.02


def test_weights_of_alignment_are_a_circle_around_the_mask(tmp_path):
    plan = PROGRAMS["nircam-coron"].exposures[0]
    wanted = {r.reftype: r for r in wanted_references([plan])}
    make_reference(tmp_path / "psfmask.fits", wanted["psfmask"], DEFAULT_SEED)
    weight = fits.getdata(tmp_path / "psfmask.fits", "SCI")
    subarray = subarray_of(plan)
    assert weight.shape == subarray.size[::-1]
    y, x = np.indices(weight.shape)
    centre = (weight * x).sum() / weight.sum() + 1, (weight * y).sum() / weight.sum() + 1
    assert centre == pytest.approx(subarray.reference, abs=0.05)
    assert weight[0, 0] == 0
    assert weight[174, 149] == 1
