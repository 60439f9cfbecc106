"""A mask from the model through calibration: the flags shown are the flags fitted with."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.dq import GROUP
from upramp.stages import calibrate
from upramp_widgets.core.mask import MaskModel

EXPOSURE = "jw99001001001_02101_00001_nrcalong_uncal.fits"
JUMP = GROUP["JUMP_DET"]


@pytest.fixture
def uncal(practice_archive, monkeypatch, forget_crds):
    monkeypatch.setenv("CRDS_PATH", str(practice_archive / "crds"))
    for name in ("CRDS_SERVER_URL", "CRDS_CONTEXT", "CRDS_PATH_SINGLE"):
        monkeypatch.delenv(name, raising=False)
    forget_crds()
    return practice_archive / "uncal" / EXPOSURE


def test_exactly_the_pixels_that_were_edited_change(uncal, tmp_path):
    plain = calibrate(uncal, save_ramp=True)
    found = np.array(plain.ramp.groupdq)
    model = MaskModel(found, provenance={"jump.rejection_threshold": 4.0})
    usable = np.isfinite(plain.rate.data) & (plain.rate.dq & 1 == 0)
    alone = usable & ((found & GROUP["SATURATED"]) == 0).all(axis=(0, 1))
    flagged = ((found & JUMP) != 0).sum(axis=(0, 1))
    hit = tuple(int(value) for value in np.argwhere(alone & (flagged == 1))[0])
    quiet = tuple(int(value) for value in np.argwhere(alone & (flagged == 0))[0])
    ((integration, group),) = np.argwhere(found[:, :, hit[0], hit[1]] & JUMP).tolist()

    image = np.zeros(model.image_shape, bool)
    image[hit] = True
    model.flag(image, erase=True, groups=group, integrations=integration)
    model.circle(quiet[1], quiet[0], 0, groups=found.shape[1] // 2, integrations=0)
    shown = model.to_groupdq()
    assert sorted(tuple(place[2:]) for place in np.argwhere(shown != found).tolist()) == (
        sorted([hit, quiet])
    )
    record = model.save(tmp_path / "mask.fits")

    masked = calibrate(uncal, mask=tmp_path / "mask.fits", save_ramp=True)
    np.testing.assert_array_equal(masked.ramp.groupdq, shown)
    np.testing.assert_array_equal(masked.ramp.data, plain.ramp.data)
    differ = np.argwhere(
        ~np.isclose(masked.rate.data, plain.rate.data, rtol=0, atol=0, equal_nan=True)
    )
    assert sorted(tuple(place) for place in differ.tolist()) == sorted([hit, quiet])
    assert masked.rate.dq[hit] & JUMP == 0
    assert masked.rate.dq[quiet] & JUMP == JUMP
    assert masked.provenance["mask"]["sha256"] == record["file_sha256"]
    assert masked.provenance["mask"]["mode"] == "REPLACE"


def test_the_automatic_mask_alone_changes_nothing(uncal, tmp_path):
    plain = calibrate(uncal, save_ramp=True)
    MaskModel(np.array(plain.ramp.groupdq)).save(tmp_path / "mask.fits")
    masked = calibrate(uncal, mask=tmp_path / "mask.fits", save_ramp=True)
    np.testing.assert_array_equal(masked.ramp.groupdq, plain.ramp.groupdq)
    for name in ("data", "err", "dq", "var_poisson", "var_rnoise"):
        np.testing.assert_array_equal(getattr(masked.rate, name), getattr(plain.rate, name))
    np.testing.assert_array_equal(masked.rateints.data, plain.rateints.data)
