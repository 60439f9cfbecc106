"""What light falls on an exposure: one way for each kind of scene."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from . import lrs_scene, transit, wfss_scene
from .instruments import DETECTORS
from .other_scenes import guide_star, spectra, wandering_star
from .scene import Scene, render
from .setups import area_of, geometry_of, psf_of, sky_of
from .target_scene import image_of_target, table_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .geometry import Attitude, Subarray
    from .plans import ExposurePlan


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
    if plan.scene == "prism":
        return _through_prism(plan, subarray, attitude, seed)
    return _WAYS[plan.scene](plan, subarray, attitude, seed)


def _spectra(plan: ExposurePlan, subarray: Subarray, _: Attitude, seed: int) -> Light:
    bandpass = DETECTORS[plan.detector].filters[plan.filter]
    return Light(spectra(subarray.size[::-1], bandpass, seed))


def _guide_star(plan: ExposurePlan, subarray: Subarray, _: Attitude, seed: int) -> Light:
    bandpass = DETECTORS[plan.detector].filters[plan.filter]
    psf = psf_of(plan.detector, plan.filter, seed)
    return Light(guide_star(subarray.size[::-1], bandpass, psf))


def _fine_guide(plan: ExposurePlan, subarray: Subarray, _: Attitude, seed: int) -> Light:
    bandpass = DETECTORS[plan.detector].filters[plan.filter]
    psf = psf_of(plan.detector, plan.filter, seed)
    shape = subarray.size[::-1]
    brightness, places = wandering_star(plan, shape, bandpass, psf, seed)
    return Light(brightness, tables={"GUIDING": places})


def _field(plan: ExposurePlan, subarray: Subarray, attitude: Attitude, seed: int) -> Light:
    bandpass = DETECTORS[plan.detector].filters[plan.filter]
    psf = psf_of(plan.detector, plan.filter, seed)
    geometry = geometry_of(plan.detector)
    scene = render(sky_of(seed, plan.scene), bandpass, psf, geometry, subarray, attitude)
    return Light(scene.brightness, scene)


def _target(plan: ExposurePlan, subarray: Subarray, attitude: Attitude, seed: int) -> Light:
    brightness, sources = image_of_target(plan, subarray, attitude, seed)
    return Light(brightness, tables={"SOURCES": table_of(sources)})


def _through_prism(plan: ExposurePlan, subarray: Subarray, attitude: Attitude, seed: int) -> Light:
    seen = lrs_scene.disperse(plan, subarray, attitude, seed)
    detector = DETECTORS[plan.detector]
    # What becomes of brightness elsewhere is undone: the prism's image is in electrons.
    unit = detector.gain / detector.filters[plan.filter].photmjsr
    return Light((seen.electrons / unit).astype(np.float32), tables=seen.tables, facts=seen.facts)


def _slitless(plan: ExposurePlan, subarray: Subarray, attitude: Attitude, seed: int) -> Light:
    geometry = geometry_of(plan.detector)
    sources = wfss_scene.make_sources(seed, geometry_of("NRCALONG"), subarray, plan.roll)
    bandpass = DETECTORS[plan.detector].filters[plan.filter]
    psf = psf_of(plan.detector, plan.filter, seed)
    tables = {
        "SOURCES": wfss_scene.source_table(sources, geometry, subarray, attitude),
        "LINES": wfss_scene.line_table(sources),
    }
    if plan.scene == "wfss-direct":
        image = wfss_scene.direct(sources, bandpass, psf, geometry, subarray, attitude)
        return Light(image, tables=tables)
    nominal, area = area_of(plan.detector)
    image = wfss_scene.dispersed(sources, psf, geometry, subarray, attitude, nominal)
    # The area of a pixel, which brightness is multiplied by elsewhere, gives it no more of
    # a source's light.
    image /= area[subarray.window]
    return Light(image + wfss_scene.background(image.shape), tables=tables)


def _transit(plan: ExposurePlan, subarray: Subarray, attitude: Attitude, seed: int) -> Light:
    target = plan.target
    if target is None:
        raise AssertionError(plan.root)
    light = transit.mean_light(transit.TRANSIT, plan)
    brightness, x, y = transit.star_images(
        plan,
        target.flux,
        light,
        DETECTORS[plan.detector].filters[plan.filter],
        psf_of(plan.detector, plan.filter, seed),
        geometry_of(plan.detector),
        subarray,
        attitude,
        (target.ra, target.dec),
    )
    length = plan.integrations * (plan.frames + 1) * plan.frame_time
    facts: dict[str, float | str] = {
        "STARFLUX": target.flux,
        "STAR_X": x,
        "STAR_Y": y,
        "TRDEPTH": transit.TRANSIT.depth,
        "TRMIDDLE": transit.TRANSIT.middle * length,
        "TRLENGTH": transit.TRANSIT.duration * length,
    }
    return Light(brightness, tables={"LIGHT": transit.integration_table(light)}, facts=facts)


def _star(plan: ExposurePlan, subarray: Subarray, attitude: Attitude, seed: int) -> Light:
    target = plan.target
    if target is None:
        raise AssertionError(plan.root)
    images, x, y = transit.star_images(
        plan,
        target.flux,
        np.ones(1),
        DETECTORS[plan.detector].filters[plan.filter],
        psf_of(plan.detector, plan.filter, seed),
        geometry_of(plan.detector),
        subarray,
        attitude,
        (target.ra, target.dec),
    )
    return Light(images[0], facts={"STARFLUX": target.flux, "STAR_X": x, "STAR_Y": y})


def _nothing(_plan: ExposurePlan, subarray: Subarray, _: Attitude, _seed: int) -> Light:
    return Light(np.zeros(subarray.size[::-1], np.float32))


_WAYS: Final[dict[str, Callable[[ExposurePlan, Subarray, Attitude, int], Light]]] = {
    "bright-field": _field,
    "field": _field,
    "fine-guide": _fine_guide,
    "guide-star": _guide_star,
    "nothing": _nothing,
    "prism": _through_prism,
    "spectra": _spectra,
    "star": _star,
    "target": _target,
    "transit": _transit,
    "wfss": _slitless,
    "wfss-direct": _slitless,
}
