"""What a detector's pixels are like: the maps that references describe and read-out uses."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from upramp.dq import PIXEL

from .randomness import stream

if TYPE_CHECKING:
    from .instruments import Detector

__all__ = ["Character", "amplifier_of", "make_character"]

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Character:
    """Maps of a detector or of a window of it, all (ny, nx) in the science frame."""

    dq: NDArray[np.uint32]
    light: NDArray[np.bool_]
    """Whether the pixel sees light: false for reference pixels."""
    gain: Float
    """Electrons per DN."""
    read_noise: Float
    """Noise of the difference of two reads, DN."""
    bias: Float
    """DN."""
    dark: Float
    """Electrons per second."""
    efficiency: Float
    """Response relative to the mean pixel's, apart from area and gain."""
    full_well: Float
    """Electrons."""
    quadratic: Float
    """Second coefficient of the polynomial from measured to linear DN."""
    cubic: Float
    """Its third coefficient."""
    saturation: Float
    """Raw DN, bias included, above which a read is not to be trusted."""

    def window(self, rows: slice, columns: slice) -> Character:
        """Give the same maps of a window."""
        return Character(*(getattr(self, f.name)[rows, columns] for f in fields(self)))


def make_character(detector: Detector, seed: int) -> Character:
    """Draw a detector's maps.

    Parameters
    ----------
    detector
        Which detector.
    seed
        The archive's seed; the same gives the same detector.
    """
    ny, nx = detector.shape
    light = np.zeros((ny, nx), bool)
    low_y, high_y, low_x, high_x = detector.border
    light[low_y : ny - high_y, low_x : nx - high_x] = True
    amplifier = amplifier_of(detector)

    def draw(effect: str) -> np.random.Generator:
        return stream(seed, detector.name, effect)

    gain = np.float32(detector.gain) * (1 + _amplifier_values(draw("gain"), amplifier, 0.006))
    gain *= 1 + np.float32(0.004) * _normal(draw("gain-pixels"), (ny, nx))
    read_noise = np.exp(np.float32(0.07) * _normal(draw("read-noise"), (ny, nx)))
    read_noise *= np.float32(detector.read_noise)
    read_noise[~light] *= np.float32(0.85)

    rng = draw("bad-pixels")
    dq = np.zeros((ny, nx), np.uint32)
    dq[~light] |= np.uint32(PIXEL["REFERENCE_PIXEL"])
    kind = rng.random((ny, nx), np.float32)
    kind[~light] = 1
    dead = kind < detector.bad_fraction * 0.4
    hot = (kind > 0.5) & (kind < 0.5 + detector.hot_fraction)
    telegraph = (kind > 0.6) & (kind < 0.6 + detector.bad_fraction * 0.15)
    low = (kind > 0.7) & (kind < 0.7 + detector.bad_fraction * 0.3)
    dq[dead] |= np.uint32(PIXEL["DEAD"] | PIXEL["DO_NOT_USE"])
    dq[hot] |= np.uint32(PIXEL["HOT"])
    dq[telegraph] |= np.uint32(PIXEL["TELEGRAPH"] | PIXEL["OTHER_BAD_PIXEL"])
    dq[low] |= np.uint32(PIXEL["LOW_QE"])

    dark = np.float32(detector.dark) * np.exp(np.float32(0.3) * _normal(draw("dark"), (ny, nx)))
    excess = np.minimum(rng.lognormal(np.log(6.0), 1.2, int(hot.sum())), 80.0)
    dark[hot] += excess.astype(np.float32)
    # The hottest are of no use at all.
    dq[hot & (dark > 40)] |= np.uint32(PIXEL["DO_NOT_USE"])
    dark[~light] = 0
    read_noise[telegraph] *= 3

    efficiency = 1 + np.float32(detector.flat_scatter) * _normal(draw("flat"), (ny, nx))
    efficiency *= _smooth(draw("flat-smooth"), ny, nx, 0.02)
    efficiency[dead] = 0.01
    efficiency[low] *= np.float32(0.4)
    efficiency[~light] = 0

    bias = np.float32(detector.bias) + _bias_structure(detector, draw("bias"), amplifier)
    full_well = np.float32(detector.full_well) * (
        1 + np.float32(0.03) * _normal(draw("well"), (ny, nx))
    )
    full_well *= _smooth(draw("well-smooth"), ny, nx, 0.04)
    # Of the signal that is missing at full well a part is quadratic, the rest cubic.
    missing = np.float32(detector.nonlinearity) * (
        1 + np.float32(0.05) * _normal(draw("nonlinearity"), (ny, nx))
    )
    missing *= _smooth(draw("nonlinearity-smooth"), ny, nx, 0.05)
    deepest = (1 - missing) * full_well / gain
    ratio = missing / (1 - missing)
    quadratic = np.float32(1 - detector.cubic_part) * ratio / deepest
    cubic = np.float32(detector.cubic_part) * ratio / deepest**2
    saturation = np.minimum(bias + np.float32(0.93) * deepest, np.float32(65000))
    saturation[~light] = 65535
    return Character(
        dq,
        light,
        gain,
        read_noise,
        bias,
        dark,
        efficiency,
        full_well,
        quadratic,
        cubic,
        saturation,
    )


def amplifier_of(detector: Detector) -> NDArray[np.uint8]:
    """Give the number of the amplifier that reads each pixel of the whole detector.

    Near-infrared detectors have four stripes along the fast axis; MIRI's four
    outputs read every fourth column.
    """
    ny, nx = detector.shape
    if detector.technology == "miri":
        return np.broadcast_to((np.arange(nx) % 4).astype(np.uint8), (ny, nx))
    fast_is_x = abs(detector.fastaxis) == 1
    count = nx if fast_is_x else ny
    stripe = (np.arange(count) // (count // 4)).astype(np.uint8)
    if detector.fastaxis < 0:
        stripe = stripe[::-1]
    return np.broadcast_to(stripe[None, :] if fast_is_x else stripe[:, None], (ny, nx))


def _bias_structure(
    detector: Detector, rng: np.random.Generator, amplifier: NDArray[np.uint8]
) -> Float:
    """Amplifier levels, column and row patterns, a glow to the corners, pixel scatter; DN."""
    ny, nx = detector.shape
    bias = np.float32(180) * _normal(rng, (4,))[amplifier]
    bias += np.float32(25) * _normal(rng, (nx,))[None, :]
    bias += np.float32(8) * _normal(rng, (ny,))[:, None]
    bias += np.float32(60) * _normal(rng, (ny, nx))
    v, u = np.linspace(-1, 1, ny)[:, None], np.linspace(-1, 1, nx)[None, :]
    bias += (220 * (u * u + v * v) ** 2).astype(np.float32)
    # Whole sixteenths of a DN are finer than any noise.
    return np.asarray(np.round(bias * 16) / 16, np.float32)


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Float:
    return rng.standard_normal(shape, np.float32)


def _amplifier_values(
    rng: np.random.Generator, amplifier: NDArray[np.uint8], scatter: float
) -> Float:
    return (np.float32(scatter) * _normal(rng, (4,)))[amplifier]


def _smooth(rng: np.random.Generator, ny: int, nx: int, amplitude: float) -> Float:
    """Draw a gentle surface around one: a sum of few long waves."""
    v, u = np.linspace(0, 1, ny)[:, None], np.linspace(0, 1, nx)[None, :]
    surface = np.zeros((ny, nx), np.float32)
    for _ in range(3):
        fu, fv = rng.uniform(0.3, 1.4, 2)
        phase_u, phase_v = rng.uniform(0, 2 * np.pi, 2)
        surface += (
            np.cos(2 * np.pi * fu * u + phase_u) * np.cos(2 * np.pi * fv * v + phase_v)
        ).astype(np.float32)
    return np.float32(1) + np.float32(amplitude / 2) * surface
