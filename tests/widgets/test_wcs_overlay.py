"""WcsOverlay as a program uses it: no browser."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
import traitlets
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.time import Time
from astropy.wcs import WCS
from PIL import Image
from regions import (
    CirclePixelRegion,
    CircleSkyRegion,
    LinePixelRegion,
    PixCoord,
    PointPixelRegion,
    PolygonSkyRegion,
)

from upramp.errors import InputError, UprampError, UsageError
from upramp_widgets import WcsOverlay
from upramp_widgets.overlay_images import images_of
from upramp_widgets.overlay_net import Seen, net
from upramp_widgets.overlay_pointers import OUTSIDE
from upramp_widgets.overlay_sources import find_sources

REAL = Path(__file__).parents[3] / "shared" / "data" / "real"
NIRCAM = "jw99001001001_02101_00001_nrcalong"
MIRI = "jw99005001001_02101_00001_mirimage"
KINDS = {"right ascension": 0, "declination": 1}


def real(pattern):
    files = sorted(REAL.glob(pattern))
    if not files:
        pytest.skip(f"the real exposures {pattern} are not here")
    return files


def tangent(size=200, *, ra=40.0, dec=20.0, scale=0.1, turn=0.0):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [ra, dec], [size / 2, size / 2]
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    wcs.wcs.cd = scale / 3600 * np.array([[-c, s], [s, c]])
    wcs.wcs.dateobs = "2024-06-01"
    return wcs


def stars(count=60, size=200, *, seed=5, noise=1.0):
    """Give an image of stars, and where they are."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(8, size - 8, (2, count))
    rows, columns = np.mgrid[:size, :size]
    image = rng.normal(10, noise, (size, size))
    for at_x, at_y, height in zip(x, y, rng.uniform(200, 900, count), strict=True):
        image += height * np.exp(-((columns - at_x) ** 2 + (rows - at_y) ** 2) / (2 * 1.1**2))
    return image.astype(np.float32), x, y


@pytest.fixture
def overlay():
    """Give a call that makes overlays, and close them in the end."""
    made = []

    def make(*arguments, **options):
        made.append(WcsOverlay(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def assigned(practice_archive, tmp_path_factory, forget_crds):
    """Give a call that calibrates a practice exposure and has its WCS assigned."""
    from jwst.assign_wcs import AssignWcsStep

    import upramp
    from upramp.practice import environment

    folder, made = tmp_path_factory.mktemp("assigned"), {}

    def make(name):
        if name not in made:
            result = upramp.calibrate(practice_archive / "uncal" / f"{name}_uncal.fits")
            model = AssignWcsStep.call(result.rate)
            made[name] = folder / f"{name}_assignwcs.fits"
            model.save(str(made[name]))
        return made[name]

    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment(practice_archive).items():
            if value:
                patch.setenv(variable, value)
            else:
                patch.delenv(variable, raising=False)
        forget_crds()
        logging.disable(logging.CRITICAL)
        yield make
        logging.disable(logging.NOTSET)


def gwcs_of(path):
    from stdatamodels.jwst import datamodels

    return datamodels.open(path)  # its gwcs reads from the file, so whoever asked keeps it


def pixels_off(wcs, x, y, axis, value):
    """Give how far points are from where a gwcs has a coordinate's value, pixels."""

    def at(x, y):
        return np.asarray(wcs(x, y, with_bounding_box=False)[axis])

    error = (at(x, y) - value + 180) % 360 - 180
    slope = np.hypot(at(x + 0.5, y) - at(x - 0.5, y), at(x, y + 0.5) - at(x, y - 0.5))
    return np.abs(error / slope)


def assert_graticule_is_true(shown, wcs):
    """Each line that is drawn has one value of gwcs, which its label says."""
    found = shown.graticule()
    for kind, axis in KINDS.items():
        lines, labels = found[kind]
        assert lines
        assert len(labels) == len(lines)
        for line, label in zip(lines, labels, strict=True):
            x, y = line.astype(float).T
            known = wcs(x, y, with_bounding_box=False)[axis]
            value = float(np.median(known))
            assert pixels_off(wcs, x, y, axis, value).max() < 0.05
            if label:
                unit = u.hourangle if kind == "right ascension" else u.deg
                text = label.translate({0x2212: "-", 0x2032: "m", 0x2033: "s", 0xB0: "d"})
                said = SkyCoord(*((text, "0d") if axis == 0 else ("0h", text)), unit=(unit, u.deg))
                told = said.ra.deg if axis == 0 else said.dec.deg
                assert pixels_off(wcs, x[:1], y[:1], axis, told).max() < 0.05
    return sum(1 for kind in KINDS for label in found[kind][1] if label)


# ---- against gwcs -------------------------------------------------------------------------


@pytest.mark.peer
@pytest.mark.parametrize("name", [NIRCAM, MIRI])
def test_overlays_of_a_calibrated_exposure_agree_with_its_gwcs(overlay, assigned, name):
    path = assigned(name)
    shown, model = overlay(path), gwcs_of(path)
    wcs = model.meta.wcs
    assert shown.sky.source == "gwcs"
    assert assert_graticule_is_true(shown, wcs) > 3
    # A part of it, and what is seen outside of the bounding box.
    shown.look((-5.0, 95.0), (100.0, 200.0))
    shown.outside = True
    shown.wait()
    assert assert_graticule_is_true(shown, wcs) > 3
    x, y = np.random.default_rng(3).uniform(5, 500, (2, 300))
    table = Table(dict(zip(("ra", "dec"), wcs(x, y), strict=True)))
    shown.add_catalogue(table, name="places")
    laid = shown.catalogues["places"]
    assert len(laid.index) == 300
    assert np.hypot(laid.x - x[laid.index], laid.y - y[laid.index]).max() < 0.05
    points = shown.image.scene.layers["places"]
    assert np.hypot(points.x - x[laid.index], points.y - y[laid.index]).max() < 0.05
    ra, dec = wcs(77.25, 130.25)
    told = shown.readout(77.25, 130.25)
    place = SkyCoord(told.ra, told.dec, unit="deg").separation(SkyCoord(ra, dec, unit="deg"))
    assert place.arcsec < 0.02 * float(shown.sky.pixel_scale(77, 130))
    assert told.value == pytest.approx(float(model.data[130, 77]), nan_ok=True)


@pytest.mark.peer
def test_images_of_two_instruments_are_aligned_by_their_gwcs(overlay, assigned):
    paths = [assigned(NIRCAM), assigned(MIRI)]
    shown = overlay(paths)
    shown.wait()
    assert shown.image.scene.frames == 2
    models = [gwcs_of(path) for path in paths]
    first, other = (model.meta.wcs for model in models)
    columns, rows = np.meshgrid(np.arange(5, 640, 41), np.arange(5, 640, 43))
    there = other.invert(*first(columns.astype(float), rows.astype(float)))
    assert np.isfinite(there).all()
    aligned = shown.image.scene.plane(1)
    off = np.abs(np.stack(there) % 1 - 0.5)
    sure = (off > 0.06).all(axis=0)  # not on the border between two pixels
    assert sure.sum() > 100
    nearest = np.rint(np.stack(there)).astype(int)
    for at in zip(*np.nonzero(sure), strict=True):
        x, y = nearest[0][at], nearest[1][at]
        value = aligned.value(int(columns[at]), int(rows[at]))
        if 0 <= y < 512 and 0 <= x < 512:
            assert value == pytest.approx(float(models[1].data[y, x]), nan_ok=True)
    shown.frame = 1
    told = shown.readout(320.0, 300.0)
    exact = other.invert(*first(320.0, 300.0))
    assert f"x {exact[0]:.1f}" in told.sky_text
    assert shown.image.title.startswith(MIRI)


def test_overlays_of_real_mosaics_agree_with_their_gwcs(overlay):
    for path in real("miri_i2d/*.fits"):
        shown, model = overlay(path), gwcs_of(path)
        wcs = model.meta.wcs
        assert assert_graticule_is_true(shown, wcs) > 3
        box = SkyCoord(*wcs(40.0, 50.0), unit="deg")
        shown.load_regions([CircleSkyRegion(box, 1.0 * u.arcsec)])
        (line,) = shown.image.scene.layers["regions"].lines
        around = SkyCoord(*wcs(*line.astype(float).T, with_bounding_box=False), unit="deg")
        scale = float(shown.sky.pixel_scale(40, 50))
        assert np.abs(around.separation(box).arcsec - 1).max() < 0.05 * scale


def test_overlays_of_a_real_slit_agree_with_its_gwcs(overlay):
    (path,) = real("nirspec_msa/*.fits")
    shown, model = overlay(path), gwcs_of(path)
    assert_graticule_is_true(shown, model.meta.wcs)
    ra, dec, wavelength = model.meta.wcs(200.0, 12.0)
    told = shown.readout(200.0, 12.0)
    assert told.wavelength == pytest.approx(float(wavelength), rel=1e-6)
    assert (told.ra, told.dec) == pytest.approx((float(ra), float(dec)), abs=1e-6)
    assert " um" in told.text
    # A spectrum has no directions, and no place for a star.
    assert "compass" not in shown.image.scene.layers
    with pytest.raises(UsageError, match="whole spectrum"):
        shown.add_catalogue(Table({"ra": [float(ra)], "dec": [float(dec)]}))


# ---- the view -----------------------------------------------------------------------------


def test_the_graticule_follows_the_view_and_is_finer_when_it_is_closer(overlay):
    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent())
    whole = shown.graticule()
    shown.look((80.0, 90.0), (80.0, 90.0))
    shown.wait()
    close = shown.graticule()
    for kind in KINDS:
        assert 3 <= len(close[kind][0]) <= 15
        assert set(close[kind][1]) != set(whole[kind][1])
        joined = np.concatenate(close[kind][0])
        assert joined.min() > 75
        assert joined.max() < 95
    shown.style = "degrees"
    shown.wait()
    assert all(
        "\N{DEGREE SIGN}" in label for label in shown.graticule()["right ascension"][1] if label
    )
    shown.lines = 0
    shown.wait()
    assert shown.graticule() == {kind: ([], []) for kind in KINDS}


def test_lines_that_are_hidden_are_not_drawn_until_they_are_shown(overlay):
    shown = overlay(
        np.zeros((200, 200), np.float32), wcs=tangent(), layers_hidden=("declination",)
    )
    shown.wait()
    assert "declination" not in shown.image.scene.layers
    shown.layers_hidden = ()
    shown.wait()
    assert shown.graticule()["declination"][0]


@pytest.mark.parametrize("turn", [0, 20, 45, 70, 90, 135])
def test_labels_do_not_lie_on_each_other_and_are_at_the_edges(turn):
    from upramp_widgets.core.sky_open import open_sky

    sky = open_sky(tangent(turn=turn), shape=(200, 200))
    seen = Seen.holding((-0.5, 199.5), (-0.5, 199.5), (519.0, 519.0))
    found = net(sky, seen, 10, style="sexagesimal")
    boxes = []
    for kind in found.values():
        for line, label in zip(kind.lines, kind.labels, strict=True):
            if not label:
                continue
            # As the browser and the picture choose it.
            x, y = seen.dots(line[:, 0], line[:, 1])
            inside = (x >= 8.4) & (x <= 511) & (y >= 8.4) & (y <= 507)
            cost = np.minimum(x, y)[inside]
            at = np.flatnonzero(inside)[cost.argmin()]
            boxes.append((x[at], y[at], 6.2 * len(label)))
            # Unless it is a line that leaves by the other two edges.
            meets = (x < 0).any() or (y < 0).any()
            assert not meets or cost.min() < 40
            assert y[at] < 500
    assert len(boxes) > 5
    for number, (x, y, _) in enumerate(boxes):
        for other_x, other_y, wide in boxes[:number]:
            apart = abs(y - other_y) > 14 or x > other_x + wide or other_x > x + wide
            assert apart or x + wide > 500  # those at the right edge are written leftwards


def test_a_page_tells_how_large_its_canvas_is(overlay):
    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent())
    shown.wait()
    before = shown.graticule()["declination"][0]
    sent = []
    shown.image.send = lambda content, buffers=None: sent.append(content)
    view = {"xlim": [-100.5, 299.5], "ylim": [-0.5, 199.5], "width": 1038, "height": 519}
    shown.image._handle_custom_msg({"kind": "ready", "page": "p", "seq": 1, "view": view}, [])
    shown.wait()
    assert any(said.get("name") == "declination" for said in sent)
    after = shown.graticule()["declination"][0]
    assert len(after) != len(before) or any(
        len(one) != len(other) for one, other in zip(before, after, strict=True)
    )


def test_compass_and_scale_are_those_of_the_middle_of_the_view(overlay):
    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent(turn=30, scale=0.25))
    shown.wait()
    compass = shown.image.scene.layers["compass"]
    ra, dec = shown.sky.to_sky(99.5, 99.5)
    x, y = shown.sky.to_pixel(ra, dec + 1 / 3600)
    north = np.array([x - 99.5, y - 99.5])
    assert np.dot(north / np.hypot(*north), compass.north) == pytest.approx(1, abs=1e-4)
    assert np.dot(compass.north, compass.east) == pytest.approx(0, abs=1e-4)
    assert compass.scale == pytest.approx(0.25, rel=1e-4)


def test_a_place_on_the_sky_is_looked_at(overlay):
    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent())
    ra, dec = shown.sky.to_sky(50.0, 60.0)
    shown.look_at(float(ra), float(dec), 4.0)
    assert np.mean(shown.xlim) == pytest.approx(50, abs=0.01)
    assert np.mean(shown.ylim) == pytest.approx(60, abs=0.01)
    assert shown.xlim[1] - shown.xlim[0] == pytest.approx(40, rel=1e-3)
    with pytest.raises(InputError, match="cannot show this place"):
        shown.look_at(220.0, -20.0)
    shown.fit()
    assert shown.xlim == (-0.5, 199.5)


def test_traits_have_the_names_of_the_other_widgets_and_can_be_linked(overlay):
    one, other = (overlay(np.zeros((50, 50), np.float32), wcs=tangent(50)) for _ in range(2))
    for name in ("xlim", "ylim", "x", "y", "vmin", "vmax", "stretch", "cmap", "tool"):
        traitlets.link((one, name), (other, name))
    one.image.click(7, 8)
    one.cmap = "viridis"
    one.look((3.0, 9.0), (3.0, 9.0))
    assert (other.x, other.y, other.image.cmap) == (7, 8, "viridis")
    assert other.image.xlim == (3.0, 9.0)


# ---- catalogues ---------------------------------------------------------------------------


def test_stars_are_moved_to_when_the_image_was_taken(overlay, practice_archive):
    shown = overlay(practice_archive / "uncal" / f"{NIRCAM}_uncal.fits")
    ra, dec = (float(axis) for axis in shown.sky.to_sky(300.0, 200.0))
    year = shown.sky.epoch.jyear
    # One that comes to the pixel's place just in time, by a plain sum.
    rate = 500.0
    before = dec - rate / 3.6e6 * (year - 2000.0)
    table = Table(
        {"ra": [ra, ra], "dec": [before, dec], "pmra": [0.0, np.nan], "pmdec": [rate, 0]}
    )
    moved = shown.add_catalogue(table, name="gaia", epoch=2000.0)
    laid = shown.catalogues["gaia"]
    assert laid.x == pytest.approx([300, 300], abs=0.05)
    assert laid.y == pytest.approx([200, 200], abs=0.05)
    assert moved.dec[0] == pytest.approx(dec, abs=1e-8)
    assert "1 of 2 sources have no known motion" in shown.status
    shown.remove_catalogue("gaia")
    assert "gaia" not in shown.image.scene.layers
    with pytest.raises(UsageError, match="there are: none"):
        shown.remove_catalogue("gaia")


def test_a_catalogue_comes_from_a_file_and_replaces_the_one_of_its_name(overlay, tmp_path):
    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent())
    ra, dec = shown.sky.to_sky([20.0, 150.0, 1000.0], [30.0, 160.0, 30.0], outside=True)
    path = tmp_path / "stars.csv"
    Table({"ra": ra, "dec": dec, "name": ["a", "b", "c"], "mag": [20.0, 18.5, 3.0]}).write(path)
    shown.add_catalogue(path, name="stars")
    assert "2 of 3 sources in the image" in shown.status
    laid = shown.catalogues["stars"]
    assert list(laid.index) == [1, 0]  # the brightest first; one is far away
    shown.image.click(151, 160)
    assert "b, magnitude 18.50, 1.0 pixel away" in shown.controls.text.value
    shown.add_catalogue(Table({"ra": ra[:1], "dec": dec[:1]}), name="stars")
    assert len(shown.image.scene.layers["stars"].x) == 1
    assert len(shown.catalogues) == 1


def test_a_cone_search_asks_for_the_image_and_only_when_it_is_wanted(overlay):
    asked = []

    def fetch(address):
        asked.append(address)
        target = io.BytesIO()
        Table({"ra": [40.0], "dec": [20.0], "pmra": [1.0], "pmdec": [2.0]}).write(
            target, format="votable"
        )
        return target.getvalue()

    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent())
    shown.wait()
    assert not asked
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = shown.cone_search("https://archive.test/scs", fetch=fetch)
    assert len(found) == 1
    assert "RA=40.0" in asked[0] or "RA=39.99" in asked[0]
    radius = float(asked[0].partition("SR=")[2].partition("&")[0]) * 3600
    assert radius == pytest.approx(100 * np.sqrt(2) * 0.1, rel=0.02)
    assert len(shown.catalogues["https://archive.test/scs"].x) == 1

    def refuse(_):
        raise OSError(101, "Network is unreachable")

    with pytest.raises(InputError, match="perhaps because there is no network"):
        shown.cone_search(fetch=refuse)


# ---- residuals ----------------------------------------------------------------------------


@pytest.mark.parametrize("photutils", [True, False])
def test_sources_are_found_where_the_stars_are(photutils):
    image, x, y = stars()
    image[:30, :4] = np.nan
    found = find_sources(image, photutils=photutils)
    assert ("photutils" if photutils else "local maxima") in found.how
    known = [at for at in range(len(x)) if not (x[at] < 10 and y[at] < 36)]
    distance = np.hypot(found.x[:, None] - x[known], found.y[:, None] - y[known])
    nearest = distance.min(axis=0)
    # Two stars in one blend are one source.
    assert (nearest < 0.1).mean() > 0.85
    assert (distance.min(axis=1) < 1.5).mean() > 0.95


def test_without_photutils_the_next_way_is_taken_and_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "photutils", None)
    assert find_sources(stars()[0]).how == "found as local maxima"


@pytest.mark.parametrize("photutils", [True, False])
def test_images_with_nothing_have_no_sources(photutils):
    for image in (np.full((9, 9), np.nan), np.zeros((9, 9)), np.ones((1, 1)), np.eye(3)):
        assert len(find_sources(image, photutils=photutils)) <= 1


def test_residuals_are_arrows_from_the_stars_to_the_sources(overlay):
    image, x, y = stars(noise=0.5)
    shown = overlay(image, wcs=tangent())
    # The catalogue is off by a known part of a pixel.
    ra, dec = shown.sky.to_sky(x - 0.4, y + 0.3, outside=True)
    shown.add_catalogue(Table({"ra": ra, "dec": dec}), name="stars")
    found = shown.residuals("stars")
    assert found.statistics.kept > 30
    assert found.statistics.median_x == pytest.approx(0.4, abs=0.03)
    assert found.statistics.median_y == pytest.approx(-0.3, abs=0.03)
    arrows = shown.image.scene.layers["residuals"]
    assert len(arrows.x) == found.statistics.kept
    assert arrows.scale == found.good_scale(0.05 * 200)
    assert np.array_equal(arrows.dx, found.dx[found.kept].astype(np.float32))
    assert "DAOStarFinder" in shown.status
    assert str(found.statistics) in shown.controls.text.value
    # Of sources that are known.
    exact = shown.residuals(None, (x, y))
    assert exact.statistics.median_x == pytest.approx(0.4, abs=1e-3)
    assert "as given" in shown.status
    with pytest.raises(UsageError, match="no catalogue"):
        overlay(image, wcs=tangent()).residuals()


def test_residuals_show_how_wrong_a_practice_pointing_is(overlay, practice_archive):
    shown = overlay(practice_archive / "uncal" / f"{NIRCAM}_uncal.fits")
    shown.add_catalogue(practice_archive / "truth" / "stars.ecsv", name="truth")
    found = shown.residuals()
    truth = Table.read(practice_archive / "truth" / f"{NIRCAM}_truth.fits", hdu="STARS")
    known = shown.residuals("truth", truth, radius=3)
    for axis in ("median_x", "median_y"):
        ours, exact = (getattr(one.statistics, axis) for one in (found, known))
        assert ours == pytest.approx(exact, abs=0.03)
    assert np.hypot(found.statistics.median_x, found.statistics.median_y) > 0.1


# ---- apertures ----------------------------------------------------------------------------


def test_apertures_are_shown_when_they_are_known(overlay, practice_archive):
    shown = overlay(practice_archive / "uncal" / f"{NIRCAM}_uncal.fits")
    told = []
    shown.observe(lambda change: told.append(change["new"]), "status")
    shown.show_footprints(("NIRCam", "FGS"))
    assert shown.wait()
    assert "reading the telescope's apertures" in told
    assert shown.status == f"{len(shown.apertures)} apertures"
    layer = shown.image.scene.layers["NIRCam apertures"]
    assert "NRCA5_FULL" in layer.labels
    # The exposure's subarray lies in its own detector, which is far larger.
    own = layer.lines[layer.labels.index("NRCA5_FULL")]
    assert own.min() < -400
    assert own.max() > 1000
    outlines = shown.footprints("NIRCam", "NRCA5_FULL")
    assert np.stack(outlines[0].in_pixels(shown.sky), 1) == pytest.approx(own, abs=0.01)
    shown.show_footprints("MIRI", "*")
    shown.wait()
    assert "NIRCam apertures" not in shown.image.scene.layers
    assert shown.image.scene.layers["MIRI apertures"].lines
    shown.hide_footprints()
    assert not shown.apertures
    assert "MIRI apertures" not in shown.image.scene.layers
    with pytest.raises(UsageError, match="HST"):
        shown.show_footprints("HST")
    assert "instrument 'HST'" in shown.status
    with pytest.raises(UsageError, match="HST"):
        shown.footprints("HST")


def test_an_image_that_does_not_know_its_pointing_has_no_apertures(overlay):
    shown = overlay(np.zeros((20, 20), np.float32), wcs=tangent(20))
    with pytest.raises(InputError, match="does not say how the telescope was turned"):
        shown.show_footprints()
    assert "does not say how the telescope was turned" in shown.status
    shown.status = ""
    shown.controls.instruments.value = ("MIRI",)  # a hand is told, and nothing is raised
    assert shown.wait()
    assert "does not say how the telescope was turned" in shown.status


def test_apertures_outside_the_view_are_pointed_to(overlay, practice_archive):
    shown = overlay(practice_archive / "uncal" / f"{NIRCAM}_uncal.fits")
    shown.show_footprints(("NIRCam", "NIRISS"), ("NRCA5_FULL", "NIS_CEN"))
    (niriss,) = shown.footprints("NIRISS", "NIS_CEN")
    x, y = (np.nanmean(axis) for axis in niriss.in_pixels(shown.sky))
    layer = shown.image.scene.layers[OUTSIDE]
    at = next(n for n, words in enumerate(layer.labels) if words.startswith("NIS_CEN"))
    middle = (sum(shown.xlim) / 2, sum(shown.ylim) / 2)
    tail, tip = layer.lines[at][:2]
    way = np.subtract((x, y), middle)
    assert (tip - tail) / np.hypot(*(tip - tail)) == pytest.approx(way / np.hypot(*way), abs=0.03)
    assert "NIS_CEN" in shown.controls.text.value
    assert "NRCA5_FULL" not in shown._pointers.names  # the image is in it
    shown.look_at(float(niriss.ra.mean()), float(niriss.dec.mean()))
    assert "NIS_CEN" not in shown._pointers.names
    assert "NIS_CEN" not in shown.controls.text.value
    shown.hide_footprints()
    assert OUTSIDE not in shown.image.scene.layers


# ---- regions ------------------------------------------------------------------------------


def test_regions_go_out_and_come_in_again(overlay, tmp_path):
    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent(turn=25))
    shown.image.stroke("box", [(20.0, 30.0), (60.0, 50.0)])
    shown.image.stroke("circle", [(100.0, 100.0)], 12.5)
    shown.image.stroke("polygon", [(120.0, 20.0), (150.0, 25.0), (140.0, 60.0)])
    shown.image.stroke("line", [(10.0, 150.0), (90.0, 170.0)])
    names = [type(each).__name__ for each in shown.regions]
    assert names == [
        "RectanglePixelRegion", "CirclePixelRegion", "PolygonPixelRegion", "LinePixelRegion",
    ]  # fmt: skip
    drawn = [line.copy() for line in shown.image.scene.layers["regions"].lines]
    for frame in ("sky", "pixel", None):
        path = tmp_path / f"{frame}.reg"
        assert shown.save_regions(path, frame) == ()
        again = overlay(np.zeros((200, 200), np.float32), wcs=tangent(turn=25))
        assert again.load_regions(path) == ()
        back = again.image.scene.layers["regions"].lines
        assert len(back) == 4
        for one, other in zip(drawn, back, strict=True):
            # A line on the sky has more points; each of its own is on the other.
            distance = np.hypot(*(one[:, None] - _fine(other)[None]).transpose(2, 0, 1))
            assert distance.min(axis=1).max() < 0.1
    text = (tmp_path / "sky.reg").read_text()
    assert "icrs" in text.lower()


def _fine(line):
    at = np.linspace(0, len(line) - 1, 4000)
    return np.stack([np.interp(at, np.arange(len(line)), axis) for axis in line.T], axis=1)


def test_what_is_drawn_can_be_taken_back_and_erased(overlay):
    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent())
    for at in (20.0, 100.0, 150.0):
        shown.image.stroke("circle", [(at, at)], 5.0)
    shown.image.act("undo")
    assert len(shown.regions) == 2
    shown.image.act("redo")
    assert len(shown.regions) == 3
    shown.image.stroke("box", [(90.0, 90.0), (110.0, 110.0)], 0.0, True)
    assert [float(each.center.x) for each in shown.regions] == [20.0, 150.0]
    shown.undo()
    assert len(shown.regions) == 3
    shown.clear_regions()
    assert "regions" not in shown.image.scene.layers
    shown.undo()
    assert len(shown.image.scene.layers["regions"].lines) == 3
    shown.image.stroke("circle", [(50.0, 50.0)], 0.0)  # has no extent
    assert len(shown.regions) == 3
    for _ in range(9):
        shown.undo()
    assert shown.regions == ()
    assert shown.status == "there is nothing more"


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ([(10.0, 10.0), (190.0, 190.0)], ["far", "edge", "point"]),  # through the middle one
        ([(40.0, 150.0), (60.0, 150.0)], ["middle", "edge", "point"]),  # through the far one
        ([(150.0, 60.0), (170.0, 60.0)], ["middle", "far", "point"]),  # far from both its ends
        ([(20.0, 110.0), (40.0, 111.0)], ["middle", "far", "edge"]),  # beside the point
        ([(100.0, 20.0), (120.0, 22.0)], ["middle", "far", "edge", "point"]),  # nowhere near
    ],
)
def test_a_line_takes_away_what_it_meets_and_nothing_else(overlay, line, left):
    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent())
    made = {
        "middle": CirclePixelRegion(PixCoord(100, 100), 6),
        "far": CirclePixelRegion(PixCoord(50, 150), 6),
        "edge": LinePixelRegion(PixCoord(160, 10), PixCoord(160, 110)),
        "point": PointPixelRegion(PixCoord(30, 112)),
    }
    shown.load_regions(made.values())
    shown.image.stroke("line", line, 0.0, True)
    assert [name for name, one in made.items() if one in shown.regions] == left


def test_regions_cut_out_are_dashed_and_bad_lines_are_told(overlay, tmp_path):
    path = tmp_path / "some.reg"
    path.write_text(
        "image\ncircle(50,50,10) # text={M 1}\n-circle(80,80,5)\npoint(20,20)\nblob(1,2)\n"
    )
    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent())
    (problem,) = shown.load_regions(path)
    assert "blob" in problem
    layers = shown.image.scene.layers
    assert layers["regions"].labels == ("M 1",)
    assert layers["regions cut out"].dashed
    assert (layers["region marks"].x[0], layers["region marks"].y[0]) == (19, 19)
    with pytest.raises(UsageError, match="it is no region"):
        shown.regions = ("circle",)


# ---- several images -----------------------------------------------------------------------


def test_images_are_blinked_aligned_each_with_its_own_limits(overlay):
    image, _, _ = stars()
    turned = tangent(240, turn=40, scale=0.08)
    first = tangent()
    columns, rows = np.meshgrid(np.arange(240.0), np.arange(240.0))
    there = first.all_world2pix(
        turned.all_pix2world(np.stack([columns, rows], -1).reshape(-1, 2), 0), 0
    )
    at = np.clip(np.rint(there).astype(int), 0, 199)
    other = (image[at[:, 1], at[:, 0]] * 1000).reshape(240, 240)
    shown = overlay([(image, first), (other, turned)], stretch="linear")
    shown.wait()
    assert shown.image.scene.frames == 2
    assert len(shown.image.frame_labels) == 2
    limits = shown.vmin, shown.vmax
    shown.frame = 1
    assert shown.vmax > 100 * limits[1]
    aligned = np.array(
        [[shown.image.scene.plane(1).value(i, j) for i in range(60, 140)] for j in range(60, 140)]
    )
    assert np.corrcoef(aligned.ravel(), image[60:140, 60:140].ravel())[0, 1] > 0.8
    shown.vmax = 2 * shown.vmax
    own = shown.vmax
    shown.frame = 0
    assert (shown.vmin, shown.vmax) == pytest.approx(limits)
    shown.frame = 1
    assert shown.vmax == own
    assert np.isnan(shown.readout(-80.0, -80.0).value)
    assert shown.image.scene.layers["other images"].labels == ("array",)


def test_an_image_that_cannot_be_linked_is_left_out_and_named(overlay, tmp_path):
    image, _, _ = stars()
    far = tangent(ra=200.0, dec=-50.0)
    shown = overlay([(image, tangent()), (image, None), (image, far)])
    shown.wait()
    assert shown.image.scene.frames == 2
    assert "it comes without a WCS" in shown.status
    assert "shows no part of the sky" in shown.status
    shown.frame = 1
    assert np.isnan(shown.readout(50.0, 50.0).value)


def test_views_side_by_side_show_the_same_sky(overlay):
    one = overlay(np.zeros((200, 200), np.float32), wcs=tangent())
    other = overlay(np.zeros((300, 300), np.float32), wcs=tangent(300, turn=30, scale=0.05))
    both = one.link(other)
    one.look((40.0, 60.0), (70.0, 90.0))
    middle = one.sky.to_sky(50.0, 80.0)
    x, y = other.sky.to_pixel(*middle)
    assert np.mean(other.xlim) == pytest.approx(float(x), abs=0.05)
    assert np.mean(other.ylim) == pytest.approx(float(y), abs=0.05)
    assert other.xlim[1] - other.xlim[0] == pytest.approx(40, rel=1e-3)
    other.look((100.0, 140.0), (100.0, 140.0))
    assert one.xlim[1] - one.xlim[0] == pytest.approx(20, rel=1e-3)
    one.image.click(52, 83)
    x, y = other.sky.to_pixel(*one.sky.to_sky(52.0, 83.0))
    assert (other.x, other.y) == (round(float(x)), round(float(y)))
    width, height = Image.open(io.BytesIO(both.picture("dark"))).size
    assert width > 1.8 * height
    both.unlink()
    before = other.xlim
    one.look((10.0, 60.0), (70.0, 120.0))
    assert other.xlim == before


# ---- edges --------------------------------------------------------------------------------


def test_a_file_with_no_wcs_is_shown_and_says_so_in_a_sentence(overlay):
    (path,) = real("miri_ground/*.fits")
    shown = overlay(path)
    shown.wait()
    assert shown.sky is None
    assert "it does not say where it looks" in shown.status
    assert shown.status.count("\n") == 0
    assert shown.image.scene.shape == (64, 72)
    for call in (
        shown.graticule,
        lambda: shown.add_catalogue(Table({"ra": [1.0], "dec": [2.0]})),
        shown.cone_search,
        shown.footprints,
        lambda: shown.link(path),
        lambda: shown.look_at(1.0, 2.0),
    ):
        with pytest.raises(InputError, match="does not say where it looks"):
            call()
    # What needs no sky goes on.
    shown.image.stroke("circle", [(20.0, 20.0)], 5.0)
    assert len(shown.image.scene.layers["regions"].lines) == 1
    assert np.isfinite(shown.readout(20.0, 20.0).value)
    assert shown.readout(20.0, 20.0).sky_text == ""
    assert shown.picture()[:4] == b"\x89PNG"


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 2)])
def test_small_images_have_a_sky_too(overlay, shape):
    shown = overlay(np.ones(shape, np.float32), wcs=tangent(2))
    shown.wait()
    assert shown.status == ""
    assert shown.graticule()["declination"][0] or shape[0] == 1
    assert shown.picture()[:4] == b"\x89PNG"


def test_an_image_of_nothing_but_nan_has_a_sky_too(overlay):
    shown = overlay(np.full((200, 200), np.nan, np.float32), wcs=tangent())
    assert shown.graticule()["right ascension"][0]
    assert np.isnan(shown.readout(3.0, 4.0).value)
    assert "no value" in shown.readout(3.0, 4.0).text
    shown.add_catalogue(Table({"ra": [40.0], "dec": [20.0]}))
    assert len(shown.residuals()) == 0
    assert "no pixel holds a value" in shown.status
    assert shown.picture()[:4] == b"\x89PNG"


def test_a_large_image_has_a_sky(overlay):
    shown = overlay(np.zeros((4096, 4096), np.float32), wcs=tangent(4096, turn=12))
    assert shown.graticule()["right ascension"][0]
    assert (
        np.hypot(*np.subtract(shown.sky.to_pixel(*shown.sky.to_sky(4000.0, 9.0)), (4000, 9)))
        < 1e-3
    )


def test_planes_of_cubes_and_ramps_are_chosen():
    cube = np.arange(5 * 3 * 4, dtype=np.float32).reshape(5, 3, 4)
    assert np.array_equal(images_of(cube)[0].pixels, cube[2])
    assert np.array_equal(images_of(cube, plane=4)[0].pixels, cube[4])
    ramp = np.stack([cube, 2 * cube])
    assert np.array_equal(images_of(ramp)[0].pixels, cube[4] - cube[0])
    assert np.array_equal(images_of(ramp, plane=1)[0].pixels, 2 * (cube[4] - cube[0]))
    assert np.array_equal(images_of(ramp.astype("u2")[:, :1])[0].pixels, cube[0])
    with pytest.raises(UsageError, match="there is no 5"):
        images_of(cube, plane=5)
    masked = np.ma.masked_equal(cube[0], 3)
    assert np.isnan(images_of(masked)[0].pixels).sum() == 1


def test_an_exposure_a_model_and_a_result_are_shown(overlay, practice_archive):
    from stdatamodels.jwst import datamodels

    import upramp
    from upramp.stages.calibration import Result

    path = practice_archive / "uncal" / f"{NIRCAM}_uncal.fits"
    with upramp.open(path) as exposure:
        signal = exposure.data[0, -1].astype(np.float32) - exposure.data[0, 0]
        shown = overlay(exposure)
    assert shown.sky.source.startswith("pointing keywords")
    assert np.array_equal(shown.images[0].pixels, signal)
    with datamodels.open(path) as model:
        again = overlay(model)
        assert np.hstack(again.sky.to_sky(9, 9)) == pytest.approx(
            np.hstack(shown.sky.to_sky(9, 9))
        )
        assert np.array_equal(again.images[0].pixels, signal)
        third = overlay(Result({"rate": None, "ramp": model}, {}, (), None))
        assert np.array_equal(third.images[0].pixels, signal)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (np.zeros(5), {}),
        (np.zeros((0, 4)), {}),
        (np.zeros((2, 2, 2, 2, 2)), {}),
        (np.zeros((3, 3), complex), {}),
        ([], {}),
        (7, {}),
        (None, {}),
        ("nothing.fits", {}),
        ([np.zeros((3, 3)), "nothing.fits"], {}),
        ([np.zeros((3, 3)), np.zeros((3, 3))], {"wcs": tangent(3)}),
    ],
)
def test_what_is_no_image_is_refused_in_a_sentence(image, options):
    with pytest.raises(UprampError) as refused:
        WcsOverlay(image, **options)
    assert str(refused.value).count("\n") == 0


@pytest.mark.parametrize("wcs", [7, "nothing.fits", WCS(naxis=2), np.zeros(3)])
def test_a_wcs_that_is_none_leaves_the_image(overlay, wcs):
    shown = overlay(np.zeros((20, 20), np.float32), wcs=wcs)
    shown.wait()
    assert shown.sky is None
    assert shown.status
    assert "\n" not in shown.status
    assert shown.image.scene.shape == (20, 20)


def test_a_truncated_file_is_refused(tmp_path, practice_archive):
    whole = (practice_archive / "uncal" / f"{NIRCAM}_uncal.fits").read_bytes()
    path = tmp_path / "cut_uncal.fits"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cut"):
        WcsOverlay(path)


def test_the_menu_of_regions_shows_what_is_chosen_and_writes_it(overlay, tmp_path):
    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent())
    shown.image.stroke("circle", [(100.0, 100.0)], 12.5)
    menu = shown.controls.frame
    assert menu.label == "as they are"
    assert menu.index == 0
    shown.controls.file.value = str(tmp_path / "out.reg")
    press = {each.description: each.click for each in buttons(shown.controls.bottom)}
    for choice, written in (("as they are", "image"), ("on the sky", "icrs")):
        menu.label = choice
        press["Save regions"]()
        assert written in (tmp_path / "out.reg").read_text()


def buttons(widget):
    if isinstance(widget, ipywidgets.Button):
        return [widget]
    return [found for each in getattr(widget, "children", ()) for found in buttons(each)]


@pytest.mark.parametrize(
    "call",
    [
        lambda shown: shown.add_catalogue("nothing.csv"),
        lambda shown: shown.add_catalogue(7),
        lambda shown: shown.add_catalogue(Table({"a": [1.0]})),
        lambda shown: shown.load_regions("nothing.reg"),
        lambda shown: shown.load_regions(""),
        lambda shown: shown.save_regions(""),
        lambda shown: shown.add_catalogue(""),
        lambda shown: shown.save_regions("/nowhere/at/all.reg"),
        lambda shown: shown.cone_search("ftp://x"),
        lambda shown: shown.cone_search(radius=-1.0),
        lambda shown: shown.residuals("nothing"),
        lambda shown: shown.look_at(float("nan"), 2.0),
        lambda shown: shown.link("nothing.fits"),
    ],
)
def test_hostile_requests_are_refused_in_a_sentence(overlay, call):
    shown = overlay(np.zeros((20, 20), np.float32), wcs=tangent(20))
    with pytest.raises(UprampError) as refused:
        call(shown)
    assert str(refused.value).count("\n") == 0


def test_a_page_that_says_nonsense_changes_nothing(overlay):
    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent())
    before = shown.graticule()
    for content in (7, {"kind": "ready"}, {"kind": "tiles", "view": {"xlim": "a"}}):
        shown.image._handle_custom_msg(content, [])
    shown.wait()
    after = shown.graticule()
    assert [len(line) for line in after["declination"][0]] == [
        len(line) for line in before["declination"][0]
    ]


def test_the_callers_pixels_and_regions_are_never_changed(overlay):
    image, _, _ = stars()
    kept = image.copy()
    image.flags.writeable = False
    shown = overlay([(image, tangent()), (image, tangent(turn=3))])
    shown.add_catalogue(Table({"ra": [40.0], "dec": [20.0]}))
    shown.residuals()
    given = [CirclePixelRegion(PixCoord(5, 5), 3)]
    shown.load_regions(given)
    shown.image.stroke("circle", [(50.0, 50.0)], 5.0)
    assert len(given) == 1
    assert np.array_equal(image, kept)


# ---- pictures -----------------------------------------------------------------------------


def test_the_picture_shows_what_lies_over_the_image(overlay):
    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent())

    def coloured(png):
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
        return (np.ptp(pixels, axis=-1) > 60).sum()

    with_lines = coloured(shown.picture())
    layers = dict(shown.image.scene.layers)
    shown.layers_hidden = ("right ascension", "declination")
    shown.wait()
    assert coloured(shown.picture()) < with_lines / 3
    # A picture leaves the layers of the pages as they were.
    assert shown.image.scene.layers == layers
    assert shown.summary() == "WcsOverlay of array: 200 x 200 pixels"


def test_a_saved_notebook_keeps_a_picture(overlay, monkeypatch):
    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent())
    live = shown._repr_mimebundle_()
    assert set(live) == {
        "text/plain", "image/png", "application/vnd.jupyter.widget-view+json",
    }  # fmt: skip
    monkeypatch.setenv("UPRAMP_WIDGETS", "static")
    assert set(shown._repr_mimebundle_()) == {"text/plain", "image/png"}
    shown.snapshot()  # was not displayed: nothing to renew


def test_the_page_holds_the_graticule_of_the_whole_image(overlay):
    shown = overlay(np.zeros((200, 200), np.float32), wcs=tangent())
    shown.look((90.0, 110.0), (90.0, 110.0))
    page = shown.to_html()
    assert "declination" in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert len(page) > len(shown.image.to_html())
    assert np.concatenate(shown.graticule()["declination"][0]).max() < 130


def test_a_region_on_the_sky_of_an_image_without_one_is_told(overlay):
    shown = overlay(np.zeros((20, 20), np.float32))
    corners = SkyCoord([1.0, 2.0, 2.0], [1.0, 1.0, 2.0], unit="deg")
    with pytest.raises(UsageError, match="the image has no sky"):
        shown.load_regions([PolygonSkyRegion(corners)])
    assert shown.regions == ()
    (problem,) = shown.load_regions(
        [PolygonSkyRegion(corners), CirclePixelRegion(PixCoord(9, 9), 3)]
    )
    assert "the image has no sky" in problem
    assert shown.sky is None


def test_the_time_of_an_image_is_said(overlay, practice_archive):
    shown = overlay(practice_archive / "uncal" / f"{NIRCAM}_uncal.fits")
    shown.wait()
    assert isinstance(shown.sky.epoch, Time)
    assert f"{shown.sky.epoch.jyear:.4f}" in shown.controls.text.value
