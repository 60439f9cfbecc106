"""A lone star, with or without a companion, before the optics of high contrast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from . import coronagraphs, nonredundant
from .geometry import Attitude, Subarray
from .instruments import DETECTORS
from .randomness import stream
from .setups import geometry_of
from .wavefronts import drift

if TYPE_CHECKING:
    from .programs import ExposurePlan

__all__ = [
    "Source",
    "field_of_view",
    "image_of_source",
    "image_of_target",
    "pixel_scale",
    "point_at_target",
    "sources_of",
    "table_of",
]

Float = NDArray[np.float64]

_ACQUISITION: Final = 0.006
"""Standard deviation in each coordinate, arcseconds, of where a star is put."""
_DRIFT: Final = {"coronagraph": 3.0, "NRM": 12.0}
"""Root mean square in nanometres of what the wavefront differs by from visit to visit."""


@dataclass(frozen=True)
class Source:
    """A point of light on a window."""

    role: str
    """``star`` or ``companion``."""
    x: float
    y: float
    """Zero-based pixel of the window."""
    flux: float
    """Jy, before the optics."""
    transmission: float = 1.0
    """Part of it that a coronagraph's mask lets pass."""


def point_at_target(
    plan: ExposurePlan, subarray: Subarray, seed: int
) -> tuple[Attitude, Attitude]:
    """Give where the telescope thinks it points, and where it does.

    The star is put on the aperture's reference pixel, but for the dither and for the
    error of its acquisition, which exposures of one visit share.

    Parameters
    ----------
    plan
        An exposure of a target.
    subarray
        The window that it reads.
    seed
        The archive's seed.
    """
    target = plan.target
    if target is None:
        raise AssertionError(plan)
    rng = stream(seed, _visit(plan), "acquisition")
    error_x, error_y = _ACQUISITION * rng.standard_normal(2)
    attitudes = []
    for dx, dy in ((0.0, 0.0), (error_x, error_y)):
        star = subarray.v2v3(plan.offset[0] + dx, plan.offset[1] + dy)
        pointed = Attitude(*star, target.ra, target.dec, plan.roll)
        ra, dec = pointed.sky(np.array(subarray.v2_ref), np.array(subarray.v3_ref))
        # The roll differs by the field's tiny turn only, far below any pixel.
        attitudes.append(
            Attitude(subarray.v2_ref, subarray.v3_ref, float(ra), float(dec), plan.roll)
        )
    return attitudes[0], attitudes[1]


def sources_of(plan: ExposurePlan, subarray: Subarray, attitude: Attitude) -> list[Source]:
    """Give the star and its companion where they fall on the window.

    Parameters
    ----------
    plan
        An exposure of a target.
    subarray
        The window that it reads.
    attitude
        Where the telescope points.
    """
    target = plan.target
    if target is None:
        raise AssertionError(plan)
    places = [("star", target.ra, target.dec, target.flux)]
    companion = target.companion
    if companion is not None:
        angle = np.radians(companion.angle)
        east, north = companion.separation * np.sin(angle), companion.separation * np.cos(angle)
        # A tangent plane is exact enough: an arcsecond's sagitta is 2e-6 of it.
        ra = target.ra + east / 3600 / np.cos(np.radians(target.dec))
        places.append(
            ("companion", ra, target.dec + north / 3600, target.flux * companion.contrast)
        )
    geometry = geometry_of(plan.detector)
    found = []
    for role, ra, dec, flux in places:
        x, y = geometry.pixels(*attitude.v2v3(np.array(ra), np.array(dec)))
        found.append(
            Source(role, float(x) - subarray.start[0] + 1, float(y) - subarray.start[1] + 1, flux)
        )
    return found


def image_of_target(
    plan: ExposurePlan, subarray: Subarray, attitude: Attitude, seed: int
) -> tuple[NDArray[np.float32], list[Source]]:
    """Put a star and its companion behind the optics onto a window.

    Parameters
    ----------
    plan
        An exposure of a target.
    subarray
        The window that it reads.
    attitude
        Where the telescope points.
    seed
        The archive's seed.

    Returns
    -------
    brightness : (ny, nx)
        MJy/sr, as a detector of equal pixels would see it.
    sources
        What shines in it.
    """
    detector = DETECTORS[plan.detector]
    bandpass = detector.filters[plan.filter]
    geometry = geometry_of(plan.detector)
    nx, ny = subarray.size
    brightness = np.full((ny, nx), bandpass.background)
    sources = []
    for source in sources_of(plan, subarray, attitude):
        image, transmission = image_of_source(plan, subarray, source.x, source.y, seed)
        where = (
            np.array(source.x + subarray.start[0] - 1),
            np.array(source.y + subarray.start[1] - 1),
        )
        brightness += image * (source.flux / float(geometry.pixel_area(*where)) / 1e6)
        sources.append(Source(source.role, source.x, source.y, source.flux, transmission))
    brightness *= field_of_view(plan, subarray)
    return brightness.astype(np.float32), sources


def image_of_source(
    plan: ExposurePlan, subarray: Subarray, x: float, y: float, seed: int
) -> tuple[Float, float]:
    """Compute the image of a point source of unit flux, and what part of it any mask passes.

    Parameters
    ----------
    plan
        An exposure of a target.
    subarray
        The window that it reads.
    x, y
        Zero-based pixel of the window where the source is.
    seed
        The archive's seed.
    """
    detector = DETECTORS[plan.detector]
    bandpass = detector.filters[plan.filter]
    scale = pixel_scale(plan, subarray)
    shape = subarray.size[1], subarray.size[0]
    if detector.coronagraph is None:
        wavefront = drift(seed, _visit(plan), _DRIFT["NRM"], nonredundant.SAMPLES)
        pixel = (scale[0] + scale[1]) / 2
        return nonredundant.interferogram(bandpass, x, y, shape, pixel, seed, wavefront), 1.0
    wavefront = drift(seed, _visit(plan), _DRIFT["coronagraph"], coronagraphs.SAMPLES)
    from_mask = (
        (x - subarray.reference[0] + 1) * scale[0],
        (y - subarray.reference[1] + 1) * scale[1],
    )
    place = coronagraphs.Place(x, y, from_mask)
    coronagraph = coronagraphs.CORONAGRAPHS[detector.coronagraph]
    return coronagraphs.image(coronagraph, bandpass, place, shape, scale, seed, wavefront)


def table_of(sources: list[Source]) -> NDArray[np.void]:
    """Give sources as a table of the truth."""
    table = np.zeros(
        len(sources),
        [("role", "S9"), *((name, "f8") for name in ("x", "y", "flux", "transmission"))],
    )
    for name in table.dtype.names or ():
        table[name] = [getattr(source, name) for source in sources]
    return table


def field_of_view(plan: ExposurePlan, subarray: Subarray) -> NDArray[np.bool_]:
    """Say which pixels of the window a coronagraph's field stop leaves in the light."""
    nx, ny = subarray.size
    detector = DETECTORS[plan.detector]
    side = coronagraphs.CORONAGRAPHS[detector.coronagraph].field if detector.coronagraph else None
    if side is None:
        return np.ones((ny, nx), bool)
    scale = pixel_scale(plan, subarray)
    x = np.abs(np.arange(nx) - subarray.reference[0] + 1) * scale[0] < side / 2
    y = np.abs(np.arange(ny) - subarray.reference[1] + 1) * scale[1] < side / 2
    return np.asarray(y[:, None] & x[None, :])


def pixel_scale(plan: ExposurePlan, subarray: Subarray) -> tuple[float, float]:
    """Give the arcseconds from column to column and from row to row at the reference pixel."""
    geometry = geometry_of(plan.detector)
    x = subarray.reference[0] + subarray.start[0] - 2 + np.array([-0.5, 0.5, 0.0, 0.0])
    y = subarray.reference[1] + subarray.start[1] - 2 + np.array([0.0, 0.0, -0.5, 0.5])
    v2, v3 = geometry.v2v3(x, y)
    return float(np.hypot(v2[1] - v2[0], v3[1] - v3[0])), float(
        np.hypot(v2[3] - v2[2], v3[3] - v3[2])
    )


def _visit(plan: ExposurePlan) -> str:
    return plan.root[:13]
