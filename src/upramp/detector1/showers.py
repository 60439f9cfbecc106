"""Showers: faint extended emission around cosmic rays in MIRI, found by smoothing.

An integration is searched group by group. Planes are smoothed by the official
code's own convolution, because a pixel's flag may hang on its last bit; all
else is done per pixel, without copies of the exposure.

Source: ``find_faint_extended`` in ``stcal/jump/jump.py`` and what it calls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1 import shower_kernels as kernels
from upramp.detector1.ellipses import MARK_UNSATURATED, Pens, Shape, Shapes, draw
from upramp.detector1.regions import find_regions
from upramp.dq import GROUP, PIXEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MIN_DIFFERENCES", "ShowerParameters", "flag_showers", "ring"]

MIN_DIFFERENCES: Final = 10
"""Fewer differences of groups are not searched."""

_JUMP: Final = GROUP["JUMP_DET"]
_SATURATED: Final = GROUP["SATURATED"]
_DNU: Final = GROUP["DO_NOT_USE"]
_REFERENCE: Final = PIXEL["REFERENCE_PIXEL"]


@dataclass(frozen=True, slots=True)
class ShowerParameters:
    """How to find showers; names and defaults of the jump step.

    Attributes
    ----------
    extend_snr_threshold
        Smoothed differences above this, in noises, belong to showers.
    extend_min_area
        Least filled area, in pixels.
    extend_inner_radius, extend_outer_radius
        Inner radius and *width* of the ring that smooths, in pixels.
    extend_ellipse_expand_ratio
        By how much a shower's minor axis grows when it is flagged.
    time_masked_after_shower
        For how long it is flagged after its group, in seconds.
    max_extended_radius
        Largest radius of what is flagged, in pixels.
    minimum_sigclip_groups
        From so many integrations on, noise is that between integrations.
    max_amplitude_per_group
        Pixels whose rate the flags change by more than this, in electrons per
        group time and second of group time, get their flags back. The step's
        parameter ``max_shower_amplitude`` never arrives in the official code;
        this is what stands there instead.
    """

    extend_snr_threshold: float = 1.2
    extend_min_area: float = 90
    extend_inner_radius: float = 1.0
    extend_outer_radius: float = 2.6
    extend_ellipse_expand_ratio: float = 1.1
    time_masked_after_shower: float = 15.0
    max_extended_radius: int = 200
    minimum_sigclip_groups: int = 100
    max_amplitude_per_group: float = 6


def flag_showers(
    electrons: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    pixeldq: NDArray[np.uint32],
    readnoise: NDArray[np.float32],
    parameters: ShowerParameters,
    group_time: float,
    nframes: int,
) -> int:
    """Flag showers as jumps, in place.

    Parameters
    ----------
    electrons
        float32 (nints, ngroups, ny, nx), contiguous: the ramp times the gain,
        with NaN where `groupdq` was saturated or not to be used when jumps
        were searched for. Not changed.
    groupdq
        uint8, as `electrons`, of the whole exposure, with jumps flagged.
    pixeldq
        uint32 (ny, nx).
    readnoise
        float32 (ny, nx), times the gain.
    parameters
        Parameters of the step.
    group_time
        Time per group, in seconds.
    nframes
        Frames per group.

    Returns
    -------
    int
        How many there are; those whose flags are taken back count too.
    """
    nints, ngroups, ny, nx = electrons.shape
    lost = sum(bool((plane & _DNU).all()) for cube in groupdq for plane in cube)
    if nints * (ngroups - 1) - lost < MIN_DIFFERENCES:
        return 0
    noise = _Noise(electrons, groupdq, readnoise, nframes, parameters)
    finder = _Finder((ny, nx), parameters)
    after = int(parameters.time_masked_after_shower // group_time)
    limit = np.float32(parameters.max_amplitude_per_group * group_time)
    shapes = Shapes()
    pens = Pens(parameters.extend_ellipse_expand_ratio, 2 * parameters.max_extended_radius)
    total = 0
    for ramp, cube in zip(electrons, groupdq, strict=True):
        flagged = cube.copy()
        flagged[:, pixeldq == _REFERENCE] = _DNU
        found = []
        first_good = _first_good(flagged)
        for group in range(first_good + 1, ngroups):
            # Flags of groups that are searched later must not come from showers.
            level, sigma = noise(group)
            kernels.contrast(
                ramp, cube, flagged, pixeldq, group, level, sigma, finder.ratio, finder.good
            )
            found += [(group, *event) for event in finder(shapes)]
        total += len(found)
        for group, centre, shape in found:
            pen = pens(shape)
            if pen is not None:
                groups = group, min(group + after + 1, ngroups)
                draw(flagged, groups, centre, pen, MARK_UNSATURATED, _JUMP, _SATURATED)
        kernels.accept(ramp, flagged, cube, limit)
    return total


def _first_good(cube: NDArray[np.uint8]) -> int:
    for group, plane in enumerate(cube):
        if not (plane & _DNU).all():
            return group
    return 0


class _Noise:
    """Level and noise of differences.

    Parameters
    ----------
    electrons, groupdq, readnoise, nframes, parameters
        As for `flag_showers`.
    """

    def __init__(
        self,
        electrons: NDArray[np.float32],
        groupdq: NDArray[np.uint8],
        readnoise: NDArray[np.float32],
        nframes: int,
        parameters: ShowerParameters,
    ) -> None:
        nints, ngroups, ny, nx = electrons.shape
        between = nints >= parameters.minimum_sigclip_groups
        planes = ngroups - 1 if between else 1
        self._level = np.empty((planes, ny, nx), np.float32)
        self._sigma = np.empty_like(self._level)
        samples = nints if between else nints * (ngroups - 1)
        width = kernels.columns(samples)
        if between:
            workspace = np.empty((width, samples), np.float32)
            buffer = np.empty(samples, np.float64)
            kernels.noise_between(electrons, groupdq, self._level, self._sigma, workspace, buffer)
        else:
            workspace = np.empty((samples, width), np.float32)
            kernels.noise_within(
                electrons,
                groupdq,
                readnoise,
                np.float32(nframes),
                self._level[0],
                self._sigma[0],
                workspace,
            )

    def __call__(self, group: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give level and noise of the difference that ends on a group."""
        plane = group - 1 if len(self._level) > 1 else 0
        return self._level[plane], self._sigma[plane]


class _Finder:
    """Finds showers in a plane.

    Parameters
    ----------
    shape
        Of the plane.
    parameters
        Parameters of the step.

    Attributes
    ----------
    ratio
        The plane: differences in noises, 0 where there is none.
    good
        Where there is one; a frame of ones around it.
    """

    def __init__(self, shape: tuple[int, int], parameters: ShowerParameters) -> None:
        self._ring = ring(parameters.extend_inner_radius, parameters.extend_outer_radius)
        self._parameters = parameters
        margin = len(self._ring) - 1
        self.ratio = np.empty(shape, np.float32)
        self.good = np.ones((shape[0] + margin, shape[1] + margin))
        self._bright = np.empty(shape, np.uint8)

    def __call__(self, shapes: Shapes) -> list[tuple[tuple[int, int], Shape]]:
        """Find showers: their centres and ellipses."""
        from scipy import signal

        smooth: Any = signal.oaconvolve(self.ratio, self._ring, mode="same")
        weight: Any = signal.oaconvolve(self.good, self._ring, mode="valid")
        least = 1e-3 * np.mean(self._ring)
        threshold = self._parameters.extend_snr_threshold
        smooth, weight = np.ascontiguousarray(smooth), np.ascontiguousarray(weight)
        kernels.threshold(smooth, weight, self.good, least, threshold, self._bright)
        regions = find_regions(self._bright, 1)
        if regions is None:
            return []
        large = regions.at_least(self._parameters.extend_min_area)
        return [(regions.centre(index), shapes(regions, index)) for index in large]


def ring(inner: float, width: float) -> NDArray[np.float64]:
    """Make a smoothing kernel in the form of a ring, as astropy's ``Ring2DKernel``.

    Parameters
    ----------
    inner
        Inner radius, in pixels.
    width
        Its width, in pixels.
    """
    outer = inner + width
    half = math.ceil(2 * outer) // 2
    squares = np.arange(-half, half + 1.0) ** 2
    distance = squares[:, np.newaxis] + squares
    inside = (distance >= inner**2) & (distance <= outer**2)
    image = inside * np.float64(1.0 / (np.pi * (outer**2 - inner**2)))
    normalised: NDArray[np.float64] = image / image.sum()
    return normalised
