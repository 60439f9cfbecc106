"""Both engines give the same products: every bit, and what is said about them.

Steps that have tests of this kind of their own (interference, flicker noise,
picture frame, persistence, IRS2) are left to those.
"""

from __future__ import annotations

import gc
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from upramp.errors import CalibrationError
from upramp.stages import calibrate, compare, read_provenance

pytestmark = [pytest.mark.peer, pytest.mark.slow]

LONG = "jw99001001001_02101_00001_nrcalong"
SHORT = "jw99002001001_02101_00001_nrca1"
SERIES = "jw99003001001_02101_00001_nrcalong"
AVERAGED = "jw99004001001_02101_00001_nrcalong"
BRIGHTSKY = "jw99005001001_02101_00001_mirimage"
MIRI_FULL = "jw99006001001_02101_00001_mirimage"
SUB64 = "jw99007001001_02101_00001_mirimage"
NIRISS = "jw99008001001_02101_00001_nis"
NIRSPEC = "jw99009001001_02101_00001_nrs1"
GUIDER = "jw99013001001_02101_00001_guider2"

EXPECTED = re.compile(
    # Which engine it was, and what it did itself.
    r"HISTORY|history\.entries\[\d+\]\.description|meta\.upramp\.provenance\.(engine|fused|delegated)"
)
"""Metadata that may differ, apart from times, names and logs."""

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "real"


@pytest.fixture(scope="module", autouse=True)
def quick_collections():
    """Spare the official steps, which collect garbage one by one, what they never find."""
    from jwst import pipeline  # noqa: F401 - all of it is to be there before

    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def by_both(file, folder, overrides=None, *, save_ramp=True, threads=2):
    """Calibrate with both engines, demand agreement, and give ours."""
    overrides = overrides or {}
    official = calibrate(
        file,
        engine="stsci",
        overrides=overrides,
        output_dir=folder / "official",
        save_ramp=save_ramp,
    )
    ours = calibrate(
        file, overrides=overrides, output_dir=folder / "ours", save_ramp=save_ramp, threads=threads
    )
    assert [p.name for p in ours.products] == [p.name for p in official.products]
    for one, other in zip(ours.products, official.products, strict=True):
        found = compare(one, other)
        assert found.exit_code == 0, found.to_text()
        odd = [d for d in found.metadata if not EXPECTED.fullmatch(d.key)]
        assert not odd, (one.name, odd)
    assert set(ours.models) == set(official.models)
    for name, model in ours.models.items():
        assert type(model) is type(official.models[name])
    return ours


@dataclass
class Case:
    """What both engines do."""

    name: str
    overrides: dict[str, Any] = field(default_factory=dict)
    changes: bool = True
    """Whether the overrides are to make a difference at all."""


@pytest.fixture(scope="module")
def plain(practice_archive, tmp_path_factory):
    """Rates by our engine without overrides, each made once."""
    made = {}

    def rate(file):
        if file not in made:
            folder = tmp_path_factory.mktemp("plain")
            result = calibrate(file, output_dir=folder)
            made[file] = next(p for p in result.products if p.name.endswith("_rate.fits"))
        return made[file]

    return rate


def uncal(archive, name):
    return archive / "uncal" / f"{name}_uncal.fits"


# ---- each program as it is


@pytest.mark.parametrize(
    "name",
    [LONG, SHORT, SERIES, AVERAGED, BRIGHTSKY, MIRI_FULL, SUB64, NIRISS, NIRSPEC],
)
def test_programs(archive, tmp_path, name):
    result = by_both(uncal(archive, name), tmp_path, save_ramp=False)
    assert result.provenance["delegated"] == {}
    assert {"saturation", "linearity", "jump", "ramp_fit"} <= set(result.provenance["fused"])
    assert np.isfinite(result.rate.data).mean() > 0.8


@pytest.mark.parametrize("name", [SERIES, BRIGHTSKY, NIRISS])
def test_programs_with_the_parameters_of_flight(archive, tmp_path, monkeypatch, forget_crds, name):
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_0002.pmap")
    forget_crds()
    result = by_both(uncal(archive, name), tmp_path)
    assert result.provenance["context"] == "jwst_0002.pmap"
    pars = result.provenance["references"]
    assert any(k.startswith("pars-") and v["file"] != "N/A" for k, v in pars.items())


def test_guide_stars_go_through_the_official_pipeline(archive, tmp_path):
    result = by_both(uncal(archive, GUIDER), tmp_path, save_ramp=False)
    assert result.provenance["fused"] == []
    assert list(result.provenance["delegated"]) == ["GuiderPipeline"]
    assert read_provenance(result.products[0])["engine"] == "upramp"


# ---- parameters

SKIPS = {f"{step}.skip": True for step in ("superbias", "refpix", "linearity", "dark_current")}

CASES = {
    "thresholds": Case(
        NIRISS,
        {
            "jump.rejection_threshold": 2.5,
            "jump.four_group_rejection_threshold": 3.0,
            "jump.three_group_rejection_threshold": 4.0,
            "jump.min_jump_to_flag_neighbors": 5.0,
            "jump.max_jump_to_flag_neighbors": 60.0,
        },
    ),
    "no neighbours": Case(
        AVERAGED, {"jump.flag_4_neighbors": False, "saturation.n_pix_grow_sat": 3}
    ),
    "one pass": Case(NIRISS, {"jump.min_diffs_single_pass": 4, "jump.rejection_threshold": 3.0}),
    "after jumps": Case(
        NIRISS,
        {
            "jump.after_jump_flag_dn1": 100,
            "jump.after_jump_flag_time1": 30,
            "jump.after_jump_flag_dn2": 1000,
            "jump.after_jump_flag_time2": 300,
        },
    ),
    "snowballs": Case(
        NIRISS,
        {
            "jump.expand_large_events": True,
            "jump.min_jump_area": 3,
            "jump.sat_required_snowball": False,
        },
    ),
    "showers": Case(BRIGHTSKY, {"jump.find_showers": True}),
    "sigma clipping": Case(SUB64, {"jump.minimum_sigclip_groups": 5}),
    "sigma clipping of all groups": Case(
        SERIES, {"jump.minimum_sigclip_groups": 10, "jump.only_use_ints": False}
    ),
    "likely": Case(NIRISS, {"ramp_fit.algorithm": "LIKELY"}),
    "likely of miri": Case(SUB64, {"ramp_fit.algorithm": "LIKELY"}),
    "likely with a zero frame": Case(
        AVERAGED, {"ramp_fit.algorithm": "LIKELY", "ramp_fit.suppress_one_group": False}
    ),
    "first and last group": Case(NIRISS, {"ramp_fit.firstgroup": 2, "ramp_fit.lastgroup": 8}),
    "first and last group of miri": Case(
        SUB64, {"ramp_fit.firstgroup": 3, "ramp_fit.lastgroup": 40}
    ),
    "charge migration": Case(
        NIRISS, {"charge_migration.skip": False, "charge_migration.signal_threshold": 2000}
    ),
    "reference pixels": Case(
        NIRSPEC, {"refpix.odd_even_columns": False, "refpix.use_side_ref_pixels": False}
    ),
    "reference pixels of miri": Case(MIRI_FULL, {"refpix.odd_even_rows": False}),
    "average dark": Case(NIRISS, {"dark_current.average_dark_current": 0.7}),
    "no search": Case(SERIES, {"jump.skip": True}),
    "no reading pattern": Case(
        AVERAGED, {"saturation.use_readpatt": False, "gain_scale.skip": True}, changes=False
    ),
    "steps left out": Case(NIRISS, {"dq_init.skip": True, **SKIPS}),
    "steps of miri left out": Case(
        SUB64,
        {f"{step}.skip": True for step in ("firstframe", "lastframe", "reset", "rscd")},
    ),
    "linearity and the fit alone": Case(
        NIRISS,
        {f"{step}.skip": True for step in ("dq_init", "saturation", "ipc", "jump")}
        | {**SKIPS, "linearity.skip": False},
    ),
    "no saturation": Case(SERIES, {"saturation.skip": True}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_parameters(archive, tmp_path, plain, case):
    file = uncal(archive, case.name)
    result = by_both(file, tmp_path, case.overrides)
    assert result.provenance["delegated"] == {}
    if case.changes:
        rate = tmp_path / "ours" / f"{case.name}_rate.fits"
        assert compare(plain(file), rate).exit_code == 1


@pytest.mark.parametrize(
    ("name", "others"),
    [
        (AVERAGED, {}),
        (NIRISS, {}),
        (NIRISS, {"jump.skip": True}),
        (NIRISS, {"gain_scale.skip": True}),
    ],
)
def test_without_a_fit_the_ramp_is_all(archive, tmp_path, name, others):
    overrides = {"ramp_fit.skip": True, **others}
    result = by_both(uncal(archive, name), tmp_path, overrides, save_ramp=False)
    assert list(result.models) == ["ramp"]


@pytest.mark.parametrize("threads", [1, 3])
def test_number_of_threads(archive, tmp_path, plain, threads):
    file = uncal(archive, SUB64)
    calibrate(file, output_dir=tmp_path, threads=threads)
    assert compare(plain(file), tmp_path / f"{SUB64}_rate.fits").exit_code == 0


def test_references_of_ones_own(archive, tmp_path, plain):
    file = uncal(archive, NIRISS)
    (gain,) = (archive / "crds" / "references").rglob("*niriss_gain*.fits")
    mine, flags = tmp_path / "mine.fits", tmp_path / "flags.fits"
    with fits.open(gain) as hdus:
        hdus["SCI"].data = hdus["SCI"].data * np.float32(1.3)
        hdus["SCI"].data[..., 100, 100] = -1
        hdus["SCI"].data[..., 101, 100] = np.nan
        hdus.writeto(mine)
    dq = np.zeros((256, 256), np.int32)
    dq[50:60, 70] = 1 << 10 | 1
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(dq, name="DQ")]).writeto(flags)
    overrides = {f"{s}.override_gain": str(mine) for s in ("jump", "ramp_fit", "gain_scale")}
    overrides["dq_init.user_supplied_dq"] = str(flags)
    overrides["superbias.override_superbias"] = "N/A"
    result = by_both(file, tmp_path, overrides)
    assert compare(plain(file), result.products[1]).exit_code == 1
    assert (result.rate.dq[50:60, 70] & 1 << 10).all()
    assert result.provenance["steps"]["superbias"] == "SKIPPED"


def gain_with(factor, archive, path):
    (gain,) = (archive / "crds" / "references").rglob("*niriss_gain*.fits")
    with fits.open(gain) as hdus:
        if factor is not None:
            hdus[0].header["GAINFACT"] = factor
        hdus.writeto(path)
    return str(path)


def test_a_factor_of_the_gain_scales_the_rates(archive, tmp_path, plain):
    gain = gain_with(2.5, archive, tmp_path / "gain.fits")
    overrides = {f"{s}.override_gain": gain for s in ("jump", "ramp_fit", "gain_scale")}
    result = by_both(uncal(archive, NIRISS), tmp_path, overrides)
    rate = fits.getdata(plain(uncal(archive, NIRISS)))
    np.testing.assert_allclose(result.rate.data, 2.5 * rate, rtol=1e-6)
    assert result.rate.meta.exposure.gain_factor == 2.5
    # The official step scales slopes alone, and fails on a ramp.
    ramp = calibrate(uncal(archive, NIRISS), overrides={**overrides, "ramp_fit.skip": True}).ramp
    np.testing.assert_array_equal(ramp.data, result.ramp.data)


@pytest.mark.parametrize("step", ["gain_scale", "ramp_fit"])
def test_a_factor_of_the_gain_of_one_step(archive, tmp_path, step):
    gains = {
        "gain_scale": gain_with(
            3.0 if step == "gain_scale" else None, archive, tmp_path / "a.fits"
        ),
        "ramp_fit": gain_with(2.0 if step == "ramp_fit" else None, archive, tmp_path / "b.fits"),
    }
    gains["jump"] = gains["ramp_fit"]
    overrides = {f"{name}.override_gain": gain for name, gain in gains.items()}
    result = by_both(uncal(archive, NIRISS), tmp_path, overrides)
    assert result.rate.meta.exposure.gain_factor == (3.0 if step == "gain_scale" else 2.0)


# ---- exposures that the archive does not have


def changed(archive, name, path, change, groups=None):
    """Write a copy of a practice exposure with other counts."""
    from stdatamodels.jwst import datamodels

    with datamodels.open(uncal(archive, name)) as model:
        counts = model.data.astype(np.float64)
        zero = model.zeroframe.astype(np.float64) if model.hasattr("zeroframe") else None
        counts = counts if groups is None else counts[:, :groups]
        model.data = np.clip(np.round(change(counts)), 0, 65535).astype(np.uint16)
        if zero is not None:
            model.zeroframe = np.clip(np.round(change(zero[:, None])[:, 0]), 0, 65535).astype("u2")
        model.meta.exposure.ngroups = model.data.shape[1]
        if model.hasattr("refout") and groups is not None:
            model.refout = model.refout[:, :groups]
        model.save(str(path))
    return path


def brighter(counts):
    """Add light so that ramps saturate in every group, or from the start, and back again."""
    ny, nx = counts.shape[-2:]
    y, x = np.mgrid[:ny, :nx]
    slope = 30000 * (0.5 + 0.5 * np.sin(x / 7.0)) * (0.5 + 0.5 * np.cos(y / 11.0)) ** 2
    return counts + slope * np.arange(1, counts.shape[1] + 1)[None, :, None, None]


@pytest.mark.parametrize("name", [NIRISS, SUB64, AVERAGED])
@pytest.mark.parametrize("suppress", [True, False])
def test_many_saturated_pixels(archive, tmp_path, name, suppress):
    file = changed(archive, name, tmp_path / f"{name}_uncal.fits", brighter)
    result = by_both(file, tmp_path, {"ramp_fit.suppress_one_group": suppress})
    saturated = (result.rate.dq & 2) != 0
    assert 0.3 < saturated.mean() < 1
    lost = np.isnan(result.rate.data).mean()
    assert (0.01 if suppress else 0) < lost < 0.9


def test_many_saturated_pixels_and_likely(archive, tmp_path):
    file = changed(archive, NIRISS, tmp_path / "bright_nis_uncal.fits", brighter)
    by_both(file, tmp_path, {"ramp_fit.algorithm": "LIKELY", "jump.expand_large_events": True})


def test_all_saturated_is_no_product_of_either(archive, tmp_path):
    file = changed(archive, SUB64, tmp_path / "full_mirimage_uncal.fits", lambda c: c * 0 + 65535)
    for engine in ("stsci", "upramp"):
        with pytest.raises(CalibrationError, match="every pixel is saturated"):
            calibrate(file, engine=engine, output_dir=tmp_path / engine)


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("name", [NIRISS, SUB64])
def test_few_groups(archive, tmp_path, name, groups):
    file = changed(archive, name, tmp_path / f"few_{name}_uncal.fits", lambda c: c, groups)
    # Else nothing is left of a few groups of MIRI.
    skips = {f"{step}.skip": True for step in ("firstframe", "lastframe", "rscd")}
    result = by_both(file, tmp_path, skips if name == SUB64 else {})
    assert result.provenance["steps"]["jump"] == ("COMPLETE" if groups > 2 else "SKIPPED")
    assert np.isfinite(result.rate.data).mean() > 0.5


def test_a_step_that_stands_aside_names_the_reference_that_it_looked_at(archive, tmp_path):
    file = changed(archive, SUB64, tmp_path / "two_mirimage_uncal.fits", lambda c: c, 2)
    skips = {f"{step}.skip": True for step in ("firstframe", "lastframe")}
    result = by_both(file, tmp_path, skips)
    assert result.provenance["steps"]["rscd"] == "SKIPPED"
    assert "rscd" in str(result.rate.meta.ref_file.rscd.name)


def test_every_step_switched_off_but_the_fit(archive, tmp_path):
    steps = ("group_scale", "dq_init", "saturation", "firstframe", "lastframe", "reset", "refpix")
    more = ("linearity", "rscd", "dark_current", "jump", "gain_scale", "emicorr", "ipc")
    skips = {f"{step}.skip": True for step in (*steps, *more)}
    by_both(uncal(archive, SUB64), tmp_path, skips)


def test_sirs_names_its_kernel_even_if_there_is_none(archive, tmp_path):
    file = changed(archive, NIRSPEC, tmp_path / "two_nrs1_uncal.fits", lambda c: c, 2)
    result = by_both(file, tmp_path, {"refpix.refpix_algorithm": "sirs"}, save_ramp=False)
    assert result.rate.meta.ref_file.sirskernel.name == "N/A"


def test_a_corrected_ramp_is_taken_up_again(archive, tmp_path):
    first = calibrate(uncal(archive, NIRISS), output_dir=tmp_path, save_ramp=True)
    ramp = first.products[0]
    assert ramp.name.endswith("_ramp.fits")
    steps = ("group_scale", "dq_init", "saturation", "superbias", "refpix", "linearity")
    skips = {f"{step}.skip": True for step in (*steps, "dark_current", "gain_scale")}
    result = by_both(ramp, tmp_path, {**skips, "jump.rejection_threshold": 3.0}, save_ramp=False)
    assert result.rate is not None


def test_a_real_ramp_from_the_ground(archive, tmp_path):
    file = REAL / "miri_ground" / "MIRI_5582_89_S_20180308-010230_SCE1_pipe.fits"
    if not file.exists():
        pytest.skip(f"the real exposure {file.name} is not here")
    result = by_both(file, tmp_path)
    assert result.rateints.data.shape == (5, 64, 72)
    assert np.isfinite(result.rate.data).mean() > 0.8
    assert result.provenance["delegated"] == {}
