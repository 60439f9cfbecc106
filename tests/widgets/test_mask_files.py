"""Masks in files: what is saved is what is loaded, and what is no mask is refused."""

from __future__ import annotations

import hashlib
import json

import asdf
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from upramp.dq import GROUP
from upramp.errors import InputError, OutputError, UprampError, UsageError
from upramp.stages.masks import load_mask
from upramp_widgets.core.mask import MaskModel

SHAPE = (2, 3, 8, 10)
JUMP, SAT, DNU = (GROUP[name] for name in ("JUMP_DET", "SATURATED", "DO_NOT_USE"))
WITH_LAYERS = [".fits", ".asdf"]


def automatic(seed=3):
    rng = np.random.default_rng(seed)
    flags = np.where(rng.random(SHAPE) < 0.2, JUMP, 0).astype(np.uint8)
    flags[rng.random(SHAPE) < 0.05] = SAT
    return flags


def painted(model):
    return {
        plane: [values.tolist() for values in model.paint.painted(plane)]
        for plane in model.paint.planes()
    }


def edited(**how):
    model = MaskModel(automatic(), provenance={"jump.rejection_threshold": 4.0}, **how)
    model.box(1, 1, 7, 5, erase=True)
    model.circle(4, 4, 1.5, groups=2)
    model.circle(8, 6, 1.5, bit="SATURATED", integrations=1)
    model.circle(2, 6, 1, bit="DROPOUT", groups=0)
    return model


def save(path, flags, name="GROUPDQ", **cards):
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(flags, name=name)])
    hdus[0].header.update(cards)
    hdus.writeto(path)
    return path


# ---- what is saved is what is loaded


@pytest.mark.parametrize("suffix", [*WITH_LAYERS, ".reg", ".FITS"])
def test_a_saved_mask_is_loaded_on_top_of_the_same_flags(tmp_path, suffix):
    model = edited()
    file = tmp_path / f"m{suffix}"
    record = model.save(file)
    other = MaskModel(automatic())
    change = other.load(file)
    assert change.label == f"load {file.name}"
    assert painted(other) == painted(model)
    np.testing.assert_array_equal(other.to_groupdq(), model.to_groupdq())
    assert record == {
        **model.record(),
        "file": file.name,
        "file_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("suffix", WITH_LAYERS)
def test_a_saved_mask_is_opened_with_both_its_layers(tmp_path, suffix):
    model = edited()
    model.save(tmp_path / f"m{suffix}")
    other = MaskModel.open(tmp_path / f"m{suffix}")
    np.testing.assert_array_equal(other.automatic, automatic())
    assert painted(other) == painted(model)
    assert other.record() == model.record()
    assert other.undoable is None
    other.clear()
    np.testing.assert_array_equal(other.to_groupdq(), automatic())


images = st.lists(
    st.tuples(*(st.integers(0, size - 1) for size in SHAPE), st.integers(0, 7), st.booleans()),
    max_size=30,
)


@pytest.mark.parametrize("suffix", WITH_LAYERS)
@settings(deadline=None, max_examples=25)
@given(images, st.integers(0, 5))
def test_any_mask_is_the_same_after_it_was_saved(tmp_path_factory, suffix, places, seed):
    model = MaskModel(automatic(seed), provenance={"note": "it's 50 % & 'more' é \n", "n": [1]})
    for i, g, y, x, bit, erase in places:
        image = np.zeros(SHAPE[2:], bool)
        image[y, x] = True
        name = next(name for name, value in GROUP.items() if value == 1 << bit)
        model.flag(image, groups=g, integrations=i, bit=name, erase=erase)
    file = tmp_path_factory.mktemp("mask") / f"m{suffix}"
    model.save(file)
    loaded = MaskModel(automatic(seed))
    loaded.load(file)
    for other in (MaskModel.open(file), loaded):
        assert painted(other) == painted(model)
        np.testing.assert_array_equal(other.to_groupdq(), model.to_groupdq())
        np.testing.assert_array_equal(other.automatic, model.automatic)
    assert MaskModel.open(file).provenance == model.provenance


@pytest.mark.parametrize("suffix", [*WITH_LAYERS, ".reg"])
def test_a_mask_without_edits_and_a_long_provenance(tmp_path, suffix):
    model = MaskModel(
        automatic(), provenance={f"step.parameter_{n}": "x' &" * n for n in range(60)}
    )
    model.save(tmp_path / f"m{suffix}")
    other = MaskModel(automatic())
    assert not other.load(tmp_path / f"m{suffix}")
    if suffix != ".reg":
        assert MaskModel.open(tmp_path / f"m{suffix}").provenance == model.provenance


@pytest.mark.parametrize("suffix", [*WITH_LAYERS, ".reg"])
def test_loading_is_one_step_that_is_undone(tmp_path, suffix):
    edited().save(tmp_path / f"m{suffix}")
    model = MaskModel(automatic())
    model.circle(1, 1, 1)
    before = painted(model)
    model.load(tmp_path / f"m{suffix}")
    after = painted(model)
    assert after != before
    model.undo()
    assert painted(model) == before
    model.redo()
    assert painted(model) == after


@pytest.mark.parametrize("suffix", WITH_LAYERS)
def test_what_was_done_by_hand_goes_on_top_of_other_automatic_flags(tmp_path, suffix):
    edited().save(tmp_path / f"m{suffix}")
    model = MaskModel(automatic(9))
    model.box(0, 0, 9, 7, bit="DO_NOT_USE")  # goes: what is loaded takes its place
    model.load(tmp_path / f"m{suffix}")
    expected = edited()
    expected.set_automatic(automatic(9))
    np.testing.assert_array_equal(model.to_groupdq(), expected.to_groupdq())


# ---- what calibration reads


def test_calibration_reads_all_flags_and_takes_back_erased_jumps(tmp_path):
    model = edited()
    record = model.save(tmp_path / "m.fits")
    mask, said = load_mask(tmp_path / "m.fits", SHAPE)
    assert mask.replaces
    np.testing.assert_array_equal(mask.flags, model.to_groupdq())
    assert said["sha256"] == record["file_sha256"]
    # What a replacing mask does to the flags that were found.
    pipeline = automatic() & (255 - JUMP) | mask.flags
    np.testing.assert_array_equal(pipeline, model.to_groupdq())


def test_the_header_tells_automatic_from_manual(tmp_path):
    model = edited()
    model.save(tmp_path / "m.fits")
    with fits.open(tmp_path / "m.fits") as hdus:
        hdus.verify("exception")
        header = hdus[0].header
        counts = model.counts()
        for name, short in (("JUMP_DET", "JUMP"), ("SATURATED", "SAT"), ("DO_NOT_USE", "DNU")):
            said = [header[short + end] for end in ("AUTO", "SET", "CLR")]
            assert said == list(counts[name].values())[:3]
        assert header["MASKMODE"] == "REPLACE"
        assert header["FLAGSHA"] == hashlib.sha256(model.to_groupdq().tobytes()).hexdigest()
        assert header["AUTOSHA"] == hashlib.sha256(automatic().tobytes()).hexdigest()
        assert json.loads(header["AUTOPROV"]) == {"jump.rejection_threshold": 4.0}
        shown = automatic()
        for row in hdus["MANUAL"].data:
            place = row["INTEGRATION"], row["GROUP"], row["Y"]
            columns = slice(row["X"], row["X"] + row["LENGTH"])
            np.testing.assert_array_equal(shown[place][columns], row["AUTOMATIC"])
            shown[place][columns] &= 255 - row["CLEARED"]
            shown[place][columns] |= row["SET"]
        np.testing.assert_array_equal(shown, hdus["GROUPDQ"].data)


def test_the_same_mask_gives_the_same_file(tmp_path):
    for name in ("a.fits", "b.fits"):
        edited().save(tmp_path / name)
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


# ---- plain masks


@pytest.mark.parametrize("name", ["GROUPDQ", "MASK", "SCI"])
def test_flags_of_a_plain_mask_are_set(tmp_path, name):
    flags = np.zeros(SHAPE, np.int16)
    flags[0, 1, 2, 3], flags[1, 2, 5, 5] = JUMP, DNU | 128
    model = MaskModel(automatic())
    model.box(3, 2, 3, 2, erase=True)
    before = model.to_groupdq()
    model.load(save(tmp_path / "m.fits", flags, name))
    np.testing.assert_array_equal(model.to_groupdq(), before | flags.astype(np.uint8))
    model.set_automatic(np.zeros(SHAPE, np.uint8))
    np.testing.assert_array_equal(model.to_groupdq(), flags)  # they are set by hand
    model.undo()
    assert not model.to_groupdq().any()


def test_an_image_means_every_group_after_the_first(tmp_path):
    image = np.zeros(SHAPE[2:], np.uint8)
    image[3, 4] = JUMP
    model = MaskModel(np.zeros(SHAPE, np.uint8))
    model.load(save(tmp_path / "m.fits", image))
    assert model.to_groupdq()[:, :, 3, 4].tolist() == [[0, JUMP, JUMP]] * 2
    assert np.count_nonzero(model.to_groupdq()) == 4


@pytest.mark.parametrize("shape", [SHAPE, SHAPE[2:]])
def test_a_replacing_mask_erases_jumps_that_it_has_not(tmp_path, shape):
    rng = np.random.default_rng(5)
    flags = np.where(rng.random(shape) < 0.2, JUMP, 0).astype(np.uint8)
    flags[rng.random(shape) < 0.1] |= SAT
    model = edited()
    before = model.to_groupdq()
    model.load(save(tmp_path / "m.fits", flags, MASKMODE="REPLACE"))
    expected = before.copy()
    groups = expected[:, 1:] if len(shape) == 2 else expected
    groups &= 255 - JUMP
    groups |= flags
    np.testing.assert_array_equal(model.to_groupdq(), expected)
    if shape == SHAPE:
        fresh = MaskModel(automatic())
        fresh.load(tmp_path / "m.fits")
        alike = (automatic() & JUMP) == (flags & JUMP)
        counts = fresh.counts()["JUMP_DET"]
        # Where it agrees with what was found, nothing was done by hand.
        assert counts["set_by_hand"] + counts["cleared_by_hand"] == np.count_nonzero(~alike)
        fresh.undo()
        np.testing.assert_array_equal(fresh.to_groupdq(), automatic())


def test_a_plain_mask_is_read_by_its_content_not_its_name(tmp_path):
    image = np.full(SHAPE[2:], JUMP, np.uint8)
    save(tmp_path / "m.fits", image).rename(tmp_path / "mask.data")
    model = MaskModel(np.zeros(SHAPE, np.uint8))
    assert model.load(tmp_path / "mask.data").changed == 2 * 2 * 80


# ---- what is refused


def cut(suffix, bytes_left):
    def spoil(path):
        edited().save(path)
        content = path.read_bytes()
        path.write_bytes(content[: bytes_left if bytes_left > 0 else len(content) + bytes_left])

    return suffix, spoil


def changed_table(name, value, row=0):
    def spoil(path):
        edited().save(path)
        with fits.open(path, mode="update") as hdus:
            hdus["MANUAL"].data[name][row] = value

    return ".fits", spoil


def changed_image(path):
    edited().save(path)
    with fits.open(path, mode="update") as hdus:
        hdus["GROUPDQ"].data ^= np.uint8(JUMP)


def changed_where_nothing_was_painted(path):
    model = MaskModel(automatic())
    model.circle(3, 3, 1)
    model.save(path)
    with fits.open(path, mode="update") as hdus:
        hdus["GROUPDQ"].data[0, 0, 7, 9] ^= np.uint8(JUMP)


def without_column(path):
    edited().save(path)
    with fits.open(path) as hdus:
        table = hdus["MANUAL"]
        columns = [column for column in table.columns if column.name != "LENGTH"]
        new = fits.BinTableHDU.from_columns(columns, name="MANUAL")
        fits.HDUList([hdus[0], hdus[1], new]).writeto(path, overwrite=True)


def with_text(path):
    edited().save(path)
    with fits.open(path) as hdus:
        columns = [
            fits.Column(c.name, "3A", array=["abc"] * len(hdus["MANUAL"].data))
            for c in hdus["MANUAL"].columns
        ]
        new = fits.BinTableHDU.from_columns(columns, name="MANUAL")
        fits.HDUList([hdus[0], hdus[1], new]).writeto(path, overwrite=True)


def without_provenance(path):
    edited().save(path)
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["AUTOPROV"] = "[1"


def tree(value):
    def spoil(path):
        asdf.AsdfFile(value).write_to(path)

    return ".asdf", spoil


def floats(path):
    asdf_tree = {
        "groupdq": np.zeros(SHAPE),
        "manual": {},
        "record": {"automatic": {"sha256": "", "parameters": {}}},
    }
    asdf.AsdfFile({"upramp_mask": asdf_tree}).write_to(path)


WRONG = {
    "missing fits": (".fits", lambda _: None, "there is no such file"),
    "missing asdf": (".asdf", lambda _: None, "there is no such file"),
    "missing reg": (".reg", lambda _: None, "it cannot be read"),
    "text as fits": (".fits", lambda p: p.write_text("no mask"), "it is not FITS"),
    "text as asdf": (".asdf", lambda p: p.write_text("no mask"), "it is no ASDF file"),
    "text as reg": (".reg", lambda p: p.write_text("\n# nothing\n"), "it holds no regions"),
    "bytes as reg": (".reg", lambda p: p.write_bytes(b"\xff\xfe\0"), "it is no text"),
    "cut header": (*cut(".fits", 2000), "cut short"),
    "cut image": (*cut(".fits", 9000), "cut short"),
    "cut table": (*cut(".fits", -2880), "cut short"),
    "cut asdf tree": (*cut(".asdf", 300), "it is no ASDF file, or damaged"),
    "cut asdf block": (*cut(".asdf", -400), "it is no ASDF file, or damaged"),
    "no image": (".fits", lambda p: fits.PrimaryHDU().writeto(p), "it holds no image"),
    "floats": (".fits", lambda p: save(p, np.zeros(SHAPE)), "its values are no group flags"),
    "shape": (".fits", lambda p: save(p, np.zeros((8, 9), np.uint8)), "calls for (2, 3, 8, 10)"),
    "mode": (".fits", lambda p: save(p, automatic(), MASKMODE="BOTH"), "make it ADD or REPLACE"),
    "integration": (*changed_table("INTEGRATION", 2), "a value of INTEGRATION"),
    "negative": (*changed_table("X", -1), "a value of X"),
    "length": (*changed_table("LENGTH", 0), "a run that is not within a row"),
    "too long": (*changed_table("LENGTH", 2**31 - 1), "a run that is not within a row"),
    "order": (*changed_table("GROUP", 2), "is not in order"),
    "cleared": (*changed_table("CLEARED", SAT), "clears what it may not"),
    "set": (*changed_table("SET", DNU), "is not that of its flags"),
    "image": (".fits", changed_image, "is not that of its flags"),
    "elsewhere": (".fits", changed_where_nothing_was_painted, "flags were changed after"),
    "column": (".fits", without_column, "lacks LENGTH"),
    "kind of column": (".fits", with_text, "holds no whole numbers"),
    "provenance": (".fits", without_provenance, "its keyword AUTOPROV is damaged"),
    "other asdf": (*tree({"a": 1}), "it holds no mask"),
    "odd asdf": (*tree({"upramp_mask": [1, 2]}), "it holds no mask"),
    "empty asdf": (*tree({"upramp_mask": {"groupdq": 1}}), "it holds no mask"),
    "floats in asdf": (".asdf", floats, "it holds no mask"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_mask_is_refused_in_one_sentence_and_changes_nothing(tmp_path, case):
    suffix, spoil, words = WRONG[case]
    file = tmp_path / f"m{suffix}"
    spoil(file)
    model = edited()
    before, step = painted(model), model.undoable
    with pytest.raises((InputError, UsageError)) as caught:
        model.load(file)
    text = str(caught.value)
    assert text.startswith(f"{file}: ")
    assert words in text
    assert "\n" not in text
    assert caught.value.exit_code == 2
    assert (painted(model), model.undoable) == (before, step)


@pytest.mark.parametrize("suffix", WITH_LAYERS)
def test_a_mask_of_another_exposure_is_refused(tmp_path, suffix):
    edited().save(tmp_path / f"m{suffix}")
    model = MaskModel(np.zeros((2, 3, 8, 11), np.uint8))
    with pytest.raises(InputError, match=r"is \(2, 3, 8, 10\) where .* for \(2, 3, 8, 11\)"):
        model.load(tmp_path / f"m{suffix}")


def test_a_plain_mask_cannot_be_opened_by_itself(tmp_path):
    with pytest.raises(InputError, match="does not tell automatic from manual"):
        MaskModel.open(save(tmp_path / "m.fits", automatic()))


@pytest.mark.parametrize("suffix", [".txt", "", ".fits.gz", ".png"])
def test_other_names_are_refused(tmp_path, suffix):
    with pytest.raises(UsageError, match=r"end its name in \.fits, \.asdf or \.reg"):
        edited().save(tmp_path / f"m{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [*WITH_LAYERS, ".reg"])
def test_a_mask_that_cannot_be_written_leaves_the_old_one(tmp_path, suffix, monkeypatch):
    with pytest.raises(OutputError, match="its folder does not exist"):
        edited().save(tmp_path / "nowhere" / f"m{suffix}")
    file = tmp_path / f"m{suffix}"
    edited().save(file)
    content = file.read_bytes()

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("upramp.atomic._synchronise", fail)
    with pytest.raises(UprampError, match="there is no room left"):
        MaskModel(automatic()).save(file)
    assert file.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]
