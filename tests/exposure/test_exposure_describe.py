"""What a file is, on one screen and as JSON."""

from __future__ import annotations

import json
import tracemalloc
import warnings

import numpy as np
import pytest
from astropy.io import fits
from exposure_files import level1b_hdus, write_level1b

from upramp.dq import PIXEL
from upramp.exposure import describe, open_exposure


def screen(described):
    text = described.to_text()
    lines = text.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    assert text.isprintable() or set(text) - {"\n", "…"} <= set(map(chr, range(32, 127)))
    json.dumps(described.to_json(), allow_nan=False)
    return text


def test_a_level_1b_file_says_what_it_is(raw):
    described = describe(open_exposure(raw))
    text = screen(described)
    for part in (
        "a level-1b exposure: raw ramps",
        "NIRCAM NRCALONG NRC_IMAGE LONG F356W CLEAR SHALLOW4",
        "subarray SUB64P 8 x 6 from (3, 5)",
        "SCI 2 x 3 x 6 x 8 uint16",
        "start 2023-01-02T03:04:05.678 UTC",
        "group 53.6838 s",
        "4 averaged and 1 dropped",
        "Stage 1     ready",
    ):
        assert part in " ".join(text.split()) or part in text
    assert described.to_json()["timing"]["nframes"] == 4


def test_what_stands_in_the_way_of_calibration_is_said(raw):
    write_level1b(raw, TGROUP=None)
    described = describe(open_exposure(raw))
    assert described.readiness.problem.startswith("it lacks the keyword TGROUP")
    assert "not ready: it lacks the keyword TGROUP" in screen(described)


@pytest.mark.parametrize(("name", "dtype"), [("DQ", np.uint32), ("GROUPDQ", np.uint8)])
def test_data_quality_is_counted_by_bit(tmp_path, name, dtype):
    rng = np.random.default_rng(8)
    dq = rng.choice(np.array([0, 1, 2, 5, 128, 255], dtype), (700, 600))
    if dtype is np.uint32:
        dq[::50] |= np.uint32(PIXEL["REFERENCE_PIXEL"])
    path = tmp_path / "x_rate.fits"
    level1b_hdus(
        np.zeros((7, 6), np.float32), DATAMODL="ImageModel", extra=[fits.ImageHDU(dq, name=name)]
    ).writeto(path)
    exposure = open_exposure(path)
    tracemalloc.start()
    described = describe(exposure)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    (summary,) = described.dq
    expected = {bit: int(np.count_nonzero(dq & dtype(PIXEL[bit]))) for bit in PIXEL
                if PIXEL[bit] <= np.iinfo(dtype).max}  # fmt: skip
    assert summary.bits == {bit: count for bit, count in expected.items() if count}
    assert summary.clean == np.count_nonzero(dq == 0)
    assert summary.size == dq.size
    assert summary.percentage("DO_NOT_USE") == pytest.approx(100 * (dq & dtype(1)).mean())
    assert peak < 8e6
    assert f"{name}: clean" in screen(described)


def test_a_region_keyword_comes_first(raw):
    write_level1b(raw, S_REGION="POLYGON ICRS 10.0 -5.0 10.1 -5.0 10.1 -4.9 370.0 -4.9")
    found = describe(open_exposure(raw)).footprint
    assert found.source == "S_REGION keyword"
    assert found.corners == ((10.0, -5.0), (10.1, -5.0), (10.1, -4.9), (10.0, -4.9))


@pytest.mark.parametrize("region", ["CIRCLE 1 2 3", "POLYGON", "POLYGON 1 2 3 4 5 99"])
def test_a_senseless_region_is_passed_over(raw, region):
    write_level1b(raw, S_REGION=region)
    assert describe(open_exposure(raw)).footprint.corners == ()


def separation(first, second):
    (ra, dec), (ra2, dec2) = np.radians(first), np.radians(second)
    cosine = np.sin(dec) * np.sin(dec2) + np.cos(dec) * np.cos(dec2) * np.cos(ra - ra2)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1))) * 3600


POINTING = {"RA_REF": 80.5, "DEC_REF": -69.5, "ROLL_REF": 20.0}


@pytest.mark.peer
def test_level_1b_looks_where_the_aperture_file_says(raw):
    pysiaf = pytest.importorskip("pysiaf")
    aperture = pysiaf.Siaf("NIRCam")["NRCA5_FULL"]
    pointing = {**POINTING, "V2_REF": aperture.V2Ref, "V3_REF": aperture.V3Ref}
    whole = np.zeros((1, 1, 2048, 2048), np.uint16)
    write_level1b(raw, whole, SUBSTRT1=1, SUBSTRT2=1, **pointing)
    found = describe(open_exposure(raw)).footprint
    assert "NRCA5_FULL of the aperture file" in found.source
    matrix = pysiaf.utils.rotations.attitude_matrix(
        aperture.V2Ref, aperture.V3Ref, 80.5, -69.5, 20.0
    )
    aperture.set_attitude_matrix(matrix)
    expected = np.transpose(aperture.corners("sky"))
    # The aperture file numbers the corners as seen from the detector.
    for corner in found.corners:
        assert min(separation(corner, other) for other in expected) < 0.01
    # And a window of it lies where its pixels do.
    write_level1b(raw, np.zeros((1, 1, 64, 32), np.uint16), SUBSTRT1=101, SUBSTRT2=201, **pointing)
    window = describe(open_exposure(raw)).footprint
    for corner, pixel in zip(
        window.corners, [(100.5, 200.5), (132.5, 200.5), (132.5, 264.5), (100.5, 264.5)],
        strict=True,
    ):  # fmt: skip
        assert separation(corner, aperture.sci_to_sky(*pixel)) < 1e-3


@pytest.mark.peer
def test_a_slit_looks_where_its_aperture_says(raw):
    pysiaf = pytest.importorskip("pysiaf")
    slit = pysiaf.Siaf("NIRSpec")["NRS_S1600A1_SLIT"]
    write_level1b(
        raw, INSTRUME="NIRSPEC", DETECTOR="NRS1", EXP_TYPE="NRS_BRIGHTOBJ",
        PPS_APER="NRS_S1600A1_SLIT", V2_REF=slit.V2Ref, V3_REF=slit.V3Ref, **POINTING,
    )  # fmt: skip
    found = describe(open_exposure(raw)).footprint
    assert "NRS_S1600A1_SLIT" in found.source
    assert max(separation(corner, (80.5, -69.5)) for corner in found.corners) < 2


def test_without_any_pointing_the_reasons_are_told(raw):
    found = describe(open_exposure(raw)).footprint
    assert found.corners == ()
    assert "no S_REGION" in found.source
    assert "RA_REF" in found.source


def test_fits_wcs_keywords_come_last(tmp_path):
    hdus = level1b_hdus(np.zeros((10, 20), np.float32), DATAMODL="ImageModel", S_PHOTOM="COMPLETE")
    cards = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 30.0, "CRVAL2": 0.0,
        "CRPIX1": 10.5, "CRPIX2": 5.5, "CDELT1": -1e-3, "CDELT2": 1e-3,
    }  # fmt: skip
    hdus["SCI"].header.update(cards)
    path = tmp_path / "x_cal.fits"
    hdus.writeto(path)
    found = describe(open_exposure(path)).footprint
    assert found.source == "FITS WCS keywords"
    assert found.corners[0] == pytest.approx((30.01, -0.005), abs=1e-5)


@pytest.mark.parametrize("scales", [{}, {"CDELT1": -1e-2, "CDELT2": 1e-2}])
def test_an_absurd_scale_makes_no_footprint(tmp_path, scales):
    cards = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 30.0, "CRVAL2": 0.0,
        "CRPIX1": 10.5, "CRPIX2": 5.5, "PC1_1": -0.8, "PC1_2": 0.6, "PC2_1": 0.6, "PC2_2": 0.8,
    }  # fmt: skip
    hdus = level1b_hdus(np.zeros((10, 20), np.float32), DATAMODL="ImageModel", S_PHOTOM="COMPLETE")
    hdus["SCI"].header.update({**cards, **scales})
    path = tmp_path / "x_cal.fits"
    hdus.writeto(path)
    found = describe(open_exposure(path)).footprint
    assert found.corners == ()
    size = "36" if scales else "3.6e+03"
    assert f"the FITS WCS has pixels of {size} arcsec, which no instrument has" in found.source


def test_a_name_does_not_steer_the_terminal(raw):
    path = raw.rename(raw.with_name("a\nb\x1b[31m_uncal.fits"))
    text = describe(open_exposure(path)).to_text()
    assert r"a\nb\x1b[31m_uncal.fits" in text
    assert all(line.isprintable() for line in text.splitlines())


def test_steps_references_and_context(tmp_path):
    path = tmp_path / "x_rate.fits"
    level1b_hdus(
        np.zeros((4, 4), np.float32), DATAMODL="ImageModel", CAL_VER="3.0.0",
        CRDS_CTX="jwst_1234.pmap", S_JUMP="COMPLETE", S_IPC="SKIPPED",
        R_DARK="crds://jwst_nircam_dark_0001.fits", R_IPC="N/A",
    ).writeto(path)  # fmt: skip
    described = describe(open_exposure(path))
    assert described.steps == {"JUMP": "COMPLETE", "IPC": "SKIPPED"}
    assert described.references == {"DARK": "jwst_nircam_dark_0001.fits"}
    text = screen(described)
    assert "CRDS context jwst_1234.pmap" in text
    assert "complete: JUMP; skipped: IPC" in text


def test_a_crowded_product_still_fits_a_screen(tmp_path):
    extra = [fits.ImageHDU(np.ones((2, 2), np.uint32), name="DQ", ver=n) for n in range(1, 80)]
    extra += [fits.BinTableHDU(np.zeros(2, [("a", "f4")]), name=f"T{n}") for n in range(60)]
    steps = {f"S_{n:05d}": "COMPLETE" for n in range(90)}
    references = {f"R_{n:05d}": f"crds://jwst_reference_{n}.fits" for n in range(90)}
    path = tmp_path / "x_rate.fits"
    level1b_hdus(
        np.zeros((4, 4), np.float32), extra=extra, DATAMODL="ImageModel",
        TARGPROP="T" * 60, FILTER="F" * 60, **steps, **references,
    ).writeto(path)  # fmt: skip
    described = describe(open_exposure(path))
    assert len(described.dq) == 79
    screen(described)


def test_fits_that_is_no_product(tmp_path):
    path = tmp_path / "stars.fits"
    rows = np.zeros(5, [("ra", "f8"), ("mag", "f4")])
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(rows)]).writeto(path)
    text = screen(describe(open_exposure(path)))
    assert "a FITS table, no JWST product" in text
    assert "5 rows of 2 columns (ra, mag)" in text
    empty = tmp_path / "empty.fits"
    fits.PrimaryHDU().writeto(empty)
    assert "without data" in screen(describe(open_exposure(empty)))


class TestRealFiles:
    """Every real file in the folder is described, whatever it is."""

    def test_all(self, real):
        files = sorted(real.rglob("*.fits"))
        assert files
        for file in files:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                text = screen(describe(open_exposure(file)))
            assert file.name in text

    def test_catalogue(self, real):
        text = screen(describe(open_exposure(real / "catalog" / "cat-97599.fits")))
        assert "a FITS table, no JWST product" in text
        assert "1707 rows of 15 columns" in text
        assert "phot_rp_mean_mag [mag]" in text

    def test_guide_star(self, real):
        exposure = open_exposure(real / "fgs" / "add_wcs_default_acq1.fits")
        exposure.require_calibratable()
        assert (exposure.kind, exposure.shape) == ("guider-uncal", (6, 2, 128, 128))
        difference = exposure.data[:, 1].astype(int) - exposure.data[:, 0]
        assert (difference[:, 90:104, 58:72].max(axis=(1, 2)) > 2e4).all()

    def test_ground_ramp(self, real):
        path = next((real / "miri_ground").glob("*.fits"))
        exposure = open_exposure(path)
        exposure.require_calibratable()
        assert exposure.shape == (5, 50, 64, 72)
        assert exposure.refout.shape == (5, 50, 64, 18)
        assert exposure.inferred["EXP_TYPE"].value == "MIR_IMAGE"

    @pytest.mark.peer
    def test_gwcs_agrees_with_the_region_keyword(self, real):
        from upramp.exposure import footprint

        for path in sorted((real / "miri_i2d").glob("*.fits")):
            exposure = open_exposure(path)
            assert exposure.source.compressed
            region = footprint.find_footprint(exposure)
            wcs = footprint._from_gwcs(exposure)
            keywords = footprint._from_keywords(exposure)
            assert (region.source, wcs.source) == ("S_REGION keyword", "gwcs")
            for corner in region.corners:
                assert min(separation(corner, other) for other in wcs.corners) < 0.12
                assert min(separation(corner, other) for other in keywords.corners) < 0.12

    @pytest.mark.peer
    def test_gwcs_of_a_slit_lies_around_its_region(self, real):
        from upramp.exposure import footprint

        exposure = open_exposure(next((real / "nirspec_msa").glob("*.fits")))
        region, wcs = footprint.find_footprint(exposure), footprint._from_gwcs(exposure)
        for corner in region.corners:
            assert min(separation(corner, other) for other in wcs.corners) < 1
