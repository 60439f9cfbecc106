"""A star that a planet crosses: the light curve, and the images of a time series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .geometry import Attitude, Geometry, Subarray
    from .instruments import Filter
    from .optics import Psf
    from .plans import ExposurePlan

__all__ = ["TRANSIT", "Transit", "integration_table", "mean_light", "star_images"]

Float = NDArray[np.float64]

_STEPS = 400
"""Rings into which the star's disc is cut."""
_MOMENTS = 9
"""Moments at which the light of an integration is taken."""


@dataclass(frozen=True)
class Transit:
    """A dark planet that crosses a star on a straight line at even speed."""

    radius: float
    """The planet's, in the star's radii."""
    impact: float
    """Least distance of the two centres, in the star's radii."""
    middle: float
    """When the centres are nearest, as a part of the exposure."""
    duration: float
    """From the first to the last touch, as a part of the exposure."""
    limb: float
    """Linear limb darkening: the part of the light that the limb lacks."""

    def distance(self, part: Float) -> Float:
        """Distance of the centres, in the star's radii, at a part of the exposure."""
        half = np.sqrt((1 + self.radius) ** 2 - self.impact**2)
        along = (part - self.middle) / (self.duration / 2) * half
        return np.asarray(np.hypot(along, self.impact))

    def light(self, part: Float) -> Float:
        """Give the star's light, one outside the transit, at parts of the exposure.

        The disc is cut into rings; of each, the planet hides the arc on which the
        law of cosines puts it.
        """
        edge = np.linspace(0, 1, _STEPS + 1)
        ring = (edge[1:] + edge[:-1]) / 2
        bright = 1 - self.limb * (1 - np.sqrt(1 - ring**2))
        weight = bright * np.diff(edge**2) / (1 - self.limb / 3)
        d = self.distance(np.asarray(part, float))[..., None]
        with np.errstate(divide="ignore"):
            cosine = (ring**2 + d**2 - self.radius**2) / (2 * ring * d)
        hidden = np.arccos(np.clip(cosine, -1, 1)) / np.pi
        return np.asarray(1 - (hidden * weight).sum(axis=-1))

    @property
    def depth(self) -> float:
        """Part of the light that is missing in the middle."""
        return float(1 - self.light(np.array(self.middle)))


TRANSIT: Final = Transit(radius=0.11, impact=0.3, middle=0.53, duration=0.36, limb=0.2)
"""What the time series watches; it lasts a minute where real ones last hours."""


def mean_light(transit: Transit, plan: ExposurePlan) -> Float:
    """Give the mean light of each integration, while its charge builds up."""
    whole = plan.frames + 1  # a reset comes before
    moments = 1 + (np.arange(_MOMENTS) + 0.5) / _MOMENTS * plan.frames
    number = np.arange(plan.integrations)[:, None]
    part = (number + moments / whole) / plan.integrations
    return np.asarray(transit.light(part).mean(axis=1))


def star_images(
    plan: ExposurePlan,
    flux: float,
    light: Float,
    bandpass: Filter,
    psf: Psf,
    geometry: Geometry,
    subarray: Subarray,
    attitude: Attitude,
    place: tuple[float, float],
) -> tuple[NDArray[np.float32], float, float]:
    """Put a changing star on a window of a detector.

    Parameters
    ----------
    plan
        The exposure.
    flux
        The star's in Jy.
    light
        By what it is multiplied in each integration.
    bandpass, psf, geometry, subarray, attitude
        As for a field of stars.
    place
        The star's right ascension and declination in degrees.

    Returns
    -------
    brightness : (nints, ny, nx) in MJy/sr
    x, y : zero-based place of the star in the window
    """
    ra, dec = (np.array(value) for value in place)
    column, row = (float(value) for value in geometry.pixels(*attitude.v2v3(ra, dec)))
    area = float(geometry.pixel_area(np.array(column), np.array(row)))
    x, y = column - (subarray.start[0] - 1), row - (subarray.start[1] - 1)
    nx, ny = subarray.size
    i, j = int(np.floor(x)), int(np.floor(y))
    if not (0 <= i < nx and 0 <= j < ny):
        raise AssertionError((plan.root, x, y))
    stamp = psf.stamp(x - i, y - j)
    half = stamp.shape[0] // 2
    image = np.zeros((ny + 2 * half, nx + 2 * half), np.float32)
    image[j : j + stamp.shape[0], i : i + stamp.shape[1]] = stamp
    image = image[half : half + ny, half : half + nx] * np.float32(flux / area / 1e6)
    changing = light.astype(np.float32)[:, None, None] * image
    return changing + np.float32(bandpass.background), x, y


def integration_table(light: Float) -> NDArray[Any]:
    """Give the truth's light curve, a row for each integration."""
    table = np.zeros(len(light), [("integration", np.int16), ("light", np.float64)])
    table["integration"] = np.arange(len(light))
    table["light"] = light
    return table
