"""The reference of interference, as files have it."""

from __future__ import annotations

import asdf
import numpy as np
import pytest

from upramp.errors import ReferenceFileError
from upramp.stages.emicorr_reference import read_interference

WAVE = np.sin(np.arange(12.0))
CASES = {"SUB64": {"rowclocks": 28, "frameclocks": 8512, "freqs": {"FAST": ["Hz390"]}}}


def written(path, frequencies=None, cases=CASES, **how):
    if frequencies is None:
        frequencies = {"Hz390": {"frequency": 390.625, "phase_amplitudes": WAVE}}
    tree = {"meta": {"reftype": "emicorr"}, "frequencies": frequencies, "subarray_cases": cases}
    asdf.AsdfFile(tree).write_to(path, **how)
    return path


@pytest.mark.parametrize(
    ("wave", "kind"),
    [(WAVE, "=f8"), (WAVE.astype(">f4"), "=f4"), (WAVE.tolist(), "=f8"), ([1, 2, 3], "=i8")],
    ids=["float64", "big-endian", "list", "whole"],
)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_waves_of_any_type(tmp_path, wave, kind, compression):
    own = {"Hz390": {"frequency": 390.625, "phase_amplitudes": wave}}
    file = written(tmp_path / "a.asdf", own, all_array_compression=compression)
    found = read_interference(file)
    file.unlink()
    frequency, samples = found.frequencies["Hz390"]
    assert frequency == 390.625
    assert samples.dtype == np.dtype(kind)
    assert samples.dtype.isnative
    assert not samples.flags.writeable
    np.testing.assert_array_equal(samples, wave)
    assert found.subarray_cases == CASES
    assert found.nbytes == samples.nbytes


@pytest.mark.parametrize(
    ("frequencies", "problem"),
    [
        ({"Hz390": {"frequency": 390.625}}, "Hz390 is no frequency with a wave"),
        ({"Hz390": 390.625}, "Hz390 is no frequency with a wave"),
        ({"Hz390": {"frequency": 1.0, "phase_amplitudes": np.ones((2, 2))}}, "no list of numbers"),
        ({"Hz390": {"frequency": 1.0, "phase_amplitudes": ["a", "b"]}}, "no list of numbers"),
        ({"Hz390": {"frequency": 1.0, "phase_amplitudes": [[1.0], [1.0, 2.0]]}}, "with a wave"),
        ([1, 2], "values where names are due"),
        ({}, "holds no frequencies"),
    ],
)
def test_what_is_no_wave(tmp_path, frequencies, problem):
    file = written(tmp_path / "a.asdf", frequencies)
    with pytest.raises(ReferenceFileError, match=problem):
        read_interference(file)


def test_files_that_are_none(tmp_path):
    with pytest.raises(ReferenceFileError, match="missing"):
        read_interference(tmp_path / "none.asdf")
    (tmp_path / "text.asdf").write_text("no asdf")
    with pytest.raises(ReferenceFileError, match="cannot be read as ASDF"):
        read_interference(tmp_path / "text.asdf")
    with pytest.raises(ReferenceFileError, match="holds no subarray_cases"):
        read_interference(written(tmp_path / "a.asdf", cases={}))
