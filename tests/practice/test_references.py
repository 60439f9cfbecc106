"""References hold the simulated detector's true character, as stdatamodels reads it."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.signal import convolve2d

from upramp.dq import PIXEL
from upramp.practice import irs2, miri, references
from upramp.practice.character import make_character
from upramp.practice.geometry import Subarray
from upramp.practice.instruments import DETECTORS
from upramp.practice.readout import _couple

SEED = 9
# Small detectors of the same kinds: the maps are drawn in the same way.
NIR = replace(DETECTORS["NRCALONG"], shape=(64, 80))
MIRI = replace(DETECTORS["MIRIMAGE"], shape=(60, 72))


def _whole(detector):
    ny, nx = detector.shape
    return Subarray("FULL", "", (1, 1), (nx, ny), (1.0, 1.0), 0.0, 0.0, 0.0, -1)


@pytest.fixture(scope="module", params=[NIR, MIRI], ids=["nir", "miri"])
def detector(request):
    return request.param


@pytest.fixture(scope="module")
def character(detector):
    return make_character(detector, SEED)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "reference.fits"


def _assert_within_half_a_step(path, name, truth):
    """A plane read back is the truth to half the step of its 16-bit integers."""
    with fits.open(path, do_not_scale_image_data=True) as hdus:
        header = hdus[name].header
        stored = hdus[name].data.dtype
        step = header.get("BSCALE", 1.0) if stored.kind in "iu" else 0.0
    assert step <= (float(truth.max()) - float(truth.min())) / 60_000 + 1e-30
    with fits.open(path) as hdus:
        back = hdus[name].data.astype(np.float64)
    rounding = np.spacing(np.abs(truth).max().astype(np.float32))
    assert np.abs(back - truth).max() <= step / 2 + rounding


def test_scaled_planes_are_true_within_half_a_step(path, detector, character):
    subarray = _whole(detector)
    references.gain(path, detector, subarray, character)
    _assert_within_half_a_step(path, "SCI", character.gain)
    references.read_noise(path, detector, subarray, character)
    _assert_within_half_a_step(path, "SCI", character.read_noise)
    references.superbias(path, detector, subarray, character, raw_irs2=False)
    _assert_within_half_a_step(path, "SCI", character.bias)
    references.saturation(path, detector, subarray, character)
    _assert_within_half_a_step(path, "SCI", character.saturation)


@given(
    data=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=3, max_side=6),
        # Steps between smaller numbers are below what float32 holds with all its digits.
        elements=st.floats(-1e5, 1e5, width=32).filter(lambda x: x == 0 or abs(x) > 1e-20),
    )
)
def test_any_plane_survives_scaling(data):
    hdu = references._scaled("SCI", data)
    stored = fits.HDUList.fromstring(_bytes_of(hdu))[1]
    step = (float(data.max()) - float(data.min())) / 65_000
    back = stored.data.astype(np.float64)
    assert back.shape == data.shape
    rounding = 2 * np.spacing(np.abs(data).max())
    assert np.abs(back - data).max() <= step / 2 * (1 + 1e-9) + rounding


def _bytes_of(hdu):
    import io

    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(content)
    return content.getvalue()


bits = st.integers(0, 31).map(lambda bit: 1 << bit)
flags = st.one_of(
    # One flag, neighbouring flags that fit a byte after scaling, and any at all.
    bits,
    st.integers(0, 255),
    st.tuples(st.integers(0, 255), st.integers(0, 24)).map(lambda t: t[0] << t[1]),
    st.integers(0, 2**32 - 1),
)


@given(values=st.lists(flags, min_size=1, max_size=6), data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_dq_planes_read_back_exactly(values, data):
    chosen = data.draw(st.lists(st.sampled_from([0, *values]), min_size=12, max_size=12))
    dq = np.array(chosen, np.uint32).reshape(3, 4)
    hdu = references._whole_dq(dq)
    stored = fits.HDUList.fromstring(_bytes_of(hdu))[1]
    np.testing.assert_array_equal(stored.data.astype(np.float64), dq.astype(np.float64))
    assert stored.name == "DQ"


@pytest.mark.parametrize(
    ("values", "bytes_each", "factor"),
    [
        ([0, 0], 1, 1),
        ([0, 255], 1, 1),
        ([0, 1 << 31], 1, 1 << 31),
        ([1 << 20, 255 << 20], 1, 1 << 20),
        ([2, 256], 1, 2),
        ([1, 256], 4, 1),
    ],
)
def test_dq_planes_are_bytes_where_they_can_be(values, bytes_each, factor):
    dq = np.array([values], np.uint32)
    hdu = references._whole_dq(dq)
    with fits.HDUList.fromstring(_bytes_of(hdu), do_not_scale_image_data=True) as hdus:
        assert abs(hdus[1].header["BITPIX"]) // 8 == bytes_each
        assert hdus[1].header.get("BSCALE", 1) == factor
    stored = fits.HDUList.fromstring(_bytes_of(hdu))[1]
    np.testing.assert_array_equal(stored.data.astype(np.float64), dq.astype(np.float64))


@pytest.mark.peer
def test_opened_by_stdatamodels(path, detector, character):
    from stdatamodels.jwst import datamodels

    subarray, shape = _whole(detector), detector.shape
    area = np.ones(shape, np.float32)
    area[:, 1::2] = 1.02

    def opened(model):
        return model(path)

    references.mask(path, detector, subarray, character, raw_irs2=False)
    with opened(datamodels.MaskModel) as model:
        assert model.dq.dtype == np.uint32
        np.testing.assert_array_equal(model.dq, character.dq)
        assert model.meta.subarray.name == "FULL"
        assert model.meta.pedigree == "SIMULATION"
    references.saturation(path, detector, subarray, character)
    with opened(datamodels.SaturationModel) as model:
        assert model.data.shape == shape
        assert model.dq.dtype == np.uint32
        unchecked = model.dq & PIXEL["NO_SAT_CHECK"] > 0
        np.testing.assert_array_equal(unchecked, ~character.light)
    references.gain(path, detector, subarray, character)
    with opened(datamodels.GainModel) as model:
        assert model.data.dtype.newbyteorder("=") == np.float32
        np.testing.assert_allclose(model.data, character.gain, rtol=1e-5)
    references.read_noise(path, detector, subarray, character)
    with opened(datamodels.ReadnoiseModel) as model:
        assert model.data.shape == shape
    references.flat(path, detector, subarray, character, area)
    with opened(datamodels.FlatModel) as model:
        assert model.data.dtype.newbyteorder("=") == np.float32
        bad = character.dq & PIXEL["DEAD"] > 0
        np.testing.assert_array_equal(model.dq & PIXEL["NO_FLAT_FIELD"] > 0, bad)
        good = character.light & ~bad
        expected = character.efficiency * area * detector.gain / character.gain
        np.testing.assert_allclose(model.data[good], expected[good], atol=2e-5)
        assert model.data[~good] == pytest.approx(1, abs=2e-5)
        assert model.err == pytest.approx(1e-4)
    references.pixel_area(path, detector, subarray, area, 9e-14)
    with opened(datamodels.PixelAreaModel) as model:
        assert model.meta.photometry.pixelarea_steradians == 9e-14
        np.testing.assert_allclose(model.data, area, atol=1e-6)


@pytest.mark.peer
@pytest.mark.parametrize("frames", [5])
def test_dark_grows_from_frame_to_frame(path, detector, character, frames):
    from stdatamodels.jwst import datamodels

    references.dark(
        path, detector, _whole(detector), character, frame_time=4.0, frames=frames, pattern="FAST"
    )
    model_class = datamodels.DarkMIRIModel if detector is MIRI else datamodels.DarkModel
    expected = (
        4.0 * np.arange(1, frames + 1)[:, None, None] * character.dark / character.gain
    ).astype(np.float32)
    with model_class(path) as model:
        assert model.data.dtype.newbyteorder("=") == np.float32
        assert model.meta.exposure.nframes == 1
        assert model.meta.exposure.groupgap == 0
        for cube in model.data if detector is MIRI else [model.data]:
            np.testing.assert_allclose(cube, expected, rtol=1e-5, atol=1e-4)
        assert model.dq.shape == ((2, 1, *detector.shape) if detector is MIRI else detector.shape)
        assert not np.any(model.dq)


def test_large_darks_are_scaled_and_true_within_half_a_step(path):
    # The rates of a real detector, with hot pixels that set the range.
    large = replace(NIR, shape=(1024, 1024))
    character = make_character(large, SEED)
    references.dark(
        path, large, _whole(large), character, frame_time=10.0, frames=2, pattern="RAPID"
    )
    rate = (character.dark / character.gain).astype(np.float64)
    _assert_within_half_a_step(path, "SCI", np.stack([10 * rate, 20 * rate]))


@pytest.mark.peer
def test_linearity_is_the_polynomial_of_the_signal_above_bias(path, detector, character):
    from stdatamodels.jwst import datamodels

    references.linearity(path, detector, _whole(detector), character, inverse=False)
    with datamodels.LinearityModel(path) as model:
        coefficients = model.coeffs.astype(np.float64)
        uncorrected = model.dq & PIXEL["NO_LIN_CORR"] > 0
    np.testing.assert_array_equal(uncorrected, ~character.light)
    signal = np.float64(0.8) * (character.saturation - character.bias)
    signal[~character.light] = 100.0
    expected = signal * (1 + signal * (character.quadratic + signal * character.cubic))
    offset = character.bias.astype(np.float64) if detector is MIRI else 0.0
    raw = signal + offset
    linear = sum(c * raw**k for k, c in enumerate(coefficients))
    # MIRI's is of raw DN, to raw DN: float32 coefficients cancel to some 0.01 DN.
    np.testing.assert_allclose(linear, expected + offset, rtol=1e-6, atol=0.02)


@pytest.mark.peer
def test_inverse_linearity_undoes_the_polynomial(path):
    from stdatamodels.jwst import datamodels

    character = make_character(NIR, SEED)
    references.linearity(path, NIR, _whole(NIR), character, inverse=True)
    with datamodels.LinearityModel(path) as model:
        inverse = model.inv_coeffs.astype(np.float64)
    assert inverse.shape == (6, *NIR.shape)
    for part, tolerance in ((0.1, 1e-6), (0.5, 2e-5), (0.9, 4e-4)):
        signal = np.float64(part) * (character.full_well / character.gain)
        linear = signal * (1 + signal * (character.quadratic + signal * character.cubic))
        back = sum(c * linear**k for k, c in enumerate(inverse))
        np.testing.assert_allclose(back, signal, rtol=tolerance)


def test_detectors_without_a_cubic_part_have_a_quadratic_polynomial(path):
    detector = replace(DETECTORS["NRS1"], shape=(64, 64))
    references.linearity(
        path, detector, _whole(detector), make_character(detector, SEED), inverse=False
    )
    assert fits.getdata(path, "COEFFS").shape == (3, 64, 64)


def test_ipc_kernel_undoes_the_coupling_to_second_order(path):
    for coupling in (0.005, 0.01):
        detector = replace(NIR, ipc=coupling)
        references.ipc(path, detector, _whole(detector))
        kernel = fits.getdata(path, "SCI").astype(np.float64)
        assert kernel.sum() == pytest.approx(1, abs=1e-7)
        charge = np.zeros((31, 31), np.float32)
        charge[15, 15] = 1
        seen = _couple(charge, np.ones(charge.shape, bool), coupling).astype(np.float64)
        left = convolve2d(seen, kernel, mode="same") - charge
        # What is left is of third order, 112 a^3 in the middle; the second would be 20 a^2.
        assert 1e-8 < np.abs(left).max() < 120 * coupling**3


def test_reset_reference_is_what_the_read_out_adds(path):
    subarray = replace(_whole(MIRI), start=(1, 11), size=(64, 40))
    references.reset(path, MIRI, subarray, pattern="FAST", groups=6)
    with fits.open(path) as hdus:
        cube = hdus["SCI"].data.astype(np.float64)
        header = hdus[0].header
    assert (header["NINTS"], header["NGROUPS"], header["READPATT"]) == (2, 6, "FAST")
    assert cube.shape == (2, 6, 40, 64)
    light = np.ones((40, 64), bool)
    light[:, :4] = False
    for integration in range(2):
        for group in range(6):
            added = miri.reset_anomaly(MIRI, integration, group, (40, 64))
            np.testing.assert_allclose(cube[integration, group][light], added[light], atol=0.001)
    assert np.abs(cube[..., ~light]).max() < 0.001


def test_reset_reference_spares_the_border_on_the_right_too(path):
    references.reset(path, MIRI, _whole(MIRI), pattern="FAST", groups=1)
    image = fits.getdata(path, "SCI")[0, 0]
    seen = np.abs(image).max(axis=0) > 1
    assert np.flatnonzero(~seen).tolist() == [0, 1, 2, 3, 68, 69, 70, 71]


@pytest.mark.peer
def test_rscd_discards_the_groups_that_settle(path):
    from stdatamodels.jwst import datamodels

    modes = [("FULL", "FASTR1"), ("SUB64", "FAST")]
    references.rscd(path, MIRI, modes)
    with datamodels.RSCDModel(path) as model:
        table = model.rscd_group_skip_table
        found = {
            (str(row["subarray"]).strip(), str(row["readpatt"]).strip()): int(row["group_skip"])
            for row in table
        }
        assert set(np.asarray(table["group_skip1"]).tolist()) == {1}
    assert found == dict.fromkeys(modes, miri.settling_groups(MIRI))


@pytest.mark.peer
def test_interleaved_references_cover_the_raw_image(path):
    from stdatamodels.jwst import datamodels

    nirspec = DETECTORS["NRS1"]
    dq = np.zeros(nirspec.shape, np.uint32)
    dq[100, 200] = PIXEL["HOT"]
    bias = np.full(nirspec.shape, 8000, np.float32)
    bias[100, 200] = 8300
    values = dict.fromkeys(make_character(NIR, SEED).__dict__, bias)
    character = type(make_character(NIR, SEED))(**{**values, "dq": dq})
    references.mask(path, nirspec, _whole(nirspec), character, raw_irs2=True)
    row = irs2.science_rows()[100]
    with datamodels.MaskModel(path) as model:
        assert model.dq.shape == irs2.SCIENCE_SHAPE
        assert model.dq[row, 200] == PIXEL["HOT"]
        assert (model.dq[:640] == PIXEL["REFERENCE_PIXEL"]).all()
    references.superbias(path, nirspec, _whole(nirspec), character, raw_irs2=True)
    with datamodels.SuperBiasModel(path) as model:
        assert model.data[row, 200] == pytest.approx(8300, abs=0.01)
        assert model.data[0, 0] == pytest.approx(nirspec.bias, abs=0.01)


@pytest.mark.peer
def test_packed_weights_are_the_same_bytes_each_time_and_open(tmp_path):
    from stdatamodels.jwst import datamodels

    first, second = tmp_path / "a.fits", tmp_path / "b.fits"
    for path in (first, second):
        references.irs2_weights(path, DETECTORS["NRS1"])
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 5_000_000
    output, pixels = irs2.correction_weights()
    with datamodels.IRS2Model(first) as model:
        assert len(model.irs2_table) == irs2.WEIGHT_ROWS
        np.testing.assert_array_equal(model.irs2_table["alpha_2"], output)
        np.testing.assert_array_equal(model.irs2_table["beta_0"], pixels)
