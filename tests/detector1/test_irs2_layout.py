from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.irs2_layout import Interleave, deinterleave, interleave, is_interleaved


def test_the_usual_pattern():
    layout = Interleave("NRS1")
    assert (layout.rows, layout.section, layout.period) == (3200, 640, 20)
    assert layout.science_rows.size == 2048
    assert layout.science_rows[0] == 640
    # Eight ordinary pixels, four reads, sixteen ordinary pixels, ...
    first = "".join("S" if s else "r" for s in layout.science[640:672])
    assert first == "SSSSSSSSrrrrSSSSSSSSSSSSSSSSrrrr"
    assert layout.reference_reads.reshape(5, 640).sum(axis=1).tolist() == [128] * 5
    assert not layout.science[layout.reference_output].any()


def test_the_other_detector_is_read_from_the_other_end():
    one, other = Interleave("NRS1"), Interleave("NRS2")
    np.testing.assert_array_equal(other.science, one.science[::-1])
    assert other.reference_output == slice(2560, 3200)
    assert (other.row(0), one.row(0)) == (3199, 0)


def test_other_patterns():
    layout = Interleave("NRS1", normal=32, reference=10)
    assert layout.rows == 5 * (512 + 16 * 10)
    assert layout.science_rows.size == 2048


@pytest.mark.parametrize(
    ("detector", "normal", "reference"),
    [("NIS", 16, 4), ("NRS1", 0, 4), ("NRS1", 15, 4), ("NRS1", 24, 4), ("NRS1", 16, 3),
     ("NRS2", 16, 0)],
)  # fmt: skip
def test_what_is_no_pattern(detector, normal, reference):
    with pytest.raises(ValueError, match="IRS2"):
        Interleave(detector, normal, reference)


@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.uint32])
def test_there_and_back(detector, dtype):
    layout = Interleave(detector)
    array = np.arange(2 * 3200 * 3).reshape(2, 3200, 3).astype(dtype)
    normal = deinterleave(array, layout)
    assert normal.shape == (2, 2048, 3)
    assert normal.dtype == dtype
    assert normal.flags.c_contiguous
    copy = np.where(layout.science[:, None], dtype(0), array)
    interleave(copy, normal, layout)
    np.testing.assert_array_equal(copy, array)


def test_arrays_of_another_size_are_refused():
    with pytest.raises(ValueError, match="3200"):
        deinterleave(np.zeros((2048, 2048)), Interleave("NRS1"))
    with pytest.raises(ValueError, match="3200"):
        interleave(np.zeros((2048, 8)), np.zeros((2048, 8)), Interleave("NRS1"))


def test_what_is_interleaved():
    assert is_interleaved((1, 5, 3200, 2048))
    assert not is_interleaved((1, 5, 2048, 2048))
