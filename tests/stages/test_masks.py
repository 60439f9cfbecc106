"""A user's mask: read from its file, refused in one sentence, set between jump and fit."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from astropy.io import fits
from tiny_world import NGROUPS, SIZE, make_exposure

from upramp.errors import InputError, UprampError, UsageError
from upramp.stages import calibrate, read_provenance
from upramp.stages.masks import load_mask

RAMP = (2, NGROUPS, SIZE, SIZE)
IMAGE = (SIZE, SIZE)


def write(path, flags, name="GROUPDQ", mode=None, where="extension"):
    primary = fits.PrimaryHDU()
    hdus = fits.HDUList([primary])
    if name is None:
        primary = fits.PrimaryHDU(flags)
        hdus = fits.HDUList([primary])
    else:
        hdus.append(fits.ImageHDU(flags, name=name))
    if mode is not None:
        hdus[0].header["MASKMODE"] = mode
    hdus.writeto(path, overwrite=True)
    return path


def flagged(shape, *places, value=4, dtype=np.uint8):
    flags = np.zeros(shape, dtype)
    for place in places:
        flags[place] = value
    return flags


@pytest.fixture(scope="module")
def plain(crds_folder, uncal):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRDS_PATH", str(crds_folder))
        patch.delenv("CRDS_SERVER_URL", raising=False)
        patch.delenv("CRDS_CONTEXT", raising=False)
        return calibrate(uncal, save_ramp=True)


# ---- files


@pytest.mark.parametrize(
    ("drawn_on", "exposure", "taken"),
    [
        ("a_nrcalong_uncal.fits", "a_nrcalong_uncal.fits", True),
        ("a_nrcalong_uncal.fits", "a_nrcalong_ramp.fits.gz", True),
        ("a_nrcalong_uncal.fits", "b_nrcalong_uncal.fits", False),
        ("", "b_nrcalong_uncal.fits", True),
        ("a_nrcalong_uncal.fits", "", True),
    ],
)
def test_a_mask_of_another_exposure_is_refused(tmp_path, drawn_on, exposure, taken):
    file = write(tmp_path / "m.fits", flagged(RAMP))
    fits.setval(file, "MASKOF", value=drawn_on)
    if taken:
        load_mask(file, RAMP, exposure)
    else:
        with pytest.raises(InputError, match=f"drawn on {drawn_on}, not on {exposure}"):
            load_mask(file, RAMP, exposure)


@pytest.mark.parametrize("name", ["GROUPDQ", "MASK", "SCI", None])
@pytest.mark.parametrize("shape", [RAMP, IMAGE])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64])
def test_whole_numbers_in_any_of_the_places(tmp_path, name, shape, dtype):
    flags = flagged(shape, (..., 5, 6), value=37, dtype=dtype)
    mask, record = load_mask(write(tmp_path / "m.fits", flags, name), RAMP)
    assert mask.flags.dtype == np.uint8
    assert mask.flags.flags.c_contiguous
    np.testing.assert_array_equal(mask.flags, flags)
    assert not mask.replaces
    assert record == {
        "file": "m.fits",
        "sha256": hashlib.sha256((tmp_path / "m.fits").read_bytes()).hexdigest(),
        "shape": list(shape),
        "mode": "ADD",
        "flagged": int((flags != 0).sum()),
    }


def test_the_first_of_several_places_counts(tmp_path):
    one, other = flagged(IMAGE, (1, 1)), flagged(IMAGE, (2, 2))
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(other, name="SCI"), fits.ImageHDU(one, name="MASK")]
    fits.HDUList(hdus).writeto(tmp_path / "m.fits")
    np.testing.assert_array_equal(load_mask(tmp_path / "m.fits", RAMP)[0].flags, one)


@pytest.mark.parametrize(
    ("mode", "replaces"),
    [("ADD", False), ("add", False), (" Replace ", True), ("REPLACE", True), ("", False)],
)
def test_mode(tmp_path, mode, replaces):
    file = write(tmp_path / "m.fits", flagged(IMAGE), mode=mode)
    mask, record = load_mask(file, RAMP)
    assert mask.replaces is replaces
    assert record["mode"] == ("REPLACE" if replaces else "ADD")


def _text(path):
    path.write_text("no mask")


def _nothing(path):
    pass


def _no_image(path):
    fits.HDUList([fits.PrimaryHDU()]).writeto(path)


def _elsewhere(path):
    write(path, flagged(IMAGE), name="FLAGS")


def _cut(path):
    write(path, flagged(RAMP))
    path.write_bytes(path.read_bytes()[:-4000])


WRONG = [
    (_text, "it is not FITS"),
    (_nothing, "there is no such file"),
    (_no_image, "it holds no image"),
    (_elsewhere, "it holds no image"),
    (_cut, "cut short"),
    (lambda p: write(p, flagged((SIZE, SIZE + 1))), "where the exposure calls for (2, 6, 32, 32)"),
    (lambda p: write(p, flagged((NGROUPS, SIZE, SIZE))), "or (32, 32)"),
    (lambda p: write(p, flagged((1, NGROUPS, SIZE, SIZE))), "give a mask of this exposure"),
    (lambda p: write(p, flagged((SIZE,))), "its image GROUPDQ is (32,)"),
    (lambda p: write(p, flagged(IMAGE, dtype=np.float32)), "its values are no group flags"),
    (lambda p: write(p, flagged(IMAGE, (0, 0), value=256, dtype=np.int16)), "from 0 to 255"),
    (lambda p: write(p, flagged(IMAGE, (0, 0), value=-1, dtype=np.int16)), "from 0 to 255"),
    (lambda p: write(p, flagged(IMAGE), mode="BOTH"), "its MASKMODE is 'BOTH'; make it ADD or"),
    (lambda p: write(p, flagged(IMAGE), mode=3), "its MASKMODE is '3'"),
]


@pytest.mark.parametrize(("spoil", "words"), WRONG, ids=range(len(WRONG)))
def test_what_is_no_mask_of_the_exposure_is_refused_in_one_sentence(tmp_path, spoil, words):
    file = tmp_path / "m.fits"
    spoil(file)
    with pytest.raises((InputError, UsageError)) as caught:
        load_mask(file, RAMP)
    text = str(caught.value)
    assert text.startswith(f"{file}: ")
    assert words in text
    assert "\n" not in text
    assert caught.value.exit_code == 2


def test_a_mask_that_is_refused_leaves_nothing(crds, uncal, tmp_path):
    file = write(tmp_path / "m.fits", flagged((5, 5)))
    out = tmp_path / "out"
    with pytest.raises(UprampError, match="calls for"):
        calibrate(uncal, mask=file, output_dir=out)
    assert list(out.iterdir()) == []


# ---- what it does


def test_flags_are_added_to_those_of_the_pipeline(crds, uncal, tmp_path, plain):
    flags = flagged(RAMP, (0, 2, 5, 6), (1, 4, 7, 8))
    flags[1, 5, 9, 9] = 1
    file = write(tmp_path / "m.fits", flags)
    result = calibrate(uncal, mask=file, save_ramp=True, output_dir=tmp_path / "out")
    np.testing.assert_array_equal(result.ramp.groupdq, plain.ramp.groupdq | flags)
    np.testing.assert_array_equal(result.ramp.data, plain.ramp.data)
    assert result.rateints.dq[0, 5, 6] == 4
    changed = {tuple(p) for p in np.argwhere(result.rate.data != plain.rate.data)}
    changed.discard((3, 4))  # dead, and no number in either
    assert changed <= {(5, 6), (7, 8), (9, 9)}
    assert (5, 6) in changed
    # The header's rate of cosmic rays counts what was found, not what was given.
    key = "primary_cosmic_rays"
    assert getattr(result.rate.meta.exposure, key) == getattr(plain.rate.meta.exposure, key)
    for product in result.products:
        record = read_provenance(product)["mask"]
        assert record["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert record["file"] == "m.fits"
        assert (record["mode"], record["flagged"]) == ("ADD", 3)
    assert result.provenance["mask"] == record


def test_jumps_that_a_replacing_mask_does_not_have_are_taken_back(crds, uncal, tmp_path, plain):
    assert (plain.ramp.groupdq & 4).any()
    flags = flagged(RAMP, (0, 2, 5, 6))
    file = write(tmp_path / "m.fits", flags, mode="REPLACE")
    result = calibrate(uncal, mask=file, save_ramp=True)
    expected = plain.ramp.groupdq & ~np.uint8(4) | flags
    np.testing.assert_array_equal(result.ramp.groupdq, expected)
    assert result.rateints.dq[0, 10, 11] == 0
    assert result.provenance["mask"]["mode"] == "REPLACE"


@pytest.mark.parametrize("mode", ["ADD", "REPLACE"])
def test_an_image_means_every_group_but_the_first(crds, uncal, tmp_path, mode):
    image = flagged(IMAGE, (5, 6), (20, 21))
    groups = np.zeros(RAMP, np.uint8)
    groups[:, 1:] = image
    one = write(tmp_path / "one.fits", image, mode=mode)
    other = write(tmp_path / "other.fits", groups, mode=mode)
    a, b = (calibrate(uncal, mask=file, save_ramp=True) for file in (one, other))
    np.testing.assert_array_equal(a.ramp.groupdq, b.ramp.groupdq)
    np.testing.assert_array_equal(a.rate.data, b.rate.data)
    assert a.rate.dq[20, 21] & 4


def test_an_empty_mask_changes_nothing_but_the_record(crds, uncal, tmp_path, plain):
    result = calibrate(uncal, mask=write(tmp_path / "m.fits", flagged(IMAGE)), save_ramp=True)
    np.testing.assert_array_equal(result.ramp.groupdq, plain.ramp.groupdq)
    np.testing.assert_array_equal(result.rate.data, plain.rate.data)
    assert result.provenance["mask"]["flagged"] == 0


def test_a_replacing_mask_of_the_pipelines_own_flags_changes_nothing(crds, uncal, tmp_path, plain):
    file = write(tmp_path / "m.fits", plain.ramp.groupdq, mode="REPLACE")
    result = calibrate(uncal, mask=file)
    np.testing.assert_array_equal(result.rate.data, plain.rate.data)
    np.testing.assert_array_equal(result.rateints.dq, plain.rateints.dq)


@pytest.mark.parametrize("threads", [1, 3])
def test_everything_may_be_masked_but_is_then_no_product(crds, uncal, tmp_path, threads):
    file = write(tmp_path / "m.fits", np.ones(RAMP, np.uint8))
    with pytest.raises(UprampError, match="no pixel that sees light has a value"):
        calibrate(uncal, mask=file, threads=threads)


def test_a_mask_goes_with_a_search_that_is_switched_off(crds, uncal, tmp_path, plain):
    file = write(tmp_path / "m.fits", flagged(RAMP, (0, 3, 10, 11)))
    result = calibrate(uncal, mask=file, overrides={"jump.skip": True}, save_ramp=True)
    assert np.argwhere(result.ramp.groupdq & 4).tolist() == [[0, 3, 10, 11]]
    np.testing.assert_array_equal(result.rate.data[10, 11], plain.rate.data[10, 11])


@pytest.mark.parametrize("overrides", [{"jump.save_results": True}, {}])
def test_a_mask_does_not_go_through_the_official_pipeline(crds, uncal, tmp_path, overrides):
    file = uncal
    if not overrides:
        file = make_exposure(tmp_path / "d_nrcalong_uncal.fits", exp_type="NRC_DARK")
    mask = write(tmp_path / "m.fits", flagged(IMAGE))
    with pytest.raises(UsageError, match=r"^mask: it cannot be applied, .*; leave it out\.$"):
        calibrate(file, mask=mask, overrides=overrides, output_dir=tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_official_engine_takes_none(uncal, tmp_path):
    with pytest.raises(UsageError, match="takes no mask of groups; use engine upramp"):
        calibrate(uncal, engine="stsci", mask=tmp_path / "m.fits")
