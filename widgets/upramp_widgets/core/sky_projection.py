"""From pixels to the sky by whatever an image carries: a gwcs or FITS keywords."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .sky_plane import Float

__all__ = [
    "Box",
    "Projection",
    "box_of_shape",
    "plane_shape",
    "projection_of_fits",
    "projection_of_gwcs",
]

Box = tuple[float, float, float, float]
"""Left, right, low and high edge, in pixels; pixels on them are inside."""

_SAMPLES: Final = 24
"""Pixels along each axis that are asked whether their wavelength differs."""
_EDGE: Final = 1e-6
"""Pixels that one on an edge may be moved to be inside."""
_NO_DISPERSION: Final = 1e-9
"""Relative differences of wavelength that come from rounding."""


@dataclass(frozen=True)
class Projection:
    """How an image's pixels see the sky.

    Attributes
    ----------
    forward : callable
        Takes x and y, (n,) each, to right ascension and declination (ICRS,
        degrees), (n,) each, and, where `wavelength_unit` is set, wavelength. It
        knows no bounding box; NaN where there is no sky at all.
    box : Box
        The bounding box.
    source : str
        What it comes from.
    shape : (int, int) or None
        Rows and columns of the image, where that is known.
    wavelength_unit : str
        Unit of the wavelength that pixels have; empty where they have none.
    dispersed : bool
        Whether pixels that see one place see it in different wavelengths.
    backward : callable or None
        Takes right ascension, declination (and wavelength where `dispersed`) to
        pixels, roughly.
    behind : object
        What has to live as long: a file whose arrays are read when they are used.
    """

    forward: Callable[[Float, Float], tuple[Float, ...]]
    box: Box
    source: str
    shape: tuple[int, int] | None = None
    wavelength_unit: str = ""
    dispersed: bool = False
    backward: Callable[..., tuple[Float, Float]] | None = None
    behind: object = None


def box_of_shape(shape: tuple[int, ...]) -> Box:
    """Give the outline of an array (..., ny, nx), whose pixels have their centres at integers.

    Raises
    ------
    InputError
        If it holds no pixel.
    """
    if len(shape) < 2 or min(shape[-2:]) < 1:
        raise InputError(
            f"an array of shape {tuple(shape)}", "it holds no pixel", "give an image's shape"
        )
    ny, nx = shape[-2:]
    return -0.5, nx - 0.5, -0.5, ny - 0.5


def plane_shape(shape: tuple[int, ...] | None) -> tuple[int, int] | None:
    """Give rows and columns of an array (..., ny, nx); None where that is not known."""
    return None if shape is None or len(shape) < 2 else (int(shape[-2]), int(shape[-1]))


def projection_of_gwcs(
    wcs: Any,
    shape: tuple[int, ...] | None = None,
    inputs: tuple[float, ...] = (),
    *,
    subject: object = "the gwcs",
) -> Projection:
    """Read a gwcs, with all its distortion.

    Parameters
    ----------
    wcs
        A gwcs.WCS whose first two inputs are x and y, counted from 0.
    shape
        Shape of the image, (..., ny, nx); needed if there is no bounding box.
    inputs
        What the gwcs takes after x and y: the plane of a cube (0 if not
        given), the number of a slit.
    subject
        What an error names.

    Raises
    ------
    InputError
        If it leads to no place on the sky, or wants inputs that are not given.
    """
    if not hasattr(wcs, "forward_transform"):
        raise InputError(subject, f"its gwcs is a {type(wcs).__name__}", "assign the WCS again")
    celestial, spectral = _frames(wcs, subject)
    wanted = int(wcs.pixel_n_dim)
    if wanted == 3 and not inputs and spectral is not None and not _is_compound(wcs):
        inputs = (0.0,)
    if wanted != 2 + len(inputs):
        raise InputError(
            subject,
            f"it needs {wanted - 2} values beside x and y, and {len(inputs)} are given",
            "give the plane, the slit, or what else it takes as inputs",
        )
    to_icrs, from_icrs = _frame_changes(celestial.reference_frame, subject)
    lon, lat = celestial.axes_order[:2]
    factors = [float(unit.to("deg")) for unit in celestial.unit[:2]]
    wavelength = None if spectral is None else spectral.axes_order[0]

    box = _gwcs_box(wcs, shape, inputs, subject)
    sliced = _is_sliced(wcs)

    def forward(x: Float, y: Float) -> tuple[Float, ...]:
        within = _within(box, x, y) if sliced else (x, y)
        rest = [np.full_like(x, value) for value in inputs]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            world = wcs(*within, *rest, with_bounding_box=False)
        plain = [np.asarray(getattr(axis, "value", axis), float) for axis in world]
        if sliced:
            moved = np.hypot(within[0] - x, within[1] - y)
            plain = [np.where(moved < _EDGE, axis, np.nan) for axis in plain]
        ra, dec = to_icrs(plain[lon] * factors[0], plain[lat] * factors[1])
        return (ra, dec) if wavelength is None else (ra, dec, plain[wavelength])

    # What comes before and after right ascension and declination is wavelength.
    def backward(ra: Float, dec: Float, *others: Float) -> tuple[Float, Float]:
        world: list[Float] = list(others)
        for axis, values in sorted(
            zip((lon, lat), map(np.divide, from_icrs(ra, dec), factors), strict=True),
            key=lambda pair: pair[0],
        ):
            world.insert(axis, values)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = wcs.invert(*world, with_bounding_box=False)
        x, y = (np.asarray(getattr(axis, "value", axis), float) for axis in pixels[:2])
        return x, y

    try:
        dispersed = wavelength is not None and _is_dispersed(forward, box)
        forward(np.array([(box[0] + box[1]) / 2]), np.array([(box[2] + box[3]) / 2]))
    except Exception as error:
        # A transformation may be made of anything, and its file may be closed.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            subject, f"its gwcs cannot be evaluated ({reason})", "open the file again"
        ) from error
    planar = wanted == 2 and (dispersed or wavelength is None)
    return Projection(
        forward,
        box,
        "gwcs",
        plane_shape(shape),
        "" if wavelength is None else str(spectral.unit[0]),
        dispersed,
        backward if planar else None,
    )


def projection_of_fits(
    wcs: Any, shape: tuple[int, ...] | None = None, *, subject: object = "the FITS WCS"
) -> Projection:
    """Read a FITS WCS, with SIP and lookup-table distortion.

    Parameters
    ----------
    wcs
        An astropy.wcs.WCS.
    shape
        Shape of the image, (..., ny, nx); needed if the WCS does not know it.
    subject
        What an error names.

    Raises
    ------
    InputError
        If it is not celestial, or in a frame that is not the sky's.
    """
    if not wcs.has_celestial:
        raise InputError(
            subject, "it has no right ascension and declination", "give a celestial WCS"
        )
    plane = wcs if wcs.naxis == 2 else wcs.celestial
    if shape is None:
        size = plane.pixel_shape
        if size is None:
            raise InputError(subject, "it does not know the image's size", "give the shape too")
        shape = tuple(size[::-1])
    lng, lat = plane.wcs.lng, plane.wcs.lat
    to_icrs, from_icrs = _frame_changes(_fits_frame(plane, subject), subject)

    def forward(x: Float, y: Float) -> tuple[Float, ...]:
        with np.errstate(all="ignore"):
            world = plane.all_pix2world(np.stack([x, y], axis=1), 0)
        ra, dec = to_icrs(world[:, lng], world[:, lat])
        return ra, dec

    def backward(ra: Float, dec: Float) -> tuple[Float, Float]:
        from astropy.wcs import NoConvergence, WcsError

        world = np.empty((len(ra), 2))
        world[:, lng], world[:, lat] = from_icrs(ra, dec)
        try:
            x, y = plane.wcs_world2pix(world, 0).T
        except (WcsError, NoConvergence):
            x, y = np.full((2, len(ra)), np.nan)
        return x, y

    box = box_of_shape(shape)
    return Projection(forward, box, "FITS WCS keywords", plane_shape(shape), backward=backward)


# ---- gwcs ---------------------------------------------------------------------------------


def _frames(wcs: Any, subject: object) -> tuple[Any, Any]:
    """Find the celestial frame of a gwcs, and the spectral one or None."""
    from gwcs.coordinate_frames import CelestialFrame, SpectralFrame

    output = wcs.output_frame
    parts = getattr(output, "frames", [output])
    celestial = next((part for part in parts if isinstance(part, CelestialFrame)), None)
    spectral = next((part for part in parts if isinstance(part, SpectralFrame)), None)
    if celestial is None:
        raise InputError(
            subject, f"it leads to {output}, which is no place on the sky", "give a celestial one"
        )
    return celestial, spectral


def _is_compound(wcs: Any) -> bool:
    """Say whether the bounding box depends on an input, as one slit's does."""
    return hasattr(wcs.bounding_box, "bounding_boxes")


def _is_sliced(wcs: Any) -> bool:
    """Say whether a gwcs looks its slices up in an array, which has nothing outside."""
    from gwcs.selector import RegionsSelector

    transform = wcs.forward_transform
    parts = transform.traverse_postorder() if hasattr(transform, "traverse_postorder") else []
    return any(isinstance(part, RegionsSelector) for part in (transform, *parts))


def _within(box: Box, x: Float, y: Float) -> tuple[Float, Float]:
    """Put pixels into a box; its last edges are the next pixels' in an array."""
    left, right, low, high = box
    return (
        np.clip(x, left, np.nextafter(right, left)),
        np.clip(y, low, np.nextafter(high, low)),
    )


def _gwcs_box(
    wcs: Any, shape: tuple[int, ...] | None, inputs: tuple[float, ...], subject: object
) -> Box:
    box = wcs.bounding_box
    if box is not None and hasattr(box, "bounding_boxes"):
        box = next(
            (own for key, own in box.bounding_boxes.items() if tuple(key) == inputs[: len(key)]),
            None,
        )
    if box is None:
        if shape is None:
            raise InputError(
                subject, "it has no bounding box", "give the shape of the image as well"
            )
        return box_of_shape(shape)
    intervals = box.bounding_box(order="F")
    limits = [float(getattr(end, "value", end)) for pair in intervals[:2] for end in pair]
    if shape is not None:
        # What has no end here ends with the image.
        outline = box_of_shape(shape)
        limits = [
            own if math.isfinite(own) else edge for own, edge in zip(limits, outline, strict=True)
        ]
    left, right, low, high = limits
    if not (math.isfinite(sum(limits)) and left < right and low < high):
        raise InputError(
            subject,
            f"its bounding box, x {left:g} to {right:g} and y {low:g} to {high:g}, holds nothing",
            "assign the WCS again",
        )
    return left, right, low, high


def _is_dispersed(forward: Callable[[Float, Float], tuple[Float, ...]], box: Box) -> bool:
    left, right, low, high = box
    x, y = np.meshgrid(np.linspace(left, right, _SAMPLES), np.linspace(low, high, _SAMPLES))
    wavelength = forward(x.ravel(), y.ravel())[2]
    wavelength = wavelength[np.isfinite(wavelength)]
    return bool(wavelength.size and np.ptp(wavelength) > _NO_DISPERSION * abs(wavelength[0]))


# ---- frames -------------------------------------------------------------------------------


def _fits_frame(wcs: Any, subject: object) -> Any:
    from astropy.wcs.utils import wcs_to_celestial_frame

    try:
        return wcs_to_celestial_frame(wcs)
    except ValueError:
        kinds = ", ".join(wcs.wcs.ctype)
        raise InputError(
            subject, f"its axes {kinds} are in no frame of the sky that is known", "give another"
        ) from None


def _frame_changes(frame: Any, subject: object) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Give the ways from a frame to ICRS and back, degrees in and out."""
    from astropy.coordinates import ICRS, SkyCoord
    from astropy.coordinates.errors import ConvertError

    def same(lon: Float, lat: Float) -> tuple[Float, Float]:
        return lon, lat

    if frame is None or isinstance(frame, ICRS):
        return same, same

    def change(lon: Float, lat: Float, before: Any, after: Any) -> tuple[Float, Float]:
        # A latitude beyond a pole is refused; what comes from NaN is NaN again.
        lat = np.where(np.abs(lat) <= 90, lat, np.nan)
        place = SkyCoord(lon, lat, unit="deg", frame=before).transform_to(after).spherical
        return np.asarray(place.lon.deg), np.asarray(place.lat.deg)

    try:
        change(np.zeros(1), np.zeros(1), frame, ICRS())
    except ConvertError:
        raise InputError(
            subject, f"there is no way from {frame} to ICRS", "give one in ICRS"
        ) from None
    return (
        lambda lon, lat: change(lon, lat, frame, ICRS()),
        lambda lon, lat: change(lon, lat, ICRS(), frame),
    )
