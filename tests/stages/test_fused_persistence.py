"""Persistence in the fused engine: its file, carried on and never trusted, and its statuses."""

from __future__ import annotations

import os
import struct

import asdf
import numpy as np
import pytest
from tiny_world import NGROUPS, SIZE, make_exposure

from upramp.dq import GROUP
from upramp.errors import InputError, OutputError, UsageError
from upramp.stages import calibrate
from upramp.stages.kept import keep
from upramp.stages.persistence_file import (
    Windows,
    file_to_write,
    read_windows,
    require_writable,
    write_windows,
)

ON = {"persistence.skip": False, "persistence.persistence_time": 100}
START = (59761.0 - 40587.0) * 86400
"""When the tiny exposure starts, in seconds since 1970."""


def record(rows=(1, 2), cols=(3, 4), vals=(5.0, 6.0), **more):
    arrays = {"rows": np.asarray(rows), "cols": np.asarray(cols), "vals": np.asarray(vals)}
    return {"filename": "a_uncal.fits", **arrays, "pers_time": 100, **more}


def dumped(path, **tree):
    asdf.dump(tree, str(path))
    return path


# ---- the file -----------------------------------------------------------------------------


def test_what_is_written_is_read_and_others_stay(tmp_path):
    file = tmp_path / "windows.asdf"
    window = np.zeros((4, 5))
    window[1, 2], window[3, 4] = 1.5e9, 2.5e9
    write_windows(file, "NRCALONG", Windows.of(window, 100), "one_uncal.fits")
    write_windows(file, "NRCA1", Windows.of(2 * window, 7), "two_uncal.fits")
    found = read_windows(file, "NRCALONG")
    np.testing.assert_array_equal(found.placed(4, 5), window)
    assert found.duration == 100
    assert read_windows(file, "NRCA1").duration == 7
    assert read_windows(file, "NRCB1") is None
    tree = asdf.load(str(file))
    assert tree["NRCALONG"]["filename"] == "one_uncal.fits"
    assert not list(tmp_path.glob(".upramp-*"))


def test_no_open_window_is_a_record_too(tmp_path):
    file = tmp_path / "windows.asdf"
    write_windows(file, "NIS", Windows.of(np.zeros((4, 5)), 100), "one_uncal.fits")
    found = read_windows(file, "NIS")
    np.testing.assert_array_equal(found.placed(4, 5), np.zeros((4, 5)))


def test_what_the_official_writer_makes_is_read(tmp_path):
    window = np.zeros((40, 50))
    window[::3, ::7] = np.arange(1, 113).reshape(14, 8)
    rows, cols = np.nonzero(window)
    entry = record(rows, cols, window[rows, cols])
    for name, tree in {"own": {"NIS": entry}, "many": {"A": record(), "NIS": entry}}.items():
        file = dumped(tmp_path / f"{name}.asdf", **tree)
        np.testing.assert_array_equal(read_windows(file, "NIS").placed(40, 50), window)


def test_plain_values_of_others_are_kept(tmp_path):
    note = {"remark": "mine", "list": [1, 2.5, None, True], "array": np.arange(3, dtype=np.int32)}
    file = dumped(tmp_path / "windows.asdf", NIS=record(), note=note)
    write_windows(file, "NRCA1", Windows.none(), "x")
    tree = asdf.load(str(file))
    assert tree["note"]["remark"] == "mine"
    assert tree["note"]["list"] == [1, 2.5, None, True]
    np.testing.assert_array_equal(tree["note"]["array"], np.arange(3))


def test_lists_in_the_text_and_other_byte_orders_are_read(tmp_path):
    file = tmp_path / "windows.asdf"
    tree = asdf.AsdfFile({"NIS": record()})
    for name in ("rows", "cols", "vals"):
        tree.set_array_storage(tree["NIS"][name], "inline")
    tree.write_to(str(file))
    assert read_windows(file, "NIS").placed(5, 5)[2, 4] == 6
    big = {
        "rows": np.array([1], ">i4"),
        "cols": np.array([3], ">u2"),
        "vals": np.array([9], ">f4"),
    }
    assert read_windows(dumped(file, NIS=record(**big)), "NIS").placed(5, 5)[1, 3] == 9


@pytest.mark.parametrize(
    ("name", "file"),
    [("a", "a.asdf"), ("a.fits", "a.asdf"), ("a.asdf", "a.asdf"), ("b/a.b.c", "b/a.b.asdf")],
)
def test_the_suffix_is_forced_as_officially(name, file):
    assert str(file_to_write(name)) == file


def test_no_file_is_no_window(tmp_path):
    assert read_windows(tmp_path / "missing.asdf", "NIS") is None


def test_pixels_of_another_frame_do_not_fit():
    assert Windows(np.array([4]), np.array([0]), np.ones(1), 5).placed(4, 4) is None
    assert Windows(np.array([0]), np.array([-1]), np.ones(1), 5).placed(4, 4) is None


# ---- hostile files --------------------------------------------------------------------------


def test_not_asdf(tmp_path):
    file = tmp_path / "windows.asdf"
    for content in (b"", b"SIMPLE  = T", b"#ASDF 1.0.0\n", b"#ASDF 1.0.0\n--- {\n...\n"):
        file.write_bytes(content)
        with pytest.raises(InputError, match="persistence wrote"):
            read_windows(file, "NIS")
    with pytest.raises(InputError):
        read_windows(tmp_path, "NIS")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="no regular file"):
        read_windows(tmp_path / "pipe", "NIS")


@pytest.mark.parametrize(
    "entry",
    [
        5,
        [1, 2],
        {"rows": 1},
        record(pers_time="long"),
        record(rows=(1, 2, 3)),
        record(rows=(1.0, 2.0)),
        record(vals=("x", "y")),
        {**record(), "vals": 3.0},
        {**record(), "vals": np.ones((2, 1))},
    ],
    ids=str,
)
def test_records_that_are_none(tmp_path, entry):
    with pytest.raises(InputError, match=r"NIS|array"):
        read_windows(dumped(tmp_path / "windows.asdf", NIS=entry), "NIS")


def _edited(file, old, new):
    content = file.read_bytes()
    assert old in content
    file.write_bytes(content.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"shape: [2]", b"shape: [9]"),
        (b"shape: [2]", b"shape: [-2]"),
        (b"shape: [2]", b"shape: [2, 2]"),
        (b"shape: [2]", b"shape: [4611686018427387904]"),
        (b"offset: 8", b"offset: 80"),
        (b"offset: 8", b"offset: -8"),
        (b"strides: [16]", b"strides: [-16]"),
        (b"strides: [16]", b"strides: [0]"),
        (b"datatype: int64", b"datatype: complex128"),
        (b"source: 1", b"source: 9"),
        (b"source: 1", b"source: -1"),
        (b"source: 1", b"source: other.asdf"),
        (b"vals: !core/ndarray-1.1.0", b"vals: !core/complex-1.0.0"),
        (b"vals: !core/ndarray-1.1.0", b"vals: !<tag:yaml.org,2002:python/object:os.system>"),
    ],
    ids=lambda text: text.decode(),
)
def test_arrays_that_are_not_in_the_file(tmp_path, old, new):
    rows, cols = np.nonzero(np.eye(3)[:2])  # in one buffer, as the official step has them
    file = tmp_path / "windows.asdf"
    dumped(file, NIS=record(rows, cols))
    assert read_windows(file, "NIS").placed(3, 3)[1, 1] == 6
    _edited(file, old, new)
    with pytest.raises(InputError, match=r"windows\.asdf"):
        read_windows(file, "NIS")


def test_a_bit_that_turned_over_is_noticed(tmp_path):
    file = dumped(tmp_path / "windows.asdf", NIS=record())
    _edited(file, struct.pack("<d", 6.0), struct.pack("<d", 7.0))
    with pytest.raises(InputError, match="damaged"):
        read_windows(file, "NIS")


def test_every_shorter_file_is_refused_or_lacks_nothing(tmp_path):
    whole = dumped(tmp_path / "windows.asdf", NIS=record()).read_bytes()
    end = whole.index(b"#ASDF BLOCK INDEX")
    file = tmp_path / "short.asdf"
    for size in range(0, end, 7):
        file.write_bytes(whole[:size])
        with pytest.raises(InputError):
            read_windows(file, "NIS")
    file.write_bytes(whole[:end])
    assert len(read_windows(file, "NIS").until) == 2


def test_trees_without_end_and_bombs_are_refused(tmp_path):
    file = tmp_path / "windows.asdf"
    head = b"#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n---\n"
    laughs = b"".join(
        b"k%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 20 if n else [b"1"] * 20))
        for n in range(9)
    )
    for text in (b"NIS: " + b"[" * 5000, laughs, b"NIS: &a {rows: *a}\n"):
        file.write_bytes(head + text + b"\n...\n")
        with pytest.raises(InputError):
            read_windows(file, "NIS")
    file.write_bytes(head + b"# " + b"x" * (9 << 20))
    with pytest.raises(InputError):
        read_windows(file, "NIS")


def test_compressed_arrays_are_refused(tmp_path):
    file = tmp_path / "windows.asdf"
    asdf.dump({"NIS": record()}, str(file), all_array_compression="zlib")
    with pytest.raises(InputError, match="compressed"):
        read_windows(file, "NIS")


def test_a_file_that_is_no_record_is_not_replaced(tmp_path):
    file = tmp_path / "windows.asdf"
    file.write_text("my notes")
    for attempt in (
        lambda: require_writable(file),
        lambda: write_windows(file, "NIS", Windows.none(), "x"),
    ):
        with pytest.raises(InputError):
            attempt()
    assert file.read_text() == "my notes"
    with pytest.raises(OutputError, match="folder"):
        require_writable(tmp_path / "nowhere" / "windows.asdf")


def test_a_link_goes_on_pointing_to_the_file(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.asdf"
    link.symlink_to(tmp_path / "real" / "windows.asdf")
    write_windows(link, "NIS", Windows.none(), "x")
    assert link.is_symlink()
    assert read_windows(tmp_path / "real" / "windows.asdf", "NIS") is not None


# ---- the step -------------------------------------------------------------------------------


@pytest.fixture
def bright(crds, tmp_path):
    """Two integrations; in the first some pixels saturate, and one is bright in both."""
    counts = 1000 + 20.0 * np.arange(1, NGROUPS + 1)[:, None, None]
    counts = np.broadcast_to(counts, (2, NGROUPS, SIZE, SIZE)).copy()
    counts[0, 3:, 8, 9] = 65535
    counts[:, :, 20, 5] = 1000 + 500 * np.arange(1, NGROUPS + 1)
    return make_exposure(tmp_path / "tiny_nrcalong_uncal.fits", counts=counts)


def flagged(result):
    return (result.ramp.groupdq & GROUP["PERSISTENCE"]) != 0


def run(file, tmp_path, name="out", **more):
    overrides = {**ON, **{f"persistence.{key}": value for key, value in more.items()}}
    return calibrate(file, output_dir=tmp_path / name, overrides=overrides, save_ramp=True)


def test_windows_open_at_saturation_and_are_carried_on(bright, tmp_path):
    file = tmp_path / "windows"
    result = run(bright, tmp_path, save_persistence=str(file))
    assert result.rate.meta.cal_step.persistence == "COMPLETE"
    assert result.provenance["engine"] == "upramp"
    assert "persistence" in result.provenance["fused"]
    assert result.provenance["persistence"]["written"] == {"file": "windows.asdf", "pixels": 9}
    flags = flagged(result)
    assert flags[0, :, 8, 9].tolist() == [False] * 3 + [True] * 3
    assert flags[1, :, 7:10, 8:11].all()
    assert flags.sum() == 9 * (3 + NGROUPS)
    tree = asdf.load(f"{file}.asdf")["NRCALONG"]
    assert tree["filename"] == "tiny_nrcalong_uncal.fits"
    # They opened at the end of the fourth group.
    np.testing.assert_array_equal(tree["vals"], START + 4 * 2.0 + 100)
    # The same exposure again stands for one that follows: its windows are open from the start.
    second = run(bright, tmp_path, "second", persistence_array_file=f"{file}.asdf")
    assert second.provenance["persistence"]["read"]["pixels"] == 9
    assert len(second.provenance["persistence"]["read"]["sha256"]) == 64


def test_groups_are_taken_from_the_fit_if_asked(bright, tmp_path):
    plain = run(bright, tmp_path, dn_threshold=1200.0)
    strict = run(bright, tmp_path, "strict", dn_threshold=1200.0, persistence_dnu=True)
    flags = flagged(plain)
    assert flags[0, :, 20, 5].tolist() == [False] * 2 + [True] * 4
    assert flags[1, :, 20, 5].all()
    np.testing.assert_array_equal(flagged(strict), flags)
    assert (strict.ramp.groupdq[flags] & GROUP["DO_NOT_USE"]).all()
    assert not (plain.ramp.groupdq[flags] & GROUP["DO_NOT_USE"]).any()
    # Without these groups nothing is left of the second integration.
    assert np.isnan(strict.rateints.data[1, 20, 5])
    assert np.isfinite(plain.rateints.data[1, 20, 5])


def test_nothing_is_flagged_if_it_is_off(bright, tmp_path):
    result = calibrate(bright, output_dir=tmp_path / "out", save_ramp=True)
    assert result.rate.meta.cal_step.persistence == "SKIPPED"
    assert not flagged(result).any()


@pytest.mark.parametrize("time", [None, 0, -5])
def test_without_a_time_it_fails_and_the_rest_goes_on(bright, tmp_path, time):
    target = tmp_path / "windows.asdf"
    result = run(bright, tmp_path, persistence_time=time, save_persistence=str(target))
    assert result.rate.meta.cal_step.persistence == "FAILED"
    assert result.rate.meta.cal_step.ramp_fit == "COMPLETE"
    assert not flagged(result).any()
    assert not target.exists()


def test_another_time_or_detector_begins_anew(bright, tmp_path):
    rows = record((20,), (21,), (START + 1000.0,))
    for name, tree in {
        "time": {"NRCALONG": {**rows, "pers_time": 99}},
        "detector": {"NRCA1": rows},
    }.items():
        file = dumped(tmp_path / f"{name}.asdf", **tree)
        result = run(bright, tmp_path, name, persistence_array_file=str(file))
        assert not flagged(result)[:, :, 20, 21].any()
        assert f"{name}.asdf" in result.log_file.read_text()
        assert "read" not in result.provenance["persistence"]
    file = dumped(tmp_path / "fits.asdf", NRCALONG={**rows, "vals": np.array([START + 50.0])})
    result = run(bright, tmp_path, "fits", persistence_array_file=str(file))
    assert flagged(result)[0, :, 20, 21].all()


def test_pixels_beyond_the_frame_are_said_to_be(bright, tmp_path):
    file = dumped(tmp_path / "other.asdf", NRCALONG=record((SIZE,), (0,), (START + 50.0,)))
    with pytest.raises(InputError, match="32 x 32"):
        run(bright, tmp_path, persistence_array_file=str(file))
    assert not list((tmp_path / "out").glob("*.fits"))


def test_a_missing_folder_or_name_is_said_before_the_work(bright, tmp_path):
    with pytest.raises(OutputError, match="folder"):
        run(bright, tmp_path, save_persistence=str(tmp_path / "nowhere" / "a.asdf"))
    for name in ("save_persistence", "persistence_array_file"):
        with pytest.raises(UsageError, match=name):
            run(bright, tmp_path, **{name: " "})


def test_the_file_is_written_where_nothing_has_a_value(crds, tmp_path):
    counts = np.full((1, NGROUPS, SIZE, SIZE), 65535.0)
    dark = make_exposure(tmp_path / "full_nrcalong_uncal.fits", counts=counts)
    target = tmp_path / "windows.asdf"
    with pytest.raises(Exception, match="no pixel"):
        run(dark, tmp_path, save_persistence=str(target))
    assert len(read_windows(target, "NRCALONG").until) > 0


def test_a_ramp_is_not_kept_with_it(bright):
    with pytest.raises(UsageError, match="persistence"):
        keep(bright, overrides=ON)
