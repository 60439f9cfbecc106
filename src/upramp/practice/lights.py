"""What light falls on an exposure: one way for each kind of scene."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .instruments import DETECTORS
from .other_scenes import guide_star, spectra
from .scene import Scene, render
from .setups import geometry_of, psf_of, sky_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .geometry import Attitude, Subarray
    from .programs import ExposurePlan

__all__ = ["Light", "light_of"]


@dataclass(frozen=True)
class Light:
    """What falls on a window of a detector, and what is true about it."""

    brightness: NDArray[np.float32]
    """(ny, nx) in MJy/sr, as a detector of equal pixels would see it; (nints, ny, nx) if
    it changes from integration to integration."""
    scene: Scene | None = None
    """The stars of the calibration field, where that is what is seen."""
    tables: dict[str, NDArray[Any]] = field(default_factory=dict)
    """Tables of the truth, by the name of their extension."""
    facts: dict[str, float | str] = field(default_factory=dict)
    """Keywords of the truth's first header."""


def light_of(plan: ExposurePlan, subarray: Subarray, attitude: Attitude, seed: int) -> Light:
    """Give the light of an exposure.

    Parameters
    ----------
    plan
        The exposure.
    subarray
        The window that it reads.
    attitude
        Where the telescope really points.
    seed
        The archive's seed.
    """
    bandpass = DETECTORS[plan.detector].filters[plan.filter]
    nx, ny = subarray.size
    if plan.scene == "spectra":
        return Light(spectra((ny, nx), bandpass, seed))
    psf = psf_of(plan.detector, plan.filter, seed)
    if plan.scene == "guide-star":
        return Light(guide_star((ny, nx), bandpass, psf))
    if plan.scene == "field":
        geometry = geometry_of(plan.detector)
        scene = render(sky_of(seed), bandpass, psf, geometry, subarray, attitude)
        return Light(scene.brightness, scene)
    raise AssertionError(plan.scene)
