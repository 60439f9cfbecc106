"""The near-infrared reference-pixel correction against the official one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from same_bits import assert_same_bits
from upramp.detector1.refpix_nir import (
    NirOptions,
    NirReadout,
    fits,
    measure_nir,
    plan_nir,
    subtract_nir,
    subtract_nir_zero_frame,
)

pytestmark = pytest.mark.peer

FULL = (2048, 2048)
ORIENTATIONS = [(1, 2), (-1, 2), (1, -2), (-1, -2), (2, 1), (-2, 1), (2, -1), (-2, -1)]


def frames(shape, seed=3):
    """Ramps whose columns and rows drift, with outliers."""
    rng = np.random.default_rng(seed)
    data = rng.normal(9000, 15, shape).astype(np.float32)
    data += rng.normal(0, 20, (*shape[:2], 1, shape[3])).astype(np.float32)
    data += rng.normal(0, 20, (*shape[:2], shape[2], 1)).astype(np.float32)
    data[rng.random(shape) < 0.002] += 2000
    return data


def flags(shape, xstart, ystart, seed=4):
    """DQ of a subarray: the detector's border, and bad pixels anywhere."""
    border = np.full(FULL, 2**31, np.uint32)
    border[4:-4, 4:-4] = 0
    dq = border[ystart - 1 :, xstart - 1 :][: shape[0], : shape[1]].copy()
    rng = np.random.default_rng(seed)
    dq |= rng.choice(np.array([0, 0, 0, 0, 0, 0, 1, 2, 2**17], np.uint32), dq.shape)
    return dq


class Case:
    """One exposure for both corrections."""

    def __init__(self, shape, axes, *, xstart=1, ystart=1, name="FULL", noutputs=4, **more):
        self.data = frames(shape)
        self.pixeldq = flags(shape[2:], xstart, ystart)
        self.zeroframe = None
        self.detector = more.pop("detector", "NRCA1")
        self.readout = NirReadout(*axes, xstart, ystart, name, noutputs, **more)

    def with_zero_frame(self):
        self.zeroframe = self.data[:, 0] * np.float32(0.9)
        self.zeroframe[:, ::3, ::5] = 0
        return self

    def official(self, options, sirs_kernel_model=None, expected=0, **subarray):
        from jwst.refpix.reference_pixels import correct_model
        from stdatamodels.jwst.datamodels import RampModel, SuperstripeRampModel

        model = SuperstripeRampModel() if self.pixeldq.ndim == 3 else RampModel()
        model.data = self.data.copy()
        model.groupdq = np.zeros(self.data.shape, np.uint8)
        model.pixeldq = self.pixeldq.copy()
        if self.zeroframe is not None:
            model.zeroframe = self.zeroframe.copy()
            model.meta.exposure.zero_frame = True
        model.meta.instrument.detector = self.detector
        model.meta.instrument.name = {"NRC": "NIRCAM", "NRS": "NIRSPEC", "NIS": "NIRISS"}.get(
            self.detector[:3], "FGS"
        )
        readout, place = self.readout, model.meta.subarray
        model.meta.exposure.noutputs = readout.noutputs
        place.xstart, place.ystart, place.name = readout.xstart, readout.ystart, readout.subarray
        place.ysize, place.xsize = self.data.shape[2:]
        place.fastaxis, place.slowaxis = readout.fastaxis, readout.slowaxis
        for key, value in subarray.items():
            setattr(place, key, value)
        kernels = {
            "refpix_algorithm": options.refpix_algorithm,
            "sirs_kernel_model": sirs_kernel_model,
            "sigreject": options.sigreject,
            "gaussmooth": options.gaussmooth,
            "halfwidth": options.halfwidth,
        }
        status = correct_model(
            model,
            options.odd_even_columns,
            options.use_side_ref_pixels,
            options.side_smoothing_length,
            options.side_gain,
            True,
            kernels,
            options.siglimit,
        )
        assert status == expected
        np.testing.assert_array_equal(model.pixeldq, self.pixeldq)
        zeroframe = None if self.zeroframe is None else np.asarray(model.zeroframe)
        return np.asarray(model.data), zeroframe

    def ours(self, options, sirs=None):
        pixeldq = self.pixeldq if self.pixeldq.ndim == 2 else self.pixeldq[0]
        plan = plan_nir(pixeldq, self.readout, options, sirs)
        nints, ngroups, ny, _ = self.data.shape
        result = self.data.copy()
        # By integrations and in tiles, as the engine does.
        values = self.data.reshape(nints, ngroups, -1)[..., plan.needed]
        for i in range(nints):
            signal = measure_nir(plan, values[i : i + 1], begins=i == 0)
            for y0 in range(0, ny, 700):
                tile = result[i : i + 1, :, y0 : y0 + 700].copy()
                subtract_nir(tile, signal, y0, 0, tile.shape[2])
                result[i : i + 1, :, y0 : y0 + 700] = tile
        if self.zeroframe is None:
            return result, None
        zeroframe = self.zeroframe.copy()
        values = zeroframe.reshape(nints, 1, -1)[..., plan.needed]
        signal = measure_nir(plan, values, begins=False)
        subtract_nir_zero_frame(zeroframe, signal, 0, 0, ny)
        return result, zeroframe

    def agrees(self, options, sirs=None, sirs_kernel_model=None, *, changes=True, **subarray):
        theirs, their_zeroframe = self.official(options, sirs_kernel_model, **subarray)
        ours, our_zeroframe = self.ours(options, sirs)
        assert changes != np.array_equal(theirs, self.data, equal_nan=True)
        assert_same_bits(ours, theirs)
        if self.zeroframe is not None:
            assert changes != np.array_equal(their_zeroframe, self.zeroframe, equal_nan=True)
            assert_same_bits(our_zeroframe, their_zeroframe, "zero frame")


@pytest.mark.parametrize("axes", ORIENTATIONS)
def test_full_frame_in_every_orientation(axes):
    Case((1, 2, *FULL), axes).agrees(NirOptions())


@pytest.mark.parametrize(
    "options",
    [
        NirOptions(odd_even_columns=False),
        NirOptions(use_side_ref_pixels=False),
        NirOptions(use_side_ref_pixels=False, odd_even_columns=False, siglimit=1.4),
        NirOptions(side_smoothing_length=10, side_gain=0.7, siglimit=2.1),
        NirOptions(refpix_algorithm="sirs"),  # no coefficients for the detector
    ],
    ids=["columns", "sides", "neither", "numbers", "sirs"],
)
def test_parameters(options):
    Case((1, 2, *FULL), (-1, 2)).agrees(options)


def test_integrations_and_zero_frame():
    Case((2, 2, *FULL), (2, -1), detector="NIS").with_zero_frame().agrees(NirOptions())


@pytest.fixture(scope="module")
def difficult():
    """A full frame where means, medians and amplifiers fail in every way."""
    case = Case((1, 3, *FULL), (1, 2))
    data, dq = case.data, case.pixeldq
    dq[:4, :512] |= 1  # amplifier A: top only
    dq[:4, 512:1024:2] |= 1  # B: one parity at the top only
    dq[-4:, 512:1024] |= 1
    dq[-4:, 1024:1536] |= 1  # C: one pixel
    dq[:4, 1024:1536] |= 1
    dq[1, 1100:1102] = 2**31
    dq[300:330, :4] |= 1  # no left pixels, no pixels at all, no right pixels
    dq[320:350, -4:] |= 1
    dq[700:720, [0, 1, 3]] |= 1
    data[:, 1, 1, 1900] = np.nan  # D is lost: no side on the right
    data[:, 2, 900, 1] = np.nan
    data[:, 2, 1000, 1] = np.inf
    data[:, 2, 1001, :2] = -np.inf
    data[:, 0, 1200, :4] = 65535
    data[0, 0, -4:, 0:512:2] = 100.3  # equal: a float64 mean
    data[0, 1, -4:, 0:512] = 7.7
    data[0, 0, 1210:1250, 2044:] = 8000.1
    data[0, 2, :4, 1536:1538] = np.inf
    return case


@pytest.mark.parametrize(
    "options",
    [NirOptions(), NirOptions(odd_even_columns=False, side_smoothing_length=4)],
    ids=["default", "other"],
)
def test_bad_reference_pixels(difficult, options):
    difficult.agrees(options)


@pytest.mark.parametrize(
    ("shape", "axes", "place"),
    [
        ((2, 1, 64, 2048), (1, 2), {}),
        ((1, 2, 64, 2048), (-1, -2), {"ystart": 1985}),
        ((2, 2, 9, 2048), (-1, 2), {"ystart": 3}),
        ((1, 2, 2048, 64), (2, 1), {"detector": "NRS1"}),
        ((1, 2, 2048, 64), (-2, 1), {"detector": "NIS", "xstart": 700}),
        ((1, 2, 100, 700), (1, 2), {"ystart": 1, "xstart": 1349}),
        ((1, 2, 100, 700), (-1, 2), {"ystart": 1, "xstart": 3}),
    ],
)
def test_stripes_of_four_outputs(shape, axes, place):
    Case(shape, axes, name="SUBGRISM64", **place).with_zero_frame().agrees(NirOptions())


def test_stripes_of_four_outputs_with_other_parameters():
    options = NirOptions(odd_even_columns=False, side_smoothing_length=6)
    Case((1, 2, 64, 2048), (1, -2), name="SUBGRISM64").agrees(options)


def test_a_line_less_than_a_full_frame():
    Case((1, 1, 2047, 2048), (1, -2), ystart=2, name="SUB64P").agrees(NirOptions())


@pytest.mark.parametrize("axes", ORIENTATIONS)
def test_subarrays_of_one_output(axes):
    case = Case((1, 2, 60, 70), axes, ystart=1989, noutputs=1, name="SUB64P")
    case.agrees(NirOptions())


@pytest.mark.parametrize("odd_even", [True, False])
def test_subarrays_of_one_output_in_integrations_and_with_a_zero_frame(odd_even):
    case = Case((2, 2, 60, 70), (-2, 1), xstart=1979, noutputs=1, name="SUB64P")
    case.with_zero_frame().agrees(NirOptions(odd_even_columns=odd_even))


def test_many_reference_pixels_in_one_mean():
    case = Case((1, 2, 256, 2048), (1, 2), noutputs=1, name="SUBGRISM256")
    case.agrees(NirOptions(odd_even_columns=False))


def test_equal_reference_pixels_of_a_subarray():
    case = Case((1, 2, 40, 44), (1, 2), noutputs=1, name="SUB64P")
    case.data[:, :, :, ::2] = 100.3
    case.agrees(NirOptions())


@pytest.mark.parametrize("name", ["SUB512", "SUB512S", "SUB32"])
@pytest.mark.parametrize("axes", [(2, 1), (-2, -1)])
def test_subarrays_whose_edges_stand_in(name, axes):
    place = {"ystart": 1000, "xstart": 701, "detector": "NRS2", "noutputs": 1}
    Case((2, 2, 33, 48), axes, name=name, **place).with_zero_frame().agrees(NirOptions())
    Case((1, 2, 7, 8), axes, name=name, **place).agrees(NirOptions(odd_even_columns=False))


@pytest.mark.parametrize("noutputs", [1, 4, None])
def test_subarrays_without_reference_pixels_stay_as_they_are(noutputs):
    case = Case((1, 2, 30, 31), (1, 2), ystart=900, xstart=900, noutputs=noutputs, name="SUB64P")
    case.agrees(NirOptions(), changes=False)


@pytest.mark.parametrize(
    "place", [{"ystart": 2030}, {"xstart": 2010}, {"ystart": 0}, {"xstart": 0}]
)
def test_what_does_not_fit_is_skipped(place):
    from jwst.refpix.reference_pixels import SUBARRAY_DOESNTFIT

    case = Case((1, 2, 20, 40), (1, 2), noutputs=1, name="SUB64P")
    assert fits((20, 40), case.readout)
    case.readout = NirReadout(1, 2, **{"noutputs": 1, "subarray": "SUB64P", **place})
    assert not fits((20, 40), case.readout)
    untouched, _ = case.official(NirOptions(), expected=SUBARRAY_DOESNTFIT)
    assert_same_bits(untouched, case.data)


STRIPE_KEYS = {"multistripe_reads1": 1, "num_superstripe": 0}


@pytest.mark.parametrize("odd_even", [True, False])
@pytest.mark.parametrize(
    ("shape", "axes", "xstart", "ystart"),
    [
        ((2, 2, 40, 2048), (-1, 2), 1, 1),
        ((1, 2, 40, 900), (1, -2), 302, 7),
        ((1, 2, 900, 40), (-2, -1), 302, 301),
    ],
)
def test_multistripe(shape, axes, xstart, ystart, odd_even):
    case = Case(
        shape, axes, xstart=xstart, ystart=ystart, multistripe=True, name="SUB164STRIPE4_DHS"
    )
    case.pixeldq[::9] |= 2**31
    if shape[3] == 900:
        case.pixeldq[:, 300:720:2] &= 2**31 - 1  # an amplifier without one parity
    case.agrees(NirOptions(odd_even_columns=odd_even), **STRIPE_KEYS)


def test_superstripes_take_the_first_plane_of_dq():
    case = Case(
        (6, 2, 2048, 20), (-2, -1), multistripe=True, name="SUB17STRIPE_SOSS", detector="NIS"
    )
    case.pixeldq[:, :3] |= 2**31
    case.pixeldq = np.stack([case.pixeldq, case.pixeldq ^ 1, case.pixeldq[::-1]])
    case.agrees(NirOptions(), multistripe_reads1=1, num_superstripe=3)


def sirs_coefficients():
    rng = np.random.default_rng(8)
    shape = (4, 1025)
    falling = 0.1 / (1 + np.arange(shape[1]) / 40)
    return tuple(
        (falling * (rng.normal(1, 0.1, shape) + 1j * rng.normal(0, 0.1, shape))).astype(dtype)
        for dtype in (np.complex64, np.complex128)
    )


def sirs_model(detector, gamma, zeta):
    names = {f"{detector.lower()}.gamma": gamma, f"{detector.lower()}.zeta": zeta}
    return SimpleNamespace(to_flat_dict=lambda: {"meta.author": "nobody", **names})


@pytest.mark.parametrize("axes", [(-1, -2), (-2, 1)])
def test_convolution_of_the_sides(axes):
    coefficients = sirs_coefficients()
    options = NirOptions(refpix_algorithm="sirs", sigreject=3.5, halfwidth=25, gaussmooth=1.3)
    case = Case((1, 2, *FULL), axes)
    case.agrees(options, coefficients, sirs_model(case.detector, *coefficients))


def test_convolution_with_what_is_not_a_number_and_with_a_zero_frame():
    coefficients = sirs_coefficients()
    case = Case((1, 2, *FULL), (1, 2)).with_zero_frame()
    case.data[0, 1, 600, 2] = np.nan
    options = NirOptions(refpix_algorithm="sirs")
    case.agrees(options, coefficients, sirs_model(case.detector, *coefficients))
