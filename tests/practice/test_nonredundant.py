"""The non-redundant mask and its interferogram, by itself and against the official model."""

import numpy as np
import pytest

from upramp.practice import nonredundant
from upramp.practice.instruments import DETECTORS
from upramp.practice.nonredundant import HOLE_SIZE, HOLES, SAMPLES, hole_map, interferogram

BANDPASS = DETECTORS["NIS-NRM"].filters["F480M"]
PIXEL = 0.0655
FLAT = np.zeros((SAMPLES, SAMPLES))


def test_no_two_pairs_of_holes_have_one_baseline():
    i, j = np.triu_indices(len(HOLES), 1)
    baselines = HOLES[i] - HOLES[j]
    both = np.concatenate([baselines, -baselines])
    distance = np.hypot(*(both[:, None] - both[None, :]).T)
    np.fill_diagonal(distance, np.inf)
    # Apart by more than the holes' own size blurs them.
    assert len(baselines) == 21
    assert distance.min() > HOLE_SIZE


def test_holes_are_hexagons_of_their_size():
    axis = np.linspace(-3.3, 3.3, 1320)
    sample = axis[1] - axis[0]
    holes = hole_map(axis[None, :], axis[:, None], sample)
    area = 7 * np.sqrt(3) / 2 * HOLE_SIZE**2
    assert holes.sum() * sample**2 == pytest.approx(area, rel=2e-3)
    # Flats are up and down: along y it ends sooner than along x.
    x, y = HOLES[0]
    assert hole_map(np.array(x), np.array(y + 0.43), 0.001) == 0
    assert hole_map(np.array(x + 0.43), np.array(y), 0.001) == 1


def test_light_is_where_the_source_is():
    image = interferogram(BANDPASS, 39.3, 40.8, (81, 79), PIXEL, 3, FLAT)
    assert 0.88 < image.sum() < 1
    y, x = np.indices(image.shape)
    core = np.where(np.hypot(x - 39.3, y - 40.8) < 20, image, 0)
    assert (core * x).sum() / core.sum() == pytest.approx(39.3, abs=0.1)
    assert (core * y).sum() / core.sum() == pytest.approx(40.8, abs=0.1)


@pytest.mark.peer
def test_the_interferogram_is_that_of_the_official_model(monkeypatch):
    from jwst.ami import analyticnrm2, utils
    from jwst.ami.ami_analyze_step import MX_COMM, MY_COMM, SX_COMM, SY_COMM
    from scipy.ndimage import gaussian_filter

    monkeypatch.setattr(nonredundant, "pupil", lambda _, size: (None, np.zeros((size, size))))
    ours = interferogram(BANDPASS, 30, 30, (61, 61), PIXEL, 3, FLAT)
    affine = utils.Affine2d(mx=MX_COMM, my=MY_COMM, sx=SX_COMM, sy=SY_COMM, xo=0, yo=0)
    centres = np.stack([-HOLES[:, 1], -HOLES[:, 0]], axis=1)
    theirs = np.zeros((305, 305))
    for wavelength, passed in zip(*nonredundant.bandpass_curve(BANDPASS, 15), strict=True):
        theirs += passed * analyticnrm2.psf(
            np.radians(PIXEL / 3600),
            61,
            5,
            centres,
            HOLE_SIZE,
            wavelength * 1e-6,
            np.zeros(7),
            (0, 0),
            affine,
            shape="hex",
        )
    theirs = gaussian_filter(theirs, 0.22 * 5).reshape(61, 5, 61, 5).sum(axis=(1, 3))
    theirs *= ours.sum() / theirs.sum()
    # Holes on samples of two centimetres are right to a few thousandths.
    assert np.abs(ours - theirs).max() < 0.004 * ours.max()
    for turned in (theirs[::-1], theirs[:, ::-1], theirs.T):
        assert np.abs(ours - turned).max() > 0.1 * ours.max()
