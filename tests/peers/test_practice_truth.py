"""Stage 1 on the practice archive, judged by the truth kept beside it.

It is by the project's engine, whose bits are the official pipeline's (`test_engines_agree`).
What stages 2 and 3 make is judged where notebooks make it (``tests/notebooks``).
"""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from astropy.io import fits

from upramp.dq import PIXEL
from upramp.practice.instruments import DETECTORS
from upramp.practice.programs import PROGRAMS
from upramp.practice.readout import _couple
from upramp.practice.setups import character_of, subarray_of

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
