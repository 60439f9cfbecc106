"""What only MIRI's detectors do: reset anomaly, settling, last frame, reference output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .instruments import Detector

__all__ = ["anomalies", "last_frame", "reference_output", "reset_anomaly", "settling_groups"]

Float = NDArray[np.float32]


def reset_anomaly(
    detector: Detector, integration: int, group: int, shape: tuple[int, int], first_row: int = 0
) -> Float:
    """DN that the reset leaves in a group: it decays within a few, and rows alternate.

    Parameters
    ----------
    detector
        MIRI's detector, with ``reset_amplitude`` (DN) and ``reset_groups``.
    integration, group
        Zero-based.
    shape
        Rows and columns of the window.
    first_row
        Zero-based row of the detector where the window starts.
    """
    amplitude = detector.extra["reset_amplitude"] * (1.0 if integration == 0 else 0.7)
    decay = amplitude * np.exp(-group / detector.extra["reset_groups"])
    parity = np.where((np.arange(shape[0]) + first_row) % 2 == 0, 1.0, 0.85)
    across = 1 + 0.1 * np.cos(np.linspace(0, np.pi, shape[1]))
    return np.asarray(-decay * parity[:, None] * across[None, :], np.float32)


def settling_groups(detector: Detector) -> int:
    """Count the groups of a later integration that the settling spoils beyond use."""
    amplitude, groups = detector.extra["rscd_amplitude"], detector.extra["rscd_groups"]
    # Until it changes a group by less than a tenth of a DN.
    return int(np.ceil(groups * np.log(amplitude / 0.1)))


def anomalies(detector: Detector, integration: int, group: int, shape: tuple[int, int]) -> Float:
    """Everything that depends on the time since the reset alone, DN, (ny, nx).

    The reset anomaly, which a reference removes, and in integrations after the
    first the settling of the source follower (RSCD), for which groups are
    discarded.
    """
    total = reset_anomaly(detector, integration, group, shape)
    if integration > 0 and group < settling_groups(detector):
        settling = detector.extra["rscd_amplitude"] * np.exp(
            -group / detector.extra["rscd_groups"]
        )
        total = total + np.float32(settling)
    return total


def last_frame(detector: Detector, signal: Float) -> Float:
    """DN missing from the last group: each row feels its neighbour's reset."""
    neighbour = np.empty_like(signal)
    neighbour[0::2] = (
        signal[1::2] if len(signal) % 2 == 0 else np.vstack([signal[1::2], signal[-1:]])
    )
    neighbour[1::2] = signal[0 : 2 * (len(signal) // 2) : 2]
    return np.asarray(-np.float32(detector.extra["last_frame"]) * neighbour, np.float32)


def reference_output(
    detector: Detector, shape: tuple[int, int], rng: np.random.Generator
) -> Float:
    """One read of the fifth output, which sees no pixels; (ny, nx / 4), DN."""
    level = 0.85 * detector.bias
    noise = np.float32(detector.read_noise / np.sqrt(2))
    rows = np.float32(0.5) * rng.standard_normal((shape[0], 1), np.float32)
    noise_map = noise * rng.standard_normal((shape[0], shape[1] // 4), np.float32)
    return np.float32(level) + rows + noise_map
