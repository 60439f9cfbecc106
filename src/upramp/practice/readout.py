"""From light to level-1b counts: charge builds up, is read, averaged and digitised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from . import irs2, miri
from .cosmic_rays import Hits, draw_hits
from .noise import OffsetDrift, ReadoutOrder
from .randomness import stream

if TYPE_CHECKING:
    from .character import Character
    from .instruments import Detector
    from .programs import ExposurePlan

__all__ = ["Ramp", "group_of_frame", "read_out"]

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Ramp:
    """The arrays of a level-1b product, and what fell on it."""

    science: NDArray[np.uint16]
    """(nints, ngroups, ny, nx) in the science frame; IRS2 with its reference pixels inside."""
    hits: list[Hits]
    """One table for each integration."""
    zero_frame: NDArray[np.uint16] | None = None
    """(nints, ny, nx), the first frame of each integration."""
    reference_output: NDArray[np.uint16] | None = None
    """(nints, ngroups, ny, nx / 4), MIRI's fifth output."""


def group_of_frame(plan: ExposurePlan, frame: NDArray[np.int32]) -> NDArray[np.int32]:
    """Zero-based number of the first group that holds what fell in a frame.

    Parameters
    ----------
    plan
        The exposure, with its read pattern.
    frame
        Zero-based frames since the reset, dropped ones included.
    """
    cycle = plan.pattern.frames + plan.pattern.gap
    return np.asarray(frame // cycle + (frame % cycle >= plan.pattern.frames), np.int32)


def read_out(
    plan: ExposurePlan,
    detector: Detector,
    character: Character,
    flux: Float,
    seed: int,
) -> Ramp:
    """Simulate one exposure.

    Parameters
    ----------
    plan
        The exposure.
    detector
        The detector it is taken with.
    character
        Its maps on the exposure's window, (ny, nx).
    flux
        Electrons per second from the sky in each pixel, (ny, nx), or (nints, ny, nx) where
        it changes from integration to integration.
    seed
        The archive's seed.
    """
    window = _Window(plan, detector, character)
    groups = (plan.integrations, plan.groups)
    science = np.empty((*groups, *window.output_shape), np.uint16)
    zero = np.empty((plan.integrations, *window.shape), np.uint16) if plan.zero_frame else None
    refout = (
        np.empty((*groups, window.shape[0], window.shape[1] // 4), np.uint16)
        if detector.technology == "miri"
        else None
    )
    hits = []
    for integration in range(plan.integrations):
        rng = stream(seed, plan.root, "integration", integration)
        fallen = draw_hits(detector, character.light, plan.frames, plan.frame_time, rng)
        hits.append(fallen)
        now = flux if flux.ndim == 2 else flux[integration]
        _integrate(window, now, fallen, integration, rng, science, zero, refout)
    return Ramp(science, hits, zero, refout)


class _Window:
    """What stays the same for all frames of an exposure."""

    def __init__(self, plan: ExposurePlan, detector: Detector, character: Character) -> None:
        self.plan, self.detector, self.character = plan, detector, character
        self.shape: tuple[int, int] = character.light.shape
        self.output_shape = irs2.SCIENCE_SHAPE if plan.irs2 else self.shape
        self.order = ReadoutOrder(detector, self.shape, plan.outputs)
        # An amplifier wanders more in a longer frame.
        self.drift = detector.drift * (plan.frame_time / 10.73677) ** 1.5
        # The noise that a reference gives includes the correlated part.
        variance = character.read_noise**2 / 2 - np.float32(detector.one_over_f**2)
        self.white = np.sqrt(np.maximum(variance, 0.25))

    def signal(self, charge: Float) -> Float:
        """Measured DN above bias of collected electrons: capacitance, well, nonlinearity."""
        c = self.character
        seen = _couple(np.minimum(charge, c.full_well), c.light, self.detector.ipc)
        linear = seen / c.gain
        return _delinearise(linear, c.quadratic, c.cubic)


def _integrate(
    window: _Window,
    flux: Float,
    fallen: Hits,
    integration: int,
    rng: np.random.Generator,
    science: NDArray[np.uint16],
    zero: NDArray[np.uint16] | None,
    refout: NDArray[np.uint16] | None,
) -> None:
    plan, detector, character = window.plan, window.detector, window.character
    mean = ((flux + character.dark) * np.float32(plan.frame_time)).astype(np.float64)
    mean[~character.light] = 0
    charge = np.zeros(window.shape, np.float32)
    reset = np.float32(detector.ktc) * rng.standard_normal(window.shape, np.float32)
    reset = np.where(character.light, reset / character.gain, np.float32(0))
    drift = OffsetDrift(plan.outputs, window.drift, detector.odd_even, rng)
    cycle = plan.pattern.frames + plan.pattern.gap
    total = np.zeros(window.output_shape, np.float32)
    for frame in range(plan.frames):
        charge += rng.poisson(mean)
        now = fallen.frame == frame
        np.add.at(charge, (fallen.y[now], fallen.x[now]), fallen.energy[now])
        group, place = divmod(frame, cycle)
        if place >= plan.pattern.frames:
            continue
        level = window.signal(charge) + character.bias + reset
        if plan.irs2:
            read = irs2.read_frame(level, window.white, detector, rng)
        else:
            read = level + window.order.pattern(drift.step())
            read += window.order.correlated(detector.one_over_f, rng)
            read += window.white * rng.standard_normal(window.shape, np.float32)
        if detector.technology == "miri":
            anomalies = miri.anomalies(detector, integration, group, window.shape)
            # The reference pixels see the electronics, not the photodiode's past.
            read += np.where(character.light, anomalies, np.float32(0))
            if group == plan.groups - 1:
                read += np.where(
                    character.light, miri.last_frame(detector, level - character.bias), 0
                )
        if zero is not None and frame == 0:
            zero[integration] = _digitise(read)
        total += read
        if place == plan.pattern.frames - 1:
            science[integration, group] = _digitise(total / np.float32(plan.pattern.frames))
            total[:] = 0
            if refout is not None:
                refout[integration, group] = _digitise(
                    miri.reference_output(detector, window.shape, rng)
                )


def _couple(charge: Float, light: NDArray[np.bool_], ipc: float) -> Float:
    """Let each pixel see a part of its four neighbours' charge (inter-pixel capacitance).

    Pixels beyond the light-sensitive area have no charge to share.
    """
    if ipc == 0:
        return charge
    a = np.float32(ipc)
    padded = np.pad(charge, 1)
    seen = charge * (1 - 4 * a)
    seen += a * (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:])
    return np.where(light, seen, charge)


def _delinearise(linear: Float, quadratic: Float, cubic: Float) -> Float:
    """Find x with x + quadratic x^2 + cubic x^3 = linear, by Newton's method."""
    x = linear.copy()
    for _ in range(4):
        value = x * (1 + x * (quadratic + x * cubic)) - linear
        slope = 1 + x * (2 * quadratic + x * 3 * cubic)
        x -= value / slope
    return x


def _digitise(signal: Float) -> NDArray[np.uint16]:
    return np.clip(np.rint(signal), 0, 65535).astype(np.uint16)
