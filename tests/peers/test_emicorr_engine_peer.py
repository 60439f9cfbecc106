"""Engines agree on interference, in practice exposures and a real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emicorr_ramps import wave
from upramp.stages import calibrate, compare

pytestmark = [pytest.mark.peer, pytest.mark.slow]

SUB64 = "jw99007001001_02101_00001_mirimage_uncal.fits"
FULL = "jw99006001001_02101_00001_mirimage_uncal.fits"
REAL = "MIRI_5582_89_S_20180308-010230_SCE1_pipe.fits"
ENGINES = ("stsci", "upramp")
EXPECTED = ("provenance", "HISTORY", "history")
"""Parts of the names of metadata that tell the engine."""

FLY = {"emicorr.onthefly_corr_freq": [390.625, 10.039216]}


@pytest.fixture(scope="module")
def waves(tmp_path_factory):
    """A reference as the archive has them, for fast reading."""
    from stdatamodels.jwst.datamodels import EmiModel

    model = EmiModel()
    model.frequencies = {
        "Hz390": {"frequency": 390.625, "phase_amplitudes": wave(256).astype(np.float32)},
        "Hz10": {"frequency": 10.039216, "phase_amplitudes": wave(100, 0.3).tolist()},
    }
    model.subarray_cases = {
        name: {"rowclocks": row, "frameclocks": frame, "freqs": {"FAST": names}}
        for name, row, frame, names in (
            ("SUB64", 28, 8512, ["Hz390", "Hz10"]),
            ("FULL_FAST", 271, 277504, ["Hz10"]),
        )
    }
    model.meta.author, model.meta.description = "upramp", "waves"
    model.meta.pedigree, model.meta.useafter = "DUMMY", "2020-01-01T00:00:00"
    file = tmp_path_factory.mktemp("waves") / "waves.asdf"
    model.save(str(file))
    return str(file)


def by_both(file, tmp_path, overrides, *, save_ramp=True):
    results = {
        engine: calibrate(
            file,
            engine=engine,
            overrides={"emicorr.skip": False, **overrides},
            output_dir=tmp_path / engine,
            save_ramp=save_ramp,
        )
        for engine in ENGINES
    }
    official, ours = (
        {product.name: product for product in results[engine].products} for engine in ENGINES
    )
    assert set(official) == set(ours)
    for name, product in official.items():
        if product.suffix != ".fits":
            continue
        found = compare(product, ours[name])
        assert found.identical, found.to_text()
        odd = [one.key for one in found.metadata if not any(key in one.key for key in EXPECTED)]
        assert not odd, name
    return results["upramp"]


@pytest.mark.parametrize(
    "parameters",
    [{}, {"emicorr.fit_ints_separately": True}, {"emicorr.algorithm": "sequential"}, FLY],
    ids=["joint", "apart", "sequential", "on the fly"],
)
@pytest.mark.parametrize("name", [SUB64, REAL], ids=["practice", "real"])
def test_subarray(archive, waves, tmp_path, name, parameters):
    file = archive / "uncal" / name
    if name == REAL:
        shared = Path(__file__).parents[2].parent / "shared" / "data" / "real"
        file = shared / "miri_ground" / name
        if not file.exists():
            pytest.skip("the real exposure is not here")
    own = {} if parameters is FLY else {"emicorr.override_emicorr": waves}
    result = by_both(file, tmp_path, {**own, **parameters})
    assert not result.provenance["delegated"]
    assert result.rate.meta.cal_step.emicorr == "COMPLETE"
    used = result.rate.meta.ref_file.emicorr.name
    assert used == (None if parameters is FLY else waves)


def test_full_frame(archive, waves, tmp_path):
    own = {"emicorr.override_emicorr": waves}
    result = by_both(archive / "uncal" / FULL, tmp_path, own, save_ramp=False)
    assert not result.provenance["delegated"]
    assert result.rate.meta.cal_step.emicorr == "COMPLETE"


def test_without_a_reference_the_step_is_skipped(archive, tmp_path):
    result = by_both(archive / "uncal" / SUB64, tmp_path, {})
    assert not result.provenance["delegated"]
    assert result.rate.meta.cal_step.emicorr == "SKIPPED"
    assert result.rate.meta.ref_file.emicorr.name == "N/A"


def test_without_a_case_the_reference_is_named_all_the_same(archive, waves, tmp_path):
    import asdf

    tree = asdf.open(waves, lazy_load=False, memmap=False)
    del tree["subarray_cases"]["SUB64"]
    tree.write_to(str(tmp_path / "other.asdf"))
    own = {"emicorr.override_emicorr": str(tmp_path / "other.asdf")}
    result = by_both(archive / "uncal" / SUB64, tmp_path, own, save_ramp=False)
    assert result.rate.meta.cal_step.emicorr == "SKIPPED"
    assert result.rate.meta.ref_file.emicorr.name.endswith("other.asdf")


def test_what_the_official_step_does(archive, waves, tmp_path):
    kept = {**FLY, "emicorr.save_intermediate_results": True}
    result = by_both(archive / "uncal" / SUB64, tmp_path / "kept", kept, save_ramp=False)
    assert "save_intermediate" in result.provenance["delegated"]["emicorr"]
    assert any(product.name.endswith("_emi_ref_waves.asdf") for product in result.products)
    own = {"emicorr.user_supplied_reffile": waves}
    result = by_both(archive / "uncal" / SUB64, tmp_path / "own", own, save_ramp=False)
    assert "user_supplied" in result.provenance["delegated"]["emicorr"]
    assert result.rate.meta.cal_step.emicorr == "COMPLETE"
