"""Pictures of time series: what they find in light curves that are known, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import QTable

from upramp.errors import InputError, UsageError
from upramp.kernel.pictures import series
from upramp.kernel.pictures.light_curves import LightCurve, binned, find_dip

START = 60000.0
CADENCE = 10 / 86400


def light(count=200, depth=0.01, noise=1e-3, trend=0.0):
    """Give a light curve with straight sides from 0.4 to 0.7 of it."""
    part = np.arange(count) / count
    dip = np.clip((0.15 - np.abs(part - 0.55)) / 0.03, 0, 1)
    rng = np.random.default_rng(5)
    flux = 3.0 * (1 - depth * dip + trend * (part - 0.5) + noise * rng.standard_normal(count))
    return START + CADENCE * np.arange(count), flux, np.full(count, 3.0 * noise)


def photometry(folder, times, flux, error, **columns):
    table = QTable(
        {
            "MJD": times,
            "net_aperture_sum": flux * units.Jy,
            "net_aperture_sum_err": error * units.Jy,
            **columns,
        },
        meta={"apertures": "a circle of r=3.0 pixels, ring of r_inner=4.0 and r_outer=5.0"},
    )
    path = folder / "jw1_phot.ecsv"
    table.write(path, format="ascii.ecsv", overwrite=True)
    return path


def spectra(folder, times, flux, error, wavelength, name="jw1_x1dints.fits"):
    """Write spectra of integrations as the official packages do."""
    count, size = flux.shape
    columns = [
        fits.Column("INT_NUM", "J", array=np.arange(1, count + 1)),
        fits.Column("WAVELENGTH", f"{size}D", "um", array=np.tile(wavelength, (count, 1))),
        fits.Column("FLUX", f"{size}D", "Jy", array=flux),
        fits.Column("FLUX_ERROR", f"{size}D", "Jy", array=error),
        fits.Column("MJD-AVG", "D", "d", array=times),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="EXTRACT1D")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(folder / name)
    return folder / name


@pytest.mark.parametrize("trend", [0.0, 0.004])
def test_a_dip_is_found_where_it_is_and_as_deep_on_any_trend(tmp_path, trend):
    data = series.light_curve([photometry(tmp_path, *light(trend=trend))]).data
    assert abs(data["depth"] - 0.01) < 4 * data["depth_error"] < 0.002
    assert (data["middle"] - START) / CADENCE == pytest.approx(0.55 * 200, abs=2)
    assert data["duration"] / CADENCE == pytest.approx(0.3 * 200, rel=0.1)
    assert data["scatter"] == pytest.approx(data["expected"], rel=0.15)


def test_noise_alone_is_no_dip(tmp_path):
    picture = series.light_curve([photometry(tmp_path, *light(depth=0.0))])
    assert picture.data["depth"] is None
    assert "no dip" in picture.text


def test_white_light_has_the_errors_of_its_spectra(tmp_path):
    times, flux, _ = light()
    wavelength = np.linspace(5, 12, 40)
    many = flux[:, None] / 40 * np.ones(40)
    path = spectra(tmp_path, times, many, np.full((200, 40), 1e-3), wavelength)
    table = tmp_path / "jw1_whtlt.ecsv"
    QTable({"MJD_UTC": times, "whitelight_flux": flux * units.Jy}).write(
        table, format="ascii.ecsv"
    )
    picture = series.white_light([table], [path])
    assert picture.data["expected"] == pytest.approx(np.sqrt(40) * 1e-3 / np.median(flux))
    assert picture.data["depth"] == pytest.approx(0.01, rel=0.1)
    both = series.light_curve([], [table], [path])
    assert both.data == picture.data
    with pytest.raises(InputError, match="its spectra are not there"):
        series.white_light([table], [])
    shorter = spectra(tmp_path, times[:9], many[:9], many[:9], wavelength, "jw2_x1dints.fits")
    shorter.rename(path)
    with pytest.raises(InputError, match="200 integrations and its spectra 9"):
        series.white_light([table], [path])


def test_white_noise_averages_and_a_drift_does_not():
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(4000)
    sizes, scatter = binned(noise)
    assert sizes[0] == 1
    assert sizes[-1] == 500
    np.testing.assert_allclose(scatter[:12] * np.sqrt(sizes[:12]), 1, atol=0.15)
    slow = np.repeat(rng.standard_normal(40), 100)
    sizes, scatter = binned(slow)
    assert scatter[sizes <= 20].min() > 0.8 * scatter[0]


def test_what_is_left_of_a_curve_is_pictured_by_how_it_averages(tmp_path):
    picture = series.binned_scatter([photometry(tmp_path, *light())])
    assert picture.data["sizes"][-1] == 25
    assert picture.data["excess"] < 1.5
    assert picture.png.startswith(b"\x89PNG")


def test_flux_by_wavelength_and_time_tells_of_a_pixel_that_was_lost(tmp_path):
    times, flux, _ = light(60, noise=0.0)
    rng = np.random.default_rng(2)
    many = flux[:, None] * np.ones(160) * (1 + 2e-3 * rng.standard_normal((60, 160)))
    many[7, 40] = np.nan
    path = spectra(tmp_path, times, many, many * 1e-3, np.linspace(5, 12, 160))
    assert series.flux_map([path]).data["outside"] == 0
    many[9, 20:22] *= 0.8
    path.unlink()
    path = spectra(tmp_path, times, many, many * 1e-3, np.linspace(5, 12, 160))
    data = series.flux_map([path]).data
    assert data == {"bins": 80, "scatter": pytest.approx(2e-3 / np.sqrt(2), rel=0.8), "outside": 1}


def test_the_star_is_pictured_with_its_aperture(tmp_path):
    rng = np.random.default_rng(3)
    cube = (rng.standard_normal((12, 20, 24)) + 50).astype(np.float32)
    cube[:, 9:12, 11:14] += 500
    hdus = [
        fits.PrimaryHDU(header=fits.Header({"TELESCOP": "JWST", "DATAMODL": "CubeModel"})),
        fits.ImageHDU(cube, name="SCI"),
        fits.ImageHDU(np.ones_like(cube), name="ERR"),
    ]
    image = tmp_path / "jw1_calints.fits"
    fits.HDUList(hdus).writeto(image)
    places = {"aperture_x": np.full(200, 12.0), "aperture_y": np.full(200, 10.0)}
    phot = photometry(tmp_path, *light(), **places)
    data = series.source([image], [phot], []).data
    assert data["place"] == (12.0, 10.0)
    assert data["radii"] == [3.0, 4.0, 5.0]
    assert data["change"] == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize(
    "draw", [series.light_curve, series.binned_scatter, series.flux_map, series.source]
)
def test_without_a_file_there_is_no_picture(draw):
    with pytest.raises(UsageError, match="there is none to draw"):
        draw([])


def test_what_holds_no_light_is_one_sentence(tmp_path):
    times, flux, error = light(20)
    with pytest.raises(InputError, match="it holds no light"):
        series.light_curve([photometry(tmp_path, times, flux * np.nan, error)])
    other = tmp_path / "jw2_phot.ecsv"
    QTable({"MJD": times}).write(other, format="ascii.ecsv")
    with pytest.raises(InputError, match="no column net_aperture_sum"):
        series.light_curve([other])
    other.write_text("nothing")
    with pytest.raises(InputError, match="no table in ECSV"):
        series.light_curve([other])


@pytest.mark.parametrize("count", [1, 2, 9])
def test_few_integrations_are_drawn_without_a_dip(tmp_path, count):
    times, flux, error = light(count, depth=0.0)
    assert series.light_curve([photometry(tmp_path, times, flux, error)]).data["depth"] is None
    assert series.binned_scatter([photometry(tmp_path, times, flux, error)]).png


def test_errors_that_are_missing_do_not_stop_the_fit():
    times, flux, error = light()
    error[::7] = np.nan
    assert find_dip(LightCurve("x", times, flux, error, "Jy")).sure
