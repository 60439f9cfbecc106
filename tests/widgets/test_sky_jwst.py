"""The sky of the mission's images, against gwcs, pysiaf and the practice archive's truth."""

import gc
import io
import logging
import warnings
from dataclasses import replace
from pathlib import Path

import asdf
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

from upramp.errors import InputError, UsageError
from upramp.exposure import open_exposure
from upramp_widgets.core.sky import Sky
from upramp_widgets.core.sky_apertures import MAIN, aperture_names, aperture_outlines
from upramp_widgets.core.sky_catalogue import Catalogue
from upramp_widgets.core.sky_facts import facts_of_exposure
from upramp_widgets.core.sky_graticule import graticule
from upramp_widgets.core.sky_link import link
from upramp_widgets.core.sky_open import open_sky
from upramp_widgets.core.sky_pointing import Pointing, projection_of_pointing
from upramp_widgets.core.sky_residuals import residuals

REAL = Path(__file__).parents[3] / "shared" / "data" / "real"

EXPOSURES = [
    "jw99001001001_02101_00001_nrcalong",
    "jw99002001001_02101_00001_nrca1",
    "jw99005001001_02101_00001_mirimage",
    "jw99006001001_02101_00001_mirimage",
    "jw99008001001_02101_00001_nis",
]


def real(pattern):
    files = sorted(REAL.glob(pattern))
    if not files:
        pytest.skip(f"the real exposures {pattern} are not here")
    return files


@pytest.fixture(scope="module")
def with_wcs(practice_archive, tmp_path_factory, forget_crds):
    """Give a call that lets the official step assign a practice exposure its gwcs."""
    from jwst.assign_wcs import AssignWcsStep
    from stdatamodels.jwst import datamodels

    from upramp.practice import environment

    folder = tmp_path_factory.mktemp("assigned")
    made = {}

    def assigned(name, *, full_frame=False):
        key = name, full_frame
        if key not in made:
            with datamodels.open(practice_archive / "uncal" / f"{name}_uncal.fits") as raw:
                model = datamodels.ImageModel()
                model.update(raw)
                model.data = np.zeros(raw.data.shape[-2:], np.float32)
            if full_frame:
                model.data = np.zeros((2048, 2048), np.float32)
                area = model.meta.subarray
                area.name, area.xstart, area.ystart = "FULL", 1, 1
                area.xsize = area.ysize = 2048
            result = AssignWcsStep.call(model)
            path = folder / f"{name}{'_full' if full_frame else ''}_assignwcs.fits"
            result.save(str(path))
            made[key] = path, result.meta.wcs, result
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment(practice_archive).items():
            if value:
                patch.setenv(variable, value)
            else:
                patch.delenv(variable, raising=False)
        forget_crds()
        logging.disable(logging.CRITICAL)
        yield assigned
        logging.disable(logging.NOTSET)


def everywhere(box, count=600):
    left, right, low, high = box
    rng = np.random.default_rng(11)
    x, y = rng.uniform(left, right, count), rng.uniform(low, high, count)
    # Edges and corners too.
    x[:8] = [left, left, right, right, left, right, (left + right) / 2, (left + right) / 2]
    y[:8] = [low, high, low, high, (low + high) / 2, (low + high) / 2, low, high]
    return x, y


def off(wcs, x, y, ra, dec):
    """Distance in pixels of places from those that a gwcs gives pixels, by its own slopes."""
    given = wcs(x, y, with_bounding_box=False)[:2]
    step = [
        SkyCoord(*wcs(x + i, y + j, with_bounding_box=False)[:2], unit="deg").separation(
            SkyCoord(*given, unit="deg")
        )
        for i, j in ((1, 0), (0, 1))
    ]
    scale = np.nanmedian(np.maximum(*(s.arcsec for s in step)))
    there = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(*given, unit="deg"))
    return there.arcsec / scale


def assert_lines_are_true(wcs, lines):
    """Each line keeps, along it, within 0.05 pixel of where gwcs has its value."""
    assert lines
    for line in lines:
        x = np.concatenate([line.x, (line.x[1:] + line.x[:-1]) / 2])
        y = np.concatenate([line.y, (line.y[1:] + line.y[:-1]) / 2])
        axis = 0 if line.kind == "ra" else 1

        def value(x, y, axis=axis):
            return np.asarray(wcs(x, y, with_bounding_box=False)[axis])

        error = value(x, y) - line.value
        error = (error + 180) % 360 - 180
        slope = np.hypot(
            value(x + 0.5, y) - value(x - 0.5, y), value(x, y + 0.5) - value(x, y - 0.5)
        )
        assert np.abs(error / slope).max() < 0.05


# ---- practice exposures -------------------------------------------------------------------


@pytest.mark.peer
@pytest.mark.parametrize("name", EXPOSURES)
def test_a_practice_exposure_has_the_sky_of_its_gwcs(with_wcs, practice_archive, name):
    path, wcs, model = with_wcs(name)
    sky = open_sky(path)
    assert sky.source == "gwcs"
    x, y = everywhere(sky.box)
    expected = wcs(x, y)
    assert off(wcs, x, y, *sky.to_sky(x, y)).max() < 1e-5
    assert off(wcs, x, y, *sky.to_sky(x, y, fast=True)).max() < 0.02
    for fast in (False, True):
        back = sky.to_pixel(*expected, fast=fast, outside=True)
        assert np.hypot(back[0] - x, back[1] - y).max() < 0.02
    # The inverse that the gwcs brings is itself an approximation.
    own = wcs.invert(*expected, with_bounding_box=False)
    exact = sky.to_pixel(*expected, outside=True)
    assert np.hypot(exact[0] - own[0], exact[1] - own[1]).max() < 0.05
    xlim, ylim = sky.box[:2], sky.box[2:]
    assert_lines_are_true(wcs, graticule(sky, xlim, ylim))
    assert_lines_are_true(wcs, graticule(sky, (-30, xlim[1] / 2), (9, 55), outside=True))
    # From memory as from the file.
    again = open_sky(model)
    assert np.array_equal(again.to_sky(x, y), sky.to_sky(x, y))
    assert again.epoch == sky.epoch
    assert again.pointing == sky.pointing
    # Before the step the keywords and the aperture file tell the same.
    raw = open_sky(practice_archive / "uncal" / f"{name}_uncal.fits")
    assert "SIAF" in raw.source
    assert raw.shape == sky.shape
    assert off(wcs, x, y, *raw.to_sky(x, y)).max() < 0.05


@pytest.mark.peer
def test_a_whole_detector_has_a_grid_that_is_good_everywhere(with_wcs):
    path, wcs, _ = with_wcs(EXPOSURES[0], full_frame=True)
    sky = open_sky(path)
    assert sky.box == (-0.5, 2047.5, -0.5, 2047.5)
    x, y = everywhere(sky.box, 20_000)
    expected = wcs(x, y)
    assert off(wcs, x, y, *sky.to_sky(x, y, fast=True)).max() < 0.02
    back = sky.to_pixel(*expected, fast=True, outside=True)
    assert np.hypot(back[0] - x, back[1] - y).max() < 0.02
    lines = graticule(sky, (-0.5, 2047.5), (-0.5, 2047.5))
    assert_lines_are_true(wcs, lines)
    # An affine map would be off by many pixels here.
    affine = np.linalg.lstsq(
        np.stack([np.ones_like(x), x, y], 1), np.stack(expected, 1), rcond=None
    )[0]
    linear = (np.stack([np.ones_like(x), x, y], 1) @ affine).T
    assert off(wcs, x, y, *linear).max() > 5


@pytest.mark.peer
def test_the_outline_of_the_detector_is_the_image(with_wcs):
    path, _, _ = with_wcs(EXPOSURES[0], full_frame=True)
    sky = open_sky(path)
    (outline,) = aperture_outlines(sky.pointing, "nircam", "NRCA5_FULL")
    x, y = outline.in_pixels(sky)
    # Along each of its bent edges, one coordinate is that of the image's edge.
    edge = np.minimum(np.abs(np.abs(x - 1023.5) - 1024), np.abs(np.abs(y - 1023.5) - 1024))
    assert edge.max() < 0.05
    assert (x[0], y[0]) == pytest.approx((x[-1], y[-1]))


@pytest.mark.peer
def test_images_of_two_instruments_are_linked_by_the_sky(with_wcs):
    (first, wcs, _), (second, other, _) = with_wcs(EXPOSURES[0]), with_wcs(EXPOSURES[2])
    joined = link(open_sky(first), open_sky(second))
    x, y = everywhere((100, 500, 100, 500))
    there = joined.pixels(x, y)
    assert off(other, *there, *wcs(x, y)).max() < 0.05
    found = joined.resampling((99.5, 500.5), (99.5, 500.5), 401, 401)
    columns, rows = found.columns[::40, ::40], found.rows[::40, ::40]
    exact = other.invert(*wcs(*np.meshgrid(np.arange(100, 501, 40.0), np.arange(100, 501, 40.0))))
    assert np.abs(columns - exact[0]).max() < 0.56
    assert np.abs(rows - exact[1]).max() < 0.56


# ---- the practice archive's truth ---------------------------------------------------------


@pytest.mark.parametrize("name", EXPOSURES)
def test_stars_are_where_the_truth_has_them(practice_archive, name):
    with fits.open(practice_archive / "truth" / f"{name}_truth.fits") as truth:
        stars, header = Table(truth["STARS"].data), truth[0].header
    pointing = Pointing(*(header[key] for key in ("V2", "V3", "RA", "DEC", "ROLL")))
    with open_exposure(practice_archive / "uncal" / f"{name}_uncal.fits") as exposure:
        facts = replace(facts_of_exposure(exposure), pointing=pointing)
    sky = Sky(projection_of_pointing(facts))
    catalogue = Catalogue.from_table(practice_archive / "truth" / "stars.ecsv")
    seen = catalogue.in_view(sky, sky.box[:2], sky.box[2:])
    place = {int(star): k for k, star in enumerate(stars["star"])}
    both = [k for k, star in enumerate(seen.index) if int(star) in place]
    assert len(both) > 20
    order = [place[int(star)] for star in seen.index[both]]
    assert np.abs(seen.x[both] - stars["x"][order]).max() < 0.05
    assert np.abs(seen.y[both] - stars["y"][order]).max() < 0.05


def test_residuals_show_how_wrong_the_pointing_is(practice_archive):
    name = EXPOSURES[0]
    sky = open_sky(practice_archive / "uncal" / f"{name}_uncal.fits")
    stars = Table.read(practice_archive / "truth" / f"{name}_truth.fits", hdu="STARS")
    catalogue = Catalogue.from_table(practice_archive / "truth" / "stars.ecsv")
    result = residuals(sky, catalogue, stars, radius=3)
    told = result.statistics
    assert told.kept > 100
    # The same shift for all: it is the telescope that points elsewhere.
    assert max(told.mad_x, told.mad_y) < 0.02
    assert np.hypot(told.median_x, told.median_y) > 0.1
    assert told.rms == pytest.approx(np.hypot(told.median_x, told.median_y), abs=0.02)


def test_spectra_without_a_wcs_have_no_sky(practice_archive):
    name = "jw99009001001_02101_00001_nrs1"
    with pytest.raises(InputError, match="NRS_MSASPEC"):
        open_sky(practice_archive / "uncal" / f"{name}_uncal.fits")


# ---- real files ---------------------------------------------------------------------------


def test_real_miri_mosaics_have_the_sky_of_their_gwcs():
    from stdatamodels.jwst import datamodels

    for path in real("miri_i2d/*.fits"):
        with datamodels.open(path) as model:
            wcs, shape = model.meta.wcs, model.data.shape
        sky = open_sky(path)
        assert sky.source == "gwcs"
        assert sky.shape == shape
        x, y = everywhere((-0.5, shape[1] - 0.5, -0.5, shape[0] - 0.5))
        expected = wcs(x, y)
        ra, dec = sky.to_sky(x, y)
        assert np.array_equal(np.isnan(ra), np.isnan(expected[0]))
        inside = np.isfinite(ra)
        assert off(wcs, x, y, ra, dec)[inside].max() < 1e-5
        assert off(wcs, x, y, *sky.to_sky(x, y, fast=True))[inside].max() < 0.02
        back = sky.to_pixel(ra[inside], dec[inside], fast=True, outside=True)
        assert np.hypot(back[0] - x[inside], back[1] - y[inside]).max() < 0.02
        assert_lines_are_true(wcs, graticule(sky, (-0.5, shape[1] - 0.5), (-0.5, shape[0] - 0.5)))
        keywords = fits.getheader(path, "SCI")
        assert sky.epoch.isot.startswith(fits.getheader(path)["DATE-OBS"][:10])
        assert float(sky.pixel_scale(60, 60)) == pytest.approx(keywords["CDELT1"] * 3600, rel=1e-3)


def test_a_real_slit_has_the_sky_of_its_gwcs_and_lines_along_it():
    from stdatamodels.jwst import datamodels

    (path,) = real("nirspec_msa/*.fits")
    model = datamodels.open(path)
    wcs, wavelength = model.meta.wcs, np.array(model.wavelength)
    sky = open_sky(path)
    assert sky.dispersed
    x, y = everywhere(sky.box)
    expected = wcs(x, y)
    ra, dec = sky.to_sky(x, y)
    assert np.array_equal(np.isnan(ra), np.isnan(expected[0]))
    seen = np.isfinite(ra)
    assert off(wcs, x, y, ra, dec)[seen].max() < 1e-6
    quick = sky.to_sky(x, y, fast=True)
    both = seen & np.isfinite(quick[0])
    assert np.array_equal(seen, both)
    assert off(wcs, x, y, *quick)[both].max() < 0.02
    lines = graticule(sky, (-0.5, 340.5), (-0.5, 24.5))
    assert {line.kind for line in lines} == {"ra", "dec"}
    assert_lines_are_true(wcs, lines)
    columns, rows = np.meshgrid(np.arange(341), np.arange(25))
    ours = sky.wavelength(columns, rows)
    known = np.isfinite(wavelength) & np.isfinite(ours) & (wavelength > 0)
    assert known.sum() > 3000
    assert np.abs(ours - wavelength)[known].max() < 1e-5
    told = sky.readout(100.0, 12.0)
    assert told.wavelength == pytest.approx(float(wcs(100.0, 12.0)[2]), rel=1e-6)
    assert " um" in told.text
    back = sky.to_pixel(told.ra, told.dec, wavelength=told.wavelength)
    assert (float(back[0]), float(back[1])) == pytest.approx((100, 12), abs=0.05)
    with pytest.raises(UsageError, match="whole spectrum"):
        sky.to_pixel(told.ra, told.dec)


def test_a_sky_outlives_the_file_that_it_was_read_from():
    for path in (*real("nirspec_msa/*.fits"), *real("miri_i2d/*.fits")):
        sky = open_sky(path)
        gc.collect()
        assert np.isfinite(sky.to_sky(100.0, 12.0)).all()


def test_a_gwcs_that_cannot_be_evaluated_is_refused_in_a_sentence():
    (path,) = real("nirspec_msa/*.fits")
    with fits.open(path) as product:
        content = product["ASDF"].data["ASDF_METADATA"].tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Nothing keeps the file, so what is read when it is used cannot be read any more.
        wcs = asdf.open(io.BytesIO(content)).tree["meta"]["wcs"]
        gc.collect()
    with pytest.raises(InputError, match="its gwcs cannot be evaluated"):
        open_sky(wcs)


def test_a_real_guider_exposure_has_the_sky_of_its_keywords():
    from astropy.wcs import WCS

    (path,) = real("fgs/*.fits")
    sky = open_sky(path)
    assert sky.source == "FITS WCS keywords"
    wcs = WCS(fits.getheader(path, "SCI"), naxis=2)
    expected = wcs.all_pix2world(65, 97, 0)
    ours = sky.to_sky(65, 97)
    assert SkyCoord(*ours, unit="deg").separation(SkyCoord(*expected, unit="deg")).mas < 0.01
    assert sky.pointing is None
    with pytest.raises(InputError, match="how the telescope was turned"):
        aperture_outlines(sky.pointing)


def test_a_real_ground_test_has_no_sky():
    (path,) = real("miri_ground/*.fits")
    with pytest.raises(InputError, match="does not say where it looks"):
        open_sky(path)


@pytest.mark.parametrize("damage", ["cut", "garbled"])
def test_a_damaged_gwcs_is_replaced_only_openly(tmp_path, damage):
    (path,) = real("nirspec_msa/*.fits")
    broken = tmp_path / "broken_phot.fits"
    with fits.open(path) as product:
        tree = product["ASDF"].data["ASDF_METADATA"]
        content = tree.tobytes()
        half = len(content) // 2
        content = content[:half] + (b"\x00" if damage == "cut" else b"?") * (len(content) - half)
        tree[...] = np.frombuffer(content, tree.dtype).reshape(tree.shape)
        product.writeto(broken)
    with pytest.raises(InputError, match=r"ASDF|gwcs"):
        open_sky(broken)


# ---- apertures ----------------------------------------------------------------------------

POINTING = Pointing(85.92656, -493.502537, 0.001, -69.4975, 37.0)


@pytest.mark.parametrize(
    ("instrument", "name"),
    [
        ("NIRCam", "NRCA5_FULL"),
        ("NIRSpec", "NRS_S200A1_SLIT"),
        ("NIRSpec", "NRS_FULL_MSA3"),
        ("MIRI", "MIRIM_FULL"),
        ("FGS", "FGS1_FULL"),
    ],
)
def test_outlines_are_where_pysiaf_has_them(instrument, name):
    import pysiaf
    from pysiaf.utils.rotations import attitude_matrix

    aperture = pysiaf.Siaf(instrument)[name]
    aperture.set_attitude_matrix(
        attitude_matrix(POINTING.v2, POINTING.v3, POINTING.ra, POINTING.dec, POINTING.roll)
    )
    ra, dec = aperture.corners("sky", rederive=False)
    expected = SkyCoord(ra, dec, unit="deg")
    (outline,) = aperture_outlines(POINTING, instrument, name)
    assert (outline.instrument, outline.name) == (instrument, name)
    ours = SkyCoord(outline.ra, outline.dec, unit="deg")
    assert ours[0].separation(ours[-1]).mas < 1e-3
    # Corners on the sky of pysiaf are those of the ideal frame, rounded in its table.
    assert max(corner.separation(ours).min().arcsec for corner in expected) < 0.02


def test_apertures_are_chosen_by_instrument_and_pattern():
    names = aperture_names("nircam", "NRCA[1-5]_FULL")
    assert names == [("NIRCam", f"NRCA{n}_FULL") for n in range(1, 6)]
    main = {outline.name for outline in aperture_outlines(POINTING)}
    assert {"NRCB4_FULL", "NRS_FULL_MSA1", "NIS_CEN", "MIRIM_FULL", "FGS2_FULL"} <= main
    assert len(aperture_names(("FGS", "NIRISS"), "*")) > 50
    with pytest.raises(UsageError, match="HST"):
        aperture_names("HST")
    with pytest.raises(UsageError, match="no aperture"):
        aperture_outlines(POINTING, "MIRI", "NRCA1_FULL")


def test_every_aperture_that_sees_the_sky_has_an_outline():
    for instrument in ("NIRSpec", "NIRISS", "FGS"):
        outlines = aperture_outlines(POINTING, instrument, "*")
        assert len(outlines) > 30
        for outline in outlines:
            assert np.isfinite([outline.ra, outline.dec]).all()


def test_outlines_of_the_whole_focal_plane_are_drawn_far_outside_an_image(practice_archive):
    sky = open_sky(practice_archive / "uncal" / f"{EXPOSURES[0]}_uncal.fits")
    for outline in aperture_outlines(sky.pointing, names=MAIN):
        x, y = outline.in_pixels(sky)
        assert np.isfinite([x, y]).all()
        # Extrapolated, but not astray: a place keeps its distance within a part in fifty.
        there = SkyCoord(outline.ra, outline.dec, unit="deg")
        centre = SkyCoord(*sky.to_sky(320, 320), unit="deg")
        pixels = np.hypot(x - 320, y - 320) * float(sky.pixel_scale(320, 320))
        assert pixels == pytest.approx(there.separation(centre).arcsec, rel=0.02, abs=0.5)
