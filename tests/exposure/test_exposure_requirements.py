"""What stage 1 would choke on, or calibrate wrongly without a word, is refused first."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from exposure_files import counts, edited, level1b_hdus, write_level1b

from upramp.errors import InputError, UsageError
from upramp.exposure import describe, open_exposure


def problem(path, stage=1):
    exposure = open_exposure(path)
    with pytest.raises(InputError) as caught:
        exposure.require_calibratable(stage)
    assert str(caught.value).startswith(str(path))
    return caught.value.problem


def test_a_sound_exposure_is_taken(raw):
    open_exposure(raw).require_calibratable()


@pytest.mark.parametrize(
    "name",
    [
        *("DETECTOR", "EXP_TYPE", "DATE-OBS", "TIME-OBS", "SUBARRAY"),
        *("SUBSTRT1", "SUBSTRT2", "SUBSIZE1", "SUBSIZE2"),
        *("READPATT", "NINTS", "NGROUPS", "NFRAMES", "GROUPGAP", "TFRAME", "TGROUP"),
    ],
)
def test_a_missing_keyword_is_named(raw, name):
    write_level1b(raw, **{name: None})
    assert problem(raw) == f"it lacks the keyword {name}"


def test_several_missing_keywords_are_named_together(raw):
    write_level1b(raw, TGROUP=None, NFRAMES=None, TFRAME=None)
    assert problem(raw) == "it lacks the keyword NFRAMES, TFRAME, TGROUP"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"NGROUPS": 12}, "NGROUPS is 12 but its data have 3 groups"),
        ({"NINTS": 3}, "NINTS is 3 integrations but its data have 2"),
        ({"DETECTOR": "NRS1"}, "detector NRS1 does not belong to NIRCAM"),
        ({"DETECTOR": "UNDEFINED"}, "DETECTOR is UNDEFINED"),
        ({"INSTRUME": "WFC3"}, "instrument WFC3 is unknown"),
        ({"EXP_TYPE": "MIR_IMAGE"}, "EXP_TYPE MIR_IMAGE does not belong to NIRCAM"),
        ({"TGROUP": 0.0}, "TGROUP is 0, not above 0"),
        ({"TFRAME": -1.5}, "TFRAME is -1.5"),
        ({"NFRAMES": 0}, "NFRAMES is 0"),
        ({"NFRAMES": 1.5}, ""),
        ({"GROUPGAP": -1}, "GROUPGAP is -1"),
        ({"FASTAXIS": 3}, "FASTAXIS and SLOWAXIS are impossible"),
        ({"FASTAXIS": 2}, "FASTAXIS and SLOWAXIS are impossible"),
        ({"SUBSIZE1": 2048}, "SUBSIZE1 and SUBSIZE2 are 2048 and 6 but its data"),
        ({"DATE-OBS": "yyyy-mm-dd"}, "DATE-OBS is yyyy-mm-dd, which is no date"),
        ({"DATE-OBS": "2022-13-45"}, "DATE-OBS is 2022-13-45, which is no date"),
        ({"TIME-OBS": "noon"}, "TIME-OBS is noon, which is no time"),
        ({"TIME-OBS": "25:00:00.0"}, "TIME-OBS is 25:00:00.0, which is no time"),
        (
            {"SUBSTRT1": 2042},
            "SUBSTRT1 is 2042, from where 8 pixels reach beyond the 2048 of the detector",
        ),
        ({"SUBSTRT2": 2044}, "SUBSTRT2 is 2044, from where 6 pixels reach beyond the 2048"),
        ({"ZEROFRAM": True}, "ZEROFRAME array, which is missing"),
        ({"READPATT": "NRSIRS2"}, "lacks the keyword NRS_NORM, NRS_REF"),
    ],
)
def test_contradictions_are_told(raw, changes, text):
    write_level1b(raw, **changes)
    if "NFRAMES" in changes and changes["NFRAMES"] == 1.5:
        with pytest.raises(InputError, match=r"NFRAMES is '1\.5', which is not a whole number"):
            open_exposure(raw).require_calibratable()
    else:
        assert text in problem(raw)


def test_a_segment_of_a_long_exposure_counts_its_own_integrations(raw):
    write_level1b(raw, NINTS=100, INTSTART=41, INTEND=42)
    open_exposure(raw).require_calibratable()
    write_level1b(raw, NINTS=100, INTSTART=41, INTEND=43)
    assert "INTSTART to INTEND is 3 integrations but its data have 2" in problem(raw)
    write_level1b(raw, NINTS=100, INTSTART=100, INTEND=101)
    assert "integrations 100 to 101 are not among the 100" in problem(raw)


def test_interleaved_reference_samples_make_the_data_larger(raw):
    changes = {"INSTRUME": "NIRSPEC", "DETECTOR": "NRS1", "EXP_TYPE": "NRS_FIXEDSLIT"}
    write_level1b(raw, READPATT="NRSIRS2", SUBSIZE2=2, NRS_NORM=16, NRS_REF=4, **changes)
    open_exposure(raw).require_calibratable()


def test_a_ramp_without_its_offset_is_not_taken_for_counts(tmp_path):
    path = tmp_path / "x_uncal.fits"
    level1b_hdus(np.zeros((2, 3, 6, 8), np.int16)).writeto(path)
    assert "16-bit numbers with BZERO 0" in problem(path)


def test_companions_must_fit(raw):
    extra = [fits.ImageHDU(counts((1, 6, 8)), name="ZEROFRAME")]
    write_level1b(raw, extra=extra)
    assert "ZEROFRAME is (1, 6, 8) where SCI calls for (2, 6, 8)" in problem(raw)


def test_each_stage_takes_its_own(raw, tmp_path):
    assert problem(raw, 2) == "it is an uncal product, which stage 2 does not take"
    assert "stage 3 does not take" in problem(raw, 3)
    with pytest.raises(UsageError, match="no such stage"):
        open_exposure(raw).require_calibratable(4)
    rate = tmp_path / "x_rate.fits"
    level1b_hdus(np.zeros((6, 8), np.float32), SUBSIZE1=8, SUBSIZE2=6).writeto(rate)
    assert "lacks the keyword RA_REF, DEC_REF" in problem(rate, 2)


@pytest.mark.parametrize("model", ["Level1bModel"])
def test_a_model_without_its_asdf_extension_was_cut_short(raw, model):
    write_level1b(raw, DATAMODL=model)
    assert "ASDF extension, the last one, is missing" in problem(raw)


POINTING = ("RA_REF", "DEC_REF", "ROLL_REF", "V2_REF", "V3_REF", "V3I_YANG", "VPARITY")


@pytest.mark.parametrize("name", POINTING)
def test_the_missions_exposures_of_the_sky_have_a_pointing(flight_like, tmp_path, name):
    path = edited(flight_like, tmp_path, **{name: None})
    assert problem(path) == f"it lacks the keyword {name}"
    assert describe(open_exposure(path)).readiness.problem.startswith("it lacks the keyword")
    open_exposure(
        edited(flight_like, tmp_path, EXP_TYPE="NRC_DARK", **{name: None})
    ).require_calibratable()


def test_a_pointing_is_made_of_numbers(flight_like, tmp_path):
    assert "V2_REF is 'abc'" in problem(edited(flight_like, tmp_path, V2_REF="abc"))


def test_the_window_may_reach_the_edge_of_the_detector(raw):
    write_level1b(raw, SUBSTRT1=2041, SUBSTRT2=2043)
    open_exposure(raw).require_calibratable()


GROUND = {
    "INSTRUME": "MIRI", "DETECTOR": "MIRIMAGE", "READPATT": "FAST", "NFRAMES": 1, "GROUPGAP": 0,
    "TFRAME": 0.085, "TGROUP": 0.085, "SUBARRAY": "SUB64", "FILETYPE": "raw",
    "EXP_TYPE": None, "FASTAXIS": None, "SLOWAXIS": None, "FRMDIVSR": None, "TELESCOP": None,
    "CHANNEL": None, "MODULE": None, "FILTER": None, "PUPIL": None,
}  # fmt: skip


def test_ground_data_are_completed_and_it_is_said(tmp_path):
    path = write_level1b(tmp_path / "MIRI_1_pipe.fits", COMPRESS=0, **GROUND)
    exposure = open_exposure(path)
    exposure.require_calibratable()
    values = {name: found.value for name, found in exposure.inferred.items()}
    assert values == {
        "TELESCOP": "JWST",
        "EXP_TYPE": "MIR_IMAGE",
        "FASTAXIS": 1,
        "SLOWAXIS": 2,
        "FRMDIVSR": 1,
        "ZEROFRAM": False,
        "COMPRESS": False,
    }
    assert exposure.exp_type == "MIR_IMAGE"
    assert all(found.reason for found in exposure.inferred.values())


@pytest.mark.parametrize(
    "changes", [{"FILTER": "P750L"}, {"SUBARRAY": "MASK1550"}, {"SUBARRAY": "SLITLESSPRISM"}]
)
def test_what_could_be_otherwise_is_not_inferred(tmp_path, changes):
    path = write_level1b(tmp_path / "MIRI_1_pipe.fits", **{**GROUND, **changes})
    assert "EXP_TYPE" not in open_exposure(path).inferred
    assert problem(path) == "it lacks the keyword EXP_TYPE"


def test_averaged_frames_are_not_guessed(raw):
    write_level1b(raw, FRMDIVSR=None)
    assert "FRMDIVSR" not in open_exposure(raw).inferred


def test_nothing_is_inferred_for_the_missions_own_products(flight_like):
    assert not open_exposure(flight_like).inferred
