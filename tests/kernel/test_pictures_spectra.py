"""Pictures of spectra: what they tell of small known ones, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from spectral_products import FIRST, STEP, field, image, spectrum, truth

from upramp.errors import InputError, UsageError
from upramp.kernel.pictures import slitless, spectra
from upramp.kernel.pictures.dispersed_images import read_cutouts, read_dispersed
from upramp.kernel.pictures.spectral_files import exposure_root, read_spectra

ROOT = "jw99111001001_02101_00001_mirimage"
OTHER = "jw99111001001_02101_00002_mirimage"
WHOLE = "jw99111-o001_practice-nebula_miri_p750l"


@pytest.mark.parametrize("turned", [False, True])
def test_a_spectrum_lies_with_its_wavelengths_to_the_right(tmp_path, turned):
    shape = (40, 9) if turned else (9, 40)
    found = read_dispersed(image(tmp_path, f"{ROOT}_cal.fits", shape, turned=turned))
    assert found.data.shape == (9, 40)
    np.testing.assert_allclose(found.middle, FIRST + STEP * np.arange(40))
    np.testing.assert_array_equal(found.data[4], 100)
    # What is flagged as unusable has no value.
    assert np.argwhere(np.isnan(found.data)).tolist() == [[0, 0]]
    assert found.names == (("row", "column") if turned else ("column", "row"))
    assert found.region == (slice(0, shape[0]), slice(0, shape[1]))


def test_of_integrations_the_median_is_drawn_with_its_own_error(tmp_path):
    from stdatamodels.jwst import datamodels

    path = image(tmp_path, f"{ROOT}_calints.fits", (16, 9, 40), kind=datamodels.SlitModel)
    found = read_dispersed(path)
    assert found.data.shape == (9, 40)
    np.testing.assert_allclose(found.error, 0.5 / 4)


def test_the_dispersed_picture_tells_wavelengths_and_bad_pixels(tmp_path):
    picture = spectra.dispersed([image(tmp_path, f"{ROOT}_cal.fits")])
    assert picture.data == {
        "low": pytest.approx(5.0),
        "high": pytest.approx(6.95),
        "bad": 1,
    }
    assert picture.png.startswith(b"\x89PNG")


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (5, 2)])
def test_an_image_of_hardly_any_pixels_is_drawn(tmp_path, shape):
    path = image(tmp_path, f"{ROOT}_s2d.fits", shape)
    table = spectrum(tmp_path, f"{ROOT}_x1d.fits", np.ones(shape[1]))
    assert spectra.dispersed([path]).png
    assert spectra.extraction([path], [table]).png


def test_without_wavelengths_there_is_no_picture(tmp_path):
    from astropy.io import fits

    path = tmp_path / f"{ROOT}_cal.fits"
    header = fits.Header({"TELESCOP": "JWST", "DATAMODL": "ImageModel"})
    hdus = [fits.PrimaryHDU(header=header), fits.ImageHDU(np.ones((4, 4), "f4"), name="SCI")]
    fits.HDUList(hdus).writeto(path)
    with pytest.raises(UsageError, match="no image with wavelengths"):
        spectra.dispersed([path])


def test_nods_are_told_with_their_sky_before_and_after(tmp_path):
    roots, rates, cals = (ROOT, OTHER), [], []
    for root, done in zip(roots, ("YES", "NO"), strict=True):
        rates.append(image(tmp_path, f"{root}_rate.fits", (9, 40)))
        cals.append(image(tmp_path, f"{root}_cal.fits", (9, 40), done=done))
    found = spectra.nods(rates, cals).data
    assert found[f"{ROOT}_cal.fits"] == {
        "before": 1.0,
        "after": 1.0,
        "subtracted": "background subtracted",
    }
    assert found[f"{OTHER}_cal.fits"]["subtracted"] == "no background subtracted"
    with pytest.raises(UsageError, match="there are no slopes of it"):
        spectra.nods(rates[:1], cals[1:])


def test_the_aperture_is_drawn_where_the_product_says(tmp_path):
    path = image(tmp_path, f"{ROOT}_s2d.fits")
    table = spectrum(tmp_path, f"{ROOT}_x1d.fits", np.ones(40), aperture=(3, 8))
    picture = spectra.extraction([path], [table])
    # The product counts from 1.
    assert picture.data == {"aperture": (2.0, 7.0), "peak": 4}
    with pytest.raises(UsageError, match="no spectrum was extracted from it"):
        spectra.extraction([path], [table.rename(tmp_path / f"{OTHER}_x1d.fits")])


def test_a_spectrum_is_drawn_with_its_lines(tmp_path, monkeypatch):
    path = spectrum(tmp_path, f"{ROOT}_x1d.fits", np.full(40, 2.0), error=0.1)
    truth(tmp_path, ROOT, [(5.5,), (6.25,)])
    monkeypatch.delenv("CRDS_PATH", raising=False)
    monkeypatch.delenv("UPRAMP_ARCHIVE", raising=False)
    assert spectra.spectrum([path], truth=True).data["lines"] == []
    monkeypatch.setenv("UPRAMP_ARCHIVE", str(tmp_path))
    picture = spectra.spectrum([path], lines=[6.0], truth=True)
    assert picture.data == {"lines": [5.5, 6.0, 6.25], "signal_to_noise": pytest.approx(20)}
    assert spectra.spectrum([path]).data["lines"] == []


def test_what_is_no_number_is_left_out(tmp_path):
    flux = np.full(40, np.nan)
    path = spectrum(tmp_path, f"{ROOT}_x1d.fits", flux)
    assert np.isnan(spectra.spectrum([path]).data["signal_to_noise"])
    waves = FIRST + STEP * np.arange(40)[::-1]
    waves[:4] = np.nan
    (one,) = read_spectra(
        spectrum(tmp_path, f"{OTHER}_x1d.fits", np.arange(40.0), wavelength=waves)
    )
    assert (np.diff(one.wavelength) > 0).all()
    assert one.flux.tolist() == list(range(39, 3, -1))


def test_a_combined_spectrum_is_beside_its_parts(tmp_path):
    rng = np.random.default_rng(4)
    noise = 0.02 * rng.standard_normal((2, 200))
    parts = [
        spectrum(tmp_path, f"{root}_x1d.fits", level + noise[number])
        for number, (root, level) in enumerate(((ROOT, 2.0), (OTHER, 2.2)))
    ]
    whole = spectrum(tmp_path, f"{WHOLE}_x1d.fits", np.full(200, 2.0))
    data = spectra.beside_parts([whole, *parts]).data
    assert list(data["ratios"].values()) == pytest.approx([1.0, 1.1], abs=0.005)
    assert list(data["scatter"].values()) == pytest.approx([0.01, 0.01], rel=0.3)
    assert spectra.beside_parts([whole]).data["ratios"] == {}
    with pytest.raises(UsageError, match="none is of all exposures"):
        spectra.beside_parts(parts)


def test_names_of_exposures_and_of_what_is_made_of_several():
    from pathlib import Path

    assert exposure_root(Path(f"{ROOT}_x1d.fits")) == ROOT
    assert exposure_root(Path(f"{ROOT}_o001_crf.fits")) == ROOT
    assert exposure_root(Path(f"{WHOLE}_x1d.fits")) is None


@pytest.mark.parametrize(
    "draw",
    [
        lambda: spectra.dispersed([]),
        lambda: spectra.nods([], []),
        lambda: spectra.extraction([], []),
        lambda: spectra.spectrum([]),
        lambda: spectra.beside_parts([]),
        lambda: slitless.field([], []),
        lambda: slitless.boxes([], []),
        lambda: slitless.sources([], []),
    ],
)
def test_without_a_file_there_is_no_picture(draw):
    with pytest.raises(UsageError, match="there is none to draw"):
        draw()


def test_a_file_without_a_spectrum_is_one_sentence(tmp_path):
    from astropy.io import fits

    path = tmp_path / f"{ROOT}_x1d.fits"
    fits.HDUList([fits.PrimaryHDU()]).writeto(path)
    with pytest.raises(InputError, match="it holds no spectrum"):
        spectra.spectrum([path])


# ---- whole fields

BOXES = {3: (4, 6), 8: (10, 20)}
SKY = ((3, 80.0, -69.0), (8, 80.01, -69.01))


@pytest.fixture
def products(tmp_path):
    """Slopes, what was cut out of them, and spectra of two sources."""
    rate = image(tmp_path, f"{ROOT}_rate.fits", (32, 48))
    cal = field(tmp_path, f"{ROOT}_cal.fits", BOXES)
    flux = np.stack([np.full(30, 1e-4), np.full(30, 3e-4)])
    x1d = spectrum(tmp_path, f"{WHOLE}_x1d.fits", flux, error=1e-5, sources=SKY)
    return rate, cal, x1d


def test_cutouts_have_their_boxes_and_wavelengths(products):
    first, second = read_cutouts(products[1])
    assert (first.source, first.order, first.box) == (3, 1, (4, 6, 30, 5))
    assert second.box == (10, 20, 30, 5)
    np.testing.assert_allclose(second.image.middle, FIRST + STEP * np.arange(30))
    # Of the exposure's image, not of the cutout.
    assert second.image.region == (slice(20, 25), slice(10, 40))


def test_boxes_are_drawn_on_the_slopes_of_the_same_exposure(products, tmp_path):
    rate, cal, _ = products
    direct = image(tmp_path, f"{OTHER}_cal.fits", (8, 8))
    picture = slitless.boxes([rate], [direct, cal])
    assert picture.data == {"3": [[4, 6, 30, 5]], "8": [[10, 20, 30, 5]]}
    with pytest.raises(UsageError, match="no sources cut out"):
        slitless.boxes([rate], [direct])


def test_the_most_significant_sources_come_first_with_their_own_lines(
    products, tmp_path, monkeypatch
):
    _, cal, x1d = products
    truth(tmp_path, ROOT, [(0, 5.5), (1, 6.0)], [(0, 80.0, -69.0), (1, 80.01, -69.01)])
    monkeypatch.setenv("UPRAMP_ARCHIVE", str(tmp_path))
    data = slitless.sources([cal], [x1d], truth=True).data
    assert list(data) == ["8", "3"]
    assert data["8"] == {"flux": pytest.approx(3e-4), "signal_to_noise": pytest.approx(30)}
    assert list(slitless.sources([cal], [x1d], count=1).data) == ["8"]
    from upramp.kernel.pictures.spectral_files import practice_lines

    assert [practice_lines(one) for one in read_spectra(x1d)] == [[5.5], [6.0]]


def test_the_direct_image_is_drawn_with_its_catalogue(tmp_path):
    from astropy.table import QTable

    i2d = image(tmp_path, f"{WHOLE}_i2d.fits", (20, 20))
    cat = tmp_path / f"{WHOLE}_cat.ecsv"
    table = QTable({"label": [1, 2], "xcentroid": [3.0, 9.0], "ycentroid": [4.0, 12.0]})
    table["is_extended"] = [False, True]
    table.write(cat, format="ascii.ecsv")
    assert slitless.field([i2d], [cat]).data == {"sources": 2, "extended": 1}
    table[:0].write(cat, format="ascii.ecsv", overwrite=True)
    assert slitless.field([i2d], [cat]).data["sources"] == 0
    QTable({"label": [1]}).write(cat, format="ascii.ecsv", overwrite=True)
    with pytest.raises(InputError, match="it has no column xcentroid"):
        slitless.field([i2d], [cat])
