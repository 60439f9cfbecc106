"""A pattern that is scaled to each group is found and taken out."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.picture_frame import measure, refused, regions, subtract, supported

DEFAULT = {"mask_science_regions": False, "n_sigma": 2.0, "save_mask": False}
DEFAULT["save_correction"] = False


def framed(shape=(2, 4, 130, 120), seed=2):
    """Ramps with a pattern of known strength above a known level, the pattern, and both."""
    rng = np.random.default_rng(seed)
    nints, ngroups, ny, nx = shape
    y, x = np.mgrid[:ny, :nx]
    pattern = np.where((y < 75) | (x < 75), 2.0, 0.5) + 0.1 * np.sin(x / 5)
    scale, offset = rng.uniform(5, 20, (2, nints, ngroups))
    scale[:, 0] = offset[:, 0] = 0
    data = rng.normal(100, 5, (nints, 1, ny, nx)) + rng.normal(0, 0.1, shape)
    edge = (y >= 4) & (x >= 4) & ((y < 75) | (x < 75))
    above = pattern - np.median(pattern[edge])
    data += scale[..., None, None] * above + offset[..., None, None]
    data, pattern = data.astype(np.float32), pattern.astype(np.float32)
    data[1, 2, 5, 6] = pattern[8, 9] = np.nan
    return data, pattern, (scale[:, 1:], offset[:, 1:])


def test_strength_and_level_are_found():
    data, reference, (scale, offset) = framed()
    found = measure(data, np.ones(data.shape[2:], np.bool_), reference)
    np.testing.assert_allclose(found.scale, scale, atol=0.05)
    np.testing.assert_allclose(found.offset, offset, atol=0.05)
    out = data.copy()
    subtract(out, found, 0, 0, data.shape[2])
    np.testing.assert_array_equal(out[:, 0], data[:, 0])
    assert np.nanstd(out[:, 1:] - out[:, :1]) < 0.2
    # A pixel that the reference does not know is lost; others are not.
    lost = np.isnan(out)
    assert lost[:, 1:, 8, 9].all()
    assert lost.sum() == lost[:, 1:, 8, 9].size + 1


def test_tiles_and_threads_make_no_difference():
    data, reference, _ = framed()
    sky = np.random.default_rng(1).random(data.shape[2:]) < 0.7
    whole = data.copy()
    subtract(whole, measure(data, sky, reference), 0, 0, data.shape[2])
    pattern = measure(data, sky, reference, threads=3)
    parts = data.copy()
    for start in range(0, data.shape[2], 33):
        stop = min(start + 33, data.shape[2])
        tile = np.ascontiguousarray(data[:, :, start:stop])
        subtract(tile, pattern, start, 0, stop - start)
        parts[:, :, start:stop] = tile
    np.testing.assert_array_equal(parts.view(np.uint32), whole.view(np.uint32))


def test_without_sky_there_is_nothing_to_scale_by():
    data, reference, _ = framed()
    sky = np.ones(data.shape[2:], np.bool_)
    sky[76:, 76:] = False
    assert measure(data, sky, reference) is None


def test_edges_leave_out_what_sees_no_light():
    centre, edge = regions(np.ones((2048, 2048), np.bool_))
    assert not (centre & edge).any()
    assert centre.sum() == (1984 - 76) ** 2
    rows, columns = np.nonzero(edge)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 2042, 4, 2042)
    inside = (rows >= 75) & (rows < 1985) & (columns >= 75) & (columns < 1985)
    assert not inside.any()
    assert edge.sum() == 2039**2 - 1910**2


@pytest.mark.parametrize(
    ("instrument", "subarray", "ngroups", "reason"),
    [
        ("NIRSPEC", "FULL", 5, None),
        ("NIRSPEC", "ALLSLITS", 5, "full"),
        ("NIRCAM", "FULL", 5, "NIRSpec"),
        ("NIRSPEC", "FULL", 1, "one group"),
    ],
)
def test_where_there_is_a_picture_frame(instrument, subarray, ngroups, reason):
    told = refused(instrument, subarray, ngroups)
    assert (told is None) if reason is None else reason in told


@pytest.mark.parametrize("name", ["mask_science_regions", "save_mask", "save_correction"])
def test_what_is_left_to_the_official_step(name):
    assert supported(DEFAULT) is None
    assert name in supported({**DEFAULT, name: True})
