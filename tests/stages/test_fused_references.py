"""References of the fused engine: cut to the exposure, prepared once, never mixed up."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from astropy.io import fits
from tiny_world import NGROUPS, SIZE, START, write_references

from upramp.detector1.inputs import Readout
from upramp.errors import ReferenceFileError, UsageError
from upramp.references import ReferenceCache, Subarray
from upramp.stages import fused_references
from upramp.stages.fused_references import Chosen, load_references

STEPS = {
    "dq_init": ("mask",),
    "saturation": ("saturation", "superbias"),
    "superbias": ("superbias",),
    "linearity": ("linearity",),
    "dark_current": ("dark",),
    "jump": ("gain", "readnoise"),
    "ramp_fit": ("gain", "readnoise"),
}
WHOLE = Subarray(*START, SIZE, SIZE)
PART = Subarray(START[0] + 3, START[1] + 5, 8, 6)


@pytest.fixture(autouse=True)
def cache(monkeypatch):
    own = ReferenceCache()
    monkeypatch.setattr(fused_references, "RESIDENT", own)
    return own


@pytest.fixture
def folder(tmp_path):
    write_references(tmp_path)
    # Every pixel another number, so that a wrong cut is seen.
    numbers = np.arange(SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE) + 1
    for kind, scale in (("gain", 1e-3), ("readnoise", 1e-2), ("superbias", 1.0)):
        with fits.open(tmp_path / f"jwst_nircam_{kind}_0007.fits", mode="update") as hdus:
            hdus["SCI"].data = numbers * np.float32(scale)
    return tmp_path


def chosen(folder, window=WHOLE, without=(), **keywords):
    files = {
        step: {
            kind: folder / f"jwst_nircam_{kind}_0007.fits" for kind in kinds if kind not in without
        }
        for step, kinds in STEPS.items()
    }
    return Chosen(files, window, **keywords)


def readout(**keywords):
    own = {
        "instrument": "NIRCAM",
        "detector": "NRCALONG",
        "exp_type": "NRC_IMAGE",
        "subarray": "SUB64P",
        "readpatt": "RAPID",
        "nints": 1,
        "ngroups": NGROUPS,
        "nframes": 1,
        "groupgap": 0,
        "frame_divisor": 1,
        "frame_time": 2.0,
        "group_time": 2.0,
    }
    return Readout(**{**own, **keywords})


def no_file(path):
    raise AssertionError(path)


def load(choice, how=None, user_dq=no_file):
    window = choice.window
    shape = (1, NGROUPS, window.ysize, window.xsize)
    return load_references(choice, how or readout(), shape, user_dq, no_file)


def arrays(references):
    held = {f.name: getattr(references, f.name) for f in fields(references)}
    return {name: value for name, value in held.items() if isinstance(value, np.ndarray)}


@pytest.mark.parametrize("window", [WHOLE, PART])
def test_they_are_cut_to_the_exposures_pixels(folder, window):
    def cut(name, extension):
        data = fits.getdata(folder / f"jwst_nircam_{name}_0007.fits", extension)
        y, x = window.ystart - START[1], window.xstart - START[0]
        return data[..., y : y + window.ysize, x : x + window.xsize]

    choice = chosen(folder, window, without=() if window is WHOLE else ("dark",))
    found = load(choice)
    np.testing.assert_array_equal(found.gain, cut("gain", "SCI"))
    np.testing.assert_array_equal(found.readnoise, cut("readnoise", "SCI"))
    np.testing.assert_array_equal(found.raw_bias, cut("superbias", "SCI"))
    np.testing.assert_array_equal(found.bias.reshape(found.raw_bias.shape), found.raw_bias)
    np.testing.assert_array_equal(found.mask, cut("mask", "DQ"))
    np.testing.assert_array_equal(found.threshold, cut("saturation", "SCI"))
    assert found.coefficients.shape[-2:] == (window.ysize, window.xsize)
    electrons = cut("readnoise", "SCI").astype("f4") * cut("gain", "SCI").astype("f4")
    np.testing.assert_array_equal(found.noise2, electrons**2)
    assert found.gain_median == np.median(cut("gain", "SCI"))


def test_they_are_ready_for_kernels_and_safe_from_them(folder):
    found = arrays(load(chosen(folder)))
    assert {"mask", "gain", "noise2", "bias", "threshold", "coefficients"} <= set(found)
    for name, array in found.items():
        assert array.flags.c_contiguous, name
        assert array.dtype.isnative, name
        assert not array.flags.writeable, name
    with pytest.raises(ValueError, match="read-only"):
        found["gain"][0, 0] = 1


def test_the_next_exposure_finds_them_in_memory(folder, cache):
    one = arrays(load(chosen(folder)))
    loads = cache.statistics.loads
    other = arrays(load(chosen(folder)))
    assert cache.statistics.loads == loads
    assert all(other[name] is array for name, array in one.items())
    assert cache.statistics.nbytes >= sum(array.nbytes for array in one.values()) // 2


@pytest.mark.parametrize(
    "how",
    [
        {"nframes": 4},
        {"groupgap": 2},
        {"nframes": 2, "groupgap": 1},
    ],
)
def test_another_read_out_is_prepared_by_itself(folder, how):
    # A dark of many single frames serves them all.
    file = folder / "jwst_nircam_dark_0007.fits"
    with fits.open(file, mode="update") as hdus:
        hdus["SCI"].data = np.random.default_rng(0).normal(size=(60, SIZE, SIZE)).astype("f4")
        hdus[0].header["NGROUPS"] = 60
    plain = load(chosen(folder))
    other = load(chosen(folder), readout(**how))
    assert not np.array_equal(plain.dark.frames, other.dark.frames)
    again = load(chosen(folder))
    assert again.dark.frames is plain.dark.frames
    if "nframes" in how:
        assert (other.read_noise < plain.read_noise).all()
        assert other.noise2 is not None
    else:
        assert other.noise2 is plain.noise2


def test_two_windows_do_not_meet(folder):
    choice = chosen(folder, PART, without=("dark",))
    shifted = replace(choice, window=replace(PART, xstart=PART.xstart + 1))
    one, other, again = load(choice), load(shifted), load(choice)
    assert not np.array_equal(one.gain, other.gain)
    assert not np.array_equal(one.noise2, other.noise2)
    assert again.gain is one.gain
    assert again.noise2 is one.noise2


def test_another_readnoise_with_the_same_gain(folder):
    one = load(chosen(folder))
    with fits.open(folder / "jwst_nircam_readnoise_0007.fits") as hdus:
        hdus["SCI"].data = hdus["SCI"].data * np.float32(3)
        hdus.writeto(folder / "mine.fits")
    files = {step: dict(kinds) for step, kinds in chosen(folder).files.items()}
    for step in ("jump", "ramp_fit"):
        files[step]["readnoise"] = folder / "mine.fits"
    other = load(Chosen(files, WHOLE))
    assert other.gain is one.gain
    np.testing.assert_allclose(other.noise2, 9 * one.noise2, rtol=1e-6)


def test_a_type_without_a_file_is_none(folder):
    found = load(chosen(folder, without=("mask", "dark", "superbias", "gain")))
    names = ("mask", "dark", "dark_dq", "bias", "raw_bias", "gain", "noise2", "gain_median")
    assert [getattr(found, name) for name in names] == [None] * len(names)
    assert found.readnoise is not None


def test_flags_that_a_user_adds_to_the_mask(folder):
    plain = load(chosen(folder)).mask
    extra = np.zeros((SIZE, SIZE), np.uint32)
    extra[7, 8] = 1 << 10
    asked = []

    def read(path):
        asked.append(path)
        return extra

    found = load(chosen(folder, user_dq="mine.fits"), user_dq=read)
    np.testing.assert_array_equal(found.mask, plain | extra)
    assert asked == ["mine.fits"]
    # And not to what is kept for others.
    np.testing.assert_array_equal(load(chosen(folder)).mask, plain)
    with pytest.raises(UsageError, match=r"^mine.fits: its array is \(2, 2\)"):
        load(chosen(folder, user_dq="mine.fits"), user_dq=lambda path: extra[:2, :2])


def test_a_dark_of_other_pixels_is_refused(folder):
    with pytest.raises(ReferenceFileError, match="its frames are 32 x 32 pixels") as caught:
        load(chosen(folder, PART))
    assert "the exposure's are 8 x 6" in str(caught.value)
    assert "override_dark" in str(caught.value)


@pytest.mark.parametrize("keyword", ["NFRAMES", "GROUPGAP"])
@pytest.mark.parametrize("value", [None, "one", 1.5, True])
def test_a_dark_that_does_not_say_how_it_was_read(folder, keyword, value):
    with fits.open(folder / "jwst_nircam_dark_0007.fits", mode="update") as hdus:
        del hdus[0].header[keyword]
        if value is not None:
            hdus[0].header[keyword] = value
    with pytest.raises(ReferenceFileError, match=f"its {keyword} is .*, no whole number"):
        load(chosen(folder))


def test_a_file_that_cannot_be_read_is_named_and_not_remembered(folder):
    file = folder / "jwst_nircam_gain_0007.fits"
    good = file.read_bytes()
    file.write_bytes(good[:4000])
    with pytest.raises(ReferenceFileError) as caught:
        load(chosen(folder))
    assert str(caught.value).startswith(f"{file}: ")
    file.write_bytes(good)
    assert load(chosen(folder)).gain is not None


def test_factor_of_the_gain(folder):
    assert load(chosen(folder)).gain_factor is None
    with fits.open(folder / "jwst_nircam_gain_0007.fits", mode="update") as hdus:
        hdus[0].header["GAINFACT"] = 2.5
    assert load(chosen(folder)).gain_factor == 2.5
