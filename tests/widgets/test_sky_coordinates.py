"""Coordinates of images: exact, fast, at the poles, at the edges, and where there are none."""

from types import SimpleNamespace

import gwcs
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import FK5, ICRS, SkyCoord
from astropy.io import fits
from astropy.modeling import models
from astropy.time import Time
from astropy.wcs import WCS
from gwcs import coordinate_frames as cf
from gwcs import selector
from hypothesis import given, settings
from hypothesis import strategies as st

from upramp.errors import InputError, UsageError
from upramp.exposure import open_exposure
from upramp_widgets.core.sky import Sky
from upramp_widgets.core.sky_open import open_sky
from upramp_widgets.core.sky_plane import Plane, local_axes, separation, to_degrees, to_vectors
from upramp_widgets.core.sky_projection import Projection

SCALE = 0.063 / 3600


def tan_wcs(ra, dec, *, turn=30.0, size=300, scale=SCALE, frame="RA---TAN DEC--TAN", flip=1):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = frame.split()
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [size / 2, size / 2]
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    wcs.wcs.cd = scale * np.array([[-flip * c, s], [flip * s, c]])
    wcs.wcs.set()
    return wcs


def tan_sky(ra, dec, **options):
    size = options.get("size", 300)
    return open_sky(tan_wcs(ra, dec, **options), shape=(size, size))


def distorted_gwcs(ra, dec, *, size=2048, bend=1e-5, box=True, frame=None):
    """A gwcs with a polynomial distortion of tens of pixels and no inverse of its own."""
    shift = models.Shift(-size / 2) & models.Shift(-size / 2)
    polynomial = [
        models.Polynomial2D(
            3, c1_0=SCALE, c2_0=bend * SCALE, c1_1=bend * SCALE, c0_3=1e-9 * SCALE
        ),
        models.Polynomial2D(3, c0_1=SCALE, c0_2=-bend * SCALE, c2_1=1e-9 * SCALE),
    ]
    sky = models.Pix2Sky_TAN() | models.RotateNative2Celestial(ra, dec, 150)
    transform = shift | models.Mapping((0, 1, 0, 1)) | polynomial[0] & polynomial[1] | sky
    world = cf.CelestialFrame(reference_frame=frame or ICRS(), name="world")
    wcs = gwcs.WCS([(cf.Frame2D(name="detector"), transform), (world, None)])
    if box:
        wcs.bounding_box = ((-0.5, size - 0.5), (-0.5, size - 0.5))
    return wcs


def warped_sky(warp, *, size=300):
    """An image whose pixels see what other pixels of a plain image would."""
    wcs = tan_wcs(10.0, 20.0)
    return Sky(
        Projection(
            lambda x, y: tuple(wcs.all_pix2world(*warp(x, y), 0)),
            (-0.5, size - 0.5, -0.5, size - 0.5),
            "a test",
        )
    )


def sliced_gwcs(size=40):
    """Two slices of an image slicer with a gap of dark rows between, as an IFU's detector."""
    labels = np.zeros((size, size), int)
    labels[:, 2:18], labels[:, 22:38] = 1, 2
    slices = {
        number: models.Mapping((0, 1, 1))
        | (models.Scale(SCALE) | models.Shift(start))
        & (models.Const1D(0.001 * number) | models.Shift(10.0))
        & models.Linear1D(0.01, 5.0)
        for number, start in ((1, 50.0), (2, 50.0))
    }
    transform = selector.RegionsSelector(
        ("x", "y"),
        ("ra", "dec", "lam"),
        label_mapper=selector.LabelMapperArray(labels),
        selector=slices,
    )
    world = cf.CompositeFrame(
        [
            cf.CelestialFrame(reference_frame=ICRS(), axes_order=(0, 1), name="sky"),
            cf.SpectralFrame(axes_order=(2,), unit=(u.um,), name="spectral"),
        ],
        name="world",
    )
    wcs = gwcs.WCS([(cf.Frame2D(name="detector"), transform), (world, None)])
    wcs.bounding_box = ((-0.5, size - 0.5), (-0.5, size - 0.5))
    return wcs


def everywhere(sky, count=500, seed=1):
    left, right, low, high = sky.box
    rng = np.random.default_rng(seed)
    return rng.uniform(left, right, count), rng.uniform(low, high, count)


def pixels_apart(sky, first, second):
    """Distance of places on the sky in the image's pixels."""
    scale = np.radians(float(sky.pixel_scale(*centre_of(sky))) / 3600)
    return separation(to_vectors(*first), to_vectors(*second)) / scale


def centre_of(sky):
    left, right, low, high = sky.box
    return (left + right) / 2, (low + high) / 2


# ---- the sphere ---------------------------------------------------------------------------


@given(ra=st.floats(0, 359.999), dec=st.floats(-90, 90))
def test_vectors_lead_back_to_the_same_place(ra, dec):
    back = to_vectors(*to_degrees(to_vectors(ra, dec)))
    assert float(separation(back, to_vectors(ra, dec))) < 1e-15


@given(
    ra=st.floats(0, 360),
    dec=st.floats(-90, 90),
    x=st.floats(-1.2, 1.2),
    y=st.floats(-1.2, 1.2),
)
def test_the_plane_leads_back_wherever_it_is(ra, dec, x, y):
    plane = Plane.around(to_vectors([ra], [dec]))
    places = np.array([[x], [y]])
    assert np.allclose(plane.project(plane.vectors(places)), places, rtol=0, atol=1e-13)


def test_right_ascension_never_reaches_a_full_turn():
    ra, _ = to_degrees(np.array([1.0, -1e-20, 0.0]))
    assert float(ra) == 0.0


def test_north_is_right_ascension_zero_at_a_pole():
    east, north = local_axes(np.array([0.0, 0.0, 1.0]))
    assert np.allclose(east, [0, 1, 0])
    assert np.allclose(north, [-1, 0, 0])


# ---- exact and fast -----------------------------------------------------------------------

PLACES = [
    (0.0, 0.0),
    (0.001, 20.0),
    (359.9999, -45.0),
    (123.0, 89.999),
    (10.0, 90.0),
    (7.0, -90.0),
]


@pytest.mark.parametrize(("ra", "dec"), PLACES)
@pytest.mark.parametrize("make", [tan_wcs, distorted_gwcs])
def test_exact_ways_are_those_of_the_wcs_and_lead_back(make, ra, dec):
    wcs = make(ra, dec)
    sky = open_sky(wcs, shape=(300, 300))
    x, y = everywhere(sky)
    expected = wcs(x, y) if make is distorted_gwcs else wcs.all_pix2world(x, y, 0)
    assert pixels_apart(sky, sky.to_sky(x, y), expected).max() < 1e-6
    located = sky.locate(*expected)
    assert located.found.all()
    assert not located.outside.any()
    assert located.problem == ""
    assert np.hypot(located.x - x, located.y - y).max() < 1e-5


@pytest.mark.parametrize(("ra", "dec"), PLACES)
@pytest.mark.parametrize("make", [tan_wcs, distorted_gwcs])
def test_fast_ways_are_within_a_fiftieth_of_a_pixel(make, ra, dec):
    sky = open_sky(make(ra, dec), shape=(300, 300))
    x, y = everywhere(sky, 3000)
    exact = sky.to_sky(x, y)
    assert sky.grids.forward_error < 0.02
    assert sky.grids.inverse_error < 0.02
    assert pixels_apart(sky, sky.to_sky(x, y, fast=True), exact).max() < 0.02
    fast = sky.locate(*exact, fast=True)
    assert np.hypot(fast.x - x, fast.y - y).max() < 0.02


def test_the_grid_is_refined_where_the_distortion_asks_for_it():
    gentle = warped_sky(lambda x, y: (x + 0.01 * y, y))
    assert gentle.grids.forward.across.count == 9
    wavy = warped_sky(lambda x, y: (x + 3 * np.sin(y / 30), y + 2 * np.cos(x / 40)))
    assert wavy.grids.forward.across.count > 17
    x, y = everywhere(wavy, 5000)
    exact = wavy.to_sky(x, y)
    assert pixels_apart(wavy, wavy.to_sky(x, y, fast=True), exact).max() < 0.02
    fast = wavy.to_pixel(*exact, fast=True, outside=True)
    assert np.hypot(fast[0] - x, fast[1] - y).max() < 0.02


def test_what_no_grid_resolves_stays_exact():
    broken = warped_sky(lambda x, y: (x + 5 * (y > 100), y))
    assert broken.grids.forward is None
    x, y = everywhere(broken)
    exact = broken.to_sky(x, y)
    assert np.array_equal(broken.to_sky(x, y, fast=True), exact)
    fast = broken.to_pixel(*exact, fast=True)
    assert np.hypot(fast[0] - x, fast[1] - y).max() < 1e-4


def test_sip_distortion_is_followed():
    header = tan_wcs(10, 20).to_header(relax=True)
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    header["A_ORDER"], header["B_ORDER"] = 2, 2
    header["A_2_0"], header["B_0_2"] = 2e-4, -1e-4
    sky = open_sky(header, shape=(300, 300))
    wcs = WCS(header)
    x, y = everywhere(sky)
    assert pixels_apart(sky, sky.to_sky(x, y), wcs.all_pix2world(x, y, 0)).max() < 1e-7
    back = sky.to_pixel(*wcs.all_pix2world(x, y, 0))
    assert np.hypot(back[0] - x, back[1] - y).max() < 1e-5
    # Which the linear part alone would miss.
    linear = wcs.wcs_pix2world(x, y, 0)
    assert pixels_apart(sky, linear, wcs.all_pix2world(x, y, 0)).max() > 1


@pytest.mark.parametrize("frame", ["GLON-TAN GLAT-TAN", "DEC--TAN RA---TAN"])
def test_other_frames_and_orders_become_icrs(frame):
    wcs = tan_wcs(40.0, 30.0, frame=frame)
    sky = open_sky(wcs, shape=(300, 300))
    x, y = everywhere(sky, 50)
    expected = SkyCoord(wcs.pixel_to_world(x, y)).icrs
    assert pixels_apart(sky, sky.to_sky(x, y), (expected.ra.deg, expected.dec.deg)).max() < 1e-5
    back = sky.to_pixel(expected.ra.deg, expected.dec.deg)
    assert np.hypot(back[0] - x, back[1] - y).max() < 1e-4


def test_a_gwcs_in_another_equinox_becomes_icrs():
    wcs = distorted_gwcs(40, 30, frame=FK5(equinox="J1975"))
    sky = open_sky(wcs)
    x, y = everywhere(sky, 20)
    expected = wcs.pixel_to_world(x, y).icrs
    assert pixels_apart(sky, sky.to_sky(x, y), (expected.ra.deg, expected.dec.deg)).max() < 1e-5


def test_an_image_of_the_whole_sky_is_found_again():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---AIT", "DEC--AIT"]
    wcs.wcs.crpix, wcs.wcs.cdelt = [181, 91], [-0.9, 0.9]
    sky = open_sky(wcs, shape=(180, 360))
    x, y = np.meshgrid(np.arange(100, 260, 7.0), np.arange(60, 120, 7.0))
    located = sky.locate(*sky.to_sky(x, y))
    assert located.found.all()
    assert np.hypot(located.x - x, located.y - y).max() < 1e-4
    # The corners of such a map show no sky.
    assert np.isnan(sky.to_sky(0.0, 0.0)).all()


# ---- edges --------------------------------------------------------------------------------


def test_outside_the_bounding_box_is_nothing_or_extrapolated():
    wcs = distorted_gwcs(0.0, 10.0)
    sky = open_sky(wcs)
    x, y = np.array([-0.5, -0.51, 2047.5, 2047.51, -80.0]), np.full(5, 100.0)
    assert sky.is_outside(x, y).tolist() == [False, True, False, True, True]
    for fast in (False, True):
        assert np.isnan(sky.to_sky(x, y, fast=fast)[0]).tolist() == [
            False,
            True,
            False,
            True,
            True,
        ]
        beyond = sky.to_sky(x, y, fast=fast, outside=True)
        assert pixels_apart(sky, beyond, wcs(x, y, with_bounding_box=False)).max() < 0.02
    located = sky.locate(*sky.to_sky(x, y, outside=True))
    assert located.outside.tolist()[-1]
    assert np.abs(located.x - x).max() < 1e-5
    assert np.isnan(sky.to_pixel(*sky.to_sky(-80.0, 100.0, outside=True))[0])


def test_far_outside_fast_extrapolation_stays_continuous():
    sky = open_sky(distorted_gwcs(0.0, 10.0))
    x = np.linspace(-4000, 6000, 2001)
    v = sky.vectors(x, 1000.0)
    steps = separation(v[:, 1:], v[:, :-1]) / np.radians(SCALE)
    assert np.abs(steps / 5 - 1).max() < 0.1


def test_a_place_on_the_other_side_of_the_sky_is_said_to_have_no_pixel():
    sky = tan_sky(10, 20)
    located = sky.locate([10.0, 190.0, np.nan], [20.0, -20.0, 5.0])
    assert located.found.tolist() == [True, False, False]
    assert located.problem.startswith("2 of 3 places could not be found")
    assert np.isnan(located.x[1:]).all()
    assert located.outside[1:].all()


def test_an_inverse_that_does_not_converge_says_so():
    # The map turns back at x = 150: no pixel leads to what would be at 200.
    folded = warped_sky(lambda x, y: (x - x**2 / 300, y), size=100)
    straight = tan_sky(10.0, 20.0)
    x, y = folded.to_pixel(*folded.to_sky(50.0, 60.0))
    assert (float(x), float(y)) == pytest.approx((50, 60), abs=1e-5)
    located = folded.locate(*straight.to_sky(200.0, 60.0))
    assert not bool(located.found)
    assert bool(located.outside)
    assert np.isnan(located.x)
    assert "did not converge" in located.problem


def test_nan_in_is_nan_out_for_numbers_and_arrays():
    sky = tan_sky(10, 20)
    assert np.isnan(sky.to_sky(np.nan, 3.0)).all()
    ra, dec = sky.to_sky([[1.0, np.nan]], [[2.0], [3.0]], fast=True)
    assert ra.shape == dec.shape == (2, 2)
    assert np.isnan(ra[:, 1]).all()
    assert np.isfinite(ra[:, 0]).all()
    x, y = sky.to_pixel(np.nan, 3.0, fast=True)
    assert np.isnan(x)
    assert np.isnan(y)
    assert bool(sky.is_outside(np.nan, 0))


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1)])
def test_images_of_a_pixel_or_a_row_have_a_sky(shape):
    wcs = tan_wcs(0.0, 0.0)
    sky = open_sky(wcs, shape=shape)
    y, x = shape[0] - 1, shape[1] - 1
    exact = wcs.all_pix2world(x, y, 0)
    assert pixels_apart(sky, sky.to_sky(x, y, fast=True), exact) < 0.02
    back = sky.to_pixel(*exact, fast=True)
    assert np.hypot(back[0] - x, back[1] - y) < 0.02


def test_arguments_are_not_changed():
    sky = open_sky(distorted_gwcs(0.0, 10.0))
    x, y = everywhere(sky, 10)
    kept = x.copy(), y.copy()
    x.flags.writeable = y.flags.writeable = False
    sky.to_pixel(*sky.to_sky(x, y, fast=True), fast=True)
    assert np.array_equal(x, kept[0])
    assert np.array_equal(y, kept[1])


# ---- at a pixel ---------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(turn=st.floats(0, 360), ra=st.floats(0, 360), dec=st.floats(-89, 89))
def test_scale_and_angle_are_those_of_the_wcs(turn, ra, dec):
    sky = tan_sky(ra, dec, turn=turn, size=30)
    assert float(sky.pixel_scale(14, 14)) == pytest.approx(0.063, rel=1e-6)
    # In this matrix a positive turn takes north to the left of up: the axis is west of north.
    difference = (float(sky.position_angle(14, 14)) - turn + 180) % 360 - 180
    assert abs(difference) < 0.01


def test_a_readout_tells_the_place_in_words():
    sky = tan_sky(0.0, -10.0, turn=0.0)
    told = sky.readout(149.0, 149.0)
    assert "00:00:00.000" in told.text
    assert "\N{MINUS SIGN}10:00:00.00" in told.text
    assert not told.outside
    assert sky.readout(-5, 10).text.endswith("outside the bounding box")


# ---- spectra ------------------------------------------------------------------------------


def test_slices_with_a_gap_have_a_sky_and_no_pixel_for_a_place():
    wcs = sliced_gwcs()
    sky = open_sky(wcs)
    assert sky.dispersed
    assert sky.wavelength_unit == "um"
    x, y = np.meshgrid(np.arange(40.0), np.arange(40.0))
    expected = wcs(x, y)
    ra, dec = sky.to_sky(x, y, fast=True)
    assert np.array_equal(np.isnan(ra), np.isnan(expected[0]))
    assert np.nanmax(np.abs(ra - expected[0])) < 0.02 * SCALE
    assert np.nanmax(np.abs(dec - expected[1])) < 0.02 * SCALE
    assert np.allclose(sky.wavelength(x, y, fast=True), expected[2], equal_nan=True)
    assert "5.10000 um" in sky.readout(5, 10).text
    assert "no sky here" in sky.readout(20, 10).text
    for ask in (
        lambda: sky.to_pixel(50.0, 10.0),
        lambda: sky.pixel_scale(5, 5),
        lambda: sky.pixels_of(to_vectors(50.0, 10.0)),
    ):
        with pytest.raises(UsageError, match="this image"):
            ask()


def test_a_cube_has_the_sky_of_its_planes():
    celestial = distorted_gwcs(5, 6).forward_transform
    world = cf.CompositeFrame(
        [
            cf.CelestialFrame(reference_frame=ICRS(), axes_order=(0, 1), name="sky"),
            cf.SpectralFrame(axes_order=(2,), unit=(u.um,), name="spectral"),
        ]
    )
    frame = cf.CoordinateFrame(3, ["SPATIAL"] * 3, (0, 1, 2), unit=[u.pix] * 3, name="detector")
    wcs = gwcs.WCS([(frame, celestial & models.Linear1D(0.1, 1.0)), (world, None)])
    wcs.bounding_box = ((-0.5, 49.5), (-0.5, 39.5), (-0.5, 9.5))
    for plane in (0, 7):
        sky = open_sky(wcs, inputs=() if plane == 0 else (plane,))
        assert not sky.dispersed
        assert float(sky.wavelength(3, 4)) == pytest.approx(1 + 0.1 * plane)
        ra, dec, _ = wcs(3.0, 4.0, float(plane))
        x, y = sky.to_pixel(ra, dec)
        assert (float(x), float(y)) == pytest.approx((3, 4), abs=1e-5)


def test_a_slit_is_chosen_by_name_or_place():
    slits = [
        SimpleNamespace(
            name=name,
            meta=SimpleNamespace(wcs=distorted_gwcs(ra, 6.0, size=50)),
            data=np.zeros((50, 50)),
        )
        for name, ra in (("5", 10.0), ("left", 20.0))
    ]
    model = SimpleNamespace(meta=SimpleNamespace(filename="x_cal.fits"), slits=slits)
    for slit, ra in ((0, 10), ("5", 10), ("left", 20), (1, 20)):
        sky = open_sky(model, slit=slit)
        assert float(sky.to_sky(25.0, 25.0)[0]) == pytest.approx(ra, abs=1e-3)
        assert sky.shape == (50, 50)
    for slit, problem in ((None, "several slits"), (2, "no slit 2"), ("right", "no slit 'right'")):
        with pytest.raises(InputError, match=f"it has {problem}.*one of 5, left"):
            open_sky(model, slit=slit)
    model.slits = slits[:1]
    assert open_sky(model).shape == (50, 50)


def test_an_open_exposure_is_an_image(tmp_path):
    path = tmp_path / "image.fits"
    header = tan_wcs(0.0, 5.0).to_header()
    fits.PrimaryHDU(np.zeros((20, 30), "f4"), header).writeto(path)
    with open_exposure(path) as exposure:
        sky = open_sky(exposure)
    assert sky.shape == (20, 30)
    assert open_sky(header, shape=(20, 30)).to_sky(3, 4) == sky.to_sky(3, 4)


# ---- what is no sky -----------------------------------------------------------------------


def test_what_has_no_sky_is_refused_in_a_sentence(tmp_path):
    plain = tmp_path / "plain.fits"
    fits.PrimaryHDU(np.zeros((5, 5), "f4")).writeto(plain)
    with pytest.raises(InputError, match="does not say where it looks"):
        open_sky(plain)
    with pytest.raises(InputError):
        open_sky(tmp_path / "missing.fits")
    linear = WCS(naxis=2)
    with pytest.raises(InputError, match="right ascension"):
        open_sky(linear, shape=(5, 5))
    with pytest.raises(InputError, match="does not know the image's size"):
        open_sky(tan_wcs(1, 2))
    with pytest.raises(InputError, match="no bounding box"):
        open_sky(distorted_gwcs(1, 2, box=False))
    with pytest.raises(InputError, match="holds no pixel"):
        open_sky(tan_wcs(1, 2), shape=(0, 5))
    with pytest.raises(UsageError, match="no image, model or WCS"):
        open_sky(42)
    flat = gwcs.WCS(
        [
            (cf.Frame2D(name="detector"), models.Identity(2)),
            (cf.Frame2D(name="focal"), None),
        ]
    )
    with pytest.raises(InputError, match="no place on the sky"):
        open_sky(flat, shape=(5, 5))


@pytest.mark.parametrize(("value", "problem"), [(np.nan, "no pixel has"), (5.0, "the same place")])
def test_a_wcs_that_sees_nothing_or_one_place_is_refused(value, problem):
    with pytest.raises(InputError, match=problem):
        Sky(
            Projection(
                lambda x, y: (np.full_like(x, value), np.full_like(y, value)),
                (-0.5, 9.5, -0.5, 9.5),
                "a test",
            )
        )


def test_a_fits_file_with_keywords_opens(tmp_path):
    header = tan_wcs(0.0, 5.0).to_header()
    header["DATE-OBS"] = "2025-06-24T01:02:03"
    path = tmp_path / "image.fits"
    fits.PrimaryHDU(np.zeros((200, 300), "f4"), header).writeto(path)
    sky = open_sky(path)
    assert sky.shape == (200, 300)
    assert sky.box == (-0.5, 299.5, -0.5, 199.5)
    assert sky.source == "FITS WCS keywords"
    assert sky.epoch == Time("2025-06-24T01:02:03")
    assert open_sky(sky) is sky


@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_truncated_files_are_refused_in_a_sentence(tmp_path, cut):
    path = tmp_path / "image.fits"
    fits.PrimaryHDU(np.zeros((200, 300), "f4"), tan_wcs(0.0, 5.0).to_header()).writeto(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * cut)])
    with pytest.raises(InputError):
        open_sky(path)
