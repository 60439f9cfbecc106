"""Engines agree on persistence, and on what the fit tells beside slopes, to the last bit."""

from __future__ import annotations

import asdf
import numpy as np
import pytest

from upramp.dq import GROUP
from upramp.errors import CalibrationError
from upramp.stages import calibrate, compare

pytestmark = [pytest.mark.peer, pytest.mark.slow]

NEAR = "jw99001001001_02101_0000{}_nrcalong"
NIRISS = "jw99008001001_02101_00001_nis"
MIRI = "jw99007001001_02101_00001_mirimage"
ENGINES = ("stsci", "upramp")
ON = {"persistence.skip": False, "persistence.persistence_time": 2000}
OPTIONAL = {"ramp_fit.save_opt": True}

EXPECTED = ("provenance", "HISTORY", "history")
"""Parts of the names of metadata that tell the engine, or are no business of these steps."""


def by_both(archive, tmp_path, name, overrides, *, save_ramp=True):
    """Calibrate with both engines, each with files of its own."""
    results = {}
    for engine in ENGINES:
        folder = tmp_path / engine
        own = {
            key: value.format(folder=folder) if isinstance(value, str) else value
            for key, value in overrides.items()
        }
        results[engine] = calibrate(
            archive / "uncal" / f"{name}_uncal.fits",
            engine=engine,
            overrides=own,
            output_dir=folder,
            save_ramp=save_ramp,
        )
    official, ours = (
        {product.name: product for product in results[engine].products} for engine in ENGINES
    )
    assert set(official) == set(ours)
    for product in official:
        found = compare(official[product], ours[product])
        assert found.identical, found.to_text()
        odd = [one.key for one in found.metadata if not any(key in one.key for key in EXPECTED)]
        assert not odd, product
    assert not results["upramp"].provenance["delegated"]
    return results["upramp"], set(official)


def windows(tmp_path, name):
    """The same file of both engines, byte for byte; ours."""
    official, ours = (tmp_path / engine / name for engine in ENGINES)
    assert official.read_bytes() == ours.read_bytes()
    return asdf.load(str(ours))


def test_windows_are_carried_from_one_exposure_to_the_next(archive, tmp_path):
    files = {
        "persistence.persistence_array_file": "{folder}/windows.asdf",
        "persistence.save_persistence": "{folder}/windows.dat",
    }
    more = {"persistence.dn_threshold": 20000.0, "persistence.persistence_dnu": True}
    counts = []
    for number in (1, 2):
        name = NEAR.format(number)
        result, _ = by_both(archive, tmp_path, name, {**ON, **more, **files})
        assert result.rate.meta.cal_step.persistence == "COMPLETE"
        tree = windows(tmp_path, "windows.asdf")["NRCALONG"]
        assert tree["filename"] == f"{name}_uncal.fits"
        counts.append((result.ramp.groupdq[:, 0] & GROUP["PERSISTENCE"]).astype(bool).sum())
    # What the first left behind is there in the first group of the second.
    assert counts[0] == 0
    assert counts[1] > 10


def test_integrations_and_large_events(archive, tmp_path):
    name = "jw99003001001_02101_00001_nrcalong"
    more = {"persistence.dn_threshold": 8000.0, "jump.expand_large_events": True}
    saved = {"persistence.save_persistence": "{folder}/windows.asdf"}
    by_both(archive, tmp_path, name, {**ON, **more, **saved, "persistence.persistence_time": 50})
    assert len(windows(tmp_path, "windows.asdf")["NRCALONG"]["vals"]) > 10


def test_the_mid_infrared(archive, tmp_path):
    saved = {"persistence.save_persistence": "{folder}/windows.asdf"}
    more = {"persistence.dn_threshold": 20000.0}
    by_both(archive, tmp_path, MIRI, {**ON, **more, **saved}, save_ramp=False)
    assert windows(tmp_path, "windows.asdf")["MIRIMAGE"]["pers_time"] == 2000


def test_the_file_is_written_though_no_group_is_left(archive, tmp_path):
    for engine in ENGINES:
        (tmp_path / engine).mkdir()
        more = {"persistence.dn_threshold": 3000.0, "persistence.persistence_dnu": True}
        saved = {"persistence.save_persistence": str(tmp_path / engine / "windows")}
        with pytest.raises(CalibrationError, match="no pixel"):
            calibrate(
                archive / "uncal" / f"{MIRI}_uncal.fits",
                engine=engine,
                overrides={**ON, **more, **saved},
                output_dir=tmp_path / engine,
            )
    assert len(windows(tmp_path, "windows.asdf")["MIRIMAGE"]["vals"]) > 4000


def test_without_a_time_both_fail_alike(archive, tmp_path):
    result, _ = by_both(archive, tmp_path, NIRISS, {"persistence.skip": False})
    assert result.rate.meta.cal_step.persistence == "FAILED"


@pytest.mark.parametrize(
    ("name", "more"),
    [
        (NIRISS, {}),
        (NIRISS, {"jump.skip": True}),
        (NIRISS, {"ramp_fit.suppress_one_group": False, "ramp_fit.opt_name": "mine_rate.fits"}),
        (NIRISS, {"ramp_fit.firstgroup": 1, "ramp_fit.lastgroup": 3}),
        (NIRISS, {**ON, "persistence.dn_threshold": 3000.0, "persistence.persistence_dnu": True}),
        (MIRI, {}),
    ],
    ids=["all", "no jumps", "named", "groups", "persistence", "mid-infrared"],
)
def test_optional_results(archive, tmp_path, name, more):
    # REFOUT of MIRI's ramps is no business of the fit.
    result, names = by_both(
        archive, tmp_path, name, {**OPTIONAL, **more}, save_ramp=name is not MIRI
    )
    root = "mine" if "ramp_fit.opt_name" in more else name
    assert f"{root}_fitopt.fits" in names
    assert result.models["fitopt"].slope.shape[2:] == result.rate.data.shape
    assert np.isfinite(result.models["fitopt"].pedestal).all()


@pytest.mark.parametrize("root", ["", "mine"])
def test_chi_squared_of_the_other_fit(archive, tmp_path, root):
    more = {"ramp_fit.algorithm": "LIKELY", "ramp_fit.opt_name": root}
    _, names = by_both(archive, tmp_path, NIRISS, {**OPTIONAL, **more}, save_ramp=False)
    assert f"{root or NIRISS}_likely_chisq.fits" in names
